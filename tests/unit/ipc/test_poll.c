// SPDX-License-Identifier: BSD-2-Clause
/* poll, ppoll, select and pselect6: results, errors, timeouts and what is written back, signals, many descriptors. */
// sources: kernel/ipc/pollset.c kernel/ipc/poll.c kernel/ipc/select.c kernel/ipc/eventfd.c kernel/ipc/time.c
// sources: kernel/ipc/pipe.c kernel/ipc/pipe_open.c kernel/ipc/epoll.c kernel/ipc/epoll_ctl.c kernel/lib/rbtree.c
// sources: kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "host/ipc_shim.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include <asm/poll.h>
#include <linux/time_types.h>

SYS(poll);
SYS(ppoll);
SYS(select);
SYS(pselect6);
SYS(eventfd2);
SYS(pipe2);

static int efd(u64 value)
{
	return (int)CALL(eventfd2, value, O_NONBLOCK);
}

static void test_poll_basic(void **state)
{
	int full = efd(1), empty = efd(0);
	struct pollfd p[] = {{full, POLLIN | POLLOUT, 0}, {empty, POLLIN, 7}, {-5, POLLIN, 7}, {999, POLLIN, 0}};

	assert_int_equal(CALL(poll, p, 4, -1), 2);
	assert_int_equal(p[0].revents, POLLIN | POLLOUT);
	assert_int_equal(p[1].revents, 0);
	assert_int_equal(p[2].revents, 0);
	assert_int_equal(p[3].revents, POLLNVAL);
	assert_int_equal(CALL(poll, &p[1], 1, 0), 0);
	assert_int_equal(CALL(poll, NULL, 1, 0), -EFAULT);
	assert_int_equal(CALL(poll, NULL, 0, 0), 0);
	current_process()->rlim[RLIMIT_NOFILE].rlim_cur = 3;
	assert_int_equal(CALL(poll, p, 4, 0), -EINVAL);
	current_process()->rlim[RLIMIT_NOFILE].rlim_cur = RLIM64_INFINITY;
	fd_close(full);
	fd_close(empty);
	assert_int_equal(ipc_files_live, 0);
}

static void test_poll_timeout(void **state)
{
	struct __kernel_timespec ts = {0, 5000000};
	u64 start = clock_monotonic();
	int e = efd(0);
	struct pollfd p = {e, POLLIN, 0};

	assert_int_equal(CALL(poll, &p, 1, 20), 0);
	assert_int_equal(clock_monotonic() - start, 20 * NSEC_PER_MSEC);
	assert_int_equal(CALL(ppoll, &p, 1, &ts, NULL, 8), 0);
	assert_int_equal(ts.tv_nsec, 0); /* nothing is left of it */
	ts = (struct __kernel_timespec){0, 1000000000};
	assert_int_equal(CALL(ppoll, &p, 1, &ts, NULL, 8), -EINVAL);
	ts = (struct __kernel_timespec){-1, 0};
	assert_int_equal(CALL(ppoll, &p, 1, &ts, NULL, 8), -EINVAL);
	fd_close(e);
}

static void test_poll_signal(void **state)
{
	struct __kernel_timespec ts = {10, 0};
	int e = efd(0);
	struct pollfd p = {e, POLLIN, 0};
	u64 mask = 0xff;

	thread_set_flag(current, THREAD_SIGPENDING);
	assert_int_equal(CALL(poll, &p, 1, 1000), -ERESTART_RESTARTBLOCK);
	current->sig.blocked = 1;
	assert_int_equal(CALL(ppoll, &p, 1, &ts, &mask, 8), -ERESTARTNOHAND);
	assert_true(thread_test_flag(current, THREAD_RESTORE_MASK)); /* delivery restores the mask */
	thread_clear_flag(current, THREAD_RESTORE_MASK | THREAD_SIGPENDING);
	current->sig.blocked = 1;
	ipc_write(e, &mask, 8);
	assert_int_equal(CALL(ppoll, &p, 1, &ts, &mask, 8), 1);
	assert_false(thread_test_flag(current, THREAD_RESTORE_MASK));
	assert_int_equal(current->sig.blocked, 1);
	assert_int_equal(CALL(ppoll, &p, 1, &ts, &mask, 4), -EINVAL);
	fd_close(e);
}

static struct pollfd late;

static void poller(void *arg)
{
	assert_int_equal(CALL(poll, &late, 1, -1), 1);
}

