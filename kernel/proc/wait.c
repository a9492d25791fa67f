// SPDX-License-Identifier: BSD-2-Clause
/* wait4(2), waitid(2): looking for a child that ended, stopped or went on. The scan runs under the tree lock;
 * sleepers wait on the parent's wait_children queue, which notify_parent() wakes after every change. Children
 * belong to the process; __WNOTHREAD selects those that the calling thread made, or inherited. */
#include "base/string.h"
#include "fs/file.h"
#include "kernel/clock.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/wait.h>

#define W_COREDUMP 0x80

struct wait_request {
	int type; /* P_ALL, P_PID, P_PGID; P_PIDFD becomes P_PID with `target` */
	u32 id;
	struct process *target; /* of a pidfd; reference held */
	u32 options;
	bool nonblock; /* the pidfd is O_NONBLOCK: EAGAIN instead of sleeping */
};

struct wait_result {
	int pid; /* 0: nothing yet */
	u32 uid;
	int code;   /* CLD_* */
	int status; /* wait4's encoding */
	struct rusage usage;
};

static bool matches(const struct wait_request *r, struct process *c)
{
	if (r->target ? c != r->target : r->type == P_PID && c->pid != r->id)
		return false;
	if (r->type == P_PGID && c->pgid != r->id)
		return false;
	if (r->options & __WNOTHREAD && c->parent_thread != current)
		return false;
	/* __WCLONE waits for those that do not report with SIGCHLD only; __WALL for both. */
	return (r->options & __WALL) || (c->exit_signal != SIGCHLD) == !!(r->options & __WCLONE);
}

/* Add what C used to its parent's account of children. Tree lock held. */
static void account_child(struct process *parent, struct process *c)
{
	u64 user, system, flags;

	process_times(c, &user, &system);
	flags = spin_lock_irqsave(&parent->lock);
	parent->child_user_ns += user + c->child_user_ns;
	parent->child_system_ns += system + c->child_system_ns;
	usage_sum(&parent->child_usage, &c->dead_usage);
	usage_sum(&parent->child_usage, &c->child_usage);
	parent->child_max_rss = max(parent->child_max_rss, max(c->max_rss, c->child_max_rss));
	spin_unlock_irqrestore(&parent->lock, flags);
}

static void report(struct wait_result *res, struct process *c, int code, int status)
{
	res->pid = (int)c->pid;
	res->uid = process_uid(c);
	res->code = code;
	res->status = status;
	usage_of_child(c, &res->usage);
}

/* Does C have something to tell that R asks for? Fills RES and, without WNOWAIT, uses it up. Tree lock held.
 */
