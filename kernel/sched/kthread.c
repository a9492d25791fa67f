// SPDX-License-Identifier: BSD-2-Clause
/* Kernel threads and the shared worker: see kernel/kthread.h. */
#include "kernel/kthread.h"
#include "base/err.h"
#include "kernel/init.h"
#include "kernel/mpsc.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/wait.h"

/* The function and its argument travel in the restart block, which a kernel thread has no other use for. */
static void kthread_main(void *arg)
{
	struct thread *t = arg;
	void (*fn)(void *) = (void (*)(void *))t->restart.arg[0];

	fn((void *)t->restart.arg[1]);
	thread_exit_final();
}

struct thread *kthread_start(void (*fn)(void *), void *arg, const char *name)
{
	struct thread *t = thread_create(&kernel_process, name);
	int err;

	if (IS_ERR(t))
		return t;
	thread_set_flag(t, THREAD_KERNEL);
	t->restart.arg[0] = (u64)fn;
	t->restart.arg[1] = (u64)arg;
	err = arch_thread_init_kernel(t, kthread_main, t);
	if (err) {
		thread_discard(t);
		return ERR_PTR(err);
	}
	thread_start(t);
	return t;
}

/* The worker. queued is cleared before the function runs, so that it may queue itself again. */
static struct mpsc_list work_list;
static DEFINE_WAITQ(work_waitq);  /* the worker sleeps here */
static DEFINE_WAITQ(flush_waitq); /* work_flush sleeps here */
static _Atomic(struct work *) work_running;

_Static_assert(offsetof(struct work, next) == 0 && sizeof(struct mpsc_node) == sizeof(void *),
	       "work is an mpsc node");

void work_init(struct work *w, void (*fn)(struct work *))
{
	*w = (struct work){.fn = fn};
}

bool work_queue(struct work *w)
{
	if (atomic_exchange_explicit(&w->queued, true, memory_order_acq_rel))
		return false;
	mpsc_push(&work_list, (struct mpsc_node *)w);
	waitq_wake_one(&work_waitq);
	return true;
}

static void worker_main(void *arg)
{
	for (;;) {
		struct mpsc_node *n, *next;

		wait_event(&work_waitq, !mpsc_empty(&work_list));
		for (n = mpsc_take(&work_list); n; n = next) {
			struct work *w = (struct work *)n;

			next = n->next;
			/* running first, then queued: a flusher that misses the one sees the other. */
			atomic_store_explicit(&work_running, w, memory_order_seq_cst);
			atomic_store_explicit(&w->queued, false, memory_order_seq_cst);
			w->fn(w); /* may free W */
			atomic_store_explicit(&work_running, NULL, memory_order_release);
			waitq_wake_all(&flush_waitq);
			cond_resched();
		}
	}
}

static bool work_idle(struct work *w)
{
	return !atomic_load_explicit(&w->queued, memory_order_seq_cst) &&
	       atomic_load_explicit(&work_running, memory_order_seq_cst) != w;
}

void work_flush(struct work *w)
{
	wait_event(&flush_waitq, work_idle(w));
}

static int worker_init(void)
{
	struct thread *t = kthread_start(worker_main, NULL, "worker");

	return IS_ERR(t) ? (int)PTR_ERR(t) : 0;
}
INITCALL(worker_init, INIT_CORE);
