/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fs/vfs share with each other and nobody else: mounts, the directory entry cache, path
 * walks, locks. */
#pragma once

#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/process.h"
#include <linux/capability.h>
#include <linux/inotify.h>

#define PATH_SIZE     4096 /* PATH_MAX, the terminator included */
#define NAME_LEN_MAX  255
#define SYMLINKS_MAX  40
#define MAX_FILE_SIZE 0x7fffffffffffffffull

/* dcache.c */
enum dentry_flag {
	DENTRY_HASHED = 1 << 0,	  /* in the hash table, which holds a reference */
	DENTRY_MOUNTED = 1 << 1,  /* something is mounted on it, in some parent mount */
	DENTRY_UNLINKED = 1 << 2, /* its name is gone */
	DENTRY_ACCESSED = 1 << 3, /* looked up since the pruner saw it */
	DENTRY_NAMELESS = 1 << 4, /* never had a place in a tree: memfd, pipe */
};

u32 dentry_hash(const struct dentry *parent, const char *name, size_t len);
/* Under RCU, no reference; NULL. Marks nothing. May miss an entry while a rename is under way. */
struct dentry *dcache_find_rcu(struct dentry *parent, const char *name, size_t len, u32 hash);
/* With a reference; exact when the caller holds the parent inode's lock. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash);
/* A new unhashed negative entry with one reference. NULL on no memory. PARENT NULL: its own parent. */
struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len);
struct dentry *dcache_find_alias(struct inode *i); /* any name of I in the cache, with a reference; NULL */
void dcache_insert(struct dentry *d);
void dcache_drop(struct dentry *d);   /* out of the hash, if it is there; the caller holds a reference */
void dcache_unlink(struct dentry *d); /* drop, and mark as unlinked */
/* Move D to NEW_PARENT under the name of TARGET (rename); with EXCHANGE both swap places. The caller holds
 * both directories' locks. -ENOMEM before anything changed. */
int dcache_move(struct dentry *d, struct dentry *target, bool exchange);
void dcache_prune(
	u64 n); /* free up to N unused entries, oldest first. Thread context, no file system lock held */
/* Memory is short: free some unused entries soon, and with them inodes and their pages. Any context. */
void dcache_pressure(void);
u32 rename_read_begin(void);
bool rename_read_retry(u32 seq);
void rename_read_lock(void); /* readers that must not retry for ever */
void rename_read_unlock(void);

static inline void dentry_get(struct dentry *d)
{
	refcount_get(&d->ref);
}
void dentry_put(struct dentry *d);

static inline bool dentry_is_dir(const struct dentry *d)
{
	return d->inode && (d->inode->mode & S_IFMT) == S_IFDIR;
}

/* super.c */
void super_unref(struct super *s); /* an inode's reference */

/* mount.c. Numbers: MS_* of linux/mount.h in flags. */
struct mount {
	struct super *super;	   /* reference held */
	struct dentry *root;	   /* of what is mounted; reference held */
	struct mount *parent;	   /* itself for the root mount; reference held otherwise */
	struct dentry *mountpoint; /* in parent; reference held; NULL for the root mount */
	struct mount *hash_next;   /* chain of (parent, mountpoint); guarded by mount_lock, read under RCU */
	struct refcount ref;	   /* the tree's, children's, paths' */
	_Atomic u32 writers;	   /* files open for writing through it */
	u32 id, flags;
	bool attached;	    /* in a tree; guarded by mount_lock, as is the next */
	struct mount *copy; /* while a tree is copied */
	bool expiring;	    /* MNT_EXPIRE marked it, and nobody used it since */
	char *source;
	struct list_head node; /* all mounts in order of mounting; guarded by mount_lock */
	struct rcu_head rcu;
};

extern struct mutex mount_lock; /* guards the shape of the mount tree */
extern struct mount *root_mount;
struct mount *mount_at(struct mount *parent,
		       struct dentry *d); /* under RCU, no reference; the topmost is found by repeating */
