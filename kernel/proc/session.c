// SPDX-License-Identifier: BSD-2-Clause
/* Process groups and sessions: setpgid(2), setsid(2), credentials(7), POSIX.1-2017 3.275 (orphaned process
 * group). */
#include "kernel/syscall.h"
#include "proc.h"

/* Does somebody outside group PGID, but in its session, look after it? IGNORE is on its way out. Tree lock
 * held. */
static bool group_is_orphaned(u32 pgid, struct process *ignore)
{
	struct process *p;

	list_for_each_entry (p, &all_processes, all_node) {
		struct process *parent = p->parent;

		if (p->pgid != pgid || p == ignore || p->zombie || !parent || parent == init_process)
			continue;
		if (parent->pgid != pgid && parent->sid == p->sid)
			return false;
	}
	return true;
}

static bool group_has_stopped(u32 pgid)
{
	struct process *p;

	list_for_each_entry (p, &all_processes, all_node)
		if (p->pgid == pgid && READ_ONCE(p->stopped))
			return true;
	return false;
}

bool session_orphaned_group(struct process *p)
{
	bool orphaned;

	spin_lock(&process_tree_lock);
	orphaned = group_is_orphaned(p->pgid, NULL);
	spin_unlock(&process_tree_lock);
	return orphaned;
}

static void hang_up_if_orphaned(u32 pgid, struct process *ignore)
{
	struct process *p;

	if (!group_has_stopped(pgid) || !group_is_orphaned(pgid, ignore))
		return;
	list_for_each_entry (p, &all_processes, all_node) {
		if (p->pgid != pgid)
			continue;
		signal_send_process(p, SIGHUP, NULL);
		signal_send_process(p, SIGCONT, NULL);
	}
}

void session_process_ends(struct process *p)
{
	struct process *c;

	if (p->parent && p->parent->pgid != p->pgid && p->parent->sid == p->sid)
		hang_up_if_orphaned(p->pgid, p);
	list_for_each_entry (c, &p->children, sibling)
		if (c->pgid != p->pgid && c->sid == p->sid)
			hang_up_if_orphaned(c->pgid, NULL);
}

/* The process PID names, 0 being the caller. Tree lock held; no reference. */
static struct process *member(int pid)
{
	struct process *p;

	if (!pid)
		return current->proc;
	list_for_each_entry (p, &all_processes, all_node)
		if (p->pid == (u32)pid)
			return p;
	return NULL;
}

static bool session_has_group(u32 sid, u32 pgid)
{
	struct process *p;

	list_for_each_entry (p, &all_processes, all_node)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

static long set_group(int pid, int pgid)
{
	struct process *me = current->proc, *p = member(pid);

	if (!p || (p != me && p->parent != me))
		return -ESRCH;
	if (p != me && p->sid != me->sid)
		return -EPERM;
	if (p != me && p->execed)
		return -EACCES;
	if (p->sid == p->pid)
		return -EPERM; /* a session leader */
	if (!pgid)
		pgid = (int)p->pid;
	if ((u32)pgid != p->pid && !session_has_group(me->sid, (u32)pgid))
		return -EPERM;
	pid_use((u32)pgid);
	pid_unuse(p->pgid);
	p->pgid = (u32)pgid;
	return 0;
}

SYSCALL_DEFINE2(setpgid, int, pid, int, pgid)
{
	long ret;

	if (pgid < 0 || (!pgid && pid < 0))
		return -EINVAL;
	if (pid < 0)
		return -ESRCH;
	spin_lock(&process_tree_lock);
	ret = set_group(pid, pgid);
	spin_unlock(&process_tree_lock);
	return ret;
}

SYSCALL_DEFINE1(getpgid, int, pid)
{
	struct process *p;
	long ret;

	spin_lock(&process_tree_lock);
	p = pid < 0 ? NULL : member(pid);
	ret = p ? (long)p->pgid : -ESRCH;
	spin_unlock(&process_tree_lock);
	return ret;
}

SYSCALL_DEFINE0(getpgrp)
{
	return current->proc->pgid;
}

SYSCALL_DEFINE1(getsid, int, pid)
{
	struct process *p;
	long ret;

	spin_lock(&process_tree_lock);
	p = pid < 0 ? NULL : member(pid);
	ret = p ? (long)p->sid : -ESRCH;
	spin_unlock(&process_tree_lock);
	return ret;
}

SYSCALL_DEFINE0(setsid)
{
	struct process *me = current->proc, *p;
	long ret = -EPERM;

	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node)
		if (p->pgid == me->pid)
			goto out;
	pid_use(me->pid);
	pid_use(me->pid);
	pid_unuse(me->pgid);
	pid_unuse(me->sid);
	me->pgid = me->sid = me->pid;
	ret = me->pid;
out:
	spin_unlock(&process_tree_lock);
	return ret;
}
