// SPDX-License-Identifier: BSD-2-Clause
// Processes: making them, waiting for them, groups and sessions, limits, scheduling, and what each call
// refuses.
#include "abi.h"
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#ifndef SYS_process_mrelease // musl
#define SYS_process_mrelease 448
#endif

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define BAD ((void *)8)
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

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

TEST(limits_and_usage)
{
	struct rlimit r;
	struct rusage u;
	struct tms t;

	CHILD
		NEED_ERR(getrlimit(99, &r), EINVAL);
		NEED_ERR(syscall(SYS_getrlimit, 0, BAD), EFAULT);
		NEED_ERR(syscall(SYS_setrlimit, 0, BAD), EFAULT);
		r = (struct rlimit){5, 4};
		NEED_ERR(setrlimit(RLIMIT_CPU, &r), EINVAL);
		NEED_ERR(syscall(SYS_prlimit64, 0x7fffff, 0, NULL, NULL), ESRCH);
		NEED_ERR(getrusage(5, &u), EINVAL);
		NEED_ERR(syscall(SYS_getrusage, 0, BAD), EFAULT);
		NEED_ERR(syscall(SYS_times, BAD), EFAULT);
		NEED(times(&t) > 0 && syscall(SYS_times, NULL) > 0);
		NEED(!getrusage(RUSAGE_SELF, &u));
		NEED(!getrusage(RUSAGE_CHILDREN, &u) && u.ru_maxrss == 0);
		pid_t p = fork();
		if (!p) {
			volatile char *m = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			for (int i = 0; i < 8 << 20; i += 4096)
				m[i] = 1;
			_exit(0);
		}
		NEED(waitpid(p, NULL, 0) == p && !getrusage(RUSAGE_CHILDREN, &u) && u.ru_maxrss >= 8192 &&
		     u.ru_minflt > 0);
		// a lower hard limit cannot be raised again without the power to
		NEED(!getrlimit(RLIMIT_NOFILE, &r));
		r.rlim_cur = r.rlim_max = 50;
		NEED(!setrlimit(RLIMIT_NOFILE, &r));
		NEED_ERR(dup2(0, 50), EBADF);
		NEED(dup2(0, 49) == 49);
		NEED_ERR(fcntl(0, F_DUPFD, 50), EINVAL);
		while (dup(0) >= 0)
			;
		NEED_ERR(dup(0), EMFILE);
		if (!geteuid())
			NEED(!become(NOBODY));
		r.rlim_max = 51;
		NEED_ERR(setrlimit(RLIMIT_NOFILE, &r), EPERM);
	END_CHILD;
	CHILD // too many processes
		if (!geteuid())
			NEED(!become(47114));
		r = (struct rlimit){1, 1};
		NEED(!setrlimit(RLIMIT_NPROC, &r));
		NEED_ERR(fork(), EAGAIN);
	END_CHILD;
	CHILD // files that grow too large
		NEED(!scratch_enter());
		signal(SIGXFSZ, SIG_IGN);
		r = (struct rlimit){100, 100};
		NEED(!setrlimit(RLIMIT_FSIZE, &r));
		int fd = open("f", O_RDWR | O_CREAT, 0600);
		char buf[200] = {0};
		NEED(write(fd, buf, 200) == 100);
		NEED_ERR(write(fd, buf, 1), EFBIG);
		NEED_ERR(ftruncate(fd, 101), EFBIG);
		NEED_ERR(fallocate(fd, 0, 0, 101), EFBIG);
		NEED_ERR(pwrite(fd, buf, 1, 100), EFBIG);
		signal(SIGXFSZ, SIG_DFL);
		pid_t p = fork();
		if (!p) {
			write(fd, buf, 1);
			_exit(0);
		}
		int status;
		NEED(waitpid(p, &status, 0) == p && WTERMSIG(status) == SIGXFSZ);
	END_CHILD;
}

