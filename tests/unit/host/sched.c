// SPDX-License-Identifier: BSD-2-Clause
/* Threads: each host thread is a kernel thread on a CPU of its own. One pthread mutex guards who sleeps; when
 * all that we know of sleep, the last one moves virtual time to the next timer, or panics because nothing
 * could wake them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "host_private.h"
#include "kernel/kthread.h"
#include "kernel/process.h"
#include "kernel/psi.h"
#include "kernel/sched.h"
#include "kernel/softirq.h"

#define MAX_CPUS 256

struct host_thread {
	struct thread thread;
	pthread_cond_t wake;
	struct host_thread *next;   /* on all; guarded by lock, as all below */
	struct host_thread *joiner; /* sleeps until we are done */
	bool asleep, done;
	int cpu; /* -1: none */
	void (*fn)(void *);
	void *arg;
};

__weak unsigned cpu_count = 16;
__weak DEFINE_PER_CPU(unsigned, cpu_number);
__weak DEFINE_PER_CPU(struct thread *, current_thread);
__weak DEFINE_PER_CPU(struct softirq_counts, softirq_counts);
__weak u64 *percpu_offset;
__weak struct process kernel_process;
__weak struct process *init_process;
_Thread_local bool host_irqs_off;

extern u8 __start_percpu[], __stop_percpu[];

static u64 offsets[MAX_CPUS];
static u8 *areas[MAX_CPUS]; /* for the leak checker: an offset is no pointer */
static bool cpu_taken[MAX_CPUS];
static u8 *pristine; /* the templates as they were before main() */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct host_thread *all;
static unsigned awake;
static _Atomic u32 next_tid = 1;
static _Thread_local uintptr_t own_offset;
static _Thread_local bool own_offset_known;
static pthread_key_t exit_key;

static void make_areas(void)
{
	size_t size = (size_t)(__stop_percpu - __start_percpu), skew = (uintptr_t)__start_percpu % PAGE_SIZE;

	for (unsigned i = 1; i < cpu_count; i++) {
		u8 *area;

		if (offsets[i])
			continue;
		area = aligned_alloc(PAGE_SIZE, ALIGN_UP(size + skew, PAGE_SIZE));
		if (!area)
			abort();
		areas[i] = area;
		memcpy(area + skew, pristine, size);
		offsets[i] = (uintptr_t)area + skew - (uintptr_t)__start_percpu;
		*per_cpu_ptr(&cpu_number, i) = i;
	}
}

void host_set_cpus(unsigned n)
{
	if (n > MAX_CPUS)
		abort();
	cpu_count = n;
	make_areas();
}

__weak struct cred kernel_cred = {.ref = {1}, .cap_effective = ~0ull, .cap_permitted = ~0ull};

__weak bool group_list_has(const struct group_list *g, u32 gid)
{
	return false;
}

__weak void cred_put(struct cred *c)
{
}

__weak size_t percpu_size(void)
{
	return (size_t)(__stop_percpu - __start_percpu);
}

__weak bool psi_memstall_enter(void)
{
	return false;
}

__weak void psi_memstall_leave(bool entered)
{
}

struct path;
u32 path_mount_flags(const struct path *p);
__weak u32 path_mount_flags(const struct path *p)
{
	return 0;
}

static void process_setup(struct process *p)
{
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_node);
	list_init(&p->shared_pending.queue);
	list_init(&p->wait_children.entries);
	list_init(&p->signalfd_wait.entries);
	refcount_set(&p->ref, 1);
	p->cred = &kernel_cred;
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
}

static struct host_thread *thread_new(void)
{
	struct host_thread *h = calloc(1, sizeof *h);

	if (!h)
		abort();
	pthread_cond_init(&h->wake, NULL);
	refcount_set(&h->thread.ref, 1);
	h->thread.tid = next_tid++;
	h->thread.proc = &kernel_process;
	h->thread.cred = &kernel_cred;
	list_init(&h->thread.proc_node);
	list_init(&h->thread.sig.pending.queue);
	h->cpu = -1;
	pthread_mutex_lock(&lock);
	h->next = all;
	all = h;
	awake++;
	pthread_mutex_unlock(&lock);
	return h;
}

/* Give the calling pthread a CPU and make H its thread. */
static void thread_adopt(struct host_thread *h)
{
	unsigned cpu = 0;

	pthread_mutex_lock(&lock);
	while (cpu < cpu_count && cpu_taken[cpu])
		cpu++;
	if (cpu >= cpu_count) {
		fprintf(stderr, "more than %u host threads: call host_set_cpus() first\n", cpu_count);
		abort();
	}
	cpu_taken[cpu] = true;
	pthread_mutex_unlock(&lock);
	h->cpu = (int)cpu;
	own_offset = offsets[cpu];
	own_offset_known = true;
	pthread_setspecific(exit_key, h);
	this_cpu(current_thread) = &h->thread;
}

uintptr_t host_percpu_offset(void)
{
	if (!own_offset_known)
		thread_adopt(thread_new());
	return own_offset;
}

/* Everybody sleeps and someone has just stopped running: let a sleeper look for the next timer. */
static void poke_a_sleeper(void)
{
	for (struct host_thread *h = all; h && !awake; h = h->next)
		if (h->asleep) {
			pthread_cond_signal(&h->wake);
			return;
		}
}

