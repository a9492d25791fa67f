// SPDX-License-Identifier: BSD-2-Clause
// Mounting: options and flags, moves, recursive binds, expiry, and mounting in steps (fsopen and its
// relatives).
#include "abi.h"
#include <linux/mount.h>
#include <sys/statfs.h>
#include <sys/vfs.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define EXPIRE 4 // MNT_EXPIRE

static int fsopen_(const char *type, unsigned flags)
{
	return (int)syscall(430, type, flags);
}

static int fsconfig_(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return (int)syscall(431, fd, cmd, key, value, aux);
}

static int fsmount_(int fd, unsigned flags, unsigned attrs)
{
	return (int)syscall(432, fd, flags, attrs);
}

static int open_tree_(int dirfd, const char *path, unsigned flags)
{
	return (int)syscall(428, dirfd, path, flags);
}

static int move_mount_(int from, const char *fname, int to, const char *tname, unsigned flags)
{
	return (int)syscall(429, from, fname, to, tname, flags);
}

static int fspick_(int dirfd, const char *path, unsigned flags)
{
	return (int)syscall(433, dirfd, path, flags);
}

static int mount_setattr_(int dirfd, const char *path, unsigned flags, uint64_t set, uint64_t clr)
{
	uint64_t a[4] = {set, clr, 0, 0};

	return (int)syscall(442, dirfd, path, flags, a, sizeof a);
}

// The options of the mount at PATH, as /proc/self/mountinfo has them: "rw,nosuid,relatime - tmpfs src
// rw,size=..."
static const char *options_of(const char *path)
{
	static char line[1000];
	char real[500], at[500];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	const char *found = "";
	static char out[1000];
	int pos;

	if (!realpath(path, real))
		return "no such path";
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%*d %*d %*s %*s %499s %n", at, &pos) == 1 && !strcmp(at, real)) {
			strcpy(out, line + pos);
			found = out;
		}
	if (f)
		fclose(f);
	return found;
}

static bool has(const char *path, const char *word)
{
	return strstr(options_of(path), word) != NULL;
}

TEST(tmpfs_options)
{
	struct statfs st;
	struct stat s;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("m", 0755));
		NEED(!mount("src", "m", "tmpfs", 0, "size=64k,nr_inodes=5,mode=0710,uid=11,gid=12"));
		NEED(!statfs("m", &st) && st.f_blocks * (unsigned long)st.f_bsize == 65536 &&
		     st.f_files == 5);
		NEED(!stat("m", &s) && (s.st_mode & 07777) == 0710 && s.st_uid == 11 && s.st_gid == 12);
		NEED(has("m", "size=64k") && has("m", "nr_inodes=5") && has("m", "mode=710"));
		NEED(has("m", "uid=11") && has("m", "gid=12") && has("m", " src "));
		for (int i = 0; i < 4; i++)
			NEED(!touch((char[]){'m', '/', (char)('a' + i), 0}, 0600));
		NEED_ERR(touch("m/e", 0600), ENOSPC);
		int fd = open("m/a", O_WRONLY);
		char buf[65536] = {1};
		NEED_EQ(write(fd, buf, sizeof buf), 65536);
		NEED_ERR(write(fd, buf, 1), ENOSPC);
		NEED(!mount(NULL, "m", NULL, MS_REMOUNT, "size=128k"));
		NEED_EQ(write(fd, buf, 4096), 4096);
		NEED_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "size=4k"), EINVAL);
		close(fd);
		NEED_ERR(mount("x", "m", "tmpfs", 0, "nonsense=1"), EINVAL);
		NEED_ERR(mount("x", "m", "tmpfs", 0, "mode=9"), EINVAL);
		NEED_ERR(mount("x", "m", "nofs", 0, NULL), ENODEV);
		NEED(!mount("x", "m", "tmpfs", 0, "inode64,huge=never") && !umount("m"));
		NEED(!umount("m"));
	END_CHILD;
}

