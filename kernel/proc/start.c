// SPDX-License-Identifier: BSD-2-Clause
/* Pid 1: made from nothing at the end of boot, with its program already loaded. The boot thread builds it
 * from outside, so no thread ever runs half a kernel and half an application. */
#include "base/string.h"
#include "exec.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include <linux/prctl.h>

#define NOFILE_LIMIT 1048576

/* As a container gets them: descriptors in plenty, 8 MiB stacks, the rest unlimited or by the machine's size.
 */
static void default_limits(struct process *p)
{
	struct memory_stats mem;
	u64 threads;

	memory_stats(&mem);
	threads = clamp(mem.total * PAGE_SIZE / (8 * KSTACK_SIZE), 1024ull, (u64)PID_MAX);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
	p->rlim[RLIMIT_STACK].rlim_cur = MIB(8);
	p->rlim[RLIMIT_NOFILE] = (struct rlimit64){NOFILE_LIMIT, NOFILE_LIMIT};
	p->rlim[RLIMIT_SIGPENDING] = (struct rlimit64){threads, threads};
	p->rlim[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
	p->rlim[RLIMIT_MEMLOCK] = (struct rlimit64){MIB(8), MIB(8)};
	p->rlim[RLIMIT_NICE] = (struct rlimit64){0, 0};
	p->rlim[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
	p->rlim[RLIMIT_CORE].rlim_cur = 0;
}

static int give_descriptors(struct thread *t, struct file *stdio[3])
{
	int ret = 0;

	/* Descriptors are installed in the current thread's table. */
	current->files = t->files;
	for (int i = 0; i < 3 && !ret; i++) {
		int fd = fd_reserve(i, false);

		if (fd < 0) {
			ret = fd;
		} else if (stdio[i]) {
			file_get(stdio[i]);
			fd_install(fd, stdio[i]);
		} else {
			fd_release(fd);
		}
	}
	current->files = NULL;
	return ret;
}

/* The process with its first thread, which is in no list yet. */
static struct process *create_process(struct file *stdio[3])
{
	struct process *p = process_alloc();
	struct thread *t;

	if (!p)
		return NULL;
	default_limits(p);
	p->exit_signal = SIGCHLD;
	p->cred = cred_get(&kernel_cred);
	p->dumpable = 1;
	p->mce_kill = PR_MCE_KILL_DEFAULT;
	p->sighand = sighand_create();
	t = p->leader = thread_create(p, "init");
	if (IS_ERR(t))
		return NULL;
	thread_get(t);
	t->files = fdtable_create();
	t->fs = fs_context_create();
	if (p->sighand && t->files && t->fs && !give_descriptors(t, stdio))
		return p;
	return NULL; /* boot fails: nothing to clean up for */
}

/* The word cwd=: where init starts. */
static void enter_directory(struct process *p)
{
	const char *dir = cmdline_get("cwd");
	struct path path;
	int err;

	if (!dir || !*dir)
		return;
	err = vfs_lookup(dir, true, &path);
	if (!err) {
		if (S_ISDIR(path.dentry->inode->mode))
			fs_context_set_cwd(p->leader->fs, &path);
		else
			err = -ENOTDIR;
		path_put(&path);
	}
	if (err)
		log_warn("init: cannot start in %s: error %d", dir, -err);
}

static int start(struct exec *x, struct process *p)
{
	struct thread *t = p->leader;
	struct regs regs;
	int err, pid;

	memset(&regs, 0, sizeof(regs));
	arch_start_app(&regs, x->entry, x->sp);
	err = arch_thread_init_app(t, &regs, x->sp, false, 0);
	if (err)
		return err;
	pid = pid_alloc();
	if (pid < 0)
		return pid;
	t->tid = p->pid = p->pgid = p->sid = (u32)pid;
	t->vm = p->vm = x->vm;
	x->vm = NULL;
	init_process = p;
	exec_adopt(x, p, t);
	spin_lock(&process_tree_lock);
	process_add_thread(p, t);
	process_link(p, &kernel_process);
	p->parent = NULL;
	spin_unlock(&process_tree_lock);
	thread_start(t);
	return 0;
}

int process_start_init(const char *path, const char *const argv[], const char *const envp[],
		       struct file *stdio[3])
{
	struct exec *x = kzalloc(sizeof(*x));
	struct process *p = create_process(stdio);
	int err = -ENOMEM;

	if (!x || !p)
		goto out;
	enter_directory(p);
	x->proc = p;
	x->old_cred = p->cred;
	x->filename = path;
	x->randomize = exec_randomize(p);
	x->stack_limit = p->rlim[RLIMIT_STACK].rlim_cur;
	x->file = exec_open(AT_FDCWD, path, 0);
	if (IS_ERR(x->file)) {
		err = (int)PTR_ERR(x->file);
		x->file = NULL;
		goto out_args;
	}
	err = exec_args_init(&x->args, x->stack_limit);
	if (!err)
		err = exec_args_copy_kernel(&x->args, argv, envp);
	if (!err)
		err = exec_load(x);
	if (!err)
		err = start(x, p);
out_args:
	exec_release(x);
out:
	kfree(x);
	return err;
}
