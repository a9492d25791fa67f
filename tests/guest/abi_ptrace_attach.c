// SPDX-License-Identifier: BSD-2-Clause
// ptrace: events of forks and threads, and tracing what runs already.
#include "abi_ptrace.h"
#include <pthread.h>

static volatile int handled;

// The next stop is that of HITS in debug register 6.
#define HITS(hits)                                                         \
	do {                                                               \
		NEED(!pt(PTRACE_CONT, p, 0, 0));                           \
		NEED_EQ(WAIT(p), STOPPED(SIGTRAP, 0));                     \
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && \
		     info.si_code == 4); /* TRAP_HWBKPT */                 \
		NEED_EQ(debug(p, 6), 0xffff0ff0 | (hits));                 \
	} while (0)

static void forks(void)
{
	pid_t p = fork();

	if (!p)
		_exit(1);
	waitpid(p, NULL, 0);
	p = vfork();
	if (!p)
		_exit(2);
	waitpid(p, NULL, 0);
	close(1);
	execl("/proc/self/exe", "x", "no such test", NULL);
	_exit(99);
}

TEST(events)
{
	unsigned long m;
	int status;

	CHILD
		pid_t p = traced(forks), child;
		NEED(p > 0 && !pt(PTRACE_SETOPTIONS, p, 0,
				  PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
					  PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACECLONE));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_FORK));
		NEED(!pt(PTRACE_GETEVENTMSG, p, 0, (unsigned long)&m) && (child = (pid_t)m) > 0);
		NEED(WAIT(child) == STOPPED(SIGSTOP, 0));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && !pt(PTRACE_CONT, child, 0, 0));
		NEED(WAIT(child) == STOPPED(SIGTRAP, PTRACE_EVENT_EXIT));
		NEED(!pt(PTRACE_GETEVENTMSG, child, 0, (unsigned long)&m) && m == 1 << 8);
		NEED(!pt(PTRACE_CONT, child, 0, 0) && WAIT(child) == 1 << 8);
		NEED(WAIT(p) == STOPPED(SIGCHLD, 0) && !pt(PTRACE_CONT, p, 0, 0));
		NEED(WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_VFORK));
		NEED(!pt(PTRACE_GETEVENTMSG, p, 0, (unsigned long)&m) && (child = (pid_t)m) > 0);
		NEED(WAIT(child) == STOPPED(SIGSTOP, 0) && !pt(PTRACE_CONT, p, 0, 0) &&
		     !pt(PTRACE_DETACH, child, 0, 0));
		status = WAIT(p);
		NEED_EQ(status, STOPPED(SIGTRAP, PTRACE_EVENT_VFORK_DONE));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGCHLD, 0) &&
		     !pt(PTRACE_CONT, p, 0, 0));
		NEED(WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_EXEC));
		NEED(!pt(PTRACE_GETEVENTMSG, p, 0, (unsigned long)&m) && (pid_t)m == p);
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_EXIT));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == 1 << 8);
	END_CHILD;
	CHILD // without the option exec gives a signal
		pid_t p = traced(forks);
		NEED(p > 0 && !pt(PTRACE_CONT, p, 0, 0));
		while (status = WAIT(p), status == STOPPED(SIGCHLD, 0))
			NEED(!pt(PTRACE_CONT, p, 0, 0));
		NEED_EQ(status, STOPPED(SIGTRAP, 0));
		NEED(!pt(PTRACE_KILL, p, 0, 0) && WAIT(p) == SIGKILL);
	END_CHILD;
}

static pid_t sleeper(void)
{
	int fds[2];
	char c;
	pid_t p;

	if (pipe(fds))
		return -1;
	p = fork();
	if (!p) {
		write(fds[1], "x", 1);
		sleep_for_ever();
	}
	read(fds[0], &c, 1);
	close(fds[0]);
	close(fds[1]);
	return p;
}

static int tracer_of(pid_t p)
{
	char path[64], line[256];
	int tracer = -1;

	snprintf(path, sizeof path, "/proc/%d/status", p);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "TracerPid: %d", &tracer);
	if (f)
		fclose(f);
	return tracer;
}

