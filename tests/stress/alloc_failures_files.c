// SPDX-License-Identifier: BSD-2-Clause
// Failing allocations (alloc_sweep.h) in file and descriptor calls.
#include "alloc_sweep.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

// ---- files

OP(open)
{
	return close_if(SYS(openat, AT_FDCWD, "/tmp/af/file", O_RDWR));
}

OP(open_proc)
{
	return close_if(SYS(openat, AT_FDCWD, "/proc/self/maps", O_RDONLY));
}

OP(read_proc)
{
	char buf[3000];
	int fd = open("/proc/self/smaps", O_RDONLY);
	long r = SYS(read, fd, buf, sizeof buf);

	close(fd);
	return r;
}

OP(read_sys)
{
	char buf[300];
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY);
	long r = SYS(read, fd, buf, sizeof buf);

	close(fd);
	return r;
}

OP(create)
{
	long r = close_if(SYS(openat, AT_FDCWD, "/tmp/af/new", O_RDWR | O_CREAT | O_EXCL, 0600));

	unlink("/tmp/af/new");
	return r;
}

OP(tmpfile)
{
	return close_if(SYS(openat, AT_FDCWD, "/tmp/af", O_RDWR | O_TMPFILE, 0600));
}

OP(mkdir)
{
	long r = SYS(mkdir, "/tmp/af/dir", 0700);

	rmdir("/tmp/af/dir");
	return r;
}

OP(symlink)
{
	long r = SYS(symlink, "file", "/tmp/af/sym");

	unlink("/tmp/af/sym");
	return r;
}

OP(link)
{
	long r = SYS(link, "/tmp/af/file", "/tmp/af/hard");

	unlink("/tmp/af/hard");
	return r;
}

OP(rename)
{
	long r = SYS(rename, "/tmp/af/file", "/tmp/af/a_longer_name_than_before_so_that_it_needs_memory");

	rename("/tmp/af/a_longer_name_than_before_so_that_it_needs_memory", "/tmp/af/file");
	return r;
}

OP(unlink)
{
	close(open("/tmp/af/gone", O_CREAT | O_RDWR, 0600));
	long r = SYS(unlink, "/tmp/af/gone");

	unlink("/tmp/af/gone");
	return r;
}

OP(overlay_write)
{
	// A file of the image: opening it for writing copies it up once.
	return close_if(SYS(openat, AT_FDCWD, "/etc/af-new", O_RDWR | O_CREAT, 0600));
}

OP(stat)
{
	struct stat st;

	return SYS(stat, "/tmp/af/file", &st);
}

OP(readlink)
{
	char buf[100];

	return SYS(readlink, "/proc/self/exe", buf, sizeof buf);
}

OP(getdents)
{
	char buf[2000];
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
	long r = SYS(getdents64, fd, buf, sizeof buf);

	close(fd);
	return r;
}

OP(chdir)
{
	long r = SYS(chdir, "/tmp/af");

	chdir("/");
	return r;
}

OP(getcwd)
{
	char buf[300];

	return SYS(getcwd, buf, sizeof buf);
}

OP(write)
{
	char block[3 * PAGE];
	int fd = open("/tmp/af/data", O_CREAT | O_RDWR | O_TRUNC, 0600);
	memset(block, 1, sizeof block);
	long r = SYS(write, fd, block, sizeof block);

	close(fd);
	unlink("/tmp/af/data");
	return r;
}

OP(fallocate)
{
	int fd = open("/tmp/af/data", O_CREAT | O_RDWR | O_TRUNC, 0600);
	long r = SYS(fallocate, fd, 0, 0, 9 * PAGE);

	close(fd);
	unlink("/tmp/af/data");
	return r;
}

OP(ftruncate)
{
	return SYS(ftruncate, scratch, 8 * PAGE);
}

OP(setxattr)
{
	long r = SYS(setxattr, "/tmp/af/file", "user.x", "value", 5, 0);

	removexattr("/tmp/af/file", "user.x");
	return r;
}