TEST(scheduling)
{
	struct sched_param sp = {0};
	struct timespec ts;
	unsigned long mask[16] = {0};
	struct sched_attr_ {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t min, max;
	} at = {0};

	CHILD
		NEED_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
		NEED_ERR(syscall(SYS_sched_getscheduler, 0x7fffff), ESRCH);
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, 77, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, -1, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
		NEED_ERR(syscall(SYS_sched_setscheduler, -1, SCHED_OTHER, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, BAD), EFAULT);
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EINVAL);
		sp.sched_priority = 100;
		NEED_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_setparam, 0, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_getparam, -1, &sp), EINVAL);
		NEED_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
		NEED_ERR(syscall(SYS_sched_getparam, 0, BAD), EFAULT);
		NEED(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1 &&
		     sched_get_priority_max(SCHED_OTHER) == 0);
		NEED_ERR(sched_get_priority_max(-1), EINVAL);
		NEED_ERR(sched_get_priority_min(99), EINVAL);
		NEED_ERR(syscall(SYS_sched_rr_get_interval, -1, &ts), EINVAL);
		NEED_ERR(syscall(SYS_sched_rr_get_interval, 0, BAD), EFAULT);
		NEED(!syscall(SYS_sched_rr_get_interval, 0, &ts));
		NEED_ERR(syscall(SYS_sched_setaffinity, 0, sizeof mask, mask), EINVAL);
		NEED_ERR(syscall(SYS_sched_setaffinity, 0, sizeof mask, BAD), EFAULT);
		NEED_ERR(syscall(SYS_sched_setaffinity, 0x7fffff, sizeof mask, mask), ESRCH);
		NEED_ERR(syscall(SYS_sched_getaffinity, 0, 4, mask), EINVAL);
		NEED_ERR(syscall(SYS_sched_getaffinity, 0, 9, mask), EINVAL);
		NEED(syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) >= 8 && mask[0]);
		at.size = sizeof at;
		NEED(!syscall(SYS_sched_getattr, 0, &at, sizeof at, 0) && at.size >= 48 && at.policy == 0);
		NEED_ERR(syscall(SYS_sched_getattr, 0, &at, 8, 0), EINVAL);
		NEED_ERR(syscall(SYS_sched_getattr, 0, &at, sizeof at, 1), EINVAL);
		NEED_ERR(syscall(SYS_sched_getattr, 0, NULL, sizeof at, 0), EINVAL);
		NEED_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
		at.size = 4096 * 2;
		NEED_ERR(syscall(SYS_sched_setattr, 0, &at, 0), E2BIG);
		at.size = sizeof at;
		at.flags = 1ull << 50;
		NEED_ERR(syscall(SYS_sched_setattr, 0, &at, 0), EINVAL);
		NEED_ERR(getpriority(9, 0), EINVAL);
		NEED_ERR(getpriority(PRIO_PROCESS, 0x7fffff), ESRCH);
		NEED_ERR(setpriority(9, 0, 0), EINVAL);
		NEED_ERR(setpriority(PRIO_PROCESS, 0x7fffff, 0), ESRCH);
		NEED(!setpriority(PRIO_PROCESS, 0, 100) && getpriority(PRIO_PROCESS, 0) == 19);
	END_CHILD;
}

TEST(descriptors)
{
	int fds[2];

	CHILD
		NEED_ERR(dup(-1), EBADF);
		NEED_ERR(dup2(-1, 5), EBADF);
		NEED_ERR(dup2(0, -1), EBADF);
		NEED_ERR(syscall(SYS_dup3, 0, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_dup3, 0, 5, 1), EINVAL);
		NEED_ERR(syscall(SYS_dup3, 99, 5, 0), EBADF);
		NEED(syscall(SYS_dup3, 0, 20, O_CLOEXEC) == 20 && fcntl(20, F_GETFD) == FD_CLOEXEC);
		NEED(dup2(0, 0) == 0);
		NEED_ERR(dup2(33, 33), EBADF);
		NEED_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
		NEED_ERR(syscall(SYS_close_range, 5, 6, 64), EINVAL);
		NEED(!pipe(fds) &&
		     !syscall(SYS_close_range, (unsigned)fds[0], (unsigned)fds[0], CLOSE_RANGE_CLOEXEC));
		NEED(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(fds[1], F_GETFD) == 0);
		NEED(!syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE));
		NEED_ERR(fcntl(fds[1], F_GETFD), EBADF);
		NEED_ERR(close(-1), EBADF);
		NEED_ERR(fcntl(0, 9999, 0), EINVAL);
		NEED_ERR(fcntl(-1, F_GETFL), EBADF);
		NEED_ERR(fcntl(0, F_DUPFD, -1), EINVAL);
		NEED(!pipe(fds));
		NEED_ERR(syscall(SYS_ioctl, fds[0], 0x7777, 0), ENOTTY);
		// kcmp says what is shared
		long r = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 1);
		if (!(r == -1 && errno == ENOSYS)) {
			NEED(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0) == 0);
			NEED(syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0) == 0);
			NEED_ERR(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 999), EBADF);
			NEED_ERR(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), EINVAL);
			NEED_ERR(syscall(SYS_kcmp, getpid(), 0x7fffff, KCMP_VM, 0, 0), ESRCH);
		}
	END_CHILD;
}

