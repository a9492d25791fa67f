// SPDX-License-Identifier: BSD-2-Clause
// Futexes that lend priority, futex_waitv(2), and what names a futex: below and through the C library.
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define P(op) (FUTEX_##op | FUTEX_PRIVATE_FLAG)

static long futex(void *word, int op, uint32_t value, const void *timeout, void *word2, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static struct timespec after(clockid_t clock, int ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000l;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

// Letter and effective priority of a thread, from its stat file.
static int look(int tid, char *letter)
{
	char path[60], text[600], *p;
	int fd, priority = 999, n;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : (int)read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')');
	if (p)
		sscanf(p + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d", letter,
		       &priority);
	return priority;
}

static bool priority_becomes(int tid, int wanted)
{
	char letter;

	for (int i = 0; i < 3000; i++) {
		if (look(tid, &letter) == wanted)
			return true;
		pause_ms(1);
	}
	return false;
}

static bool falls_asleep(int tid)
{
	char letter = 0;

	for (int i = 0; i < 3000; i++) {
		look(tid, &letter);
		if (letter == 'S')
			return true;
		pause_ms(1);
	}
	return false;
}

// A thread that takes FIRST, says so, then takes SECOND, lets go of both and ends.
struct taker {
	uint32_t *first, *second;
	int priority, op;
	struct timespec limit, *until;
	long result;
	int error;
	_Atomic int tid;
	pthread_t thread;
};

static void *take(void *arg)
{
	struct taker *t = arg;

	if (t->priority)
		syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &t->priority);
	if (t->first)
		futex(t->first, P(LOCK_PI), 0, NULL, NULL, 0);
	t->tid = (int)syscall(SYS_gettid);
	t->result = futex(t->second, t->op ? t->op : P(LOCK_PI), 0, t->until, NULL, 0);
	t->error = errno;
	if (!t->result)
		futex(t->second, P(UNLOCK_PI), 0, NULL, NULL, 0);
	if (t->first)
		futex(t->first, P(UNLOCK_PI), 0, NULL, NULL, 0);
	return NULL;
}

static bool start(struct taker *t)
{
	t->tid = 0;
	if (pthread_create(&t->thread, NULL, take, t))
		return false;
	while (!t->tid)
		pause_ms(1);
	return falls_asleep(t->tid);
}

static bool may_be_real_time(void)
{
	bool may = !syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(int){1});

	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(int){0});
	return may;
}

static uint32_t one, two;

// C (9) waits for B (5), who waits for us: both run at 9, until C gives up.
TEST(priority_is_lent_along_a_chain)
{
	struct taker b = {.first = &two, .second = &one, .priority = 5}, c = {.second = &two, .priority = 9};
	int me = (int)syscall(SYS_gettid);

	if (!may_be_real_time())
		SKIP("no right to a real-time priority");
	one = two = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(start(&b));
	EXPECT(priority_becomes(me, -6));
	c.limit = after(CLOCK_REALTIME, 400);
	c.until = &c.limit;
	EXPECT(start(&c));
	EXPECT(priority_becomes(b.tid, -10));
	EXPECT(priority_becomes(me, -10));
	pthread_join(c.thread, NULL);
	EXPECT(c.result == -1 && c.error == ETIMEDOUT);
	EXPECT(priority_becomes(b.tid, -6));
	EXPECT(priority_becomes(me, -6));
	// B's own priority changes while it waits.
	EXPECT_EQ(syscall(SYS_sched_setscheduler, b.tid, SCHED_FIFO, &(int){7}), 0);
	EXPECT(priority_becomes(me, -8));
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(priority_becomes(me, 20));
	pthread_join(b.thread, NULL);
	EXPECT_EQ(b.result, 0);
}

// We hold ONE, which B waits for; B holds TWO.
TEST(deadlock)
{
	struct taker b = {.first = &two, .second = &one};

	one = two = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(start(&b));
	EXPECT_ERR(futex(&two, P(LOCK_PI), 0, NULL, NULL, 0), EDEADLK);
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	pthread_join(b.thread, NULL);
	EXPECT_EQ(b.result, 0);
	EXPECT_EQ(one & FUTEX_TID_MASK, 0);
	EXPECT_EQ(two & FUTEX_TID_MASK, 0);
}

