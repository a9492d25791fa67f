// SPDX-License-Identifier: BSD-2-Clause
// Processes: fork and copy-on-write, exec, vfork, posix_spawn, waiting, groups and sessions.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static int status;

// As an exec'd child: prints what it was given and ends with 33.
BEFORE_TESTS(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--child"))
		return;
	for (int i = 2; i < argc; i++)
		printf("%s ", argv[i]);
	printf("%s\n", getenv("MARK") ? getenv("MARK") : "none");
	fflush(stdout);
	_exit(fcntl(100, F_GETFD) == -1 && fcntl(101, F_GETFD) != -1 ? 33 : 34);
}

TEST(fork_and_wait)
{
	pid_t child = fork();

	if (!child)
		_exit(getppid() > 0 ? 42 : 1);
	EXPECT(child > 0);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	EXPECT_ERR(waitpid(child, &status, 0), ECHILD);
	EXPECT_ERR(waitpid(-1, &status, 0), ECHILD);
	EXPECT_ERR(waitpid(-1, &status, 0x12345678), EINVAL);
}

static int data_word = 1;

TEST(copy_on_write)
{
	size_t size = 8 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(p, 5, size);
	data_word = 1;
	pid_t child = fork();

	if (!child) {
		int sum = 0;

		for (size_t i = 0; i < size; i += 4096) {
			sum += p[i] == 5;
			p[i] = 9;
		}
		data_word = 2;
		*shared = sum;
		_exit(p[0] + data_word);
	}
	for (size_t i = 0; i < size; i += 8192)
		p[i] = 7;
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 11);
	EXPECT_EQ(*shared, size / 4096);
	EXPECT(p[0] == 7 && p[4096] == 5 && data_word == 1);
	munmap(p, size);
	munmap(shared, 4096);
}

TEST(killed_child)
{
	siginfo_t i = {0};
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	EXPECT_EQ(waitpid(child, &status, WNOHANG), 0);
	EXPECT_EQ(kill(child, SIGKILL), 0);
	EXPECT_EQ(waitid(P_PID, child, &i, WEXITED | WNOWAIT), 0);
	EXPECT(i.si_pid == child && i.si_code == CLD_KILLED && i.si_status == SIGKILL);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static volatile sig_atomic_t child_code, child_status;

static void on_child(int n, siginfo_t *i, void *c)
{
	child_code = i->si_code;
	child_status = i->si_status;
}

TEST(child_signal)
{
	struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(SIGCHLD, &sa, NULL);
	child_code = 0;
	pid_t child = fork();

	if (!child)
		_exit(9);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(child_code, CLD_EXITED);
	EXPECT_EQ(child_status, 9);
	signal(SIGCHLD, SIG_IGN); // children vanish by themselves, without a signal even where it is blocked
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (!child)
		_exit(0);
	EXPECT_ERR(waitpid(child, &status, 0), ECHILD);
	EXPECT_EQ(sigpending(&pending), 0);
	EXPECT(!sigismember(&pending, SIGCHLD));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGCHLD, SIG_DFL);
}

TEST(stop_and_continue)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	EXPECT_EQ(kill(child, SIGSTOP), 0);
	EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	EXPECT_EQ(kill(child, SIGCONT), 0);
	EXPECT_EQ(waitpid(child, &status, WCONTINUED), child);
	EXPECT(WIFCONTINUED(status));
	kill(child, SIGTERM);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

// Runs ourselves by START with an output pipe; the text that the child prints goes to TEXT.
static char text[256];

