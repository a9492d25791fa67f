/* SPDX-License-Identifier: BSD-2-Clause */
/* Path walking.
 *
 * Most walks are over names that are cached and end at no link: walk_fast does those under RCU, with no
 * reference and no store but at the end, and gives up (returns false) at anything else. The full walk holds a
 * reference on where it stands, asks file systems, follows links (40 at most in one walk) and steps over
 * mounts in both directions. Locks: the directory inode's lock around a question to the file system. May
 * sleep. */
#include "base/string.h"
#include "internal.h"
#include "kernel/app.h"
#include "kernel/counter.h"
#include <linux/mount.h>

static DEFINE_COUNTER(vfs_walk_full, "path walks that needed references or the file system");
static DEFINE_COUNTER(vfs_walk_links, "path walks given up after 40 symbolic links");

/* Length of the component at S, which is not a slash. */
static size_t component_len(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != '/')
		n++;
	return n;
}

static bool is_dot(const char *s, size_t n)
{
	return n == 1 && s[0] == '.';
}

static bool is_dotdot(const char *s, size_t n)
{
	return n == 2 && s[0] == '.' && s[1] == '.';
}

static bool dentry_stale(struct dentry *dir, struct dentry *d)
{
	const struct inode_ops *dops = dir->inode->ops;

	if (dops && dops->revalidate)
		return dops->revalidate(d);
	if (d->inode && d->inode->ops && d->inode->ops->revalidate)
		return d->inode->ops->revalidate(d);
	return false;
}

#define WALK_UNDECIDED 1

/* The fast walk: 0 with references in *OUT; -ENOENT; WALK_UNDECIDED: do the full one. */
static int walk_fast(const char *path, u32 flags, struct path *out)
{
	struct fs_context *fs = current->fs;
	struct creds creds = flags & WALK_REAL_IDS ? creds_real() : creds_fs();
	struct path root, at;
	u32 seq;

	rcu_read_lock();
	if (!fs_context_paths_rcu(fs, &root, &at))
		goto fail;
	if (*path == '/')
		at = root;
	seq = rename_read_begin();
	for (;;) {
		struct inode *dir;
		struct dentry *d;
		size_t n;

		while (*path == '/')
			path++;
		if (!*path)
			break;
		n = component_len(path);
		dir = rcu_dereference(at.dentry->inode);
		if (!dir || !S_ISDIR(dir->mode) || permission_as(&creds, dir, MAY_EXEC) || n > NAME_LEN_MAX)
			goto fail;
		if (is_dot(path, n)) {
			path += n;
			continue;
		}
		if (is_dotdot(path, n)) {
			if (at.dentry == at.mnt->root || at.dentry == root.dentry)
				goto fail;
			at.dentry = READ_ONCE(at.dentry->parent);
			path += n;
			continue;
		}
		d = dcache_find_rcu(at.dentry, path, n, dentry_hash(at.dentry, path, n));
		if (!d)
			goto fail;
		dir = rcu_dereference(d->inode);
		if (dentry_stale(at.dentry, d) || (dir && S_ISLNK(dir->mode)))
			goto fail;
		if (!dir) {
			rcu_read_unlock();
			return rename_read_retry(seq) ? WALK_UNDECIDED : -ENOENT;
		}
		at.dentry = d;
		while (unlikely(d->flags & DENTRY_MOUNTED)) {
			struct mount *m = mount_at(at.mnt, d);

			if (!m)
				break;
			at.mnt = m;
			at.dentry = d = m->root;
		}
		path += n;
		if (*path == '/' && !S_ISDIR(at.dentry->inode->mode))
			goto fail;
	}
	if (flags & WALK_DIRECTORY && !dentry_is_dir(at.dentry))
		goto fail;
	if (!refcount_get_unless_zero(&at.dentry->ref))
		goto fail;
	if (!refcount_get_unless_zero(&at.mnt->ref)) {
		rcu_read_unlock();
		dentry_put(at.dentry);
		return WALK_UNDECIDED;
	}
	rcu_read_unlock();
	if (rename_read_retry(seq)) {
		path_put(&at);
		return WALK_UNDECIDED;
	}
	if (!(at.dentry->flags & DENTRY_ACCESSED))
		at.dentry->flags |= DENTRY_ACCESSED;
	*out = at;
	return 0;
fail:
	rcu_read_unlock();
	return WALK_UNDECIDED;
}

/* Ask the file system for NAME in DIR, whose inode's lock is held, and remember the answer. */
static struct dentry *lookup_real(struct dentry *dir, const char *name, size_t len)
{
	struct inode *di = dir->inode, *i;
	struct dentry *d;