static inline void mount_get(struct mount *m)
{
	refcount_get(&m->ref);
}
void mount_put(struct mount *m);
void mount_put_quietly(struct mount *m); /* which does not count as a use */
/* May names and contents below P change? -EROFS. */
int path_want_write(const struct path *p);
int mount_bind(const struct path *from, const struct path *to, bool recursive);
int mount_remount(const struct path *p, u32 flags, const char *options, bool bind);
int super_reconfigure(struct super *s, u32 flags, const char *options);
int mount_move(const struct path *from, const struct path *to);
/* Trees that hang nowhere, with one reference, which mount_tree_drop gives back unless mount_move made it the
 * tree's; it is called either way. */
struct mount *mount_tree_copy(const struct path *from, bool recursive);	      /* ERR_PTR */
struct mount *mount_detached(struct super *s, const char *source, u32 flags); /* NULL: no memory */
void mount_tree_drop(struct mount *m);
int mount_set_flags(const struct path *p, u32 set, u32 clear, bool recursive);
struct super *type_mount(const char *type, const char *source, u32 flags, const char *options); /* ERR_PTR */
int mount_new(const struct path *at, const char *source, const char *type, u32 flags, const char *options);
int mount_detach(const struct path *p, u32 umount_flags);
struct mount *
mount_next_locked(struct mount *prev); /* in order of mounting, mount_lock held; NULL starts and ends */
int mount_replace_root(struct super *s, const char *source); /* boot only: nobody holds the old root yet */
/* A mount that is in no tree, for the pseudo super of nameless files. */
struct mount *mount_internal(struct super *s);

/* fs_context.c */
struct fs_context {
	struct refcount ref;
	struct spinlock lock;  /* guards the paths against other threads of CLONE_FS */
	_Atomic u32 seq;       /* odd while the paths change: for readers under RCU */
	struct path root, cwd; /* references held */
	_Atomic u32 umask;
};
void fs_context_set_root(struct fs_context *c, const struct path *p); /* takes its own references */
void fs_context_set_cwd(struct fs_context *c, const struct path *p);
/* The paths without references, under RCU. False: no root yet. */
bool fs_context_paths_rcu(struct fs_context *c, struct path *root, struct path *cwd);

/* walk.c */
enum walk_flag {
	WALK_FOLLOW = 1 << 0,	 /* follow a symbolic link at the end */
	WALK_DIRECTORY = 1 << 1, /* the end must be a directory */
	WALK_EMPTY = 1 << 2,	 /* "" means the start itself */
	WALK_PARENT = 1 << 3,	 /* stop before the last component */
	WALK_BENEATH = 1 << 4,	 /* RESOLVE_* of openat2 */
	WALK_IN_ROOT = 1 << 5,
	WALK_NO_XDEV = 1 << 6,
	WALK_NO_MAGICLINKS = 1 << 7,
	WALK_NO_SYMLINKS = 1 << 8,
	WALK_CACHED = 1 << 9,
	WALK_REAL_IDS = 1 << 10, /* search permission by the real user, for access(2) */
};
#define WALK_SCOPED (WALK_BENEATH | WALK_IN_ROOT)

