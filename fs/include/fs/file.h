/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files, as every subsystem that hands out descriptors sees them (pipes, sockets, eventfd, ...). */
#pragma once

#include "base/err.h"
#include "base/iter.h"
#include "base/refcount.h"
#include "kernel/mutex.h"
#include "kernel/poll.h"
#include "kernel/rcu.h"
#include "kernel/sigio.h"
#include "kernel/spinlock.h"
#include <linux/fcntl.h>

struct dentry;
struct file;
struct inode;
struct mount;
struct sigio;
struct thread;
struct vma;

struct statx;

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

/* Passed to file_ops.iterate: emit returns false when the reader's buffer is full (the entry was not taken). */
struct dir_context {
	bool (*emit)(struct dir_context *, const char *name, size_t len, u64 next_pos, u64 ino, unsigned dtype);
	u64 pos; /* where to go on; 0 at the start; opaque to the reader */
};

/* All may be NULL: the caller then gives the errno that Linux gives (EINVAL, ENOTTY, ESPIPE, ENODEV ...).
 * Called in thread context with a reference on the file and no lock held. */
struct file_ops {
	/* POS is the position to use and advance; streams ignore it. Bytes, 0 at the end, or -errno. Honours O_NONBLOCK. */
	ssize_t (*read)(struct file *, struct iter *to, u64 *pos);
	ssize_t (*write)(struct file *, struct iter *from, u64 *pos);
	u32 (*poll)(struct file *, struct poll_table *);	      /* NULL: always EPOLLIN | EPOLLOUT, and epoll gives EPERM */
	long (*ioctl)(struct file *, unsigned cmd, unsigned long arg); /* -ENOTTY for unknown commands */
	int (*mmap)(struct file *, struct vma *);		      /* set vma->ops; page-cache files use pagecache_mmap */
	s64 (*seek)(struct file *, s64 off, int whence);	      /* NULL: it has no position, -ESPIPE */
	int (*fsync)(struct file *, bool data_only);
	int (*fallocate)(struct file *, int mode, u64 off, u64 len);
	int (*iterate)(struct file *, struct dir_context *);
	int (*flush)(struct file *);				      /* each close(2) of a descriptor */
	void (*release)(struct file *);				      /* the last reference went */
	bool (*splice_nowait)(struct file *);			      /* SPLICE_F_NONBLOCK keeps splice(2) from waiting for it too */
	size_t (*fdinfo)(struct file *, char *buf, size_t size);      /* extra lines of /proc/PID/fdinfo */
	int (*set_flags)(struct file *, u32 flags);		      /* F_SETFL is about to change O_NONBLOCK/O_ASYNC...; may refuse */
	/* fcntl commands of the object itself: F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS. -EINVAL for unknown ones */
	long (*fcntl)(struct file *, unsigned cmd, unsigned long arg);
	/* fstat(2) of a file without an inode: adjust what the generic code filled in (mode, size). NULL: nothing to add */
	void (*getattr)(struct file *, struct statx *);
	u32 async; /* FILE_ASYNC ...: kernel/sigio.h */
	bool seeks_vainly; /* without a position, but lseek(2) gives 0 */
};

struct file {
	const struct file_ops *ops;
	struct refcount ref;
	_Atomic u32 flags;	/* O_ACCMODE, O_APPEND, O_NONBLOCK, O_DIRECT, O_PATH ... (not O_CLOEXEC: that is the descriptor's) */
	struct path path;	/* references held; both NULL for anonymous files */
	/* Where the data is; never NULL for files from open(2). Its reference is path's when path leads to it, else its own: in
	 * the overlay the named inode stands for a real one, which is this. */
	struct inode *inode;
	u64 pos;		/* guarded by pos_lock */
	struct mutex pos_lock;
	void *priv;		/* ops' own */
	const char *anon_name;	/* "anon_inode:[eventfd]", for /proc/PID/fd; NULL for named files */
	u64 anon_id;		/* socket:[id], pipe:[id] */
	struct list_head epoll_items; /* epoll's registrations of this file; guarded by epoll_lock */
	struct spinlock epoll_lock;
	_Atomic(struct sigio *) sigio; /* owner and signals (kernel/sigio.h); NULL until somebody asks for them */
	u64 rx_ready, version;	/* ops' own */
	u64 ra_next;		/* page cache: index that a sequential reader would ask for next */
	u32 ra_pages;		/* page cache: current read-ahead window, 0 when access looks random */
	u32 ra_mode;		/* posix_fadvise: POSIX_FADV_NORMAL, RANDOM, SEQUENTIAL */
	bool read_counted;	/* holds one of its inode's readers */
	bool write_counted;	/* holds a writer count of its inode (inode_get_write) */
	struct rcu_head rcu;
};

/* Access mode 3 is for ioctl alone: neither. */
static inline bool file_readable(const struct file *f)
{
	return ((f->flags & O_ACCMODE) + 1) & 1 && !(f->flags & O_PATH);
}

