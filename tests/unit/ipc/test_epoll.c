// SPDX-License-Identifier: BSD-2-Clause
/* epoll: errors, random operations against a model of all modes, wake-ups under concurrency, exclusive waits, nesting, removal on close. */
// sources: kernel/ipc/eventfd.c kernel/ipc/epoll.c kernel/ipc/epoll_ctl.c kernel/ipc/time.c kernel/lib/rbtree.c
// sources: kernel/ipc/pipe.c kernel/ipc/pipe_open.c kernel/lib/iter.c
#include "unit.h"

#include <sched.h>

#include "base/err.h"
#include "fs/file.h"
#include "host/ipc_shim.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"

SYS(epoll_create);
SYS(epoll_create1);
SYS(epoll_ctl);
SYS(epoll_wait);
SYS(epoll_pwait);
SYS(eventfd2);
SYS(pipe2);

static int ep_new(void)
{
	int fd = (int)CALL(epoll_create1, 0);

	assert_true(fd >= 0);
	return fd;
}

static int efd_new(void)
{
	int fd = (int)CALL(eventfd2, 0, O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static int ctl(int ep, int op, int fd, u32 events, u64 data)
{
	struct epoll_event ev = {.events = events, .data = data};

	return (int)CALL(epoll_ctl, ep, op, fd, &ev);
}

static int wait_for(int ep, struct epoll_event *ev, int max, int timeout)
{
	return (int)CALL(epoll_wait, ep, ev, max, timeout);
}

static void put(int fd)
{
	u64 one = 1;

	assert_int_equal(ipc_write(fd, &one, sizeof one), sizeof one);
}

static u64 take(int fd)
{
	u64 v = 0;
	ssize_t n = ipc_read(fd, &v, sizeof v);

	return n > 0 ? v : 0;
}

static void test_errors(void **state)
{
	int ep = ep_new(), other = ep_new(), e = efd_new();
	struct epoll_event ev;

	assert_int_equal(CALL(epoll_create, 0), -EINVAL);
	assert_int_equal(CALL(epoll_create1, 1), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 0), -EBADF);
	assert_int_equal(ctl(999, EPOLL_CTL_ADD, e, EPOLLIN, 0), -EBADF);
	assert_int_equal(ctl(e, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN, 0), -ENOENT);
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, e, EPOLLIN, 0), -ENOENT);
	assert_int_equal(ctl(ep, 77, e, EPOLLIN, 0), -EINVAL);
	assert_int_equal(CALL(epoll_ctl, ep, EPOLL_CTL_ADD, e, NULL), -EFAULT);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN, 0), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN, 0), -EEXIST);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN | EPOLLEXCLUSIVE, 0), -EINVAL);
	assert_int_equal(CALL(epoll_ctl, ep, EPOLL_CTL_DEL, e, NULL), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, other, EPOLLIN | EPOLLEXCLUSIVE, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLEXCLUSIVE, 0), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, e, EPOLLIN, 0), -EINVAL);
	assert_int_equal(wait_for(ep, &ev, 0, 0), -EINVAL);
	assert_int_equal(wait_for(e, &ev, 1, 0), -EINVAL);
	assert_int_equal(wait_for(999, &ev, 1, 0), -EBADF);
	assert_int_equal(wait_for(ep, &ev, 0x7fffffff, 0), -EINVAL);
	assert_int_equal(wait_for(ep, (struct epoll_event *)~0xffful, 1, 0), -EFAULT);
	put(e);
	host_app_bad_range(&ev, 1);
	assert_int_equal(wait_for(ep, &ev, 1, 0), -EFAULT);
	host_app_clear();
	assert_int_equal(wait_for(ep, &ev, 1, 0), 1); /* the event was not lost */
	fd_close(e);
	fd_close(other);
	fd_close(ep);
	assert_int_equal(ipc_files_live, 0);
}

