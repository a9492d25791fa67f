// SPDX-License-Identifier: BSD-2-Clause
/* seccomp(2): strict mode and filters.
 *
 * A filter never changes and never goes before the threads that have it; a new one points to the one before
 * it, so a thread's filters are a chain that is only ever put another one in front of. All of a chain run for
 * each system call, and the strictest answer counts. What must not be made at all (a call that a filter
 * answers) ends here, before the dispatcher looks at the number.
 *
 * Not there: SECCOMP_RET_USER_NOTIF and its listeners (the flag is EINVAL, the action ENOSYS, as without a
 * listener). */
#include "seccomp.h"
#include "arch/syscall.h"
#include "base/string.h"
#include "coredump.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/seccomp.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/capability.h>
#include <linux/prctl.h>

#define FLAGS                                                                                   \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
#define CHAIN_MAX   32768 /* instructions of a chain; each filter counts as FILTER_COST more */
#define FILTER_COST 4

static DEFINE_COUNTER(seccomp_denied, "system calls that a seccomp filter answered or killed for");
static DEFINE_COUNTER(seccomp_logged, "system calls that a seccomp filter let pass with SECCOMP_RET_LOG");

struct seccomp_filter {
	struct refcount ref;
	struct seccomp_filter *prev; /* holds a reference */
	unsigned chain;		     /* cost of this and all before */
	unsigned len;
	struct sock_filter insns[];
};

static void filter_put(struct seccomp_filter *f)
{
	while (f && refcount_put(&f->ref)) {
		struct seccomp_filter *prev = f->prev;

		kfree(f);
		f = prev;
	}
}

void seccomp_free(struct thread *t)
{
	filter_put(t->seccomp.filter);
}

void seccomp_inherit(struct thread *t)
{
	t->seccomp = current->seccomp;
	if (t->seccomp.filter)
		refcount_get(&t->seccomp.filter->ref);
	if (t->seccomp.mode)
		thread_set_flag(t, THREAD_SECCOMP);
}

unsigned seccomp_filters(struct thread *t)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);
	unsigned n = 0;

	for (struct seccomp_filter *f = t->seccomp.filter; f; f = f->prev)
		n++;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return n;
}

/* ---- a call begins ---- */

