// SPDX-License-Identifier: BSD-2-Clause
// Moving data between descriptors, the ends of what positions can say, leases.
#include "abi.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/uio.h>

TEST(positions_at_the_end_of_all_files)
{
	const long long last = 0x7fffffffffffffffll;
	struct iovec vec = {"x", 1};
	off_t in, out;
	char c;

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600),
	    to = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);

	EXPECT(fd >= 0 && to >= 0);
	EXPECT_EQ(write(fd, "0123456789", 10), 10);
	EXPECT_ERR(pwrite(fd, "x", 1, last), EINVAL);
	EXPECT_ERR(pwrite(fd, "xy", 2, last - 1), EINVAL);
	EXPECT_ERR(pread(fd, &c, 1, last), EINVAL);
	EXPECT_ERR(pwritev(fd, &vec, 1, last), EINVAL);
	EXPECT_EQ(pread(fd, &c, 1, last - 1), 0);
	EXPECT_EQ(lseek(fd, 5, SEEK_SET), 5);
	EXPECT_ERR(lseek(fd, last, SEEK_CUR), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5);
	in = 0, out = last;
	EXPECT_ERR(copy_file_range(fd, &in, to, &out, 4, 0), EFBIG);
	in = 1, out = 0;
	EXPECT_ERR(copy_file_range(fd, &in, to, &out, ~0ul, 0), EOVERFLOW);
	in = 0;
	EXPECT_EQ(copy_file_range(fd, &in, to, &out, ~0ul, 0), 10);
	close(fd);
	close(to);
}