TEST(attach)
{
	int status;

	CHILD
		pid_t p = sleeper();
		NEED(!pt(PTRACE_ATTACH, p, 0, 0) && WAIT(p) == STOPPED(SIGSTOP, 0) &&
		     tracer_of(p) == getpid());
		NEED(!pt(PTRACE_CONT, p, 0, 0));
		NEED_ERR(pt(PTRACE_PEEKDATA, p, (unsigned long)&word, (unsigned long)&word),
			 ESRCH); // it runs
		NEED(!kill(p, SIGUSR1) && WAIT(p) == STOPPED(SIGUSR1, 0) && !pt(PTRACE_DETACH, p, 0, 0));
		NEED(tracer_of(p) == 0 && waitpid(p, &status, WNOHANG) == 0);
		NEED(!kill(p, SIGTERM) && WAIT(p) == SIGTERM);
	END_CHILD;
	CHILD // somebody else's child
		pid_t p = sleeper();
		pid_t q = fork();
		if (!q) {
			NEED(!pt(PTRACE_ATTACH, p, 0, 0) && WAIT(p) == STOPPED(SIGSTOP, 0));
			NEED(!pt(PTRACE_CONT, p, 0, SIGTERM));
			NEED(WAIT(p) == SIGTERM);
			_exit(0);
		}
		NEED(WAIT(q) == 0 && WAIT(p) == SIGTERM);
	END_CHILD;
	CHILD // a tracer that ends sets free, or kills
		pid_t p = sleeper(), r = sleeper();
		pid_t q = fork();
		if (!q) {
			NEED(!pt(PTRACE_ATTACH, p, 0, 0) && WAIT(p) == STOPPED(SIGSTOP, 0) &&
			     !pt(PTRACE_CONT, p, 0, 0));
			NEED(!pt(PTRACE_SEIZE, r, 0, PTRACE_O_EXITKILL));
			_exit(0);
		}
		NEED(WAIT(q) == 0 && WAIT(r) == SIGKILL && tracer_of(p) == 0);
		NEED(waitpid(p, &status, WNOHANG) == 0 && !kill(p, SIGKILL) && WAIT(p) == SIGKILL);
	END_CHILD;
}

TEST(seize)
{
	siginfo_t info;

	CHILD
		pid_t p = sleeper();
		int status;
		NEED_ERR(pt(PTRACE_SEIZE, p, 1, 0), EIO);
		NEED_ERR(pt(PTRACE_SEIZE, p, 0, -1), EIO);
		NEED(!pt(PTRACE_SEIZE, p, 0, 0) && waitpid(p, &status, WNOHANG | __WALL) == 0);
		NEED(!pt(PTRACE_INTERRUPT, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_STOP));
		NEED(!pt(PTRACE_CONT, p, 0, 0));
		NEED(!kill(p, SIGSTOP) && WAIT(p) == STOPPED(SIGSTOP, 0) && !pt(PTRACE_CONT, p, 0, SIGSTOP));
		NEED(WAIT(p) == STOPPED(SIGSTOP, PTRACE_EVENT_STOP)); // the stop of the group
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) &&
		     info.si_code == (SIGSTOP | PTRACE_EVENT_STOP << 8));
		NEED(!pt(PTRACE_LISTEN, p, 0, 0) && waitpid(p, &status, WNOHANG | __WALL) == 0);
		NEED_ERR(pt(PTRACE_CONT, p, 0, 0), ESRCH);
		NEED(!kill(p, SIGCONT) && WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_STOP) &&
		     !pt(PTRACE_CONT, p, 0, 0));
		NEED(WAIT(p) == STOPPED(SIGCONT, 0) && !pt(PTRACE_CONT, p, 0, SIGCONT));
		NEED(!kill(p, SIGTERM) && WAIT(p) == STOPPED(SIGTERM, 0) && !pt(PTRACE_CONT, p, 0, SIGTERM) &&
		     WAIT(p) == SIGTERM);
	END_CHILD;
	CHILD // the old way a stop of the group has no siginfo
		pid_t p = sleeper();
		NEED(!pt(PTRACE_ATTACH, p, 0, 0) && WAIT(p) == STOPPED(SIGSTOP, 0) &&
		     !pt(PTRACE_CONT, p, 0, SIGSTOP));
		NEED(WAIT(p) == STOPPED(SIGSTOP, 0));
		NEED_ERR(pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info), EINVAL);
		NEED(!pt(PTRACE_CONT, p, 0, 0) && !kill(p, SIGKILL) && WAIT(p) == SIGKILL);
	END_CHILD;
}

static void *thread_main(void *arg)
{
	return arg;
}

static void makes_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_main, NULL);
	pthread_join(t, NULL);
	_exit(4);
}

TEST(threads)
{
	unsigned long m;

	CHILD
		pid_t p = traced(makes_thread), tid;
		NEED(p > 0 && !pt(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACECLONE) && !pt(PTRACE_CONT, p, 0, 0));
		NEED(WAIT(p) == STOPPED(SIGTRAP, PTRACE_EVENT_CLONE));
		NEED(!pt(PTRACE_GETEVENTMSG, p, 0, (unsigned long)&m) && (tid = (pid_t)m) > 0);
		NEED(WAIT(tid) == STOPPED(SIGSTOP, 0));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && !pt(PTRACE_CONT, tid, 0, 0));
		int status = WAIT(tid); // the process may end before the wait
		NEED(status == 0 || status == 4 << 8);
		NEED_EQ(WAIT(p), 4 << 8);
	END_CHILD;
}
