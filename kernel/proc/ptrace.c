// SPDX-License-Identifier: BSD-2-Clause
/* Who traces whom (ptrace(2)).
 *
 * A thread is traced by a process (on Linux: by one of its threads; debuggers keep to one). The tracer's list
 * of tracees and the pointer back are guarded by the tree lock; the stops themselves by the tracee's process
 * lock (ptrace_stop.c). Being traced holds a reference on the thread. A tracee that ends leaves a record for
 * the tracer's wait, allocated when the tracing began, which also keeps its id from being used again. */
#include "kernel/alloc.h"
#include "ptrace.h"
#include <linux/capability.h>
#include <linux/sched.h>

/* The same user and group in all of its ids, and no capability that the current thread lacks? */
static bool same_rights(const struct cred *c, enum ptrace_mode mode)
{
	const struct cred *me = current_cred();
	bool fs = mode == PTRACE_BY_FSIDS;
	u32 uid = fs ? me->fsuid : me->uid, gid = fs ? me->fsgid : me->gid;

	return uid == c->uid && uid == c->euid && uid == c->suid && gid == c->gid && gid == c->egid &&
	       gid == c->sgid && !(c->cap_permitted & ~(fs ? me->cap_effective : me->cap_permitted));
}

static bool may_access(struct process *p, struct cred **cred, enum ptrace_mode mode)
{
	bool same;

	if (p == current->proc || process_capable(CAP_SYS_PTRACE))
		return true;
	rcu_read_lock();
	same = same_rights(rcu_dereference(*cred), mode);
	rcu_read_unlock();
	return same && (p->dumpable == 1 || !READ_ONCE(p->vm));
}

bool ptrace_may_access(struct process *p, enum ptrace_mode mode)
{
	return may_access(p, &p->cred, mode);
}

bool ptrace_may_access_thread(struct thread *t, enum ptrace_mode mode)
{
	return may_access(t->proc, &t->cred, mode);
}

bool ptrace_holds_back(struct thread *t)
{
	struct process *tracer;
	bool yes;

	if (likely(!ptrace_traced(t)))
		return false;
	spin_lock(&process_tree_lock);
	tracer = t->ptrace.tracer;
	yes = tracer && !cred_capable(rcu_dereference(tracer->cred), CAP_SYS_PTRACE);
	spin_unlock(&process_tree_lock);
	return yes;
}

u32 thread_tracer(struct thread *t)
{
	struct process *tracer;
	u32 pid;

	rcu_read_lock();
	tracer = rcu_dereference(t->ptrace.tracer);
	pid = tracer ? tracer->pid : 0;
	rcu_read_unlock();
	return pid;
}

/* Let TRACER trace T. Tree lock held; nobody traces it yet. */
static void link_tracee(struct thread *t, struct process *tracer, struct ptrace_death *death, u32 options,
			bool seized)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);

	thread_get(t);
	t->ptrace = (struct thread_ptrace){
		.tracer = tracer, .death = death, .options = options, .seized = seized};
	list_add_tail(&t->ptrace.node, &tracer->tracees);
	spin_unlock_irqrestore(&t->proc->lock, flags);
}

void ptrace_unlink(struct thread *t)
{
	struct ptrace_death *death;
	u64 flags = spin_lock_irqsave(&t->proc->lock);

	list_del(&t->ptrace.node);
	death = t->ptrace.death;
	t->ptrace.death = NULL;
	WRITE_ONCE(t->ptrace.tracer, (struct process *)NULL);
	t->ptrace.stopped = t->ptrace.trap_pending = false;
	t->ptrace.stop_seen = 0;
	thread_clear_flag(t, THREAD_SYSCALL_STOP | THREAD_SYSCALL_EMULATE | THREAD_STEP);
	signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_STOPPED);
	spin_unlock_irqrestore(&t->proc->lock, flags);
	kfree(death);
	thread_put(t);
}

/* ---- the beginning ---- */

/* -EPERM: it is traced already, or about to end. Takes DEATH. */
static int begin(struct thread *t, struct process *tracer, struct ptrace_death *death, u32 options,
		 bool seized)
{
	int err = 0;

	spin_lock(&process_tree_lock);
	if (!tracer || t->ptrace.tracer || t->sig.leaving || t->proc->zombie || tracer->zombie)
		err = -EPERM;
	else
		link_tracee(t, tracer, death, options, seized);
	spin_unlock(&process_tree_lock);
	if (err)
		kfree(death);
	return err;
}

