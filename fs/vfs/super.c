/* SPDX-License-Identifier: BSD-2-Clause */
/* File system types and supers (one instance of a file system).
 *
 * ACTIVE counts mounts and whoever made the super; at zero the root and the cached names go. REF counts the
 * inodes and, as one, all active references; at zero the file system's own part is freed (super_ops.unmount)
 * and the structure. */
#include "base/format.h"
#include "base/string.h"
#include "internal.h"
#include <asm/statfs.h>

static DEFINE_MUTEX(types_lock);
static LIST_HEAD(types); /* guarded by types_lock; entries are never removed */

int fs_register(struct fs_type *t)
{
	mutex_lock(&types_lock);
	list_add_tail(&t->node, &types);
	mutex_unlock(&types_lock);
	return 0;
}

struct fs_type *fs_find(const char *name, size_t len)
{
	struct fs_type *t, *found = NULL;

	mutex_lock(&types_lock);
	list_for_each_entry (t, &types, node)
		if (strlen(t->name) == len && !memcmp(t->name, name, len)) {
			found = t;
			break;
		}
	mutex_unlock(&types_lock);
	return found;
}

size_t vfs_filesystems_text(char *buf, size_t size)
{
	struct fs_type *t;
	size_t n = 0;

	mutex_lock(&types_lock);
	list_for_each_entry (t, &types, node)
		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0, "%s\t%s\n",
				      t->nodev ? "nodev" : "", t->name);
	mutex_unlock(&types_lock);
	return n;
}

struct super *super_create(const struct fs_type *t, const struct super_ops *ops, u64 magic, u32 block_size)
{
	static _Atomic u32 next_minor = 1;
	struct super *s = kzalloc(sizeof *s);
	u32 minor;

	if (!s)
		return NULL;
	minor = atomic_fetch_add_explicit(&next_minor, 1, memory_order_relaxed);
	s->type = t;
	s->ops = ops;
	s->magic = magic;
	s->block_size = block_size;
	s->dev = (minor & 0xff) | (u64)(minor & ~0xffu) << 12; /* major 0: no device */
	refcount_set(&s->ref, 1);
	refcount_set(&s->active, 1);
	mutex_init(&s->rename_lock);
	spin_init(&s->inodes_lock);
	return s;
}

int super_set_root(struct super *s, struct inode *root)
{
	struct dentry *d;

	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	if (!root)
		return -ENOMEM;
	d = dentry_alloc(NULL, "", 0);
	if (!d) {
		inode_put(root);
		return -ENOMEM;
	}
	d->inode = root;
	s->root = d;
	return 0;
}

static void super_free_rcu(struct rcu_head *head)
{
	struct super *s = container_of(head, struct super, rcu);

	kfree(s->inodes);
	kfree(s);
}

void super_unref(struct super *s)
{
	if (!refcount_put(&s->ref))
		return;
	if (s->ops && s->ops->unmount)
		s->ops->unmount(s);
	rcu_call(&s->rcu, super_free_rcu);
}

void super_get(struct super *s)
{
	refcount_get(&s->active);
}

void super_put(struct super *s)
{
	if (!refcount_put(&s->active))
		return;
	inotify_super_gone(s);
	if (s->root) {
		dcache_forget(s, s->root->inode, NULL, 0);
		dentry_put(s->root);
	}
	super_unref(s);
}