static u32 run_filters(const struct seccomp_filter *f, const struct seccomp_data *data)
{
	u32 strictest = SECCOMP_RET_ALLOW;

	for (; f; f = f->prev) {
		u32 ret = seccomp_bpf_run(f->insns, data);

		/* Actions are ordered as signed numbers; of equal ones, the newest filter's data counts. */
		if ((s32)(ret & SECCOMP_RET_ACTION_FULL) < (s32)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = ret;
	}
	return strictest;
}

static void __noreturn kill_for(const struct seccomp_data *data, bool whole)
{
	struct process *p = current->proc;
	siginfo_t info;

	counter_inc(&seccomp_denied);
	if (!whole && READ_ONCE(p->nthreads) > 1)
		thread_exit(SIGSYS);
	siginfo_fill(&info, SIGSYS, SYS_SECCOMP, 0, 0);
	info.si_call_addr = (void *)data->instruction_pointer;
	info.si_syscall = data->nr;
	info.si_arch = data->arch;
	ptrace_event(PTRACE_EVENT_EXIT, SIGSYS);
	if (coredump(SIGSYS, &info))
		thread_exit(p->exit_code);
	process_exit_group(SIGSYS);
}

static void trap(struct regs *regs, const struct seccomp_data *data, u32 reason)
{
	regs_set_result(regs, data->nr);
	current->sig.fault_syscall = data->nr;
	current->sig.fault_errno = (int)reason;
	signal_force_fault(SIGSYS, SYS_SECCOMP, data->instruction_pointer);
}

/* Ask the tracer. True when the call, which it may have changed, is to be judged again. */
static bool ask_tracer(struct regs *regs, u32 message)
{
	struct thread_ptrace *pt = &current->ptrace;

	regs_set_result(regs, -ENOSYS);
	if (!ptrace_traced(current) || !(pt->options & PTRACE_O_TRACESECCOMP))
		return false;
	pt->phase = PTRACE_SYSCALL_INFO_SECCOMP;
	ptrace_event(PTRACE_EVENT_SECCOMP, message);
	pt->phase = 0;
	return !fatal_signal_pending(current) && (int)regs_syscall_number(regs) >= 0;
}

static struct seccomp_data data_of(const struct regs *regs)
{
	u64 args[] = {SYSCALL_ARGS(regs)};
	struct seccomp_data d = {
		.nr = (int)regs_syscall_number(regs),
		.arch = AUDIT_ARCH_NATIVE,
		.instruction_pointer = regs_pc(regs),
	};

	memcpy(d.args, args, sizeof(args));
	return d;
}

static bool filtered(struct regs *regs, bool asked)
{
	struct seccomp_data data = data_of(regs);
	u32 ret = run_filters(READ_ONCE(current->seccomp.filter), &data), value = ret & SECCOMP_RET_DATA;

	switch (ret & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		counter_inc(&seccomp_logged);
		log_debug("seccomp: %s[%u]: system call %d", current->name, current->proc->pid, data.nr);
		return true;
	case SECCOMP_RET_TRACE:
		if (asked)
			return true;
		return ask_tracer(regs, value) && filtered(regs, true);
	case SECCOMP_RET_ERRNO:
		regs_set_result(regs, -(long)min(value, 4095u));
		break;
	case SECCOMP_RET_TRAP:
		trap(regs, &data, value);
		break;
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		regs_set_result(regs, -ENOSYS);
		break;
	case SECCOMP_RET_KILL_THREAD:
		kill_for(&data, false);
	default:
		kill_for(&data, true);
	}
	counter_inc(&seccomp_denied);
	return false;
}

bool seccomp_syscall_enter(struct regs *regs)
{
	if (current->seccomp.mode == SECCOMP_MODE_FILTER)
		return filtered(regs, false);
	switch (regs_syscall_number(regs)) {
	case __NR_read:
	case __NR_write:
	case __NR_exit:
	case __NR_rt_sigreturn:
		return true;
	}
	counter_inc(&seccomp_denied);
	thread_exit(SIGKILL);
}

/* ---- setting up ---- */

static struct seccomp_filter *filter_load(const struct sock_fprog __app *uprog)
{
	struct seccomp_filter *f;
	struct sock_fprog prog;
	size_t size;
	int err;

	if (get_app(prog, uprog))
		return ERR_PTR(-EFAULT);
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	if (!current->no_new_privs && !process_capable(CAP_SYS_ADMIN))
		return ERR_PTR(-EACCES);
	size = prog.len * sizeof(struct sock_filter);
	f = kmalloc(sizeof(*f) + size);
	if (!f)
		return ERR_PTR(-ENOMEM);
	refcount_set(&f->ref, 1);
	f->prev = NULL;
	f->len = prog.len;
	err = copy_from_app(f->insns, (void __app *)prog.filter, size);
	if (!err)
		err = seccomp_bpf_check(f->insns, f->len);
	if (!err)
		return f;
	kfree(f);
	return ERR_PTR(err);
}

static bool may_take(const struct thread *t, int mode)
{
	return !t->seccomp.mode || t->seccomp.mode == mode;
}

/* Is what T has the end of the current thread's chain? */
static bool behind_ours(const struct thread *t)
{
	const struct seccomp_filter *f = current->seccomp.filter;

	if (!t->seccomp.mode)
		return true;
	if (t->seccomp.mode != SECCOMP_MODE_FILTER)
		return false;
	while (f && f != t->seccomp.filter)
		f = f->prev;
	return f == t->seccomp.filter;
}

/* The first thread that cannot have the current one's filters; NULL: all can. Process lock held. */
static struct thread *straggler(void)
{
	struct thread *t;

	list_for_each_entry (t, &current->proc->threads, proc_node)
		if (t != current && !behind_ours(t))
			return t;
	return NULL;
}

/* T drops its chain, which is part of F's and so stays, for F. */
static void assign(struct thread *t, struct seccomp_filter *f)
{
	struct seccomp_filter *old = t->seccomp.filter;

	refcount_get(&f->ref);
	WRITE_ONCE(t->seccomp.filter, f);
	t->seccomp.mode = SECCOMP_MODE_FILTER;
	thread_set_flag(t, THREAD_SECCOMP);
	filter_put(old);
}

/* Put F in front of the current thread's filters. F's reference is the caller's. */
static long filter_attach(struct seccomp_filter *f, unsigned flags)
{
	struct thread *me = current, *t;
	struct process *p = me->proc;
	long ret = 0;
	u64 irq = spin_lock_irqsave(&p->lock);

	if (!may_take(me, SECCOMP_MODE_FILTER)) {
		ret = -EINVAL;
		goto out;
	}
	f->chain = f->len + (me->seccomp.filter ? me->seccomp.filter->chain + FILTER_COST : 0);
	if (f->chain > CHAIN_MAX) {
		ret = -ENOMEM;
		goto out;
	}
	t = flags & SECCOMP_FILTER_FLAG_TSYNC ? straggler() : NULL;
	if (t) {
		ret = flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : (long)t->tid;
		goto out;
	}
	f->prev = me->seccomp.filter;
	if (f->prev)
		refcount_get(&f->prev->ref);
	assign(me, f);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		list_for_each_entry (t, &p->threads, proc_node)
			if (t != me) {
				assign(t, f);
				if (me->no_new_privs)
					WRITE_ONCE(t->no_new_privs, true);
			}
out:
	spin_unlock_irqrestore(&p->lock, irq);
	return ret;
}

static long set_filter(unsigned flags, const struct sock_fprog __app *uprog)
{
	struct seccomp_filter *f;
	long ret;

	if (flags & ~FLAGS)
		return -EINVAL;
	f = filter_load(uprog);
	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = filter_attach(f, flags);
	filter_put(f);
	return ret;
}

static long set_strict(void)
{
	struct thread *me = current;
	u64 irq = spin_lock_irqsave(&me->proc->lock);
	bool may = may_take(me, SECCOMP_MODE_STRICT);

	if (may) {
		me->seccomp.mode = SECCOMP_MODE_STRICT;
		thread_set_flag(me, THREAD_SECCOMP);
	}
	spin_unlock_irqrestore(&me->proc->lock, irq);
	return may ? 0 : -EINVAL;
}

static long action_available(const u32 __app *uaction)
{
	u32 action;

	if (get_app(action, uaction))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

SYSCALL_DEFINE3(seccomp, unsigned, op, unsigned, flags, void __app *, args)
{
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || args ? -EINVAL : set_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(flags, args);
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_available(args);
	default:
		return -EINVAL;
	}
}

long prctl_set_seccomp(u64 mode, const void __app *args)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return set_strict();
	case SECCOMP_MODE_FILTER:
		return set_filter(0, args);
	default:
		return -EINVAL;
	}
}
