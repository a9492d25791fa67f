// SPDX-License-Identifier: BSD-2-Clause
/* timerfd: timers that are read and polled.
 *
 * All time is kept on CLOCK_MONOTONIC; a timer set to a point of CLOCK_REALTIME is moved when that clock is
 * stepped. A periodic timer fires once and then rests until it is read: the expirations in between are
 * counted then, so nobody is woken for what nobody looks at. timerfd.lock guards the state; the timer's
 * callback takes it, so it is never held while a running callback is waited for. */
#include "ipc.h"
#include "base/format.h"
#include "fs/file.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <linux/capability.h>
#include "kernel/timer.h"
#include <linux/time.h>
#include <linux/timerfd.h>

struct timerfd {
	struct timer timer;
	struct spinlock lock; /* guards what follows, the queue aside */
	struct waitq waitq;
	struct list_head
		node; /* on `realtime` while set to a point of the wall clock; guarded by realtime_lock */
	int clock;
	u32 settime_flags;
	u64 expires;	/* CLOCK_MONOTONIC; next expiration, 0 when disarmed */
	u64 interval;	/* 0: once */
	u64 realtime;	/* expires on the wall clock, when node is on the list */
	u64 ticks;	/* expirations not read yet */
	bool fired;	/* the timer has fired and rests: expires is in the past */
	bool cancelled; /* the clock was stepped under TFD_TIMER_CANCEL_ON_SET */
};

static struct spinlock realtime_lock; /* guards realtime_timers; outside timerfd.lock */
static LIST_HEAD(realtime_timers);

static bool clock_is_real(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
}

static u64 clock_now(int clock)
{
	if (clock_is_real(clock))
		return clock_realtime();
	return clock == CLOCK_MONOTONIC ? clock_monotonic() : clock_boottime();
}

static void timerfd_fire(struct timer *t)
{
	struct timerfd *tf = container_of(t, struct timerfd, timer);
	u64 flags = spin_lock_irqsave(&tf->lock);
	bool due = tf->expires && !tf->fired && tf->expires <= clock_monotonic();

	if (due) {
		tf->fired = true;
		tf->ticks++;
	}
	spin_unlock_irqrestore(&tf->lock, flags);
	if (due)
		waitq_wake(&tf->waitq, ~0u, EPOLLIN);
}

/* Stop the timer for good and take the lock. */
static u64 timerfd_lock_idle(struct timerfd *tf)
{
	for (;;) {
		u64 flags = spin_lock_irqsave(&tf->lock);

		if (timer_try_cancel(&tf->timer) >= 0)
			return flags;
		spin_unlock_irqrestore(&tf->lock, flags);
		cpu_relax();
	}
}

/* With the lock held, after a periodic timer fired: count what was missed and arm it for the next expiration.
 */
static void timerfd_forward(struct timerfd *tf)
{
	u64 now, missed;

	if (!tf->fired || !tf->interval)
		return;
	now = clock_monotonic();
	missed = now > tf->expires ? (now - tf->expires) / tf->interval : 0;
	tf->ticks += missed;
	tf->expires += (missed + 1) * tf->interval;
	tf->realtime += (missed + 1) * tf->interval;
	tf->fired = false;
	timer_set(&tf->timer, tf->expires);
}

/* With the lock held: the setting as timerfd_gettime shows it. */
static struct __kernel_itimerspec timerfd_show(struct timerfd *tf)
{
	u64 now, left = 0;

	timerfd_forward(tf);
	now = clock_monotonic();
	if (tf->expires && !tf->fired)
		left = tf->expires > now ? tf->expires - now : 1;
	return (struct __kernel_itimerspec){.it_interval = ns_to_timespec(tf->interval),
					    .it_value = ns_to_timespec(left)};
}

static bool timerfd_take(struct timerfd *tf, ssize_t *result, u64 *ticks)
{
	u64 flags = spin_lock_irqsave(&tf->lock);
	bool done = true;

	if (tf->cancelled) {
		tf->cancelled = false;
		*result = -ECANCELED;
	} else if (tf->ticks) {
		timerfd_forward(tf);
		*ticks = tf->ticks;
		tf->ticks = 0;
		*result = sizeof *ticks;
	} else {
		done = false;
	}
	spin_unlock_irqrestore(&tf->lock, flags);
	return done;
}