TEST(system)
{
	struct utsname u;
	struct sysinfo s;
	char buf[300];
	unsigned cpu, node;

	CHILD
		NEED_ERR(syscall(SYS_uname, BAD), EFAULT);
		NEED(!uname(&u) && !strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"));
		NEED_ERR(syscall(SYS_sysinfo, BAD), EFAULT);
		NEED(!sysinfo(&s) && s.totalram && s.procs > 0 && s.mem_unit);
		NEED(!syscall(SYS_getcpu, &cpu, &node, NULL) && node == 0);
		NEED_ERR(syscall(SYS_getcpu, BAD, NULL, NULL), EFAULT);
		NEED(!syscall(SYS_getcpu, NULL, NULL, NULL));
		NEED_ERR(syscall(SYS_getrandom, buf, 8, 0x100), EINVAL);
		NEED_ERR(syscall(SYS_getrandom, buf, 8, 6), EINVAL);
		NEED_ERR(syscall(SYS_getrandom, BAD, 8, 0), EFAULT);
		NEED(syscall(SYS_getrandom, buf, 256, 0) == 256 && syscall(SYS_getrandom, buf, 0, 0) == 0);
		NEED(personality(0xffffffff) == 0 && personality(ADDR_NO_RANDOMIZE) == 0);
		NEED(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
		NEED_ERR(syscall(SYS_reboot, 1, 2, 3, 0), geteuid() ? EPERM : EINVAL);
		NEED_ERR(syscall(SYS_syslog, 99, buf, 10), EINVAL);
		NEED_ERR(syscall(SYS_syslog, 3, NULL, 10), EINVAL);
		NEED_ERR(syscall(SYS_syslog, 3, buf, -1), EINVAL);
		NEED_ERR(syscall(SYS_syslog, 8, NULL, 9), EINVAL);
		NEED(syscall(SYS_syslog, 10, NULL, 0) > 0);
		NEED(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) >= 0);
		NEED_ERR(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
		NEED_ERR(syscall(SYS_unshare, 1), EINVAL);
		NEED_ERR(syscall(SYS_setns, -1, 0), EBADF);
		NEED_ERR(syscall(SYS_setns, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_ioprio_get, 9, 0), EINVAL);
		NEED_ERR(syscall(SYS_ioprio_get, 1, 0x7fffff), ESRCH);
		NEED_ERR(syscall(SYS_ioprio_set, 1, 0, 7 << 13), EINVAL);
		NEED(!syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3) &&
		     syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 3));
		if (!geteuid()) {
			NEED_ERR(sethostname("x", (size_t)-1), EINVAL);
			NEED_ERR(sethostname(buf, 65), EINVAL);
			NEED_ERR(syscall(SYS_sethostname, BAD, 5), EFAULT);
			NEED_ERR(syscall(SYS_setdomainname, BAD, 5), EFAULT);
			NEED(!become(NOBODY));
		}
		NEED_ERR(sethostname("x", 1), EPERM);
		NEED_ERR(setdomainname("x", 1), EPERM);
		NEED_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0), EPERM);
		NEED_ERR(syscall(SYS_vhangup), EPERM);
		NEED(syscall(SYS_swapon, "/x", 0) == -1 && (errno == EPERM || errno == ENOSYS));
	END_CHILD;
}
