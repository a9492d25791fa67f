// SPDX-License-Identifier: BSD-2-Clause
/* clone, clone3, fork, vfork: new threads and new processes. The new thread is built completely before
 * anybody can see it; then it is linked and started, and nothing can fail any more. clone(2), fork(2),
 * vfork(2).
 *
 * Differences from Linux: there are no namespaces (EINVAL), and one control group, which CLONE_INTO_CGROUP
 * may name. */
#include "base/string.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/sched.h>

DEFINE_COUNTER(threads_created, "threads created by clone");
DEFINE_COUNTER(processes_created, "processes created by clone");
DEFINE_COUNTER(clone_no_memory, "clone failed for lack of memory");

u64 forks_total(void)
{
	return counter_read(&threads_created) + counter_read(&processes_created);
}

#define CLONE_NAMESPACES                                                                               \
	(CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)
#define CLONE_LEGACY_FLAGS 0xffffffffull
#define PID_NS_LEVEL_MAX   32 /* Linux's MAX_PID_NS_LEVEL */

struct clone_request {
	u64 flags; /* without the exit signal */
	int exit_signal;
	int __app *pidfd;
	u32 __app *child_tid, *parent_tid;
	u64 sp, tls;
	u32 tid; /* the id that it shall have, or 0 */
};

static int check_flags(const struct clone_request *r)
{
	u64 f = r->flags;

	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current->proc == init_process)
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & CLONE_PARENT_SETTID) && (u32 __app *)r->pidfd == r->parent_tid)
		return -EINVAL;
	/* As a kernel built without them. */
	if (f & CLONE_NEWUSER || (f & CLONE_THREAD && f & CLONE_NEWPID))
		return -EINVAL;
	return f & CLONE_NAMESPACES ? process_capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM : 0;
}

/* What a new process gets by value. */
static void copy_attributes(struct process *new, const struct process *from)
{
	memcpy(new->rlim, from->rlim, sizeof(new->rlim));
	new->cred = cred_get(current->cred);
	new->nice = from->nice;
	new->personality = from->personality;
	new->ioprio = from->ioprio;
	new->dumpable = from->dumpable;
	new->thp_disabled = from->thp_disabled;
	new->io_flusher = from->io_flusher;
	new->mce_kill = from->mce_kill;
	new->oom_score_adj = from->oom_score_adj;
	new->arg_start = from->arg_start;
	new->arg_end = from->arg_end;
	new->env_start = from->env_start;
	new->env_end = from->env_end;
	new->start_stack = from->start_stack;
	new->start_brk = from->start_brk;
	memcpy(new->auxv, from->auxv, sizeof(new->auxv));
	new->auxv_len = from->auxv_len;
}

static int copy_sighand(struct process *new, struct process *from, u64 flags)
{
	if (flags & CLONE_SIGHAND) {
		sighand_get(from->sighand);
		new->sighand = from->sighand;
		return 0;
	}
	new->sighand = sighand_copy(from->sighand);
	if (!new->sighand)
		return -ENOMEM;
	if (flags & CLONE_CLEAR_SIGHAND)
		sighand_reset(new->sighand);
	return 0;
}

static int copy_files(struct thread *new, struct thread *from, u64 flags)
{
	struct fdtable *t = from->files;

	if (flags & CLONE_FILES) {
		fdtable_join(t);
	} else {
		t = fdtable_copy(t);
		if (IS_ERR(t))
			return (int)PTR_ERR(t);
	}
	new->files = t;
	return 0;
}

static int copy_fs(struct thread *new, struct thread *from, u64 flags)
{
	struct fs_context *c = from->fs;

	if (flags & CLONE_FS) {
		fs_context_get(c);
	} else {
		c = fs_context_copy(c);
		if (!c || IS_ERR(c))
			return c ? (int)PTR_ERR(c) : -ENOMEM;
	}
	new->fs = c;
	return 0;
}

static int copy_vm(struct process *new, struct process *from, u64 flags)
{
	struct vmspace *vm = from->vm;

	if (flags & CLONE_VM) {
		vmspace_get(vm);
	} else {
		vm = vmspace_fork(vm);
		if (!vm || IS_ERR(vm))
			return vm ? (int)PTR_ERR(vm) : -ENOMEM;
	}
	new->vm = vm;
	return 0;
}

