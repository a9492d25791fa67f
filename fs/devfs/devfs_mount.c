// SPDX-License-Identifier: BSD-2-Clause
/* devtmpfs: what /dev holds at first. There is one, however often it is mounted. */
#include "base/format.h"
#include "devfs.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "tty.h"

#define TMPFS_MAGIC 0x01021994

static int add_node(struct inode *dir, const char *name, u32 mode, u64 rdev, struct inode **out)
{
	struct inode *i = devfs_inode_make(dir->super, dir, mode, rdev);
	int err;

	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	err = devfs_entry_add(dir, name, strlen(name), i);
	if (err)
		inode_put(i);
	else if (out)
		*out = i;
	return err;
}

static int add_link(struct inode *dir, const char *name, const char *target)
{
	struct inode *i;
	int err = add_node(dir, name, S_IFLNK | 0777, 0, &i);

	if (err)
		return err;
	i->priv = kstrdup(target);
	i->size = strlen(target);
	return i->priv ? 0 : -ENOMEM;
}

static int add_devices(struct inode *root, struct inode *ports)
{
	char name[128];
	struct devnode n;
	int err = 0;

	for (unsigned i = 0; !err && devnode_get(i, &n, name, sizeof name); i++) {
		const char *slash = strchr(n.name, '/');

		err = slash ? add_node(ports, slash + 1, n.mode, n.rdev, NULL)
			    : add_node(root, n.name, n.mode, n.rdev, NULL);
	}
	return err;
}

static int populate(struct inode *root)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
	};
	static const struct {
		const char *name;
		u32 mode;
	} dirs[] = {{"shm", 01777}, {"mqueue", 01777}, {"hugepages", 0755}, {"pts", 0755}};
	struct inode *ports;
	int err = add_node(root, "virtio-ports", S_IFDIR | 0755, 0, &ports);

	if (!err)
		err = add_devices(root, ports);
	for (size_t i = 0; !err && i < ARRAY_SIZE(links); i++)
		err = add_link(root, links[i].name, links[i].target);
	for (size_t i = 0; !err && i < ARRAY_SIZE(dirs); i++)
		err = add_node(root, dirs[i].name, S_IFDIR | dirs[i].mode, 0, NULL);
	return err;
}

static struct super *devfs_make(const struct fs_type *t)
{
	struct super *s = super_create(t, &devfs_super_ops, TMPFS_MAGIC, PAGE_SIZE);
	struct inode *root;
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	root = devfs_inode_make(s, NULL, S_IFDIR | 0755, 0);
	err = super_set_root(s, root);
	if (!err)
		err = populate(root);
	if (!err)
		return s;
	super_put(s);
	return ERR_PTR(err);
}

static struct super *devfs_mount(const struct fs_type *t, const char *source __maybe_unused,
				 u32 flags __maybe_unused, const char *options __maybe_unused)
{
	static DEFINE_MUTEX(lock);
	static struct super *only; /* with a reference, for good */
	struct super *s;

	mutex_lock(&lock);
	s = only ? only : devfs_make(t);
	if (!IS_ERR(s)) {
		only = s;
		super_get(s);
	}
	mutex_unlock(&lock);
	return s;
}

static int devfs_init(void)
{
	static struct fs_type devtmpfs = {.name = "devtmpfs", .nodev = true, .mount = devfs_mount};

	return fs_register(&devtmpfs);
}
INITCALL(devfs_init, INIT_FS);
