// SPDX-License-Identifier: BSD-2-Clause
// What clone(2), clone3(2), unshare(2) and close_range(2) share and do not share, between threads, too.
#include "abi.h"
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sem.h>

#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

// A raw thread: it runs FN and ends; wait_thread() waits for the kernel to say so. It must not use the C
// library's thread-local state beyond errno, which it shares with its maker.
static struct {
	char stack[65536] __attribute__((aligned(64)));
	int (*fn)(void);
	int tid; // cleared by the kernel
	volatile int result;
} raw;

static int raw_main(void *arg)
{
	raw.result = raw.fn();
	return 0;
}

static int raw_thread(int flags, int (*fn)(void))
{
	struct timespec limit = {.tv_sec = 10};

	raw.fn = fn;
	raw.result = -1000;
	raw.tid = 1;
	if (clone(raw_main, raw.stack + sizeof raw.stack, flags | CLONE_CHILD_CLEARTID, NULL, NULL, NULL,
		  &raw.tid) < 0)
		return -errno;
	for (int tid; (tid = __atomic_load_n(&raw.tid, __ATOMIC_SEQ_CST));)
		if (syscall(SYS_futex, &raw.tid, FUTEX_WAIT, tid, &limit, NULL, 0) && errno == ETIMEDOUT)
			break;
	return raw.result;
}

static int fd_shared, fd_made;

static bool is_open(int fd)
{
	return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

static int closes_and_opens(void)
{
	syscall(SYS_close, fd_shared);
	fd_made = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
	return is_open(fd_made) ? 0 : -1;
}

static int changes_directory(void)
{
	syscall(SYS_umask, 0);
	return (int)syscall(SYS_chdir, "/proc");
}

static int where(char *out)
{
	return syscall(SYS_getcwd, out, 100) > 0 ? 0 : -1;
}

TEST(thread_without_files)
{
	CHILD
		fd_shared = open("/dev/null", O_RDONLY);
		NEED_EQ(raw_thread(THREAD | CLONE_FS, closes_and_opens), 0);
		NEED(is_open(fd_shared)); // closed there, not here
		NEED(fd_made == fd_shared && !is_open(fd_made + 1));
		NEED_EQ(raw_thread(THREAD | CLONE_FS | CLONE_FILES, closes_and_opens), 0);
		NEED(fd_made == fd_shared && is_open(fd_made));
		NEED(fcntl(fd_made, F_GETFL) & O_RDWR);
	END_CHILD;
}

TEST(thread_without_directory)
{
	char cwd[100];

	CHILD
		umask(022);
		NEED(!chdir("/"));
		NEED_EQ(raw_thread(THREAD | CLONE_FILES, changes_directory), 0);
		NEED(!where(cwd) && !strcmp(cwd, "/") && umask(022) == 022);
		NEED_EQ(raw_thread(THREAD | CLONE_FILES | CLONE_FS, changes_directory), 0);
		NEED(!where(cwd) && !strcmp(cwd, "/proc") && umask(022) == 0);
	END_CHILD;
}

static pthread_barrier_t barrier;

static void *keeps_what_it_has(void *arg)
{
	char *cwd = arg;

	pthread_barrier_wait(&barrier); // the main thread goes its own way
	pthread_barrier_wait(&barrier);
	where(cwd);
	cwd[99] = (char)is_open(fd_shared);
	pthread_barrier_wait(&barrier);
	return NULL;
}

TEST(unshare_in_one_thread)
{
	char cwd[100] = "";
	pthread_t t;

	CHILD
		fd_shared = open("/dev/null", O_RDONLY);
		NEED(!chdir("/") && !pthread_barrier_init(&barrier, NULL, 2));
		NEED(!pthread_create(&t, NULL, keeps_what_it_has, cwd));
		pthread_barrier_wait(&barrier);
		NEED_ERR(unshare(CLONE_VM), EINVAL);
		NEED_ERR(unshare(CLONE_SIGHAND), EINVAL);
		NEED_ERR(unshare(CLONE_THREAD), EINVAL);
		NEED(!unshare(CLONE_SYSVSEM));
		NEED(!unshare(CLONE_FILES | CLONE_FS) && !close(fd_shared) && !chdir("/proc"));
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		NEED(!strcmp(cwd, "/") && cwd[99]);
		pthread_join(t, NULL);
		// A thread that was joined still takes a moment to leave its group.
		for (int i = 0; i < 5000 && unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD); i++)
			usleep(1000);
		NEED(!unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD));
		NEED_ERR(unshare(0x100 | CLONE_PTRACE), EINVAL);
	END_CHILD;
}

static int compares(void)
{
	pid_t me = (pid_t)syscall(SYS_gettid), first = getpid();

	return (int)(syscall(SYS_kcmp, me, first, KCMP_FILES, 0, 0) != 0) |
	       (int)(syscall(SYS_kcmp, me, first, KCMP_FS, 0, 0) != 0) << 1 |
	       (int)(syscall(SYS_kcmp, me, first, KCMP_FILE, fd_shared, fd_shared) != 0) << 2 |
	       (int)(syscall(SYS_kcmp, me, first, KCMP_VM, 0, 0) != 0) << 3;
}

TEST(kcmp_sees_it)
{
	CHILD
		fd_shared = open("/dev/null", O_RDONLY);
		if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0))
			_exit(0); // a kernel without it
		NEED_EQ(raw_thread(THREAD | CLONE_FILES | CLONE_FS, compares), 0);
		NEED_EQ(raw_thread(THREAD | CLONE_FS, compares), 1);
		NEED_EQ(raw_thread(THREAD | CLONE_FILES, compares), 2);
	END_CHILD;
}

