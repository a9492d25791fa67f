// SPDX-License-Identifier: BSD-2-Clause
// What files that lie in no tree have in common with those that do: an inode, with a mode, an owner, times,
// locks and attributes; positions that they do not have; the file system that they say they belong to.
#include "abi.h"
#include <linux/fs.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif
#define KINDS 5

static void open_kinds(int *fd)
{
	sigset_t none;

	sigemptyset(&none);
	fd[0] = eventfd(0, 0);
	fd[1] = epoll_create1(0);
	fd[2] = timerfd_create(CLOCK_MONOTONIC, 0);
	fd[3] = signalfd(-1, &none, 0);
	fd[4] = inotify_init();
}

TEST(seeks_in_vain)
{
	int fd[KINDS], pair[2];
	char c;

	open_kinds(fd);
	for (int i = 0; i < KINDS; i++) {
		EXPECT_EQ(lseek(fd[i], 10, SEEK_SET), 0);
		EXPECT_EQ(lseek(fd[i], -7, SEEK_CUR), 0);
		EXPECT_EQ(lseek(fd[i], 1, SEEK_END), 0);
		EXPECT_ERR(lseek(fd[i], 0, 99), EINVAL);
		EXPECT_ERR(pread(fd[i], &c, 1, 0), ESPIPE);
		EXPECT_ERR(pwrite(fd[i], &c, 1, 0), ESPIPE);
		close(fd[i]);
	}
	EXPECT(!pipe(pair));
	EXPECT_ERR(lseek(pair[0], 0, SEEK_CUR), ESPIPE);
	EXPECT_ERR(lseek(pair[0], 0, 99), EINVAL);
	EXPECT_ERR(pread(pair[1], &c, 1, 0), ESPIPE); // before whether it may be read
	EXPECT_ERR(pwrite(pair[0], &c, 1, 0), ESPIPE);
	close(pair[0]);
	close(pair[1]);
}

// The attributes of those that share an inode can be set on some kernels only.
TEST(shared_inode)
{
	struct stat a, b;
	int fd[KINDS], size;
	struct statfs fs;

	open_kinds(fd);
	EXPECT(!fstat(fd[0], &a));
	EXPECT_EQ(a.st_mode, 0600);
	for (int i = 0; i < KINDS; i++) {
		EXPECT(!fstat(fd[i], &b) && b.st_ino == a.st_ino && b.st_dev == a.st_dev && b.st_size == 0);
		EXPECT(!fchmod(fd[i], 0600) || errno == EOPNOTSUPP);
		EXPECT(!fchown(fd[i], -1, -1) || errno == EOPNOTSUPP);
		EXPECT(!ioctl(fd[i], FIGETBSZ, &size) && size > 0);
		EXPECT(!fstatfs(fd[i], &fs) && fs.f_type == 0x09041934);
		EXPECT_ERR(fsetxattr(fd[i], "user.a", "b", 1, 0), EPERM);
		EXPECT_EQ(flistxattr(fd[i], NULL, 0), 0);
		EXPECT(!faccessat(fd[i], "", R_OK, AT_EMPTY_PATH) ||
		       errno == EINVAL); // musl has no such flag
		EXPECT_EQ(fcntl(fd[i], F_SETFL, O_NONBLOCK | O_ASYNC), 0);
		EXPECT_EQ(fcntl(fd[i], F_GETFL) & O_ASYNC, i == 4 ? O_ASYNC : 0);
		close(fd[i]);
	}
}

static int each_has(const int *fd, int n, mode_t type, long magic)
{
	struct timespec times[2] = {{.tv_sec = 3}, {.tv_sec = 5}};
	struct statfs fs;
	struct stat st;
	char path[64];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd[i]);
		if (fchmod(fd[i], 0640) || fchown(fd[i], 12, 34) || futimens(fd[i], times) ||
		    fstat(fd[i], &st))
			return -1;
		if (st.st_mode != (type | 0640) || st.st_uid != 12 || st.st_gid != 34 ||
		    st.st_atim.tv_sec != 3 || st.st_mtim.tv_sec != 5)
			return -2;
		if (chmod(path, 0604) || fstat(fd[i], &st) || st.st_mode != (type | 0604))
			return -3;
		if (stat(path, &st) || st.st_mode != (type | 0604) || st.st_uid != 12)
			return -4;
		if (fstatfs(fd[i], &fs) || (long)fs.f_type != magic)
			return -5;
		if (statfs(path, &fs) || (long)fs.f_type != magic)
			return -6;
		if (!fsetxattr(fd[i], "user.a", "b", 1, 0) || errno != EPERM)
			return -7;
		if (!fsetxattr(fd[i], "trusted.a", "b", 1, 0) || errno != EOPNOTSUPP)
			return -8;
		if (fgetxattr(fd[i], "user.a", NULL, 0) >= 0 || errno != ENODATA)
			return -9;
	}
	return 0;
}

