// SPDX-License-Identifier: BSD-2-Clause
/* signalfd: pending signals of the reader, as a file. Whoever reads takes its own signals and its process's.
 *
 * Poll waits on the queue of the process that polls. An epoll can keep that entry beyond the process's life
 * when the descriptor was passed on, so the file pins each process that ever polled it. */
#include "ipc.h"
#include "base/format.h"
#include "fs/file.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <linux/signalfd.h>

#define NEVER ((sigset)1 << (SIGKILL - 1) | (sigset)1 << (SIGSTOP - 1))

struct signalfd_pin {
	struct signalfd_pin *next;
	struct process *proc;
};

struct signalfd {
	_Atomic sigset mask;
	struct spinlock lock; /* guards pins */
	struct signalfd_pin *pins;
};

static void signalfd_fill(struct signalfd_siginfo *out, const siginfo_t *info)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = (u32)info->si_signo,
		.ssi_errno = info->si_errno,
		.ssi_code = info->si_code,
	};
	switch (info->si_signo) {
	case SIGCHLD:
		if (info->si_code <= 0)
			break;
		out->ssi_pid = (u32)info->si_pid;
		out->ssi_uid = info->si_uid;
		out->ssi_status = info->si_status;
		out->ssi_utime = (u64)info->si_utime;
		out->ssi_stime = (u64)info->si_stime;
		return;
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
		if (info->si_code <= 0)
			break;
		out->ssi_addr = (u64)info->si_addr;
		return;
	case SIGPOLL:
		if (info->si_code <= 0)
			break;
		out->ssi_band = (u32)info->si_band;
		out->ssi_fd = info->si_fd;
		return;
	}
	if (info->si_code == SI_TIMER) {
		out->ssi_tid = (u32)info->si_tid;
		out->ssi_overrun = (u32)info->si_overrun;
	} else {
		out->ssi_pid = (u32)info->si_pid;
		out->ssi_uid = info->si_uid;
	}
	if (info->si_code < 0) { /* sigqueue and friends carry a value */
		out->ssi_ptr = (u64)info->si_ptr;
		out->ssi_int = info->si_int;
	}
}

static ssize_t signalfd_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct signalfd *s = f->priv;
	struct signalfd_siginfo out;
	siginfo_t info;
	ssize_t total = 0;

	if (to->left < sizeof out)
		return -EINVAL;
	while (to->left >= sizeof out) {
		if (!signal_dequeue(s->mask, &info)) {
			int err;

			if (total)
				break;
			if (file_nonblock(f))
				return -EAGAIN;
			err = wait_event_interruptible(&current_process()->signalfd_wait,
						       signal_dequeue(s->mask, &info));
			if (err)
				return err;
		}
		signalfd_fill(&out, &info);
		if (iter_copy_out(to, &out, sizeof out) != sizeof out)
			return total ? total : -EFAULT;
		total += (ssize_t)sizeof out;
	}
	return total;
}

/* Keep P as long as the file. False on no memory. */
static bool signalfd_pin(struct signalfd *s, struct process *p)
{
	struct signalfd_pin *pin, *fresh = kmalloc(sizeof *fresh);
	bool found = false;

	spin_lock(&s->lock);
	for (pin = s->pins; pin && !found; pin = pin->next)
		found = pin->proc == p;
	if (!found && fresh) {
		process_get(p);
		*fresh = (struct signalfd_pin){.next = s->pins, .proc = p};
		s->pins = fresh;
		fresh = NULL;
		found = true;
	}
	spin_unlock(&s->lock);
	kfree(fresh);
	return found;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;
	struct process *p = current_process();

	if (pt && pt->queue && signalfd_pin(s, p))
		poll_wait(f, &p->signalfd_wait, pt);
	return signal_pending_set() & s->mask ? EPOLLIN : 0;
}

static size_t signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->priv;

	return (size_t)snprintf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->priv;
	struct signalfd_pin *pin;

	while ((pin = s->pins)) {
		s->pins = pin->next;
		process_put(pin->proc);
		kfree(pin);
	}
	kfree(s);
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.fdinfo = signalfd_fdinfo,
	.release = signalfd_release,
	.seeks_vainly = true,
};

static long signalfd_create(sigset mask, u32 flags)
{
	struct signalfd *s = kzalloc(sizeof *s);
	struct file *f;
	int fd;

	if (!s)
		return -ENOMEM;
	s->mask = mask;
	f = file_create_anon("anon_inode:[signalfd]", &signalfd_ops, s, O_RDWR | (flags & SFD_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(s);
		return PTR_ERR(f);
	}
	fd = fd_install_new(f, flags & SFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long signalfd_change(int fd, sigset mask)
{
	struct file *f = fd_get(fd);
	long ret = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->ops == &signalfd_ops) {
		struct signalfd *s = f->priv;

		s->mask = mask;
		waitq_wake_all(&current_process()->signalfd_wait);
		ret = fd;
	}
	file_put(f);
	return ret;
}

static long signalfd_common(int fd, const sigset __app *mask, size_t size, u32 flags)
{
	sigset set;

	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK) || size != sizeof set)
		return -EINVAL;
	if (copy_from_app(&set, mask, sizeof set))
		return -EFAULT;
	set &= ~NEVER;
	return fd == -1 ? signalfd_create(set, flags) : signalfd_change(fd, set);
}

SYSCALL_DEFINE3(signalfd, int, fd, const sigset __app *, mask, size_t, size)
{
	return signalfd_common(fd, mask, size, 0);
}

SYSCALL_DEFINE4(signalfd4, int, fd, const sigset __app *, mask, size_t, size, int, flags)
{
	return signalfd_common(fd, mask, size, (u32)flags);
}
