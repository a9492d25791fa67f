// SPDX-License-Identifier: BSD-2-Clause
// First program of the Linux guest that Cortado is measured and tested beside. It gives a Linux kernel the
// same contract as Cortado's lean mode (scripts/cortado_cli/launch.py): the EROFS root on /dev/vda, tmpfs on
// /tmp, /run and /var, init= and cwd= from the command line, arguments and environment from fw_cfg, the
// standard streams on named virtio-console ports, and the program's end told on the control port before
// power-off.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FW_CFG "/sys/firmware/qemu_fw_cfg/by_name/opt/org.cortado/"

static int control = -1;

static void finish(const char *event)
{
	if (control >= 0 && write(control, event, strlen(event)) < 0)
		perror("control port");
	// The port's writes are synchronous in Linux's driver only as far as the queue: closing waits for the
	// host.
	if (control >= 0)
		close(control);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void fail(const char *what)
{
	char event[256];

	snprintf(event, sizeof event, "{\"event\":\"panic\",\"text\":\"linux guest: %s: %s\"}\n", what,
		 strerror(errno));
	fputs(event, stderr);
	finish(event);
}

static void load_modules(void)
{
	FILE *list = fopen("/modules/order", "r");
	char name[128], path[160];

	while (list && fscanf(list, "%127s", name) == 1) {
		snprintf(path, sizeof path, "/modules/%s", name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fprintf(stderr, "linux guest: %s: %s\n", name, strerror(errno));
		close(fd);
	}
	if (list)
		fclose(list);
}

// Wait, with a limit, until PATH exists: devices appear from kernel threads.
static int appears(const char *path)
{
	for (int i = 0; i < 2000; i++) {
		if (!access(path, F_OK))
			return 1;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return 0;
}

// The port called WANTED; its node's path in NODE.
static int open_port(const char *wanted, char node[300])
{
	char *path = node, name[64];

	for (int i = 0; i < 2000; i++) {
		DIR *d = opendir("/sys/class/virtio-ports");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			snprintf(path, 300, "/sys/class/virtio-ports/%s/name", e->d_name);
			FILE *f = fopen(path, "r");

			name[0] = 0;
			if (f && !fscanf(f, "%63s", name))
				name[0] = 0;
			if (f)
				fclose(f);
			if (strcmp(name, wanted))
				continue;
			snprintf(path, 300, "/dev/%s", e->d_name);
			int fd = open(path, O_RDWR | O_CLOEXEC);

			if (fd >= 0) {
				closedir(d);
				return fd;
			}
		}
		if (d)
			closedir(d);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return -1;
}

// The strings of a fw_cfg file as a NULL-ended vector.
static char **strings(const char *name)
{
	char path[200];
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);

	snprintf(path, sizeof path, FW_CFG "%s/raw", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + size, room - size - 1)) > 0) {
		size += n;
		if (size + 1 == room)
			text = realloc(text, room *= 2);
	}
	if (fd >= 0)
		close(fd);
	text[size] = 0;
	char **v = calloc(size + 2, sizeof *v);
	size_t count = 0;

	for (size_t at = 0; at < size; at += strlen(text + at) + 1)
		v[count++] = text + at;
	return v;
}

// The value of KEY=... on the kernel command line, double quotes allowed around it.
static char *word(const char *key)
{
	static char line[8192];
	char pattern[64];
	FILE *f = fopen("/proc/cmdline", "r");

	if (!f || !fgets(line, sizeof line, f))
		return NULL;
	fclose(f);
	line[strcspn(line, "\n")] = 0;
	snprintf(pattern, sizeof pattern, "%s=", key);
	for (char *at = strstr(line, pattern); at; at = strstr(at + 1, pattern)) {
		if (at != line && at[-1] != ' ' && at[-1] != '"')
			continue;
		int whole = at != line && at[-1] == '"'; // Linux shows "key=a b" for key="a b"
		char *value = at + strlen(pattern), stop = ' ';

		if (*value == '"')
			stop = *value++;
		else if (whole)
			stop = '"';
		return strndup(value, strcspn(value, (char[]){stop, 0}));
	}
	return NULL;
}

static void copy_skeleton(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char a[512], b[512], target[512];
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		if (lstat(a, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			mkdir(b, 0755);
			chmod(b, st.st_mode & 07777);
			copy_skeleton(a, b);
		} else if (S_ISLNK(st.st_mode)) {
			ssize_t n = readlink(a, target, sizeof target - 1);

			target[n < 0 ? 0 : n] = 0;
			if (symlink(target, b))
				perror(b);
		}
	}
	if (d)
		closedir(d);
}

// The interface NAME up, with an address if there is one.
static void interface_up(const char *name, const char *address, const char *mask, const char *gateway)
{
	struct ifreq r = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	in->sin_family = AF_INET;
	if (address) {
		inet_pton(AF_INET, address, &in->sin_addr);
		ioctl(fd, SIOCSIFADDR, &r);
		inet_pton(AF_INET, mask, &in->sin_addr);
		ioctl(fd, SIOCSIFNETMASK, &r);
	}
	memset(&r.ifr_ifru, 0, sizeof r.ifr_ifru);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	ioctl(fd, SIOCSIFFLAGS, &r);
	if (address) {
		struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};

		((struct sockaddr_in *)&route.rt_dst)->sin_family = AF_INET;
		((struct sockaddr_in *)&route.rt_genmask)->sin_family = AF_INET;
		in = (struct sockaddr_in *)&route.rt_gateway;
		in->sin_family = AF_INET;
		inet_pton(AF_INET, gateway, &in->sin_addr);
		ioctl(fd, SIOCADDRT, &route);
	}
	close(fd);
}