static void test_timeout(void **state)
{
	int ep = ep_new();
	struct epoll_event ev;
	u64 before = clock_monotonic();

	assert_int_equal(wait_for(ep, &ev, 1, 0), 0);
	assert_int_equal(clock_monotonic(), before);
	assert_int_equal(wait_for(ep, &ev, 1, 30), 0);
	assert_int_equal(clock_monotonic(), before + 30 * NSEC_PER_MSEC);
	thread_set_flag(current, THREAD_SIGPENDING);
	assert_int_equal(wait_for(ep, &ev, 1, 30), -EINTR);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 0);
	thread_clear_flag(current, THREAD_SIGPENDING);
	fd_close(ep);
}

static void test_closed_file(void **state)
{
	int ep = ep_new(), e = efd_new();
	struct epoll_event ev;
	struct file *f;

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN, 1), 0);
	put(e);
	f = fd_get(e); /* a duplicate keeps the registration alive */
	fd_close(e);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 1);
	file_put(f);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 0);
	fd_close(ep);
	assert_int_equal(ipc_files_live, 0);
}

static void test_no_memory(void **state)
{
	int ep = ep_new(), e = efd_new(), fd[2], ret;
	u64 live;

	CALL(pipe2, fd, 0);
	live = host_heap_live();
	ret = -ENOMEM;
	for (u64 n = 0; ret; n++) {
		host_alloc_fail_after(n);
		ret = ctl(ep, EPOLL_CTL_ADD, e, EPOLLIN, 0);
		host_alloc_fail_never();
		if (ret) {
			assert_int_equal(ret, -ENOMEM);
			assert_int_equal(host_heap_live(), live);
		}
	}
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, e, 0, 0), 0);
	assert_int_equal(host_heap_live(), live);
	fd_close(ep);
	fd_close(e);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

/* The model: what each registration would report, given what has happened to its eventfd since the last report. */
#define N 8

struct model {
	bool registered, queued;
	u32 events;
	u64 count;
	bool out_wanted;
};

static u32 model_ready(const struct model *m)
{
	return (m->count ? EPOLLIN : 0) | EPOLLOUT;
}

static void model_event(struct model *m, u32 what)
{
	if (m->registered && (m->events & (EPOLLIN | EPOLLOUT)) && (m->events & what))
		m->queued = true;
}

static void model_arm(struct model *m, u32 events)
{
	m->registered = true;
	m->events = events;
	if (events & EPOLLOUT)
		m->out_wanted = true;
	if (model_ready(m) & events)
		m->queued = true;
}

/* What epoll_wait reports for M now; 0 for nothing. Updates the model. */
static u32 model_report(struct model *m)
{
	u32 got = m->queued ? model_ready(m) & m->events : 0;

	if (!got) {
		m->queued = false;
		return 0;
	}
	if (m->events & EPOLLONESHOT)
		m->events &= EPOLLET | EPOLLONESHOT;
	if (m->events & (EPOLLET | EPOLLONESHOT))
		m->queued = false;
	return got;
}

static void test_model(void **state)
{
	struct model m[N] = {0};
	struct epoll_event ev[N];
	int ep = ep_new(), e[N];

	srandom(3);
	for (int i = 0; i < N; i++)
		e[i] = efd_new();
	for (int step = 0; step < 60000; step++) {
		int i = (int)(random() % N);
		u32 events = (random() % 2 ? EPOLLIN : 0) | (random() % 3 ? 0 : EPOLLOUT) | (random() % 3 ? 0 : EPOLLET) |
			     (random() % 4 ? 0 : EPOLLONESHOT);

		switch (random() % 8) {
		case 0:
			assert_int_equal(ctl(ep, EPOLL_CTL_ADD, e[i], events, (u64)i), m[i].registered ? -EEXIST : 0);
			if (!m[i].registered)
				model_arm(&m[i], events);
			break;
		case 1:
			assert_int_equal(ctl(ep, EPOLL_CTL_MOD, e[i], events, (u64)i), m[i].registered ? 0 : -ENOENT);
			if (m[i].registered)
				model_arm(&m[i], events);
			break;
		case 2:
			if (random() % 4)
				break;
			assert_int_equal(ctl(ep, EPOLL_CTL_DEL, e[i], 0, 0), m[i].registered ? 0 : -ENOENT);
			m[i].registered = m[i].queued = false;
			break;
		case 3:
		case 4:
			put(e[i]);
			m[i].count++;
			model_event(&m[i], EPOLLIN);
			break;
		case 5:
			assert_int_equal(take(e[i]), m[i].count);
			if (m[i].count && m[i].out_wanted)
				model_event(&m[i], EPOLLOUT);
			m[i].count = 0;
			break;
		default: {
			u32 want[N];
			int n, expect = 0;

			for (int k = 0; k < N; k++) {
				want[k] = m[k].registered ? model_report(&m[k]) : 0;
				expect += want[k] != 0;
			}
			n = wait_for(ep, ev, N, 0);
			assert_int_equal(n, expect);
			for (int k = 0; k < n; k++) {
				assert_int_equal(ev[k].events, want[ev[k].data]);
				want[ev[k].data] = 0; /* each once */
			}
		}
		}
	}
	fd_close(ep);
	for (int i = 0; i < N; i++)
		fd_close(e[i]);
	assert_int_equal(ipc_files_live, 0);
}

