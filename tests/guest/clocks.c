// SPDX-License-Identifier: BSD-2-Clause
// Clocks and sleeping: agreement, monotony on every CPU, order of sleepers, CPU time.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>

static double at(clockid_t c)
{
	struct timespec t;

	return clock_gettime(c, &t) ? -1 : t.tv_sec + t.tv_nsec / 1e9;
}

TEST(clocks_exist)
{
	static const clockid_t all[] = {
		CLOCK_REALTIME,		 CLOCK_MONOTONIC,     CLOCK_PROCESS_CPUTIME_ID,
		CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE,	 CLOCK_BOOTTIME,      CLOCK_TAI};
	struct timespec t;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		EXPECT(at(all[i]) >= 0);
		EXPECT_EQ(clock_getres(all[i], &t), 0);
		EXPECT(t.tv_sec == 0 && t.tv_nsec >= 1);
	}
	EXPECT_ERR(clock_gettime(99, &t), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, 99, 0, &t, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_adjtime, 99, NULL), EFAULT);
}

// Nothing that could move the host's clock where this runs on Linux.
TEST(adjtime_without_a_change)
{
	struct timex tx = {.modes = ADJ_OFFSET_SS_READ, .offset = 99};
	struct timeval none = {0}, old = {.tv_sec = 7};

	EXPECT_EQ(adjtime(NULL, &old), 0);
	EXPECT(old.tv_sec != 7);
	EXPECT(adjtimex(&tx) >= 0);
	EXPECT(tx.offset != 99 && tx.tick >= 9000);
	if (tx.status & STA_NANO)
		EXPECT(tx.time.tv_usec < 1000000000);
	else
		EXPECT(tx.time.tv_usec < 1000000);
	EXPECT(adjtime(&none, &old) == 0 || errno == EPERM); // a container's root may not
	tx.modes = ADJ_OFFSET_SINGLESHOT & ~ADJ_OFFSET;
	EXPECT_ERR(adjtimex(&tx), EINVAL);
}

TEST(clocks_agree)
{
	struct timeval v;
	struct timespec t;

	gettimeofday(&v, NULL);
	double real = at(CLOCK_REALTIME);

	EXPECT(real - (v.tv_sec + v.tv_usec / 1e6) < 0.5);
	EXPECT(real > 1.6e9); // the host's clock reached us
	EXPECT(time(NULL) - (time_t)real <= 1);
	// The vDSO and the system call tell the same time.
	double quick = at(CLOCK_MONOTONIC);

	EXPECT_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t), 0);
	double call = t.tv_sec + t.tv_nsec / 1e9, after = at(CLOCK_MONOTONIC);

	EXPECT(quick <= call && call <= after);
	double m0 = at(CLOCK_MONOTONIC), r0 = at(CLOCK_REALTIME), b0 = at(CLOCK_BOOTTIME);

	pause_ms(100);
	double m = at(CLOCK_MONOTONIC) - m0, r = at(CLOCK_REALTIME) - r0, b = at(CLOCK_BOOTTIME) - b0;

	EXPECT(m > 0.099 && r - m < 0.05 && m - r < 0.05 && b - m < 0.05 && m - b < 0.05);
}

static void *watch(void *arg)
{
	cpu_set_t s;
	double last = 0, end = at(CLOCK_MONOTONIC) + 0.3;

	CPU_ZERO(&s);
	CPU_SET((int)(long)arg, &s);
	sched_setaffinity(0, sizeof s, &s);
	for (double t = 0; t < end;) {
		t = at(CLOCK_MONOTONIC);
		if (t < last)
			return (void *)1;
		last = t;
	}
	return NULL;
}

static _Atomic double newest;

static void *watch_together(void *arg)
{
	double end = at(CLOCK_MONOTONIC) + 0.3;

	for (;;) {
		double seen = newest, t = at(CLOCK_MONOTONIC);

		if (t < seen)
			return (void *)1;
		newest = t;
		if (t > end)
			return NULL;
	}
}

TEST(never_backwards)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t t[64];
	void *bad;

	for (long i = 0; i < cpus && i < 64; i++)
		pthread_create(&t[i], NULL, watch, (void *)i);
	for (long i = 0; i < cpus && i < 64; i++) {
		pthread_join(t[i], &bad);
		EXPECT(!bad);
	}
	newest = 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, watch_together, NULL);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &bad);
		EXPECT(!bad);
	}
}

static double first_wake; // s

static void *sleeper(void *arg)
{
	double when = first_wake + 0.06 * (double)(long)arg;
	struct timespec until = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
	return at(CLOCK_MONOTONIC) + 1e-6 < when ? "early" : NULL;
}

// Whatever the order in which they begin to wait; in which order they run again is the scheduler's affair.
TEST(sleepers_wake_in_time)
{
	pthread_t t[6];
	static const long starts[6] = {5, 1, 3, 0, 4, 2};
	void *early;

	first_wake = at(CLOCK_MONOTONIC) + 0.1;
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, sleeper, (void *)starts[i]);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &early);
		EXPECT(!early);
	}
}

TEST(sleep_lengths)
{
	for (int ms = 1; ms <= 64; ms *= 4) {
		double start = now();

		pause_ms(ms);
		double took = now() - start;

		EXPECT(took >= ms / 1000.0 && took < ms / 1000.0 + 5);
	}
	struct timespec t, bad = {0, -1}, past = {1, 0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	double start = now();

	t.tv_nsec += 50000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	EXPECT(now() - start >= 0.045);
	EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
	EXPECT_ERR(nanosleep(&bad, NULL), EINVAL);
}

TEST(cpu_time)
{
	double p0 = at(CLOCK_PROCESS_CPUTIME_ID), t0 = at(CLOCK_THREAD_CPUTIME_ID), wall = now();

	pause_ms(100);
	EXPECT(at(CLOCK_PROCESS_CPUTIME_ID) - p0 < 0.09); // sleeping costs none
	p0 = at(CLOCK_PROCESS_CPUTIME_ID), t0 = at(CLOCK_THREAD_CPUTIME_ID), wall = now();
	while (at(CLOCK_THREAD_CPUTIME_ID) - t0 < 0.1 && now() - wall < 5)
		;
	double used = at(CLOCK_PROCESS_CPUTIME_ID) - p0;

	EXPECT(used >= 0.099 && used <= now() - wall + 0.02);
}

// Short sleeps do not starve: two spinning threads and one that sleeps must all get on.
static _Atomic int stop;

static void *spin(void *arg)
{
	while (!stop)
		;
	return arg;
}

TEST(sleeper_among_spinners)
{
	pthread_t t[4];

	stop = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, spin, NULL);
	double start = now();

	for (int i = 0; i < 20; i++)
		pause_ms(1);
	double took = now() - start;

	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	EXPECT(took < 4);
}
