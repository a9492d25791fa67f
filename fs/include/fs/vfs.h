/* SPDX-License-Identifier: BSD-2-Clause */
/* The VFS: inodes, directory entries, mounts, path look-up, and what a file system implements. Owner:
 * fs/vfs/. */
#pragma once

#include "fs/file.h"
#include "kernel/rcu.h"
#include <linux/stat.h>

struct super;
struct posix_acl; /* fs/vfs/acl.c */
struct inode_attr;
struct statfs;
struct page_cache;

/* How a file system gets its super: mount() calls super_create, makes the root inode, and super_set_root.
 * Directory operations that make a name call dentry_instantiate (a reference passes to the dentry); those
 * that remove one leave D alone: the VFS takes it out of the cache. They keep nlink, size, times right in the
 * inodes concerned. */
struct inode_ops {
	/* Directories. Called with dir->lock held (read look-ups share nothing else). Names are not
	 * NUL-terminated. */
	struct inode *(*lookup)(struct inode *dir, const char *name,
				size_t len); /* reference; ERR_PTR(-ENOENT) */
	int (*create)(struct inode *dir, struct dentry *d, u32 mode,
		      u64 rdev); /* S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR; sets d->inode */
	int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode);
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
	int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
	int (*unlink)(struct inode *dir, struct dentry *d);
	int (*rmdir)(struct inode *dir, struct dentry *d);
	int (*rename)(struct inode *from, struct dentry *fd, struct inode *to, struct dentry *td, u32 flags);
	/* Symbolic links: store the target, NUL-terminated; returns its length (> size-1 never stored).
	 * -errno. */
	ssize_t (*readlink)(struct inode *, char *buf, size_t size);
	/* Magic links (/proc/self/exe, /proc/PID/fd/N): jump straight to a path. NULL for ordinary links. */
	int (*jump)(struct inode *, struct path *out);
	/* Attributes. NULL: generic. */
	int (*setattr)(struct inode *, const struct inode_attr *);
	int (*getattr)(struct inode *, struct statx *); /* fill beyond the generic fields */
	ssize_t (*getxattr)(struct inode *, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *, const char *name, const void *buf, size_t size, int flags);
	ssize_t (*listxattr)(struct inode *, char *buf, size_t size);
	/* A file of this inode is being opened: set f->ops / f->priv if they differ from inode->fops. */
	int (*open)(struct inode *, struct file *);
	/* Must a cached dentry be looked up again? True: yes, it is stale. Asked of the directory's ops, else
	 * of the child's. D may be negative. May not sleep. NULL: never. */
	bool (*revalidate)(struct dentry *);
	int (*removexattr)(struct inode *, const char *name);
	/* revalidate says that D, which is positive, is stale: ask again, under DIR's lock; may sleep. 1: it is right after all
	 * (and its inode up to date); 0: look it up anew. -errno. NULL: always anew. */
	int (*recheck)(struct inode *dir, struct dentry *d);
	/* Access control lists (NULL: none) and the mode that follows; permission is checked. NULL: generic. */
	int (*set_acl)(struct inode *, bool dflt, struct posix_acl *);
	/* O_TMPFILE: an inode without a name, nlink 0, with a reference. ERR_PTR */
	struct inode *(*tmpfile)(struct inode *dir, u32 mode);
};

struct inode_attr {
	u32 valid; /* bits below */
#define ATTR_MODE  1
#define ATTR_UID   2
#define ATTR_GID   4
#define ATTR_SIZE  8
#define ATTR_ATIME 16
#define ATTR_MTIME 32
#define ATTR_CTIME 64
#define ATTR_OPEN  128 /* the size change is an O_TRUNC */
#define ATTR_CHOWN 256 /* from chown: set-ID bits go, whatever else changes */
#define ATTR_ATIME_NOW 512 /* the time is "now": file systems elsewhere may take their own clock's */
#define ATTR_MTIME_NOW 1024
#define ATTR_FLAGS     2048
	u32 mode, uid, gid;
	u32 flags; /* of INODE_CHATTR */
	u64 size;
	u64 atime, mtime, ctime; /* CLOCK_REALTIME ns */
};

