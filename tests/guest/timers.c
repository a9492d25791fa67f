// SPDX-License-Identifier: BSD-2-Clause
// Timers that end in signals: overruns, what stays pending, and the limits on CPU time.
#include "check.h"
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MS 1000000L

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void sleep_ms(long ms)
{
	long end = now_ns() + ms * MS;

	while (now_ns() < end)
		nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
}

// A timer that signals SIG, blocked, every INTERVAL.
static timer_t every(int sig, long interval)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value.sival_int = 77};
	struct itimerspec spec = {{0, interval}, {0, interval}};
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &t) || timer_settime(t, 0, &spec, NULL))
		abort();
	return t;
}

static int take(int sig, siginfo_t *info, long timeout_ms)
{
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * MS};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigtimedwait(&set, info, &limit);
}

TEST(overruns_count_until_the_signal_is_taken)
{
	long start = now_ns(), most;
	timer_t t = every(SIGRTMIN, MS);
	siginfo_t info;

	sleep_ms(50);
	EXPECT_EQ(take(SIGRTMIN, &info, 1000), SIGRTMIN);
	most = (now_ns() - start) / MS;
	EXPECT_EQ(info.si_code, SI_TIMER);
	EXPECT_EQ(info.si_value.sival_int, 77);
	EXPECT(info.si_overrun >= 48 && info.si_overrun <= most);
	EXPECT_EQ(timer_getoverrun(t), info.si_overrun);
	EXPECT_EQ(take(SIGRTMIN, &info, 1000), SIGRTMIN); // and it goes on
	EXPECT_EQ(timer_delete(t), 0);
	while (take(SIGRTMIN, &info, 0) > 0)
		;
}

TEST(overruns_of_an_ignored_signal)
{
	timer_t t = every(SIGCONT, 5 * MS);
	sigset_t set;

	sleep_ms(150);
	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sleep_ms(20); // what comes now is ignored at once, and tells nothing of the one that was taken
	EXPECT(timer_getoverrun(t) >= 28);
	EXPECT_EQ(timer_delete(t), 0);
}

TEST(one_signal_of_a_timer_is_pending)
{
	timer_t t = every(SIGRTMIN, 100 * MS);
	siginfo_t info;
	long start;

	sleep_ms(350);
	start = now_ns();
	EXPECT_EQ(take(SIGRTMIN, &info, 1000), SIGRTMIN);
	EXPECT(info.si_overrun >= 2);
	int more = take(SIGRTMIN, &info, 0);

	EXPECT(more < 0 || now_ns() - start > 30 * MS); // or the next expiration came meanwhile
	EXPECT_EQ(timer_delete(t), 0);
}

static volatile sig_atomic_t seen;

static void on_signal(int sig)
{
	seen++;
}

TEST(timer_outlives_signals_thrown_away)
{
	timer_t t = every(SIGUSR1, MS);
	sigset_t set;

	sleep_ms(5);
	signal(SIGUSR1, SIG_IGN); // drops the one that is pending
	sleep_ms(5);
	seen = 0;
	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	for (int i = 0; i < 2000 && seen < 3; i++)
		sleep_ms(1);
	EXPECT(seen >= 3);
	EXPECT_EQ(timer_delete(t), 0);
	signal(SIGUSR1, SIG_DFL);
}

// Run BODY in a child that uses the CPU until it ends, or ten seconds; its wait status.
static int in_child(void (*prepare)(void), int signals)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		struct itimerval limit = {{0, 0}, {10, 0}};

		prepare();
		setitimer(ITIMER_REAL, &limit, NULL);
		while (seen < signals)
			;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void cpu_soft(void)
{
	setrlimit(RLIMIT_CPU, &(struct rlimit){1, 20});
	seen = 0;
	signal(SIGXCPU, on_signal);
}

// An interval without a first expiration is forgotten, but not by a CPU clock's timer.
TEST(interval_of_a_disarmed_timer)
{
	const struct itimerval only = {.it_interval = {10, 0}}, off = {0};
	struct itimerspec spec = {.it_interval = {10, 0}}, then;
	struct itimerval old;
	timer_t t;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		EXPECT_EQ(setitimer(which, &only, NULL), 0);
		EXPECT_EQ(setitimer(which, &off, &old), 0);
		EXPECT_EQ(old.it_interval.tv_sec, which == ITIMER_REAL ? 0 : 10);
	}
	EXPECT_EQ(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &t), 0);
	EXPECT_EQ(timer_settime(t, 0, &spec, NULL), 0);
	EXPECT_EQ(timer_gettime(t, &then), 0);
	EXPECT_EQ(then.it_interval.tv_sec, 0);
	EXPECT_EQ(timer_delete(t), 0);
}

TEST(cpu_limit_signals)
{
	EXPECT_EQ(in_child(cpu_soft, 1), 0);
}

static void realtime(long soft_us, long hard_us, void (*handler)(int))
{
	struct sched_param p = {.sched_priority = 1};

	setrlimit(RLIMIT_RTTIME, &(struct rlimit){(rlim_t)soft_us, (rlim_t)hard_us});
	seen = 0;
	signal(SIGXCPU, handler);
	if (sched_setscheduler(0, SCHED_FIFO, &p))
		_exit(99);
}

static void rt_soft(void)
{
	realtime(50000, RLIM_INFINITY, on_signal);
}

static void rt_hard(void)
{
	realtime(20000, 60000, SIG_IGN);
}

static void rt_default(void)
{
	realtime(20000, RLIM_INFINITY, SIG_DFL);
}

TEST(realtime_limit_signals)
{
	int status = in_child(rt_soft, 1);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		SKIP("no real-time priorities here");
	EXPECT_EQ(status, 0);
	status = in_child(rt_default, 1);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
	status = in_child(rt_hard, 1);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