TEST(inode_of_ones_own)
{
	int s[3], p[2];

	NEEDS_ROOT;
	CHILD
		NEED((s[0] = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
		NEED((s[1] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
		NEED((s[2] = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && !pipe(p));
		NEED_EQ(each_has(s, 3, S_IFSOCK, 0x534f434b), 0);
		NEED_EQ(each_has(p, 2, S_IFIFO, 0x50495045), 0);
	END_CHILD;
}

TEST(locks)
{
	struct flock lock = {.l_type = F_WRLCK}, look = {.l_type = F_WRLCK}, whole = {.l_type = F_WRLCK};
	int s = socket(AF_UNIX, SOCK_STREAM, 0), s2 = dup(s), e = eventfd(0, 0), e2 = eventfd(0, 0), status;
	pid_t pid;

	EXPECT(!flock(s, LOCK_EX) && !flock(s2, LOCK_SH | LOCK_NB) && !flock(s, LOCK_UN));
	EXPECT(!flock(e, LOCK_EX));
	EXPECT_ERR(flock(e2, LOCK_EX | LOCK_NB), EAGAIN); // the same inode
	EXPECT(!close(e) && !flock(e2, LOCK_EX | LOCK_NB));
	EXPECT(!fcntl(s, F_SETLK, &lock));
	pid = fork();
	if (!pid)
		_exit(fcntl(s, F_GETLK, &look) || look.l_type != F_WRLCK || look.l_pid != getppid());
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT_ERR(fcntl(s2, F_OFD_SETLK, &whole), EAGAIN);
	close(s2); // which ends this process's locks
	EXPECT(!fcntl(s, F_OFD_SETLK, &whole));
	close(s);
	close(e2);
}

TEST(zero_bytes)
{
	int s[2], got = -1;
	char c;

	EXPECT(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	EXPECT(write(s[0], "x", 1) == 1);
	EXPECT_EQ(read(s[1], &c, 0), 0); // and does not take the message
	EXPECT(!ioctl(s[1], FIONREAD, &got) && got == 1);
	EXPECT(read(s[1], &c, 1) == 1);
	EXPECT_EQ(read(s[1], &c, 0), 0);
	close(s[0]);
	close(s[1]);
}

TEST(timerfd_set_ticks)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t n = 0;

	EXPECT_ERR(ioctl(fd, TFD_IOC_SET_TICKS, NULL), EFAULT);
	EXPECT_ERR(ioctl(fd, TFD_IOC_SET_TICKS, &n), EINVAL);
	n = 7;
	EXPECT(!ioctl(fd, TFD_IOC_SET_TICKS, &n));
	n = 0;
	EXPECT(read(fd, &n, sizeof n) == sizeof n && n == 7);
	EXPECT_ERR(read(fd, &n, sizeof n), EAGAIN);
	close(fd);
}

// A file of /proc is always ready, and may be watched for it.
TEST(proc_is_ready)
{
	int fd = open("/proc/uptime", O_RDONLY), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN};

	EXPECT(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	EXPECT(epoll_wait(ep, &e, 1, 0) == 1 && e.events == EPOLLIN);
	close(fd);
	close(ep);
}

// A message queue reads as one line of status, which ends.
TEST(queue_status)
{
	struct mq_attr at = {.mq_maxmsg = 2, .mq_msgsize = 16};
	char line[200] = "", name[40];
	struct stat before, after;
	int e = eventfd(0, 0);
	mqd_t q;

	snprintf(name, sizeof name, "/nameless-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &at);
	EXPECT(q >= 0 && !mq_unlink(name) && !mq_send(q, "four", 4, 0));
	EXPECT(read(q, line, sizeof line) > 0);
	EXPECT(!strncmp(line, "QSIZE:4 ", 8) && strstr(line, " NOTIFY:0 ") && strstr(line, " NOTIFY_PID:0"));
	EXPECT_EQ(read(q, line, sizeof line), 0);
	EXPECT(!lseek(q, 0, SEEK_SET) && read(q, line, 6) == 6 && !memcmp(line, "QSIZE:", 6));
	EXPECT(pread(q, line, 5, 0) == 5);
	EXPECT(!fstat(e, &before) && !fchmod(q, 0640) && !fstat(e, &after) &&
	       before.st_mode == after.st_mode);
	mq_close(q);
	close(e);
}
