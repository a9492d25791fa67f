/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes and nameless paths for files that live in no tree: pipes, memfd, shared anonymous memory. They
 * belong to an internal file system that is mounted nowhere. */
#include "base/string.h"
#include "internal.h"
#include "kernel/clock.h"

#define ANON_MAGIC 0x09041934

static const struct inode_ops anon_inode_ops;
static struct fs_type anon_type = {.name = "anon_inodefs", .nodev = true};
static DEFINE_MUTEX(anon_lock);
static struct mount *anon_mount; /* made at first use; guarded by anon_lock, then constant */

static struct mount *anon_mount_get(void)
{
	struct mount *m = rcu_dereference(anon_mount);
	struct super *s;
	struct inode *root;

	if (likely(m))
		return m;
	mutex_lock(&anon_lock);
	m = anon_mount;
	if (m)
		goto out;
	s = super_create(&anon_type, NULL, ANON_MAGIC, PAGE_SIZE);
	if (!s)
		goto out;
	root = inode_alloc(s);
	if (root)
		root->mode = S_IFDIR | 0500;
	if (!super_set_root(s, root))
		m = mount_internal(s);
	super_put(s);
	if (m)
		rcu_assign_pointer(anon_mount, m);
out:
	mutex_unlock(&anon_lock);
	return m;
}

int path_set_nameless(struct path *out, struct mount *m, const char *name, struct inode *i)
{
	struct dentry *d = dentry_alloc(NULL, name, strnlen(name, NAME_LEN_MAX));

	if (!d)
		return -ENOMEM;
	d->flags |= DENTRY_NAMELESS | DENTRY_UNLINKED;
	d->inode = i;
	mount_get(m);
	*out = (struct path){m, d};
	return 0;
}

int file_set_anon_inode(struct file *f, u32 mode)
{
	struct mount *m = anon_mount_get();
	struct inode *i = m ? inode_alloc(m->super) : NULL;

	if (!i)
		return -ENOMEM;
	inode_init_owner(i, NULL, mode);
	i->ino = f->anon_id;
	i->ops = &anon_inode_ops;
	i->fops = f->ops;
	i->atime = i->mtime = i->ctime = clock_realtime();
	if (path_set_nameless(&f->path, m, f->anon_name ? f->anon_name : "anon", i)) {
		inode_put(i);
		return -ENOMEM;
	}
	f->inode = i;
	return 0;
}
