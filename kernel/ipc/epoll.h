/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll's objects. epoll.c: readiness and waiting; epoll_ctl.c: registrations, nesting, life and death. */
#pragma once

#include "ipc.h"
#include "base/rbtree.h"
#include "fs/file.h"
#include "kernel/mpsc.h"
#include "kernel/mutex.h"

struct epoll_entry { /* one wait queue that a watched file named */
	struct wait_entry wait;
	struct waitq *queue;
	struct epoll_item *item;
	struct epoll_entry *next; /* further queues of the same item */
};

struct epoll_item {
	struct rb_node node; /* ep->items by (file, fd) */
	struct epoll *ep;
	struct file *file; /* no reference: epoll_file_released() takes the item away before the file goes */
	int fd;
	_Atomic u32 events; /* written with ep->mutex held, read by wake-ups */
	u64 data;
	struct list_head file_node;   /* file->epoll_items, guarded by file->epoll_lock */
	struct list_head ready;	      /* ep->ready, or alone */
	struct mpsc_node incoming;    /* ep->incoming */
	_Atomic bool queued;	      /* on ready or on incoming; who sets it puts it there */
	struct list_head nested_node; /* ep->nested when the file is an epoll itself */
	struct epoll_entry entry;     /* the first queue: nearly always the only one */
};

struct epoll {
	struct mutex
		mutex; /* guards items, ready, data and writes of events; held while events are collected */
	struct mpsc_list incoming; /* items that became ready; pushed from wake-ups in any context */
	struct list_head ready;	   /* those taken over from incoming, and level-triggered ones that were ready
				      last time */
	struct waitq wait;	   /* threads in epoll_wait */
	struct waitq pollers;	   /* who polls the epoll file itself */
	struct rb_root items;
	struct list_head nested; /* items whose file is an epoll; guarded by epoll_nest_lock */
	struct refcount ref;	 /* the file's, and that of a release of a watched file under way */
	struct file *file;
	u64 visit; /* loop check's mark and result; guarded by epoll_nest_lock */
	int depth;
};

/* Bits that say how to report, not what. */
#define EPOLL_MODE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

extern const struct file_ops epoll_ops;
static inline bool epoll_is(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static inline bool epoll_has_ready(struct epoll *ep)
{
	return !mpsc_empty(&ep->incoming) || !list_empty(&ep->ready);
}

/* Move incoming items to the ready list. With the mutex held. */
void epoll_drain(struct epoll *ep);
/* Put ITEM on the ready list, if it is not queued, and wake waiters. With the mutex held. */
void epoll_item_ready(struct epoll_item *item);
/* Sample ITEM's file, and register on its queues: -ENOMEM when one could not be. Else the bits that are set.
 */
long epoll_item_attach(struct epoll_item *item);
void epoll_item_detach(struct epoll_item *item);
u32 epoll_item_poll(struct epoll_item *item);
void epoll_release(struct file *f);
size_t epoll_fdinfo(struct file *f, char *buf, size_t size);