// Two processes have the same adjustments of semaphores as long as neither has any.
TEST(kcmp_semaphores)
{
	CHILD
		struct sembuf up = {.sem_op = 1, .sem_flg = SEM_UNDO};
		pid_t parent = getpid(), pid;
		int status;

		if (syscall(SYS_kcmp, parent, parent, KCMP_VM, 0, 0))
			_exit(0); // a kernel without it
		pid = fork();
		if (!pid) {
			int set = semget(IPC_PRIVATE, 1, 0600);
			long before = syscall(SYS_kcmp, getpid(), parent, KCMP_SYSVSEM, 0, 0);
			int done = semop(set, &up, 1);
			long after = syscall(SYS_kcmp, getpid(), parent, KCMP_SYSVSEM, 0, 0);
			long self = syscall(SYS_kcmp, getpid(), getpid(), KCMP_SYSVSEM, 0, 0);

			semctl(set, 0, IPC_RMID);
			_exit((before != 0) | (done != 0) << 1 | (after != 1 && after != 2) << 2 |
			      (self != 0) << 3);
		}
		NEED(waitpid(pid, &status, 0) == pid);
		NEED_EQ(status, 0);
	END_CHILD;
}

static int close_range_apart(void)
{
	return (int)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE) | is_open(fd_shared);
}

static int close_range_together(void)
{
	return (int)syscall(SYS_close_range, fd_shared, fd_shared, 0);
}

TEST(close_range_unshare)
{
	CHILD
		fd_shared = open("/dev/null", O_RDONLY);
		NEED_EQ(raw_thread(THREAD | CLONE_FS | CLONE_FILES, close_range_apart), 0);
		NEED(is_open(fd_shared));
		NEED_EQ(raw_thread(THREAD | CLONE_FS | CLONE_FILES, close_range_together), 0);
		NEED(!is_open(fd_shared));
	END_CHILD;
}

static int child_exits(void *arg)
{
	close(fd_shared);
	_exit(0);
}

// A process of its own may share the descriptors as well; closing all at its end is not closing ours.
TEST(process_with_files)
{
	CHILD
		int status;
		fd_shared = open("/dev/null", O_RDONLY);
		int other = open("/dev/null", O_RDONLY);
		pid_t p = clone(child_exits, raw.stack + sizeof raw.stack, CLONE_FILES | SIGCHLD, NULL);
		NEED(p > 0 && waitpid(p, &status, 0) == p && !status);
		NEED(!is_open(fd_shared) && is_open(other));
	END_CHILD;
}

static long clone3(struct clone_args *a, size_t size)
{
	return syscall(SYS_clone3, a, size);
}

TEST(flag_combinations)
{
	struct clone_args a = {.exit_signal = SIGCHLD};
	int pidfd = -1;

	CHILD
		NEED_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EINVAL);
		NEED_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &pidfd, 0, 0),
			 EINVAL);
		NEED_ERR(clone3(&a, 63), EINVAL);
		NEED_ERR(clone3(&a, 8192), E2BIG);
		a.exit_signal = 65;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.exit_signal = SIGCHLD;
		a.flags = CLONE_PARENT;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.flags = CLONE_INTO_CGROUP;
		a.cgroup = 1ull << 40;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.cgroup = 999;
		NEED_ERR(clone3(&a, sizeof a), EBADF);
		NEED_ERR(clone3(&a, CLONE_ARGS_SIZE_VER1), EINVAL);
		a.cgroup = (uint64_t)open("/dev/null", O_RDONLY);
		NEED_ERR(clone3(&a, sizeof a), EBADF);
		a.flags = 0;
		a.set_tid_size = 1;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		int tid = -5;
		a.set_tid = (uint64_t)&tid;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
		a.set_tid_size = 33;
		NEED_ERR(clone3(&a, sizeof a), EINVAL);
	END_CHILD;
}

TEST(chosen_id)
{
	struct clone_args a = {.exit_signal = SIGCHLD};

	NEEDS_ROOT;
	CHILD
		int tid = getpid(), status;
		a.set_tid = (uint64_t)&tid;
		a.set_tid_size = 1;
		NEED_ERR(clone3(&a, sizeof a), EEXIST);
		for (tid = 31234; kill(tid, 0) == 0; tid++)
			;
		long p = clone3(&a, sizeof a);
		if (!p)
			_exit(getpid() == 31234 ? 0 : 1);
		NEED(p == tid && waitpid((pid_t)p, &status, 0) == p);
		NEED(tid != 31234 || !status);
		NEED(!become(NOBODY));
		NEED_ERR(clone3(&a, sizeof a), EPERM);
	END_CHILD;
}

TEST(pidfd_of_clone)
{
	CHILD
		int pidfd = -1, status;
		pid_t p = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
		if (!p)
			_exit(7);
		NEED(p > 0 && pidfd >= 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
		siginfo_t si;
		NEED(!waitid(3 /* P_PIDFD */, (id_t)pidfd, &si, WEXITED) && si.si_status == 7 &&
		     si.si_pid == p);
		NEED_ERR(waitpid(p, &status, 0), ECHILD);
	END_CHILD;
}

static int task_link(void)
{
	char name[64];

	snprintf(name, sizeof name, "/proc/self/task/%ld/fd/%d", syscall(SYS_gettid), fd_shared);
	syscall(SYS_close, fd_shared);
	return syscall(SYS_access, name, 0) ? 0 : 1;
}

TEST(proc_shows_the_threads)
{
	CHILD
		char name[64];
		fd_shared = open("/dev/null", O_RDONLY);
		NEED_EQ(raw_thread(THREAD | CLONE_FS, task_link), 0);
		snprintf(name, sizeof name, "/proc/self/task/%d/fd/%d", getpid(), fd_shared);
		NEED(!access(name, F_OK));
	END_CHILD;
}
