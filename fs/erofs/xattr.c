/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS extended attributes: entries inline behind the inode, and shared ones by number in an area of their
 * own. */
#include "erofs.h"
#include "base/string.h"

static const char *const prefixes[] = {
	NULL, "user.", "system.posix_acl_access", "system.posix_acl_default", "trusted.", NULL, "security.",
};

/* One attribute as it was found. */
struct entry {
	const char *prefix;
	char name[256];
	u64 value_off;
	u32 value_size;
};

/* What to do with each entry: 0 go on, 1 stop, or -errno. */
typedef int (*visit_fn)(struct erofs_sb *sb, const struct entry *e, void *arg);

static int bad(struct erofs_inode *ei, const char *what)
{
	return erofs_corrupt(&erofs_bad_xattr, ei->sb, ei->nid, what);
}

/* Read the entry at OFF, which must end by END. Returns its size rounded up. */
static int read_entry(struct erofs_inode *ei, u64 off, u64 end, struct entry *e)
{
	u8 head[XATTR_ENTRY_SIZE];
	u32 size;
	int err = erofs_read(ei->sb, off, head, sizeof head);

	if (err)
		return err;
	e->value_size = le16_get(head + 2);
	size = XATTR_ENTRY_SIZE + head[0] + e->value_size;
	if (off + size > end)
		return bad(ei, "an extended attribute leaves its area");
	e->prefix = head[1] < ARRAY_SIZE(prefixes) ? prefixes[head[1]] : NULL;
	err = erofs_read(ei->sb, off + XATTR_ENTRY_SIZE, e->name, head[0]);
	if (err)
		return err;
	e->name[head[0]] = 0;
	e->value_off = off + XATTR_ENTRY_SIZE + head[0];
	return (int)ALIGN_UP(size, 4u);
}

static int visit(struct erofs_inode *ei, struct entry *e, visit_fn fn, void *arg)
{
	return e->prefix ? fn(ei->sb, e, arg) : 0;
}

static int for_each(struct inode *i, visit_fn fn, void *arg)
{
	struct erofs_inode *ei = erofs_inode(i);
	u64 base = ei->iloc + ei->isize, end = base + ei->xattr_size, off;
	u8 header[XATTR_HEADER_SIZE], raw[4];
	struct entry *e;
	u32 shared;
	int ret;

	if (!ei->xattr_size)
		return 0;
	ret = erofs_read(ei->sb, base, header, sizeof header);
	if (ret)
		return ret;
	shared = header[4];
	off = base + XATTR_HEADER_SIZE + shared * 4;
	if (off > end)
		return bad(ei, "more shared attributes than there is room for");
	e = kmalloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	while (!ret && off + XATTR_ENTRY_SIZE <= end) {
		ret = read_entry(ei, off, end, e);
		if (ret < 0)
			break;
		off += (u64)ret;
		ret = visit(ei, e, fn, arg);
	}
	for (u32 n = 0; !ret && n < shared; n++) {
		ret = erofs_read(ei->sb, base + XATTR_HEADER_SIZE + n * 4, raw, sizeof raw);
		if (ret)
			break;
		ret = read_entry(ei, ei->sb->xattr_off + (u64)le32_get(raw) * 4, ei->sb->image_size, e);
		if (ret >= 0)
			ret = visit(ei, e, fn, arg);
	}
	kfree(e);
	return ret;
}

struct get {
	const char *name;
	void *buf;
	size_t size;
	ssize_t result;
};

static int get_one(struct erofs_sb *sb, const struct entry *e, void *arg)
{
	struct get *g = arg;
	size_t plen = strlen(e->prefix);

	if (strncmp(g->name, e->prefix, plen) || strcmp(g->name + plen, e->name))
		return 0;
	g->result = (ssize_t)e->value_size;
	if (!g->size)
		return 1;
	if (g->size < e->value_size)
		g->result = -ERANGE;
	else if (erofs_read(sb, e->value_off, g->buf, e->value_size))
		g->result = -EIO;
	return 1;
}

ssize_t erofs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct get g = {.name = name, .buf = buf, .size = size, .result = -ENODATA};
	int err = for_each(i, get_one, &g);

	return err < 0 ? err : g.result;
}

struct list {
	char *buf;
	size_t size, len;
};

static int list_one(struct erofs_sb *sb, const struct entry *e, void *arg)
{
	struct list *l = arg;
	size_t plen = strlen(e->prefix), nlen = strlen(e->name) + 1;

	if (!strncmp(e->prefix, "system.", 7))
		return 0; /* access control lists are the VFS's */
	if (l->size) {
		if (l->len + plen + nlen > l->size)
			return -ERANGE;
		memcpy(l->buf + l->len, e->prefix, plen);
		memcpy(l->buf + l->len + plen, e->name, nlen);
	}
	l->len += plen + nlen;
	return 0;
}

ssize_t erofs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct list l = {.buf = buf, .size = size};
	int err = for_each(i, list_one, &l);

	return err < 0 ? err : (ssize_t)l.len;
}
