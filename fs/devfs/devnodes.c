// SPDX-License-Identifier: BSD-2-Clause
/* Which devices exist and under which numbers, and opening a node by its number.
 *
 * Numbers are Linux's where programs know them (mem, tty, ttyS, hvc), else from a range that Linux gives out
 * at run time. The chardev and block lists only grow, so an index in them is a minor number for good. */
#include "devfs.h"
#include "base/format.h"
#include "tty.h"

static const struct devnode fixed[] = {
	{"null", S_IFCHR | 0666, MKDEV(MAJOR_MEM, 3)},	  {"zero", S_IFCHR | 0666, MKDEV(MAJOR_MEM, 5)},
	{"full", S_IFCHR | 0666, MKDEV(MAJOR_MEM, 7)},	  {"random", S_IFCHR | 0666, MKDEV(MAJOR_MEM, 8)},
	{"urandom", S_IFCHR | 0666, MKDEV(MAJOR_MEM, 9)}, {"kmsg", S_IFCHR | 0644, MKDEV(MAJOR_MEM, 11)},
	{"tty", S_IFCHR | 0666, MKDEV(MAJOR_TTY, 0)},	  {"console", S_IFCHR | 0600, MKDEV(MAJOR_TTY, 1)},
	{"ptmx", S_IFCHR | 0666, MKDEV(MAJOR_TTY, 2)},
};

/* The number at the end of NAME after PREFIX: false when it is something else. */
static bool numbered(const char *name, const char *prefix, unsigned *n)
{
	size_t len = strlen(prefix);
	const char *end;

	if (strncmp(name, prefix, len) || name[len] < '0' || name[len] > '9')
		return false;
	*n = (unsigned)str_to_u64(name + len, &end);
	return !*end && *n < 192;
}

u64 chardev_number(const struct chardev *cd, u32 *mode)
{
	unsigned n = 0;

	*mode = S_IFCHR | 0620;
	if (numbered(cd->name, "ttyS", &n))
		return MKDEV(MAJOR_TTYS, 64 + n);
	if (numbered(cd->name, "hvc", &n))
		return MKDEV(MAJOR_HVC, n);
	*mode = S_IFCHR | 0600;
	n = 0;
	for (struct chardev *c = chardev_next(NULL); c && c != cd; c = chardev_next(c))
		n++;
	return MKDEV(MAJOR_PORT, n);
}

struct chardev *chardev_by_number(u64 rdev)
{
	u32 mode;

	for (struct chardev *cd = chardev_next(NULL); cd; cd = chardev_next(cd))
		if (chardev_number(cd, &mode) == rdev)
			return cd;
	return NULL;
}

struct block_device *blockdev_by_number(u64 rdev)
{
	u32 n = 0;

	if (dev_major(rdev) != MAJOR_BLOCK)
		return NULL;
	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd), n++)
		if (n * 16 == dev_minor(rdev))
			return bd;
	return NULL;
}

static bool chardev_node(unsigned index, struct devnode *out, char *name, size_t size)
{
	struct chardev *cd = chardev_next(NULL);

	while (cd && index--)
		cd = chardev_next(cd);
	if (!cd)
		return false;
	out->rdev = chardev_number(cd, &out->mode);
	out->name = cd->name;
	if (dev_major(out->rdev) == MAJOR_PORT) {
		snprintf(name, size, "virtio-ports/%s", cd->name);
		out->name = name;
	}
	return true;
}

static bool block_node(unsigned index, struct devnode *out)
{
	struct block_device *bd = block_next(NULL);

	for (unsigned n = index; bd && n; n--)
		bd = block_next(bd);
	if (!bd)
		return false;
	*out = (struct devnode){bd->name, S_IFBLK | 0660, MKDEV(MAJOR_BLOCK, index * 16)};
	return true;
}

bool devnode_get(unsigned index, struct devnode *out, char *name, size_t size)
{
	unsigned nchar = 0;

	if (index < ARRAY_SIZE(fixed)) {
		*out = fixed[index];
		return true;
	}
	index -= ARRAY_SIZE(fixed);
	if (chardev_node(index, out, name, size))
		return true;
	for (struct chardev *cd = chardev_next(NULL); cd; cd = chardev_next(cd))
		nchar++;
	return block_node(index - nchar, out);
}

static int tty_major_open(struct file *f, u32 minor)
{
	struct chardev *cd;

	switch (minor) {
	case 0:
		return tty_open_controlling(f);
	case 1:
		cd = console_chardev();
		return cd ? (cd->tty ? tty_open_chardev(f, cd) : stream_open(f, cd)) : -ENODEV;
	case 2:
		return pty_open_master(f);
	default:
		return -ENXIO;
	}
}

int chrdev_open(struct inode *i, struct file *f)
{
	struct block_device *bd;
	struct chardev *cd;
	int err;

	if (S_ISBLK(i->mode)) {
		bd = blockdev_by_number(i->rdev);
		return bd ? blknode_open(f, bd) : -ENXIO;
	}
	switch (dev_major(i->rdev)) {
	case MAJOR_MEM:
		return mem_open(f, dev_minor(i->rdev));
	case MAJOR_TTY:
		return tty_major_open(f, dev_minor(i->rdev));
	case MAJOR_PTS:
		return pty_open_slave(f, i);
	}
	cd = chardev_by_number(i->rdev);
	if (!cd)
		return -ENXIO;
	if (!cd->tty)
		return stream_open(f, cd);
	err = tty_open_chardev(f, cd);
	if (!err)
		tty_opened(f, f->priv);
	return err;
}

/* A file of CD outside any tree: for boots without a /dev. */
static struct file *open_nameless(struct chardev *cd, u32 flags)
{
	struct file *f = file_create_anon(cd->name, NULL, NULL, flags);
	u32 mode;
	int err;

	if (IS_ERR(f))
		return f;
	err = file_set_anon_inode(f, S_IFCHR | 0620);
	if (!err) {
		f->inode->rdev = chardev_number(cd, &mode);
		err = cd->tty ? tty_open_chardev(f, cd) : stream_open(f, cd);
	}
	if (!err)
		return f;
	file_put(f);
	return ERR_PTR(err);
}

struct file *chardev_file_open(const char *name, u32 flags)
{
	struct chardev *cd = chardev_find(name);
	char path[128];
	struct file *f;
	u32 mode;

	if (!cd)
		return ERR_PTR(-ENOENT);
	snprintf(path, sizeof path,
		 dev_major(chardev_number(cd, &mode)) == MAJOR_PORT ? "/dev/virtio-ports/%s" : "/dev/%s",
		 cd->name);
	f = vfs_open(path, flags, 0);
	return IS_ERR(f) ? open_nameless(cd, flags) : f;
}
