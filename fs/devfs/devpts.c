// SPDX-License-Identifier: BSD-2-Clause
/* devpts: a folder of pseudo-terminals. Each mount is an instance with numbers of its own and its own "ptmx";
 * the ptmx of another file system means the instance that is mounted on "pts" beside it.
 *
 * The nodes are kept as devfs keeps its own, in a folder in which nobody else can make or remove any. A
 * node's priv is its pair until its master is closed; pty.c guards it. */
#include "base/format.h"
#include "devfs.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "tty.h"

#define DEVPTS_MAGIC 0x1cd1

enum option { OPT_UID, OPT_GID, OPT_MODE, OPT_PTMXMODE, OPT_MAX, NOPTIONS };
static const struct {
	const char *name;
	u32 base, limit, usual;
} option_kinds[NOPTIONS] = {
	[OPT_UID] = {"uid", 10, ~0u, ~0u}, /* ~0: whoever opens the master */
	[OPT_GID] = {"gid", 10, ~0u, ~0u},	  [OPT_MODE] = {"mode", 8, ~0u, 0600},
	[OPT_PTMXMODE] = {"ptmxmode", 8, ~0u, 0}, [OPT_MAX] = {"max", 10, 1 << 20, 1 << 20},
};

struct devpts {
	u32 options[NOPTIONS];
	struct inode *ptmx; /* no reference: the folder's entry has it */
};

static const struct super_ops devpts_ops;

