// SPDX-License-Identifier: BSD-2-Clause
/* The smaller files of /proc/PID: limits, accounting, OOM score, scheduling and settings.
 *
 * A few settings mean nothing here but are written and read back by programs (core dump filter, login uid).
 * Those that were set are kept in a short list, by process; an absent one has the default. */
#include "kernel/page.h"
#include "kernel/sched.h"
#include "kernel/syscall_table.h"
#include "kernel/vm.h"
#include "proc.h"
#include <linux/capability.h>

int proc_limits(struct seq *s, const struct pseudo_ctx *ctx)
{
	static const struct {
		const char *name, *unit;
		int limit;
	} rows[] = {
		{"Max cpu time", "seconds", RLIMIT_CPU},
		{"Max file size", "bytes", RLIMIT_FSIZE},
		{"Max data size", "bytes", RLIMIT_DATA},
		{"Max stack size", "bytes", RLIMIT_STACK},
		{"Max core file size", "bytes", RLIMIT_CORE},
		{"Max resident set", "bytes", RLIMIT_RSS},
		{"Max processes", "processes", RLIMIT_NPROC},
		{"Max open files", "files", RLIMIT_NOFILE},
		{"Max locked memory", "bytes", RLIMIT_MEMLOCK},
		{"Max address space", "bytes", RLIMIT_AS},
		{"Max file locks", "locks", RLIMIT_LOCKS},
		{"Max pending signals", "signals", RLIMIT_SIGPENDING},
		{"Max msgqueue size", "bytes", RLIMIT_MSGQUEUE},
		{"Max nice priority", NULL, RLIMIT_NICE},
		{"Max realtime priority", NULL, RLIMIT_RTPRIO},
		{"Max realtime timeout", "us", RLIMIT_RTTIME},
	};
	struct process *p = proc_process(ctx);

	if (!p)
		return -ESRCH;
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 values[2] = {p->rlim[rows[i].limit].rlim_cur, p->rlim[rows[i].limit].rlim_max};

		seq_printf(s, "%-25s ", rows[i].name);
		for (int k = 0; k < 2; k++)
			if (values[k] == RLIM64_INFINITY)
				seq_printf(s, "%-20s ", "unlimited");
			else
				seq_printf(s, "%-20llu ", (unsigned long long)values[k]);
		if (rows[i].unit)
			seq_printf(s, "%-10s", rows[i].unit);
		seq_putc(s, '\n');
	}
	process_put(p);
	return 0;
}

/* Of a process: with the threads that ended and the children that it waited for. Device writes are never
 * taken back: they are counted when they are made. */
int proc_io(struct seq *s, const struct pseudo_ctx *ctx)
{
	static const char *const names[] = {"rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes"};
	struct process *p = proc_inspect(ctx);
	struct usage u = {0};
	struct thread *t;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	if (!ctx->tid) {
		process_usage(p, &u);
		usage_sum(&u, &p->child_usage);
	} else if ((t = proc_thread(ctx))) {
		usage_sum(&u, &t->used);
		thread_put(t);
	}
	process_put(p);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		seq_printf(s, "%s: %llu\n", names[i], (unsigned long long)u.n[USAGE_RCHAR + i]);
	seq_puts(s, "cancelled_write_bytes: 0\n");
	return 0;
}

int proc_cgroup(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "0::/\n");
	return 0;
}

int proc_oom_score(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);
	struct memory_stats m;
	struct vmspace *vm;
	s64 points = 0;

	if (!p)
		return -ESRCH;
	memory_stats(&m);
	vm = process_get_vm(p);
	if (vm && p->oom_score_adj != -1000) {
		points = (s64)vm_rss(vm) + (s64)p->oom_score_adj * (s64)m.total / 1000;
		points = (1000 + points * 1000 / (s64)max(m.total, 1ull)) * 2 / 3;
	}
	if (vm)
		vmspace_put(vm);
	process_put(p);
	seq_printf(s, "%lld\n", (long long)max(points, 0ll));
	return 0;
}

int proc_oom_score_adj(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);

	if (!p)
		return -ESRCH;
	seq_printf(s, "%d\n", p->oom_score_adj);
	process_put(p);
	return 0;
}

static int set_oom_adj(const struct pseudo_ctx *ctx, int value)
{
	struct process *p = proc_inspect(ctx);
	int err = 0;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	if (value < p->oom_score_adj && !process_capable(CAP_SYS_RESOURCE))
		err = -EACCES;
	else
		p->oom_score_adj = value;
	process_put(p);
	return err;
}

int proc_oom_score_adj_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, -1000, 1000, &v);

	return err ? -EINVAL : set_oom_adj(ctx, (int)v);
}

/* The old scale, -17 to 15. */
int proc_oom_adj(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);

	if (!p)
		return -ESRCH;
	seq_printf(s, "%d\n", p->oom_score_adj == 1000 ? 15 : p->oom_score_adj * 17 / 1000);
	process_put(p);
	return 0;
}

int proc_oom_adj_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, -17, 15, &v);

	return err ? -EINVAL : set_oom_adj(ctx, v == 15 ? 1000 : (int)v * 1000 / 17);
}

