// SPDX-License-Identifier: BSD-2-Clause
/* The same random calls on two trees, ours and Linux's (test_linux.c): what the operations share. Each
 * operation (op_*) draws its arguments, makes the call on both sides and ends the test where results, errors
 * or bytes differ. */
#pragma once

#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <asm/statfs.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

/* libc's <sys/stat.h> does not go along with the kernel's headers. */
extern int chmod(const char *path, unsigned mode);
extern int mkdir(const char *path, unsigned mode);
extern unsigned umask(unsigned mask);

#define DIFF_SLOTS 6
#define DIFF_NEST  "/p/q/r/s/t/u/v/w"		  /* what calls may reach by ".." */
#define DIFF_FLOOR DIFF_NEST "/a1/b1/c1/d1/e1/f1" /* where they start */

/* Open files, the same on both sides; -1: none. */
struct diff_slot {
	long ours, theirs;
};
extern struct diff_slot slot[DIFF_SLOTS];
/* Space was allocated: to us it is data, to Linux it depends on how often it was allocated. */
extern bool allocated;
extern long dirfd_ours,
	dirfd_theirs; /* a directory descriptor for the *at calls: mostly the current folder */

long linux_ret(long r); /* a result or -errno */
#define LINUX(name, ...) linux_ret(syscall(SYS_##name, ##__VA_ARGS__))

void diff_seed(u64 seed);
u32 rnd(void);
const char *path(void); /* a random one, in one of four buffers */
int any_slot(void);
void choose_dirfd(void);
/* Keep what both sides opened in a slot. */
void put_slot(long ours, long theirs, const char *what);

void note(const char *fmt, ...) __printf(1, 2); /* for the report */
void differ(const char *what, long ours, long theirs);
void same(const char *what, long ours, long theirs);
void compare_statx(const struct statx *x, const struct statx *y);
/* Names and types of a folder, sorted: the order is each system's own. Their number, or an error. */
long list_names(long fd, bool ours, char out[64][24]);

void op_open(void);
void op_openat2(void);
void op_close(void);
void op_dup(void);
void op_read(void);
void op_write(void);
void op_seek(void);
void op_size(void);
void op_copy(void);
void op_names(void);
void op_ask(void);
void op_attr(void);
void op_xattr(void);
void op_fcntl(void);
void op_memory(void);
void op_vector(void);
void op_control(void);
void op_long(void);
void op_cwd(void);
void op_list(void);
void op_user(void);
void op_chdir(void);
