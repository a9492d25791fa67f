// SPDX-License-Identifier: BSD-2-Clause
// futex(2) operations, one by one, below what the C library uses.
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long futex(void *word, int op, uint32_t value, const void *timeout, void *word2, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static uint32_t a, b;
static _Atomic int woken, ready;

static void *wait_on_a(void *arg)
{
	ready++;
	long r = futex(&a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);

	if (!r)
		woken++;
	return arg;
}

static void start_waiters(pthread_t *t, int n)
{
	a = b = 0;
	ready = woken = 0;
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, wait_on_a, NULL);
	while (ready < n)
		pause_ms(1);
	pause_ms(30); // between the announcement and the call itself
}

TEST(value_differs)
{
	a = 5;
	EXPECT_ERR(futex(&a, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	EXPECT_ERR(futex(&a, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0), EAGAIN);
}

TEST(bad_arguments)
{
	struct timespec bad = {.tv_nsec = 1000000000};

	a = 0;
	EXPECT_ERR(futex((char *)&a + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	EXPECT_ERR(futex((void *)4096, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	EXPECT_ERR(futex(&a, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	EXPECT_ERR(futex(&a, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	EXPECT_ERR(futex(&a, 77, 0, NULL, NULL, 0), ENOSYS);
	EXPECT_EQ(futex(&a, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(timeouts)
{
	struct timespec t = milliseconds(40);
	double start = now();

	a = 0;
	EXPECT_ERR(futex(&a, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0), ETIMEDOUT);
	EXPECT(now() - start >= 0.039);
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 40000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	start = now();
	EXPECT_ERR(futex(&a, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, ~0u), ETIMEDOUT);
	EXPECT(now() - start >= 0.035);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec--;
	EXPECT_ERR(futex(&a, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, NULL, ~0u), ETIMEDOUT);
}

TEST(wake_counts)
{
	pthread_t t[5];

	start_waiters(t, 5);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 3);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(woken, 5);
}

TEST(requeue)
{
	pthread_t t[5];

	start_waiters(t, 5);
	EXPECT_ERR(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &b, 9), EAGAIN);
	EXPECT_EQ(futex(&a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &b, 0), 3);
	EXPECT_EQ(futex(&b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
	EXPECT_EQ(futex(&a, FUTEX_REQUEUE_PRIVATE, 0, (void *)10, &b, 0), 2);
	EXPECT_EQ(futex(&b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(woken, 5);
}

TEST(wake_op)
{
	pthread_t t[2];

	start_waiters(t, 2);
	b = 3;
	// b: 3 -> 5 (add 2); the old value is not greater than 7: only A's waiters wake
	EXPECT_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
			FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_GT, 7)),
		  1);
	EXPECT_EQ(b, 5);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b,
			FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 5)),
		  1);
	EXPECT_EQ(b, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void *wait_bits(void *arg)
{
	ready++;
	if (!futex(&a, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(long)arg))
		woken++;
	return NULL;
}

TEST(bitset)
{
	pthread_t t[2];

	a = 0;
	ready = woken = 0;
	pthread_create(&t[0], NULL, wait_bits, (void *)1);
	pthread_create(&t[1], NULL, wait_bits, (void *)2);
	while (ready < 2)
		pause_ms(1);
	pause_ms(30);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4), 0);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2), 1);
	pthread_join(t[1], NULL);
	EXPECT_EQ(woken, 1);
	EXPECT_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 1);
	pthread_join(t[0], NULL);
}

static void nothing(int n)
{
	(void)n;
}

static void *interrupt(void *arg)
{
	pause_ms(30);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

TEST(interrupted)
{
	struct sigaction sa = {.sa_handler = nothing};
	pthread_t t, self = pthread_self();
	struct timespec limit = milliseconds(5000);

	sigaction(SIGUSR1, &sa, NULL);
	a = 0;
	pthread_create(&t, NULL, interrupt, &self);
	EXPECT_ERR(futex(&a, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0), EINTR);
	pthread_join(t, NULL);
}

TEST(shared_mapping)
{
	uint32_t *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	int status;

	if (!child) {
		struct timespec limit = milliseconds(5000);
		long r = futex(w, FUTEX_WAIT, 0, &limit, NULL, 0);

		_exit(r != 0);
	}
	pause_ms(50);
	long n = 0;

	for (int i = 0; i < 100 && !n; i++) {
		n = futex(w, FUTEX_WAKE, 1, NULL, NULL, 0);
		if (!n)
			pause_ms(10);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(n, 1);
	EXPECT_EQ(status, 0);
}

static uint32_t pi_word;

static void *pi_take(void *arg)
{
	long r = futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);

	*(long *)arg = r;
	if (!r)
		futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

TEST(priority_inheritance)
{
	pthread_t t;
	long r = -2;

	pi_word = 0;
	EXPECT_EQ(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	EXPECT_EQ(pi_word & FUTEX_TID_MASK, syscall(SYS_gettid));
	EXPECT_ERR(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	pthread_create(&t, NULL, pi_take, &r);
	pause_ms(40);
	EXPECT(pi_word & FUTEX_WAITERS);
	EXPECT_EQ(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(r, 0);
	EXPECT_ERR(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
}

static _Atomic int order[4];

static void *wait_with_priority(void *arg)
{
	int id = (int)(long)arg;

	syscall(SYS_sched_setscheduler, 0, id ? SCHED_FIFO : SCHED_OTHER, &(int){id < 3 ? id : 2});
	ready++;
	futex(&a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	order[woken++] = id;
	return NULL;
}

// 0 has no real-time priority, 1 has 1, 2 and 3 have 2 and are woken first, in the order of their coming.
TEST(highest_priority_is_woken_first)
{
	pthread_t t[4];

	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(int){3}))
		SKIP("no right to a real-time priority");
	a = 0;
	ready = woken = 0;
	for (long i = 0; i < 4; i++) {
		pthread_create(&t[i], NULL, wait_with_priority, (void *)i);
		while (ready <= i)
			pause_ms(1);
		pause_ms(30);
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(futex(&a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
		while (woken <= i)
			pause_ms(1);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(int){0});
	EXPECT(order[0] == 2 && order[1] == 3 && order[2] == 1 && order[3] == 0);
}
