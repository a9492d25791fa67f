/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/mounts, /proc/self/mountinfo and mountstats: the mount tree as text. proc(5) gives the formats. */
#include "base/format.h"
#include "base/string.h"
#include "internal.h"
#include <linux/mount.h>

/* Text that may be longer than its buffer; LEN counts what would have been. */
struct text {
	char *buf;
	size_t size, len;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->len < t->size)
		memcpy(t->buf + t->len, s, min(n, t->size - t->len));
	t->len += n;
}

static void put_str(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

/* Blanks and backslashes as octal escapes, so that fields stay fields. */
static void put_escaped(struct text *t, const char *s)
{
	for (; *s; s++) {
		char esc[5];

		if (strchr(" \t\n\\#", *s)) {
			snprintf(esc, sizeof esc, "\\%03o", (unsigned)(u8)*s);
			put(t, esc, 4);
		} else {
			put(t, s, 1);
		}
	}
}

static void put_path(struct text *t, const struct path *p, const struct path *root, char *page)
{
	char *s = path_text_at(p, root, page, PATH_SIZE, NULL);

	put_escaped(t, IS_ERR(s) ? "?" : s);
}

static void put_mount_flags(struct text *t, const struct mount *m)
{
	static const struct {
		u32 flag;
		const char *text;
	} names[] = {{MS_NOSUID, ",nosuid"},	      {MS_NODEV, ",nodev"},
		     {MS_NOEXEC, ",noexec"},	      {MS_NOATIME, ",noatime"},
		     {MS_NODIRATIME, ",nodiratime"},  {MS_RELATIME, ",relatime"},
		     {MS_NOSYMFOLLOW, ",nosymfollow"}};

	for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
		if (m->flags & names[n].flag)
			put_str(t, names[n].text);
	if (!(m->flags & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)))
		put_str(t, ",relatime");
}

static void put_super_options(struct text *t, struct super *s, char *page)
{
	size_t n;

	put_str(t, s->read_only ? "ro" : "rw");
	if (s->ops && s->ops->show_options) {
		n = s->ops->show_options(s, page, PATH_SIZE);
		put(t, page, min(n, (size_t)PATH_SIZE));
	}
}

static const char *access_word(const struct mount *m)
{
	return m->flags & MS_RDONLY || m->super->read_only ? "ro" : "rw";
}

static void put_mtab(struct text *t, struct mount *m, const struct path *root, char *page)
{
	struct path at = {m, m->root};
	size_t n;

	put_escaped(t, m->source);
	put_str(t, " ");
	put_path(t, &at, root, page);
	put_str(t, " ");
	put_str(t, m->super->type->name);
	put_str(t, " ");
	put_str(t, access_word(m));
	put_mount_flags(t, m);
	if (m->super->ops && m->super->ops->show_options) {
		n = m->super->ops->show_options(m->super, page, PATH_SIZE);
		put(t, page, min(n, (size_t)PATH_SIZE));
	}
	put_str(t, " 0 0\n");
}

static void put_info(struct text *t, struct mount *m, const struct path *root, char *page)
{
	struct path at = {m, m->root}, inner = {m, m->super->root};
	char head[64];
	u64 dev = m->super->dev;
	int n;

	n = snprintf(head, sizeof head, "%u %u %u:%u ", m->id, m->parent->id, (unsigned)(dev >> 8 & 0xfff),
		     (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)));
	put(t, head, (size_t)n);
	if (m->root == m->super->root)
		put_str(t, "/");
	else
		put_path(t, &at, &inner, page);
	put_str(t, " ");
	put_path(t, &at, root, page);
	put_str(t, " ");
	put_str(t, access_word(m));
	put_mount_flags(t, m);
	put_str(t, " - ");
	put_str(t, m->super->type->name);
	put_str(t, " ");
	put_escaped(t, m->source);
	put_str(t, " ");
	put_super_options(t, m->super, page);
	put_str(t, "\n");
}

static void put_stats(struct text *t, struct mount *m, const struct path *root, char *page)
{
	struct path at = {m, m->root};

	put_str(t, "device ");
	put_escaped(t, m->source);
	put_str(t, " mounted on ");
	put_path(t, &at, root, page);
	put_str(t, " with fstype ");
	put_str(t, m->super->type->name);
	put_str(t, "\n");
}

size_t vfs_mounts_text(char *buf, size_t size, enum mounts_format format)
{
	struct text t = {.buf = buf, .size = size};
	char *page = kmalloc(PATH_SIZE);
	struct path root;
	struct mount *m = NULL;

	if (!page)
		return 0;
	if (fs_context_root(current->fs, &root)) {
		kfree(page);
		return 0;
	}
	mutex_lock(&mount_lock);
	while ((m = mount_next_locked(m))) {
		struct path at = {m, m->root};
		bool reachable;
		char *s = path_text_at(&at, &root, page, PATH_SIZE, &reachable);

		if (IS_ERR(s) || !reachable)
			continue;
		if (format == MOUNTS_MTAB)
			put_mtab(&t, m, &root, page);
		else if (format == MOUNTS_INFO)
			put_info(&t, m, &root, page);
		else
			put_stats(&t, m, &root, page);
	}
	mutex_unlock(&mount_lock);
	path_put(&root);
	kfree(page);
	if (size)
		buf[min(t.len, size - 1)] = 0;
	return t.len;
}