static ssize_t timerfd_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct timerfd *tf = f->priv;
	ssize_t result;
	u64 ticks = 0;

	if (to->left < sizeof ticks)
		return -EINVAL;
	if (!timerfd_take(tf, &result, &ticks)) {
		int err;

		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_event_interruptible(&tf->waitq, timerfd_take(tf, &result, &ticks));
		if (err)
			return err;
	}
	if (result > 0 && iter_copy_out(to, &ticks, sizeof ticks) != sizeof ticks)
		return -EFAULT;
	return result;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *tf = f->priv;

	poll_wait(f, &tf->waitq, pt);
	return READ_ONCE(tf->ticks) || READ_ONCE(tf->cancelled) ? EPOLLIN : 0;
}

static size_t timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *tf = f->priv;
	u64 flags = spin_lock_irqsave(&tf->lock);
	struct __kernel_itimerspec its = timerfd_show(tf);
	u64 ticks = tf->ticks;
	u32 set = tf->settime_flags;

	spin_unlock_irqrestore(&tf->lock, flags);
	return (size_t)snprintf(
		buf, size,
		"clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\n"
		"it_interval: (%llu, %llu)\n",
		tf->clock, (unsigned long long)ticks, set, (unsigned long long)its.it_value.tv_sec,
		(unsigned long long)its.it_value.tv_nsec, (unsigned long long)its.it_interval.tv_sec,
		(unsigned long long)its.it_interval.tv_nsec);
}

/* TFD_IOC_SET_TICKS: as many expirations wait to be read now. */
static long timerfd_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct timerfd *tf = f->priv;
	u64 ticks, flags;
	bool cancelled;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (get_app(ticks, (const u64 __app *)arg))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	flags = spin_lock_irqsave(&tf->lock);
	cancelled = tf->cancelled;
	if (!cancelled)
		tf->ticks = ticks;
	spin_unlock_irqrestore(&tf->lock, flags);
	if (cancelled)
		return -ECANCELED;
	waitq_wake(&tf->waitq, ~0u, EPOLLIN);
	return 0;
}

static void realtime_leave(struct timerfd *tf)
{
	u64 flags = spin_lock_irqsave(&realtime_lock);

	list_del_init(&tf->node);
	spin_unlock_irqrestore(&realtime_lock, flags);
}

static void timerfd_release(struct file *f)
{
	struct timerfd *tf = f->priv;

	realtime_leave(tf);
	timer_cancel(&tf->timer);
	kfree(tf);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.fdinfo = timerfd_fdinfo,
	.release = timerfd_release,
	.seeks_vainly = true,
};

/* The wall clock runs differently now: move TF, or end it. With realtime_lock held. */
static bool timerfd_clock_moved(struct timerfd *tf)
{
	u64 flags = spin_lock_irqsave(&tf->lock);
	bool cancel = tf->settime_flags & TFD_TIMER_CANCEL_ON_SET;

	if (cancel) {
		tf->cancelled = true;
	} else if (tf->expires && !tf->fired) {
		u64 mono = clock_monotonic(), real = clock_realtime();

		tf->expires = tf->realtime > real ? mono + (tf->realtime - real) : mono;
		timer_set(&tf->timer, tf->expires);
	}
	spin_unlock_irqrestore(&tf->lock, flags);
	return cancel;
}

void timerfd_clock_was_set(void)
{
	u64 flags = spin_lock_irqsave(&realtime_lock);
	struct timerfd *tf;

	list_for_each_entry (tf, &realtime_timers, node)
		if (timerfd_clock_moved(tf))
			waitq_wake(&tf->waitq, ~0u, EPOLLIN);
	spin_unlock_irqrestore(&realtime_lock, flags);
}