TEST(timeouts)
{
	struct taker t = {.second = &one};
	double began;

	one = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	t.until = &t.limit;
	for (int kind = 0; kind < 3; kind++) {
		t.op = kind ? P(LOCK_PI2) | (kind == 2 ? FUTEX_CLOCK_REALTIME : 0) : P(LOCK_PI);
		t.limit = after(kind == 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME, 60);
		began = now();
		EXPECT_EQ(pthread_create(&t.thread, NULL, take, &t), 0);
		pthread_join(t.thread, NULL);
		EXPECT(t.result == -1 && t.error == ETIMEDOUT);
		EXPECT(now() - began >= 0.055);
	}
	EXPECT_ERR(futex(&one, P(LOCK_PI) | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
}

// The robust list has been walked, but the heir has not been woken: a third thread waits, or finds it busy.
TEST(owner_is_just_dying)
{
	struct taker b = {.second = &one}, c = {.second = &one, .op = P(TRYLOCK_PI)};
	uint32_t word;

	one = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(start(&b));
	word = one;
	one = FUTEX_OWNER_DIED | FUTEX_WAITERS;
	EXPECT_EQ(pthread_create(&c.thread, NULL, take, &c), 0);
	pthread_join(c.thread, NULL);
	one = word;
	EXPECT(c.result == -1 && c.error == EAGAIN);
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	pthread_join(b.thread, NULL);
	EXPECT_EQ(b.result, 0);
}

TEST(word_that_lies)
{
	struct taker b = {.second = &one}, c = {.second = &one, .op = P(TRYLOCK_PI)};
	uint32_t word;

	one = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(start(&b));
	word = one;
	one = FUTEX_WAITERS | 0x3ffffffe;
	EXPECT_EQ(pthread_create(&c.thread, NULL, take, &c), 0);
	pthread_join(c.thread, NULL);
	EXPECT(c.result == -1 && c.error == EINVAL);
	EXPECT_ERR(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), EPERM);
	one = word;
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	pthread_join(b.thread, NULL);
}

static _Atomic int signals;

static void count(int n)
{
	signals++;
}

static void on_signal(int flags)
{
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count, .sa_flags = flags}, NULL);
	signals = 0;
}

static bool handled(struct taker *t)
{
	int before = signals;

	pthread_kill(t->thread, SIGUSR1);
	for (int i = 0; i < 3000 && signals == before; i++)
		pause_ms(1);
	return signals > before && falls_asleep(t->tid);
}

