// SPDX-License-Identifier: BSD-2-Clause
/* timerfd on virtual time: one-shot, periodic with missed expirations, absolute, re-setting, steps of the wall clock. */
// sources: kernel/ipc/timerfd.c kernel/ipc/time.c kernel/ipc/epoll.c kernel/ipc/epoll_ctl.c kernel/lib/rbtree.c
// sources: kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "host/ipc_shim.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include <linux/time_types.h>

SYS(timerfd_create);
SYS(timerfd_settime);
SYS(timerfd_gettime);

#define REALTIME      0
#define MONOTONIC     1
#define ABSTIME	      1
#define CANCEL_ON_SET 2
#define MS	      NSEC_PER_MSEC

static int make(int clock, int flags)
{
	int fd = (int)CALL(timerfd_create, clock, flags);

	assert_true(fd >= 0);
	return fd;
}

static struct __kernel_timespec ts(u64 ns)
{
	return (struct __kernel_timespec){(s64)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
}

static void set(int fd, int flags, u64 value, u64 interval)
{
	struct __kernel_itimerspec its = {ts(interval), ts(value)};

	assert_int_equal(CALL(timerfd_settime, fd, flags, &its, NULL), 0);
}

static u64 left(int fd)
{
	struct __kernel_itimerspec its;

	assert_int_equal(CALL(timerfd_gettime, fd, &its), 0);
	return (u64)its.it_value.tv_sec * NSEC_PER_SEC + (u64)its.it_value.tv_nsec;
}

/* Expirations, or -errno. */
static s64 ticks(int fd)
{
	u64 v = 0;
	ssize_t n = ipc_read(fd, &v, sizeof v);

	return n == sizeof v ? (s64)v : n;
}

static void test_errors(void **state)
{
	struct __kernel_itimerspec its = {ts(0), ts(1)};
	int fd = make(MONOTONIC, O_NONBLOCK);
	u64 v;

	assert_int_equal(CALL(timerfd_create, 3, 0), -EINVAL);
	assert_int_equal(CALL(timerfd_create, MONOTONIC, 1), -EINVAL);
	assert_int_equal(CALL(timerfd_settime, fd, 4, &its, NULL), -EINVAL);
	assert_int_equal(CALL(timerfd_settime, fd, 0, NULL, NULL), -EFAULT);
	assert_int_equal(CALL(timerfd_settime, 99, 0, &its, NULL), -EBADF);
	its.it_value.tv_nsec = 1000000000;
	assert_int_equal(CALL(timerfd_settime, fd, 0, &its, NULL), -EINVAL);
	assert_int_equal(ipc_read(fd, &v, 4), -EINVAL);
	assert_int_equal(ticks(fd), -EAGAIN);
	fd_close(fd);
}

static void test_oneshot(void **state)
{
	int fd = make(MONOTONIC, O_NONBLOCK);

	set(fd, 0, 10 * MS, 0);
	assert_int_equal(left(fd), 10 * MS);
	host_time_advance(9 * MS);
	assert_int_equal(ticks(fd), -EAGAIN);
	assert_int_equal(left(fd), MS);
	host_time_advance(5 * MS);
	assert_int_equal(left(fd), 0);
	assert_int_equal(ticks(fd), 1);
	assert_int_equal(ticks(fd), -EAGAIN);
	set(fd, ABSTIME, clock_monotonic() - MS, 0); /* in the past: at once */
	host_time_advance(1);
	assert_int_equal(ticks(fd), 1);
	set(fd, 0, MS, 0);
	set(fd, 0, 0, 0); /* disarmed */
	host_time_advance(2 * MS);
	assert_int_equal(ticks(fd), -EAGAIN);
	fd_close(fd);
	assert_int_equal(ipc_files_live, 0);
}

static void test_periodic(void **state)
{
	struct __kernel_itimerspec its = {ts(0), ts(0)}, old;
	int fd = make(MONOTONIC, O_NONBLOCK);

	set(fd, 0, 5 * MS, 10 * MS);
	host_time_advance(5 * MS);
	assert_int_equal(ticks(fd), 1);
	host_time_advance(35 * MS); /* due at 15, 25, 35 */
	assert_int_equal(ticks(fd), 3);
	assert_int_equal(left(fd), 5 * MS);
	host_time_advance(4 * MS);
	assert_int_equal(ticks(fd), -EAGAIN);
	host_time_advance(MS);
	assert_int_equal(ticks(fd), 1);
	host_time_advance(25 * MS);
	assert_int_equal(left(fd), 5 * MS); /* looking does not lose expirations */
	assert_int_equal(ticks(fd), 2);
	assert_int_equal(CALL(timerfd_settime, fd, 0, &its, &old), 0);
	assert_int_equal(old.it_interval.tv_nsec, 10 * MS);
	assert_int_equal(old.it_value.tv_nsec, 5 * MS);
	fd_close(fd);
}

static void test_blocking(void **state)
{
	int fd = make(MONOTONIC, 0);
	u64 start = clock_monotonic();

	set(fd, 0, 7 * MS, 0);
	assert_int_equal(ticks(fd), 1);
	assert_int_equal(clock_monotonic() - start, 7 * MS);
	fd_close(fd);
}

static void test_wall_clock(void **state)
{
	u64 base = 1700000000ull * NSEC_PER_SEC;
	int fd = make(REALTIME, O_NONBLOCK), cancel = make(REALTIME, O_NONBLOCK), relative = make(REALTIME, O_NONBLOCK);

	host_time_set_realtime(base);
	set(fd, ABSTIME, base + 100 * MS, 0);
	set(cancel, ABSTIME | CANCEL_ON_SET, base + 100 * MS, 0);
	set(relative, 0, 100 * MS, 0);
	host_time_set_realtime(base + 95 * MS);
	timerfd_clock_was_set();
	assert_int_equal(ticks(cancel), -ECANCELED);
	assert_int_equal(ticks(cancel), -EAGAIN);
	host_time_advance(5 * MS);
	assert_int_equal(ticks(fd), 1);
	assert_int_equal(ticks(relative), -EAGAIN); /* a duration does not care */
	host_time_advance(95 * MS);
	assert_int_equal(ticks(relative), 1);
	fd_close(fd);
	fd_close(cancel);
	fd_close(relative);
	assert_int_equal(ipc_files_live, 0);
}

UNIT_TESTS(test_errors, test_oneshot, test_periodic, test_blocking, test_wall_clock)