// ip=CLIENT::GATEWAY:MASK:..., or what QEMU's user network hands out.
static void network_up(void)
{
	char *ip = word("ip"), *field[4] = {"10.0.2.15", "", "10.0.2.2", "255.255.255.0"};

	for (int i = 0; ip && strchr(ip, ':') && i < 4; i++)
		field[i] = strsep(&ip, ":");
	interface_up("lo", NULL, NULL, NULL);
	interface_up("eth0", field[0], field[3], field[2]);
}

// A name in /dev/virtio-ports for the control port, as udev would make it.
static void name_control_port(const char *node)
{
	char target[300];

	snprintf(target, sizeof target, "..%s", node + strlen("/dev"));
	mkdir("/root/dev/virtio-ports", 0755);
	if (symlink(target, "/root/dev/virtio-ports/org.cortado.control"))
		perror("/dev/virtio-ports");
}

static void mount_all(void)
{
	static const char *const pseudo[][2] = {
		{"proc", "/root/proc"}, {"sysfs", "/root/sys"}, {"devtmpfs", "/root/dev"}};
	static const char *const writable[] = {"/tmp", "/run", "/var"};

	if (!appears("/dev/vda"))
		fail("/dev/vda");
	if (mount("/dev/vda", "/root", "erofs", MS_RDONLY, NULL))
		fail("mount the root image");
	for (int i = 0; i < 3; i++)
		if (mount(pseudo[i][0], pseudo[i][1], pseudo[i][0], 0, NULL))
			fail(pseudo[i][1]);
	for (int i = 0; i < 3; i++) {
		char place[64];

		snprintf(place, sizeof place, "/stage%s", writable[i]);
		mkdir("/stage", 0755);
		mkdir(place, 0755);
		if (mount("tmpfs", place, "tmpfs", 0, "mode=1777"))
			fail(place);
		char to[64];

		snprintf(to, sizeof to, "/root%s", writable[i]);
		copy_skeleton(to, place);
		if (mount(place, to, NULL, MS_MOVE, NULL))
			fail(to);
	}
	mount("cgroup2", "/root/sys/fs/cgroup", "cgroup2", 0, NULL);
	if (symlink("/proc/self/fd", "/root/dev/fd") || symlink("/proc/self/fd/0", "/root/dev/stdin"))
		perror("/dev/fd");
	mkdir("/root/dev/shm", 01777);
	mount("tmpfs", "/root/dev/shm", "tmpfs", 0, "mode=1777");
	mkdir("/root/dev/pts", 0755);
	mount("devpts", "/root/dev/pts", "devpts", 0, "ptmxmode=0666");
}

int main(void)
{
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/root", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	char node[300], control_node[300];
	int in = open_port("org.cortado.stdin", node), out = open_port("org.cortado.stdout", node),
	    err = open_port("org.cortado.stderr", node);
	control = open_port("org.cortado.control", control_node);

	mount_all();
	network_up();
	name_control_port(control_node);
	char *program = word("init"), *folder = word("cwd");
	char **argv = strings("argv"), **env = strings("env");
	int failure[2];

	if (pipe2(failure, O_CLOEXEC))
		fail("pipe");
	pid_t child = fork();

	if (!child) {
		dup2(in, 0), dup2(out, 1), dup2(err, 2);
		setsid();
		if (!chroot("/root") && !chdir(folder ? folder : "/"))
			execve(program, argv, env);
		int why = errno;

		_exit(write(failure[1], &why, sizeof why) != sizeof why);
	}
	close(in), close(out), close(err), close(failure[1]);
	int why = 0, status = 0;
	char event[200];

	close(control); // one opener at a time: the program may want to tell events of its own
	control = -1;
	if (read(failure[0], &why, sizeof why) == sizeof why) {
		control = open(control_node, O_RDWR | O_CLOEXEC);
		snprintf(event, sizeof event,
			 "{\"event\":\"exec-failed\",\"errno\":%d,\"text\":\"%s: %s\"}\n", why, program,
			 strerror(why));
		finish(event);
	}
	for (pid_t ended; (ended = wait(&status)) != child;)
		if (ended < 0 && errno != EINTR)
			break;
	control = open(control_node, O_RDWR | O_CLOEXEC);
	if (WIFSIGNALED(status))
		snprintf(event, sizeof event, "{\"event\":\"exit\",\"signal\":%d,\"text\":\"%s[%d]: %s\"}\n",
			 WTERMSIG(status), program, child, strsignal(WTERMSIG(status)));
	else
		snprintf(event, sizeof event, "{\"event\":\"exit\",\"code\":%d}\n", WEXITSTATUS(status));
	finish(event);
}
