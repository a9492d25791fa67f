/* SPDX-License-Identifier: BSD-2-Clause */
/* The overlay: what its files share. See super.c for the theory. */
#pragma once

#include "../tmpfs/tmpfs.h"
#include "../vfs/acl.h"
#include "../vfs/internal.h"

/* A lower file with several names that was copied up, or lost a name: all names lead to the copy, and have
 * one count of links. */
struct ovl_index {
	struct list_head node;
	u64 ino;
	struct inode *upper; /* reference held; NULL: not copied */
	u32 nlink;	     /* while there is no copy */
};

struct ovl_super {
	struct spinlock index_lock;
	struct list_head index;			 /* guarded by index_lock */
	struct super *lower_super, *upper_super; /* active references */
	struct inode *lower_root, *upper_root;
	char lower_name[64]; /* for /proc/mounts */
};

struct ovl_inode {
	struct rcu_head rcu; /* first: rcu_kfree */
	struct inode *lower; /* reference held; NULL: only above */
	struct inode *
		upper; /* reference held; NULL: not copied up. Set once, under copy_lock; read with acquire */
	struct inode
		*parent; /* the overlay directory it was found in first; reference held; NULL for the root */
	struct mutex copy_lock;
	bool unlinked; /* NAME is gone: a copy is made without one. Guarded by copy_lock */
	u32 len;
	char name[]; /* in parent */
};

static inline struct ovl_inode *ovl_inode(const struct inode *i)
{
	return i->priv;
}

static inline struct inode *ovl_upper(const struct inode *i)
{
	return rcu_dereference(ovl_inode(i)->upper);
}

static inline struct inode *ovl_lower(const struct inode *i)
{
	return ovl_inode(i)->lower;
}

static inline struct inode *ovl_real(const struct inode *i)
{
	struct inode *upper = ovl_upper(i);

	return upper ? upper : ovl_lower(i);
}

/* A name that hides one below: a character device 0:0, as Linux has it. */
static inline bool ovl_is_whiteout(const struct inode *i)
{
	return S_ISCHR(i->mode) && !i->rdev;
}

extern const struct inode_ops ovl_dir_ops, ovl_file_ops, ovl_link_ops, ovl_special_ops;
extern const struct file_ops ovl_dir_fops;

/* inode.c: the overlay's inode for these two (references taken over, on failure too), found as NAME in
 * PARENT. ERR_PTR. */
struct inode *ovl_iget(struct super *s, struct inode *lower, struct inode *upper, struct inode *parent,
		       const char *name, size_t len);
void ovl_evict(struct inode *i);
void ovl_sync_attributes(struct inode *i); /* from the real inode */
int ovl_getattr(struct inode *i, struct statx *out);
int ovl_setattr(struct inode *i, const struct inode_attr *a);
ssize_t ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int ovl_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t ovl_listxattr(struct inode *i, char *buf, size_t size);
int ovl_removexattr(struct inode *i, const char *name);
int ovl_set_acl(struct inode *i, bool dflt, struct posix_acl *a);

/* copy_up.c: give I, and the directories above it, an upper inode. DATA: contents too. */
int ovl_copy_up(struct inode *i, bool data);
struct inode *ovl_index_find(struct super *s, u64 lower_ino); /* the copy, with a reference; NULL */
/* The number of links of a lower file, in the overlay. */
u32 ovl_index_nlink(struct super *s, struct inode *lower);
/* I's count of links changed: remember it where it outlives I. */
void ovl_links_changed(struct inode *i);
void ovl_index_free(struct ovl_super *os);

/* dir.c. NAME in the upper or lower part of DIR, with a reference; NULL: not there. ERR_PTR. The upper part
 * includes whiteouts. */
struct inode *ovl_lookup_upper(struct inode *dir, const char *name, size_t len);
struct inode *ovl_lookup_lower(struct inode *dir, const char *name, size_t len);
struct inode *ovl_lookup(struct inode *dir, const char *name, size_t len);
/* Has DIR no entry, both parts seen together? 1, 0 or -errno. */
int ovl_dir_empty(struct inode *dir);
int ovl_dir_iterate(struct file *f, struct dir_context *ctx);

/* change.c */
int ovl_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
int ovl_mkdir(struct inode *dir, struct dentry *d, u32 mode);
int ovl_symlink(struct inode *dir, struct dentry *d, const char *target);
int ovl_link(struct inode *dir, struct dentry *d, struct inode *i);
int ovl_unlink(struct inode *dir, struct dentry *d);
int ovl_rmdir(struct inode *dir, struct dentry *d);
struct inode *ovl_tmpfile(struct inode *dir, u32 mode);
/* rename.c */
int ovl_rename(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags);
/* Names in the upper part of DIR, whose lock these take. */
int ovl_upper_unlink(struct inode *dir, const char *name, size_t len, bool is_dir);
int ovl_whiteout(struct inode *dir, const char *name, size_t len);
int ovl_clear_whiteouts(struct inode *upper_dir);
bool ovl_below(struct inode *dir, const char *name, size_t len); /* does the lower part have NAME? */

/* super.c */
struct super *ovl_super_make(const struct fs_type *t, struct super *lower, struct inode *lower_root,
			     const char *lower_name, const char *upper_options);
