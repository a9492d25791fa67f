// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/{stat,status,statm,comm}, and the same for each thread. */
#include "kernel/ptrace.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/vm.h"
#include "proc.h"

/* What both stat and status need, of a process or one thread of it. */
struct facts {
	struct process *p;
	struct thread
		*t; /* the thread, or the leader; may be NULL for a zombie whose leader's structure is gone */
	struct vmspace *vm;
	bool whole; /* the process rather than one thread */
	char state;
	struct signal_summary sig;
	struct cred *cred;
};

static int facts_get(struct facts *x, const struct pseudo_ctx *ctx)
{
	*x = (struct facts){.p = proc_process(ctx), .whole = !ctx->tid};
	if (!x->p)
		return -ESRCH;
	x->t = proc_thread(ctx);
	if (!x->t && !x->whole) {
		process_put(x->p);
		return -ESRCH;
	}
	x->vm = process_get_vm(x->p);
	x->cred = x->t ? thread_cred_get(x->t) : process_cred_get(x->p);
	x->state = x->p->zombie || !x->t ? 'Z' : thread_state_letter(x->t);
	if (x->t)
		signal_summary(x->t, &x->sig);
	return 0;
}

static void facts_put(struct facts *x)
{
	if (x->vm)
		vmspace_put(x->vm);
	if (x->t)
		thread_put(x->t);
	cred_put(x->cred);
	process_put(x->p);
}

static void facts_times(const struct facts *x, u64 *user, u64 *system)
{
	if (x->whole)
		process_cpu_times(x->p, user, system);
	else
		thread_times(x->t, user, system);
}

static void facts_usage(const struct facts *x, struct usage *u)
{
	if (x->whole)
		process_usage(x->p, u);
	else
		*u = x->t->used;
}

static const char *name_of(const struct facts *x)
{
	return x->t ? x->t->name : "";
}

int proc_stat(struct seq *s, const struct pseudo_ctx *ctx)
{
	u64 user = 0, system = 0, terminal;
	int nice = 0, policy = 0, tpgid, err;
	unsigned rt_priority = 0, running_at = 0; /* with what waiters of its futexes lend it */
	struct process *p;
	struct usage used;
	struct facts x;
	bool open;

	err = facts_get(&x, ctx);
	if (err)
		return err;
	p = x.p;
	open = ptrace_may_access(p, PTRACE_BY_FSIDS); /* addresses are shown to those who may look */
	facts_times(&x, &user, &system);
	facts_usage(&x, &used);
	terminal = tty_session_terminal(p->sid, &tpgid);
	if (x.t) {
		nice = sched_get_nice(x.t);
		policy = sched_get_policy(x.t, &rt_priority);
		running_at = max(rt_priority,
				 (unsigned)atomic_load_explicit(&x.t->se.boost, memory_order_relaxed));
	}
	seq_printf(s, "%u (%s) %c %u %u %u %d %d %u %llu %llu %llu %llu %llu %llu %llu %llu %d %d %u 0 %llu ",
		   x.whole ? p->pid : x.t->tid, name_of(&x), x.state, process_ppid(p), p->pgid, p->sid,
		   (int)terminal, tpgid, 0x00400000u, (unsigned long long)used.n[USAGE_MIN_FAULTS],
		   (unsigned long long)p->child_usage.n[USAGE_MIN_FAULTS],
		   (unsigned long long)used.n[USAGE_MAJ_FAULTS],
		   (unsigned long long)p->child_usage.n[USAGE_MAJ_FAULTS], (unsigned long long)to_ticks(user),
		   (unsigned long long)to_ticks(system), (unsigned long long)to_ticks(p->child_user_ns),
		   (unsigned long long)to_ticks(p->child_system_ns),
		   running_at ? -1 - (int)running_at : 20 + nice, nice, p->nthreads,
		   (unsigned long long)to_ticks(x.whole || !x.t ? p->start_time : x.t->start_time));
	seq_printf(s, "%llu %llu %llu %llu %llu %llu 0 0 %llu %llu %llu %llu %d 0 0 %d %u %u %d 0 0 0 ",
		   x.vm ? (unsigned long long)x.vm->total_vm << PAGE_SHIFT : 0ull,
		   x.vm ? (unsigned long long)vm_rss(x.vm) : 0ull,
		   (unsigned long long)p->rlim[RLIMIT_RSS].rlim_cur,
		   x.vm ? open ? (unsigned long long)x.vm->code_start : 1ull : 0ull,
		   x.vm ? open ? (unsigned long long)x.vm->code_end : 1ull : 0ull,
		   open ? (unsigned long long)p->start_stack : 0ull,
		   (unsigned long long)(x.sig.thread_pending & 0x7fffffff),
		   (unsigned long long)(x.sig.blocked & 0x7fffffff),
		   (unsigned long long)(x.sig.ignored & 0x7fffffff),
		   (unsigned long long)(x.sig.caught & 0x7fffffff), x.state != 'R' && x.state != 'Z',
		   x.whole ? p->exit_signal : -1, x.t ? x.t->se.cpu : 0, rt_priority, policy);
	seq_printf(s, "%llu %llu %llu %llu %llu %llu %llu %d\n",
		   open && x.vm ? (unsigned long long)x.vm->data_start : 0ull,
		   open && x.vm ? (unsigned long long)x.vm->data_end : 0ull,
		   open && x.vm ? (unsigned long long)x.vm->brk_start : 0ull,
		   open ? (unsigned long long)p->arg_start : 0ull,
		   open ? (unsigned long long)p->arg_end : 0ull,
		   open ? (unsigned long long)p->env_start : 0ull,
		   open ? (unsigned long long)p->env_end : 0ull, open ? p->exit_code : 0);
	facts_put(&x);
	return 0;
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "D (disk sleep)";
	}
}

