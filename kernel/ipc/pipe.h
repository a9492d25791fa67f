/* SPDX-License-Identifier: BSD-2-Clause */
/* A pipe: a ring of pages between writers and readers. pipe.c moves data, pipe_open.c makes, opens and sizes
 * pipes. */
#pragma once

#include "ipc.h"
#include "fs/vfs.h"
#include "kernel/mutex.h"
#include "kernel/page.h"

#define PIPE_DEFAULT_SLOTS 16
#define PIPE_SPARE_PAGES   2

struct pipe_slot {
	u8 *mem; /* a page of its own */
	u32 off, len;
	bool packet; /* one write in O_DIRECT mode: a read takes it whole, and nothing is added to it */
};

/* Invariants: tail <= head <= tail + nslots (mod 2^32); slots in [tail, head) hold at least one byte each. */
struct pipe {
	struct mutex lock; /* guards all but the wait queues; head, tail, readers, writers are also read
			      without it */
	u32 head, tail;	   /* next slot to fill, next to read */
	u32 nslots;	   /* power of two */
	u32 readers, writers;
	u32 read_opens, write_opens; /* how often each side was opened, for FIFO's open handshake and poll's
					hang-up */
	u32 files;		     /* open files; guarded by fifo_lock */
	bool nameless;		     /* of pipe(2), not a FIFO */
	bool polled;		     /* somebody polls: edge-triggered pollers want a wake for each write */
	struct pipe_slot *slots;
	u8 *spare[PIPE_SPARE_PAGES]; /* pages for the next slots */
	struct waitq read_wait, write_wait;
};

extern const struct file_ops pipe_ops;
void pipe_free(struct pipe *p);
void pipe_file_release(struct file *f);
long pipe_file_fcntl(struct file *f, unsigned cmd, unsigned long arg);

static inline u32 pipe_used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

static inline bool pipe_full(const struct pipe *p)
{
	return pipe_used(p) >= READ_ONCE(p->nslots);
}

static inline struct pipe_slot *pipe_slot(struct pipe *p, u32 i)
{
	return &p->slots[i & (p->nslots - 1)];
}

static inline bool pipe_can_read(const struct pipe *p)
{
	return pipe_used(p) || !READ_ONCE(p->writers);
}

static inline bool pipe_can_write(const struct pipe *p)
{
	return !pipe_full(p) || !READ_ONCE(p->readers);
}
