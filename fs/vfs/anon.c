/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes and nameless paths for files that live in no tree: pipes, memfd, shared anonymous memory. They
 * belong to an internal file system that is mounted nowhere. */
#include "base/string.h"
#include "internal.h"
#include "kernel/clock.h"

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
		root->mode = S_IFDIR;
	if (!super_set_root(s, root))
		m = mount_internal(s);
	if (m)
		root->mode = 0600; /* it stands for the files that have none of their own */
	super_put(s);
	if (m)
		rcu_assign_pointer(anon_mount, m);
out:
	mutex_unlock(&anon_lock);
	return m;
}

static struct inode *anon_inode(struct mount *m, u32 mode, u64 ino)
{
	struct inode *i = inode_alloc(m->super);

	if (i) {
		inode_init_owner(i, NULL, mode);
		i->ino = ino;
		i->ops = &anon_inode_ops;
		i->atime = i->mtime = i->ctime = clock_realtime();
	}
	return i;
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

struct inode *file_inode(struct file *f)
{
	struct inode *i = rcu_dereference(f->inode);
	struct mount *m;

	if (i)
		return i;
	m = anon_mount_get();
	if (!m)
		return NULL;
	mutex_lock(&anon_lock);
	i = f->inode;
	if (!i && !strncmp(f->anon_name, "anon_inode:", 11)) {
		i = m->root->inode;
		inode_get(i);
	} else if (!i) {
		i = anon_inode(m, strcmp(f->anon_name, "socket") ? S_IFREG | 0600 : S_IFSOCK | 0777,
			       f->anon_id);
	}
	rcu_assign_pointer(f->inode, i);
	mutex_unlock(&anon_lock);
	return i;
}

int file_get_path(struct file *f, struct path *out)
{
	struct inode *i;

	if (f->path.dentry) {
		*out = f->path;
		path_get(out);
		return 0;
	}
	i = file_inode(f);
	if (!i)
		return -ENOMEM;
	inode_get(i);
	if (path_set_nameless(out, anon_mount_get(), f->anon_name, i)) {
		inode_put(i);
		return -ENOMEM;
	}
	return 0;
}

int file_set_anon_inode(struct file *f, u32 mode)
{
	struct mount *m = anon_mount_get();
	struct inode *i = m ? anon_inode(m, mode, f->anon_id) : NULL;

	if (!i)
		return -ENOMEM;
	i->fops = f->ops;
	if (path_set_nameless(&f->path, m, f->anon_name, i)) {
		inode_put(i);
		return -ENOMEM;
	}
	f->inode = i;
	return 0;
}
