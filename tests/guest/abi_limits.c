// SPDX-License-Identifier: BSD-2-Clause
// Limits and usage, scheduling, tables of descriptors, and the machine as a whole.
#include "abi.h"
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

#define BAD ((void *)8)

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
