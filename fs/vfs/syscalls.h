/* SPDX-License-Identifier: BSD-2-Clause */
/* What the system-call files of fs/vfs share. */
#pragma once

#include "internal.h"
#include "kernel/syscall.h"

#define IOV_FAST 8

/* An application's I/O vector in the kernel, as an iterator. */
struct iov_import {
	struct iter it;
	struct iter_vec fast[IOV_FAST], *vec;
};

/* Copy and check VEC[N], cut to MAX_RW_COUNT bytes: -EINVAL, -EFAULT, -ENOMEM. Ends with iov_release. */
int iov_load(struct iov_import *im, const struct iter_vec __app *vec, u64 n);
void iov_release(struct iov_import *im);

/* Read or write at the file's own position (locked where there is one), or at *POS. */
ssize_t file_rw(struct file *f, struct iter *it, bool write);
ssize_t file_rw_at(struct file *f, struct iter *it, s64 pos, bool write);

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
