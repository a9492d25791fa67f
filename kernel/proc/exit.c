// SPDX-License-Identifier: BSD-2-Clause
/* How threads and processes end.
 *
 * A thread ends in thread_exit(): it stops taking signals, tells waiters in its memory (robust futexes,
 * child_tid, vfork), leaves the address space, and its process. The last one tears the process down, hands
 * its children to the next subreaper or init, and becomes a zombie, unless its parent does not care, which
 * frees it at once. Whoever ends all threads (exit_group, a fatal signal, exec) sets THREAD_EXITING on them;
 * they come here on their way back to the application. exit_group(2), wait(2), prctl(2)
 * PR_SET_CHILD_SUBREAPER. */
#include "fs/file.h"
#include "fs/vfs.h"
#include "fs/pseudo.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include "kernel/counter.h"
#include "kernel/syscall.h"
#include "coredump.h"

DEFINE_COUNTER(threads_ended, "threads that ended");
DEFINE_COUNTER(processes_ended, "processes that ended");

#define CLOCK_TICKS_NS (NSEC_PER_SEC / 100) /* USER_HZ */

void thread_leave_vm(void)
{
	struct thread *t = current;
	u32 __app *tid = t->clear_child_tid;

	futex_exit_robust(t);
	t->robust_list = NULL;
	t->clear_child_tid = NULL;
	if (tid && (t->proc->nthreads > 1 || refcount_read(&t->vm->ref) > 1) && !put_app(0u, tid))
		futex_wake_addr(t->vm, (u64)tid, 1);
	vfork_release(t);
}

/* From here on T takes no signals; others take those of the process that it might have been told of. Its
 * flags go, so that what it still has to do may sleep. */
static void stop_taking_signals(struct thread *t)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);

	t->sig.leaving = true;
	t->sig.fault_signal = 0;
	signal_retarget(t, ~t->sig.blocked);
	t->sig.blocked = ~0ull;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	thread_clear_flag(t, THREAD_SIGPENDING | THREAD_EXITING | THREAD_RESTORE_MASK);
}

static void leave_address_space(struct thread *t)
{
	u64 flags = arch_irq_save();

	t->vm = NULL;
	vmspace_activate(NULL);
	arch_irq_restore(flags);
}

void thread_drop_files(struct thread *t)
{
	struct fdtable *files;
	struct fs_context *fs;
	u64 flags;

	flags = spin_lock_irqsave(&t->proc->lock);
	files = t->files;
	t->files = NULL;
	fs = t->fs;
	t->fs = NULL;
	spin_unlock_irqrestore(&t->proc->lock, flags);
	if (files)
		fdtable_leave(files);
	if (fs)
		fs_context_put(fs);
}

