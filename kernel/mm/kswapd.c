// SPDX-License-Identifier: BSD-2-Clause
/* Background reclaim: a thread that is woken when free memory falls below the low watermark and shrinks
 * caches until there is the high one, so that allocations need not.
 *
 * Only caches are shrunk; the balloon is left to those who would fail without it. When there was nothing to
 * take many times in a row, everything is in use: the thread rests until somebody else finds something. */
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/sched.h"
#include "kernel/wait.h"

#define PASS_PAGES   128ull
#define MAX_FAILURES 16

DEFINE_COUNTER(reclaim_background_runs, "times that free memory fell low and background reclaim ran");

static DEFINE_WAITQ(wake);
static _Atomic bool wanted;
static _Atomic u32 failures; /* passes in a row that found nothing */
static struct thread *thread;

static u64 free_now(void)
{
	return buddy_free_pages() + READ_ONCE(offline_free_pages);
}

void kswapd_wake(void)
{
	if (atomic_load_explicit(&wanted, memory_order_relaxed) ||
	    atomic_load_explicit(&failures, memory_order_relaxed) >= MAX_FAILURES ||
	    atomic_exchange_explicit(&wanted, true, memory_order_relaxed))
		return;
	waitq_wake_one(&wake);
}

void kswapd_found_some(void)
{
	if (atomic_load_explicit(&failures, memory_order_relaxed))
		atomic_store_explicit(&failures, 0, memory_order_relaxed);
}

bool page_reclaim_in_background(void)
{
	return thread && current == thread;
}

static void kswapd(void *arg)
{
	u64 free;

	thread = current;
	for (;;) {
		wait_event(&wake, atomic_load_explicit(&wanted, memory_order_relaxed));
		counter_inc(&reclaim_background_runs);
		while ((free = free_now()) < READ_ONCE(page_high)) {
			if (!reclaim_caches(min(page_high - free, PASS_PAGES))) {
				atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
				break;
			}
			kswapd_found_some();
			cond_resched();
		}
		atomic_store_explicit(&wanted, false, memory_order_relaxed);
	}
}

static int kswapd_init(void)
{
	struct thread *t = kthread_start(kswapd, NULL, "kswapd0");

	return IS_ERR(t) ? (int)PTR_ERR(t) : 0;
}
INITCALL(kswapd_init, INIT_CORE);
