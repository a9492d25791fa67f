/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpfs: what its files share. See super.c for the theory. */
#pragma once

#include "base/rbtree.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"

#define TMPFS_DIRENT_SIZE 20 /* what an entry adds to its directory's size, as on Linux */

struct tmpfs_super {
	u64 max_blocks; /* pages; 0: no limit */
	_Atomic u64 used_blocks;
	u64 max_inodes; /* 0: no limit */
	u64 usual;	/* both limits where no option says otherwise */
	u32 mode, uid, gid; /* of the root, as mounted: for /proc/mounts */
	_Atomic u64 used_inodes;
	_Atomic u64 next_ino;
	bool memfd;		     /* an internal instance */
	bool huge;		     /* hugetlbfs: files of 2 MiB pages */
	struct spinlock doomed_lock; /* guards doomed, draining */
	struct list_head doomed;     /* entries of directories that go with the file system */
	bool draining;
};

/* A name in a directory. Guarded by the directory inode's lock. */
struct tmpfs_entry {
	struct rb_node by_name, by_pos;
	struct list_head doomed;
	struct inode *inode; /* reference held */
	u64 pos; /* readdir position: grows with each entry made, so that reading a changing directory is
		    sound */
	u32 len;
	char name[];
};

struct tmpfs_xattr {
	struct list_head node;
	u32 size;
	char *name;
	char value[];
};

struct tmpfs_inode {
	struct rcu_head rcu; /* first: rcu_kfree. The cache must outlive reclaim's last look at its lock */
	struct page_cache cache;
	struct rb_root names, positions; /* directories */
	u64 next_pos;
	void *huge;		 /* hugetlb.c: tree of pages; guarded by cache.lock, as is the next */
	u64 huge_count;		 /* pages in it */
	char *target;		 /* symbolic links */
	struct list_head xattrs; /* guarded by the inode's lock */
	u32 xattr_bytes;
};

static inline struct tmpfs_super *tmpfs_super(const struct super *s)
{
	return s->priv;
}

static inline struct tmpfs_inode *tmpfs_inode(const struct inode *i)
{
	return i->priv;
}

extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_inode_ops, tmpfs_link_ops, tmpfs_special_ops;
extern const struct file_ops tmpfs_dir_fops, tmpfs_file_ops;
extern const struct page_cache_ops tmpfs_cache_ops;
extern struct fs_type tmpfs_type, hugetlbfs_type;

/* super.c: a new inode with one reference and no name. ERR_PTR(-ENOSPC, -ENOMEM). DIR may be NULL. */
struct inode *tmpfs_inode_new(struct super *s, const struct inode *dir, u32 mode, u64 rdev);
struct super *tmpfs_super_make(const struct fs_type *t, const char *options, bool memfd);
/* dir.c. Give I, whose reference is taken over on success, the name of D in DIR (locked). Link counts are the
 * caller's. -ENOMEM */
int tmpfs_add_name(struct inode *dir, struct dentry *d, struct inode *i);
void tmpfs_dir_doom(struct inode *dir); /* at unmount: let go of all entries */
/* file.c */
int tmpfs_setattr(struct inode *i, const struct inode_attr *a);
int tmpfs_getattr(struct inode *i, struct statx *out);
long tmpfs_fcntl(struct file *f, unsigned cmd, unsigned long arg);
/* hugetlb.c */
void tmpfs_huge_init(struct inode *i);	/* a new regular file, its cache set up */
void tmpfs_huge_evict(struct inode *i); /* free its pages */
/* xattr.c */
ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
int tmpfs_removexattr(struct inode *i, const char *name);
void tmpfs_xattrs_free(struct tmpfs_inode *ti);
