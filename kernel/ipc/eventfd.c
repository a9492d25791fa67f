// SPDX-License-Identifier: BSD-2-Clause
/* eventfd(2): a counter to wait on; the wake-up channel of libuv, the JVM's selectors and most event loops.
 *
 * The counter is one atomic word, so that a read or a write is one compare-and-swap and, when nobody waits,
 * nothing else. Readers of the poll state and sleepers use the usual queue. Reads wake only when somebody has
 * ever asked for room (EPOLLOUT or a blocked write): `room_wanted` is sticky. */
#include "ipc.h"
#include "base/format.h"
#include "fs/file.h"
#include "kernel/syscall.h"

#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

#define COUNT_MAX (~0ull - 1) /* the largest value a write may leave */

struct eventfd {
	_Atomic u64 count;
	_Atomic bool room_wanted;
	bool semaphore;
	u32 id;
	struct waitq waitq;
};

static _Atomic u32 next_id;

/* Take the counter (or one of it): false when it is zero. */
static bool eventfd_take(struct eventfd *e, u64 *value)
{
	u64 count = atomic_load_explicit(&e->count, memory_order_relaxed);

	while (count) {
		u64 take = e->semaphore ? 1 : count;

		if (atomic_compare_exchange_weak(&e->count, &count, count - take)) {
			*value = take;
			return true;
		}
	}
	return false;
}

static bool eventfd_add(struct eventfd *e, u64 value)
{
	u64 count = atomic_load_explicit(&e->count, memory_order_relaxed);

	while (COUNT_MAX - count >= value)
		if (atomic_compare_exchange_weak(&e->count, &count, count + value))
			return true;
	return false;
}

static ssize_t eventfd_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct eventfd *e = f->priv;
	u64 value;
	int err;

	if (to->left < sizeof value)
		return -EINVAL;
	if (!eventfd_take(e, &value)) {
		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_event_interruptible(&e->waitq, eventfd_take(e, &value));
		if (err)
			return err;
	}
	if (atomic_load(&e->room_wanted))
		waitq_wake(&e->waitq, ~0u, EPOLLOUT);
	return iter_copy_out(to, &value, sizeof value) == sizeof value ? (ssize_t)sizeof value : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct iter *from, u64 *pos __maybe_unused)
{
	struct eventfd *e = f->priv;
	u64 value;
	int err;

	if (from->left < sizeof value)
		return -EINVAL;
	if (iter_copy_in(from, &value, sizeof value) != sizeof value)
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	if (!eventfd_add(e, value)) {
		if (file_nonblock(f))
			return -EAGAIN;
		atomic_store(&e->room_wanted, true);
		err = wait_event_interruptible(&e->waitq, eventfd_add(e, value));
		if (err)
			return err;
	}
	waitq_wake(&e->waitq, ~0u, EPOLLIN);
	return sizeof value;
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u32 mask = 0;
	u64 count;

	if (poll_wants(pt, EPOLLOUT))
		atomic_store(&e->room_wanted, true);
	poll_wait(f, &e->waitq, pt);
	count = atomic_load(&e->count);
	if (count)
		mask |= EPOLLIN;
	if (count == ~0ull)
		mask |= EPOLLERR;
	if (count < COUNT_MAX)
		mask |= EPOLLOUT;
	return mask;
}

static size_t eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->priv;

	return (size_t)snprintf(buf, size, "eventfd-count: %16llx\neventfd-id: %u\neventfd-semaphore: %d\n",
				(unsigned long long)atomic_load(&e->count), e->id, e->semaphore);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.fdinfo = eventfd_fdinfo,
	.release = eventfd_release,
	.seeks_vainly = true,
};

bool eventfd_is(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

void eventfd_signal(struct file *f, u64 n)
{
	struct eventfd *e = f->priv;
	u64 count = atomic_load_explicit(&e->count, memory_order_relaxed), sum;

	do {
		sum = ~0ull - count < n ? ~0ull : count + n;
	} while (!atomic_compare_exchange_weak(&e->count, &count, sum));
	waitq_wake(&e->waitq, ~0u, EPOLLIN);
}

static long eventfd_create(u32 count, u32 flags)
{
	struct eventfd *e;
	struct file *f;
	int fd;

	if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kmalloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	e->count = count;
	e->room_wanted = false;
	e->semaphore = flags & EFD_SEMAPHORE;
	e->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	waitq_init(&e->waitq);
	f = file_create_anon("anon_inode:[eventfd]", &eventfd_ops, e, O_RDWR | (flags & EFD_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(e);
		return PTR_ERR(f);
	}
	fd = fd_install_new(f, flags & EFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE1(eventfd, unsigned, count)
{
	return eventfd_create(count, 0);
}

SYSCALL_DEFINE2(eventfd2, unsigned, count, int, flags)
{
	return eventfd_create(count, (u32)flags);
}
