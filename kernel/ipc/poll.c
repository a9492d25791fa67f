// SPDX-License-Identifier: BSD-2-Clause
/* poll(2) and ppoll(2). The descriptors' files are held for the whole call, so that one scan costs no
 * look-ups. */
#include "ipc.h"
#include "fs/file.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <asm/poll.h>

#define INLINE_FDS 20

struct poll_request {
	struct pollfd *fds;
	struct poll_slot *slots;
	size_t n;
};

static void poll_lookup(struct poll_request *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct poll_slot *s = &r->slots[i];

		*s = (struct poll_slot){.want = (u16)r->fds[i].events | EPOLLERR | EPOLLHUP};
		if (r->fds[i].fd < 0)
			continue;
		s->file = fd_get(r->fds[i].fd);
		if (!s->file)
			s->got = POLLNVAL;
	}
}

/* Only revents go back: the application may change the rest meanwhile. */
static int poll_store(struct poll_request *r, struct pollfd __app *fds)
{
	int err = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->slots[i].file)
			file_put(r->slots[i].file);
		if (!err)
			err = put_app((short)r->slots[i].got, &fds[i].revents);
	}
	return err;
}

static long poll_run(struct poll_request *r, struct pollfd __app *fds, u64 deadline)
{
	long ret;
	int err;

	if (copy_from_app(r->fds, fds, r->n * sizeof *r->fds))
		return -EFAULT;
	poll_lookup(r);
	ret = poll_slots(r->slots, r->n, deadline);
	err = poll_store(r, fds);
	return err ? err : ret;
}

static __noinline long poll_large(struct pollfd __app *fds, size_t n, u64 deadline)
{
	size_t size = n * (sizeof(struct pollfd) + sizeof(struct poll_slot));
	struct poll_slot *slots = scratch_alloc(size);
	struct poll_request r = {.fds = (struct pollfd *)(slots + n), .slots = slots, .n = n};
	long ret;

	if (!slots)
		return -ENOMEM;
	ret = poll_run(&r, fds, deadline);
	scratch_free(slots, size);
	return ret;
}

/* -ERESTARTNOHAND when a signal came. */
static long poll_common(struct pollfd __app *fds, u32 n, u64 deadline)
{
	struct pollfd inline_fds[INLINE_FDS];
	struct poll_slot inline_slots[INLINE_FDS];
	struct poll_request r = {.fds = inline_fds, .slots = inline_slots, .n = n};

	if (n > current_process()->rlim[RLIMIT_NOFILE].rlim_cur)
		return -EINVAL;
	return n <= INLINE_FDS ? poll_run(&r, fds, deadline) : poll_large(fds, n, deadline);
}

static long poll_restart(struct restart_block *rb)
{
	long ret = poll_common((struct pollfd __app *)rb->arg[0], (u32)rb->arg[1], rb->arg[2]);

	return ret == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : ret;
}

SYSCALL_DEFINE3(poll, struct pollfd __app *, fds, unsigned, n, int, timeout_ms)
{
	u64 deadline = timeout_ms < 0 ? NO_TIMEOUT : deadline_after((u64)timeout_ms * NSEC_PER_MSEC);
	long ret = poll_common(fds, n, deadline);

	if (ret != -ERESTARTNOHAND)
		return ret;
	/* A call that is repeated without a handler having run waits for what is left of its time. */
	current->restart = (struct restart_block){.fn = poll_restart, .arg = {(u64)fds, n, deadline}};
	return -ERESTART_RESTARTBLOCK;
}

SYSCALL_DEFINE5(ppoll, struct pollfd __app *, fds, unsigned, n, struct __kernel_timespec __app *, timeout,
		const sigset __app *, mask, size_t, sigsetsize)
{
	struct __kernel_timespec ts;
	u64 deadline = NO_TIMEOUT;
	long ret;

	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = deadline_after(timespec_to_ns(&ts));
	}
	if (mask) {
		int err = signal_set_temporary_mask(mask, sigsetsize);

		if (err)
			return err;
	}
	ret = poll_common(fds, n, deadline);
	signal_mask_restore(ret == -ERESTARTNOHAND);
	if (timeout && deadline) {
		ts = ns_to_timespec(time_left(deadline));
		/* Without the time left in its arguments the call must not be restarted. */
		if (copy_to_app(timeout, &ts, sizeof ts) && ret == -ERESTARTNOHAND)
			ret = -EINTR;
	}
	return ret;
}