static void status_name(struct seq *s, const char *name)
{
	for (; *name; name++)
		if (*name == '\n')
			seq_puts(s, "\\n");
		else if (*name == '\\')
			seq_puts(s, "\\\\");
		else
			seq_putc(s, *name);
}

static void status_head(struct seq *s, const struct facts *x)
{
	struct fs_context *fs = x->t ? thread_get_fs(x->t) : NULL;
	const struct cred *c = x->cred;
	struct process *p = x->p;
	u32 tid = x->t ? x->t->tid : p->pid;

	seq_puts(s, "Name:\t");
	status_name(s, name_of(x));
	if (fs) {
		seq_printf(s, "\nUmask:\t%04o", fs_context_umask(fs));
		fs_context_put(fs);
	}
	seq_printf(s, "\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n",
		   state_name(x->state), p->pid, tid, process_ppid(p), x->t ? thread_tracer(x->t) : 0);
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid,
		   c->gid, c->egid, c->sgid, c->fsgid);
}

static void status_ids(struct seq *s, const struct facts *x)
{
	struct fdtable *files = x->t ? thread_get_files(x->t) : NULL;
	const struct group_list *g = x->cred->groups;
	struct process *p = x->p;
	unsigned room = 0;

	if (files) {
		fdtable_count(files, &room);
		fdtable_put(files);
	}
	seq_printf(s, "FDSize:\t%u\nGroups:\t", room);
	for (u32 i = 0; g && i < g->n; i++)
		seq_printf(s, "%u ", g->gid[i]);
	seq_printf(s, "\nNStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", p->pid,
		   x->t ? x->t->tid : p->pid, p->pgid, p->sid);
}

static void kb(struct seq *s, const char *name, u64 pages)
{
	seq_printf(s, "%s:\t%8llu kB\n", name, (unsigned long long)pages << (PAGE_SHIFT - 10));
}

static u64 pages_of(const _Atomic s64 *n)
{
	s64 v = atomic_load_explicit((_Atomic s64 *)(uintptr_t)n, memory_order_relaxed);

	return v > 0 ? (u64)v : 0;
}

static u64 code_pages(const struct vmspace *vm)
{
	return (ALIGN_UP(vm->code_end, PAGE_SIZE) - ALIGN_DOWN(vm->code_start, PAGE_SIZE)) >> PAGE_SHIFT;
}

static void status_memory(struct seq *s, struct vmspace *vm)
{
	u64 peak = vm->peak_vm, text = min(code_pages(vm), vm->exec_vm);

	kb(s, "VmPeak", max(peak, vm->total_vm));
	kb(s, "VmSize", vm->total_vm);
	kb(s, "VmLck", vm->locked_vm);
	kb(s, "VmPin", 0);
	kb(s, "VmHWM", vm_peak_rss(vm));
	kb(s, "VmRSS", vm_rss(vm));
	kb(s, "RssAnon", pages_of(&vm->rss_anon));
	kb(s, "RssFile", pages_of(&vm->rss_file));
	kb(s, "RssShmem", pages_of(&vm->rss_shmem));
	kb(s, "VmData", vm->data_vm);
	kb(s, "VmStk", vm->stack_vm);
	kb(s, "VmExe", text);
	kb(s, "VmLib", vm->exec_vm - text);
	kb(s, "VmPTE", pages_of(&vm->pt_pages));
	kb(s, "VmSwap", 0);
	kb(s, "HugetlbPages", pages_of(&vm->hugetlb_pages));
	seq_printf(s, "CoreDumping:\t0\nTHP_enabled:\t%d\n", thp_policy_get() != THP_NEVER);
}