/* Undo process_copy: the process was never seen by anybody. */
static void process_discard(struct process *p)
{
	if (p->vm)
		vmspace_put(p->vm);
	if (p->exe)
		exe_put(p->exe);
	if (p->sighand)
		sighand_put(p->sighand);
	process_put(p);
}

static struct process *process_copy(struct process *from, u64 flags)
{
	struct process *p = process_alloc();
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	copy_attributes(p, from);
	p->exe = process_get_exe(from);
	if (p->exe)
		exe_get(p->exe);
	err = copy_sighand(p, from, flags);
	if (!err)
		err = copy_vm(p, from, flags);
	if (!err)
		return p;
	process_discard(p);
	return ERR_PTR(err);
}

/* Undo thread_copy. */
static void discard(struct thread *t)
{
	thread_drop_files(t);
	thread_discard(t);
}

/* A thread of P that will return to the application as the child of the current one. */
static struct thread *thread_copy(struct process *p, const struct clone_request *r)
{
	struct thread *me = current, *t = thread_create(p, me->name);
	int err;

	if (IS_ERR(t))
		return t;
	err = arch_thread_init_app(t, current_regs(), r->sp, r->flags & CLONE_SETTLS, r->tls);
	if (!err)
		err = copy_files(t, me, r->flags);
	if (!err)
		err = copy_fs(t, me, r->flags);
	if (err) {
		discard(t);
		return ERR_PTR(err);
	}
	arch_ptrace_child(t, me);
	t->vm = p->vm;
	t->sig.blocked = me->sig.blocked;
	t->oom_score_adj = me->oom_score_adj;
	t->no_new_privs = me->no_new_privs;
	t->nproc_exceeded = me->nproc_exceeded;
	t->timer_slack_ns = t->default_slack_ns = me->timer_slack_ns;
	if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK)) {
		t->sig.altstack_sp = me->sig.altstack_sp;
		t->sig.altstack_size = me->sig.altstack_size;
		t->sig.altstack_flags = me->sig.altstack_flags;
	}
	if (thread_test_flag(me, THREAD_TRACE))
		thread_set_flag(t, THREAD_TRACE);
	if (r->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = r->child_tid;
	if (r->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = r->child_tid;
	return t;
}

void process_thread_begin(void)
{
	u32 __app *where = current->set_child_tid;

	/* A bad address is the caller's loss, as on Linux. */
	if (where)
		(void)!put_app(current->tid, where);
}

/* Make T visible, in P. -ERESTARTNOINTR when the current process is ending or stopping meanwhile. */
static int link_thread(struct process *p, struct thread *t)
{
	struct process *me = current->proc;
	u64 flags = spin_lock_irqsave(&me->lock);
	int ret = 0;

	if (me->group_exit || me->exec_thread || me->stop_signal)
		ret = -ERESTARTNOINTR;
	else if (p == me)
		process_add_thread(p, t);
	if (!ret) {
		seccomp_inherit(t);
		signal_recalc(t);
	}
	spin_unlock_irqrestore(&me->lock, flags);
	return ret;
}

static int link_new_thread(struct process *p, struct thread *t, struct ptrace_death **death)
{
	int ret;

	if (likely(!*death))
		return link_thread(p, t);
	spin_lock(&process_tree_lock);
	ret = link_thread(p, t);
	if (!ret)
		ptrace_fork(t, death);
	spin_unlock(&process_tree_lock);
	return ret;
}

static int link_process(struct process *p, struct thread *t, const struct clone_request *r,
			struct ptrace_death **death)
{
	struct process *me = current->proc, *parent = me;
	int ret;

	p->pid = t->tid;
	p->leader = t;
	thread_get(t);
	p->exit_signal = r->exit_signal;
	spin_lock(&process_tree_lock);
	ret = link_thread(p, t);
	if (!ret) {
		if (r->flags & CLONE_PARENT) {
			parent = me->parent;
			p->parent_thread = me->parent_thread;
			p->exit_signal = me->exit_signal;
		}
		if (parent == me)
			p->parent_thread = current;
		p->pgid = me->pgid;
		p->sid = me->sid;
		process_add_thread(p, t);
		process_link(p, parent);
		ptrace_fork(t, death);
	}
	spin_unlock(&process_tree_lock);
	if (ret)
		thread_put(t);
	return ret;
}

bool process_limit_exceeded(u32 uid, u64 more)
{
	u64 limit = process_rlimit(RLIMIT_NPROC), n = more;
	struct process *p;

	if (limit == RLIM64_INFINITY || !uid)
		return false;
	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node)
		if (process_uid(p) == uid)
			n += READ_ONCE(p->nthreads);
	spin_unlock(&process_tree_lock);
	return n > limit;
}