	if (di->flags & INODE_DEAD)
		return ERR_PTR(-ENOENT);
	if (!di->ops || !di->ops->lookup)
		return ERR_PTR(-ENOTDIR);
	d = dentry_alloc(dir, name, len);
	if (!d)
		return ERR_PTR(-ENOMEM);
	i = di->ops->lookup(di, name, len);
	if (IS_ERR(i) && PTR_ERR(i) != -ENOENT) {
		dentry_put(d);
		return (struct dentry *)i;
	}
	if (!IS_ERR(i))
		d->inode = i;
	if (d->inode || di->super->cache_negative)
		dcache_insert(d);
	return d;
}

/* D is stale unless its file system says otherwise. Takes over the reference; NULL: look it up anew. DIR is
 * locked. */
static struct dentry *recheck(struct inode *dir, struct dentry *d)
{
	int right = 0;

	if (d->inode && dir->ops->recheck)
		right = dir->ops->recheck(dir, d);
	if (right > 0)
		return d;
	if (!right)
		dcache_unlink(d);
	dentry_put(d);
	return ERR_PTR(right);
}

struct dentry *lookup_child(struct dentry *dir, const char *name, size_t len, bool locked)
{
	u32 hash = dentry_hash(dir, name, len);
	struct dentry *d;

	if (len > NAME_LEN_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	if (!locked) {
		rcu_read_lock();
		d = dcache_find_rcu(dir, name, len, hash);
		if (d && !dentry_stale(dir, d) && refcount_get_unless_zero(&d->ref)) {
			rcu_read_unlock();
			/* A rename may have moved it between the test and the reference. */
			if (READ_ONCE(d->parent) == dir && READ_ONCE(d->hash) == hash)
				return d;
			dentry_put(d);
		} else {
			rcu_read_unlock();
		}
		mutex_lock(&dir->inode->lock);
	}
	d = dcache_find(dir, name, len, hash);
	if (d && dentry_stale(dir, d))
		d = recheck(dir->inode, d);
	if (!d)
		d = lookup_real(dir, name, len);
	if (!locked)
		mutex_unlock(&dir->inode->lock);
	return d;
}

/* Replace where the walk stands. Takes over P's references. */
static int walk_step(struct walk *w, const struct path *p)
{
	struct path old = w->path;
	bool crossed = old.mnt != p->mnt;

	w->path = *p;
	path_put(&old);
	return crossed && w->flags & WALK_NO_XDEV ? -EXDEV : 0;
}

static int walk_dotdot(struct walk *w)
{
	struct path p = w->path;

	path_get(&p);
	for (;;) {
		struct path up;

		if (p.mnt == w->root.mnt && p.dentry == w->root.dentry) {
			if (w->flags & WALK_BENEATH) {
				path_put(&p);
				return -EXDEV;
			}
			break;
		}
		if (p.dentry != p.mnt->root) {
			up.mnt = p.mnt;
			rename_read_lock();
			up.dentry = p.dentry->parent;
			path_get(&up);
			rename_read_unlock();
			path_put(&p);
			p = up;
			break;
		}
		mutex_lock(&mount_lock);
		if (p.mnt->parent == p.mnt || !p.mnt->attached) {
			mutex_unlock(&mount_lock);
			break;
		}
		up = (struct path){p.mnt->parent, p.mnt->mountpoint};
		path_get(&up);
		mutex_unlock(&mount_lock);
		path_put(&p);
		p = up;
	}
	path_follow_mounts(&p);
	return walk_step(w, &p);
}

/* Go back to "/" for an absolute path or link. */
static int walk_to_root(struct walk *w)
{
	struct path p = w->root;

	if (w->flags & WALK_BENEATH)
		return -EXDEV;
	path_get(&p);
	return walk_step(w, &p);
}

/* A link whose file system knows where it leads. */
static int walk_jump(struct walk *w, struct inode *link)
{
	struct path p = {0};
	int err;

	if (w->flags & WALK_NO_MAGICLINKS)
		return -ELOOP;
	if (w->flags & WALK_SCOPED)
		return -EXDEV;
	err = link->ops->jump(link, &p);
	if (err)
		return err;
	if (!p.dentry)
		return -ENXIO; /* an anonymous file: there is nothing to open again */
	return walk_step(w, &p);
}

/* fs.protected_symlinks: in a directory where everybody may put things, a link at the end of a path is
 * followed only when it is the walker's own or of the directory's owner. */
static int may_follow(const struct walk *w, const struct inode *link)
{
	const struct inode *dir = w->path.dentry->inode;
	struct creds c = w->flags & WALK_REAL_IDS ? creds_real() : creds_fs();

	if (!vfs_protected_symlinks || (dir->mode & (S_ISVTX | 0002)) != (S_ISVTX | 0002))
		return 0;
	return link->uid == c.uid || link->uid == dir->uid ? 0 : -EACCES;
}

/* Continue through the link LINK (an inode with a reference elsewhere); w->rest is what follows it. LAST: it
 * ends the path. */
static int walk_link(struct walk *w, struct inode *link, bool last)
{
	char *text;
	ssize_t n;
	int err;

	if (w->nlinks++ >= SYMLINKS_MAX) {
		counter_inc(&vfs_walk_links);
		return -ELOOP;
	}
	err = last ? may_follow(w, link) : 0;
	if (err)
		return err;
	if (w->flags & WALK_NO_SYMLINKS || w->path.mnt->flags & MS_NOSYMFOLLOW)
		return -ELOOP;
	if (link->ops->jump)
		return walk_jump(w, link);
	if (!link->ops->readlink)
		return -EINVAL;
	text = kmalloc(PATH_SIZE);
	if (!text)
		return -ENOMEM;
	n = link->ops->readlink(link, text, PATH_SIZE);
	if (n <= 0) {
		kfree(text);
		return n ? (int)n : -ENOENT;
	}
	text[n < (ssize_t)PATH_SIZE ? n : (ssize_t)PATH_SIZE - 1] = 0;
	if (*w->rest) {
		w->saved[w->depth].text = w->text;
		w->saved[w->depth++].rest = w->rest;
	} else {
		kfree(w->text);
	}
	w->text = text;
	w->rest = text;
	err = *text == '/' ? walk_to_root(w) : 0;
	return err;
}

/* Nothing is left of the current text: go on with what followed the link. False: that was all. */
static bool walk_pop(struct walk *w)
{
	if (!w->depth)
		return false;
	kfree(w->text);
	w->depth--;
	w->text = w->saved[w->depth].text;
	w->rest = w->saved[w->depth].rest;
	return true;
}

/* Step to NAME; LAST when nothing follows. */
static int walk_name(struct walk *w, const char *name, size_t len, bool last)
{
	struct path p = {w->path.mnt, NULL};
	struct inode *i;
	int err;

	p.dentry = lookup_child(w->path.dentry, name, len, false);
	if (IS_ERR(p.dentry))
		return (int)PTR_ERR(p.dentry);
	i = rcu_dereference(p.dentry->inode);
	if (!i) {
		dentry_put(p.dentry);
		return -ENOENT;
	}
	if (S_ISLNK(i->mode) && (!last || w->trailing || w->flags & WALK_FOLLOW)) {
		err = walk_link(w, i, last);
		dentry_put(p.dentry);
		return err;
	}
	mount_get(p.mnt);
	path_follow_mounts(&p);
	return walk_step(w, &p);
}

/* Walk until nothing is left, or with WALK_PARENT until the last component. */
static int walk_run(struct walk *w)
{
	struct creds creds = w->flags & WALK_REAL_IDS ? creds_real() : creds_fs();

	for (;;) {
		const char *name;
		size_t len;
		bool last;
		int err;

		while (*w->rest == '/')
			w->rest++;
		if (!*w->rest) {
			if (walk_pop(w))
				continue;
			break;
		}
		if (!dentry_is_dir(w->path.dentry))
			return -ENOTDIR;
		err = permission_as(&creds, w->path.dentry->inode, MAY_EXEC);
		if (err)
			return err;
		name = w->rest;
		len = component_len(name);
		if (len > NAME_LEN_MAX)
			return w->path.dentry->inode->flags & INODE_DEAD ? -ENOENT : -ENAMETOOLONG;
		w->rest += len;
		if (*w->rest == '/') {
			const char *r = w->rest;

			while (*r == '/')
				r++;
			if (!*r) {
				/* Only slashes follow: what this names, links followed, has to be a
				 * directory. (What follows on an outer level, if anything, demands that
				 * anyway.) */
				w->rest = r;
				w->trailing |= !w->depth;
			}
		}
		last = !*w->rest && !w->depth;
		w->last_type = is_dot(name, len)      ? LAST_DOT
			       : is_dotdot(name, len) ? LAST_DOTDOT
						      : LAST_NORMAL;
		if (last && w->flags & WALK_PARENT) {
			w->last = name;
			w->last_len = len;
			return 0;
		}
		if (w->last_type == LAST_DOTDOT)
			err = walk_dotdot(w);
		else if (w->last_type == LAST_NORMAL)
			err = walk_name(w, name, len, last);
		if (err)
			return err;
	}
	if (w->flags & WALK_PARENT) {
		w->last = "/";
		w->last_len = 1;
		w->last_type = LAST_ROOT;
		return 0;
	}
	if ((w->trailing || w->flags & WALK_DIRECTORY) && !dentry_is_dir(w->path.dentry))
		return -ENOTDIR;
	return 0;
}

static int start_path(int dirfd, const char *path, u32 flags, struct path *out)
{
	struct file *f;
	int err;

	if (*path == '/' && !(flags & WALK_SCOPED))
		return fs_context_root(current->fs, out);
	if (dirfd == AT_FDCWD)
		return fs_context_cwd(current->fs, out);
	f = fd_get_raw(dirfd);
	if (!f)
		return -EBADF;
	if (*path && !(f->path.dentry && dentry_is_dir(f->path.dentry)))
		err = -ENOTDIR;
	else
		err = file_get_path(f, out);
	file_put(f);
	return err;
}

int walk_start(struct walk *w, int dirfd, const char *path, u32 flags)
{
	int err;

	if (!*path && !(flags & WALK_EMPTY))
		return -ENOENT;
	*w = (struct walk){.flags = flags, .rest = path, .last_type = LAST_ROOT};
	err = start_path(dirfd, path, flags, &w->path);
	if (err)
		return err;
	if (flags & WALK_SCOPED) {
		w->root = w->path;
		path_get(&w->root);
	} else {
		err = fs_context_root(current->fs, &w->root);
		if (err) {
			path_put(&w->path);
			return err;
		}
	}
	if (*path == '/' && flags & WALK_BENEATH)
		err = -EXDEV;
	counter_inc(&vfs_walk_full);
	if (!err)
		err = walk_run(w);
	if (err)
		walk_end(w);
	return err;
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
	int err = walk_link(w, d->inode, true);

	return err ? err : walk_run(w);
}

int walk_last_dots(struct walk *w)
{
	return w->last_type == LAST_DOTDOT ? walk_dotdot(w) : 0;
}

void walk_end(struct walk *w)
{
	while (w->depth)
		kfree(w->saved[--w->depth].text);
	kfree(w->text);
	w->text = NULL;
	if (w->path.dentry)
		path_put(&w->path);
	if (w->root.dentry)
		path_put(&w->root);
}

int walk_path(int dirfd, const char *path, u32 flags, struct path *out)
{
	struct walk w;
	int err;

	if (*path && (*path == '/' || dirfd == AT_FDCWD) &&
	    !(flags & (WALK_SCOPED | WALK_NO_XDEV | WALK_NO_SYMLINKS))) {
		err = walk_fast(path, flags, out);
		if (err != WALK_UNDECIDED)
			return err;
	}
	if (flags & WALK_CACHED)
		return -EAGAIN;
	err = walk_start(&w, dirfd, path, flags);
	if (err)
		return err;
	*out = w.path;
	w.path = (struct path){0};
	walk_end(&w);
	return 0;
}

char *app_path_get(const char __app *name, bool empty_ok)
{
	char *s = kmalloc(PATH_SIZE);
	ssize_t n;

	if (!s)
		return ERR_PTR(-ENOMEM);
	n = string_from_app(s, name, PATH_SIZE);
	if (n == 0 && !empty_ok)
		n = -ENOENT;
	if (n >= 0)
		return s;
	kfree(s);
	return ERR_PTR(n);
}

int walk_app_path(int dirfd, const char __app *name, u32 walk_flags, struct path *out)
{
	char *s = app_path_get(name, walk_flags & WALK_EMPTY);
	int err;

	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	err = walk_path(dirfd, s, walk_flags, out);
	kfree(s);
	return err;
}

int vfs_lookup_at(int dirfd, const char *path, u32 at_flags, struct path *out)
{
	return walk_path(dirfd, path, walk_flags_at(at_flags), out);
}

int vfs_lookup(const char *path, bool follow, struct path *out)
{
	return walk_path(AT_FDCWD, path, follow ? WALK_FOLLOW : 0, out);
}

int vfs_lookup_near(const struct path *at, bool beside, const char *name, struct path *out)
{
	struct path dir = *at;

	rename_read_lock();
	if (beside)
		dir.dentry = dir.dentry->parent;
	path_get(&dir);
	rename_read_unlock();
	*out = (struct path){dir.mnt, lookup_child(dir.dentry, name, strlen(name), false)};
	mount_get(out->mnt);
	path_put(&dir);
	if (IS_ERR(out->dentry) || !rcu_dereference(out->dentry->inode)) {
		int err = IS_ERR(out->dentry) ? (int)PTR_ERR(out->dentry) : -ENOENT;

		if (!IS_ERR(out->dentry))
			dentry_put(out->dentry);
		mount_put(out->mnt);
		return err;
	}
	path_follow_mounts(out);
	return 0;
}
