/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling inotify what happened to a named thing: its own watchers and those of its directory, who get the
 * name too. */
#include "base/string.h"
#include "internal.h"
#include <linux/inotify.h>

void notify_name(struct inode *dir, u32 mask, u32 cookie, const char *name, bool is_dir)
{
	if (unlikely(!list_empty(&dir->watches)))
		inotify_event(dir, mask | (is_dir ? IN_ISDIR : 0), cookie, name);
}

void notify_dentry_slow(struct dentry *d, u32 mask)
{
	struct inode *i = d->inode, *dir = NULL;
	u32 isdir = S_ISDIR(i->mode) ? IN_ISDIR : 0;
	u32 gone = d->flags & DENTRY_UNLINKED ? IN_EXCL_UNLINK : 0; /* some watchers do not care for it */
	struct dentry *parent;
	char name[NAME_LEN_MAX + 1];

	rename_read_lock();
	parent = d->parent;
	if (parent != d && parent->inode) {
		dir = parent->inode;
		inode_get(dir);
		str_copy(name, d->name, sizeof name);
	}
	rename_read_unlock();
	if (dir) {
		if (!list_empty(&dir->watches))
			inotify_event(dir, mask | isdir | gone, 0, name);
		inode_put(dir);
	}
	if (!list_empty(&i->watches))
		inotify_event(i, mask | isdir, 0, NULL);
}
