// SPDX-License-Identifier: BSD-2-Clause
// What belongs to the thread that made a process: the signal of its death, its waits; what threads inherit of
// each other's timer slack; and RLIMIT_NPROC where a user id changes.
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif

static int to_child[2], from_child[2], child;

// A child that asks for SIGUSR1 at its parent's death. It waits for that, or tells, once TO_CHILD closes,
// whether it came.
static void child_main(bool expected)
{
	struct timespec none = {0, 0};
	sigset_t set;
	char c = 'r';

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	close(to_child[1]);
	write(from_child[1], &c, 1);
	if (!expected)
		read(to_child[0], &c, 1);
	c = sigtimedwait(&set, NULL, expected ? NULL : &none) == SIGUSR1 ? 'y' : 'n';
	write(from_child[1], &c, 1);
	_exit(0);
}

static void *make_child(void *expected)
{
	char c;

	child = fork();
	if (!child)
		child_main(expected);
	read(from_child[0], &c, 1);
	return NULL;
}

static bool pipes(void)
{
	return !pipe(to_child) && !pipe(from_child);
}

// What the child saw; 0 when it said nothing.
static char answer(void)
{
	char c = 0;

	close(to_child[0]);
	close(to_child[1]);
	close(from_child[1]);
	read(from_child[0], &c, 1);
	close(from_child[0]);
	return c;
}

TEST(death_of_the_parent_thread)
{
	pthread_t t;

	EXPECT(pipes());
	EXPECT(!pthread_create(&t, NULL, make_child, "expected") && !pthread_join(t, NULL));
	EXPECT_EQ(answer(), 'y');
	EXPECT_EQ(waitpid(child, NULL, 0), child); // another thread's now
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(death_of_another_thread)
{
	pthread_t t;

	EXPECT(pipes());
	make_child(NULL);
	EXPECT(!pthread_create(&t, NULL, nothing, NULL) && !pthread_join(t, NULL));
	EXPECT_EQ(answer(), 'n');
	EXPECT_EQ(waitpid(child, NULL, 0), child);
}

static void *pdeathsig_of_thread(void *arg)
{
	int sig = -1;

	prctl(PR_GET_PDEATHSIG, &sig);
	*(int *)arg = sig;
	prctl(PR_SET_PDEATHSIG, SIGUSR2);
	return NULL;
}

TEST(pdeathsig_is_the_threads_own)
{
	int sig = -1, seen = -1, status;
	pthread_t t;

	EXPECT_EQ(prctl(PR_SET_PDEATHSIG, SIGURG), 0);
	EXPECT(!pthread_create(&t, NULL, pdeathsig_of_thread, &seen) && !pthread_join(t, NULL));
	EXPECT_EQ(seen, 0); // not inherited
	EXPECT_EQ(prctl(PR_GET_PDEATHSIG, &sig), 0);
	EXPECT_EQ(sig, SIGURG);
	child = fork();
	if (!child) {
		prctl(PR_GET_PDEATHSIG, &sig);
		_exit(sig);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	EXPECT_EQ(prctl(PR_SET_PDEATHSIG, 0), 0);
}

static void *wait_for_own(void *arg)
{
	int own = fork();

	if (!own)
		_exit(3);
	errno = 0;
	if (waitpid(child, NULL, __WNOTHREAD | WNOHANG) != -1 || errno != ECHILD)
		return "another thread's child";
	if (waitpid(child, NULL, WNOHANG) != 0)
		return "the process's child";
	if (waitpid(-1, NULL, __WNOTHREAD) != own)
		return "its own child";
	errno = 0;
	if (waitpid(-1, NULL, __WNOTHREAD) != -1 || errno != ECHILD)
		return "no child";
	return NULL;
}

TEST(waiting_for_own_children)
{
	void *bad = NULL;
	pthread_t t;

	EXPECT(pipes());
	make_child(NULL);
	EXPECT(!pthread_create(&t, NULL, wait_for_own, NULL) && !pthread_join(t, &bad));
	if (bad)
		FAIL("%s", (char *)bad);
	EXPECT_EQ(answer(), 'n');
	EXPECT_EQ(waitpid(child, NULL, __WNOTHREAD), child);
}

static void *slack_of_thread(void *arg)
{
	long *out = arg;

	out[0] = prctl(PR_GET_TIMERSLACK);
	prctl(PR_SET_TIMERSLACK, 12345);
	out[1] = prctl(PR_GET_TIMERSLACK);
	prctl(PR_SET_TIMERSLACK, 0); // back to what it was made with
	out[2] = prctl(PR_GET_TIMERSLACK);
	return NULL;
}

TEST(timer_slack)
{
	long start = prctl(PR_GET_TIMERSLACK), out[3];
	pthread_t t;

	EXPECT(start > 0);
	EXPECT_EQ(prctl(PR_SET_TIMERSLACK, 70000), 0);
	EXPECT(!pthread_create(&t, NULL, slack_of_thread, out) && !pthread_join(t, NULL));
	EXPECT_EQ(out[0], 70000);
	EXPECT_EQ(out[1], 12345);
	EXPECT_EQ(out[2], 70000);
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 70000);
	EXPECT_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK), start);
}

#define USER 54321

static int become_user(int limit)
{
	struct rlimit r = {limit, limit};

	return setrlimit(RLIMIT_NPROC, &r) || setresuid(USER, USER, USER);
}

// A user with one process more than he may have gets the new id, but no program.
TEST(nproc_at_exec)
{
	char *argv[] = {"/proc/self/exe", "no such test", NULL}, c;
	int status, one;

	if (getuid())
		SKIP("needs root");
	EXPECT(pipes());
	one = fork();
	if (!one) {
		setresuid(USER, USER, USER);
		close(to_child[1]);
		write(from_child[1], "r", 1);
		read(to_child[0], &c, 1);
		_exit(0);
	}
	EXPECT_EQ(read(from_child[0], &c, 1), 1);

	child = fork();
	if (!child) {
		if (become_user(0))
			_exit(2);
		execv(argv[0], argv);
		_exit(errno == EAGAIN ? 0 : 4);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);

	child = fork();
	if (!child) {
		if (setresuid(USER, USER, USER) || setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}))
			_exit(2);
		if (fork() != -1 || errno != EAGAIN)
			_exit(3);
		fclose(stdout);
		close(1);
		execv(argv[0], argv); // runs no test, exits with 1
		_exit(5);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 1);
	answer();
	EXPECT_EQ(waitpid(one, NULL, 0), one);
}