static long clone(const struct clone_request *r)
{
	struct process *me = current->proc, *p = me;
	struct vfork_wait *vfork = NULL;
	bool thread = r->flags & CLONE_THREAD;
	struct ptrace_death *death = NULL;
	struct file *pidfile = NULL;
	int pidfd = -1, tid, err, event;
	struct thread *t;

	err = check_flags(r);
	if (err)
		return err;
	if (signal_pending(current))
		return -ERESTARTNOINTR; /* so that a signal hits parent and child together, or the parent
					   first */
	if (process_limit_exceeded(current_cred()->uid, 1) && !process_capable(CAP_SYS_RESOURCE) &&
	    !process_capable(CAP_SYS_ADMIN))
		return -EAGAIN;
	if (!thread) {
		p = process_copy(me, r->flags);
		if (IS_ERR(p)) {
			err = (int)PTR_ERR(p);
			goto fail;
		}
	}
	t = thread_copy(p, r);
	if (IS_ERR(t)) {
		err = (int)PTR_ERR(t);
		goto fail_process;
	}
	tid = r->tid ? pid_alloc_this(r->tid) : pid_alloc();
	if (tid < 0) {
		err = tid;
		goto fail_thread;
	}
	t->tid = (u32)tid;
	if (r->flags & CLONE_VFORK) {
		vfork = vfork_begin(t);
		if (!vfork) {
			err = -ENOMEM;
			goto fail_tid;
		}
	}
	if (r->flags & CLONE_PIDFD) {
		pidfd = pidfd_prepare(p, r->pidfd, &pidfile);
		if (pidfd < 0) {
			err = pidfd;
			goto fail_vfork;
		}
	}
	event = err = ptrace_fork_prepare(r->flags, r->exit_signal, &death);
	if (err < 0)
		goto fail_pidfd;
	if (r->flags & CLONE_PARENT_SETTID)
		(void)!put_app(t->tid, r->parent_tid);
	err = thread ? link_new_thread(p, t, &death) : link_process(p, t, r, &death);
	if (err)
		goto fail_death;
	kfree(death); /* no longer traced: not needed */
	if (thread && r->flags & CLONE_SYSVSEM)
		WRITE_ONCE(p->semundo, true);
	current->nproc_exceeded = false;

	counter_inc(thread ? &threads_created : &processes_created);
	if (pidfd >= 0)
		fd_install(pidfd, pidfile);
	thread_start(t);
	if (unlikely(event))
		ptrace_event(event, (u64)tid);
	if (vfork) {
		vfork_sleep(vfork);
		ptrace_event(PTRACE_EVENT_VFORK_DONE, (u64)tid);
	}
	return tid;

fail_death:
	kfree(death);
fail_pidfd:
	if (pidfd >= 0) {
		fd_release(pidfd);
		file_put(pidfile);
	}
fail_vfork:
	if (vfork)
		vfork_cancel(t, vfork);
fail_tid:
	pid_unuse((u32)tid);
fail_thread:
	discard(t);
fail_process:
	if (!thread)
		process_discard(p);
fail:
	if (err == -ENOMEM)
		counter_inc(&clone_no_memory);
	return err;
}

