/* SPDX-License-Identifier: BSD-2-Clause */
/* Helpers of the file system tests; tests/unit/host/fs.c has them. */
#pragma once

#include "base/types.h"

/* The UAPI header leaves these to libc's, which does not go along with ours. */
#ifndef S_ISREG
#define S_IFMT	   0170000
#define S_IFSOCK   0140000
#define S_IFLNK	   0120000
#define S_IFREG	   0100000
#define S_IFBLK	   0060000
#define S_IFDIR	   0040000
#define S_IFCHR	   0020000
#define S_IFIFO	   0010000
#define S_ISUID	   0004000
#define S_ISGID	   0002000
#define S_ISVTX	   0001000
#define S_ISREG(m) (((m)&S_IFMT) == S_IFREG)
#define S_ISLNK(m) (((m)&S_IFMT) == S_IFLNK)
#define S_ISDIR(m) (((m)&S_IFMT) == S_IFDIR)
#endif

struct block_device;
struct inode;

/* Make the current thread's process one with descriptors, with ROOT_TYPE mounted on "/" (once a program). */
void fs_host_start(const char *root_type, const char *source);
void fs_host_user(u32 uid, u32 gid);
void fs_host_prune(void); /* empty the name cache of all that is not in use */
/* A disk over a copy of IMAGE; vda, vdb ... in order. Never freed. */
struct block_device *fs_host_disk(const void *image, size_t size);
void *fs_host_load(const char *path, size_t *size); /* malloc */

extern unsigned fs_host_unmaps, fs_host_signals;
extern unsigned long fs_host_reads;
extern u64 fs_host_sectors;
extern bool fs_host_io_fails;
#define FS_HOST_EVENTS 64
extern struct fs_host_event {
	struct inode *inode;
	u32 mask, cookie;
	char name[64];
} fs_host_events[FS_HOST_EVENTS];
extern unsigned fs_host_nevents;

/* System calls, as the dispatcher makes them. */
#define SYS(name, ...) SYS_(name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(name, a, b, c, d, e, f, ...)                                               \
	({                                                                              \
		long sys_##name(u64, u64, u64, u64, u64, u64);                          \
		sys_##name((u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f)); \
	})