static int collect(int fd, pid_t child)
{
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *child_args[] = {"process", "--child", "one", "two three", NULL};
static char *child_env[] = {"MARK=flag", "PATH=/usr/bin:/bin", NULL};

TEST(exec)
{
	int p[2];

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(dup2(p[1], 101), 101);
	EXPECT_EQ(dup3(p[1], 100, O_CLOEXEC), 100);
	pid_t child = fork();

	if (!child) {
		dup2(p[1], 1);
		close(p[0]), close(p[1]);
		execve("/proc/self/exe", child_args, child_env);
		_exit(99);
	}
	close(p[1]), close(100), close(101);
	EXPECT_EQ(collect(p[0], child), 33);
	EXPECT(!strcmp(text, "one two three flag\n"));
}

TEST(exec_failures)
{
	EXPECT_ERR(execve("/no/such/file", child_args, child_env), ENOENT);
	EXPECT_ERR(execve("/etc/passwd", child_args, child_env), EACCES);
	EXPECT_ERR(execve("/etc", child_args, child_env), EACCES);
	EXPECT_ERR(execve("/etc/passwd/x", child_args, child_env), ENOTDIR);
	char name[] = "/tmp/exec-XXXXXX";
	int fd = mkstemp(name);

	EXPECT_EQ(write(fd, "nonsense that is no program", 27), 27);
	EXPECT_EQ(fchmod(fd, 0755), 0);
	close(fd);
	EXPECT_ERR(execve(name, child_args, child_env), ENOEXEC);
	unlink(name);
}

TEST(vfork_and_exec)
{
	int p[2];

	EXPECT_EQ(pipe(p), 0);
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
	volatile int touched = 0;
	pid_t child = vfork();

	if (!child) {
		touched = 1;
		dup2(p[1], 1);
		execve("/proc/self/exe", child_args, child_env);
		_exit(99);
	}
	EXPECT_EQ(touched, 1); // memory is shared until the exec, and we run only after it
	close(p[1]);
	EXPECT_EQ(collect(p[0], child), 34);
	EXPECT(!strcmp(text, "one two three flag\n"));
}

TEST(spawn)
{
	int p[2];
	pid_t child;
	posix_spawn_file_actions_t a;
	char self[512] = "";

	EXPECT(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&a);
	posix_spawn_file_actions_adddup2(&a, p[1], 1);
	posix_spawn_file_actions_adddup2(&a, p[1], 101);
	EXPECT_EQ(posix_spawn(&child, self, &a, NULL, child_args, child_env), 0);
	close(p[1]);
	EXPECT_EQ(collect(p[0], child), 33);
	EXPECT(!strcmp(text, "one two three flag\n"));
	EXPECT_EQ(posix_spawn(&child, "/no/such", NULL, NULL, child_args, child_env), ENOENT);
	posix_spawn_file_actions_destroy(&a);
}

TEST(many_children)
{
	int sum = 0;

	for (int i = 0; i < 40; i++) {
		pid_t child = fork();

		EXPECT(child >= 0);
		if (!child)
			_exit(i);
	}
	for (int i = 0; i < 40; i++) {
		EXPECT(wait(&status) > 0);
		sum += WEXITSTATUS(status);
	}
	EXPECT_EQ(sum, 780);
}

TEST(orphans)
{
	int p[2];
	pid_t parent_of_orphan = 0;

	EXPECT_EQ(pipe(p), 0);
	pid_t child = fork();

	if (!child) {
		if (!fork()) {
			pid_t first = getppid();

			for (int i = 0; i < 400 && getppid() == first; i++)
				pause_ms(5);
			pid_t now_is = getppid();

			write(p[1], &now_is, sizeof now_is);
			_exit(0);
		}
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(read(p[0], &parent_of_orphan, sizeof parent_of_orphan), sizeof parent_of_orphan);
	EXPECT(parent_of_orphan != child);
	close(p[0]), close(p[1]);
	while (waitpid(-1, NULL, WNOHANG) > 0) // when we are init ourselves, it became ours
		;
}

TEST(death_signal)
{
	int p[2];
	char c;

	EXPECT_EQ(pipe(p), 0);
	pid_t child = fork();

	if (!child) {
		pid_t grandchild = fork();

		if (!grandchild) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			write(p[1], "r", 1);
			for (;;)
				pause();
		}
		pause_ms(30);
		_exit(0);
	}
	close(p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(read(p[0], &c, 1), 0); // end of file once the grandchild is gone
	EXPECT_EQ(waitpid(child, &status, 0), child);
	close(p[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

TEST(groups_and_sessions)
{
	pid_t child = fork();

	if (!child) {
		if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
			_exit(1);
		pid_t member = fork();

		if (!member)
			for (;;)
				pause();
		if (getpgid(member) != getpid())
			_exit(2);
		signal(SIGTERM, SIG_IGN);
		if (kill(0, SIGTERM) || waitpid(member, &status, 0) != member || !WIFSIGNALED(status))
			_exit(3);
		_exit(setsid() == -1 && errno == EPERM ? 0 : 4);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 0);
}

static int clone_child(void *arg)
{
	*(int *)arg = 5;
	return 17;
}

TEST(clone_shares_memory)
{
	static int word;
	char *stack = malloc(65536);
	pid_t child = clone(clone_child, stack + 65536, CLONE_VM | CLONE_FILES | SIGCHLD, &word);

	EXPECT(child > 0);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 17);
	EXPECT_EQ(word, 5);
	free(stack);
}

TEST(pidfd)
{
	pid_t child = fork();

	if (!child) {
		pause_ms(30);
		_exit(8);
	}
	int fd = syscall(SYS_pidfd_open, child, 0);

	EXPECT(fd >= 0);
	siginfo_t i = {0};

	EXPECT_EQ(waitid(3 /* P_PIDFD */, fd, &i, WEXITED), 0);
	EXPECT_EQ(i.si_status, 8);
	close(fd);
}

TEST(resource_usage_of_children)
{
	struct rusage u;
	pid_t child = fork();

	if (!child) {
		volatile long sum = 0;

		for (long i = 0; i < 20000000; i++)
			sum += i;
		_exit(0);
	}
	EXPECT_EQ(wait4(child, &status, 0, &u), child);
	EXPECT(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec > 0);
}
