// SPDX-License-Identifier: BSD-2-Clause
/* execve(2), execveat(2). The new program is loaded into an address space of its own first; then the other
 * threads end, and from there on nothing fails: descriptors, signals, names, address space and registers
 * change over. */
#include "base/format.h"
#include "base/string.h"
#include "exec.h"
#include "ptrace.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/syscall.h"
#include <linux/limits.h>

DEFINE_COUNTER(programs_started, "successful execve calls");

static void switch_vm(struct exec *x)
{
	struct thread *t = current;
	struct process *p = t->proc;
	struct vmspace *old = p->vm;
	u64 flags;

	thread_leave_vm();
	flags = spin_lock_irqsave(&p->lock);
	p->max_rss = max(p->max_rss, vm_peak_rss(old));
	p->vm = t->vm = x->vm;
	vmspace_activate(x->vm);
	spin_unlock_irqrestore(&p->lock, flags);
	x->vm = NULL;
	vmspace_put(old);
}

static void reset_signals(struct process *p, struct sighand *own)
{
	struct thread_signals *s = &current->sig;
	struct sighand *old = NULL;
	u64 flags;

	flags = spin_lock_irqsave(&p->lock);
	if (own) {
		old = p->sighand;
		p->sighand = own;
	}
	sighand_reset(p->sighand);
	s->altstack_sp = 0;
	s->altstack_size = 0;
	s->altstack_flags = 0;
	spin_unlock_irqrestore(&p->lock, flags);
	if (old)
		sighand_put(old);
}

/* Everything that may fail happens before the first change. */
static int exec_commit(struct exec *x)
{
	struct process *p = current->proc;
	struct sighand *own = NULL;
	u32 tid = current->tid;
	int err;

	if (refcount_read(&p->sighand->ref) > 1) {
		own = sighand_copy(p->sighand);
		if (!own)
			return -ENOMEM;
	}
	/* With threads beside this one it is not known yet who else will still share the table. */
	err = p->nthreads == 1 ? fdtable_unshare() : 0;
	if (!err)
		err = process_become_single();
	if (err)
		goto fail;
	if (fdtable_unshare())
		process_exit_group(SIGKILL); /* the other threads are gone: there is no way back */

	posix_timers_exec(p);
	switch_vm(x);
	reset_signals(p, own);
	fdtable_close_on_exec(current->files);
	exec_adopt(x, p, current);
	p->execed = true;
	p->exit_signal = SIGCHLD;
	current->set_child_tid = NULL;
	current->restart.fn = NULL;
	arch_start_app(current_regs(), x->entry, x->sp);
	counter_inc(&programs_started);
	ptrace_exec(tid);
	return 0;
fail:
	if (own)
		sighand_put(own);
	return err;
}

static long exec(struct exec *x, const char __app *const __app *argv, const char __app *const __app *envp)
{
	int err;

	x->proc = current->proc;
	x->old_cred = current->cred;
	x->randomize = exec_randomize(x->proc);
	x->stack_limit = process_rlimit(RLIMIT_STACK);
	err = exec_args_init(&x->args, x->stack_limit);
	if (!err)
		err = exec_args_copy(&x->args, argv, envp);
	if (!err)
		err = exec_load(x);
	if (!err)
		err = exec_commit(x);
	exec_release(x);
	return err;
}

/* The name that a program opened through descriptor FD is known by. */
static char *descriptor_name(int fd, const char *path)
{
	size_t size = strlen(path) + 32;
	char *name = kmalloc(size);

	if (name)
		snprintf(name, size, *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", fd, path);
	return name;
}

static long exec_at(int dirfd, const char __app *upath, const char __app *const __app *argv,
		    const char __app *const __app *envp, int flags)
{
	char *path = kmalloc(PATH_MAX), *name = NULL;
	struct exec *x = kzalloc(sizeof(*x));
	long ret = -ENOMEM;
	ssize_t len;

	if (!path || !x)
		goto out;
	ret = -EINVAL;
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		goto out;
	ret = len = string_from_app(path, upath, PATH_MAX);
	if (len < 0)
		goto out;
	ret = -EAGAIN;
	if (current->nproc_exceeded && process_limit_exceeded(current_cred()->uid, 0))
		goto out;
	current->nproc_exceeded = false;
	ret = -ENOENT;
	if (!len && !(flags & AT_EMPTY_PATH))
		goto out;
	x->filename = path;
	if (dirfd != AT_FDCWD && path[0] != '/') {
		struct fdtable *files = current->files;

		ret = -ENOMEM;
		name = descriptor_name(dirfd, path);
		if (!name)
			goto out;
		x->filename = name;
		x->name_dies = dirfd >= 0 && fdtable_cloexec(files, dirfd);
	}
	x->file = exec_open(dirfd, path, (u32)flags);
	ret = PTR_ERR(x->file);
	if (IS_ERR(x->file))
		goto out;
	ret = exec(x, argv, envp);
out:
	kfree(x);
	kfree(name);
	kfree(path);
	return ret;
}

SYSCALL_DEFINE3(execve, const char __app *, filename, const char __app *const __app *, argv,
		const char __app *const __app *, envp)
{
	return exec_at(AT_FDCWD, filename, argv, envp, 0);
}

SYSCALL_DEFINE5(execveat, int, dirfd, const char __app *, path, const char __app *const __app *, argv,
		const char __app *const __app *, envp, int, flags)
{
	return exec_at(dirfd, path, argv, envp, flags);
}