static void test_poll_wakes(void **state)
{
	u64 one = 1;
	int fd[2];
	struct thread *t;

	late = (struct pollfd){efd(0), POLLIN, 0};
	t = host_thread_start(poller, NULL);
	assert_true(host_thread_wait_asleep(t));
	ipc_write(late.fd, &one, 8);
	host_thread_join(t);
	assert_int_equal(late.revents, POLLIN);
	fd_close(late.fd);

	CALL(pipe2, fd, 0);
	late = (struct pollfd){fd[0], POLLIN, 0};
	t = host_thread_start(poller, NULL);
	assert_true(host_thread_wait_asleep(t));
	fd_close(fd[1]);
	host_thread_join(t);
	assert_int_equal(late.revents, POLLHUP);
	fd_close(fd[0]);
	assert_int_equal(ipc_files_live, 0);
}

#define MANY 700

static struct pollfd many[MANY];

static void many_poller(void *arg)
{
	assert_int_equal(CALL(poll, many, MANY, -1), 1);
}

static void test_poll_many(void **state)
{
	struct thread *t;
	u64 one = 1;

	for (int i = 0; i < MANY; i++)
		many[i] = (struct pollfd){efd(0), POLLIN, 0};
	t = host_thread_start(many_poller, NULL);
	assert_true(host_thread_wait_asleep(t));
	ipc_write(many[MANY - 1].fd, &one, 8);
	host_thread_join(t);
	assert_int_equal(many[MANY - 1].revents, POLLIN);
	for (int i = 0; i < MANY; i++)
		fd_close(many[i].fd);
	assert_int_equal(ipc_files_live, 0);
}

static void test_poll_no_memory(void **state)
{
	u64 live;
	long ret = -1;

	for (int i = 0; i < MANY; i++)
		many[i] = (struct pollfd){efd(0), POLLIN, 0};
	live = host_heap_live();
	for (u64 n = 0; ret; n++) {
		host_alloc_fail_after(n);
		ret = CALL(poll, many, MANY, 10);
		host_alloc_fail_never();
		assert_true(ret == 0 || ret == -ENOMEM);
		assert_int_equal(host_heap_live(), live);
	}
	for (int i = 0; i < MANY; i++)
		fd_close(many[i].fd);
}

static void test_select(void **state)
{
	u64 in[2] = {0}, out[2] = {0}, ex[2] = {0};
	struct __kernel_old_timeval tv = {0, 3000};
	u64 start = clock_monotonic();
	int full = efd(1), empty = efd(0);

	in[0] = BIT(full) | BIT(empty);
	out[0] = ex[0] = BIT(full);
	assert_int_equal(CALL(select, empty + 1, in, out, ex, NULL), 2);
	assert_int_equal(in[0], BIT(full));
	assert_int_equal(out[0], BIT(full));
	assert_int_equal(ex[0], 0);
	in[0] = BIT(empty);
	assert_int_equal(CALL(select, empty + 1, in, NULL, NULL, &tv), 0);
	assert_int_equal(in[0], 0);
	assert_int_equal(clock_monotonic() - start, 3 * NSEC_PER_MSEC);
	assert_int_equal(tv.tv_usec, 0);
	assert_int_equal(CALL(select, -1, in, NULL, NULL, &tv), -EINVAL);
	in[0] = BIT(40);
	assert_int_equal(CALL(select, 41, in, NULL, NULL, &tv), -EBADF);
	in[0] = BIT(40) | BIT(full);
	assert_int_equal(CALL(select, full + 1, in, NULL, NULL, &tv), 1); /* bits at or beyond nfds do not count */
	tv.tv_usec = -1;
	assert_int_equal(CALL(select, 0, NULL, NULL, NULL, &tv), -EINVAL);
	thread_set_flag(current, THREAD_SIGPENDING);
	in[0] = BIT(empty);
	tv = (struct __kernel_old_timeval){5, 0};
	assert_int_equal(CALL(select, empty + 1, in, NULL, NULL, &tv), -ERESTARTNOHAND);
	assert_int_equal(in[0], BIT(empty)); /* unchanged */
	thread_clear_flag(current, THREAD_SIGPENDING);
	fd_close(full);
	fd_close(empty);
}

static void test_pselect(void **state)
{
	struct __kernel_timespec ts = {1, 500};
	u64 in = 0, mask = 6;
	struct {
		u64 *mask;
		size_t size;
	} arg = {&mask, 8};
	int full = efd(1);

	in = BIT(full);
	assert_int_equal(CALL(pselect6, full + 1, &in, NULL, NULL, &ts, &arg), 1);
	assert_int_equal(ts.tv_sec, 1); /* what is left */
	assert_int_equal(current->sig.blocked, 1);
	arg.size = 3;
	assert_int_equal(CALL(pselect6, full + 1, &in, NULL, NULL, &ts, &arg), -EINVAL);
	fd_close(full);
}

UNIT_TESTS(test_poll_basic, test_poll_timeout, test_poll_signal, test_poll_wakes, test_poll_many, test_poll_no_memory,
	   test_select, test_pselect)