struct inode {
	struct super *super;
	u64 ino;
	u32 mode; /* S_IFMT and permissions */
	u32 nlink, uid, gid;
	struct posix_acl *acl,
		*default_acl; /* NULL: the mode says all; replaced under lock, read under RCU */
	u64 rdev;
	u64 size;			/* bytes; guarded by lock */
	u64 blocks;			/* 512-byte units */
	u64 atime, mtime, ctime, btime; /* CLOCK_REALTIME ns */
	struct refcount ref;
	struct mutex lock; /* directory changes, size changes, writes */
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct page_cache *cache; /* regular files with pages; else NULL */
	void *priv;		  /* the file system's */
	void *special; /* FIFO: struct pipe; socket file: struct unix_sock (kernel/ipc, net/unix keep them) */
	struct list_head locks;	    /* POSIX and flock locks: fs/vfs/locks.c guards them */
	struct list_head watches;   /* inotify marks: kernel/ipc/inotify.c; guarded by lock */
	struct list_head leases;    /* F_SETLEASE: fs/vfs/lease.c guards them */
	_Atomic s32 readers;	    /* regular files: opens for reading alone, which write leases ask for */
	_Atomic s32 writers;	    /* files open for writing, or minus the programs that run from it */
	_Atomic u32 flags;	    /* INODE_* */
	struct list_head hash_node; /* inode cache of its super, by ino: fs/vfs/inode.c */
	struct rcu_head rcu;
};

#define INODE_HASHED   1  /* in the inode cache */
#define INODE_DEAD     2  /* a removed directory: no more entries */
#define INODE_SHMEM    4  /* memfd or shared anonymous memory */
#define INODE_HUGETLB  64 /* its pages are 2 MiB ones of the pool */
#define INODE_OPAQUE   32 /* overlay: nothing shows through this directory */
#define INODE_LINKABLE 16 /* made by O_TMPFILE: link(2) may give it its first name */
#define INODE_PSEUDO   8  /* contents are generated (proc, sys): size 0 does not mean empty */
/* chattr's: the ABI's FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL and FS_NOATIME_FL, 4 bits to the left */
#define INODE_CHATTR_SHIFT 4
#define INODE_IMMUTABLE	   0x100
#define INODE_APPEND	   0x200
#define INODE_NODUMP	   0x400
#define INODE_NOATIME	   0x800
#define INODE_CHATTR	   0xf00

struct dentry {
	struct dentry *parent; /* itself for a root; reference held */
	struct inode *inode;   /* NULL: negative. Set once; reference held */
	struct refcount ref;   /* users, children, and one while it is in the cache */
	u32 hash, len;
	char *name; /* NUL-terminated; replaced as a whole by rename, freed by RCU */
	/* tree and hash linkage: fs/vfs/dcache.c */
	struct dentry *hash_next, **hash_pprev;
	struct list_head lru;
	_Atomic u32 flags;
	struct rcu_head rcu;
};

/* Give a negative entry its inode (a reference passes to it): what create, mkdir, symlink and link end with.
 */
static inline void dentry_instantiate(struct dentry *d, struct inode *i)
{
	rcu_assign_pointer(d->inode, i);
}

struct super_ops {
	/* The inode of a number that it had, with a reference: file handles are made of it. NULL: no handles.
	 * ERR_PTR(-ESTALE) */
	struct inode *(*inode_get)(struct super *, u64 ino);
	/* The last reference went: free the file system's part (priv, cache). The VFS frees the inode itself.
	 */
	void (*evict)(struct inode *);
	int (*statfs)(struct super *, struct statfs *); /* NULL: a pseudo file system's zeros with `magic` */
	int (*sync)(struct super *);
	u64 (*writeback)(struct super *); /* memory is short: pages that could go once they were written. How many */
	void (*unmount)(struct super *);
	/* Text for the options column of /proc/mounts, beginning with a comma ("", ",size=64k"). NULL: none.
	 * Bytes written */
	size_t (*show_options)(struct super *, char *buf, size_t size);
	int (*remount)(struct super *, u32 flags,
		       const char *options); /* NULL: only MS_RDONLY is looked at */
};

struct super {
	const struct fs_type *type;
	const struct super_ops *ops;
	struct dentry *root;
	u64 dev; /* st_dev */
	u32 block_size;
	bool read_only;
	bool acl; /* its inodes have access control lists, and the flags of chattr */
	void *priv;
	u64 magic;	     /* f_type of statfs */
	bool cache_negative; /* remember names that do not exist: only when every change comes through the VFS
			      */
	struct refcount ref, active; /* see fs/vfs/super.c */
	struct mutex rename_lock;    /* moves of directories between directories: keeps the tree a tree */
	struct list_head *inodes;    /* inode cache buckets, or NULL; guarded by inodes_lock */
	struct spinlock inodes_lock;
	struct rcu_head rcu;
};

