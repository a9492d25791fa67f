/* SPDX-License-Identifier: BSD-2-Clause */
/* Name spaces as files: what the links of /proc/PID/ns lead to. There is one of each kind; programs compare
 * their inode numbers. ioctl_ns(2). */
#include "base/string.h"
#include "internal.h"
#include "kernel/app.h"
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

static const struct {
	const char *name;
	int type;
} kinds[] = {{"cgroup:", CLONE_NEWCGROUP}, {"ipc:", CLONE_NEWIPC}, {"mnt:", CLONE_NEWNS},
	     {"net:", CLONE_NEWNET},	   {"pid:", CLONE_NEWPID}, {"time:", CLONE_NEWTIME},
	     {"user:", CLONE_NEWUSER},	   {"uts:", CLONE_NEWUTS}};

static struct fs_type nsfs_type = {.name = "nsfs", .nodev = true};
static DEFINE_MUTEX(nsfs_lock);
static struct mount *nsfs_mount; /* made at first use; guarded by nsfs_lock, then constant */

static long ns_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	int type = ns_file_type(f);

	switch (cmd) {
	case NS_GET_NSTYPE:
		return type;
	case NS_GET_USERNS:
	case NS_GET_PARENT:
		/* The first ones have no parents, and only trees of their kind have any. */
		return cmd == NS_GET_USERNS || type == CLONE_NEWUSER || type == CLONE_NEWPID ? -EPERM
											     : -EINVAL;
	case NS_GET_OWNER_UID:
		return type == CLONE_NEWUSER ? put_app(0u, (u32 __app *)arg) : -EINVAL;
	default:
		return -ENOTTY;
	}
}

static const struct file_ops ns_fops = {.ioctl = ns_ioctl};

int ns_file_type(const struct file *f)
{
	return f->ops == &ns_fops ? (int)(uintptr_t)f->inode->priv : 0;
}

bool path_is_ns(const struct path *p)
{
	return p->dentry->inode && p->dentry->inode->fops == &ns_fops;
}

static struct mount *mount_make(void)
{
	struct super *s = super_create(&nsfs_type, NULL, NSFS_MAGIC, PAGE_SIZE);
	struct mount *m = NULL;
	struct inode *root;

	if (!s)
		return NULL;
	root = inode_alloc(s);
	if (root)
		root->mode = S_IFDIR | 0555;
	if (!super_set_root(s, root))
		m = mount_internal(s);
	super_put(s);
	return m;
}

int ns_path(struct path *out, const char *name, u64 ino)
{
	struct inode *i;

	mutex_lock(&nsfs_lock);
	if (!nsfs_mount)
		nsfs_mount = mount_make();
	mutex_unlock(&nsfs_lock);
	i = nsfs_mount ? inode_alloc(nsfs_mount->super) : NULL;
	if (!i)
		return -ENOMEM;
	i->mode = S_IFREG | 0444;
	i->ino = ino;
	i->fops = &ns_fops;
	for (unsigned n = 0; n < ARRAY_SIZE(kinds); n++)
		if (!strncmp(name, kinds[n].name, strlen(kinds[n].name)))
			i->priv = (void *)(uintptr_t)kinds[n].type;
	if (!path_set_nameless(out, nsfs_mount, name, i))
		return 0;
	inode_put(i);
	return -ENOMEM;
}