SYSCALL_DEFINE2(timerfd_create, int, clock, int, flags)
{
	struct timerfd *tf;
	struct file *f;
	int fd;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (!clock_is_real(clock) && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) &&
	    !process_capable(CAP_WAKE_ALARM))
		return -EPERM;
	tf = kzalloc(sizeof *tf);
	if (!tf)
		return -ENOMEM;
	timer_init(&tf->timer, timerfd_fire);
	waitq_init(&tf->waitq);
	list_init(&tf->node);
	tf->clock = clock;
	f = file_create_anon("anon_inode:[timerfd]", &timerfd_ops, tf, O_RDWR | ((u32)flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(tf);
		return PTR_ERR(f);
	}
	fd = fd_install_new(f, flags & TFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* With the lock held and the timer idle: VALUE is ns on the timer's clock (absolute) or from now; 0 disarms.
 */
static void timerfd_arm(struct timerfd *tf, u32 flags, u64 value, u64 interval)
{
	tf->settime_flags = flags;
	tf->ticks = 0;
	tf->fired = false;
	tf->cancelled = false;
	tf->interval = interval;
	tf->expires = 0;
	if (!value)
		return;
	if (flags & TFD_TIMER_ABSTIME) {
		u64 now = clock_now(tf->clock);

		tf->realtime = value;
		tf->expires = value > now ? deadline_after(value - now) : clock_monotonic();
	} else {
		tf->expires = deadline_after(value);
	}
	timer_set(&tf->timer, tf->expires);
}

static long timerfd_set(struct timerfd *tf, u32 flags, const struct __kernel_itimerspec *new,
			struct __kernel_itimerspec *old)
{
	u64 irq;

	realtime_leave(tf);
	irq = timerfd_lock_idle(tf);
	*old = timerfd_show(tf);
	timer_try_cancel(&tf->timer); /* forwarding may have armed it; it cannot run against the lock */
	timerfd_arm(tf, flags, timespec_to_ns(&new->it_value), timespec_to_ns(&new->it_interval));
	spin_unlock_irqrestore(&tf->lock, irq);
	if (clock_is_real(tf->clock) && (flags & TFD_TIMER_ABSTIME) && timespec_to_ns(&new->it_value)) {
		irq = spin_lock_irqsave(&realtime_lock);
		if (list_empty(&tf->node))
			list_add_tail(&tf->node, &realtime_timers);
		spin_unlock_irqrestore(&realtime_lock, irq);
	}
	return 0;
}

static struct file *timerfd_get(int fd, long *err)
{
	struct file *f = fd_get(fd);

	*err = -EBADF;
	if (f && f->ops != &timerfd_ops) {
		file_put(f);
		f = NULL;
		*err = -EINVAL;
	}
	return f;
}

SYSCALL_DEFINE4(timerfd_settime, int, fd, int, flags, const struct __kernel_itimerspec __app *, new,
		struct __kernel_itimerspec __app *, old)
{
	struct __kernel_itimerspec its, before;
	struct file *f;
	long ret;

	if (copy_from_app(&its, new, sizeof its))
		return -EFAULT;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !timespec_valid(&its.it_value) ||
	    !timespec_valid(&its.it_interval))
		return -EINVAL;
	f = timerfd_get(fd, &ret);
	if (!f)
		return ret;
	ret = timerfd_set(f->priv, (u32)flags, &its, &before);
	file_put(f);
	if (!ret && old && copy_to_app(old, &before, sizeof before))
		return -EFAULT;
	return ret;
}

SYSCALL_DEFINE2(timerfd_gettime, int, fd, struct __kernel_itimerspec __app *, out)
{
	struct __kernel_itimerspec its;
	struct timerfd *tf;
	struct file *f;
	u64 flags;
	long ret;

	f = timerfd_get(fd, &ret);
	if (!f)
		return ret;
	tf = f->priv;
	flags = spin_lock_irqsave(&tf->lock);
	its = timerfd_show(tf);
	spin_unlock_irqrestore(&tf->lock, flags);
	file_put(f);
	return copy_to_app(out, &its, sizeof its);
}
