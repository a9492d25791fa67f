// SPDX-License-Identifier: BSD-2-Clause
/* The system-call dispatcher. Entry code calls syscall_dispatch() with interrupts on and the application's
 * registers; the result goes back in them. The table is generated (kernel/syscall_table.h): a handler fills
 * its slot by its name.
 *
 * The plain path is: one test of the thread's trace flag, one bound, one per-CPU increment, one indirect
 * call. Unknown numbers and slots that nobody fills end in -ENOSYS, are counted by number and named once on
 * the console. Counts are per CPU and only summed when somebody reads them. */
#include "arch/syscall.h"
#include "base/bits.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/sched.h"
#include "kernel/syscall_table.h"
#include "kernel/thread.h"
#include "trace.h"

DEFINE_COUNTER(syscall_unknown, "system calls answered with ENOSYS because the number is out of range");
DEFINE_COUNTER(syscall_unimplemented, "system calls answered with ENOSYS because nobody implements them");

/* A structure, because the compiler loses the segment of a per-CPU variable that is itself an array. */
struct call_counts {
	u64 n[SYSCALL_SLOTS];
};
static DEFINE_PER_CPU(struct call_counts, syscall_calls);
static _Atomic u64 named[SYSCALL_SLOTS / 64]; /* numbers whose absence has been reported */

static long __noinline __cold syscall_missing(u32 nr)
{
	if (nr >= syscall_count) {
		counter_inc(&syscall_unknown);
		return -ENOSYS;
	}
	counter_inc(&syscall_unimplemented);
	if (!(atomic_fetch_or_explicit(&named[nr / 64], BIT(nr % 64), memory_order_relaxed) & BIT(nr % 64)) &&
	    !syscall_absent_by_design(nr))
		log_warn("unimplemented system call %u %s (pid %u, %s)", nr, syscall_name(nr) ?: "?",
			 current->proc->pid, current->name);
	return -ENOSYS;
}

/* What is not the plain path: debuggers, filters, tracing, and numbers that nobody fills. */
static void __noinline __cold dispatch_slow(struct regs *regs)
{
	bool wanted = ptrace_syscall_enter(regs), trace = thread_test_flag(current, THREAD_TRACE);

	if (wanted && thread_test_flag(current, THREAD_SECCOMP))
		wanted = seccomp_syscall_enter(regs);

	u32 nr = regs_syscall_number(regs); /* a debugger may have chosen another one */
	syscall_fn fn = nr < syscall_count ? syscall_table[nr] : NULL;

	if (wanted && fn && trace) {
		trace_syscall(nr, fn, regs);
	} else if (wanted && fn) {
		regs_set_result(regs, fn(SYSCALL_ARGS(regs)));
	} else if (wanted) {
		if (trace && nr < syscall_count)
			trace_missing(nr, regs);
		regs_set_result(regs, syscall_missing(nr));
	}
	ptrace_syscall_exit(regs);
}

void syscall_dispatch(struct regs *regs)
{
	struct thread *t = current;
	syscall_fn fn = NULL;
	u32 nr;

	sched_account_enter_kernel(t);
	alloc_fail_enter();
	nr = regs_syscall_number(regs);
	if (likely(nr < SYSCALL_SLOTS)) {
		this_cpu(syscall_calls).n[nr]++;
		fn = syscall_table[nr];
	}
	if (likely(fn && !thread_test_flag(t, THREAD_SYSCALL_WORK)))
		regs_set_result(regs, fn(SYSCALL_ARGS(regs)));
	else
		dispatch_slow(regs);
	alloc_fail_leave();
	sched_account_leave_kernel(t);
}

u64 syscall_calls_total(unsigned nr)
{
	u64 sum = 0;

	if (nr >= SYSCALL_SLOTS)
		return 0;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		sum += READ_ONCE(per_cpu_ptr(&syscall_calls, cpu)->n[nr]);
	return sum;
}
