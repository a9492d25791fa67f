/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot: mount the root by the kernel words root=, rootfstype=, rootflags=, make it writable (rootoverlay=off:
 * do not), then the file systems that every program expects. */
#include "base/format.h"
#include "base/string.h"
#include "internal.h"
#include "ramblock.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include <linux/mount.h>

struct boot_mount {
	const char *source, *path, *type;
	u32 flags;
	const char *options;
	bool quiet; /* fine if it is not there: an image need not have it */
	bool keep;  /* where the root is writable, not over something that the image holds there */
};

static const struct boot_mount boot_mounts[] = {
	{"proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", false, false},
	{"sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", false, false},
	{"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "", false, false},
	{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620", true, false},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", true, false},
	{"tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", false, true},
	{"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", false, true},
	{"tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", true, false},
};

static int try_root(const char *dev, const char *type, const char *options)
{
	int err = vfs_mount(dev, "/", type, MS_RDONLY, options);

	if (err)
		log_info("vfs: %s is no %s root (error %d)", dev, type, -err);
	return err;
}

static int mount_default_root(const char *type, const char *options)
{
	static const char *const devices[] = {"vda", "ram0"};
	int err = -ENODEV;

	for (unsigned n = 0; err && n < ARRAY_SIZE(devices); n++) {
		char path[16];

		if (!ramblock_or_disk(devices[n]))
			continue;
		snprintf(path, sizeof path, "/dev/%s", devices[n]);
		err = try_root(path, type, options);
	}
	return err;
}

static void list_devices(char *buf, size_t size)
{
	struct block_device *bd = NULL;
	size_t n;

	n = (size_t)scnprintf(buf, size, "%s", ramblock_or_disk("ram0") ? " ram0" : "");
	while ((bd = block_next(bd)))
		n += (size_t)scnprintf(buf + n, size - n, " %s", bd->name);
}

static void mount_root_fs(void)
{
	const char *root = cmdline_get("root"), *type = cmdline_get("rootfstype"),
		   *options = cmdline_get("rootflags");
	char devices[128];
	int err;

	type = type && *type ? type : "erofs";
	options = options ? options : "";
	err = root && *root ? try_root(root, type, options) : mount_default_root(type, options);
	if (!err)
		return;
	list_devices(devices, sizeof devices);
	panic("vfs: cannot mount the root file system: root=%s rootfstype=%s: error %d; block devices:%s",
	      root && *root ? root : "(vda or ram0)", type, -err, *devices ? devices : " none");
}

static void mount_one(const struct boot_mount *m)
{
	int err = vfs_mount(m->source, m->path, m->type, m->flags, m->options);

	if (!err)
		return;
	if (err == -ENOENT || err == -ENODEV || m->quiet)
		log_info("vfs: %s not mounted on %s: %s", m->type, m->path,
			 err == -ENODEV ? "no such file system type" : "the image has no such folder");
	else
		log_warn("vfs: mounting %s on %s failed: error %d", m->type, m->path, -err);
}

int vfs_make_path(const char *path, bool folder)
{
	char *text = kstrdup(path), *slash;
	struct path p;
	int err = text ? 0 : -ENOMEM;

	for (slash = text; !err && (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		err = namei_mkdir(AT_FDCWD, text, 0755);
		*slash = '/';
		err = err == -EEXIST ? 0 : err;
	}
	kfree(text);
	if (err || !vfs_lookup(path, true, &p)) {
		if (!err)
			path_put(&p);
		return err;
	}
	return folder ? namei_mkdir(AT_FDCWD, path, 0755) : vfs_mknod(path, S_IFREG | 0644, 0, NULL);
}

int vfs_bind(const char *from, const char *to)
{
	struct path a, b;
	int err = vfs_lookup(from, true, &a);

	if (err)
		return err;
	err = vfs_lookup(to, true, &b);
	if (!err) {
		err = mount_bind(&a, &b, false);
		path_put(&b);
	}
	path_put(&a);
	return err;
}

struct empty_context {
	struct dir_context dir;
	bool found;
};

static bool empty_emit(struct dir_context *ctx, const char *name, size_t len, u64 next, u64 ino,
		       unsigned dtype)
{
	struct empty_context *c = container_of(ctx, struct empty_context, dir);

	c->found |= !(len <= 2 && name[0] == '.' && (len == 1 || name[1] == '.'));
	return !c->found;
}

/* /var keeps what the image has in it; an empty one becomes writable. */
static bool directory_empty(const char *path)
{
	struct empty_context c = {.dir = {.emit = empty_emit}};
	struct file *f = vfs_open(path, O_RDONLY | O_DIRECTORY, 0);

	if (IS_ERR(f))
		return false;
	if (f->ops->iterate)
		f->ops->iterate(f, &c.dir);
	file_put(f);
	return !c.found;
}

/* A read-only root gets a tmpfs on top, unless rootoverlay=off. */
static void overlay_root(void)
{
	struct fs_type *t = fs_find("overlay", 7);
	const char *word = cmdline_get("rootoverlay");
	struct super *s;
	int err;

	if (!root_mount->super->read_only || !t || (word && *word && !cmdline_flag("rootoverlay")))
		return;
	s = t->mount(t, "overlay", 0, "lowerdir=/,mode=755");
	err = IS_ERR(s) ? (int)PTR_ERR(s) : mount_replace_root(s, "overlay");
	if (!IS_ERR(s))
		super_put(s);
	if (err)
		log_warn("vfs: no overlay on the root (error %d): it stays read-only", -err);
}

int vfs_boot_mounts(void)
{
	static const struct boot_mount var = {"tmpfs",	  "/var", "tmpfs", MS_NOSUID | MS_NODEV,
					      "mode=755", false, false};

	mount_root_fs();
	overlay_root();
	for (unsigned n = 0; n < ARRAY_SIZE(boot_mounts); n++) {
		const struct boot_mount *m = &boot_mounts[n];

		if (!m->keep || root_mount->super->read_only || directory_empty(m->path))
			mount_one(m);
	}
	if (root_mount->super->read_only && directory_empty("/var"))
		mount_one(&var);
	return 0;
}
