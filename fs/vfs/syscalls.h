/* SPDX-License-Identifier: BSD-2-Clause */
/* What the system-call files of fs/vfs share. */
#pragma once

#include "internal.h"
#include "kernel/syscall.h"

/* Read or write at the file's own position (locked where there is one), or at *POS. */
ssize_t file_rw(struct file *f, struct iter *it, bool write);
ssize_t file_rw_at(struct file *f, struct iter *it, s64 pos, bool write);

/* What /proc/PID/io tells of a call that transferred N bytes, or failed. */
static __always_inline void rw_count(ssize_t n, bool write)
{
	struct usage *u = &current->used;

	usage_count(u, write ? USAGE_SYSCW : USAGE_SYSCR, 1);
	usage_count(u, write ? USAGE_WCHAR : USAGE_RCHAR, (u64)max(n, (ssize_t)0));
}

/* Do transfers at F's own position exclude each other? For files and folders, as POSIX 2.9.7 asks. */
static inline bool file_pos_atomic(const struct file *f)
{
	return f->inode && (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode));
}

/* Two path strings of one call. */
int app_paths_get(const char __app *a, const char __app *b, char **ka, char **kb);

/* One path in, one namei function out. */
#define WITH_PATH(var, uname, call)                                                  \
	({                                                                           \
		char *var = app_path_get(uname, true); /* empty: the walk says so */ \
		long _ret;                                                           \
		if (IS_ERR(var)) {                                                   \
			_ret = PTR_ERR(var);                                         \
		} else {                                                             \
			_ret = (call);                                               \
			kfree(var);                                                  \
		}                                                                    \
		_ret;                                                                \
	})
