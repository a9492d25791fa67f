// SPDX-License-Identifier: BSD-2-Clause
// For checks that need a process of their own: CHILD { NEED(condition); NEED_ERR(call, errno); ... }
// END_CHILD runs its body in a fork and ends the test with the first thing that was not met. Helpers for
// users and scratch folders.
#pragma once

#include "check.h"
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOBODY 65534

static char *child_why; // shared with children
#define SCRATCH_AT 1000 // in it: the name of the folder that a child made
static char scratch[64];

static inline pid_t child_begin(void)
{
	if (!child_why)
		child_why = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child_why[0] = 0;
	fflush(NULL);
	return fork();
}

#define CHILD                                 \
	do {                                  \
		int status_;                  \
		pid_t child_ = child_begin(); \
		if (!child_) {
#define END_CHILD                                                      \
	_exit(0);                                                      \
	}                                                              \
	if (child_ < 0 || waitpid(child_, &status_, 0) != child_)      \
		FAIL("line %d: no child (errno %d)", __LINE__, errno); \
	child_clean();                                                 \
	if (child_why[0])                                              \
		FAIL("%s", child_why);                                 \
	if (status_)                                                   \
		FAIL("line %d: child status %#x", __LINE__, status_);  \
	}                                                              \
	while (0)

#define NEED(cond)                                                                                         \
	do {                                                                                               \
		errno = 0;                                                                                 \
		if (!(cond)) {                                                                             \
			snprintf(child_why, 500, "child, line %d: %s (errno %d)", __LINE__, #cond, errno); \
			_exit(1);                                                                          \
		}                                                                                          \
	} while (0)

#define NEED_EQ(a, b)                                                                                    \
	do {                                                                                             \
		errno = 0;                                                                               \
		long long a_ = (long long)(a), b_ = (long long)(b);                                      \
		if (a_ != b_) {                                                                          \
			snprintf(child_why, 500, "child, line %d: %s is %lld, not %s = %lld (errno %d)", \
				 __LINE__, #a, a_, #b, b_, errno);                                       \
			_exit(1);                                                                        \
		}                                                                                        \
	} while (0)

#define NEED_ERR(call, e)                                                                           \
	do {                                                                                        \
		errno = 0;                                                                          \
		long long r_ = (long long)(call);                                                   \
		if (r_ != -1 || errno != (e)) {                                                     \
			snprintf(child_why, 500, "child, line %d: %s gives %lld, errno %d, not %s", \
				 __LINE__, #call, r_, errno, #e);                                   \
			_exit(1);                                                                   \
		}                                                                                   \
	} while (0)

#define NEEDS_ROOT                          \
	do {                                \
		if (geteuid())              \
			SKIP("needs root"); \
	} while (0)

// By system call: the C library would have every thread change, and musl has other ideas about saved ids.
static inline int become(uid_t uid)
{
	return syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, uid, uid, uid) ||
	       syscall(SYS_setresuid, uid, uid, uid);
}

static inline int touch(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	return fd < 0 || fchmod(fd, mode) || close(fd) ? -1 : 0;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline int remove_tree(const char *path)
{
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// A child ends by _exit: its parent takes away the folder that it made.
static inline void child_clean(void)
{
	char *path = child_why ? child_why + SCRATCH_AT : NULL;

	if (!path || !*path)
		return;
	umount2(path, MNT_DETACH);
	remove_tree(path);
	*path = 0;
}

static void scratch_remove(void)
{
	if (chdir("/") || !scratch[0])
		return;
	umount2(scratch, MNT_DETACH);
	remove_tree(scratch);
	rmdir(scratch);
}

// Be in a folder of one's own: on a tmpfs that nobody else sees where one may mount, else below /tmp.
static inline int scratch_enter(void)
{
	static pid_t owner;

	if (owner == getpid())
		return chdir(scratch);
	strcpy(scratch, "/tmp/abi-XXXXXX");
	if (!mkdtemp(scratch) || chmod(scratch, 0755))
		return -1;
	if (child_why)
		strcpy(child_why + SCRATCH_AT, scratch);
	if (!geteuid()) {
		if (!unshare(CLONE_NEWNS))
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		mount("abi", scratch, "tmpfs", 0, "mode=755");
	}
	if (!owner)
		atexit(scratch_remove);
	owner = getpid();
	return chdir(scratch);
}
