// SPDX-License-Identifier: BSD-2-Clause
// Real-time threads leave others their share, and the figures in /proc/sys/kernel/sched_rt_* that say so;
// timer slack lets a sleep end late, never early. What is changed for the whole machine is put back.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static long get(const char *name)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/sys/kernel/sched_%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text - 1) < 1)
		strcpy(text, "-99");
	close(fd);
	return atol(text);
}

// 0 or errno.
static int set(const char *name, long value)
{
	char path[64], text[32];
	int fd, n = snprintf(text, sizeof text, "%ld\n", value), e = 0;

	snprintf(path, sizeof path, "/proc/sys/kernel/sched_%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return errno;
	if (write(fd, text, (size_t)n) != n)
		e = errno;
	close(fd);
	return e;
}

TEST(realtime_settings)
{
	long period = get("rt_period_us"), runtime = get("rt_runtime_us"), quantum = get("rr_timeslice_ms");

	EXPECT(period > 0 && runtime >= -1 && runtime <= period && quantum > 0);
	if (set("rt_period_us", period))
		SKIP("the settings cannot be written here");
	EXPECT_EQ(set("rt_period_us", 0), EINVAL);
	EXPECT_EQ(set("rt_period_us", -1), EINVAL);
	EXPECT_EQ(set("rt_runtime_us", -2), EINVAL);
	EXPECT_EQ(set("rt_runtime_us", period + 1), EINVAL);
	EXPECT_EQ(get("rt_period_us"), period);
	EXPECT_EQ(get("rt_runtime_us"), runtime);
	EXPECT_EQ(set("rt_runtime_us", -1), 0);
	EXPECT_EQ(get("rt_runtime_us"), -1);
	EXPECT_EQ(set("rt_runtime_us", runtime), 0);
	EXPECT_EQ(get("rt_runtime_us"), runtime);
}

TEST(round_robin_quantum)
{
	struct timespec before, after;
	long quantum = get("rr_timeslice_ms");

	if (set("rr_timeslice_ms", quantum))
		SKIP("the settings cannot be written here");
	if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1}))
		SKIP("no real-time priorities here");
	EXPECT_EQ(sched_rr_get_interval(0, &before), 0);
	EXPECT_EQ(set("rr_timeslice_ms", 40), 0);
	EXPECT_EQ(sched_rr_get_interval(0, &after), 0);
	EXPECT_EQ(set("rr_timeslice_ms", -1), 0); // the default
	EXPECT_EQ(get("rr_timeslice_ms"), 100);
	EXPECT_EQ(set("rr_timeslice_ms", quantum), 0);
	EXPECT_EQ(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), 0);
	EXPECT_EQ(before.tv_nsec, quantum * 1000000);
	EXPECT_EQ(after.tv_nsec, 40 * 1000000);
}

static _Atomic int spins, ran;

static bool pin(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return !sched_setaffinity(0, sizeof one, &one);
}

static void *meek(void *arg)
{
	while (!spins)
		sched_yield();
	ran = 1; // while the other one, which has the CPU, waits for it
	return arg;
}

// A thread that spins with real-time priority until another one of its CPU has run.
TEST(realtime_spinner_leaves_a_share)
{
	struct sched_param p = {.sched_priority = 10};
	cpu_set_t all;
	pthread_t t;

	if (get("rt_runtime_us") < 0 || get("rt_runtime_us") == get("rt_period_us"))
		SKIP("real-time threads may use all of the CPU here");
	sched_getaffinity(0, sizeof all, &all);
	EXPECT(pin());
	EXPECT_EQ(pthread_create(&t, NULL, meek, NULL), 0);
	if (sched_setscheduler(0, SCHED_FIFO, &p)) {
		spins = 1;
		pthread_join(t, NULL);
		sched_setaffinity(0, sizeof all, &all);
		SKIP("no real-time priorities here");
	}
	spins = 1;
	while (!ran)
		;
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	pthread_join(t, NULL);
	sched_setaffinity(0, sizeof all, &all);
}

// What slack a thread allows is its own affair, but no sleep ends early for it.
TEST(no_sleep_ends_early_by_slack)
{
	struct timespec a, b, ms = {.tv_nsec = 5000000};

	EXPECT_EQ(prctl(PR_SET_TIMERSLACK, 20000000), 0);
	for (int i = 0; i < 10; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		EXPECT_EQ(i & 1 ? poll(NULL, 0, 5) : nanosleep(&ms, NULL), 0);
		clock_gettime(CLOCK_MONOTONIC, &b);
		EXPECT((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 5000000);
	}
	EXPECT_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
}