static void wake_locked(struct host_thread *h)
{
	h->thread.state = THREAD_RUNNING;
	if (h->asleep) {
		h->asleep = false;
		awake++;
		pthread_cond_signal(&h->wake);
	}
}

static void thread_gone(void *arg)
{
	struct host_thread *h = arg;

	pthread_mutex_lock(&lock);
	cpu_taken[h->cpu] = false;
	h->done = true;
	h->thread.state = THREAD_DEAD;
	awake--;
	if (h->joiner)
		wake_locked(h->joiner);
	poke_a_sleeper();
	pthread_mutex_unlock(&lock);
}

bool host_threads_alone(void)
{
	unsigned alive = 0;

	pthread_mutex_lock(&lock);
	for (struct host_thread *h = all; h; h = h->next)
		alive += !h->done;
	pthread_mutex_unlock(&lock);
	return alive <= 1;
}

__attribute__((constructor(102))) static void sched_setup(void)
{
	size_t size = (size_t)(__stop_percpu - __start_percpu);

	pristine = malloc(size);
	if (!pristine || pthread_key_create(&exit_key, thread_gone))
		abort();
	memcpy(pristine, __start_percpu, size);
	percpu_offset = offsets;
	process_setup(&kernel_process);
	make_areas();
	(void)host_percpu_offset(); /* the main thread is CPU 0 */
}

/* With the lock held: sleep until someone woke H. */
static void sleep_locked(struct host_thread *h)
{
	h->asleep = true;
	awake--;
	while (h->asleep) {
		u64 at;

		if (awake) {
			pthread_cond_wait(&h->wake, &lock);
			continue;
		}
		pthread_mutex_unlock(&lock);
		at = host_next_timer();
		if (at == ~0ull) {
			fprintf(stderr,
				"panic: all threads sleep and no timer is set: they would block for ever\n");
			abort();
		}
		host_time_advance(at > host_now ? at - host_now : 0);
		pthread_mutex_lock(&lock);
	}
}

__weak void schedule(void)
{
	struct host_thread *h = container_of(current, struct host_thread, thread);
	bool irqs_off = host_irqs_off;

	pthread_mutex_lock(&lock);
	if (h->thread.state == THREAD_RUNNING) {
		pthread_mutex_unlock(&lock);
		sched_yield();
		return;
	}
	sleep_locked(h);
	pthread_mutex_unlock(&lock);
	host_irqs_off = irqs_off;
}

__weak bool thread_wake_state(struct thread *t, u32 mask)
{
	struct host_thread *h = container_of(t, struct host_thread, thread);
	bool woke = false;

	atomic_thread_fence(memory_order_seq_cst);
	pthread_mutex_lock(&lock);
	if (1u << t->state & mask) {
		wake_locked(h);
		woke = true;
	}
	pthread_mutex_unlock(&lock);
	return woke;
}

__weak void thread_set_state(enum thread_state s)
{
	atomic_store(&current->state, s);
	atomic_thread_fence(memory_order_seq_cst);
}

__weak void cond_resched(void)
{
}

__weak void thread_sleep_until(u64 deadline)
{
	do
		thread_set_state(THREAD_UNINTERRUPTIBLE);
	while (schedule_until(deadline));
}

__weak bool thread_signal_interrupts(enum thread_state state)
{
	return (state == THREAD_INTERRUPTIBLE && signal_pending(current)) ||
	       (state == THREAD_KILLABLE && fatal_signal_pending(current));
}

__weak bool fatal_signal_pending(struct thread *t)
{
	return thread_test_flag(t, THREAD_EXITING);
}

__weak void thread_get(struct thread *t)
{
	refcount_get(&t->ref);
}

/* Host threads are never freed: a test may look at one that ended. */
__weak void thread_put(struct thread *t)
{
	(void)!refcount_put(&t->ref);
}

static void *thread_main(void *arg)
{
	struct host_thread *h = arg;

	thread_adopt(h);
	h->fn(h->arg);
	return NULL;
}

struct thread *host_thread_start(void (*fn)(void *), void *arg)
{
	struct host_thread *h = thread_new();
	pthread_t pthread;

	h->fn = fn;
	h->arg = arg;
	h->thread.flags = THREAD_KERNEL;
	if (pthread_create(&pthread, NULL, thread_main, h))
		abort();
	pthread_detach(pthread);
	return &h->thread;
}

__weak struct thread *kthread_start(void (*fn)(void *), void *arg, const char *name)
{
	struct thread *t;

	if (host_alloc_should_fail())
		return ERR_PTR(-ENOMEM);
	t = host_thread_start(fn, arg);
	strncpy(t->name, name, sizeof t->name - 1);
	return t;
}

void host_thread_join(struct thread *t)
{
	struct host_thread *h = container_of(t, struct host_thread, thread);

	struct host_thread *self = container_of(current, struct host_thread, thread);

	pthread_mutex_lock(&lock);
	while (!h->done) {
		h->joiner = self;
		self->thread.state = THREAD_UNINTERRUPTIBLE;
		sleep_locked(self);
	}
	pthread_mutex_unlock(&lock);
}

bool host_thread_wait_asleep(struct thread *t)
{
	struct host_thread *h = container_of(t, struct host_thread, thread);

	for (;;) {
		bool asleep, done;

		pthread_mutex_lock(&lock);
		asleep = h->asleep;
		done = h->done;
		pthread_mutex_unlock(&lock);
		if (asleep || done)
			return asleep;
		sched_yield();
	}
}