long ptrace_traceme(void)
{
	struct ptrace_death *death = kzalloc(sizeof(*death));

	return death ? begin(current, current->proc->parent, death, 0, false) : -ENOMEM;
}

long ptrace_attach(struct thread *t, bool seize, u32 options)
{
	struct ptrace_death *death;
	int err;

	if (t->proc == current->proc || thread_test_flag(t, THREAD_KERNEL) ||
	    !ptrace_may_access_thread(t, PTRACE_BY_REAL_IDS))
		return -EPERM;
	death = kzalloc(sizeof(*death));
	if (!death)
		return -ENOMEM;
	err = begin(t, current->proc, death, options, seize);
	if (err)
		return err;
	if (!seize)
		signal_send_thread(t, SIGSTOP, NULL);
	/* One that is stopped with its group already goes over into a stop of ours. */
	signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_STOPPED);
	return 0;
}

int ptrace_fork_prepare(u64 clone_flags, int exit_signal, struct ptrace_death **death)
{
	u32 options = current->ptrace.options;
	int event = clone_flags & CLONE_VFORK ? PTRACE_EVENT_VFORK
		    : exit_signal != SIGCHLD  ? PTRACE_EVENT_CLONE
					      : PTRACE_EVENT_FORK;

	*death = NULL;
	if (!ptrace_traced(current))
		return 0;
	if (clone_flags & CLONE_UNTRACED || !(options & 1u << event))
		event = 0;
	if (!event && !(clone_flags & CLONE_PTRACE))
		return 0;
	*death = kzalloc(sizeof(**death));
	return *death ? event : -ENOMEM;
}

void ptrace_fork(struct thread *t, struct ptrace_death **death)
{
	struct thread_ptrace *mine = &current->ptrace;
	u64 flags;

	if (!*death || !mine->tracer)
		return;
	link_tracee(t, mine->tracer, *death, mine->options, mine->seized);
	*death = NULL;
	flags = spin_lock_irqsave(&t->proc->lock);
	if (mine->seized)
		t->ptrace.trap_pending = true;
	else
		sigqueue_add(&t->sig.pending, SIGSTOP, NULL);
	thread_set_flag(t, THREAD_SIGPENDING);
	spin_unlock_irqrestore(&t->proc->lock, flags);
}

/* ---- the end ---- */

void ptrace_death_free(struct ptrace_death *d)
{
	list_del(&d->node);
	pid_unuse(d->tid);
	kfree(d);
}

void ptrace_tracee_ends(struct thread *t, int status)
{
	struct process *tracer = t->ptrace.tracer, *p = t->proc;
	struct ptrace_death *d = t->ptrace.death;
	siginfo_t info;

	if (!tracer)
		return;
	/* The parent of a process hears of its end anyway. */
	if (t == p->leader && tracer == p->parent) {
		ptrace_unlink(t);
		return;
	}
	t->ptrace.death = NULL;
	ptrace_unlink(t);
	*d = (struct ptrace_death){.tid = t->tid, .pgid = p->pgid, .uid = process_uid(p), .status = status};
	pid_use(d->tid);
	list_add_tail(&d->node, &tracer->dead_tracees);
	if (t == p->leader) {
		siginfo_fill(&info, SIGCHLD, status & 0x7f ? CLD_KILLED : CLD_EXITED, (int)d->tid, d->uid);
		info.si_status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
		signal_send_process(tracer, SIGCHLD, &info);
	}
	waitq_wake_all(&tracer->wait_children);
}

void ptrace_tracer_ends(struct process *p)
{
	while (!list_empty(&p->tracees)) {
		struct thread *t = list_first_entry(&p->tracees, struct thread, ptrace.node);

		if (t->ptrace.options & PTRACE_O_EXITKILL)
			signal_send_process(t->proc, SIGKILL, NULL);
		ptrace_unlink(t);
	}
	while (!list_empty(&p->dead_tracees))
		ptrace_death_free(list_first_entry(&p->dead_tracees, struct ptrace_death, node));
}