/* A level-triggered set that never empties is served in turn. */
static void test_fairness(void **state)
{
	int ep = ep_new(), e[6], seen[6] = {0};
	struct epoll_event ev[2];

	for (int i = 0; i < 6; i++) {
		e[i] = efd_new();
		put(e[i]);
		ctl(ep, EPOLL_CTL_ADD, e[i], EPOLLIN, (u64)i);
	}
	for (int round = 0; round < 9; round++) {
		assert_int_equal(wait_for(ep, ev, 2, 0), 2);
		seen[ev[0].data]++;
		seen[ev[1].data]++;
	}
	for (int i = 0; i < 6; i++) {
		assert_int_equal(seen[i], 3);
		fd_close(e[i]);
	}
	fd_close(ep);
}

/* Many waiters on one epoll, edge-triggered: all that producers write is consumed, with nobody left asleep. A lost wake-up ends
 * in the shim's panic, since all threads would sleep. */
#define CONSUMERS 4
#define PRODUCERS 3
#define WRITES	  4000

static int storm_ep, storm_fds[N], storm_quit;
static _Atomic u64 consumed;

static void consumer(void *arg)
{
	u32 mode = (u32)(uintptr_t)arg;
	struct epoll_event ev[3];

	for (;;) {
		int n = wait_for(storm_ep, ev, 3, -1);

		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			if ((int)ev[i].data == storm_quit)
				return;
			consumed += take((int)ev[i].data);
			if (mode & EPOLLONESHOT)
				assert_int_equal(ctl(storm_ep, EPOLL_CTL_MOD, (int)ev[i].data, EPOLLIN | mode, ev[i].data), 0);
		}
	}
}

static void producer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < WRITES; i++) {
		put(storm_fds[rand_r(&seed) % N]);
		if (rand_r(&seed) % 64 == 0)
			sched_yield();
	}
}

static void storm(u32 mode)
{
	struct thread *c[CONSUMERS], *p[PRODUCERS];

	storm_ep = ep_new();
	storm_quit = efd_new();
	consumed = 0;
	for (int i = 0; i < N; i++) {
		storm_fds[i] = efd_new();
		assert_int_equal(ctl(storm_ep, EPOLL_CTL_ADD, storm_fds[i], EPOLLIN | mode, (u64)storm_fds[i]), 0);
	}
	for (int i = 0; i < CONSUMERS; i++)
		c[i] = host_thread_start(consumer, (void *)(uintptr_t)mode);
	for (int i = 0; i < PRODUCERS; i++)
		p[i] = host_thread_start(producer, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < PRODUCERS; i++)
		host_thread_join(p[i]);
	while (consumed < PRODUCERS * WRITES)
		sched_yield();
	put(storm_quit);
	assert_int_equal(ctl(storm_ep, EPOLL_CTL_ADD, storm_quit, EPOLLIN, (u64)storm_quit), 0);
	for (int i = 0; i < CONSUMERS; i++)
		host_thread_join(c[i]);
	assert_int_equal(consumed, PRODUCERS * WRITES);
	for (int i = 0; i < N; i++)
		fd_close(storm_fds[i]);
	fd_close(storm_quit);
	fd_close(storm_ep);
	assert_int_equal(ipc_files_live, 0);
}

