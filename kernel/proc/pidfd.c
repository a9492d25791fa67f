// SPDX-License-Identifier: BSD-2-Clause
/* Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), CLONE_PIDFD. Such a file
 * holds a reference on its process and is readable for poll once that has ended. */
#include "base/format.h"
#include "base/string.h"
#include "fs/file.h"
#include "fs/pseudo.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/pidfd.h>

static bool reaped(struct process *p)
{
	return READ_ONCE(p->zombie) && !READ_ONCE(p->parent);
}

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->priv;

	poll_wait(f, &p->pidfd_wait, pt);
	return READ_ONCE(p->zombie) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	process_put(f->priv);
}

static size_t pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct process *p = f->priv;
	int pid = reaped(p) ? -1 : (int)p->pid;

	return (size_t)scnprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
	.fdinfo = pidfd_fdinfo,
};

static struct file *pidfd_create(struct process *p, u32 flags)
{
	struct file *f = file_create_anon("anon_inode:[pidfd]", &pidfd_ops, p, O_RDWR | flags);

	if (!IS_ERR(f))
		process_get(p);
	return f;
}

struct process *pidfd_get(int fd, u32 *flags)
{
	struct file *f = fd_get(fd);
	struct process *p = ERR_PTR(-EBADF);

	if (!f)
		return p;
	if (f->ops == &pidfd_ops) {
		p = f->priv;
		process_get(p);
	}
	if (flags)
		*flags = f->flags;
	file_put(f);
	return p;
}

int pidfd_prepare(struct process *p, int __app *where, struct file **file)
{
	struct file *f = pidfd_create(p, 0);
	int fd, err;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	fd = err = fd_reserve(0, true);
	if (fd < 0)
		goto fail;
	err = -EFAULT;
	if (put_app(fd, where))
		goto fail_fd;
	*file = f;
	return fd;

fail_fd:
	fd_release(fd);
fail:
	file_put(f);
	return err;
}

SYSCALL_DEFINE2(pidfd_open, int, pid, unsigned, flags)
{
	struct process *p;
	struct file *f;
	int fd;

	if (flags & ~(unsigned)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	p = process_find((u32)pid);
	if (!p) {
		struct thread *t = thread_find((u32)pid);

		if (!t)
			return -ESRCH;
		thread_put(t);
		return -EINVAL; /* a thread, but not the first of a process */
	}
	f = pidfd_create(p, flags);
	process_put(p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install_new(f, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int signal_info(int sig, const siginfo_t __app *uinfo, struct process *p, siginfo_t *info)
{
	if (!uinfo) {
		siginfo_fill(info, sig, SI_USER, (int)current->proc->pid, current_cred()->uid);
		return 0;
	}
	if (get_app(*info, uinfo))
		return -EFAULT;
	if (info->si_signo != sig)
		return -EINVAL;
	if (p != current->proc && (info->si_code >= 0 || info->si_code == SI_TKILL))
		return -EPERM;
	return 0;
}

/* A pidfd, or the directory /proc/PID: that was how this call began, and what takes no pidfd_open. */
static struct process *target_get(int fd)
{
	struct process *p = pidfd_get(fd, NULL);
	struct file *f;

	if (!IS_ERR(p))
		return p;
	f = fd_get(fd);
	if (!f)
		return p;
	p = proc_file_process(f);
	file_put(f);
	return p;
}

SYSCALL_DEFINE4(pidfd_send_signal, int, pidfd, int, sig, const siginfo_t __app *, uinfo, unsigned, flags)
{
	struct process *p;
	siginfo_t info;
	int ret;

	if (flags)
		return -EINVAL;
	p = target_get(pidfd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	ret = sig < 0 || sig > SIG_MAX ? -EINVAL : signal_info(sig, uinfo, p, &info);
	if (!ret)
		ret = reaped(p) ? -ESRCH : signal_check_permission(p, NULL, sig);
	if (!ret && sig)
		ret = signal_send_process(p, sig, &info);
	process_put(p);
	return ret;
}

SYSCALL_DEFINE3(pidfd_getfd, int, pidfd, int, fd, unsigned, flags)
{
	struct fdtable *files;
	struct process *p;
	struct file *f;
	int ret;

	if (flags)
		return -EINVAL;
	p = pidfd_get(pidfd, NULL);
	if (IS_ERR(p))
		return PTR_ERR(p);
	ret = -EPERM;
	if (!ptrace_may_access(p, PTRACE_BY_REAL_IDS))
		goto out;
	ret = -ESRCH;
	files = process_get_files(p);
	if (!files)
		goto out;
	f = fdtable_lookup(files, fd);
	fdtable_put(files);
	ret = -EBADF;
	if (!f)
		goto out;
	ret = fd_install_new(f, true);
	if (ret < 0)
		file_put(f);
out:
	process_put(p);
	return ret;
}

/* Memory goes with the last thread of a killed process, without further help: there is nothing to hurry. */
SYSCALL_DEFINE2(process_mrelease, int, pidfd, unsigned, flags)
{
	struct process *p;
	int ret = 0;

	if (flags)
		return -EINVAL;
	p = pidfd_get(pidfd, NULL);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (!READ_ONCE(p->vm))
		ret = -ESRCH;
	else if (!READ_ONCE(p->group_exit))
		ret = -EINVAL; /* it is to live */
	process_put(p);
	return ret;
}