OP(flock)
{
	long r = SYS(flock, scratch, LOCK_EX);

	flock(scratch, LOCK_UN);
	return r;
}

OP(fcntl_lock)
{
	struct flock l = {.l_type = F_WRLCK, .l_start = 5, .l_len = 10},
		     part = {.l_type = F_UNLCK, .l_start = 7, .l_len = 2};
	long r;

	fcntl(scratch, F_SETLK, &l);
	r = SYS(fcntl, scratch, F_SETLK, &part);
	l = (struct flock){.l_type = F_UNLCK};
	fcntl(scratch, F_SETLK, &l);
	return r;
}

OP(mount)
{
	long r = SYS(mount, "none", "/tmp/af/mnt", "tmpfs", 0, "size=64k");

	umount2("/tmp/af/mnt", MNT_DETACH);
	return r;
}

OP(sendfile)
{
	int p[2];
	long r;

	pipe(p);
	r = SYS(sendfile, p[1], scratch, NULL, PAGE);
	close(p[0]), close(p[1]);
	return r;
}

OP(splice)
{
	int p[2];
	loff_t off = 0;
	long r;

	pipe(p);
	r = SYS(splice, scratch, &off, p[1], NULL, PAGE, 0);
	close(p[0]), close(p[1]);
	return r;
}

OP(readv)
{
	struct iovec v[64];
	char c[64];

	for (int i = 0; i < 64; i++)
		v[i] = (struct iovec){c + i, 1};
	return SYS(preadv, scratch, v, 64, 0, 0);
}

// ---- descriptors

OP(pipe)
{
	int p[2] = {-1, -1};
	long r = SYS(pipe2, p, 0);

	close(p[0]), close(p[1]);
	return r;
}

OP(pipe_write)
{
	char block[2 * PAGE];
	int p[2];
	long r;

	memset(block, 1, sizeof block);
	pipe(p);
	r = SYS(write, p[1], block, sizeof block);
	close(p[0]), close(p[1]);
	return r;
}

OP(pipe_size)
{
	int p[2];
	long r;

	pipe(p);
	r = SYS(fcntl, p[0], F_SETPIPE_SZ, 1 << 19);
	close(p[0]), close(p[1]);
	return r;
}

OP(dup_high)
{
	return close_if(SYS(fcntl, 0, F_DUPFD, 900));
}

OP(eventfd)
{
	return close_if(SYS(eventfd2, 0, 0));
}

OP(epoll_create)
{
	return close_if(SYS(epoll_create1, 0));
}

OP(epoll_add)
{
	int e = epoll_create1(0), f = eventfd(0, 0);
	struct epoll_event ev = {.events = EPOLLIN};
	long r = SYS(epoll_ctl, e, EPOLL_CTL_ADD, f, &ev);

	close(f), close(e);
	return r;
}

OP(timerfd)
{
	return close_if(SYS(timerfd_create, CLOCK_MONOTONIC, 0));
}

OP(signalfd)
{
	uint64_t mask = 1 << (SIGUSR1 - 1);

	return close_if(SYS(signalfd4, -1, &mask, 8, 0));
}

OP(inotify)
{
	return close_if(SYS(inotify_init1, 0));
}

OP(inotify_add)
{
	int fd = inotify_init1(0);
	long r = SYS(inotify_add_watch, fd, "/tmp/af", IN_CREATE);

	close(fd);
	return r;
}

OP(memfd)
{
	return close_if(SYS(memfd_create, "x", 0));
}

OP(poll)
{
	struct pollfd p[100];

	for (int i = 0; i < 100; i++)
		p[i] = (struct pollfd){scratch, POLLIN, 0};
	return SYS(poll, p, 100, 0);
}

OP(select)
{
	fd_set in[2] = {0};
	struct timeval zero = {0};

	FD_SET(scratch, in);
	return SYS(select, 1500, in, NULL, NULL, &zero);
}