static void test_storm_edge(void **state)
{
	storm(EPOLLET);
}

static void test_storm_level(void **state)
{
	storm(0);
}

static void test_storm_oneshot(void **state)
{
	storm(EPOLLONESHOT);
}

/* Registrations, files and epolls come and go under each other's feet. Sanitizers judge. */
static _Atomic int churn_fds[6], churn_eps[3];

static void churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct epoll_event ev[4];

	for (int i = 0; i < 6000; i++) {
		int f = (int)(rand_r(&seed) % 6), p = (int)(rand_r(&seed) % 3), fd = churn_fds[f], ep = churn_eps[p];
		u64 one = 1, v;

		switch (rand_r(&seed) % 9) {
		case 0:
		case 1:
			ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | (i & 1 ? EPOLLET : 0), 0);
			break;
		case 2:
			ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
			break;
		case 3:
			ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 0);
			break;
		case 4:
			wait_for(ep, ev, 4, 0);
			break;
		case 5:
			ipc_write(fd, &one, sizeof one);
			break;
		case 6:
			ipc_read(fd, &v, sizeof v);
			break;
		case 7:
			if (rand_r(&seed) % 8)
				break;
			if (rand_r(&seed) % 4) {
				int fresh = efd_new();

				fd_close(atomic_exchange(&churn_fds[f], fresh));
			} else {
				int fresh = ep_new();

				fd_close(atomic_exchange(&churn_eps[p], fresh));
			}
			break;
		default:
			ctl(ep, EPOLL_CTL_ADD, churn_eps[(p + 1) % 3], EPOLLIN, 0); /* nesting, loops included */
		}
	}
}

static void test_churn(void **state)
{
	struct thread *t[4];

	for (int i = 0; i < 6; i++)
		churn_fds[i] = efd_new();
	for (int i = 0; i < 3; i++)
		churn_eps[i] = ep_new();
	for (int i = 0; i < 4; i++)
		t[i] = host_thread_start(churn, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < 4; i++)
		host_thread_join(t[i]);
	for (int i = 0; i < 6; i++)
		fd_close(churn_fds[i]);
	for (int i = 0; i < 3; i++)
		fd_close(churn_eps[i]);
	assert_int_equal(ipc_files_live, 0);
}

/* A wake-up for one exclusive waiter wakes one of several epolls; one that nobody waits on is passed over. */
static struct waitq herd_queue;
static _Atomic bool herd_ready;
static _Atomic int herd_awake;

static u32 herd_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &herd_queue, pt);
	return herd_ready ? EPOLLIN : 0;
}

static void herd(void *arg)
{
	struct epoll_event ev;

	assert_int_equal(wait_for((int)(uintptr_t)arg, &ev, 1, -1), 1);
	herd_awake++;
}

static void test_exclusive(void **state)
{
	static const struct file_ops ops = {.poll = herd_poll};
	int ep[5], fd = fd_install_new(file_create_anon("herd", &ops, NULL, O_RDONLY), false);
	struct thread *t[5];

	waitq_init(&herd_queue);
	herd_ready = false;
	for (int i = 0; i < 5; i++) {
		ep[i] = ep_new();
		assert_int_equal(ctl(ep[i], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 0), 0);
		if (i == 0)
			continue; /* nobody waits on this one */
		t[i] = host_thread_start(herd, (void *)(uintptr_t)ep[i]);
		assert_true(host_thread_wait_asleep(t[i]));
	}
	herd_ready = true;
	for (int round = 1; round < 5; round++) {
		waitq_wake(&herd_queue, 1, EPOLLIN);
		while (herd_awake < round)
			sched_yield();
		for (int spin = 0; spin < 1000; spin++)
			sched_yield();
		assert_int_equal(herd_awake, round);
	}
	for (int i = 0; i < 5; i++) {
		if (i)
			host_thread_join(t[i]);
		fd_close(ep[i]);
	}
	fd_close(fd);
	assert_int_equal(ipc_files_live, 0);
}