enum last_type { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* A path walk. After walk_start succeeds, walk_end must follow. */
struct walk {
	struct path path; /* where it stands; references held */
	struct path root; /* "/" and the end of ".."; references held */
	u32 flags;
	const char *rest; /* text not walked yet */
	const char *last; /* WALK_PARENT: the last component; valid until walk_end */
	size_t last_len;
	enum last_type last_type;
	bool trailing;	 /* slashes follow the last component: it must be a directory */
	unsigned nlinks; /* symbolic links followed */
	unsigned depth;	 /* of saved */
	struct {
		char *text;	  /* link text to free when it is done with */
		const char *rest; /* what follows the link */
	} saved[SYMLINKS_MAX];
	char *text; /* the link text that rest points into, or NULL */
};

/* What the AT_* flags of a call say of the walk. */
static inline u32 walk_flags_at(u32 at_flags)
{
	return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) | (at_flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

/* Walk PATH from DIRFD (AT_FDCWD). With WALK_PARENT, w->path is the directory and w->last the name. 0 or
 * -errno (nothing to end then). */
int walk_start(struct walk *w, int dirfd, const char *path, u32 flags);
/* WALK_PARENT found a symbolic link at the last component, D: go on through it, to the next last component.
 * On an error the walk is still to be ended. */
int walk_follow_last(struct walk *w, struct dentry *d);
int walk_last_dots(struct walk *w); /* WALK_PARENT found "." or "..": step there */
void walk_end(struct walk *w);
/* The entry NAME of DIR (which is a directory), from the cache or the file system: may be negative. With a
 * reference. ERR_PTR. LOCKED: the caller holds the directory inode's lock. */
struct dentry *lookup_child(struct dentry *dir, const char *name, size_t len, bool locked);
/* Whole look-ups: AT_FDCWD or a descriptor, a kernel string. */
int walk_path(int dirfd, const char *path, u32 flags, struct path *out);
/* Step over the mounts on P, downwards. References move along. */
void path_follow_mounts(struct path *p);
/* walk_path() for an application's string. */
int walk_app_path(int dirfd, const char __app *name, u32 walk_flags, struct path *out);
/* A kernel copy of an application's path: -ENOENT when empty unless EMPTY_OK. ERR_PTR. Free with kfree. */
char *app_path_get(const char __app *name, bool empty_ok);

/* permission.c */
struct creds {
	u32 uid, gid;
	u64 caps; /* effective */
};
static inline bool creds_capable(const struct creds *c, int cap)
{
	return c->caps >> cap & 1;
}
struct creds creds_fs(void);   /* effective: fsuid, fsgid */
struct creds creds_real(void); /* for access(2) */
int permission_as(const struct creds *c, struct inode *i, u32 mask);
bool creds_in_group(const struct creds *c, u32 gid);
bool inode_owner_or_capable(struct inode *i); /* CAP_FOWNER */
int may_create(struct inode *dir);
int may_delete(struct inode *dir, struct dentry *victim, bool is_dir);

/* namei.c: operations on names. All arguments are looked up already; errors as the system calls give them. */
/* The permissions that a file made with MODE in DIR begins with: a default list takes the umask's place. */
u32 apply_umask(const struct inode *dir, u32 mode);
int vfs_create_at(struct walk *w, u32 mode, u64 rdev, struct dentry **out);
int namei_mknod(int dirfd, const char *path, u32 mode, u64 rdev, struct path *out);
int namei_mkdir(int dirfd, const char *path, u32 mode);
int namei_unlink(int dirfd, const char *path, bool rmdir);
int namei_symlink(const char *target, int dirfd, const char *path);
int namei_link(int olddir, const char *old, int newdir, const char *new, u32 at_flags);
int namei_rename(int olddir, const char *old, int newdir, const char *new, u32 flags);

/* open.c */
struct open_how_kernel {
	u64 flags;
	u32 mode;
	u32 walk; /* WALK_* of RESOLVE_* */
};
/* Combinations of flags that mean nothing: -EINVAL. Takes away what O_PATH overrides. Before file_open_at. */
int open_check_flags(struct open_how_kernel *how);
struct file *file_open_at(int dirfd, const char *path, const struct open_how_kernel *how);
int inode_truncate(struct inode *i, u64 size, bool open);

/* attr.c */
int inode_setattr(const struct path *p, struct inode *i, struct inode_attr *a);
void inode_touch_atime(struct file *f);
void inode_touch_mtime(struct inode *i);
void inode_set_chattr(struct inode *i, u32 flags); /* of INODE_CHATTR */
void inode_getattr(struct inode *i, struct statx *out);
/* Drop set-user-ID and set-group-ID before a write by someone who is not root. */
void inode_remove_privs(struct inode *i);

/* locks.c */
void locks_remove_posix(struct file *f, void *owner);
void locks_remove_file(struct file *f);
int locks_posix(struct file *f, unsigned cmd, struct flock *fl, bool ofd);
int locks_flock(struct file *f, unsigned op, bool wait); /* LOCK_SH, LOCK_EX, LOCK_UN */

/* lease.c */
int lease_set(int fd, struct file *f, u64 type); /* F_SETLEASE */
int lease_get(struct file *f);			 /* F_GETLEASE */
/* Their lines of /proc/locks, numbered from NR + 1; like snprintf, the length that the whole text has. */
size_t leases_text(char *buf, size_t size, unsigned nr);
void lease_release(struct file *f);		 /* the last reference to F went */
int lease_break_slow(struct inode *i, bool write, bool nonblock);
/* I is being opened, or cut: wait until no lease stands in the way. The caller has counted its open already.
 * -EWOULDBLOCK, -ERESTARTSYS. */
static inline int lease_break(struct inode *i, bool write, bool nonblock)
{
	atomic_thread_fence(memory_order_seq_cst); /* after the count: pairs with lease_enter */
	return likely(list_empty(&i->leases)) ? 0 : lease_break_slow(i, write, nonblock);
}

/* The inode that F's name stands for, whose attributes and locks count; its data may be in f->inode. */
static inline struct inode *file_named_inode(const struct file *f)
{
	return f->path.dentry ? f->path.dentry->inode : f->inode;
}

/* F's contents were changed: what the inode of its name keeps of them for checks follows (overlay). */
static inline void file_contents_changed(const struct file *f)
{
	struct inode *named = file_named_inode(f);

	if (unlikely(named != f->inode && named)) {
		named->mode = f->inode->mode;
		named->size = f->inode->size;
	}
}

/* file.c */
struct file *file_alloc(u32 flags); /* one reference, no inode; NULL on no memory */

/* fdtable.c */
struct fdtable *current_fdtable(void);
int fd_dup_to(struct file *f, int newfd, bool cloexec); /* dup2: takes its own reference */
int fd_cloexec_get(int fd);				/* 0/1, -EBADF */
int fd_cloexec_set(int fd, bool on);
int fd_close_range(unsigned first, unsigned last, bool cloexec_only);
int fdtable_unshare(void); /* CLOSE_RANGE_UNSHARE: give the thread a table of its own */

/* notify.c: inotify events of a named thing and its directory */
void notify_dentry_slow(struct dentry *d, u32 mask);
static inline void notify_dentry(struct dentry *d, u32 mask)
{
	struct dentry *parent;

	if (!d || !d->inode)
		return;
	rcu_read_lock();
	parent = rcu_dereference(d->parent);
	if (unlikely(!list_empty(&d->inode->watches) ||
		     (parent->inode && !list_empty(&parent->inode->watches)))) {
		rcu_read_unlock();
		notify_dentry_slow(d, mask);
		return;
	}
	rcu_read_unlock();
}

/* rw.c: what follows N bytes read from F, or written to it */
static inline void file_was_read(struct file *f, ssize_t n)
{
	if (n > 0 && f->path.dentry) {
		if (f->inode->cache)
			inode_touch_atime(f);
		notify_dentry(f->path.dentry, IN_ACCESS);
	}
}

static inline void file_was_written(struct file *f, ssize_t n)
{
	if (n > 0 && f->path.dentry) {
		file_contents_changed(f);
		notify_dentry(f->path.dentry, IN_MODIFY);
	}
}
void notify_name(struct inode *dir, u32 mask, u32 cookie, const char *name, bool is_dir);

#define ANON_MAGIC 0x09041934	       /* the file system of nameless files */
bool path_is_ns(const struct path *p); /* nsfs.c */
/* anon.c: a path to I (whose reference is taken over) that shows as "/NAME (deleted)". -ENOMEM. */
int path_set_nameless(struct path *out, struct mount *m, const char *name, struct inode *i);

/* rw.c: the checks around file_ops.read and write that every path to them needs */
ssize_t file_read_iter(struct file *f, struct iter *to, u64 *pos);
ssize_t file_write_iter(struct file *f, struct iter *from, u64 *pos);
