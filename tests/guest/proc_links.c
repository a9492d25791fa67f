// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID/fd and /proc/PID/ns: what is open, opened again, and compared.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char text[1 << 16];

// bash's <(command) is such a name, opened when the command may have ended already.
TEST(pipe_reopened)
{
	char name[40], b[8];
	int p[2], fd;

	pipe(p);
	write(p[1], "abc", 3);
	close(p[1]);
	snprintf(name, sizeof name, "/proc/self/fd/%d", p[0]);
	fd = open(name, O_RDONLY);
	EXPECT(fd >= 0);
	EXPECT_EQ(read(fd, b, sizeof b), 3);
	EXPECT_EQ(read(fd, b, sizeof b), 0);
	close(fd);
	fd = open(name, O_RDONLY | O_NONBLOCK);
	struct pollfd pf = {.fd = fd, .events = POLLIN};

	EXPECT_EQ(poll(&pf, 1, 0), 1);
	EXPECT_EQ(pf.revents, POLLHUP);
	close(fd);
	fd = open(name, O_WRONLY); // another writer
	EXPECT(fd >= 0);
	EXPECT_EQ(write(fd, "d", 1), 1);
	EXPECT_EQ(read(p[0], b, sizeof b), 1);
	close(p[0]);
	close(fd);
}

TEST(descriptor_listing)
{
	int before = 0, after = 0;

	for (int round = 0; round < 2; round++) {
		DIR *d = opendir("/proc/self/fd");
		struct dirent *e;

		EXPECT(d);
		while ((e = readdir(d)))
			*(round ? &after : &before) += e->d_name[0] != '.';
		closedir(d);
		if (!round)
			dup(1), dup(1);
	}
	EXPECT_EQ(after, before + 2);
}

// A socket or an eventfd has no name to open, but the link shows what fstat does.
TEST(fd_links_of_nameless_files)
{
	struct stat by_fd, by_link;
	int pair[2], fds[3];
	char name[64];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[0] = pair[0];
	fds[1] = eventfd(0, 0);
	fds[2] = epoll_create1(0);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "/proc/self/fd/%d", fds[i]);
		EXPECT_EQ(fstat(fds[i], &by_fd), 0);
		EXPECT_EQ(stat(name, &by_link), 0);
		EXPECT(by_fd.st_mode == by_link.st_mode && by_fd.st_ino == by_link.st_ino &&
		       by_fd.st_dev == by_link.st_dev);
		EXPECT_ERR(open(name, O_RDWR), ENXIO);
		close(fds[i]);
	}
	close(pair[1]);
}

TEST(name_spaces_are_files)
{
	struct stat a, b;
	char link[64] = "";

	EXPECT_EQ(stat("/proc/self/ns/net", &a), 0);
	EXPECT_EQ(stat("/proc/thread-self/ns/net", &b), 0);
	EXPECT(a.st_ino == b.st_ino && a.st_dev == b.st_dev && S_ISREG(a.st_mode));
	EXPECT_EQ(stat("/proc/self/ns/uts", &b), 0);
	EXPECT(a.st_ino != b.st_ino && a.st_dev == b.st_dev);
	int fd = open("/proc/self/ns/net", O_RDONLY);
	EXPECT(fd >= 0);
	EXPECT_EQ(ioctl(fd, 0xb703), 0x40000000); // NS_GET_NSTYPE: CLONE_NEWNET
	snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
	EXPECT(readlink(text, link, sizeof link - 1) > 0);
	EXPECT_EQ(strncmp(link, "net:[", 5), 0);
	EXPECT_EQ(strtoul(link + 5, NULL, 10), a.st_ino);
	EXPECT_ERR(syscall(SYS_setns, fd, 0x04000000), EINVAL); // another kind
	if (!geteuid())
		EXPECT_EQ(syscall(SYS_setns, fd, 0), 0); // where one is already
	close(fd);
	EXPECT_ERR(syscall(SYS_setns, 0, 0), EINVAL);
}
