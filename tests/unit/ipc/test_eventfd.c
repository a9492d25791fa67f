// SPDX-License-Identifier: BSD-2-Clause
/* eventfd: values, limits, semaphore mode, blocking on both sides, poll bits. */
// sources: kernel/ipc/eventfd.c kernel/ipc/epoll.c kernel/ipc/epoll_ctl.c kernel/ipc/time.c kernel/lib/rbtree.c
// sources: kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "host/ipc_shim.h"
#include "kernel/sched.h"

SYS(eventfd2);

#define SEMAPHORE 1

static ssize_t put(int fd, u64 v)
{
	return ipc_write(fd, &v, sizeof v);
}

static ssize_t take(int fd, u64 *v)
{
	return ipc_read(fd, v, sizeof *v);
}

static u32 bits(int fd)
{
	struct file *f = fd_get(fd);
	u32 b = file_poll(f, NULL);

	file_put(f);
	return b;
}

static void test_counter(void **state)
{
	int fd = (int)CALL(eventfd2, 3, O_NONBLOCK);
	u64 v = 0;

	assert_int_equal(bits(fd), EPOLLIN | EPOLLOUT);
	assert_int_equal(put(fd, 4), 8);
	assert_int_equal(take(fd, &v), 8);
	assert_int_equal(v, 7);
	assert_int_equal(take(fd, &v), -EAGAIN);
	assert_int_equal(bits(fd), EPOLLOUT);
	assert_int_equal(put(fd, 0), 8);
	assert_int_equal(take(fd, &v), -EAGAIN);
	assert_int_equal(put(fd, ~0ull), -EINVAL);
	assert_int_equal(put(fd, ~0ull - 1), 8);
	assert_int_equal(bits(fd), EPOLLIN);
	assert_int_equal(put(fd, 1), -EAGAIN);
	assert_int_equal(ipc_read(fd, &v, 7), -EINVAL);
	assert_int_equal(ipc_write(fd, &v, 7), -EINVAL);
	fd_close(fd);
	assert_int_equal(ipc_files_live, 0);
	assert_int_equal(CALL(eventfd2, 0, 2), -EINVAL);
}

static void test_semaphore(void **state)
{
	int fd = (int)CALL(eventfd2, 2, SEMAPHORE | O_NONBLOCK);
	u64 v;

	assert_int_equal(take(fd, &v), 8);
	assert_int_equal(v, 1);
	assert_int_equal(take(fd, &v), 8);
	assert_int_equal(take(fd, &v), -EAGAIN);
	fd_close(fd);
}

static u64 got;

static void reader(void *arg)
{
	assert_int_equal(take((int)(uintptr_t)arg, &got), 8);
}

static void writer(void *arg)
{
	assert_int_equal(put((int)(uintptr_t)arg, 5), 8);
}

static void test_blocking(void **state)
{
	int fd = (int)CALL(eventfd2, 0, 0);
	struct thread *t = host_thread_start(reader, (void *)(uintptr_t)fd);
	u64 v;

	assert_true(host_thread_wait_asleep(t));
	put(fd, 0);
	put(fd, 9);
	host_thread_join(t);
	assert_int_equal(got, 9);
	put(fd, ~0ull - 3);
	t = host_thread_start(writer, (void *)(uintptr_t)fd);
	assert_true(host_thread_wait_asleep(t));
	take(fd, &v);
	host_thread_join(t);
	take(fd, &v);
	assert_int_equal(v, 5);
	fd_close(fd);
}

static void test_no_memory(void **state)
{
	long ret = -ENOMEM;
	u64 live = host_heap_live();

	for (u64 n = 0; ret < 0; n++) {
		host_alloc_fail_after(n);
		ret = CALL(eventfd2, 0, 0);
		host_alloc_fail_never();
		if (ret < 0)
			assert_int_equal(host_heap_live(), live);
	}
	fd_close((int)ret);
}

UNIT_TESTS(test_counter, test_semaphore, test_blocking, test_no_memory)
