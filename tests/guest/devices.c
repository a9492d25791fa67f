// SPDX-License-Identifier: BSD-2-Clause
// /dev: devices and terminals.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>

TEST(devices)
{
	char b[64];
	struct stat st;
	int fd = open("/dev/null", O_RDWR);

	EXPECT(fd >= 0);
	EXPECT_EQ(write(fd, b, 64), 64);
	EXPECT_EQ(read(fd, b, 64), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	struct termios t;

	EXPECT_ERR(tcgetattr(fd, &t), ENOTTY);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	memset(b, 1, 64);
	EXPECT_EQ(read(fd, b, 64), 64);
	EXPECT(b[0] == 0 && b[63] == 0);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	EXPECT(p != MAP_FAILED);
	p[0] = 1;
	munmap(p, 8192);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	EXPECT(fd >= 0);
	EXPECT_ERR(write(fd, b, 1), ENOSPC);
	close(fd);
	fd = open("/dev/random", O_RDONLY);
	EXPECT_EQ(read(fd, b, 32), 32);
	close(fd);
	EXPECT_EQ(stat("/dev/shm", &st), 0);
	EXPECT(S_ISDIR(st.st_mode));
	fd = open("/dev/shm/test", O_CREAT | O_RDWR, 0600);
	EXPECT(fd >= 0);
	close(fd);
	unlink("/dev/shm/test");
}

// openpty() opens the other side by TIOCGPTPEER, and does not want it to become the controlling terminal.
TEST(peer_is_no_controlling_terminal)
{
	int status, master, peer;
	pid_t pid = fork();

	if (!pid) {
		setsid();
		master = posix_openpt(O_RDWR | O_NOCTTY);
		unlockpt(master);
		peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
		if (peer < 0)
			_exit(errno == ENOTTY || errno == EINVAL || errno == ENOENT ? 0 : 2);
		if (open("/dev/tty", O_RDWR) >= 0 || errno != ENXIO)
			_exit(3);
		close(master); // no SIGHUP
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(older_terminal_calls)
{
	// linux/termios.h and termios.h do not go together.
	struct {
		unsigned short i, o, c, l;
		unsigned char line, cc[8];
	} a;
	struct {
		unsigned i, o, c, l;
		unsigned char line, cc[19];
	} locked = {0};
	struct termios t, before;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd < 0)
		SKIP("no pseudo terminals");
	EXPECT_EQ(tcgetattr(fd, &before), 0);
	EXPECT_EQ(ioctl(fd, TCGETA, &a), 0);
	EXPECT_EQ(a.l, before.c_lflag & 0xffff);
	EXPECT_EQ(a.cc[VINTR], before.c_cc[VINTR]);
	a.l &= ~ECHO;
	a.cc[VINTR] = 7;
	EXPECT_EQ(ioctl(fd, TCSETAW, &a), 0);
	EXPECT_EQ(tcgetattr(fd, &t), 0);
	EXPECT(!(t.c_lflag & ECHO) && t.c_cc[VINTR] == 7);
	EXPECT_EQ(t.c_cc[VSUSP], before.c_cc[VSUSP]); // beyond the eight
	EXPECT_EQ(ioctl(fd, TIOCGLCKTRMIOS, &locked), 0);
	EXPECT_EQ(locked.l, 0);
	locked.l = ECHO;
	locked.cc[VINTR] = 1;
	if (ioctl(fd, TIOCSLCKTRMIOS, &locked)) {
		EXPECT_EQ(errno, EPERM);
	} else {
		EXPECT_EQ(tcsetattr(fd, TCSANOW, &before), 0);
		EXPECT_EQ(tcgetattr(fd, &t), 0);
		EXPECT(!(t.c_lflag & ECHO) && t.c_cc[VINTR] == 7);
	}
	close(fd);
}

TEST(pseudo_terminal)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), s;
	char b[64], *name;
	struct winsize w = {.ws_row = 30, .ws_col = 90}, got = {0};

	if (m < 0)
		SKIP("no pseudo-terminals here");
	EXPECT_EQ(grantpt(m), 0);
	EXPECT_EQ(unlockpt(m), 0);
	EXPECT((name = ptsname(m)));
	s = open(name, O_RDWR | O_NOCTTY);
	EXPECT(s >= 0);
	EXPECT(isatty(s));
	EXPECT_EQ(ioctl(m, TIOCSWINSZ, &w), 0);
	EXPECT_EQ(ioctl(s, TIOCGWINSZ, &got), 0);
	EXPECT(got.ws_row == 30 && got.ws_col == 90);
	EXPECT_EQ(write(m, "line\n", 5), 5);
	EXPECT_EQ(read(s, b, 64), 5);
	EXPECT_EQ(read(m, b, 64), 6); // echoed with a carriage return
	close(s), close(m);
}

static long number_in(const char *dir, const char *file)
{
	char path[300], text[32] = "";
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		return -1;
	close(fd);
	return strtol(text, NULL, 0);
}

// What lspci reads: the attributes say what the configuration space says.
TEST(pci_devices)
{
	const char *all = "/sys/bus/pci/devices";
	DIR *d = opendir(all);
	struct dirent *e;
	int many = 0;

	if (!d)
		SKIP("no PCI");
	while ((e = readdir(d))) {
		unsigned domain, bus, slot, fn;
		unsigned char config[64];
		char dir[280], path[300];
		int fd;

		if (e->d_name[0] == '.')
			continue;
		EXPECT_EQ(sscanf(e->d_name, "%x:%x:%x.%x", &domain, &bus, &slot, &fn), 4);
		snprintf(dir, sizeof dir, "%s/%s", all, e->d_name);
		snprintf(path, sizeof path, "%s/config", dir);
		fd = open(path, O_RDONLY);
		EXPECT(fd >= 0 && pread(fd, config, sizeof config, 0) == sizeof config);
		close(fd);
		EXPECT_EQ(number_in(dir, "vendor"), config[0] | config[1] << 8);
		EXPECT_EQ(number_in(dir, "device"), config[2] | config[3] << 8);
		EXPECT_EQ(number_in(dir, "class"), config[9] | config[10] << 8 | config[11] << 16);
		EXPECT(number_in(dir, "irq") >= 0 && number_in(dir, "subsystem_vendor") >= 0 &&
		       number_in(dir, "resource") >= 0);
		snprintf(path, sizeof path, "%s/modalias", dir);
		EXPECT(!access(path, R_OK));
		many++;
	}
	closedir(d);
	if (!many)
		SKIP("no PCI device");
}
