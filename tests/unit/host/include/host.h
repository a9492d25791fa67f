/* SPDX-License-Identifier: BSD-2-Clause */
/* What a test may ask of the shim. Everything here is reset by host_reset(), which a test's setup may call.
 */
#pragma once

#include "base/types.h"
#include "kernel/init.h"

struct thread;

/* Fault injection: the next N allocations (kmalloc family, slabs, pages, vmalloc) succeed, all later ones
 * fail. host_alloc_fail_never() ends it. host_alloc_count() counts attempts, so that a test can try every N
 * in turn. */
void host_alloc_fail_after(u64 n);
void host_alloc_fail_never(void);
u64 host_alloc_count(void);
bool host_alloc_should_fail(void); /* for shims of other allocators */
u64 host_heap_live(void);	   /* kmalloc and slab objects not freed */
u64 host_pages_live(void);	   /* pages not freed */

/* Virtual time. It stands still but for these, and for one case: when every thread that the shim knows is
 * asleep, it jumps to the next timer (and when there is none, the shim panics: nobody could ever wake). */
void host_time_advance(u64 ns); /* runs the timers that become due, in order */
void host_time_set_realtime(u64 ns);

/* Threads. kthread_start() makes one too; a raw pthread becomes one when it first touches kernel code, but
 * then the shim cannot know when it waits in libc. */
struct thread *host_thread_start(void (*fn)(void *), void *arg);
void host_thread_join(struct thread *t);
/* Wait until T sleeps in schedule() (or has ended: returns false). */
bool host_thread_wait_asleep(struct thread *t);
/* CPUs are host threads: at most N at a time (default 16, at most 256). Call first of all. */
void host_set_cpus(unsigned n);

/* RCU callbacks run at once by default. Deferred: they wait for host_rcu_quiesce() or rcu_synchronize(). */
void host_rcu_defer(bool on);
void host_rcu_quiesce(void);

/* Accesses of copy_{from,to}_app to [P, P + N) fault. */
void host_app_bad_range(const void *p, size_t n);
void host_app_clear(void);

void host_cmdline_set(const char *line);
void host_random_seed(u64 seed);
/* Run the initcalls of PHASE that are linked into the test; returns the first error. */
int host_run_initcalls(enum init_phase phase);
void host_reset(void);

/* Port I/O of drivers under test goes here; the defaults read all ones and drop writes. */
struct host_port_ops {
	u32 (*in)(u16 port, unsigned size);
	void (*out)(u16 port, u32 value, unsigned size);
};
extern struct host_port_ops host_ports;
