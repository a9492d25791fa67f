/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of kernel/ipc share with each other and nobody else. */
#pragma once

#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include "kernel/poll.h"
#include "kernel/signal.h"
#include <linux/time_types.h>

/* pollset.c: wait for several files at once. */
struct poll_slot {
	struct file *file; /* NULL: GOT stays as the caller set it */
	u32 want;	   /* bits that make the slot ready */
	u32 got;	   /* out: those of want that are set */
};
/* Sample all N slots until one is ready. DEADLINE: CLOCK_MONOTONIC ns, 0 to look only once, WAIT_FOREVER.
 * Returns how many slots are ready, 0 when the time is up, -ERESTARTNOHAND for a signal (even when the time
 * is up), -ENOMEM. */
long poll_slots(struct poll_slot *slots, size_t n, u64 deadline);

/* time.c */
#define NO_TIMEOUT WAIT_FOREVER
bool timespec_valid(const struct __kernel_timespec *ts);
u64 timespec_to_ns(const struct __kernel_timespec *ts); /* valid ones; saturates */
struct __kernel_timespec ns_to_timespec(u64 ns);
u64 deadline_after(u64 ns); /* from now; 0 for 0, which poll_slots takes as "do not wait" */
u64 time_left(u64 deadline);

/* Scratch memory of any size, for argument arrays. */
void *scratch_alloc(size_t size) __must_check;
void scratch_free(void *p, size_t size);

/* End of a call that ran with a temporary signal mask: unless a signal ended it (then delivery does it), the
 * caller's mask comes back at once, so that a signal which only the temporary mask let through stays pending.
 */
static inline void signal_mask_restore(bool interrupted)
{
	if (interrupted || !thread_test_flag(current, THREAD_RESTORE_MASK))
		return;
	thread_clear_flag(current, THREAD_RESTORE_MASK);
	signal_set_blocked(current->sig.saved_mask);
}