SYSCALL_DEFINE5(clone, u64, flags, void __app *, stack, u32 __app *, parent_tid, u32 __app *, child_tid, u64,
		tls)
{
	struct clone_request r = {
		.flags = flags & CLONE_LEGACY_FLAGS & ~(u64)CSIGNAL,
		.exit_signal = (int)(flags & CSIGNAL),
		.pidfd = (int __app *)parent_tid,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.sp = (u64)stack,
		.tls = tls,
	};

	return clone(&r); /* an exit signal that does not exist is not sent */
}

SYSCALL_DEFINE0(fork)
{
	return clone(&(struct clone_request){.exit_signal = SIGCHLD});
}

SYSCALL_DEFINE0(vfork)
{
	return clone(&(struct clone_request){.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD});
}

static int clone3_stack(const struct clone_args *a, u64 *sp)
{
	*sp = 0;
	if (!a->stack)
		return a->stack_size ? -EINVAL : 0;
	if (!a->stack_size || !app_range_ok((void __app *)a->stack, a->stack_size))
		return -EINVAL;
	*sp = a->stack + a->stack_size;
	return 0;
}

/* Is FD a directory of the control groups? All of them are the one group. */
static int check_cgroup(int fd)
{
	struct file *f = fd_get_raw(fd);
	const struct inode *i = f && f->path.dentry ? f->path.dentry->inode : NULL;
	bool group = i && i->super->magic == CGROUP2_SUPER_MAGIC && S_ISDIR(i->mode);

	if (f)
		file_put(f);
	return group ? 0 : -EBADF;
}

static int clone3_check(const struct clone_args *a, size_t size)
{
	if (a->flags & ~(CLONE_LEGACY_FLAGS | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if (a->exit_signal > SIG_MAX)
		return -EINVAL;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return -EINVAL;
	if (!a->set_tid != !a->set_tid_size || a->set_tid_size > PID_NS_LEVEL_MAX)
		return -EINVAL;
	if (a->flags & CLONE_INTO_CGROUP && (a->cgroup > INT32_MAX || size < CLONE_ARGS_SIZE_VER2))
		return -EINVAL;
	return a->flags & CLONE_INTO_CGROUP ? check_cgroup((int)a->cgroup) : 0;
}

/* The id that the caller wants: there is one level of ids, so one. */
static int clone3_tid(const struct clone_args *a, u32 *tid)
{
	int want;

	*tid = 0;
	if (!a->set_tid_size)
		return 0;
	if (a->set_tid_size > 1)
		return -EINVAL;
	if (get_app(want, (const int __app *)a->set_tid))
		return -EFAULT;
	if (want < 1 || want >= PID_MAX)
		return -EINVAL;
	if (!process_capable(CAP_SYS_ADMIN) && !process_capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	*tid = (u32)want;
	return 0;
}

/* The ABI's way to grow a structure: fields that the caller does not know are zero, those that we do not know
 * must be. */
static int copy_clone_args(struct clone_args *a, const struct clone_args __app *args, size_t size)
{
	const u8 __app *tail = (const u8 __app *)args + sizeof(*a);

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	if (copy_from_app(a, args, min(size, sizeof(*a))))
		return -EFAULT;
	for (size_t n = sizeof(*a); n < size; n++) {
		u8 byte;

		if (get_app(byte, tail++))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

SYSCALL_DEFINE2(clone3, struct clone_args __app *, args, size_t, size)
{
	struct clone_request r;
	struct clone_args a;
	int err;

	err = copy_clone_args(&a, args, size);
	if (!err)
		err = clone3_check(&a, size);
	if (!err)
		err = clone3_stack(&a, &r.sp);
	if (!err)
		err = clone3_tid(&a, &r.tid);
	if (err)
		return err;
	r.flags = a.flags;
	r.exit_signal = (int)a.exit_signal;
	r.pidfd = (int __app *)a.pidfd;
	r.child_tid = (u32 __app *)a.child_tid;
	r.parent_tid = (u32 __app *)a.parent_tid;
	r.tls = a.tls;
	return clone(&r);
}

SYSCALL_DEFINE1(set_tid_address, u32 __app *, tidptr)
{
	current->clear_child_tid = tidptr;
	return current->tid;
}
