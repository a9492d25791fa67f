/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths as text, and path references. Text is built backwards under RCU and checked against renames. */
#include "base/string.h"
#include "internal.h"

void path_get(struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	struct path old = *p;

	*p = (struct path){0};
	dentry_put(old.dentry);
	mount_put(old.mnt);
}

bool path_unlinked(const struct path *p)
{
	return p->dentry->flags & DENTRY_UNLINKED;
}

u32 path_mount_flags(const struct path *p)
{
	return p->mnt->flags;
}

/* Put "/NAME" before *POS. False: no room. */
static bool prepend_name(const char *buf, char **pos, const struct dentry *d)
{
	const char *name = rcu_dereference(d->name);
	size_t len = strnlen(name, NAME_LEN_MAX);

	if ((size_t)(*pos - buf) < len + 1)
		return false;
	*pos -= len;
	memcpy(*pos, name, len);
	*--*pos = '/';
	return true;
}

/* One attempt, under RCU or the rename lock. */
static char *path_build(const struct path *p, const struct path *root, char *buf, char *end, bool *reachable)
{
	struct mount *m = p->mnt, *up;
	struct dentry *d = p->dentry;
	char *pos = end;

	*reachable = true;
	while (m != root->mnt || d != root->dentry) {
		if (d == m->root) {
			up = READ_ONCE(m->parent);
			if (up == m) {
				*reachable = false;
				break;
			}
			d = READ_ONCE(m->mountpoint);
			m = up;
			continue;
		}
		if (d->flags & DENTRY_NAMELESS || READ_ONCE(d->parent) == d) {
			if (d->flags & DENTRY_NAMELESS && !prepend_name(buf, &pos, d))
				return NULL;
			*reachable = false;
			break;
		}
		if (!prepend_name(buf, &pos, d))
			return NULL;
		d = READ_ONCE(d->parent);
	}
	if (pos == end) {
		if (pos == buf)
			return NULL;
		*--pos = '/';
	}
	return pos;
}

char *path_text_at(const struct path *p, const struct path *root, char *buf, size_t size, bool *reachable)
{
	bool dummy;
	char *pos;
	u32 seq;

	if (!reachable)
		reachable = &dummy;
	if (size < 2)
		return ERR_PTR(-ENAMETOOLONG);
	buf[size - 1] = 0;
	rcu_read_lock();
	seq = rename_read_begin();
	pos = path_build(p, root, buf, buf + size - 1, reachable);
	if (rename_read_retry(seq)) {
		rename_read_lock();
		pos = path_build(p, root, buf, buf + size - 1, reachable);
		rename_read_unlock();
	}
	rcu_read_unlock();
	return pos ? pos : ERR_PTR(-ENAMETOOLONG);
}

char *path_text(const struct path *p, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	struct path root;
	char *pos;
	size_t room = size;

	if (unlikely(path_is_ns(p))) {
		if (p->dentry->len >= size)
			return ERR_PTR(-ENAMETOOLONG);
		memcpy(buf, p->dentry->name, p->dentry->len + 1);
		return buf;
	}
	if (path_unlinked(p)) {
		if (size < sizeof deleted + 1)
			return ERR_PTR(-ENAMETOOLONG);
		room -= sizeof deleted - 1;
	}
	if (fs_context_root(current->fs, &root))
		return ERR_PTR(-ENOENT);
	pos = path_text_at(p, &root, buf, room, NULL);
	path_put(&root);
	if (!IS_ERR(pos) && room != size)
		memcpy(buf + room - 1, deleted, sizeof deleted);
	return pos;
}
