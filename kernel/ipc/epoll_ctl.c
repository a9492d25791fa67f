// SPDX-License-Identifier: BSD-2-Clause
/* epoll: registrations, nesting, creation and release. See epoll.c for the theory and the lock order. */
#include "epoll.h"
#include "base/format.h"
#include "fs/vfs.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/page.h"
#include "kernel/syscall.h"

#define MAX_NESTS 4 /* epoll files watched through epoll files */
#define EXCLUSIVE_BITS                                                                                  \
	(EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | \
	 EPOLLEXCLUSIVE)

u64 epoll_max_watches = 1u << 16;

static DEFINE_MUTEX(epoll_nest_lock); /* guards which epoll watches which */
static _Atomic u64 watches;
static u64 visit; /* of the loop check under way; guarded by epoll_nest_lock */
static DEFINE_COUNTER(epoll_watch_limit, "epoll registrations refused by max_user_watches");

static int item_compare(const struct epoll_item *item, const struct file *file, int fd)
{
	if (item->file != file)
		return file < item->file ? -1 : 1;
	return fd - item->fd;
}

static struct epoll_item *item_find(struct epoll *ep, const struct file *file, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct epoll_item *item = rb_entry(n, struct epoll_item, node);
		int c = item_compare(item, file, fd);

		if (!c)
			return item;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void item_insert(struct epoll *ep, struct epoll_item *item)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item_compare(rb_entry(parent, struct epoll_item, node), item->file, item->fd) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&ep->items, &item->node, parent, link, NULL);
}

/* With ep->mutex held, and epoll_nest_lock too when the item's file is an epoll. Frees ITEM. */
static void item_remove(struct epoll_item *item)
{
	struct epoll *ep = item->ep;
	struct file *f = item->file;

	epoll_item_detach(item); /* no wake-up runs or comes after this */
	spin_lock(&f->epoll_lock);
	list_del(&item->file_node); /* from here on the file may go */
	spin_unlock(&f->epoll_lock);
	if (!list_empty(&item->nested_node))
		list_del(&item->nested_node);
	if (item->queued) {
		epoll_drain(ep);
		list_del(&item->ready);
	}
	rb_erase(&ep->items, &item->node, NULL);
	kfree(item);
	atomic_fetch_sub_explicit(&watches, 1, memory_order_relaxed);
}

/* Longest chain of epolls below EP, MAX_NESTS + 1 standing for more; -1 when FIND is among them. With
 * epoll_nest_lock. */
static int depth_below(struct epoll *ep, const struct epoll *find, int level)
{
	struct epoll_item *item;
	int depth = 0;

	if (ep == find)
		return -1;
	if (ep->visit == visit)
		return ep->depth;
	if (level > MAX_NESTS)
		return MAX_NESTS + 1;
	list_for_each_entry (item, &ep->nested, nested_node) {
		int d = depth_below(item->file->priv, find, level + 1);

		if (d < 0)
			return d;
		depth = max(depth, d + 1);
	}
	ep->visit = visit;
	ep->depth = depth;
	return depth;
}

/* Longest chain of epolls that watch EP. Watchers of an epoll file change only under epoll_nest_lock, which
 * is held. Not inlined into itself, which takes 5 KiB. */
static __noinline int depth_above(const struct epoll *ep, int level)
{
	struct epoll_item *item;
	int depth = 0;

	if (level > MAX_NESTS)
		return level;
	list_for_each_entry (item, &ep->file->epoll_items, file_node)
		depth = max(depth, 1 + depth_above(item->ep, level + 1));
	return depth;
}

static int nest_check(struct epoll *ep, struct epoll *target)
{
	int below;

	visit++;
	below = depth_below(target, ep, 0);
	if (below < 0 || depth_above(ep, 0) + 1 + below > MAX_NESTS)
		return -ELOOP;
	return 0;
}

