// SPDX-License-Identifier: BSD-2-Clause
// Processes: making them, waiting for them, groups and sessions, and what each call refuses.
#include "abi.h"
#include <linux/sched.h>
#include <sys/resource.h>

#ifndef SYS_process_mrelease // musl
#define SYS_process_mrelease 448
#endif

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define BAD ((void *)8)

static long clone3(struct clone_args *a, size_t size)
{
	return syscall(SYS_clone3, a, size);
}

static long raw_clone(unsigned long flags)
{
	return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

static pid_t child_that(int seconds)
{
	pid_t p = fork();

	if (!p) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (seconds)
			sleep((unsigned)seconds);
		_exit(7);
	}
	return p;
}

TEST(clone_errors)
{
	struct clone_args a = {0};

	CHILD
		NEED_ERR(raw_clone(CLONE_SIGHAND), EINVAL);
		NEED_ERR(raw_clone(CLONE_THREAD), EINVAL);
		NEED_ERR(raw_clone(CLONE_THREAD | CLONE_SIGHAND), EINVAL);
		NEED_ERR(raw_clone(CLONE_FS | CLONE_NEWNS), EINVAL);
		NEED_ERR(raw_clone(CLONE_NEWIPC | CLONE_SYSVSEM), EINVAL);
		NEED_ERR(raw_clone(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD), EINVAL);
		NEED_ERR(clone3(&a, 8), EINVAL);
		NEED_ERR(clone3(&a, 8192), E2BIG);
		NEED_ERR(clone3(BAD, sizeof a), EFAULT);
		a.exit_signal = 65;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.exit_signal = SIGCHLD;
		a.flags = CLONE_DETACHED;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.flags = 1ull << 40;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.flags = CLONE_PARENT;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.flags = 0;
		a.stack = 4096;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.stack = 0;
		a.stack_size = 4096;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.stack_size = 0;
		a.set_tid_size = 1;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.set_tid_size = 0;
		char big[sizeof a + 8] = {0};
		memcpy(big, &a, sizeof a);
		big[sizeof a] = 1;
		NEED_ERR(clone3((void *)big, sizeof big), E2BIG);
		big[sizeof a] = 0;
		long p = clone3((void *)big, sizeof big);
		if (!p)
			_exit(3);
		int status;
		NEED(p > 0 && waitpid((pid_t)p, &status, 0) == p && status == 3 << 8);
	END_CHILD;
}

static int shared;
static char shared_stack[16384] __attribute__((aligned(16)));

static int share(void *arg)
{
	shared = 1;
	syscall(SYS_dup2, 0, 77);
	syscall(SYS_exit, 0);
	return 0;
}