static void test_nesting(void **state)
{
	int ep[6], e = efd_new();
	struct epoll_event ev;

	for (int i = 0; i < 6; i++)
		ep[i] = ep_new();
	assert_int_equal(ctl(ep[0], EPOLL_CTL_ADD, e, EPOLLIN, 7), 0);
	for (int i = 1; i < 5; i++)
		assert_int_equal(ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], EPOLLIN, (u64)i), 0);
	assert_int_equal(ctl(ep[5], EPOLL_CTL_ADD, ep[4], EPOLLIN, 0), -ELOOP); /* too deep */
	assert_int_equal(ctl(ep[0], EPOLL_CTL_ADD, ep[5], EPOLLIN, 0), -ELOOP); /* counted from above, too */
	assert_int_equal(ctl(ep[0], EPOLL_CTL_ADD, ep[4], EPOLLIN, 0), -ELOOP); /* a loop */
	assert_int_equal(ctl(ep[1], EPOLL_CTL_ADD, ep[2], EPOLLIN, 0), -ELOOP);
	assert_int_equal(wait_for(ep[4], &ev, 1, 0), 0);
	put(e);
	assert_int_equal(wait_for(ep[4], &ev, 1, 0), 1);
	assert_int_equal(ev.data, 4);
	assert_int_equal(wait_for(ep[0], &ev, 1, 0), 1);
	assert_int_equal(ev.data, 7);
	take(e);
	assert_int_equal(wait_for(ep[4], &ev, 1, 0), 0);
	fd_close(ep[2]); /* the chain breaks in the middle */
	put(e);
	assert_int_equal(wait_for(ep[4], &ev, 1, 0), 0);
	assert_int_equal(wait_for(ep[1], &ev, 1, 0), 1);
	for (int i = 0; i < 6; i++)
		fd_close(ep[i]);
	fd_close(e);
	assert_int_equal(ipc_files_live, 0);
}

static void nested_waiter(void *arg)
{
	struct epoll_event ev;

	assert_int_equal(wait_for((int)(uintptr_t)arg, &ev, 1, -1), 1);
}

static void test_nested_wake(void **state)
{
	int outer = ep_new(), inner = ep_new(), e = efd_new();
	struct thread *t;

	ctl(inner, EPOLL_CTL_ADD, e, EPOLLIN, 0);
	ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET, 0);
	t = host_thread_start(nested_waiter, (void *)(uintptr_t)outer);
	assert_true(host_thread_wait_asleep(t));
	put(e);
	host_thread_join(t);
	fd_close(e);
	fd_close(inner);
	fd_close(outer);
	assert_int_equal(ipc_files_live, 0);
}

/* Edge-triggered readers of a pipe hear of each write, also of one that finds data in it. */
static void test_pipe_edges(void **state)
{
	int ep = ep_new(), fd[2];
	struct epoll_event ev;
	char buf[100];

	CALL(pipe2, fd, O_NONBLOCK);
	ctl(ep, EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLET, 0);
	ipc_write(fd[1], "a", 1);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 1);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 0);
	ipc_write(fd[1], "b", 1);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 1);
	assert_int_equal(ipc_read(fd[0], buf, sizeof buf), 2);
	fd_close(fd[1]);
	assert_int_equal(wait_for(ep, &ev, 1, 0), 1);
	assert_int_equal(ev.events, EPOLLHUP);
	fd_close(fd[0]);
	fd_close(ep);
	assert_int_equal(ipc_files_live, 0);
	assert_int_equal(host_pages_live(), 0);
}

UNIT_TESTS(test_errors, test_timeout, test_closed_file, test_no_memory, test_model, test_fairness, test_storm_edge,
	   test_storm_level, test_storm_oneshot, test_churn, test_exclusive, test_nesting, test_nested_wake, test_pipe_edges)