static bool watch_charge(void)
{
	if (atomic_fetch_add_explicit(&watches, 1, memory_order_relaxed) < epoll_max_watches)
		return true;
	atomic_fetch_sub_explicit(&watches, 1, memory_order_relaxed);
	counter_inc(&epoll_watch_limit);
	return false;
}

static int epoll_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
	struct epoll_item *item;
	long got;

	if (!watch_charge())
		return -ENOSPC;
	item = kzalloc(sizeof *item);
	if (!item) {
		atomic_fetch_sub_explicit(&watches, 1, memory_order_relaxed);
		return -ENOMEM;
	}
	item->ep = ep;
	item->file = f;
	item->fd = fd;
	item->events = ev->events;
	item->data = ev->data;
	list_init(&item->ready);
	list_init(&item->nested_node);
	spin_lock(&f->epoll_lock);
	list_add_tail(&item->file_node, &f->epoll_items);
	spin_unlock(&f->epoll_lock);
	if (epoll_is(f))
		list_add_tail(&item->nested_node, &ep->nested);
	item_insert(ep, item);
	got = epoll_item_attach(item);
	if (got < 0) {
		item_remove(item);
		return (int)got;
	}
	if (got)
		epoll_item_ready(item);
	return 0;
}

static int epoll_modify(struct epoll_item *item, const struct epoll_event *ev)
{
	if (item->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->data = ev->data;
	/* Full fence: a change that the sample below misses sees the new events. */
	atomic_store(&item->events, ev->events);
	if (epoll_item_poll(item))
		epoll_item_ready(item);
	return 0;
}

static int epoll_ctl_locked(struct epoll *ep, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct epoll_item *item = item_find(ep, f, fd);

	ev->events |= EPOLLERR | EPOLLHUP;
	switch (op) {
	case EPOLL_CTL_ADD:
		return item ? -EEXIST : epoll_add(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (item)
			item_remove(item);
		return item ? 0 : -ENOENT;
	case EPOLL_CTL_MOD:
		return item ? epoll_modify(item, ev) : -ENOENT;
	default:
		return -EINVAL;
	}
}

/* EPOLLEXCLUSIVE is for new registrations of files other than epolls, with plain events. */
static int exclusive_check(int op, struct file *f, const struct epoll_event *ev)
{
	if (op == EPOLL_CTL_DEL || !(ev->events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD)
		return -EINVAL;
	if (op == EPOLL_CTL_ADD && (epoll_is(f) || (ev->events & ~EXCLUSIVE_BITS)))
		return -EINVAL;
	return 0;
}

static int epoll_ctl_files(struct file *epf, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct epoll *ep;
	bool nested;
	int err;

	if (!f->ops->poll)
		return -EPERM;
	if (epf == f || !epoll_is(epf))
		return -EINVAL;
	err = exclusive_check(op, f, ev);
	if (err)
		return err;
	ep = epf->priv;
	nested = epoll_is(f);
	if (nested) {
		mutex_lock(&epoll_nest_lock);
		if (op == EPOLL_CTL_ADD)
			err = nest_check(ep, f->priv);
	}
	if (!err) {
		mutex_lock(&ep->mutex);
		err = epoll_ctl_locked(ep, op, f, fd, ev);
		mutex_unlock(&ep->mutex);
	}
	if (nested)
		mutex_unlock(&epoll_nest_lock);
	return err;
}

SYSCALL_DEFINE4(epoll_ctl, int, epfd, int, op, int, fd, const struct epoll_event __app *, event)
{
	struct epoll_event ev = {0};
	struct file *epf, *f;
	long ret = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_app(&ev, event, sizeof ev))
		return -EFAULT;
	epf = fd_get(epfd);
	if (!epf)
		return -EBADF;
	f = fd_get(fd);
	if (f) {
		ret = epoll_ctl_files(epf, op, f, fd, &ev);
		file_put(f);
	}
	file_put(epf);
	return ret;
}

static void epoll_put(struct epoll *ep)
{
	if (refcount_put(&ep->ref))
		kfree(ep);
}

/* The epoll file itself goes: nobody waits on it, and epoll_file_released() has taken it out of outer epolls.
 */
void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct rb_node *n;

	mutex_lock(&epoll_nest_lock);
	mutex_lock(&ep->mutex);
	while ((n = rb_first(&ep->items)))
		item_remove(rb_entry(n, struct epoll_item, node));
	mutex_unlock(&ep->mutex);
	mutex_unlock(&epoll_nest_lock);
	epoll_put(ep);
}

/* An item of F; of EP only, when that is given, which makes it safe to use: the caller holds EP's mutex. */
static struct epoll_item *file_item(struct file *f, const struct epoll *ep)
{
	struct epoll_item *item;

	list_for_each_entry (item, &f->epoll_items, file_node)
		if (!ep || item->ep == ep)
			return item;
	return NULL;
}

/* An epoll that watches F, with a reference. While an item is on the list, its epoll exists. */
static struct epoll *file_watcher(struct file *f)
{
	struct epoll_item *item;
	struct epoll *ep = NULL;

	spin_lock(&f->epoll_lock);
	item = file_item(f, NULL);
	if (item) {
		ep = item->ep;
		refcount_get(&ep->ref);
	}
	spin_unlock(&f->epoll_lock);
	return ep;
}

void epoll_file_released(struct file *f)
{
	bool nested = epoll_is(f);
	struct epoll *ep;

	while ((ep = file_watcher(f))) {
		struct epoll_item *item;

		if (nested)
			mutex_lock(&epoll_nest_lock);
		mutex_lock(&ep->mutex);
		for (;;) {
			spin_lock(&f->epoll_lock);
			item = file_item(f, ep);
			spin_unlock(&f->epoll_lock);
			if (!item)
				break;
			item_remove(item);
		}
		mutex_unlock(&ep->mutex);
		if (nested)
			mutex_unlock(&epoll_nest_lock);
		epoll_put(ep);
	}
}

size_t epoll_fdinfo(struct file *f, char *buf, size_t size)
{
	struct epoll *ep = f->priv;
	size_t n = 0;

	mutex_lock(&ep->mutex);
	for (struct rb_node *r = rb_first(&ep->items); r; r = rb_next(r)) {
		struct epoll_item *item = rb_entry(r, struct epoll_item, node);
		const struct inode *i = item->file->inode;

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%x\n",
				      item->fd, item->events, (unsigned long long)item->data,
				      (long long)item->file->pos, i ? (unsigned long long)i->ino : 0,
				      i && i->super ? (unsigned)i->super->dev : 0);
	}
	mutex_unlock(&ep->mutex);
	return n;
}

