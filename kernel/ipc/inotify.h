/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify's objects. inotify.c: the file and its event queue; inotify_watch.c: watches on inodes and what
 * reaches them. */
#pragma once

#include "ipc.h"
#include "base/rbtree.h"
#include "fs/vfs.h"
#include "kernel/mutex.h"
#include <linux/inotify.h>

struct inotify_queued {
	struct list_head node;
	int wd;
	u32 mask, cookie, name_len; /* name_len: without the terminator; 0 for none */
	char name[];
};

struct inotify_group {
	struct refcount ref;	/* the file's and each watch's */
	struct mutex mutex;	/* guards watches, last_wd; taken inside any lock of the VFS */
	struct rb_root watches; /* by wd */
	int last_wd;
	struct spinlock lock; /* guards events, nevents, bytes, overflow */
	struct list_head events;
	u32 nevents;
	size_t bytes; /* that reading all events would give */
	struct inotify_queued overflow;
	struct waitq waitq;
	/* dnotify.c: called instead of queueing an event, by a group that belongs to a directory's file. */
	void (*deliver)(struct inotify_group *, u32 mask);
	struct dnotify *dnotify;
};

struct inotify_watch {
	struct refcount ref;	     /* the group's tree, and events on their way */
	struct rb_node node;	     /* group->watches */
	struct list_head inode_node; /* inode->watches; guarded by the inode's lock of inotify_watch.c */
	struct list_head all_node;   /* every watch, newest first; guarded by all_lock of inotify_watch.c */
	struct inotify_group *group;
	struct inode *inode; /* reference held until it leaves the inode */
	int wd;
	_Atomic u32 mask;
	bool attached; /* still in the tree; guarded by group->mutex */
};

struct inotify_group *inotify_group_create(void); /* NULL: no memory */
void inotify_group_put(struct inotify_group *g);
/* Append an event, unless it repeats the last one. Thread context. */
void inotify_queue(struct inotify_group *g, int wd, u32 mask, u32 cookie, const char *name);
/* Take W off its group and inode, and tell the group (IN_IGNORED). Nothing if somebody was faster. */
void inotify_watch_remove(struct inotify_watch *w);
void inotify_watch_put(struct inotify_watch *w);
/* inotify_add_watch on PATH (a kernel string) and inotify_rm_watch: the watch descriptor or 0, or -errno. */
int inotify_watch_path(struct inotify_group *g, const char *path, u32 mask);
int inotify_watch_inode(struct inotify_group *g, struct inode *inode, u32 mask);
int inotify_watch_drop(struct inotify_group *g, int wd);
void inotify_watch_drop_all(struct inotify_group *g);

/* dnotify.c and sigio.c: the request for signals about a directory that hangs on its file. */
struct dnotify **sigio_lock_dnotify(struct file *f); /* NULL: no memory */
void sigio_unlock_dnotify(struct file *f);
void dnotify_end(struct dnotify *d);