static inline bool file_writable(const struct file *f)
{
	return ((f->flags & O_ACCMODE) + 1) & 2 && !(f->flags & O_PATH);
}

static inline bool file_nonblock(const struct file *f)
{
	return f->flags & O_NONBLOCK;
}

/* A file without a name in the tree. NAME is a static string such as "anon_inode:[eventpoll]", or "socket" / "pipe",
 * which show as socket:[ID]. FLAGS: O_RDWR | O_NONBLOCK ... One reference. ERR_PTR(-ENOMEM). */
struct file *file_create_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags);
void file_get(struct file *f);
void file_put(struct file *f); /* the last one calls release. Thread context */

/* Descriptors of the current process. */
struct file *fd_get(int fd);	      /* with a reference; NULL: EBADF. O_PATH files are refused here */
struct file *fd_get_raw(int fd);      /* O_PATH files too */
/* Reserve the lowest free descriptor >= MIN; then fd_install (takes over the caller's reference) or fd_release.
 * -EMFILE, -ENOMEM. */
int fd_reserve(int min, bool cloexec);
void fd_install(int fd, struct file *f);
void fd_release(int fd);
/* reserve + install: takes over the reference on success, leaves it on failure. */
int fd_install_new(struct file *f, bool cloexec);
int fd_close(int fd);
/* Give an anonymous FILE an inode of its own (S_IFIFO | 0600 ...) and a nameless path, so that fstat, fchmod and opening
 * /proc/self/fd/N work on it. The caller may set inode->special and ops. Before the file is installed. 0 or -ENOMEM. */
int file_set_anon_inode(struct file *f, u32 mode);
/* The inode of F. Without a name in the tree it is made when first asked for: its own, or one that
 * eventfds, epolls and their like share. NULL on no memory. */
struct inode *file_inode(struct file *f);
/* A path to it, with references. Nothing can be opened through a nameless one (-ENXIO). 0 or -ENOMEM. */
int file_get_path(struct file *f, struct path *out);

extern u32 lease_break_time; /* seconds: /proc/sys/fs/lease-break-time */
extern u32 leases_enable;    /* /proc/sys/fs/leases-enable */

/* Kernel-side I/O on an open file. */
ssize_t file_read(struct file *f, void *buf, size_t n, u64 *pos);
int file_truncate(struct file *f, u64 size); /* a regular file, open for writing */
ssize_t file_write(struct file *f, const void *buf, size_t n, u64 *pos);
u32 file_poll(struct file *f, struct poll_table *pt);
#define MAX_RW_COUNT  0x7ffff000ull /* the most bytes one call transfers, as on Linux */
/* An application's I/O vector in the kernel, as an iterator. */
#define IOV_FAST 8
struct iov_import {
	struct iter it;
	struct iter_vec fast[IOV_FAST], *vec;
};
/* Copy and check VEC[N], cut to MAX_RW_COUNT bytes: -EINVAL, -EFAULT, -ENOMEM. Ends with iov_release. */
int iov_load(struct iov_import *im, const struct iter_vec __app *vec, u64 n);
void iov_release(struct iov_import *im);
/* What preadv2 and pwritev2 do, with RWF_* in FLAGS: at POS, or at the file's own position. */
ssize_t file_rw_flags(struct file *f, struct iter *it, bool positioned, s64 pos, u32 flags, bool write);
/* Called by epoll's owner when a file with epoll_items is released: implemented in kernel/ipc/epoll.c. */
void epoll_file_released(struct file *f);

/* Tables, for kernel/proc/. */
struct fdtable;
struct fs_context;
struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *from); /* fork; ERR_PTR */
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t);
/* A thread has T as its own, or no longer; do several? fdtable_create and fdtable_copy count one. */
void fdtable_join(struct fdtable *t);
void fdtable_leave(struct fdtable *t);
bool fdtable_shared(struct fdtable *t);
void fdtable_close_on_exec(struct fdtable *t);
/* For /proc/PID/fd: the smallest open descriptor >= FD, its file with a reference; -1 at the end. */
int fdtable_next(struct fdtable *t, int fd, struct file **file);
/* The file at descriptor FD of T, O_PATH files included, with a reference; NULL when there is none. Any table. */
struct file *fdtable_lookup(struct fdtable *t, int fd);
/* Number of open descriptors, and how many the table has room for (FDSize in /proc/PID/status). */
unsigned fdtable_count(struct fdtable *t, unsigned *size);
bool fdtable_cloexec(struct fdtable *t, int fd);
struct fs_context *fs_context_create(void); /* root and cwd at the root mount, umask 022 */
struct fs_context *fs_context_copy(struct fs_context *from);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
/* With references in *OUT; -ENOENT when there is no root yet. C may be NULL (kernel threads): the boot root. */
int fs_context_root(struct fs_context *c, struct path *out);
int fs_context_cwd(struct fs_context *c, struct path *out);
u32 fs_context_umask(struct fs_context *c);