TEST(what_cannot_be_spliced)
{
	int pipe_[2], pair[2], event = eventfd(1, 0), watch = inotify_init(),
			       zero = open("/dev/zero", O_RDONLY);

	EXPECT_EQ(pipe(pipe_), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_ERR(splice(event, NULL, pipe_[1], NULL, 8, 0), EINVAL);
	EXPECT_ERR(splice(watch, NULL, pipe_[1], NULL, 8, 0), EINVAL);
	EXPECT_EQ(splice(zero, NULL, pipe_[1], NULL, 8, 0), 8);
	EXPECT_ERR(splice(pipe_[0], NULL, event, NULL, 8, 0), EINVAL);
	EXPECT_EQ(splice(pipe_[0], NULL, pair[0], NULL, 8, 0), 8);
	EXPECT_ERR(splice(pair[0], NULL, pipe_[1], NULL, 8, SPLICE_F_NONBLOCK), EAGAIN);
	EXPECT_EQ(splice(pair[1], NULL, pipe_[1], NULL, 8, SPLICE_F_NONBLOCK), 8);
	EXPECT_ERR(splice(pipe_[0], NULL, pair[0], &(loff_t){0}, 8, 0), EINVAL); // no positions there
	EXPECT_ERR(splice(pair[1], &(loff_t){0}, pipe_[1], NULL, 8, 0), EINVAL);
	EXPECT_ERR(splice(pipe_[0], &(loff_t){0}, pair[0], NULL, 8, 0), ESPIPE);
	for (int n = 0; n < 2; n++)
		close(pipe_[n]), close(pair[n]);
	close(event);
	close(watch);
	close(zero);
}

// ---- leases ----

static volatile sig_atomic_t told, told_fd, told_code;

static void on_lease(int sig, siginfo_t *info, void *context)
{
	told++;
	told_fd = info->si_fd;
	told_code = info->si_code;
}

// A child opens "leased" with FLAGS; its exit status is 0 or errno.
static pid_t opener(int flags)
{
	pid_t pid = fork();

	if (!pid)
		_exit(open("leased", flags) >= 0 ? 0 : errno);
	return pid;
}

static int status_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(leases_and_who_may_have_them)
{
	EXPECT_EQ(scratch_enter(), 0);
	EXPECT_EQ(touch("leased", 0644), 0);
	int fd = open("leased", O_RDONLY), dir = open(".", O_RDONLY | O_DIRECTORY),
	    path = open("leased", O_PATH), p[2];

	EXPECT_EQ(pipe(p), 0);
	EXPECT_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	EXPECT_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	EXPECT_ERR(fcntl(fd, F_SETLEASE, 77), EINVAL);
	EXPECT_ERR(fcntl(-1, F_SETLEASE, F_RDLCK), EBADF);
	EXPECT_ERR(fcntl(path, F_SETLEASE, F_RDLCK), EBADF);
	EXPECT_ERR(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
	EXPECT_ERR(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	EXPECT_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	EXPECT_EQ(fcntl(fd, F_GETOWN), getpid());
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0); // nobody else has it open
	EXPECT_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	int again = open("leased", O_RDONLY);
	EXPECT_ERR(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	EXPECT_EQ(fcntl(again, F_SETLEASE, F_RDLCK), 0);
	close(again); // with its lease
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	close(fd);
	fd = open("leased", O_RDWR);
	EXPECT_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	close(fd);
	if (!geteuid()) {
		CHILD
			{
				int own;

				NEED((own = open("leased", O_RDONLY)) >= 0);
				NEED_EQ(become(NOBODY), 0);
				NEED_ERR(fcntl(own, F_SETLEASE, F_RDLCK), EACCES);
			}
		END_CHILD;
	}
	close(dir), close(path), close(p[0]), close(p[1]);
}

TEST(leases_are_broken)
{
	static const struct {
		int held, flags, wants, left;
	} cases[] = {
		{F_RDLCK, O_WRONLY, F_UNLCK, F_UNLCK}, {F_RDLCK, O_RDWR, F_UNLCK, F_UNLCK},
		{F_WRLCK, O_RDONLY, F_RDLCK, F_RDLCK}, {F_WRLCK, O_RDONLY, F_RDLCK, F_UNLCK},
		{F_WRLCK, O_WRONLY, F_UNLCK, F_UNLCK}, {F_RDLCK, O_RDONLY, -1, F_RDLCK},
	};
	struct sigaction a = {.sa_sigaction = on_lease, .sa_flags = SA_SIGINFO};
	sigset_t set, old;

	EXPECT_EQ(scratch_enter(), 0);
	unlink("leased");
	EXPECT_EQ(touch("leased", 0644), 0);
	int fd = open("leased", O_RDONLY);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	sigaction(SIGUSR1, &a, NULL);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		told = 0;
		EXPECT_EQ(fcntl(fd, F_SETLEASE, cases[i].held), 0);
		EXPECT_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
		if (cases[i].wants >= 0)
			EXPECT_EQ(status_of(opener(cases[i].flags | O_NONBLOCK)),
				  EWOULDBLOCK); // and starts the break
		pid_t pid = opener(cases[i].flags);
		while (cases[i].wants >= 0 && !told)
			sigsuspend(&old);
		if (cases[i].wants >= 0) {
			EXPECT_EQ(told_fd, fd);
			EXPECT_EQ(fcntl(fd, F_GETLEASE), cases[i].wants);
			EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
			EXPECT_EQ(fcntl(fd, F_SETLEASE, cases[i].left), 0);
		}
		EXPECT_EQ(status_of(pid), 0);
		EXPECT_EQ(told, cases[i].wants >= 0); // once
		EXPECT_EQ(fcntl(fd, F_GETLEASE), cases[i].left);
		if (cases[i].left != F_UNLCK)
			EXPECT_EQ(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
		EXPECT_EQ(fcntl(fd, F_GETSIG), 0); // goes with the lease, and so does the owner
		EXPECT_EQ(fcntl(fd, F_GETOWN), 0);
	}
	EXPECT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	EXPECT_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	told = 0;
	pid_t pid = fork();
	if (!pid)
		_exit(close(fd) || truncate("leased", 3) ? errno : 0); // a copy would keep the lease
	while (!told)
		sigsuspend(&old);
	close(fd);
	EXPECT_EQ(status_of(pid), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static int copy_program(const char *name, int flags)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_CREAT | O_TRUNC | flags, 0755);
	char buf[4096];
	ssize_t n;

	while ((n = read(from, buf, sizeof buf)) > 0)
		if (write(to, buf, (size_t)n) != n)
			return -1;
	close(from);
	return n ? -1 : to;
}

// What runs is not written, and what is written does not run.
TEST(text_busy)
{
	char *const args[] = {(char *)"copy", (char *)"no test of this name", NULL};
	int fd, status;
	pid_t pid;

	EXPECT_ERR(open("/proc/self/exe", O_RDWR), ETXTBSY);
	EXPECT_ERR(open("/proc/self/exe", O_WRONLY), ETXTBSY);
	EXPECT_ERR(open("/proc/self/exe", O_RDONLY | O_TRUNC), ETXTBSY);
	EXPECT_ERR(truncate("/proc/self/exe", 0), ETXTBSY);
	CHILD
		NEED(!scratch_enter());
		NEED((fd = copy_program("copy", O_WRONLY)) >= 0);
		NEED_ERR(execv("copy", args), ETXTBSY);
		close(fd);
		NEED((fd = open("copy", O_RDONLY)) >= 0); // readers are in nobody's way
		pid = fork();
		if (!pid) {
			dup2(open("/dev/null", O_WRONLY), 1);
			execv("copy", args);
			_exit(9);
		}
		NEED(waitpid(pid, &status, 0) == pid);
		NEED_EQ(status, 1 << 8);
		close(fd);
		NEED((fd = open("copy", O_WRONLY)) >= 0);
	END_CHILD;
}

// A memory file runs although the descriptor that filled it could write it still.
TEST(text_of_memory)
{
	char *const args[] = {(char *)"memory", (char *)"no test of this name", NULL};
	int status, from, to;
	char buf[4096];
	ssize_t n;
	pid_t pid;

	from = open("/proc/self/exe", O_RDONLY);
	to = (int)syscall(SYS_memfd_create, "text", 0);
	while ((n = read(from, buf, sizeof buf)) > 0)
		EXPECT(write(to, buf, (size_t)n) == n);
	close(from);
	pid = fork();
	if (!pid) {
		dup2(open("/dev/null", O_WRONLY), 1);
		fexecve(to, args, args + 2);
		_exit(9);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 1 << 8);
	close(to);
}

// pwritev2 with RWF_APPEND writes at the end; the descriptor's position follows only where it was asked for.
TEST(append_once)
{
	struct iovec v = {.iov_base = (char *)"xyz", .iov_len = 3};
	int fd = (int)syscall(SYS_memfd_create, "f", 0);

	EXPECT(write(fd, "0123456789", 10) == 10 && !lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(syscall(SYS_pwritev2, fd, &v, 1, 0L, 0L, 0x10), 3);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(syscall(SYS_pwritev2, fd, &v, 1, -1L, -1L, 0x10), 3);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 16);
	close(fd);
}
