/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler: per-CPU EEVDF run queues that only their own CPU touches; everything from outside is a message. */
#pragma once

#include "kernel/rcu.h"
#include "kernel/thread.h"

void sched_account_enter_sampled(void);
void sched_account_leave_sampled(void);

/* Give up the CPU. With state RUNNING it is a yield to whoever is due; otherwise sleep until thread_wake. Interrupts on
 * or off (restored); no spin lock held. */
void schedule(void);
/* Make T runnable if it sleeps in a state in MASK (bits 1 << THREAD_...). Returns true when this call woke it. Any context.
 * Full fence before it looks at the state. */
bool thread_wake_state(struct thread *t, u32 mask);
#define THREAD_WAKE_ALL (1u << THREAD_INTERRUPTIBLE | 1u << THREAD_KILLABLE | 1u << THREAD_UNINTERRUPTIBLE)
static inline bool thread_wake(struct thread *t)
{
	return thread_wake_state(t, THREAD_WAKE_ALL);
}
/* State of the current thread, with the full fence that the sleeper's protocol needs. */
void thread_set_state(enum thread_state s);
/* Let others run if someone is due; for long loops in the kernel. */
void cond_resched(void);
void thread_yield(void); /* give up the rest of the slice */
void thread_sleep_until(u64 deadline); /* uninterruptible; CLOCK_MONOTONIC ns */

/* Boot: the calling context becomes CPU's idle thread. */
void sched_init_boot(void);
void sched_init_cpu(unsigned cpu);
bool sched_expect_cpus(unsigned n); /* boot, before another CPU starts: ids will be below N. False: no memory */
void sched_idle(void) __noreturn; /* the idle loop: RCU, message list, arch_idle() (sti; hlt) */
/* The first thing a new thread does, interrupts off: arch's start code passes what arch_switch would have returned,
 * then enables interrupts and calls the thread's function. Frees the stack of a dead predecessor. */
void sched_thread_begin(struct thread *prev);
/* Interrupt hooks, called by arch with interrupts off. */
void sched_timer_interrupt(void);	 /* the local timer fired: run expired timers, tick if one is due */
void sched_reschedule_interrupt(void);	 /* smp_send_reschedule arrived: drain the message list */
/* Every interrupt calls this first (it tells RCU that an idle CPU is not idle just now). Interrupts off. */
static inline void sched_irq_enter(void)
{
	if (unlikely(atomic_load_explicit(per_cpu_ptr(&rcu_cpu_idle, cpu_id()), memory_order_relaxed)))
		rcu_idle_exit();
}
/* On every entry from the application and every return to it, interrupts and exceptions included, on the thread's kernel
 * stack, T being the current one: splits CPU time into user and system by sampling; two or three instructions when the entry is not sampled. */
static inline void sched_account_enter_kernel(struct thread *t)
{
	if (unlikely(!(t->se.entries++ & t->se.sample_mask)))
		sched_account_enter_sampled();
}
static inline void sched_account_leave_kernel(struct thread *t)
{
	if (unlikely(t->se.system_start))
		sched_account_leave_sampled();
}

/* CPU time of a thread and its process, ns, on any thread at any time. */
u64 thread_cpu_time(struct thread *t);
void thread_times(struct thread *t, u64 *user_ns, u64 *system_ns);
/* Per CPU, for /proc/stat: ns idle, user, system, interrupt, stolen by the host. */
struct cpu_times {
	u64 user, system, idle, irq, steal;
	u64 switches;
};
void cpu_times(unsigned cpu, struct cpu_times *out);
void load_average(u64 out[3]); /* 11-bit fixed point, as in Linux */
unsigned sched_runnable(void); /* threads running or runnable now */
unsigned sched_blocked(void);  /* threads that wait for a transfer now */
/* User and system time of P's threads, ended ones included: kernel/proc/. */
void process_times(struct process *p, u64 *user_ns, u64 *system_ns);
static inline void process_cpu_times(struct process *p, u64 *user_ns, u64 *system_ns)
{
	process_times(p, user_ns, system_ns);
}
/* RLIMIT_CPU of P was set (or inherited): watch it. -ENOMEM. Thread context; call it after rlim was written. kernel/time/. */
int process_cpu_limit_changed(struct process *p);
/* The host's clock of CPU time taken from a virtual CPU (ns, since boot), when there is one: set by arch at boot. */
extern u64 (*sched_steal_clock)(unsigned cpu);

/* /proc/sys/kernel/sched_*: us, us, ms. sched_set(): -EINVAL, as Linux has it. */
enum sched_setting { SCHED_SET_RT_PERIOD, SCHED_SET_RT_RUNTIME, SCHED_SET_RR_QUANTUM, SCHED_SETTINGS };
extern s32 sched_settings[SCHED_SETTINGS];
int sched_set(enum sched_setting which, s32 v);

/* Scheduling parameters. A new thread inherits those of its creator (thread_create does it). */
void sched_set_nice(struct thread *t, int nice);
int sched_get_nice(struct thread *t);
int sched_get_policy(struct thread *t, unsigned *rt_priority); /* SCHED_OTHER ... */
/* Copy the affinity mask (cpu_count bits, then zeroes) into WORDS words of MASK. */
void sched_get_affinity(struct thread *t, u64 *mask, unsigned words);
/* -EINVAL when no CPU of MASK is up; -ENOMEM. A thread that runs elsewhere moves soon; the current thread has moved on return. */
int sched_set_affinity(struct thread *t, const u64 *mask, unsigned words);
bool sched_cpu_online(unsigned cpu);
