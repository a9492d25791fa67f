/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the virtio-balloon driver. */
#pragma once

#include "kernel/balloon.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"
#include "virtio.h"
#include <linux/virtio_balloon.h>

#define BALLOON_PFNS 1024u /* 4 KiB page numbers in one request: an array of a page */

struct virtio_balloon {
	struct virtio_device *dev;
	struct virtqueue *inflate, *deflate, *stats, *report; /* the last two may be NULL */
	struct waitq wake;				      /* the balloon thread sleeps here */
	_Atomic bool config_changed, stats_wanted, report_hint;
	struct waitq done; /* a request on one of the queues was answered */

	u32 *inflate_pfns;	    /* the thread's */
	struct mutex deflate_mutex; /* guards the deflate queue and deflate_pfns */
	u32 *deflate_pfns;
	struct spinlock lock;	 /* guards blocks, held, hold_off, and the config field `actual` */
	struct list_head blocks; /* page.lru of what the host has, newest first; the order is in page.index */
	u64 held;		 /* pages in blocks */
	u64 hold_off;		 /* no inflation before this time */
	_Atomic u64 target, actual; /* pages the host wants, and has, for readers without the lock */
};

/* Hand SEGMENTS to the device on VQ and wait until it is done with them. 0 or -EIO. Thread context; POLL:
 * without sleeping. */
int balloon_request(struct virtio_balloon *vb, struct virtqueue *vq, const struct vq_segment *seg,
		    unsigned nout, unsigned nin, bool poll);

/* balloon_stats.c */
int balloon_stats_init(struct virtio_balloon *vb); /* hand over the first buffer; after virtio_ready */
void balloon_stats_answer(struct virtio_balloon *vb);

/* balloon_report.c: report what is free now. Returns the 2 MiB blocks reported. Thread context. */
unsigned balloon_report_pass(struct virtio_balloon *vb);
extern _Atomic u64 balloon_reported_bytes;