/* Take T out of its process. True: it was the last. */
static bool leave_process(struct thread *t)
{
	struct process *p = t->proc;
	bool last, stopped, exec, leader;
	u64 user, system, flags;

	flags = spin_lock_irqsave(&p->lock);
	thread_times(t, &user, &system);
	p->dead_user_ns += user;
	p->dead_system_ns += system;
	usage_sum(&p->dead_usage, &t->used);
	signal_flush(p, &t->sig.pending, ~0ull);
	list_del_init(&t->proc_node);
	last = --p->nthreads == 0;
	stopped = signal_stop_thread_left(p);
	exec = p->exec_thread && p->nthreads == 1;
	leader = t == p->leader; /* not for long, when a thread that execs waits for us */
	if (last && !p->group_exit) {
		p->group_exit = true;
		p->exit_code = p->leader->exit_code;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (!leader) {
		pid_set_thread(t->tid, NULL);
		pid_unuse(t->tid);
	}
	if (exec)
		waitq_wake_all(&p->exec_wait);
	if (stopped)
		signal_stop_notify(p);
	return last;
}

static void release_resources(struct process *p, struct vmspace *vm)
{
	struct sighand *sighand;
	struct file *exe;
	u64 flags;

	posix_timers_exit(p);
	sysv_sem_exit(p);
	if (p->sid == p->pid)
		tty_session_ended(p->sid);
	p->max_rss = max(p->max_rss, vm_peak_rss(vm));
	flags = spin_lock_irqsave(&p->lock);
	p->vm = NULL;
	exe = p->exe;
	p->exe = NULL;
	spin_unlock_irqrestore(&p->lock, flags);

	vmspace_put(vm);
	if (exe)
		exe_put(exe);

	flags = spin_lock_irqsave(&p->lock);
	signal_flush(p, &p->shared_pending, ~0ull);
	sighand = p->sighand;
	p->sighand = NULL;
	spin_unlock_irqrestore(&p->lock, flags);
	sighand_put(sighand);
}

void notify_parent(struct process *child, int code, int status)
{
	struct process *parent = child->parent;
	bool job_control = code == CLD_STOPPED || code == CLD_CONTINUED;
	int sig = job_control ? SIGCHLD : child->exit_signal;
	u64 user, system, flags;
	bool wanted = signal_valid(sig);
	struct signal_action action;
	siginfo_t info;

	if (!parent)
		return;
	flags = spin_lock_irqsave(&parent->lock);
	if (sig == SIGCHLD && parent->sighand) {
		action = sighand_action(parent->sighand, SIGCHLD);
		/* Ignored is not even blocked: nothing stays pending. */
		wanted =
			action.handler != SIG_HANDLER_IGNORE && !(job_control && action.flags & SA_NOCLDSTOP);
	}
	spin_unlock_irqrestore(&parent->lock, flags);
	if (wanted) {
		siginfo_fill(&info, sig, code, (int)child->pid, process_uid(child));
		process_times(child, &user, &system);
		info.si_status = status;
		info.si_utime = (long)(user / CLOCK_TICKS_NS);
		info.si_stime = (long)(system / CLOCK_TICKS_NS);
		signal_send_process(parent, sig, &info);
	}
	waitq_wake_all(&parent->wait_children);
}

/* Tell the parent that P is a zombie. True: the parent does not want zombies, P shall go at once. Tree lock
 * held. */
static bool notify_exit(struct process *p)
{
	struct process *parent = p->parent;
	int sig = p->exit_code & 0x7f;
	struct signal_action action = {0};
	u64 flags;

	if (!parent)
		return true;
	flags = spin_lock_irqsave(&parent->lock);
	if (parent->sighand)
		action = sighand_action(parent->sighand, SIGCHLD);
	spin_unlock_irqrestore(&parent->lock, flags);
	notify_parent(p,
		      !sig		    ? CLD_EXITED
		      : p->exit_code & 0x80 ? CLD_DUMPED
					    : CLD_KILLED,
		      sig ? sig : p->exit_code >> 8 & 0xff);
	return p->exit_signal == SIGCHLD &&
	       (action.handler == SIG_HANDLER_IGNORE || (action.flags & SA_NOCLDWAIT));
}

static struct process *new_parent(struct process *p)
{
	struct process *a;

	for (a = p->parent; a && a != init_process; a = a->parent)
		if (a->child_subreaper && !a->zombie && !a->group_exit)
			return a;
	return init_process;
}

/* The thread of P that its children belong to next; NULL while P ends. Tree lock held. */
static struct thread *heir_in(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	struct thread *t = p->exec_thread;

	if (p->group_exit || list_empty(&p->threads))
		t = NULL;
	else if (!t)
		t = list_first_entry(&p->threads, struct thread, proc_node);
	spin_unlock_irqrestore(&p->lock, flags);
	return t;
}

/* The current thread ends, whose child C is: send what C's threads asked for (PR_SET_PDEATHSIG). Tree lock
 * held. */
static void send_death_signals(struct process *c)
{
	u64 flags = spin_lock_irqsave(&c->lock), wanted = 0;
	struct thread *t;
	siginfo_t info;

	list_for_each_entry (t, &c->threads, proc_node)
		if (t->pdeath_signal)
			wanted |= BIT(t->pdeath_signal - 1);
	spin_unlock_irqrestore(&c->lock, flags);
	for (; wanted; wanted &= wanted - 1) {
		int sig = __builtin_ctzll(wanted) + 1;

		siginfo_fill(&info, sig, SI_USER, (int)current->proc->pid, current_cred()->uid);
		signal_send_process(c, sig, &info);
	}
}

/* Of the current thread, which ends while its process goes on. */
static void thread_leave_children(struct thread *t)
{
	struct process *p = t->proc, *c;
	struct thread *heir;

	/* Only this thread and its children bring children of this thread: none now, none later. */
	if (likely(list_empty(&p->children)))
		return;
	spin_lock(&process_tree_lock);
	heir = heir_in(p);
	list_for_each_entry (c, &p->children, sibling)
		if (c->parent_thread == t) {
			c->parent_thread = heir;
			send_death_signals(c);
		}
	spin_unlock(&process_tree_lock);
}

/* Tree lock held. */
static void give_away_children(struct process *p)
{
	struct process *to = new_parent(p), *c, *next;

	if (!to || to == p)
		return; /* init itself: the machine goes down with it */
	list_for_each_entry_safe (c, next, &p->children, sibling) {
		list_del(&c->sibling);
		list_add_tail(&c->sibling, &to->children);
		c->parent = to;
		c->exit_signal = SIGCHLD;
		if (c->parent_thread == current)
			send_death_signals(c);	/* else its thread ended before */
		c->parent_thread = heir_in(to); /* which, ending, finds C on the list */
		if (c->zombie && notify_exit(c))
			process_release(c);
	}
}

static void process_end(struct process *p)
{
	counter_inc(&processes_ended);
	spin_lock(&process_tree_lock);
	ptrace_tracer_ends(p);
	ptrace_tracee_ends(p->leader, p->exit_code);
	give_away_children(p);
	session_process_ends(p);
	p->zombie = true;
	if (notify_exit(p) && p != init_process)
		process_release(p);
	spin_unlock(&process_tree_lock);
	waitq_wake(&p->pidfd_wait, ~0u, EPOLLIN | EPOLLRDNORM);
	if (p == init_process)
		init_exited(p->exit_code);
}

void thread_exit(int code)
{
	struct thread *t = current;
	struct process *p = t->proc;
	struct vmspace *vm = t->vm;

	coredump_park();
	counter_inc(&threads_ended);
	t->exit_code = p->group_exit ? p->exit_code : code;
	if (unlikely(thread_test_flag(t, THREAD_TRACE)))
		trace_exit(t->exit_code);
	stop_taking_signals(t);
	thread_leave_vm();
	leave_address_space(t);
	thread_drop_files(t);
	if (ptrace_traced(t) && t != p->leader) {
		spin_lock(&process_tree_lock);
		ptrace_tracee_ends(t, t->exit_code);
		spin_unlock(&process_tree_lock);
	}
	if (leave_process(t)) {
		release_resources(p, vm);
		process_end(p);
	} else {
		thread_leave_children(t);
	}
	thread_exit_final();
}

void process_exit_group(int status)
{
	struct process *p = current->proc;
	u64 flags = spin_lock_irqsave(&p->lock);

	process_kill_locked(p, status);
	spin_unlock_irqrestore(&p->lock, flags);
	thread_exit(p->exit_code);
}

int process_become_single(void)
{
	struct thread *t = current, *other, *old;
	struct process *p = t->proc;
	u32 tid = t->tid;
	u64 flags;
	int ret;

	flags = spin_lock_irqsave(&p->lock);
	if (p->group_exit || p->exec_thread) {
		spin_unlock_irqrestore(&p->lock, flags);
		return -EAGAIN;
	}
	p->exec_thread = t;
	list_for_each_entry (other, &p->threads, proc_node)
		if (other != t)
			signal_kick(other, THREAD_EXITING,
				    1u << THREAD_INTERRUPTIBLE | 1u << THREAD_KILLABLE |
					    1u << THREAD_STOPPED);
	spin_unlock_irqrestore(&p->lock, flags);
	ret = wait_event_killable(&p->exec_wait, READ_ONCE(p->nthreads) == 1);

	flags = spin_lock_irqsave(&p->lock);
	p->exec_thread = NULL;
	old = p->leader;
	if (!ret && old != t) {
		p->leader = t;
		t->tid = p->pid;
		thread_get(t);
		pid_set_thread(p->pid, t);
		pid_set_thread(tid, NULL);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (ret)
		return -EAGAIN;
	if (old != t) {
		spin_lock(&process_tree_lock);
		if (old->ptrace.tracer)
			ptrace_unlink(old);
		spin_unlock(&process_tree_lock);
		pid_unuse(tid);
		thread_put(old);
	}
	return 0;
}

SYSCALL_DEFINE1(exit, int, status)
{
	ptrace_event(PTRACE_EVENT_EXIT, (u64)(status & 0xff) << 8);
	thread_exit((status & 0xff) << 8);
}

SYSCALL_DEFINE1(exit_group, int, status)
{
	ptrace_event(PTRACE_EVENT_EXIT, (u64)(status & 0xff) << 8);
	process_exit_group((status & 0xff) << 8);
}
