/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fs/devfs share: the device numbers, and the file operations behind them. */
#pragma once

#include "base/err.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/app.h"
#include "kernel/blockdev.h"
#include "kernel/console.h"

/* Device numbers as the ABI packs them (st_rdev). */
#define MKDEV(major, minor) ((u64)((minor)&0xff) | (u64)(major) << 8 | (u64)((minor) & ~0xffu) << 12)
static inline u32 dev_major(u64 dev)
{
	return (u32)(dev >> 8 & 0xfff);
}
static inline u32 dev_minor(u64 dev)
{
	return (u32)((dev & 0xff) | (dev >> 12 & ~0xffull));
}

enum dev_major {
	MAJOR_MEM = 1,
	MAJOR_TTYS = 4, /* ttyS0: minor 64 */
	MAJOR_TTY = 5,	/* tty 0, console 1, ptmx 2 */
	MAJOR_PTS = 136,
	MAJOR_HVC = 229,
	MAJOR_PORT = 245,  /* named virtio-console ports */
	MAJOR_BLOCK = 254, /* vda: minor 0, vdb: minor 16 */
};

/* What a device node of the tree stands for. */
struct devnode {
	const char *name; /* "null", "virtio-ports/org.cortado.stdin" */
	u32 mode;	  /* S_IFCHR or S_IFBLK and permissions */
	u64 rdev;
};

/* devnodes.c. The INDEXth device that exists now: false at the end. NAME gets the text for devices with
 * made-up names. */
bool devnode_get(unsigned index, struct devnode *out, char *name, size_t size);
struct chardev *chardev_by_number(u64 rdev);
u64 chardev_number(const struct chardev *cd, u32 *mode);
struct block_device *blockdev_by_number(u64 rdev);

/* mem.c */
int mem_open(struct file *f, u32 minor);
/* kmsg.c */
extern const struct file_ops kmsg_ops;
/* stream.c: a chardev as a plain byte stream. Takes a user of CD until release. */
int stream_open(struct file *f, struct chardev *cd);
/* block.c */
int blknode_open(struct file *f, struct block_device *bd);

/* devfs.c, the tree; devfs_mount.c, what is in it at first. */
struct dev_entry {
	struct list_head node;
	struct inode *inode; /* reference held */
	u64 pos;
	u32 len;
	char name[];
};

struct dev_dir {
	struct list_head entries; /* by rising pos */
	u64 next_pos;
	struct inode *parent; /* no reference: a parent outlives its children; itself for the root */
};

extern const struct super_ops devfs_super_ops;
/* A new inode with one reference; PARENT NULL: the root. ERR_PTR(-ENOMEM). */
struct inode *devfs_inode_make(struct super *s, struct inode *parent, u32 mode, u64 rdev);
/* Names of DIR, with its lock held. Adding takes over the caller's reference on I, on success only. */
struct dev_entry *devfs_entry_find(struct inode *dir, const char *name, size_t len);
int devfs_entry_add(struct inode *dir, const char *name, size_t len, struct inode *i);
void devfs_entry_remove(struct inode *dir, struct dev_entry *e);
/* For devpts, whose folder is such a tree, too: one in which nobody makes or removes a name. */
extern const struct inode_ops devfs_fixed_dir_ops;
void devfs_evict(struct inode *i);