TEST(flags)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("m", 0755));
		NEED(!mount("x", "m", "tmpfs", MS_NODEV | MS_NOSUID | MS_NOATIME, NULL));
		NEED(has("m", "rw,nosuid,nodev,noatime "));
		if (!mknod("m/null", S_IFCHR | 0666, 0x103))
			NEED_ERR(open("m/null", O_RDWR), EACCES);
		NEED(!mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
		NEED_ERR(touch("m/x", 0600), EROFS);
		NEED_ERR(access("m", W_OK), EROFS);
		NEED_ERR(unlink("m/none"), EROFS); // said before anybody looks
		NEED_ERR(rename("m/none", "m/other"), EROFS);
		NEED_ERR(mount("", "m", NULL, MS_MOVE, NULL), EINVAL);
		NEED(!mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL) && !touch("m/x", 0600));
		NEED(!mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
		NEED_ERR(touch("m/y", 0600), EROFS);
		NEED(!mount(NULL, "m", NULL, MS_REMOUNT, NULL) && !touch("m/y", 0600));
		NEED_ERR(mount(NULL, "m/x", NULL, MS_REMOUNT, NULL), EINVAL);
		NEED(!mount(NULL, "m", NULL, MS_PRIVATE, NULL));
		NEED_ERR(mount(NULL, "m/x", NULL, MS_PRIVATE, NULL), EINVAL);
		NEED_ERR(mount(NULL, "m", NULL, MS_PRIVATE | MS_SLAVE, NULL), EINVAL);
		NEED(!umount("m"));
	END_CHILD;
}

TEST(recursive_bind)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("a", 0755) && !mkdir("b", 0755) && !mkdir("c", 0755));
		NEED(!mount("1", "a", "tmpfs", 0, NULL) && !mkdir("a/x", 0755));
		NEED(!mount("2", "a/x", "tmpfs", 0, NULL) && !mkdir("a/x/y", 0755));
		NEED(!mount("3", "a/x/y", "tmpfs", 0, NULL) && !touch("a/x/y/deep", 0600));
		NEED(!mount("a", "b", NULL, MS_BIND, NULL) && access("b/x/y", F_OK));
		NEED(!mount("a", "c", NULL, MS_BIND | MS_REC, NULL) && !access("c/x/y/deep", F_OK));
		NEED_ERR(umount("c"), EBUSY);
		NEED(!umount2("c", MNT_DETACH) && access("c/x", F_OK) && !access("a/x/y/deep", F_OK));
		NEED(!mount("a/x", "c", NULL, MS_BIND | MS_REC, NULL) && !access("c/y/deep", F_OK));
		NEED(!umount("c/y") && !umount("c") && !access("a/x/y/deep", F_OK));
		NEED_ERR(mount("a", "a/x", NULL, MS_MOVE, NULL), ELOOP);
		NEED(!mount("a/x", "c", NULL, MS_MOVE, NULL) && !access("c/y/deep", F_OK) &&
		     access("a/x/y", F_OK));
		NEED_ERR(mount("a/x", "b", NULL, MS_MOVE, NULL), EINVAL); // not a mount any more
		NEED(!umount2("c", MNT_DETACH) && !umount("b") && !umount("a"));
	END_CHILD;
}

TEST(umount_flags)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("m", 0755));
		NEED_ERR(umount("m"), EINVAL);
		NEED_ERR(umount2("m", 0x100), EINVAL);
		NEED(!mount("x", "m", "tmpfs", 0, NULL));
		NEED_ERR(umount2("m", EXPIRE | MNT_FORCE), EINVAL);
		NEED_ERR(umount2("m", EXPIRE | MNT_DETACH), EINVAL);
		NEED_ERR(umount2("m", EXPIRE), EAGAIN);
		NEED(!access("m", F_OK)); // used: the mark goes
		NEED_ERR(umount2("m", EXPIRE), EAGAIN);
		NEED(!umount2("m", EXPIRE));
		NEED_ERR(umount2("m", EXPIRE), EINVAL);
		NEED(!mount("x", "m", "tmpfs", 0, NULL));
		int fd = open("m", O_RDONLY);
		NEED_ERR(umount2("m", EXPIRE), EBUSY);
		NEED_ERR(umount("m"), EBUSY);
		close(fd);
		NEED(!symlink("m", "l"));
		NEED_ERR(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
		NEED(!umount("l"));
	END_CHILD;
}