static int option_parse(struct devpts *d, const char *word, size_t len)
{
	const char *value = memchr(word, '=', len);
	size_t name_len = value ? (size_t)(value - word) : len, at = name_len + 1;

	if (!value)
		return !len || (len == 11 && !memcmp(word, "newinstance", len)) ? 0
										: -EINVAL; /* each is one */
	for (unsigned n = 0; n < NOPTIONS; n++) {
		u64 v = 0;

		if (strlen(option_kinds[n].name) != name_len || memcmp(option_kinds[n].name, word, name_len))
			continue;
		if (at == len)
			return -EINVAL;
		for (; at < len; at++) {
			u32 digit = (u32)(word[at] - '0');

			v = v * option_kinds[n].base + digit;
			if (digit >= option_kinds[n].base || v > UINT32_MAX)
				return -EINVAL;
		}
		d->options[n] = (u32)v & (option_kinds[n].base == 8 ? 07777 : ~0u);
		return v > option_kinds[n].limit ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int options_parse(struct devpts *d, const char *s)
{
	int err = 0;

	for (unsigned n = 0; n < NOPTIONS; n++)
		d->options[n] = option_kinds[n].usual;
	while (!err && *s) {
		const char *comma = strchr(s, ',');
		size_t len = comma ? (size_t)(comma - s) : strlen(s);

		err = option_parse(d, s, len);
		s += len + (comma != NULL);
	}
	return err;
}

static int devpts_remount(struct super *s, u32 flags __maybe_unused, const char *options)
{
	struct devpts *d = s->priv, new = {.ptmx = d->ptmx};
	int err = options_parse(&new, options);

	if (err)
		return err;
	*d = new;
	d->ptmx->mode = S_IFCHR | d->options[OPT_PTMXMODE];
	return 0;
}

static size_t devpts_show_options(struct super *s, char *buf, size_t size)
{
	const struct devpts *d = s->priv;
	size_t n = 0;

	for (unsigned k = 0; k < NOPTIONS; k++)
		if (k == OPT_MODE || k == OPT_PTMXMODE || d->options[k] != option_kinds[k].usual)
			n += (size_t)scnprintf(buf + n, size - n,
					       option_kinds[k].base == 8 ? ",%s=%03o" : ",%s=%u",
					       option_kinds[k].name, d->options[k]);
	return n;
}

static void devpts_unmount(struct super *s)
{
	kfree(s->priv);
}

static const struct super_ops devpts_ops = {
	.evict = devfs_evict,
	.show_options = devpts_show_options,
	.remount = devpts_remount,
	.unmount = devpts_unmount,
};

int devpts_find(const struct path *ptmx, struct path *root)
{
	struct super *s = ptmx->dentry->inode->super;
	int err;

	if (s->ops == &devpts_ops) {
		*root = (struct path){ptmx->mnt, s->root};
		path_get(root);
		return 0;
	}
	err = vfs_lookup_near(ptmx, true, "pts", root);
	if (err)
		return err;
	s = root->dentry->inode->super;
	if (s->ops == &devpts_ops && root->dentry == s->root)
		return 0;
	path_put(root);
	return -ENODEV;
}

u32 devpts_max(const struct super *s)
{
	return ((const struct devpts *)s->priv)->options[OPT_MAX];
}

int devpts_add(struct super *s, u32 index, struct pty *p)
{
	const struct devpts *d = s->priv;
	struct inode *dir = s->root->inode, *i;
	char name[16];
	int err;

	snprintf(name, sizeof name, "%u", index);
	i = devfs_inode_make(s, dir, S_IFCHR | d->options[OPT_MODE], MKDEV(MAJOR_PTS, index));
	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	i->ino = index + 3;
	i->uid = d->options[OPT_UID] == ~0u ? current_cred()->fsuid : d->options[OPT_UID];
	i->gid = d->options[OPT_GID] == ~0u ? current_cred()->fsgid : d->options[OPT_GID];
	i->priv = p;
	mutex_lock(&dir->lock);
	err = devfs_entry_add(dir, name, strlen(name), i);
	mutex_unlock(&dir->lock);
	if (err)
		inode_put(i);
	else
		dcache_forget(s, dir, name, strlen(name));
	return err;
}

void devpts_remove(struct super *s, u32 index)
{
	struct inode *dir = s->root->inode;
	struct dev_entry *e;
	char name[16];

	snprintf(name, sizeof name, "%u", index);
	mutex_lock(&dir->lock);
	e = devfs_entry_find(dir, name, strlen(name));
	if (e) {
		WRITE_ONCE(e->inode->priv, NULL);
		devfs_entry_remove(dir, e);
	}
	mutex_unlock(&dir->lock);
	dcache_forget(s, dir, name, strlen(name));
}

struct pty *devpts_pty(const struct inode *i)
{
	return i->super->ops == &devpts_ops ? READ_ONCE(i->priv) : NULL;
}

static int populate(struct super *s, struct devpts *d, const char *options)
{
	struct inode *root = devfs_inode_make(s, NULL, S_IFDIR | 0755, 0);
	int err = super_set_root(s, root);

	if (!err)
		err = options_parse(d, options);
	if (err)
		return err;
	root->ops = &devfs_fixed_dir_ops;
	d->ptmx = devfs_inode_make(s, root, S_IFCHR | d->options[OPT_PTMXMODE], MKDEV(MAJOR_TTY, 2));
	if (IS_ERR(d->ptmx))
		return (int)PTR_ERR(d->ptmx);
	d->ptmx->ino = 2;
	err = devfs_entry_add(root, "ptmx", 4, d->ptmx);
	if (err)
		inode_put(d->ptmx);
	return err;
}

static struct super *devpts_mount(const struct fs_type *t, const char *source __maybe_unused,
				  u32 flags __maybe_unused, const char *options)
{
	struct super *s = super_create(t, &devpts_ops, DEVPTS_MAGIC, 1024);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->priv = kzalloc(sizeof(struct devpts));
	err = s->priv ? populate(s, s->priv, options) : -ENOMEM;
	if (!err)
		return s;
	super_put(s);
	return ERR_PTR(err);
}

static int devpts_init(void)
{
	static struct fs_type devpts = {.name = "devpts", .nodev = true, .mount = devpts_mount};

	return fs_register(&devpts);
}
INITCALL(devpts_init, INIT_FS);
