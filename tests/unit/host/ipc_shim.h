/* SPDX-License-Identifier: BSD-2-Clause */
/* The shim of tests/unit/ipc: see ipc.c. System calls are called as the kernel does, by their sys_ names. */
#pragma once

#include "base/types.h"

struct dentry;
struct inode;

ssize_t ipc_read(int fd, void *buf, size_t n);
ssize_t ipc_write(int fd, const void *buf, size_t n);
struct dentry *ipc_dentry_make(struct inode *i);
extern _Atomic u32 ipc_sigpipes;   /* SIGPIPEs sent */
extern _Atomic u32 ipc_files_live; /* open files not released */

#define SYS(name) long sys_##name(u64, u64, u64, u64, u64, u64)
#define CALL6(name, a, b, c, d, e, f, ...) \
	sys_##name((u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define CALL(name, ...) CALL6(name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
