/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel threads: run in ring 0 upper half only, in the kernel's own address space, and belong to process 0. */
#pragma once

#include "base/types.h"

struct thread;
/* Create and start a thread that runs FN(ARG); it ends when FN returns. ERR_PTR(-ENOMEM). Thread context or boot. */
struct thread *kthread_start(void (*fn)(void *), void *arg, const char *name);

/* Deferred work on one shared pool thread: run FN once, some time soon, in thread context. Queuing queued work is a no-op. */
struct work {
	struct work *next;
	void (*fn)(struct work *);
	_Atomic bool queued;
};
void work_init(struct work *w, void (*fn)(struct work *));
bool work_queue(struct work *w); /* any context; false when it was queued already */
void work_flush(struct work *w); /* wait until W is neither queued nor running. Thread context */