struct fs_type {
	const char *name;
	bool nodev; /* needs no block device: /proc/filesystems */
	/* Make a super. SOURCE and OPTIONS are kernel strings (may be ""). ERR_PTR. */
	struct super *(*mount)(const struct fs_type *, const char *source, u32 flags, const char *options);
	struct list_head node;
};

int fs_register(struct fs_type *t);
struct fs_type *fs_find(const char *name, size_t len);
/* A new super with a device number of its own. MAGIC is statfs's f_type. NULL on no memory. */
struct super *super_create(const struct fs_type *t, const struct super_ops *ops, u64 magic, u32 block_size);
/* Make ROOT (a directory; its reference is taken over, on failure too) the root. 0, -ENOMEM, or ROOT's error
 * when it is an ERR_PTR. */
int super_set_root(struct super *s, struct inode *root);
/* super_create gives one reference, which mount() hands over when it returns the super; super_put is the way
 * back when mount() fails, and ends in ops->unmount. super_get: one more, to return a super that is mounted
 * already. */
void super_get(struct super *s);
void super_put(struct super *s);
/* Mount TYPE from SOURCE on PATH (kernel string; "/" first of all). MS_* flags. */
int vfs_mount(const char *source, const char *path, const char *type, u32 flags, const char *options);
/* Kernel-side open of an absolute path. ERR_PTR. */
struct file *vfs_open(const char *path, u32 flags, u32 mode);
/* Kernel-side: make the folder PATH (absolute), or an empty file there, and what is missing above it. Fine if it is there. */
int vfs_make_path(const char *path, bool folder);
/* Show what is at FROM at TO as well. */
int vfs_bind(const char *from, const char *to);
/* Write file pages that only wait for it: how many may go now. Thread context, no lock of the VFS held but inodes'. */
u64 vfs_writeback(void);
void vfs_sync(void); /* every mounted file system writes what it holds back. Thread context */
/* Look up PATH from the current process's root (or the boot root). FOLLOW the last symlink. References in
 * *OUT. */
int vfs_lookup(const char *path, bool follow, struct path *out);
/* The entry NAME of the directory AT, or BESIDE it: of AT's directory; and what is mounted there. References in
 * *OUT. Asks for no permission. -ENOENT */
int vfs_lookup_near(const struct path *at, bool beside, const char *name, struct path *out);
void path_put(struct path *p);
void path_get(struct path *p);
/* Absolute path text of P, as getcwd and /proc/PID/fd show it. Returns the start inside BUF, or
 * ERR_PTR(-ENAMETOOLONG). */
char *path_text(const struct path *p, char *buf, size_t size);

/* The same, without the " (deleted)" that unlinked names get, and relative to ROOT. *REACHABLE (may be NULL)
 * tells whether P lies below ROOT. */
char *path_text_at(const struct path *p, const struct path *root, char *buf, size_t size, bool *reachable);
bool path_unlinked(const struct path *p);
/* A path to the name space of inode number INO, of which /proc/PID/ns tells; it shows as NAME. -ENOMEM. */
int ns_path(struct path *out, const char *name, u64 ino);
int ns_file_type(const struct file *f);	    /* CLONE_NEW* of an open one; 0: it is none */
u32 path_mount_flags(const struct path *p); /* MS_NOEXEC, MS_NOSUID ... of the mount it lies in */

/* Open PATH relative to DIRFD (AT_FDCWD); the kernel's side of openat, for execveat and others. ERR_PTR. */
struct file *vfs_open_at(int dirfd, const char *path, u32 flags, u32 mode);
/* Look up relative to DIRFD with AT_SYMLINK_NOFOLLOW / AT_EMPTY_PATH. 0 with references in *OUT, or -errno.
 */
int vfs_lookup_at(int dirfd, const char *path, u32 at_flags, struct path *out);
/* Open a path that is already looked up (no O_CREAT). Takes its own references. ERR_PTR. */
struct file *vfs_open_path(const struct path *p, u32 flags);
/* The same for execve, which need not be allowed to read what it runs. */
struct file *vfs_open_exec(const struct path *p);

/* /proc/sys/fs/protected_*: as Debian's kernel has them at boot. */
extern u32 vfs_protected_hardlinks, vfs_protected_symlinks, vfs_protected_fifos, vfs_protected_regular;