// Taking a lock goes on after any handler, waiting only with SA_RESTART and no limit.
TEST(signals_and_locks)
{
	struct taker t = {.second = &one};

	one = 0;
	EXPECT_EQ(futex(&one, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	on_signal(0);
	EXPECT(start(&t));
	EXPECT(handled(&t));
	EXPECT_EQ(futex(&one, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	pthread_join(t.thread, NULL);
	EXPECT_EQ(t.result, 0);
}

TEST(signals_and_waits)
{
	struct taker t = {.second = &one, .op = P(WAIT)};

	one = 0;
	on_signal(SA_RESTART);
	EXPECT(start(&t));
	EXPECT(handled(&t));
	EXPECT_EQ(futex(&one, P(WAKE), 1, NULL, NULL, 0), 1);
	pthread_join(t.thread, NULL);
	EXPECT_EQ(t.result, 0);
	t.limit = milliseconds(20000);
	t.until = &t.limit;
	EXPECT(start(&t));
	pthread_kill(t.thread, SIGUSR1);
	pthread_join(t.thread, NULL);
	EXPECT(t.result == -1 && t.error == EINTR);
}

// ---- condition variables

struct waiter {
	long result;
	int error;
	_Atomic int tid;
	struct timespec limit, *until;
	pthread_t thread;
};

static void *wait_for_two(void *arg)
{
	struct waiter *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	w->result = futex(&one, P(WAIT_REQUEUE_PI), 0, w->until, &two, 0);
	w->error = errno;
	if (!w->result)
		futex(&two, P(UNLOCK_PI), 0, NULL, NULL, 0);
	return NULL;
}

static bool start_waiter(struct waiter *w)
{
	w->tid = 0;
	if (pthread_create(&w->thread, NULL, wait_for_two, w))
		return false;
	while (!w->tid)
		pause_ms(1);
	return falls_asleep(w->tid);
}

TEST(requeue_to_a_lock)
{
	struct waiter w[3] = {0};
	struct taker plain = {.second = &one, .op = P(WAIT)};

	one = two = 0;
	EXPECT_ERR(futex(&one, P(WAIT_REQUEUE_PI), 0, NULL, &one, 0), EINVAL);
	EXPECT_ERR(futex(&one, P(WAIT_REQUEUE_PI), 1, NULL, &two, 0), EAGAIN);
	EXPECT_ERR(futex(&one, P(CMP_REQUEUE_PI), 1, NULL, &one, 0), EINVAL);
	EXPECT_ERR(futex(&one, P(CMP_REQUEUE_PI), 2, (void *)1, &two, 0), EINVAL);
	EXPECT_ERR(futex(&one, P(CMP_REQUEUE_PI), 1, (void *)1, &two, 1), EAGAIN);
	EXPECT_EQ(futex(&one, P(CMP_REQUEUE_PI), 1, (void *)9, &two, 0), 0);
	for (int i = 0; i < 3; i++)
		EXPECT(start_waiter(&w[i]));
	EXPECT_ERR(futex(&one, P(WAKE), 1, NULL, NULL, 0), EINVAL);
	EXPECT_ERR(futex(&one, P(REQUEUE), 0, (void *)9, &two, 0), EINVAL);
	// We hold the lock: all wait for it now.
	EXPECT_EQ(futex(&two, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT_EQ(futex(&one, P(CMP_REQUEUE_PI), 1, (void *)9, &two, 0), 3);
	EXPECT(two & FUTEX_WAITERS);
	EXPECT_EQ(futex(&two, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(w[i].result, 0);
	}
	EXPECT_EQ(two & FUTEX_TID_MASK, 0);
	// One that waits without a lock in mind cannot be given one.
	EXPECT(start(&plain));
	EXPECT_ERR(futex(&one, P(CMP_REQUEUE_PI), 1, (void *)9, &two, 0), EINVAL);
	EXPECT_EQ(futex(&one, P(WAKE), 1, NULL, NULL, 0), 1);
	pthread_join(plain.thread, NULL);
}

TEST(requeued_waiter_gives_up)
{
	struct waiter w = {.limit = after(CLOCK_MONOTONIC, 150)};

	one = two = 0;
	w.until = &w.limit;
	EXPECT_EQ(futex(&two, P(LOCK_PI), 0, NULL, NULL, 0), 0);
	EXPECT(start_waiter(&w));
	EXPECT_EQ(futex(&one, P(CMP_REQUEUE_PI), 1, (void *)9, &two, 0), 1);
	pthread_join(w.thread, NULL);
	EXPECT(w.result == -1 && w.error == ETIMEDOUT);
	EXPECT_EQ(futex(&two, P(UNLOCK_PI), 0, NULL, NULL, 0), 0);
	w.limit = after(CLOCK_MONOTONIC, 50);
	EXPECT_EQ(pthread_create(&w.thread, NULL, wait_for_two, &w), 0);
	pthread_join(w.thread, NULL);
	EXPECT(w.result == -1 && w.error == ETIMEDOUT);
}

// ---- through the C library

static pthread_mutex_t lock;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int sum, go;

static int make_lock(int protocol, int robust)
{
	pthread_mutexattr_t a;
	int err;

	pthread_mutexattr_init(&a);
	err = pthread_mutexattr_setprotocol(&a, protocol);
	if (!err && robust)
		err = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	return err ? err : pthread_mutex_init(&lock, &a);
}

static void *add(void *arg)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		sum++;
		if (i % 16 == 0)
			sched_yield();
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	while (!go)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

TEST(inheriting_mutex)
{
	pthread_t t[5];

	if (make_lock(PTHREAD_PRIO_INHERIT, 0))
		SKIP("the library has no such mutex");
	sum = go = 0;
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, add, NULL), 0);
	for (int done = 0; !done;) {
		pthread_mutex_lock(&lock);
		done = sum == 2500;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	go = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(pthread_mutex_destroy(&lock), 0);
}

static void *add_and_nap(void *arg)
{
	struct timespec nap = {0, 11000};

	for (int i = 0; i < 25; i++) {
		pthread_mutex_lock(&lock);
		sum++;
		pthread_mutex_unlock(&lock);
		if (arg)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

// Each unlock hands the mutex to one of many that wait.
TEST(long_queue)
{
	pthread_t t[40];

	if (make_lock(PTHREAD_PRIO_INHERIT, 0))
		SKIP("the library has no such mutex");
	sum = 0;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, add_and_nap, i % 2 ? "nap" : NULL), 0);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(pthread_join(t[i], NULL), 0);
	EXPECT_EQ(sum, 1000);
	EXPECT_EQ(pthread_mutex_destroy(&lock), 0);
}

struct queued {
	_Atomic int tid;
	int priority, place;
};

static void *queue_up(void *arg)
{
	struct queued *q = arg;

	if (q->priority)
		syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &q->priority);
	q->tid = (int)syscall(SYS_gettid);
	pthread_mutex_lock(&lock);
	q->place = sum++;
	pthread_mutex_unlock(&lock);
	return NULL;
}

TEST(queue_is_by_priority)
{
	static const int priorities[] = {2, 0, 3, 2, 0, 1}, places[] = {1, 4, 0, 2, 5, 3};
	struct queued q[6] = {0};
	pthread_t t[6];

	if (!may_be_real_time())
		SKIP("needs real-time priorities");
	if (make_lock(PTHREAD_PRIO_INHERIT, 0))
		SKIP("the library has no such mutex");
	sum = 0;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 6; i++) {
		q[i].priority = priorities[i];
		EXPECT_EQ(pthread_create(&t[i], NULL, queue_up, &q[i]), 0);
		while (!q[i].tid)
			pause_ms(1); // it may have the priority that it was lent: only sleep makes way
		EXPECT(falls_asleep(q[i].tid));
	}
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(q[i].place, places[i]);
	EXPECT_EQ(pthread_mutex_destroy(&lock), 0);
}

static void *die_holding(void *arg)
{
	*(int *)arg = pthread_mutex_lock(&lock);
	sum = 1;
	pause_ms(60); // until the other waits
	return NULL;
}

TEST(inheriting_mutex_of_a_dead_thread)
{
	pthread_t t;
	int r = -1;

	if (make_lock(PTHREAD_PRIO_INHERIT, 1))
		SKIP("the library has no such mutex");
	for (int late = 0; late < 2; late++) {
		sum = 0;
		EXPECT_EQ(pthread_create(&t, NULL, die_holding, &r), 0);
		while (!*(volatile int *)&sum)
			pause_ms(1);
		if (late)
			pthread_join(t, NULL);
		EXPECT_EQ(pthread_mutex_lock(&lock), EOWNERDEAD);
		EXPECT_EQ(pthread_mutex_consistent(&lock), 0);
		EXPECT_EQ(pthread_mutex_unlock(&lock), 0);
		if (!late)
			pthread_join(t, NULL);
		EXPECT_EQ(r, 0);
	}
	EXPECT_EQ(pthread_mutex_lock(&lock), 0);
	EXPECT_EQ(pthread_mutex_unlock(&lock), 0);
}

#ifdef __GLIBC__ // musl has none
TEST(mutex_with_a_ceiling)
{
	pthread_mutexattr_t a;
	char letter;
	int me = (int)syscall(SYS_gettid);

	pthread_mutexattr_init(&a);
	if (pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_PROTECT))
		SKIP("the library has no such mutex");
	if (!may_be_real_time())
		SKIP("no right to a real-time priority");
	EXPECT_EQ(pthread_mutexattr_setprioceiling(&a, 12), 0);
	EXPECT_EQ(pthread_mutex_init(&lock, &a), 0);
	EXPECT_EQ(
		pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 5}),
		0);
	EXPECT_EQ(pthread_mutex_lock(&lock), 0);
	EXPECT_EQ(look(me, &letter), -13);
	EXPECT_EQ(pthread_mutex_unlock(&lock), 0);
	EXPECT_EQ(look(me, &letter), -6);
	EXPECT_EQ(pthread_setschedparam(pthread_self(), SCHED_FIFO,
					&(struct sched_param){.sched_priority = 20}),
		  0);
	EXPECT_EQ(pthread_mutex_lock(&lock), EINVAL); // above the ceiling
	EXPECT_EQ(pthread_setschedparam(pthread_self(), SCHED_OTHER,
					&(struct sched_param){.sched_priority = 0}),
		  0);
}
#endif

// ---- futex_waitv

static struct futex_waitv words[3];
static uint32_t values[3];

static long waitv(unsigned n, const struct timespec *limit, int clock)
{
	return syscall(SYS_futex_waitv, words, n, 0, limit, clock);
}

static void fill(void)
{
	for (int i = 0; i < 3; i++) {
		values[i] = 0;
		words[i] = (struct futex_waitv){.uaddr = (uint64_t)&values[i],
						.flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};
	}
}

TEST(waitv_errors)
{
	struct timespec t = {.tv_nsec = -1};

	fill();
	if (waitv(0, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("the kernel does not have it");
	EXPECT_ERR(waitv(0, NULL, 0), EINVAL);
	EXPECT_ERR(waitv(129, NULL, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_futex_waitv, words, 1, 1, NULL, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_futex_waitv, NULL, 1, 0, NULL, 0), EINVAL);
	EXPECT_ERR(waitv(1, &t, CLOCK_MONOTONIC), EINVAL);
	EXPECT_ERR(waitv(1, &t, CLOCK_BOOTTIME), EINVAL);
	words[0].val = 1;
	EXPECT_ERR(waitv(3, NULL, 0), EAGAIN);
	// What is wrong with any is told before what changed.
	words[2].flags = FUTEX_PRIVATE_FLAG;
	EXPECT_ERR(waitv(3, NULL, 0), EINVAL);
	words[2].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	words[2].__reserved = 1;
	EXPECT_ERR(waitv(3, NULL, 0), EINVAL);
	words[2].__reserved = 0;
	words[2].uaddr++;
	EXPECT_ERR(waitv(3, NULL, 0), EINVAL);
	words[2].uaddr = 1ull << 60;
	EXPECT_ERR(waitv(3, NULL, 0), EFAULT);
}

TEST(waitv_timeouts)
{
	struct timespec t;
	double began;

	fill();
	for (int i = 0; i < 2; i++) {
		clockid_t clock = i ? CLOCK_REALTIME : CLOCK_MONOTONIC;

		t = after(clock, 50);
		began = now();
		if (waitv(0, NULL, 0) < 0 && errno == ENOSYS)
			SKIP("the kernel does not have it");
		EXPECT_ERR(waitv(3, &t, clock), ETIMEDOUT);
		EXPECT(now() - began >= 0.045);
	}
	EXPECT_EQ(futex(&values[1], P(WAKE), 1, NULL, NULL, 0), 0);
}

static void *waitv_main(void *arg)
{
	struct waiter *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	w->result = waitv(3, NULL, 0);
	w->error = errno;
	return NULL;
}

TEST(waitv_wakes)
{
	struct waiter w = {0};

	fill();
	if (waitv(0, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("the kernel does not have it");
	for (int i = 0; i < 3; i++) {
		w.tid = 0;
		EXPECT_EQ(pthread_create(&w.thread, NULL, waitv_main, &w), 0);
		while (!w.tid)
			pause_ms(1);
		EXPECT(falls_asleep(w.tid));
		EXPECT_EQ(futex(&values[i], P(WAKE), 1, NULL, NULL, 0), 1);
		pthread_join(w.thread, NULL);
		EXPECT_EQ(w.result, i);
	}
}

// ---- what names a futex

static void *wait_shared(void *arg)
{
	struct taker *t = arg;

	t->tid = (int)syscall(SYS_gettid);
	t->result = futex(t->second, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

TEST(one_file_two_mappings)
{
	int fd = memfd_create("futex", 0);
	struct taker t = {0};
	char *a, *b;

	EXPECT_EQ(ftruncate(fd, 8192), 0);
	a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	EXPECT(a != MAP_FAILED && b != MAP_FAILED);
	t.second = (uint32_t *)(a + 4096 + 64);
	EXPECT_EQ(pthread_create(&t.thread, NULL, wait_shared, &t), 0);
	while (!t.tid)
		pause_ms(1);
	EXPECT(falls_asleep(t.tid));
	EXPECT_EQ(futex(b + 64, P(WAKE), 1, NULL, NULL, 0), 0); // another name
	// The mapping moves; the file and the offset stay.
	b = mremap(b, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
		   mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	EXPECT(b != MAP_FAILED);
	EXPECT_EQ(futex(b + 60, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EXPECT_EQ(futex(b + 64, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	pthread_join(t.thread, NULL);
	EXPECT_EQ(t.result, 0);
	EXPECT_EQ(ftruncate(fd, 4096), 0);
	EXPECT_ERR(futex(b + 64, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	EXPECT_ERR(futex(b + 64, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	munmap(a, 8192);
	munmap(b, 4096);
	close(fd);
}

TEST(rights)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = 0;
	EXPECT_EQ(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	EXPECT_EQ(mprotect(p, 4096, PROT_READ), 0);
	EXPECT_ERR(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	EXPECT_ERR(futex(p, P(LOCK_PI), 0, NULL, NULL, 0), EFAULT);
	EXPECT_EQ(mprotect(p, 4096, PROT_NONE), 0);
	EXPECT_ERR(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	EXPECT_ERR(futex(p, P(WAIT), 0, NULL, NULL, 0), EFAULT);
	EXPECT_EQ(futex(p, P(WAKE), 1, NULL, NULL, 0), 0); // by address alone
	munmap(p, 4096);
	EXPECT_ERR(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	EXPECT_EQ(futex(p, P(WAKE), 1, NULL, NULL, 0), 0);
}