static void status_signals(struct seq *s, const struct facts *x)
{
	const struct signal_summary *g = &x->sig;

	seq_printf(s, "Threads:\t%u\nSigQ:\t%u/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n", x->p->nthreads,
		   g->queued, (unsigned long long)x->p->rlim[RLIMIT_SIGPENDING].rlim_cur,
		   (unsigned long long)g->thread_pending, (unsigned long long)g->shared_pending);
	seq_printf(s, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		   (unsigned long long)g->blocked, (unsigned long long)g->ignored,
		   (unsigned long long)g->caught);
}

static void status_security(struct seq *s, const struct cred *c, struct thread *t)
{
	seq_printf(
		s,
		"CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		(unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted,
		(unsigned long long)c->cap_effective, (unsigned long long)c->cap_bounding,
		(unsigned long long)c->cap_ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", t && t->no_new_privs,
		   t ? t->seccomp.mode : 0, t ? seccomp_filters(t) : 0);
	seq_puts(s, "Speculation_Store_Bypass:\tnot vulnerable\nSpeculationIndirectBranch:\tnot affected\n");
}

static void affinity(struct seq *s, struct thread *t)
{
	u64 mask[16] = {0}; /* 1,024 CPUs */
	unsigned n = min(cpu_count, (unsigned)ARRAY_SIZE(mask) * 64);
	const char *comma = "";

	sched_get_affinity(t, mask, ARRAY_SIZE(mask));
	seq_puts(s, "Cpus_allowed:\t");
	for (unsigned w = (n + 31) / 32; w-- > 0;)
		seq_printf(s, w == (n + 31) / 32 - 1 ? "%x" : ",%08x", (u32)(mask[w / 2] >> (w % 2 * 32)));
	seq_puts(s, "\nCpus_allowed_list:\t");
	for (unsigned i = 0; i < n; i++) {
		unsigned first = i;

		if (!(mask[i / 64] >> (i % 64) & 1))
			continue;
		while (i + 1 < n && (mask[(i + 1) / 64] >> ((i + 1) % 64) & 1))
			i++;
		if (first == i)
			seq_printf(s, "%s%u", comma, i);
		else
			seq_printf(s, "%s%u-%u", comma, first, i);
		comma = ",";
	}
	seq_puts(s, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

int proc_status(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct facts x;
	int err = facts_get(&x, ctx);

	if (err)
		return err;
	status_head(s, &x);
	status_ids(s, &x);
	if (x.vm)
		status_memory(s, x.vm);
	status_signals(s, &x);
	status_security(s, x.cred, x.t);
	if (x.t) {
		affinity(s, x.t);
		seq_printf(s, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
			   (unsigned long long)x.t->used.n[USAGE_VOLUNTARY],
			   (unsigned long long)x.t->used.n[USAGE_INVOLUNTARY]);
	}
	facts_put(&x);
	return 0;
}

int proc_statm(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);
	struct vmspace *vm;

	if (!p)
		return -ESRCH;
	vm = process_get_vm(p);
	process_put(p);
	if (!vm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	seq_printf(s, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)vm->total_vm,
		   (unsigned long long)vm_rss(vm),
		   (unsigned long long)(pages_of(&vm->rss_file) + pages_of(&vm->rss_shmem)),
		   (unsigned long long)code_pages(vm), (unsigned long long)(vm->data_vm + vm->stack_vm));
	vmspace_put(vm);
	return 0;
}

int proc_comm(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct thread *t = proc_thread(ctx);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%s\n", t->name);
	thread_put(t);
	return 0;
}

/* Threads of the same process may set each other's names, as pthread_setname_np does. */
int proc_comm_store(const struct pseudo_ctx *ctx, const char *text, size_t n)
{
	struct thread *t = proc_thread(ctx);
	int err = 0;

	if (!t)
		return -ESRCH;
	if (t->proc != current_process()) {
		err = -EINVAL;
	} else {
		char name[sizeof t->name] = "";
		size_t len = strnlen(text, min(n, sizeof name - 1));

		memcpy(name, text, len);
		memcpy(t->name, name, sizeof name);
	}
	thread_put(t);
	return err;
}