/* May the current process do MASK (bits below) to I? 0, -EACCES. By fsuid, fsgid and groups; uid 0 may all
 * but run a file without x bits. */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
int inode_permission(struct inode *i, u32 mask);
/* Programs that run must not be written, and the other way round: -ETXTBSY. Undone by the matching call. */
int inode_deny_write(struct inode *i);
void inode_allow_write(struct inode *i);
int inode_get_write(struct inode *i);
void inode_put_write(struct inode *i);
/* Take over what A says about mode, owner and times (not the size): what a file system's setattr ends with.
 * I->lock is held. */
void inode_apply_attr(struct inode *i, const struct inode_attr *a);
/* A new inode's owner and mode in DIR, by the process's identity and DIR's set-group-ID bit. */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode);
/* The attributes that stat and statx show. P's references stay the caller's. */
int path_getattr(const struct path *p, struct statx *out);
int file_getattr(struct file *f, struct statx *out);
/* Seek for files with a fixed or growing size I->size; SEEK_DATA and SEEK_HOLE see one extent. For
 * file_ops.seek. */
s64 generic_file_seek(struct file *f, s64 off, int whence);
s64 generic_dir_seek(struct file *f, s64 off, int whence);
s64 noop_seek(struct file *f, s64 off, int whence);

/* Texts for /proc: like snprintf, the length that the whole text has. */
enum mounts_format { MOUNTS_MTAB, MOUNTS_INFO, MOUNTS_STATS };
size_t vfs_mounts_text(char *buf, size_t size, enum mounts_format format);
size_t vfs_locks_text(char *buf, size_t size);	     /* /proc/locks */
size_t vfs_filesystems_text(char *buf, size_t size); /* /proc/filesystems */
/* Woken when the mount table changes, and the number of changes so far: poll on /proc/mounts. */
extern struct waitq mounts_waitq;
extern _Atomic u64 mounts_sequence;
u64 vfs_dentries_total(void);
void vfs_drop_names(void); /* forget every name that nobody uses, and its inode */
u64 vfs_files_total(void); /* open files, for /proc/sys/fs/file-nr */

struct inode *
inode_alloc(struct super *s); /* zeroed, one reference, lock and lists ready; NULL on no memory */
void inode_get(struct inode *i);
void inode_put(struct inode *i);
/* Per-super inode cache for file systems whose inodes have stable numbers: one struct inode per number. Find
 * gives a reference or NULL. Add enters a filled-in inode and returns the one to use: another one when
 * somebody was faster (I is then put), or ERR_PTR(-ENOMEM). The last inode_put takes it out. */
struct inode *inode_cache_find(struct super *s, u64 ino);
struct inode *inode_cache_add(struct inode *i);
void inode_cache_remove(struct inode *i); /* its number may belong to another file from now on */
/* Forget the cached name NAME of directory DIR, and what hangs below: for file systems whose entries come and
 * go by themselves. NAME NULL: all of them. */
void dcache_forget(struct super *s, struct inode *dir, const char *name, size_t len);
/* Create a socket file or FIFO name in the tree (bind(2) of AF_UNIX, mkfifo). -EADDRINUSE is the caller's
 * mapping of -EEXIST. */
int vfs_mknod(const char *path, u32 mode, u64 rdev, struct path *out);

/* inotify hook: MASK is IN_*; called by the VFS after the fact. Implemented in kernel/ipc/inotify.c. */
void inotify_event(struct inode *inode, u32 mask, u32 cookie, const char *name);
/* S is no longer mounted anywhere: watches on its inodes end with IN_UNMOUNT. */
void inotify_super_gone(struct super *s);

/* Boot: mount the root by the kernel words root= and rootfstype=, then /proc, /sys, /dev, /tmp ... Panics
 * without a root. */
int vfs_boot_mounts(void);
/* Register SIZE bytes at BASE (direct map, page-aligned, never freed) as the block device "ram0". 0, -ENOMEM,
 * -EINVAL. */
int initrd_register(void *base, u64 size);

/* Provided elsewhere. Both set f->ops and f->priv for a node that is being opened. */
int fifo_open(struct inode *i,
	      struct file *f); /* kernel/ipc: may sleep for the other end; -ERESTARTSYS, -ENXIO */
int chrdev_open(struct inode *i,
		struct file *f); /* fs/devfs: by i->rdev, character and block nodes; -ENXIO */
