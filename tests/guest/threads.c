// SPDX-License-Identifier: BSD-2-Clause
// Threads as the C library makes them: creation and joining, locks, condition variables, thread-local
// storage, cancellation, robust mutexes.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void *identity(void *arg)
{
	return arg;
}

TEST(create_and_join)
{
	pthread_t t[64];
	void *result;

	for (int round = 0; round < 4; round++) {
		for (long i = 0; i < 64; i++)
			EXPECT_EQ(pthread_create(&t[i], NULL, identity, (void *)(i * 3)), 0);
		for (long i = 0; i < 64; i++) {
			EXPECT_EQ(pthread_join(t[i], &result), 0);
			EXPECT_EQ((long)result, i * 3);
		}
	}
}

TEST(many_one_after_another)
{
	pthread_t t;

	for (long i = 0; i < 1500; i++) {
		EXPECT_EQ(pthread_create(&t, NULL, identity, NULL), 0);
		EXPECT_EQ(pthread_join(t, NULL), 0);
	}
}

static pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&counter_lock);
		counter++;
		pthread_mutex_unlock(&counter_lock);
	}
	return arg;
}

TEST(mutex)
{
	pthread_t t[6];

	counter = 0;
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(counter, 120000);
}

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_change = PTHREAD_COND_INITIALIZER;
static int turn, rounds;

static void *take_turns(void *arg)
{
	int mine = (int)(long)arg;

	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&turn_lock);
		while (turn != mine)
			pthread_cond_wait(&turn_change, &turn_lock);
		turn = !mine;
		rounds++;
		pthread_cond_signal(&turn_change);
		pthread_mutex_unlock(&turn_lock);
	}
	return NULL;
}

TEST(condition)
{
	pthread_t a, b;

	turn = rounds = 0;
	EXPECT_EQ(pthread_create(&a, NULL, take_turns, (void *)0), 0);
	EXPECT_EQ(pthread_create(&b, NULL, take_turns, (void *)1), 0);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EXPECT_EQ(rounds, 4000);
}

TEST(condition_timeout)
{
	struct timespec t;
	double start = now();

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 50000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	pthread_mutex_lock(&turn_lock);
	int r = pthread_cond_timedwait(&turn_change, &turn_lock, &t);

	pthread_mutex_unlock(&turn_lock);
	EXPECT_EQ(r, ETIMEDOUT);
	EXPECT(now() - start >= 0.049);
}

static pthread_barrier_t barrier;
static _Atomic int serials, passed_barrier;

static void *meet(void *arg)
{
	for (int i = 0; i < 50; i++)
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serials++;
	passed_barrier++;
	return arg;
}

TEST(barrier)
{
	pthread_t t[5];

	pthread_barrier_init(&barrier, NULL, 5);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, meet, NULL), 0);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(serials, 50);
	EXPECT_EQ(passed_barrier, 5);
}

static __thread int local_number = 7;
static __thread char local_zero[3000];
static pthread_key_t key;
static _Atomic int destroyed;

static void destroy(void *value)
{
	destroyed += (int)(long)value;
}

static void *use_locals(void *arg)
{
	if (local_number != 7 || local_zero[2999])
		return (void *)1;
	local_number = (int)(long)arg;
	local_zero[2999] = 1;
	pthread_setspecific(key, arg);
	sched_yield();
	return (void *)(long)(local_number != (int)(long)arg);
}

TEST(thread_local_storage)
{
	pthread_t t[8];
	void *bad;

	EXPECT_EQ(pthread_key_create(&key, destroy), 0);
	for (long i = 0; i < 8; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, use_locals, (void *)(i + 1)), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &bad);
		EXPECT_EQ((long)bad, 0);
	}
	EXPECT_EQ(destroyed, 36);
	EXPECT_EQ(local_number, 7);
}

static void *sleep_long(void *arg)
{
	for (;;)
		sleep(1000);
	return arg;
}

TEST(cancel)
{
	pthread_t t;
	void *result;

	EXPECT_EQ(pthread_create(&t, NULL, sleep_long, NULL), 0);
	pause_ms(20);
	EXPECT_EQ(pthread_cancel(t), 0);
	EXPECT_EQ(pthread_join(t, &result), 0);
	EXPECT(result == PTHREAD_CANCELED);
}

static pthread_mutex_t robust;

static void *die_holding(void *arg)
{
	pthread_mutex_lock(&robust);
	return arg;
}

TEST(robust_mutex)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	EXPECT_EQ(pthread_mutex_init(&robust, &a), 0);
	EXPECT_EQ(pthread_create(&t, NULL, die_holding, NULL), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	EXPECT_EQ(pthread_mutex_consistent(&robust), 0);
	EXPECT_EQ(pthread_mutex_unlock(&robust), 0);
	EXPECT_EQ(pthread_mutex_lock(&robust), 0);
	EXPECT_EQ(pthread_mutex_unlock(&robust), 0);
}

TEST(shared_between_processes)
{
	sem_t *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECT(s != MAP_FAILED);
	EXPECT_EQ(sem_init(s, 1, 0), 0);
	pid_t child = fork();

	if (!child) {
		pause_ms(30);
		sem_post(s);
		_exit(0);
	}
	EXPECT(child > 0);
	EXPECT_EQ(sem_wait(s), 0);
	EXPECT_EQ(waitpid(child, NULL, 0), child);
}

static _Atomic int once_runs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void run_once(void)
{
	pause_ms(10);
	once_runs++;
}

static void *call_once(void *arg)
{
	pthread_once(&once, run_once);
	return arg;
}

TEST(once)
{
	pthread_t t[6];

	for (int i = 0; i < 6; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, call_once, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(once_runs, 1);
}

TEST(big_stack)
{
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	EXPECT_EQ(pthread_attr_setstacksize(&a, 128ul << 20), 0);
	EXPECT_EQ(pthread_create(&t, &a, identity, NULL), 0); // reserved, not touched
	EXPECT_EQ(pthread_join(t, NULL), 0);
}

static void *spin_for_ever(void *arg)
{
	for (;;)
		__asm__ volatile("pause");
	return arg;
}

// exit_group ends every thread, also one that never enters the kernel.
TEST(exit_with_threads)
{
	pid_t child = fork();
	int status;

	if (!child) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, i ? spin_for_ever : sleep_long, NULL);
		exit(21);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 21);
}

// The process lives on after its first thread ended, until the last one does.
static void *exit_later(void *arg)
{
	pause_ms(30);
	exit(22);
	return arg;
}

TEST(main_thread_ends_first)
{
	pid_t child = fork();
	int status;

	if (!child) {
		pthread_t t;

		pthread_create(&t, NULL, exit_later, NULL);
		syscall(SYS_exit, 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 22);
}
