// SPDX-License-Identifier: BSD-2-Clause
// Terminals: who gets one by opening it, and devices that can be waited for.
#include "abi.h"
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

static int open_pair(char name[64])
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n, zero = 0;

	if (m < 0 || ioctl(m, TIOCSPTLCK, &zero) || ioctl(m, TIOCGPTN, &n))
		return -1;
	snprintf(name, 64, "/dev/pts/%d", n);
	return m;
}

TEST(controlling_terminal)
{
	char name[64];
	int s;

	CHILD
		NEED(setsid() == getpid());
		NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
		NEED(open_pair(name) >= 0);
		NEED((s = open(name, O_RDWR | O_NOCTTY)) >= 0);
		NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
		NEED(open(name, O_WRONLY) >= 0); // only one that can be read
		NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
		NEED(open(name, O_RDWR) >= 0 && open("/dev/tty", O_RDWR) >= 0);
		NEED(tcgetsid(s) == getpid() && tcgetpgrp(s) == getpgrp());
		char other[64];
		int t;
		NEED(open_pair(other) >= 0 && (t = open(other, O_RDWR)) >= 0);
		NEED_ERR(tcgetsid(t), ENOTTY); // one is enough
		NEED_ERR(ioctl(t, TIOCSCTTY, 0), EPERM);
		pid_t p = fork();
		if (!p) { // a member of the session takes none
			NEED(!ioctl(s, TIOCNOTTY, 0));
			_exit(open(other, O_RDWR) >= 0 && open("/dev/tty", O_RDWR) < 0 ? 0 : 1);
		}
		int status;
		NEED(waitpid(p, &status, 0) == p);
	END_CHILD;
	CHILD // somebody else's
		NEED(setsid() == getpid());
		NEED(open_pair(name) >= 0 && open(name, O_RDWR) >= 0);
		pid_t p = fork();
		if (!p) {
			NEED(setsid() == getpid() && (s = open(name, O_RDWR)) >= 0);
			NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
			NEED(geteuid() || !ioctl(s, TIOCSCTTY, 1)); // root may steal it
			_exit(0);
		}
		int status;
		NEED(waitpid(p, &status, 0) == p);
		NEED(!status);
	END_CHILD;
}

static int readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST(settings_of_a_new_one)
{
	char name[64];
	struct termios t;
	int m, s;

	CHILD
		NEED((m = open_pair(name)) >= 0 && (s = open(name, O_RDWR | O_NOCTTY)) >= 0 &&
		     !tcgetattr(s, &t));
		NEED_EQ(t.c_iflag, ICRNL | IXON);
		NEED_EQ(t.c_oflag, OPOST | ONLCR);
		NEED_EQ(t.c_cflag, B38400 | CS8 | CREAD);
		NEED_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	END_CHILD;
}

TEST(least_number_of_characters)
{
	char name[64], buf[8];
	struct termios t;
	int m, s;

	CHILD
		NEED((m = open_pair(name)) >= 0 && (s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
		NEED(!tcgetattr(s, &t));
		cfmakeraw(&t);
		t.c_cc[VMIN] = t.c_cc[VTIME] = 0;
		NEED(!tcsetattr(s, TCSANOW, &t));
		NEED_EQ(read(s, buf, sizeof buf), 0); // not EAGAIN: such a read never waits
		t.c_cc[VMIN] = 3;
		NEED(!tcsetattr(s, TCSANOW, &t));
		NEED_ERR(read(s, buf, sizeof buf), EAGAIN);
		NEED(write(m, "ab", 2) == 2 && readable(s) == 0);
		NEED(write(m, "c", 1) == 1 && readable(s) == POLLIN);
		NEED_EQ(read(s, buf, sizeof buf), 3);
		NEED(!close(m));
		NEED_EQ(readable(s), POLLIN | POLLERR | POLLHUP);
	END_CHILD;
}

TEST(what_becomes_of_input)
{
	char name[64], buf[8];
	struct termios t;
	int m, s;

	CHILD
		NEED((m = open_pair(name)) >= 0 && (s = open(name, O_RDWR | O_NOCTTY)) >= 0 &&
		     !tcgetattr(s, &t));
		t.c_lflag = IEXTEN;
		t.c_iflag = IUCLC | ISTRIP;
		NEED(!tcsetattr(s, TCSANOW, &t) && write(m, "A\xc2z", 3) == 3);
		NEED(read(s, buf, sizeof buf) == 3 && !memcmp(buf, "abz", 3));
		t.c_iflag = PARMRK;
		NEED(!tcsetattr(s, TCSANOW, &t) && write(m, "\xff\0", 2) == 2);
		NEED(read(s, buf, sizeof buf) == 3 && !memcmp(buf, "\xff\xff\0", 3));
	END_CHILD;
}

TEST(for_one_alone)
{
	char name[64];
	int m, s, v = -1, is_root = !geteuid();

	CHILD
		NEED((m = open_pair(name)) >= 0 && (s = open(name, O_RDWR | O_NOCTTY)) >= 0);
		NEED(!chmod(name, 0666) && !ioctl(s, TIOCGEXCL, &v) && !v);
		NEED(!ioctl(s, TIOCEXCL) && !ioctl(s, TIOCGEXCL, &v) && v == 1);
		if (is_root)
			NEED(open(name, O_RDWR | O_NOCTTY) >= 0 && !become(NOBODY));
		NEED_ERR(open(name, O_RDWR | O_NOCTTY), EBUSY);
		NEED(!ioctl(s, TIOCNXCL) && open(name, O_RDWR | O_NOCTTY) >= 0);
		struct stat st;
		NEED(!ioctl(s, TIOCGDEV, &v) && !fstat(s, &st) && (unsigned)v == st.st_rdev);
		NEED(!ioctl(s, TIOCGSOFTCAR, &v) && !v);
		v = 1;
		NEED(!ioctl(s, TIOCSSOFTCAR, &v) && !ioctl(s, TIOCGSOFTCAR, &v) && v == 1);
		NEED(!ioctl(s, TIOCSBRK, 0) && !ioctl(s, TIOCCBRK, 0));
		NEED_ERR(ioctl(s, TIOCSTI, "x"), EPERM); // not one's own
	END_CHILD;
}

TEST(typed_for_somebody)
{
	char name[64], buf[8];
	int m, s;

	NEEDS_ROOT;
	CHILD
		NEED((m = open_pair(name)) >= 0 && (s = open(name, O_RDWR | O_NOCTTY)) >= 0);
		NEED_ERR(ioctl(s, TIOCSTI, NULL), EFAULT);
		NEED(!ioctl(s, TIOCSTI, "x") && !ioctl(s, TIOCSTI, "\n"));
		NEED(read(s, buf, sizeof buf) == 2 && !memcmp(buf, "x\n", 2));
	END_CHILD;
}
