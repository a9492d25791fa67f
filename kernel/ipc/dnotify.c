// SPDX-License-Identifier: BSD-2-Clause
/* F_NOTIFY of fcntl(2): signals for what happens in a directory. An open directory with such a request has an
 * inotify group of its own whose events become signals to the file's owner instead of entries in a queue. */
#include "fs/file.h"
#include "inotify.h"
#include "kernel/process.h"

#define DN_EVENTS (DN_ACCESS | DN_MODIFY | DN_CREATE | DN_DELETE | DN_RENAME | DN_ATTRIB)

u32 dnotify_enable = 1;

/* Guarded by group->lock from the time that the group knows it. */
struct dnotify {
	struct inotify_group *group;
	struct file *file;
	int fd;
	u32 mask; /* DN_*; 0: nothing is wanted */
};

static u32 inotify_mask(u32 dn)
{
	u32 mask = dn & DN_MULTISHOT ? 0 : IN_ONESHOT;

	mask |= dn & DN_ACCESS ? IN_ACCESS : 0;
	mask |= dn & DN_MODIFY ? IN_MODIFY : 0;
	mask |= dn & DN_CREATE ? IN_CREATE | IN_MOVED_TO : 0;
	mask |= dn & DN_DELETE ? IN_DELETE | IN_MOVED_FROM : 0;
	mask |= dn & DN_RENAME ? IN_MOVED_FROM : 0;
	return mask | (dn & DN_ATTRIB ? IN_ATTRIB : 0);
}

static void deliver(struct inotify_group *g, u32 mask)
{
	struct dnotify *d;

	if (!(mask & IN_ALL_EVENTS))
		return;
	spin_lock(&g->lock);
	d = g->dnotify;
	if (d && d->mask) {
		if (!(d->mask & DN_MULTISHOT))
			d->mask = 0;
		sigio_send(d->file, d->fd, EPOLLMSG);
	}
	spin_unlock(&g->lock);
}

void dnotify_end(struct dnotify *d)
{
	struct inotify_group *g = d->group;

	spin_lock(&g->lock);
	g->dnotify = NULL;
	spin_unlock(&g->lock);
	inotify_watch_drop_all(g);
	inotify_group_put(g);
	kfree(d);
}

static struct dnotify *dnotify_create(struct file *f)
{
	struct dnotify *d = kzalloc(sizeof *d);

	if (!d)
		return NULL;
	d->group = inotify_group_create();
	if (!d->group) {
		kfree(d);
		return NULL;
	}
	d->file = f;
	d->group->deliver = deliver;
	d->group->dnotify = d;
	return d;
}

/* Add MASK to what D tells of, and set its only watch accordingly. */
static int dnotify_add(struct dnotify *d, int fd, u32 mask)
{
	struct inotify_group *g = d->group;
	int ret;

	spin_lock(&g->lock);
	d->fd = fd;
	d->mask |= mask;
	mask = d->mask;
	spin_unlock(&g->lock);
	ret = inotify_watch_inode(g, d->file->path.dentry->inode, inotify_mask(mask));
	return min(ret, 0);
}

int dnotify_fcntl(int fd, struct file *f, u32 mask)
{
	struct dnotify **slot;
	int type, err = 0;

	if (!dnotify_enable)
		return -EINVAL;
	if (!f->inode || !S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	/* Who asks is the owner, unless there is one. */
	if ((mask & DN_EVENTS) && !sigio_owner(f, &type))
		err = sigio_set_owner(f, F_OWNER_PID, current_process()->pid);
	if (err)
		return err;
	slot = sigio_lock_dnotify(f);
	if (!slot)
		return -ENOMEM;
	if (mask & DN_EVENTS) {
		if (!*slot)
			*slot = dnotify_create(f);
		err = *slot ? dnotify_add(*slot, fd, mask & (DN_EVENTS | DN_MULTISHOT)) : -ENOMEM;
	} else if (*slot) {
		dnotify_end(*slot);
		*slot = NULL;
	}
	sigio_unlock_dnotify(f);
	return err;
}
