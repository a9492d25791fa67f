/* SPDX-License-Identifier: BSD-2-Clause */
/* The overlay: a read-only tree made writable by a tmpfs on top, as a whole and in memory.
 *
 * Theory. An overlay inode stands for a lower inode (of the read-only file system), an upper one (of a
 * private tmpfs), or both. An object is read from above if it is there, else from below. The first change
 * copies it up: the directories above it, then itself, under its old inode number. A file that is opened gets
 * the real inode of that moment (file.inode), so reading, mapping and the page cache are those of the real
 * file system, at no cost; a descriptor that was opened for reading before a copy was made keeps reading the
 * old contents, as on Linux. A directory shows the union of its two parts; a name that was removed is hidden
 * by a whiteout above, and a directory made anew over an old name is opaque. Directories with a lower part
 * are not renamed (EXDEV: mv then copies).
 *
 * Numbers: copies keep the lower number, new inodes count from 2^40. Overlay inodes are cached by number; a
 * lower file with several names is indexed once it was copied, so that all names lead to the copy.
 *
 * Locks: the overlay inodes' (taken by the VFS) > copy_lock > the upper inodes'. */
#include "overlay.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/init.h"
#include <asm/statfs.h>
#include <linux/magic.h>

#define NEW_INODES (1ull << 40)

static int ovl_statfs(struct super *s, struct statfs *out)
{
	struct ovl_super *os = s->priv;

	return os->upper_super->ops->statfs(os->upper_super, out);
}

static size_t ovl_show_options(struct super *s, char *buf, size_t size)
{
	struct ovl_super *os = s->priv;

	return (size_t)scnprintf(buf, size, ",lowerdir=%s,upperdir=tmpfs", os->lower_name);
}

static void ovl_unmount(struct super *s)
{
	struct ovl_super *os = s->priv;

	if (!os)
		return;
	ovl_index_free(os);
	if (os->lower_root)
		inode_put(os->lower_root);
	if (os->upper_root)
		inode_put(os->upper_root);
	if (os->upper_super)
		super_put(os->upper_super);
	super_put(os->lower_super);
	kfree(os);
}

static const struct super_ops ovl_super_ops = {
	.evict = ovl_evict,
	.statfs = ovl_statfs,
	.unmount = ovl_unmount,
	.show_options = ovl_show_options,
};

/* The private tmpfs: its root looks like the lower root. */
static int make_upper(struct ovl_super *os, const char *options)
{
	struct inode *up, *low = os->lower_root;

	os->upper_super = tmpfs_super_make(&tmpfs_type, options, false);
	if (IS_ERR(os->upper_super)) {
		int err = (int)PTR_ERR(os->upper_super);

		os->upper_super = NULL;
		return err;
	}
	tmpfs_super(os->upper_super)->next_ino = NEW_INODES;
	up = os->upper_super->root->inode;
	inode_get(up);
	os->upper_root = up;
	up->ino = low->ino;
	up->mode = low->mode;
	up->uid = low->uid;
	up->gid = low->gid;
	up->atime = low->atime;
	up->mtime = low->mtime;
	up->ctime = low->ctime;
	return 0;
}

struct super *ovl_super_make(const struct fs_type *t, struct super *lower, struct inode *lower_root,
			     const char *lower_name, const char *upper_options)
{
	struct super *s = super_create(t, &ovl_super_ops, OVERLAYFS_SUPER_MAGIC, PAGE_SIZE);
	struct ovl_super *os = s ? kzalloc(sizeof *os) : NULL;
	int err;

	if (!os) {
		if (s)
			super_put(s);
		return ERR_PTR(-ENOMEM);
	}
	spin_init(&os->index_lock);
	list_init(&os->index);
	s->priv = os;
	s->cache_negative = true;
	s->acl = true;
	super_get(lower);
	inode_get(lower_root);
	os->lower_super = lower;
	os->lower_root = lower_root;
	str_copy(os->lower_name, lower_name, sizeof os->lower_name);
	err = make_upper(os, upper_options);
	if (!err) {
		inode_get(os->lower_root);
		inode_get(os->upper_root);
		err = super_set_root(s, ovl_iget(s, os->lower_root, os->upper_root, NULL, "", 0));
	}
	if (err) {
		super_put(s);
		return ERR_PTR(err);
	}
	return s;
}

/* "lowerdir=PATH" names a directory that is mounted somewhere; every other option goes to the tmpfs. */
static struct super *ovl_mount(const struct fs_type *t, const char *source, u32 flags, const char *options)
{
	static const char key[] = "lowerdir=";
	const char *at = strstr(options, key), *end;
	char *path, *rest;
	struct super *s;
	struct path p;
	int err;

	if (!at)
		return ERR_PTR(-EINVAL);
	at += sizeof key - 1;
	end = strchr(at, ',');
	path = end ? kstrndup(at, (size_t)(end - at)) : kstrdup(at);
	rest = kstrdup(end ? end + 1 : "");
	s = ERR_PTR(-ENOMEM);
	if (!path || !rest)
		goto out;
	err = vfs_lookup(path, true, &p);
	s = ERR_PTR(err);
	if (err)
		goto out;
	if (dentry_is_dir(p.dentry))
		s = ovl_super_make(t, p.mnt->super, p.dentry->inode, path, rest);
	else
		s = ERR_PTR(-ENOTDIR);
	path_put(&p);
out:
	kfree(path);
	kfree(rest);
	return s;
}

static struct fs_type overlay_type = {.name = "overlay", .nodev = true, .mount = ovl_mount};

static int overlay_init(void)
{
	return fs_register(&overlay_type);
}
INITCALL(overlay_init, INIT_FS);
