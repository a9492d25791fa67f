/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fs/9p share: the instance, its inodes, its open files. */
#pragma once

#include "client.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"

enum p9_cache { P9_CACHE_NONE, P9_CACHE_LOOSE };

struct p9_super {
	struct super *super;
	struct list_head node; /* flusher.c */
	_Atomic u64 cleaned;   /* pages written back so far */
	struct p9_client *client;
	enum p9_cache cache;
	u32 access_uid; /* access=N: nobody else; P9_NONUNAME: anybody */
	bool access_client;
	u32 attach_uid;
	char aname[128];
	struct mutex sync_lock;
	struct spinlock lock;
	struct list_head
		mapped; /* p9_inode.mapped_node: may hold pages stored to through mappings; guarded by lock */
};

struct p9_inode {
	struct rcu_head rcu;	 /* first: rcu_kfree */
	struct page_cache cache; /* regular files */
	struct inode *inode;
	struct spinlock lock; /* guards what follows; taken by interrupts */
	struct p9_fid *fid;   /* stands for its name; the newest look-up's */
	struct p9_qid qid;
	struct p9_fid *made; /* what create() opened, for the open that follows in the same call */
	struct thread *made_by;
	struct list_head handles;
	u32 size_seq;		       /* counts local changes of the size */
	u32 resizing;		       /* of those under way */
	bool stale;		       /* its fid's name is gone: look it up again */
	bool gone;		       /* its last name went, by our doing */
	bool ours;		       /* and its attributes were set since: they are kept here */
	const struct thread *fresh_by; /* who just had the attributes fetched, and when */
	u64 fresh_at;
	struct mutex writeback_lock;
	int writeback_error; /* of data stored through mappings; the next fsync tells */
	struct list_head mapped_node;
};

/* An open file: file.priv. */
struct p9_handle {
	struct list_head node; /* p9_inode.handles */
	struct p9_fid *fid;    /* guarded by the inode's p9 lock: O_APPEND may come and go */
	bool readable, writable;
	u8 *entries; /* directories: what the server sent last, P9_DIR_BYTES */
	u32 nbytes, at;
	u64 next; /* position of the entry at AT */
};

#define P9_DIR_BYTES 16384u

static inline struct p9_super *p9_super(const struct super *s)
{
	return s->priv;
}

static inline struct p9_inode *p9_inode(const struct inode *i)
{
	return i->priv;
}

static inline bool p9_loose(const struct inode *i)
{
	return p9_super(i->super)->cache == P9_CACHE_LOOSE;
}

/* options.c */
struct p9_options {
	u32 msize, access_uid, default_uid;
	enum p9_cache cache;
	bool access_client;
	char uname[64], aname[128];
};
int p9_options_parse(const char *text, struct p9_options *o);
size_t p9_show_options(struct super *s, char *buf, size_t size);

/* inode.c */
extern const struct inode_ops p9_dir_ops, p9_file_ops, p9_link_ops, p9_special_ops;
/* The inode of FID, which is taken over. ERR_PTR. */
struct inode *p9_iget(struct super *s, struct p9_fid *fid);
void p9_evict(struct inode *i);
struct p9_fid *p9_path_fid(struct inode *i); /* with a reference */
/* An open fid of I, with a reference; NULL. */
struct p9_fid *p9_open_fid(struct inode *i, bool readable, bool writable);
void p9_set_path_fid(struct inode *i, struct p9_fid *fid); /* takes it over */
/* Fetch I's attributes. The second one: unless a walk of this call, or loose caching, has them. */
int p9_refresh(struct inode *i);
int p9_refresh_once(struct inode *i);
int p9_refresh_from(struct inode *i, struct p9_fid *fid);
int p9_getattr_op(struct inode *i, struct statx *out);
int p9_setattr_op(struct inode *i, const struct inode_attr *a);
/* The size is about to change by our doing, and has: answers that were under way meanwhile do not count. */
void p9_size_begin(struct inode *i);
void p9_size_end(struct inode *i);
int p9_recheck(struct inode *dir, struct dentry *d);
bool p9_revalidate(struct dentry *d);

/* dir.c */
struct inode *p9_lookup_op(struct inode *dir, const char *name, size_t len);
int p9_create_op(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
int p9_mkdir_op(struct inode *dir, struct dentry *d, u32 mode);
int p9_symlink_op(struct inode *dir, struct dentry *d, const char *target);
int p9_link_op(struct inode *dir, struct dentry *d, struct inode *target);
int p9_unlink_op(struct inode *dir, struct dentry *d);
int p9_rmdir_op(struct inode *dir, struct dentry *d);
int p9_rename_op(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags);
int p9_iterate(struct file *f, struct dir_context *ctx);

/* file.c, io.c */
extern const struct file_ops p9_file_fops, p9_dir_fops;
int p9_open_op(struct inode *i, struct file *f);
void p9_release(struct file *f);
int p9_drop_append(struct file *f); /* have the server no longer write at the end */
ssize_t p9_file_read(struct file *f, struct iter *to, u64 *pos);
ssize_t p9_file_write(struct file *f, struct iter *from, u64 *pos);
struct p9_fid *p9_handle_fid(struct file *f); /* with a reference */

/* pages.c */
extern const struct page_cache_ops p9_cache_ops;
/* A fid for I's pages: an open one, else one that is opened now. ERR_PTR. */
struct p9_fid *p9_data_fid(struct inode *i, bool write);

/* mapped.c */
int p9_mmap(struct file *f, struct vma *vma);
/* Write what was stored through mappings that are gone; with COLLECT, through those that are there too. FID:
 * an open one that may write, or NULL: find one. */
int p9_writeback(struct inode *i, struct p9_fid *fid, bool collect);
int p9_take_writeback_error(struct inode *i); /* each error is told once */
int p9_sync(struct super *s);

/* flusher.c */
u64 p9_writeback_some(struct super *s);
void p9_flusher_add(struct super *s);
void p9_flusher_remove(struct p9_super *ps);
void p9_flusher_wake(void); /* something may be stored to through a mapping from now on */

/* xattr.c */
ssize_t p9_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int p9_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t p9_listxattr(struct inode *i, char *buf, size_t size);
int p9_removexattr(struct inode *i, const char *name);
