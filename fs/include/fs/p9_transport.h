/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the 9p client (fs/9p) and what carries its messages (virtio). A transport delivers each exchange,
 * in any order; it neither looks at the bytes nor trusts who writes the answers. */
#pragma once

#include "base/list.h"
#include "base/types.h"

#define P9_MOUNT_TAG_MAX 255

struct p9_segment {
	u64 phys;
	u32 len;
};

/* One exchange: NOUT segments that the server reads, then NIN that it writes. All of it, and what it points
 * at, belongs to the transport until done() runs. */
struct p9_io {
	const struct p9_segment *segs;
	unsigned nout, nin;
	/* WRITTEN bytes of the answer are there, or ERR (-EIO). Any context. */
	void (*done)(struct p9_io *, int err, u32 written);
	struct list_head node; /* the transport's */
};

struct p9_transport {
	char tag[P9_MOUNT_TAG_MAX + 1];
	unsigned max_segs; /* that one exchange may have */
	/* 0: done() will run (it may have run already); -EIO: the device is gone and done() will not run.
	 * LAZY: the server may learn of it with the next exchange only. Any context. */
	int (*submit)(struct p9_transport *, struct p9_io *, bool lazy);
	void (*kick)(struct p9_transport *); /* what was submitted lazily goes now. Any context */
	bool taken;
	struct list_head node;
};

void p9_transport_register(struct p9_transport *t);
/* The transport with mount tag TAG, for one user. ERR_PTR(-ENOENT); -EBUSY: it has one. */
struct p9_transport *p9_transport_take(const char *tag);
void p9_transport_give(struct p9_transport *t); /* no exchange is under way */
