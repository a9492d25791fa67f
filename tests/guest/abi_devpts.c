// SPDX-License-Identifier: BSD-2-Clause
// devpts: instances with numbers of their own, what their options say, and which of them a ptmx means.
#include "abi.h"
#include <sys/ioctl.h>
#include <sys/vfs.h>

#define DEVPTS_MAGIC 0x1cd1
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

// A master by the node at PATH, ready to be opened from the other side; its number in *N.
static int master(const char *path, int *n)
{
	int fd = open(path, O_RDWR | O_NOCTTY), zero = 0;

	return fd < 0 || ioctl(fd, TIOCSPTLCK, &zero) || ioctl(fd, TIOCGPTN, n) ? -1 : fd;
}

static int mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

// Does what is written to FD come out of the master M?
static bool joined(int fd, int m)
{
	char c = 0;

	return write(fd, "x", 1) == 1 && read(m, &c, 1) == 1 && c == 'x';
}

TEST(dev_pts_is_one)
{
	struct statfs st;
	char path[64];
	int m, n, s;

	CHILD
		NEED(!statfs("/dev/pts", &st));
		NEED_EQ(st.f_type, DEVPTS_MAGIC);
		NEED((m = master("/dev/ptmx", &n)) >= 0);
		snprintf(path, sizeof path, "/dev/pts/%d", n);
		NEED((s = open(path, O_RDWR | O_NOCTTY)) >= 0 && joined(s, m));
		NEED(!fstatfs(s, &st) && st.f_type == DEVPTS_MAGIC && !close(s));
		NEED_ERR(open("/dev/pts/x", O_CREAT | O_RDWR, 0600), EACCES);
		NEED_ERR(mkdir("/dev/pts/x", 0700), geteuid() ? EACCES : EPERM);
		NEED_ERR(unlink(path), geteuid() ? EACCES : EPERM);
		NEED((s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY)) >= 0 && joined(s, m));
		NEED(!close(m));
		NEED_ERR(open(path, O_RDWR | O_NOCTTY), ENOENT);
		NEED_EQ(read(s, path, 1), 0);
	END_CHILD;
}

TEST(instances)
{
	struct stat st;
	int a, b, n;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("a", 0755) && !mkdir("b", 0755));
		if (mount("x", "a", "devpts", 0, "newinstance,ptmxmode=666,mode=621,gid=7,max=3") &&
		    errno == EPERM)
			_exit(0);
		NEED(!mount("x", "b", "devpts", MS_NOSUID, "uid=5"));
		NEED_EQ(mode_of("a/ptmx"), 0666);
		NEED_EQ(mode_of("b/ptmx"), 0);
		NEED((a = master("a/ptmx", &n)) >= 0 && !n);
		NEED((b = master("b/ptmx", &n)) >= 0 && !n); // numbers are each one's own
		NEED(!stat("a/0", &st) && (st.st_mode & 07777) == 0621 && st.st_gid == 7 && !st.st_uid);
		NEED(!stat("b/0", &st) && (st.st_mode & 07777) == 0600 && st.st_uid == 5 && !st.st_gid);
		NEED(joined(open("a/0", O_RDWR | O_NOCTTY), a) && joined(open("b/0", O_RDWR | O_NOCTTY), b));
		NEED(joined(ioctl(b, TIOCGPTPEER, O_RDWR | O_NOCTTY), b));
		NEED(master("a/ptmx", &n) >= 0 && n == 1 && master("a/ptmx", &n) >= 0 && n == 2);
		NEED_ERR(open("a/ptmx", O_RDWR | O_NOCTTY), ENOSPC);
		NEED(!close(b));
		NEED_ERR(stat("b/0", &st), ENOENT);
		NEED(!mount(NULL, "b", NULL, MS_REMOUNT, "ptmxmode=600,mode=640") &&
		     mode_of("b/ptmx") == 0600);
		NEED((b = master("b/ptmx", &n)) >= 0 && n == 1 &&
		     mode_of("b/1") == 0640); // 0 is open on one side
		NEED_ERR(umount("b"), EBUSY);
		NEED_ERR(mount("x", "b", "devpts", 0, "mode=8"), EINVAL);
		NEED_ERR(mount("x", "b", "devpts", 0, "nonsense"), EINVAL);
	END_CHILD;
}

// A node for masters that lies elsewhere means what is mounted on "pts" beside it.
TEST(ptmx_elsewhere)
{
	int m, n;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("pts", 0755));
		if (mknod("ptmx", S_IFCHR | 0666, 5 << 8 | 2))
			_exit(0);
		NEED_ERR(open("ptmx", O_RDWR | O_NOCTTY), ENODEV);
		if (mount("x", "pts", "devpts", 0, NULL) && errno == EPERM)
			_exit(0);
		NEED((m = master("ptmx", &n)) >= 0 && !n);
		NEED(joined(open("pts/0", O_RDWR | O_NOCTTY), m));
		NEED(!mknod("slave", S_IFCHR | 0666, 136 << 8));
		NEED_ERR(open("slave", O_RDWR | O_NOCTTY), EIO); // the number alone leads nowhere
		NEED(!close(m) && !umount2("pts", MNT_DETACH) && !rmdir("pts"));
		NEED_ERR(open("ptmx", O_RDWR | O_NOCTTY), ENOENT);
	END_CHILD;
}
