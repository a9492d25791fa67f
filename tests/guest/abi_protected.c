// SPDX-License-Identifier: BSD-2-Clause
// /proc/sys/fs/protected_*: what one finds in a directory where others may put things, too.
#include "abi.h"

#define OTHER 1234 // somebody who is neither NOBODY nor root

static const char *const names[] = {"protected_symlinks", "protected_hardlinks", "protected_regular",
				    "protected_fifos"};
enum { SYMLINKS, HARDLINKS, REGULAR, FIFOS, NAMES };
static int was[NAMES]; // before the test; -1: not touched

static int value_file(int which, int flags)
{
	char path[80];

	snprintf(path, sizeof path, "/proc/sys/fs/%s", names[which]);
	return open(path, flags);
}

static int store(int which, int value)
{
	char digit = (char)('0' + value);
	int fd = value_file(which, O_WRONLY), err = fd < 0 || write(fd, &digit, 1) != 1;

	close(fd);
	return err;
}

// At the end, whatever that is: they are the whole machine's.
static void restore(void)
{
	for (int i = 0; i < NAMES; i++)
		if (was[i] >= 0)
			store(i, was[i]);
}

static int set(int which, int value)
{
	static bool ready;
	char digit = '0';
	int fd;

	if (!ready) {
		memset(was, -1, sizeof was);
		atexit(restore);
	}
	ready = true;
	if (was[which] < 0) {
		fd = value_file(which, O_RDONLY);
		if (fd < 0 || read(fd, &digit, 1) != 1)
			return -1;
		close(fd);
		was[which] = digit - '0';
	}
	return store(which, value);
}

static int make(const char *path, mode_t type, uid_t owner)
{
	int err = type == S_IFLNK ? symlink("target", path) : mknod(path, type | 0666, 0);

	if (!err && type != S_IFLNK)
		err = chmod(path, 0666);
	return err ? err : lchown(path, owner, owner);
}

// In a child: a sticky directory "d" with things of NOBODY's and of somebody else's, who is not its owner.
static void prepare(mode_t mode, mode_t type)
{
	NEED(!scratch_enter() && !mkdir("d", 0755) && !chmod("d", mode) && !chown("d", 0, NOBODY));
	NEED(!make("d/mine", type, NOBODY) && !make("d/other", type, OTHER) && !make("d/root", type, 0));
	NEED(!chmod(".", 0755) && !become(NOBODY));
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK, 0600);

	return fd < 0 ? errno : close(fd);
}

TEST(symlinks)
{
	NEEDS_ROOT;
	for (int level = 0; level < 2; level++) {
		if (set(SYMLINKS, level))
			SKIP("may not set protected_symlinks");
		CHILD
			prepare(01777, S_IFLNK);
			NEED(!touch("d/target", 0600));
			NEED_EQ(try_open("d/mine", O_RDONLY), 0);
			NEED_EQ(try_open("d/root", O_RDONLY), 0); // the directory's owner
			NEED_EQ(try_open("d/other", O_RDONLY), level ? EACCES : 0);
			NEED_EQ(try_open("d/other", O_RDWR | O_CREAT), level ? EACCES : 0);
			NEED_EQ(try_open("d/other", O_PATH | O_NOFOLLOW), 0);
			NEED(!mkdir("d/dir", 0700) && !unlink("d/mine") && !symlink("dir/..", "d/mine"));
			NEED_EQ(try_open("d/mine/other/", O_RDONLY), level ? EACCES : ENOTDIR);
		END_CHILD;
		CHILD // in the middle of a path it is followed
			prepare(01777, S_IFLNK);
			NEED(!mkdir("d/target", 0700) && !touch("d/target/x", 0600));
			NEED_EQ(try_open("d/other/x", O_RDONLY), 0);
		END_CHILD;
		CHILD // not sticky
			prepare(0777, S_IFLNK);
			NEED(!touch("d/target", 0600));
			NEED_EQ(try_open("d/other", O_RDONLY), 0);
		END_CHILD;
	}
}

TEST(files_and_fifos)
{
	static const struct {
		int which;
		mode_t type;
	} kinds[] = {{REGULAR, S_IFREG}, {FIFOS, S_IFIFO}};

	NEEDS_ROOT;
	for (int k = 0; k < 2; k++) {
		for (int level = 0; level < 3; level++) {
			if (set(kinds[k].which, level))
				SKIP("may not set them");
			CHILD
				prepare(01777, kinds[k].type);
				NEED_EQ(try_open("d/other", O_RDWR), 0);
				NEED_EQ(try_open("d/other", O_RDWR | O_CREAT), level ? EACCES : 0);
				NEED_EQ(try_open("d/mine", O_RDWR | O_CREAT), 0);
				NEED_EQ(try_open("d/root", O_RDWR | O_CREAT), 0);
				NEED_EQ(try_open("d/other", O_RDWR | O_CREAT | O_EXCL), EEXIST);
			END_CHILD;
			CHILD // a group's directory
				prepare(01775, kinds[k].type);
				NEED_EQ(try_open("d/other", O_RDWR | O_CREAT), level > 1 ? EACCES : 0);
			END_CHILD;
		}
	}
}

TEST(hard_links)
{
	NEEDS_ROOT;
	for (int level = 0; level < 2; level++) {
		if (set(HARDLINKS, level))
			SKIP("may not set protected_hardlinks");
		CHILD
			NEED(!scratch_enter() && !chmod(".", 0777));
			NEED(!make("plain", S_IFREG, OTHER) && !make("fifo", S_IFIFO, OTHER));
			NEED(!make("suid", S_IFREG, OTHER) && !chmod("suid", 04666));
			NEED(!make("sgid", S_IFREG, OTHER) && !chmod("sgid", 02676));
			NEED(!make("ro", S_IFREG, OTHER) && !chmod("ro", 0444));
			NEED(!make("own", S_IFREG, NOBODY) && !chmod("own", 0));
			NEED(!link("ro", "by-root") && !become(NOBODY));
			NEED(!link("plain", "1") && !link("own", "2"));
			static const char *const kept[] = {"fifo", "suid", "sgid", "ro"};
			for (int i = 0; i < 4; i++) {
				NEED_EQ(link(kept[i], "x") ? errno : unlink("x"), level ? EPERM : 0);
			}
		END_CHILD;
	}
}