static long epoll_create_common(bool cloexec)
{
	struct epoll *ep = kzalloc(sizeof *ep);
	struct file *f;
	int fd;

	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->mutex);
	lock_may_nest(&ep->mutex); /* that of an epoll that another one watches; they form no circle */
	list_init(&ep->ready);
	list_init(&ep->nested);
	waitq_init(&ep->wait);
	waitq_init(&ep->pollers);
	refcount_set(&ep->ref, 1);
	f = file_create_anon("anon_inode:[eventpoll]", &epoll_ops, ep, O_RDWR);
	if (IS_ERR(f)) {
		kfree(ep);
		return PTR_ERR(f);
	}
	ep->file = f;
	fd = fd_install_new(f, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE1(epoll_create, int, size)
{
	return size <= 0 ? -EINVAL : epoll_create_common(false);
}

SYSCALL_DEFINE1(epoll_create1, int, flags)
{
	return flags & ~EPOLL_CLOEXEC ? -EINVAL : epoll_create_common(flags & EPOLL_CLOEXEC);
}

/* As Linux does: registrations may take a twenty-fifth of memory. */
static int epoll_init(void)
{
	struct memory_stats m;

	memory_stats(&m);
	epoll_max_watches = max(m.total * PAGE_SIZE / 25 / sizeof(struct epoll_item), 1024ull);
	return 0;
}
INITCALL(epoll_init, INIT_CORE);
