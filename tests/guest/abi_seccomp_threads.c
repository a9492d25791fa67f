// SPDX-License-Identifier: BSD-2-Clause
// seccomp(2): whom a filter ends, who gets one, and who is asked.
#include "abi_seccomp.h"
#include <pthread.h>
#include <sys/ptrace.h>

// The status of a child that makes call NR with ACTION on it, in a second thread if so.
static _Atomic pid_t second_tid;

static void *second(void *nr)
{
	second_tid = gettid();
	syscall((long)nr);
	return NULL;
}

static int end_of(unsigned action, long nr, bool threaded)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		pthread_t t;

		signal(SIGSYS, SIG_IGN);
		if (promise() || install(0, ANSWER(nr, action)))
			_exit(1);
		if (threaded) {
			pthread_create(&t, NULL, second, (void *)nr);
			alarm(20); // no library notices the end of such a thread
			while (!second_tid || !syscall(SYS_tgkill, getpid(), second_tid, 0))
				sched_yield();
		} else {
			syscall(nr);
		}
		_exit(5);
	}
	waitpid(pid, &status, 0);
	return status;
}

TEST(killing)
{
	int status = end_of(SECCOMP_RET_KILL_PROCESS, SYS_getpgrp, false);

	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = end_of(SECCOMP_RET_KILL_PROCESS, SYS_getpgrp, true);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = end_of(SECCOMP_RET_KILL_THREAD, SYS_getpgrp, false);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = end_of(SECCOMP_RET_KILL_THREAD, SYS_getpgrp, true);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	status = end_of(0x00010000, SYS_getpgrp, false); // an action that nobody knows
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = end_of(SECCOMP_RET_TRAP, SYS_getpgrp, false); // SIGSYS is ignored: that does not help
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

TEST(strict_mode)
{
	int status, fds[2];
	char c;

	EXPECT_EQ(pipe(fds), 0);
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		if (write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1)
			write(fds[1], "y", 1);
		syscall(SYS_exit, 7);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	EXPECT(read(fds[0], &c, 1) == 1 && c == 'y');
	for (int n = 0; n < 2; n++) {
		pid = fork();
		if (!pid) {
			syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
			n ? (void)prctl(PR_GET_SECCOMP) : (void)getppid();
			syscall(SYS_exit, 7);
		}
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST(inherited)
{
	CHILD
		{
			int status;
			pid_t pid;

			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | 33)), 0);
			pid = fork();
			if (!pid) {
				syscall(SYS_getpgrp);
				if (errno != 33)
					_exit(1);
				execl("/proc/self/exe", "abi_seccomp", "filtered_program", (char *)NULL);
				_exit(2);
			}
			NEED_EQ(waitpid(pid, &status, 0), pid);
			NEED_EQ(status, 0);
		}
	END_CHILD;
}

BEFORE_TESTS(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "filtered_program"))
		_exit(syscall(SYS_getpgrp) == -1 && errno == 33 ? 0 : 3);
}

static int gate[2];
static long own_filter;

static void *waits(void *unused)
{
	char c;

	if (own_filter)
		own_filter = install(0, ANSWER(SYS_getppid, SECCOMP_RET_ALLOW)) ? -1 : gettid();
	write(gate[1], "r", 1);
	read(gate[0], &c, 1);
	return (void *)(syscall(SYS_getpgrp) == -1 ? (long)errno : 0);
}

static long synchronized(bool diverged, unsigned flags, long *in_thread)
{
	pthread_t t;
	void *ret;
	long got;
	int first[2], second_[2];
	char c;

	own_filter = diverged;
	pipe(first);
	pipe(second_);
	gate[0] = first[0];
	gate[1] = second_[1];
	pthread_create(&t, NULL, waits, NULL);
	read(second_[0], &c, 1);
	got = install(flags, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | 34));
	if (got < 0)
		got = -errno;
	write(first[1], "g", 1);
	pthread_join(t, &ret);
	*in_thread = (long)ret;
	return got;
}

TEST(threads_together)
{
	CHILD
		{
			long in_thread;

			NEED_EQ(promise(), 0);
			NEED_EQ(synchronized(false, SECCOMP_FILTER_FLAG_TSYNC, &in_thread), 0);
			NEED_EQ(in_thread, 34);
		}
	END_CHILD;
	CHILD
		{
			long in_thread;

			NEED_EQ(promise(), 0);
			NEED_EQ(synchronized(false, 0, &in_thread), 0); // its own thread alone
			NEED_EQ(in_thread, 0);
			NEED_ERR(syscall(SYS_getpgrp), 34);
		}
	END_CHILD;
	CHILD
		{
			long in_thread;

			NEED_EQ(promise(), 0);
			long got = synchronized(true, SECCOMP_FILTER_FLAG_TSYNC, &in_thread);
			NEED(got > 0 && got == own_filter); // the thread that went its own way
			NEED_EQ(in_thread, 0);
			NEED(syscall(SYS_getpgrp) >= 0);
			NEED_EQ(synchronized(true,
					     SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
					     &in_thread),
				-ESRCH);
		}
	END_CHILD;
}

TEST(asks_the_tracer)
{
	int status;
	unsigned long message;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (promise() || install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_TRACE | 55)))
			_exit(1);
		if (syscall(SYS_getpgrp) < 0) // let through
			_exit(2);
		if (syscall(SYS_getpgrp) != 1234) // answered in its place
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL), 0);
	for (int n = 0; n < 2; n++) {
		EXPECT_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
		EXPECT_EQ(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message), 0);
		EXPECT_EQ(message, 55);
	}
	EXPECT_EQ(ptrace(PTRACE_POKEUSER, pid, 15 * 8, -1), 0);	  // orig_rax
	EXPECT_EQ(ptrace(PTRACE_POKEUSER, pid, 10 * 8, 1234), 0); // rax
	EXPECT_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(long_chains_end)
{
	CHILD
		{
			static struct sock_filter insns[BPF_MAXINSNS];
			struct sock_fprog f = {BPF_MAXINSNS, insns};
			int n = 0;

			for (int i = 0; i < BPF_MAXINSNS; i++)
				insns[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
			NEED_EQ(promise(), 0);
			while (n < 8 && !install(0, &f)) // Linux counts what it makes of them
				n++;
			NEED(n > 1 && n < 8);
			NEED_ERR(install(0, &f), ENOMEM);
		}
	END_CHILD;
}
