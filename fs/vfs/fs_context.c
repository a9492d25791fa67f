/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a process stands in the tree: root, working directory, umask. Shared by CLONE_FS.
 * The lock guards the two paths; seq lets path walks copy them under RCU without it. */
#include "internal.h"

static struct fs_context *fs_context_alloc(void)
{
	struct fs_context *c = kzalloc(sizeof *c);

	if (!c)
		return NULL;
	refcount_set(&c->ref, 1);
	spin_init(&c->lock);
	c->umask = 022;
	return c;
}

struct fs_context *fs_context_create(void)
{
	struct fs_context *c = fs_context_alloc();

	if (c && root_mount) {
		c->root = (struct path){root_mount, root_mount->root};
		path_get(&c->root);
		path_follow_mounts(&c->root);
		c->cwd = c->root;
		path_get(&c->cwd);
	}
	return c;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *c = fs_context_alloc();

	if (!c)
		return ERR_PTR(-ENOMEM);
	spin_lock(&from->lock);
	c->root = from->root;
	c->cwd = from->cwd;
	c->umask = from->umask;
	if (c->root.dentry)
		path_get(&c->root);
	if (c->cwd.dentry)
		path_get(&c->cwd);
	spin_unlock(&from->lock);
	return c;
}

void fs_context_get(struct fs_context *c)
{
	refcount_get(&c->ref);
}

void fs_context_put(struct fs_context *c)
{
	if (!refcount_put(&c->ref))
		return;
	if (c->root.dentry)
		path_put(&c->root);
	if (c->cwd.dentry)
		path_put(&c->cwd);
	kfree(c);
}

static int context_path(struct fs_context *c, bool cwd, struct path *out)
{
	if (c) {
		spin_lock(&c->lock);
		*out = cwd ? c->cwd : c->root;
		if (out->dentry) {
			path_get(out);
			spin_unlock(&c->lock);
			return 0;
		}
		spin_unlock(&c->lock);
	}
	if (!root_mount)
		return -ENOENT;
	*out = (struct path){root_mount, root_mount->root};
	path_get(out);
	path_follow_mounts(out);
	return 0;
}

int fs_context_root(struct fs_context *c, struct path *out)
{
	return context_path(c, false, out);
}

int fs_context_cwd(struct fs_context *c, struct path *out)
{
	return context_path(c, true, out);
}

u32 fs_context_umask(struct fs_context *c)
{
	return c ? atomic_load_explicit(&c->umask, memory_order_relaxed) : 0;
}

bool fs_context_paths_rcu(struct fs_context *c, struct path *root, struct path *cwd)
{
	u32 seq;

	if (!c)
		return false;
	do {
		while ((seq = atomic_load_explicit(&c->seq, memory_order_acquire)) & 1)
			cpu_relax();
		root->mnt = READ_ONCE(c->root.mnt);
		root->dentry = READ_ONCE(c->root.dentry);
		cwd->mnt = READ_ONCE(c->cwd.mnt);
		cwd->dentry = READ_ONCE(c->cwd.dentry);
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load_explicit(&c->seq, memory_order_relaxed) != seq);
	return root->dentry && cwd->dentry;
}

static void context_set(struct fs_context *c, struct path *slot, const struct path *p)
{
	struct path old;

	path_get((struct path *)(uintptr_t)p);
	spin_lock(&c->lock);
	atomic_fetch_add_explicit(&c->seq, 1, memory_order_acq_rel);
	old = *slot;
	*slot = *p;
	atomic_fetch_add_explicit(&c->seq, 1, memory_order_release);
	spin_unlock(&c->lock);
	if (old.dentry)
		path_put(&old);
}

void fs_context_set_root(struct fs_context *c, const struct path *p)
{
	context_set(c, &c->root, p);
}

void fs_context_set_cwd(struct fs_context *c, const struct path *p)
{
	context_set(c, &c->cwd, p);
}