static struct thread *one_thread(const struct pseudo_ctx *ctx)
{
	struct thread *t = proc_thread(ctx);

	return t ? t : ERR_PTR(-ESRCH);
}

int proc_sched(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = one_thread(ctx);
	unsigned long long voluntary, involuntary;
	unsigned rt = 0;
	int policy;

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	voluntary = READ_ONCE(t->used.n[USAGE_VOLUNTARY]);
	involuntary = READ_ONCE(t->used.n[USAGE_INVOLUNTARY]);
	policy = sched_get_policy(t, &rt);
	seq_printf(s, "%s (%u, #threads: %u)\n", t->name, t->tid, t->proc->nthreads);
	seq_puts(s, "-------------------------------------------------------------------\n");
	seq_printf(s, "%-45s:%21llu.%06llu\n", "se.sum_exec_runtime",
		   (unsigned long long)(thread_cpu_time(t) / 1000000),
		   (unsigned long long)(thread_cpu_time(t) % 1000000));
	seq_printf(s, "%-45s:%21llu\n", "nr_switches", voluntary + involuntary);
	seq_printf(s, "%-45s:%21llu\n", "nr_voluntary_switches", voluntary);
	seq_printf(s, "%-45s:%21llu\n", "nr_involuntary_switches", involuntary);
	seq_printf(s, "%-45s:%21d\n", "policy", policy);
	seq_printf(s, "%-45s:%21d\n", "prio", rt ? 99 - (int)rt : 120 + sched_get_nice(t));
	thread_put(t);
	return 0;
}

int proc_schedstat(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = one_thread(ctx);

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	seq_printf(s, "%llu 0 %llu\n", (unsigned long long)thread_cpu_time(t),
		   (unsigned long long)(t->used.n[USAGE_VOLUNTARY] + t->used.n[USAGE_INVOLUNTARY]));
	thread_put(t);
	return 0;
}

int proc_personality(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	seq_printf(s, "%08x\n", p->personality);
	process_put(p);
	return 0;
}

int proc_wchan(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = one_thread(ctx);

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	thread_put(t);
	seq_putc(s, '0');
	return 0;
}

/* The application's registers of T while it waits in the kernel. False: it runs, or has ended. Its stack
 * cannot go as long as the process's lock is held and it is on the list. */
static bool waiting_regs(struct thread *t, struct regs *out)
{
	struct process *p = t->proc;
	bool found = false;
	struct thread *x;
	u64 flags;

	flags = spin_lock_irqsave(&p->lock);
	list_for_each_entry (x, &p->threads, proc_node)
		found |= x == t;
	found = found && t->kstack && thread_state_letter(t) != 'R';
	if (found)
		*out = *thread_regs(t);
	spin_unlock_irqrestore(&p->lock, flags);
	return found;
}

/* Kernel stacks are not walked; what a thread does is told by its system call. */
int proc_stack(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = one_thread(ctx);
	struct regs r;

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	if (waiting_regs(t, &r) && syscall_name(r.orig_rax))
		seq_printf(s, "[<0>] sys_%s\n", syscall_name(r.orig_rax));
	thread_put(t);
	return 0;
}

int proc_syscall(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);
	struct thread *t;
	struct regs r;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	process_put(p);
	t = one_thread(ctx);
	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	if (!waiting_regs(t, &r))
		seq_puts(s, "running\n");
	else if ((long)r.orig_rax < 0)
		seq_printf(s, "-1 0x%llx 0x%llx\n", (unsigned long long)r.rsp, (unsigned long long)r.rip);
	else
		seq_printf(s, "%llu 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx\n",
			   (unsigned long long)r.orig_rax, (unsigned long long)r.rdi,
			   (unsigned long long)r.rsi, (unsigned long long)r.rdx, (unsigned long long)r.r10,
			   (unsigned long long)r.r8, (unsigned long long)r.r9, (unsigned long long)r.rsp,
			   (unsigned long long)r.rip);
	thread_put(t);
	return 0;
}

int proc_children(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p;

	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		if (process_ppid(p) == ctx->pid)
			seq_printf(s, "%u ", p->pid);
	}
	return 0;
}

int proc_id_map(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "         0          0 4294967295\n");
	return 0;
}

int proc_setgroups(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "allow\n");
	return 0;
}

/* Another thread's slack is the business of those who may change priorities. */
static struct thread *slack_thread(const struct pseudo_ctx *ctx)
{
	struct thread *t = one_thread(ctx);

	if (IS_ERR(t) || t == current || process_capable(CAP_SYS_NICE))
		return t;
	thread_put(t);
	return ERR_PTR(-EPERM);
}

int proc_timerslack(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = slack_thread(ctx);

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	seq_printf(s, "%llu\n", (unsigned long long)t->timer_slack_ns);
	thread_put(t);
	return 0;
}

int proc_timerslack_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	struct thread *t;
	s64 v;

	if (proc_parse(text, 0, 0x7fffffffffffffff, &v))
		return -EINVAL;
	t = slack_thread(ctx);
	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	t->timer_slack_ns = v ? (u64)v : t->default_slack_ns;
	thread_put(t);
	return 0;
}