static bool take_event(const struct wait_request *r, struct process *c, struct wait_result *res)
{
	bool keep = r->options & WNOWAIT;

	if (c->zombie) {
		int sig = c->exit_code & 0x7f;

		if (!(r->options & WEXITED))
			return false;
		report(res, c, sig ? (c->exit_code & W_COREDUMP ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED,
		       c->exit_code);
		if (!keep) {
			account_child(current->proc, c);
			process_release(c);
		}
		return true;
	}
	if (c->leader->ptrace.tracer == current->proc)
		return false; /* it stops for us as a tracee, thread by thread */
	if ((r->options & WUNTRACED) && READ_ONCE(c->stopped) && c->stop_report) {
		report(res, c, CLD_STOPPED, c->stop_signal << 8 | 0x7f);
		c->stop_report = keep;
		return true;
	}
	if ((r->options & WCONTINUED) && READ_ONCE(c->cont_report)) {
		report(res, c, CLD_CONTINUED, 0xffff);
		c->cont_report = keep;
		return true;
	}
	return false;
}

/* Is the thread TID of process P (of group PGID) one that R waits for? Tracees are waited for whatever they
 * are. */
static bool matches_tracee(const struct wait_request *r, u32 tid, u32 pgid, struct process *p)
{
	switch (r->type) {
	case P_PID:
		return r->target ? p == r->target && tid == p->pid : tid == r->id;
	case P_PGID:
		return pgid == r->id;
	default:
		return true;
	}
}

/* A stop of a tracee that has not been reported. Tree lock held. */
static bool take_stop(const struct wait_request *r, struct thread *t, struct wait_result *res)
{
	struct process *p = t->proc;
	u64 flags = spin_lock_irqsave(&p->lock);
	bool found = t->ptrace.stopped && t->ptrace.report;
	u32 code = t->ptrace.stop_code;

	if (found && !(r->options & WNOWAIT))
		t->ptrace.report = false;
	spin_unlock_irqrestore(&p->lock, flags);
	if (!found)
		return false;
	report(res, p, CLD_TRAPPED, (int)(code << 8 | 0x7f));
	res->pid = (int)t->tid;
	return true;
}

/* The same look at what the current process traces. */
static int scan_tracees(const struct wait_request *r, struct wait_result *res, int ret)
{
	struct ptrace_death *d, *next;
	struct thread *t;

	list_for_each_entry (t, &current->proc->tracees, ptrace.node) {
		if (!matches_tracee(r, t->tid, t->proc->pgid, t->proc))
			continue;
		ret = 0;
		if (take_stop(r, t, res))
			return 0;
	}
	list_for_each_entry_safe (d, next, &current->proc->dead_tracees, node) {
		int sig = d->status & 0x7f;

		if (!matches_tracee(r, d->tid, d->pgid, NULL) || r->target)
			continue;
		ret = 0;
		if (!(r->options & WEXITED))
			continue;
		*res = (struct wait_result){.pid = (int)d->tid,
					    .uid = d->uid,
					    .code = !sig		     ? CLD_EXITED
						    : d->status & W_COREDUMP ? CLD_DUMPED
									     : CLD_KILLED,
					    .status = d->status};
		if (!(r->options & WNOWAIT))
			ptrace_death_free(d);
		return 0;
	}
	return ret;
}

/* One look at the children. 0 (see RES->pid) or -ECHILD. */
static int scan(const struct wait_request *r, struct wait_result *res)
{
	struct process *c;
	int ret = -ECHILD;

	res->pid = 0;
	spin_lock(&process_tree_lock);
	list_for_each_entry (c, &current->proc->children, sibling) {
		if (!matches(r, c))
			continue;
		ret = 0;
		if (take_event(r, c, res))
			break;
	}
	if (!res->pid)
		ret = scan_tracees(r, res, ret);
	spin_unlock(&process_tree_lock);
	return ret;
}

static int do_wait(const struct wait_request *r, struct wait_result *res)
{
	int ret = scan(r, res), err;

	if (ret || res->pid || (r->options & WNOHANG))
		return ret;
	if (r->nonblock)
		return -EAGAIN;
	err = wait_event_interruptible(&current->proc->wait_children, (ret = scan(r, res)) || res->pid);
	return err ? err : ret;
}

SYSCALL_DEFINE4(wait4, int, pid, int __app *, status, int, options, struct rusage __app *, usage)
{
	struct wait_request r = {.options = (u32)options | WEXITED};
	struct wait_result res;
	int ret;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH; /* its negation is no group */
	if (pid == -1) {
		r.type = P_ALL;
	} else if (pid < 0) {
		r.type = P_PGID;
		r.id = (u32)-pid;
	} else if (pid == 0) {
		r.type = P_PGID;
		r.id = current->proc->pgid;
	} else {
		r.type = P_PID;
		r.id = (u32)pid;
	}
	ret = do_wait(&r, &res);
	if (ret || !res.pid)
		return ret;
	if (status && put_app(res.status, status))
		return -EFAULT;
	if (usage && copy_to_app(usage, &res.usage, sizeof(res.usage)))
		return -EFAULT;
	return res.pid;
}

static int waitid_select(struct wait_request *r, int which, int id)
{
	u32 flags;

	switch (which) {
	case P_ALL:
		r->type = P_ALL;
		return 0;
	case P_PID:
		r->type = P_PID;
		r->id = (u32)id;
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		r->type = P_PGID;
		r->id = id ? (u32)id : current->proc->pgid;
		return id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		r->type = P_PID;
		if (id < 0)
			return -EINVAL;
		r->target = pidfd_get(id, &flags);
		if (IS_ERR(r->target)) {
			int err = (int)PTR_ERR(r->target);

			r->target = NULL;
			return err;
		}
		r->nonblock = flags & O_NONBLOCK;
		return 0;
	default:
		return -EINVAL;
	}
}

static int waitid_status(const struct wait_result *res)
{
	switch (res->code) {
	case CLD_EXITED:
		return res->status >> 8 & 0xff;
	case CLD_STOPPED:
		return res->status >> 8 & 0xff;
	case CLD_TRAPPED:
		return res->status >> 8;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return res->status & 0x7f;
	}
}

SYSCALL_DEFINE5(waitid, int, which, int, id, siginfo_t __app *, infop, int, options, struct rusage __app *,
		usage)
{
	struct wait_request r = {.options = (u32)options};
	struct wait_result res = {0};
	siginfo_t info;
	int ret;

	if (options &
	    ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	ret = waitid_select(&r, which, id);
	if (!ret)
		ret = do_wait(&r, &res);
	if (r.target)
		process_put(r.target);
	if (ret)
		return ret;
	memset(&info, 0, sizeof(info));
	if (res.pid) {
		siginfo_fill(&info, SIGCHLD, res.code, res.pid, res.uid);
		info.si_status = waitid_status(&res);
		if (usage && copy_to_app(usage, &res.usage, sizeof(res.usage)))
			return -EFAULT;
	}
	/* Only the fields of a SIGCHLD are written: what lies behind them stays the caller's. */
	if (infop && copy_to_app(infop, &info, offsetof(siginfo_t, si_status) + sizeof(int)))
		return -EFAULT;
	return 0;
}