TEST(clone_flags)
{
	struct clone_args a = {.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	int status, pidfd = -1, tid = 0;

	CHILD
		signal(SIGUSR1, (void (*)(int))_exit);
		signal(SIGUSR2, SIG_IGN);
		a.pidfd = (uintptr_t)&pidfd;
		long p = clone3(&a, sizeof a);
		if (!p) {
			struct sigaction u, v;
			sigaction(SIGUSR1, NULL, &u);
			sigaction(SIGUSR2, NULL, &v);
			_exit(u.sa_handler == SIG_DFL && v.sa_handler == SIG_IGN ? 5 : 6);
		}
		siginfo_t i = {0};
		NEED(p > 0 && pidfd >= 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
		NEED(!waitid(P_PIDFD, (id_t)pidfd, &i, WEXITED) && i.si_pid == p && i.si_status == 5 &&
		     i.si_code == CLD_EXITED);
		// a child that does not report with SIGCHLD needs __WCLONE or __WALL
		p = raw_clone(0);
		if (!p)
			_exit(1);
		NEED_ERR(waitpid((pid_t)p, &status, 0), ECHILD);
		NEED(waitpid((pid_t)p, &status, __WCLONE) == p && status == 1 << 8);
		p = raw_clone(SIGUSR2);
		if (!p)
			_exit(2);
		NEED(waitpid((pid_t)p, &status, __WALL) == p && status == 2 << 8);
		// a sibling
		pid_t q = fork();
		if (!q) {
			long s = raw_clone(CLONE_PARENT | SIGCHLD);
			if (!s)
				_exit(4);
			_exit(waitpid((pid_t)s, NULL, 0) == -1 && errno == ECHILD ? 0 : 1);
		}
		NEED(waitpid(q, &status, 0) == q && !status);
		NEED(wait(&status) > 0 && status == 4 << 8);
		// shared memory, table of descriptors, working directory
		p = clone(share, shared_stack + sizeof shared_stack,
			  CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
		NEED(p > 0 && shared == 1 && fcntl(77, F_GETFD) == 0);
		NEED(waitpid((pid_t)p, &status, 0) == p);
		p = syscall(SYS_clone, CLONE_FS | CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
		if (!p)
			_exit(chdir("/proc") || umask(0) == 0);
		NEED(tid == p && waitpid((pid_t)p, &status, 0) == p && !status);
		char cwd[64];
		NEED(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/proc") && umask(022) == 0);
	END_CHILD;
}

TEST(wait_forms)
{
	siginfo_t i;
	struct rusage u;
	int status;

	CHILD
		NEED_ERR(waitpid(-1, &status, 0), ECHILD);
		NEED_ERR(waitpid(1, &status, 0), ECHILD);
		NEED_ERR(waitpid(-1, &status, 0x7000), EINVAL);
		NEED_ERR(syscall(SYS_wait4, INT32_MIN, &status, 0, 0), ESRCH);
		NEED_ERR(waitid(P_ALL, 0, &i, 0), EINVAL);
		NEED_ERR(waitid(P_ALL, 0, &i, WNOHANG), EINVAL);
		NEED_ERR(waitid(9, 0, &i, WEXITED), EINVAL);
		NEED_ERR(waitid(P_PID, 0, &i, WEXITED), EINVAL);
		NEED_ERR(waitid(P_PIDFD, 0, &i, WEXITED), EBADF);
		NEED_ERR(waitid(P_PIDFD, 999, &i, WEXITED), EBADF);
		NEED_ERR(waitid(P_PIDFD, (id_t)-1, &i, WEXITED), EINVAL);
		NEED_ERR(waitid(P_ALL, 0, &i, WEXITED), ECHILD);
		pid_t p = child_that(0);
		memset(&i, 0x55, sizeof i);
		NEED(!waitid(P_PID, (id_t)p, &i, WEXITED | WNOWAIT) && i.si_pid == p && i.si_status == 7);
		NEED(i.si_signo == SIGCHLD && i.si_code == CLD_EXITED && i.si_uid == getuid() &&
		     i.si_errno == 0);
		NEED(syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, &u) == 0);
		p = child_that(20);
		memset(&i, 0x55, sizeof i);
		NEED(!waitid(P_PGID, 0, &i, WEXITED | WNOHANG) && i.si_pid == 0 && i.si_signo == 0);
		NEED(waitpid(0, &status, WNOHANG) == 0 && waitpid(-getpgrp(), &status, WNOHANG) == 0);
		NEED_ERR(waitpid(-p, &status, WNOHANG), ECHILD);
		NEED(!kill(p, SIGSTOP) && waitpid(p, &status, WUNTRACED) == p && WIFSTOPPED(status) &&
		     WSTOPSIG(status) == SIGSTOP);
		NEED(waitpid(p, &status, WUNTRACED | WNOHANG) == 0); // once
		NEED(!kill(p, SIGCONT) && !waitid(P_PID, (id_t)p, &i, WCONTINUED | WNOWAIT) &&
		     i.si_code == CLD_CONTINUED && i.si_status == SIGCONT);
		NEED(waitpid(p, &status, WCONTINUED) == p && WIFCONTINUED(status));
		NEED(!setpgid(p, p)); // not orphaned: it has us
		NEED(!kill(p, SIGTSTP) && !waitid(P_PID, (id_t)p, &i, WSTOPPED) && i.si_code == CLD_STOPPED &&
		     i.si_status == SIGTSTP);
		NEED(!kill(p, SIGKILL) && !waitid(P_PID, (id_t)p, &i, WEXITED) && i.si_code == CLD_KILLED &&
		     i.si_status == SIGKILL);
		p = child_that(0);
		NEED(waitpid(p, NULL, 0) == p);
		p = child_that(0);
		NEED_ERR(syscall(SYS_wait4, p, BAD, 0, 0), EFAULT);
		// nobody wants them
		signal(SIGCHLD, SIG_IGN);
		p = child_that(0);
		NEED_ERR(waitpid(p, &status, 0), ECHILD);
		struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
		sigaction(SIGCHLD, &sa, NULL);
		p = child_that(0);
		NEED_ERR(waitpid(p, &status, 0), ECHILD);
	END_CHILD;
}

TEST(pidfds)
{
	siginfo_t i = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	int status, fds[2];

	CHILD
		NEED_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_open, getpid(), 1 << 20), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_open, 0x7fffff, 0), ESRCH);
		NEED(!pipe(fds));
		pid_t p = child_that(20);
		int fd = (int)syscall(SYS_pidfd_open, p, 0);
		NEED(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
		NEED_ERR(syscall(SYS_pidfd_send_signal, fds[0], 0, NULL, 0), EBADF);
		NEED_ERR(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0x100), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR2, &i, 0), EINVAL);
		i.si_code = SI_USER;
		NEED_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &i, 0), EPERM);
		NEED(!syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
		NEED_ERR(syscall(SYS_pidfd_getfd, fd, 999, 0), EBADF);
		NEED_ERR(syscall(SYS_pidfd_getfd, fd, 0, 1), EINVAL);
		NEED_ERR(syscall(SYS_pidfd_getfd, fds[0], 0, 0), EBADF);
		int other = (int)syscall(SYS_pidfd_getfd, fd, fds[1], 0);
		char c;
		NEED(other >= 0 && write(other, "y", 1) == 1 && read(fds[0], &c, 1) == 1 && c == 'y');
		NEED_ERR(read(fd, &c, 1), EINVAL);
		NEED_ERR(syscall(SYS_process_mrelease, fd, 0), EINVAL);
		NEED_ERR(syscall(SYS_process_mrelease, fd, 1), EINVAL);
		NEED(!syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
		NEED(waitpid(p, &status, 0) == p);
		NEED_ERR(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
		NEED_ERR(syscall(SYS_pidfd_getfd, fd, 0, 0), ESRCH);
		NEED_ERR(syscall(SYS_process_mrelease, fd, 0), ESRCH);
		NEED_ERR(syscall(SYS_process_mrelease, fds[0], 0), EBADF);
		NEED_ERR(waitid(P_PIDFD, (id_t)fd, &i, WEXITED), ECHILD);
		fd = (int)syscall(SYS_pidfd_open, p = child_that(20), O_NONBLOCK);
		NEED(fd >= 0);
		NEED_ERR(waitid(P_PIDFD, (id_t)fd, &i, WEXITED), EAGAIN);
		kill(p, SIGKILL);
	END_CHILD;
}

TEST(groups_and_sessions)
{
	int status;

	CHILD
		NEED(!setpgid(0, 0) && getpgrp() == getpid());
		NEED_ERR(setpgid(0, -1), EINVAL);
		NEED_ERR(setpgid(-1, 0), EINVAL);
		NEED_ERR(setpgid(-1, 5), ESRCH);
		NEED_ERR(setpgid(1, 0), ESRCH);
		NEED_ERR(setpgid(0, 0x7ffff), EPERM);
		NEED_ERR(setsid(), EPERM); // leads a group
		NEED_ERR(getpgid(-1), ESRCH);
		NEED_ERR(getsid(-1), ESRCH);
		pid_t p = child_that(20), q = fork();
		if (!q)
			_exit(setsid() == getpid() && setpgid(0, getppid()) && errno == EPERM ? 0 : 1);
		NEED(waitpid(q, &status, 0) == q && !status);
		NEED(!setpgid(p, p) && getpgid(p) == p && getsid(p) == getsid(0));
		NEED(!setpgid(p, getpgrp()));
		q = fork();
		if (!q) {
			setsid();
			sleep(20);
		}
		while (getsid(q) != q)
			pause_ms(1);
		NEED_ERR(setpgid(q, 0), EPERM); // another session
		kill(q, SIGKILL);
		NEED(!kill(-getpgrp(), 0) && !kill(0, 0));
		NEED_ERR(kill(-0x7ffff, 0), ESRCH);
		NEED_ERR(kill(p, 65), EINVAL);
		NEED_ERR(kill(p, -1), EINVAL);
		NEED_ERR(kill(INT32_MIN, 0), ESRCH);
		NEED_ERR(syscall(SYS_tgkill, p, p + 1000, 0), ESRCH);
		NEED_ERR(syscall(SYS_tgkill, 0, p, 0), EINVAL);
		NEED_ERR(syscall(SYS_tgkill, getpid(), p, 0), ESRCH);
		NEED_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
		kill(p, SIGKILL);
	END_CHILD;
	if (geteuid())
		return;
	CHILD // who may signal whom
		pid_t p = child_that(20);
		NEED(!become(NOBODY));
		NEED_ERR(kill(p, 0), EPERM);
		NEED_ERR(kill(p, SIGTERM), EPERM);
		NEED(!kill(p, SIGCONT)); // within the session
		NEED_ERR(syscall(SYS_tgkill, p, p, 0), EPERM);
		NEED_ERR(syscall(SYS_prlimit64, p, RLIMIT_CPU, NULL, NULL), EPERM);
		NEED_ERR(setpriority(PRIO_PROCESS, (id_t)p, 5), EPERM);
		NEED_ERR(syscall(SYS_sched_setscheduler, p, SCHED_BATCH, &(struct sched_param){0}), EPERM);
		NEED_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
		NEED_ERR(setpriority(PRIO_USER, 4711, 0), ESRCH);
		NEED_ERR(nice(-1), EPERM);
	END_CHILD;
}
