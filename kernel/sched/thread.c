// SPDX-License-Identifier: BSD-2-Clause
/* The life of a thread structure: see kernel/thread.h. Made asleep in THREAD_NEW; its reference for being
 * alive goes when the thread that follows it on its last CPU reaps it (switch.c); the memory goes an RCU
 * grace period after the last reference, so that look-ups, wakers and mutex spinners may touch it while they
 * do not sleep. */
#include "arch/platform.h" /* kstack_low_of_cpu() */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "sched_internal.h"

static DEFINE_PER_CPU(struct thread, idle_thread) = {
	.state_word = THREAD_RUNNING,
	.flags = THREAD_KERNEL,
	.ref = {1},
	.name = "idle/0",
	.proc = &kernel_process,
	.cred = &kernel_cred,
	.se.class = SCHED_CLASS_IDLE_THREAD,
	.se.on_cpu = true,
};
DEFINE_PER_CPU(struct thread *, current_thread) = &idle_thread;
static struct slab_cache *thread_cache;

struct thread *thread_create(struct process *proc, const char *name)
{
	struct thread *t;

	if (!thread_cache)
		return ERR_PTR(-ENOMEM);
	t = slab_zalloc(thread_cache);
	if (!t)
		return ERR_PTR(-ENOMEM);
	t->kstack = kstack_alloc();
	if (!t->kstack) {
		slab_free(thread_cache, t);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&t->ref, 1);
	atomic_store_explicit(&t->state_word, THREAD_NEW | STATE_ASLEEP, memory_order_relaxed);
	str_copy(t->name, name, sizeof t->name);
	t->proc = proc;
	if (proc != &kernel_process)
		process_get(proc);
	t->cred = cred_get(proc == current->proc ? current->cred : proc->cred);
	list_init(&t->proc_node);
	list_init(&t->sig.pending.queue);
	t->start_time = clock_monotonic();
	t->se.wake_msg.kind = SCHED_MSG_WAKE;
	t->se.attr_msg.kind = SCHED_MSG_ATTR;
	t->se.rr_left = rr_quantum();
	t->timer_slack_ns = t->default_slack_ns = TIMER_SLACK_NS;
	list_init(&t->se.rt_node);
	list_init(&t->se.pi_owned);
	atomic_store_explicit(&t->se.cpu, cpu_id(), memory_order_relaxed);
	sched_attr_init(t);
	return t;
}

static void thread_free(struct rcu_head *head)
{
	struct thread *t = container_of(head, struct thread, rcu);

	kfree(t->se.affinity);
	seccomp_free(t);
	cred_put(t->cred);
	if (t->proc != &kernel_process)
		process_put(t->proc);
	slab_free(thread_cache, t);
}

void thread_get(struct thread *t)
{
	refcount_get(&t->ref);
}

void thread_put(struct thread *t)
{
	if (refcount_put(&t->ref))
		rcu_call(&t->rcu, thread_free);
}

void thread_discard(struct thread *t)
{
	kstack_free(t->kstack);
	t->kstack = NULL;
	arch_thread_free(t);
	thread_put(t);
}

void thread_start(struct thread *t)
{
	bool woken = thread_wake_state(t, 1u << THREAD_NEW);

	ASSERT(woken);
}

void thread_exit_final(void)
{
	ASSERT(list_empty(&current->se.pi_owned));
	thread_set_state(THREAD_DEAD);
	for (;;) {
		schedule();
		panic("thread_exit_final: %s ran again", current->name);
	}
}

static void init_cpu(unsigned cpu, struct thread *idle)
{
	struct runqueue *rq = cpu_rq(cpu);
	u64 now = clock_monotonic();

	list_init(&idle->proc_node);
	list_init(&idle->sig.pending.queue);
	list_init(&idle->se.rt_node);
	list_init(&idle->se.pi_owned);
	idle->kstack = (void *)kstack_low_of_cpu(); /* the stack that this CPU runs on already */
	idle->se.cpu = cpu;
	idle->se.exec_start = now;
	idle->start_time = now;
	rq_init(rq, cpu, idle);
	account_init(rq, now);
	timer_init_cpu(cpu);
	this_cpu(runqueue_self) = rq;
	this_cpu(current_thread) = idle;
	atomic_store_explicit(&rq->online, true, memory_order_release);
}

void sched_init_boot(void)
{
	thread_cache = slab_cache_create("thread", sizeof(struct thread), CACHE_LINE);
	if (!thread_cache)
		panic("sched_init_boot: no memory");
	init_cpu(cpu_id(), &idle_thread);
}

void sched_init_cpu(unsigned cpu)
{
	struct thread *idle = per_cpu_ptr(&idle_thread, cpu);

	*idle = (struct thread){
		.state_word = THREAD_RUNNING,
		.flags = THREAD_KERNEL,
		.ref = {1},
		.proc = &kernel_process,
		.cred = &kernel_cred,
		.se.class = SCHED_CLASS_IDLE_THREAD,
		.se.on_cpu = true,
	};
	snprintf(idle->name, sizeof idle->name, "idle/%u", cpu);
	init_cpu(cpu, idle);
}

bool sched_cpu_online(unsigned cpu)
{
	return cpu < cpu_count && atomic_load_explicit(&cpu_rq(cpu)->online, memory_order_acquire);
}
