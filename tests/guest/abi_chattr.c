// SPDX-License-Identifier: BSD-2-Clause
// The flags that chattr(1) sets on files and folders: immutable, append only, no dump, no access times.
#include "abi.h"
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int flags_set(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int flags_get(int fd)
{
	int flags = -1;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) ? -errno : flags;
}

TEST(who_may_set_what)
{
	int one = FS_IMMUTABLE_FL, fd, p[2];

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("f", 0644) && !chown("f", NOBODY, NOBODY));
		NEED((fd = open("f", O_RDONLY)) >= 0 && !pipe(p));
		NEED_EQ(flags_get(fd), 0);
		NEED(!flags_set(fd, FS_NODUMP_FL | FS_NOATIME_FL));
		NEED_EQ(flags_get(fd), FS_NODUMP_FL | FS_NOATIME_FL);
		NEED_ERR(flags_set(fd, FS_COMPR_FL), EOPNOTSUPP);
		NEED_ERR(ioctl(fd, FS_IOC_SETFLAGS, NULL), EFAULT);
		NEED_ERR(ioctl(p[0], FS_IOC_GETFLAGS, &one), ENOTTY);
		NEED_ERR(ioctl(open("/dev/null", O_RDWR), FS_IOC_SETFLAGS, &one), ENOTTY);
		NEED(!mkdir("d", 0755) && !flags_set(open("d", O_RDONLY), FS_NODUMP_FL) &&
		     !touch("d/f", 0644));
		NEED_EQ(flags_get(open("d/f", O_RDONLY)), FS_NODUMP_FL); // inherited
		NEED(!mount("abi", ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) && !chdir(scratch));
		NEED_ERR(flags_set(fd, 0), EROFS);
		NEED(!mount("abi", ".", NULL, MS_REMOUNT | MS_BIND, NULL) && !become(NOBODY));
		NEED(!flags_set(fd, FS_NODUMP_FL)); // the owner
		NEED_ERR(flags_set(fd, FS_IMMUTABLE_FL), EPERM);
		NEED_ERR(flags_set(fd, FS_APPEND_FL), EPERM);
		NEED((fd = open("d/f", O_RDONLY)) >= 0);
		NEED_ERR(flags_set(fd, 0), EPERM); // somebody else's
	END_CHILD;
}

TEST(immutable)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	int fd, d;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("f", 0644) && !mkdir("d", 0755) && !touch("d/f", 0644));
		NEED((fd = open("f", O_RDWR)) >= 0 && (d = open("d", O_RDONLY)) >= 0);
		NEED(!flags_set(fd, FS_IMMUTABLE_FL) && !flags_set(d, FS_IMMUTABLE_FL));
		NEED_ERR(open("f", O_WRONLY), EPERM);
		NEED_ERR(open("f", O_RDONLY | O_TRUNC), EPERM);
		NEED_ERR(access("f", W_OK), EPERM);
		NEED_ERR(truncate("f", 0), EPERM);
		NEED_ERR(unlink("f"), EPERM);
		NEED_ERR(rename("f", "g"), EPERM);
		NEED_ERR(link("f", "g"), EPERM);
		NEED_ERR(chmod("f", 0600), EPERM);
		NEED_ERR(chown("f", 0, 0), EPERM);
		NEED_ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
		NEED_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
		NEED_ERR(setxattr("f", "trusted.x", "y", 1, 0), EPERM);
		NEED_ERR(fallocate(fd, 0, 0, 4096), EPERM);
		NEED_EQ(write(fd, "x", 1), 1); // it was open
		NEED_ERR(mkdir("d/n", 0755), EPERM);
		NEED_ERR(open("d/n", O_CREAT | O_WRONLY, 0600), EPERM);
		NEED_ERR(unlink("d/f"), EPERM);
		NEED_ERR(rename("d/f", "f2"), EPERM);
		NEED((fd = open("d/f", O_WRONLY)) >= 0 &&
		     write(fd, "x", 1) == 1); // its contents are not the folder's
		struct statx x;
		NEED(!syscall(SYS_statx, d, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
		NEED(x.stx_attributes & STATX_ATTR_IMMUTABLE && x.stx_attributes_mask & STATX_ATTR_IMMUTABLE);
		NEED(!flags_set(d, 0) && !unlink("d/f") && !rmdir("d"));
	END_CHILD;
}

TEST(append_only)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	int fd, d;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("f", 0644) && !mkdir("d", 0755));
		NEED((fd = open("f", O_RDWR)) >= 0 && (d = open("d", O_RDONLY)) >= 0);
		NEED(!flags_set(fd, FS_APPEND_FL) && !flags_set(d, FS_APPEND_FL));
		NEED_ERR(open("f", O_WRONLY), EPERM);
		NEED_ERR(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
		NEED_ERR(ftruncate(fd, 0), EPERM);
		NEED_ERR(truncate("f", 0), EPERM);
		NEED_ERR(chmod("f", 0600), EPERM);
		NEED_ERR(unlink("f"), EPERM);
		NEED_ERR(link("f", "g"), EPERM);
		NEED_ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
		NEED(!utimensat(AT_FDCWD, "f", NULL, 0));
		NEED_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
		NEED(!fallocate(fd, 0, 0, 10));
		NEED((fd = open("f", O_WRONLY | O_APPEND)) >= 0 && write(fd, "x", 1) == 1);
		NEED_ERR(fcntl(fd, F_SETFL, 0), EPERM);
		NEED_EQ(lseek(fd, 0, SEEK_END), 11);
		NEED(!mkdir("d/n", 0755));
		NEED_ERR(rmdir("d/n"), EPERM);
		NEED_ERR(rename("d/n", "d/m"), EPERM);
		NEED(!flags_set(d, 0) && !rmdir("d/n"));
	END_CHILD;
}

// What O_TMPFILE made gets one first name, not a second one after that went.
TEST(one_first_name)
{
	int fd;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && (fd = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0);
		NEED(!linkat(fd, "", AT_FDCWD, "a", AT_EMPTY_PATH));
		NEED(!linkat(fd, "", AT_FDCWD, "b", AT_EMPTY_PATH) && !unlink("a") && !unlink("b"));
		NEED_ERR(linkat(fd, "", AT_FDCWD, "c", AT_EMPTY_PATH), ENOENT);
	END_CHILD;
}