TEST(in_steps)
{
	struct statfs st;
	int fs, mnt;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("m", 0755));
		fs = fsopen_("tmpfs", 1);
		NEED(fs >= 0 && fcntl(fs, F_GETFD) == FD_CLOEXEC);
		NEED_ERR(fsmount_(fs, 0, 0), EINVAL); // nothing made yet
		NEED(!fsconfig_(fs, FSCONFIG_SET_STRING, "source", "mine", 0));
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_STRING, "source", "again", 0), EINVAL);
		NEED(!fsconfig_(fs, FSCONFIG_SET_STRING, "size", "64k", 0));
		NEED(!fsconfig_(fs, FSCONFIG_SET_FLAG, "rw", NULL, 0));
		NEED(!fsconfig_(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
		NEED_ERR(fsconfig_(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_STRING, "size", "1m", 0), EBUSY);
		NEED_ERR(fsmount_(fs, 0x80, 0), EINVAL);
		NEED_ERR(fsmount_(fs, 0, 0x80000000), EINVAL);
		NEED_ERR(fsmount_(fs, 0, MOUNT_ATTR__ATIME), EINVAL);
		mnt = fsmount_(fs, 1, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		NEED(mnt >= 0 && fcntl(mnt, F_GETFD) == FD_CLOEXEC);
		NEED_ERR(fsmount_(fs, 0, 0), EBUSY);
		NEED(openat(mnt, "before", O_CREAT | O_WRONLY, 0600) >= 0); // usable before it is anywhere
		NEED(!close(3 + 2) || 1);
		NEED(!move_mount_(mnt, "", AT_FDCWD, "m", MOVE_MOUNT_F_EMPTY_PATH));
		NEED(!access("m/before", F_OK) && !statfs("m", &st) &&
		     st.f_blocks * (unsigned long)st.f_bsize == 65536);
		NEED(has("m", "rw,nodev,noexec,relatime ") && has("m", "tmpfs mine rw,size=64k"));
		NEED(!fsconfig_(fs, FSCONFIG_SET_STRING, "size", "128k", 0));
		NEED(!fsconfig_(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) && has("m", "size=128k"));
		close(mnt);
		NEED(!access("m/before", F_OK)); // the tree is the name space's now
		int pick = fspick_(AT_FDCWD, "m", 1);
		NEED(pick >= 0 && !fsconfig_(pick, FSCONFIG_SET_FLAG, "ro", NULL, 0));
		NEED(!fsconfig_(pick, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
		NEED_ERR(touch("m/x", 0600), EROFS);
		NEED(!mkdir("d", 0700));
		NEED_ERR(fspick_(AT_FDCWD, "d", 0), EINVAL);
		NEED_ERR(fspick_(AT_FDCWD, "m", 0x80), EINVAL);
		close(pick);
		close(fs);
		NEED(!umount2("m", MNT_DETACH));
	END_CHILD;
}

TEST(in_steps_errors)
{
	NEEDS_ROOT;
	CHILD
		NEED_ERR(fsopen_("nofs", 0), ENODEV);
		NEED_ERR(fsopen_("tmpfs", 2), EINVAL);
		NEED_ERR(fsopen_((char *)8, 0), EFAULT);
		int fs = fsopen_("tmpfs", 0), null = open("/dev/null", O_RDONLY);
		NEED(fs >= 0 && fcntl(fs, F_GETFD) == 0);
		NEED_ERR(fsconfig_(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
		NEED_ERR(fsconfig_(null, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
		NEED_ERR(fsconfig_(999, FSCONFIG_SET_FLAG, "ro", NULL, 0), EBADF);
		NEED_ERR(fsconfig_(fs, 100, "ro", NULL, 0), EOPNOTSUPP);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_FLAG, NULL, NULL, 0), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_FLAG, "ro", "1", 0), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_FLAG, "ro", NULL, 1), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_BINARY, "x", "y", 0), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_PATH, "x", "y", -5), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_SET_FD, "x", NULL, -1), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_CMD_CREATE, "x", NULL, 0), EINVAL);
		NEED_ERR(fsconfig_(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
		NEED_ERR(fsmount_(null, 0, 0), EINVAL);
		NEED_ERR(move_mount_(AT_FDCWD, "/", AT_FDCWD, "/", 0x80000000), EINVAL);
		NEED_ERR(open_tree_(AT_FDCWD, "/", 0x40000000), EINVAL);
		NEED_ERR(open_tree_(AT_FDCWD, "/", AT_RECURSIVE), EINVAL);
		char c;
		NEED_ERR(read(fs, &c, 1), ENODATA);
		NEED(!become(NOBODY));
		NEED_ERR(fsopen_("tmpfs", 0), EPERM);
		NEED_ERR(open_tree_(AT_FDCWD, "/", OPEN_TREE_CLONE), EPERM);
		NEED_ERR(mount_setattr_(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY, 0), EPERM);
		NEED(open_tree_(AT_FDCWD, "/", 0) >= 0);
	END_CHILD;
}

TEST(trees)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("a", 0755) && !mkdir("b", 0755) && !mkdir("plain", 0755));
		NEED(!mount("1", "a", "tmpfs", 0, NULL) && !mkdir("a/x", 0755));
		NEED(!mount("2", "a/x", "tmpfs", 0, NULL) && !touch("a/x/deep", 0600));
		int t = open_tree_(AT_FDCWD, "a", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		NEED(t >= 0 && fcntl(t, F_GETFD) == FD_CLOEXEC && faccessat(t, "x/deep", F_OK, 0));
		close(t);
		t = open_tree_(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE);
		NEED(t >= 0 && !faccessat(t, "x/deep", F_OK, 0));
		NEED(!mount_setattr_(t, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0));
		NEED_ERR(openat(t, "x/new", O_CREAT | O_WRONLY, 0600), EROFS);
		NEED(!move_mount_(t, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH) &&
		     !access("b/x/deep", F_OK));
		close(t);
		NEED(has("b", "ro,relatime ") && has("b/x", "ro,relatime ") && has("a/x", "rw,relatime "));
		NEED(!mount_setattr_(AT_FDCWD, "b", 0, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY));
		NEED(has("b", "rw,nosuid,relatime ") && !touch("b/new", 0600));
		NEED(!mount_setattr_(AT_FDCWD, "b", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME));
		NEED(has("b", "rw,nosuid,noatime "));
		NEED_ERR(mount_setattr_(AT_FDCWD, "b", 0, MOUNT_ATTR_NOATIME, 0), EINVAL);
		NEED_ERR(mount_setattr_(AT_FDCWD, "b", 0, 0x800000000, 0), EINVAL);
		NEED_ERR(mount_setattr_(AT_FDCWD, "plain", 0, MOUNT_ATTR_RDONLY, 0), EINVAL);
		NEED(!move_mount_(AT_FDCWD, "b", AT_FDCWD, "plain", 0) && !access("plain/x/deep", F_OK));
		NEED(!umount("plain/x") && !umount("plain"));
		t = open_tree_(AT_FDCWD, "a/x", OPEN_TREE_CLONE);
		NEED(t >= 0 && !umount("a/x") && !faccessat(t, "deep", F_OK, 0)); // it keeps what it shows
		close(t);
		NEED(!umount("a"));
	END_CHILD;
}

// What is open for writing keeps its mount, and its file system, from becoming read-only.
TEST(busy_with_writers)
{
	const unsigned long bind_ro = MS_REMOUNT | MS_BIND | MS_RDONLY;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !mkdir("a", 0755) && !mkdir("b", 0755));
		NEED(!mount("1", "a", "tmpfs", 0, NULL) && !mount("a", "b", NULL, MS_BIND, NULL));
		int r = open("a/f", O_CREAT | O_RDONLY, 0600), w = open("a/f", O_WRONLY);
		NEED(r >= 0 && w >= 0);
		NEED_ERR(mount(NULL, "a", NULL, bind_ro, NULL), EBUSY);
		NEED_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
		NEED_ERR(mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
		NEED_ERR(mount_setattr_(AT_FDCWD, "a", 0, MOUNT_ATTR_RDONLY, 0), EBUSY);
		NEED(!touch("a/g", 0600) && write(w, "x", 1) == 1);
		NEED(!mount(NULL, "b", NULL, bind_ro, NULL)); // nothing is open through this one
		NEED_ERR(open("b/f", O_WRONLY), EROFS);
		void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, w, 0);
		NEED(map == MAP_FAILED); // it is open for writing alone
		close(w);
		w = open("a/f", O_RDWR);
		NEED((map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, w, 0)) != MAP_FAILED);
		close(w);
		NEED_ERR(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY); // the mapping is
		NEED(!munmap(map, 4096) && !mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
		NEED_ERR(open("a/f", O_WRONLY), EROFS);
		NEED(!mount(NULL, "a", NULL, MS_REMOUNT, NULL) && (w = open("a/f", O_WRONLY)) >= 0);
		close(w);
		NEED_ERR(umount("a"), EBUSY); // open for reading
		NEED(!umount2("a", MNT_DETACH) && access("a/f", F_OK));
		char c;
		NEED(read(r, &c, 1) == 1 && c == 'x');
	END_CHILD;
}
