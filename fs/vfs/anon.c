/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes and nameless paths for files that live in no tree: pipes, memfd, shared anonymous memory. They
 * belong to an internal file system that is mounted nowhere. */
#include "base/string.h"
#include "internal.h"
#include "kernel/clock.h"

#define ANON_MAGIC    0x09041934
#define ANON_FILE_DEV 15

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

void anon_getattr(const struct file *f, struct statx *out)
{
	memset(out, 0, sizeof *out);
	out->stx_mask = STATX_BASIC_STATS;
	out->stx_blksize = PAGE_SIZE;
	out->stx_nlink = 1;
	out->stx_mode = 0600;
	out->stx_ino = f->anon_id;
	out->stx_dev_minor = ANON_FILE_DEV;
	if (f->anon_name && !strcmp(f->anon_name, "socket"))
		out->stx_mode = S_IFSOCK | 0777;
	else if (f->anon_name && !strcmp(f->anon_name, "pipe"))
		out->stx_mode = S_IFIFO | 0600;
	out->stx_uid = current_cred()->fsuid;
	out->stx_gid = current_cred()->fsgid;
}

static int view_getattr(struct inode *i, struct statx *out)
{
	out->stx_dev_major = 0;
	out->stx_dev_minor = ANON_FILE_DEV;
	return 0;
}

static const struct inode_ops view_ops = {.getattr = view_getattr};

int file_anon_path(const struct file *f, struct path *out)
{
	struct mount *m = anon_mount_get();
	struct inode *i = m ? inode_alloc(m->super) : NULL;
	struct statx st;

	if (!i)
		return -ENOMEM;
	anon_getattr(f, &st);
	inode_init_owner(i, NULL, st.stx_mode);
	i->ino = st.stx_ino;
	i->ops = &view_ops;
	if (path_set_nameless(out, m, f->anon_name ? f->anon_name : "anon", i)) {
		inode_put(i);
		return -ENOMEM;
	}
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
