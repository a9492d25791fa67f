// SPDX-License-Identifier: BSD-2-Clause
// Owners of files and the signals they get: SIGIO and F_SETSIG, SIGURG, F_NOTIFY on directories; and signals
// by a descriptor of /proc/PID.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif

static volatile sig_atomic_t count, last_code, last_fd, last_band, last_tid;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	count++;
	last_code = info->si_code;
	last_fd = info->si_fd;
	last_band = (int)info->si_band;
	last_tid = (int)syscall(SYS_gettid);
}

static void catch (int sig)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	sigaction(sig, &sa, NULL);
	count = 0;
}

static bool counted(int n)
{
	for (int i = 0; i < 200 && count < n; i++)
		pause_ms(10);
	return count == n;
}

TEST(owner_values)
{
	struct f_owner_ex o;
	int fds[2], fd, gone;
	pid_t pid;

	pipe(fds);
	fd = fds[0];
	EXPECT_EQ(fcntl(fd, F_GETOWN), 0);
	EXPECT_EQ(fcntl(fd, F_SETOWN, getpid()), 0);
	EXPECT_EQ(fcntl(fd, F_GETOWN), getpid());
	EXPECT_EQ(fcntl(fd, F_GETOWN_EX, &o), 0);
	EXPECT_EQ(o.type, F_OWNER_PID);
	EXPECT_EQ(o.pid, getpid());
	o = (struct f_owner_ex){.type = F_OWNER_TID, .pid = (int)syscall(SYS_gettid)};
	EXPECT_EQ(fcntl(fd, F_SETOWN_EX, &o), 0);
	EXPECT_EQ(fcntl(fd, F_GETOWN), o.pid);
	o = (struct f_owner_ex){.type = F_OWNER_PGRP, .pid = getpgrp()};
	EXPECT_EQ(fcntl(fd, F_SETOWN_EX, &o), 0);
	o.pid = 0;
	EXPECT_EQ(fcntl(fd, F_GETOWN_EX, &o), 0);
	EXPECT_EQ(o.type, F_OWNER_PGRP);
	EXPECT_EQ(o.pid, getpgrp());
	EXPECT_ERR(fcntl(fd, F_SETOWN, INT32_MIN), EINVAL);
	o.type = 7;
	EXPECT_ERR(fcntl(fd, F_SETOWN_EX, &o), EINVAL);
	EXPECT_ERR(fcntl(fd, F_SETSIG, 65), EINVAL);
	EXPECT_EQ(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	EXPECT_EQ(fcntl(fd, F_GETSIG), SIGUSR1);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(fcntl(fd, F_SETOWN, pid), 0);
	EXPECT_EQ(fcntl(fd, F_GETOWN), pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	gone = fcntl(fd, F_GETOWN);
	EXPECT_EQ(gone, 0);
	EXPECT_ERR(fcntl(fd, F_SETOWN, pid), ESRCH);
	close(fds[0]);
	close(fds[1]);
}

TEST(pipe_tells_at_once)
{
	int fds[2], n;
	char b[8];

	catch (SIGIO);
	pipe(fds);
	fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	write(fds[1], "a", 1);
	EXPECT_EQ(count, 0); // nobody owns it
	read(fds[0], b, 1);
	EXPECT_EQ(fcntl(fds[0], F_SETOWN, getpid()), 0);
	EXPECT(fcntl(fds[0], F_GETFL) & O_ASYNC);
	write(fds[1], "a", 1);
	n = count;
	EXPECT_EQ(n, 1);
	EXPECT_EQ(last_code, SI_KERNEL);
	write(fds[1], "a", 1);
	EXPECT_EQ(count, 2);
	fcntl(fds[0], F_SETSIG, SIGRTMIN + 1);
	catch (SIGRTMIN + 1);
	write(fds[1], "a", 1);
	EXPECT_EQ(count, 1);
	EXPECT_EQ(last_code, POLL_IN);
	EXPECT_EQ(last_fd, fds[0]);
	EXPECT_EQ(last_band, POLLIN | POLLRDNORM);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	write(fds[1], "a", 1);
	EXPECT_EQ(count, 1);
	n = 1;
	EXPECT_EQ(ioctl(fds[0], FIOASYNC, &n), 0);
	close(fds[1]);
	EXPECT_EQ(count, 2); // the end of the writers
	close(fds[0]);
}

static volatile int helper_tid;
static volatile bool helper_stop;

static void *helper(void *arg)
{
	helper_tid = (int)syscall(SYS_gettid);
	while (!helper_stop)
		pause_ms(5);
	return NULL;
}

TEST(one_thread_is_told)
{
	struct f_owner_ex o = {.type = F_OWNER_TID};
	pthread_t t;
	int fds[2];

	catch (SIGIO);
	helper_tid = 0;
	helper_stop = false;
	pthread_create(&t, NULL, helper, NULL);
	while (!helper_tid)
		sched_yield();
	o.pid = helper_tid;
	pipe(fds);
	EXPECT_EQ(fcntl(fds[0], F_SETOWN_EX, &o), 0);
	EXPECT_EQ(fcntl(fds[0], F_SETFL, O_ASYNC), 0);
	write(fds[1], "a", 1);
	EXPECT(counted(1));
	EXPECT_EQ(last_tid, o.pid);
	helper_stop = true;
	pthread_join(t, NULL);
	write(fds[1], "a", 1); // its owner is gone: nothing
	EXPECT_EQ(count, 1);
	close(fds[0]);
	close(fds[1]);
}

TEST(group_is_told)
{
	int fds[2], ready[2], status;
	pid_t pid;
	char c;

	pipe(fds);
	pipe(ready);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		signal(SIGIO, SIG_DFL);
		write(ready[1], "a", 1);
		for (;;)
			pause();
	}
	read(ready[0], &c, 1);
	EXPECT_EQ(fcntl(fds[0], F_SETOWN, -pid), 0);
	EXPECT_EQ(fcntl(fds[0], F_GETOWN), -pid);
	fcntl(fds[0], F_SETFL, O_ASYNC);
	write(fds[1], "a", 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGIO);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(ready[i]);
	}
}

TEST(sockets_inotify_and_terminals)
{
	int sv[2], fd, master, owner = getpid();
	char name[32];

	catch (SIGIO);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	EXPECT_EQ(ioctl(sv[0], FIOSETOWN, &owner), 0);
	owner = 0;
	EXPECT_EQ(ioctl(sv[0], FIOGETOWN, &owner), 0);
	EXPECT_EQ(owner, getpid());
	fcntl(sv[0], F_SETFL, O_ASYNC);
	write(sv[1], "a", 1);
	EXPECT_EQ(count, 1);
	close(sv[0]);
	close(sv[1]);

	count = 0;
	fd = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(fd, "/tmp", IN_CREATE);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC);
	snprintf(name, sizeof name, "/tmp/sigio-%d", getpid());
	close(open(name, O_CREAT | O_WRONLY, 0600));
	unlink(name);
	EXPECT(counted(1));
	close(fd);

	count = 0;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		SKIP("no pseudo terminals");
	grantpt(master);
	unlockpt(master);
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	EXPECT(fd >= 0);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_ASYNC);
	write(master, "line\n", 5);
	EXPECT(counted(1) || count > 1);
	close(fd);
	close(master);
}

TEST(urgent_data)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_STREAM, 0), b;
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sin;
	char c = 0;

	catch (SIGURG);
	EXPECT_EQ(bind(listener, (void *)&sin, len), 0);
	listen(listener, 1);
	getsockname(listener, (void *)&sin, &len);
	EXPECT_EQ(connect(a, (void *)&sin, len), 0);
	b = accept(listener, NULL, NULL);
	EXPECT(b >= 0);
	EXPECT_EQ(fcntl(b, F_SETOWN, getpid()), 0);
	EXPECT_EQ(send(a, "x", 1, MSG_OOB), 1);
	EXPECT(counted(1));
	pause_ms(20);
	EXPECT_EQ(count, 1); // once for each urgent byte
	EXPECT_EQ(recv(b, &c, 1, MSG_OOB), 1);
	EXPECT_EQ(c, 'x');
	close(a);
	close(b);
	close(listener);
}

static void touch(const char *dir, const char *name)
{
	char path[96];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

TEST(directory_notices)
{
	char dir[] = "/tmp/sigio-XXXXXX", cmd[64];
	int fd, null;

	if (access("/proc/sys/fs/dir-notify-enable", F_OK))
		SKIP("no F_NOTIFY here");
	mkdtemp(dir);
	fd = open(dir, O_RDONLY);
	null = open("/dev/null", O_RDONLY);
	EXPECT_ERR(fcntl(null, F_NOTIFY, DN_CREATE), ENOTDIR);
	fcntl(fd, F_SETSIG, SIGRTMIN + 2);
	catch (SIGRTMIN + 2);
	EXPECT_EQ(fcntl(fd, F_NOTIFY, DN_CREATE), 0);
	touch(dir, "a");
	EXPECT_EQ(count, 1);
	EXPECT_EQ(last_code, POLL_MSG);
	EXPECT_EQ(last_fd, fd);
	touch(dir, "b");
	EXPECT_EQ(count, 1); // told once
	EXPECT_EQ(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
	touch(dir, "c");
	touch(dir, "d");
	EXPECT_EQ(count, 3);
	EXPECT_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	touch(dir, "e");
	EXPECT_EQ(count, 3);
	EXPECT_EQ(fcntl(fd, F_NOTIFY, DN_DELETE | DN_RENAME), 0);
	snprintf(cmd, sizeof cmd, "%s/a", dir);
	unlink(cmd);
	EXPECT_EQ(count, 4);
	EXPECT_EQ(fcntl(fd, F_NOTIFY, DN_CREATE), 0);
	close(fd);
	touch(dir, "f");
	EXPECT_EQ(count, 4);
	close(null);
	for (char n = 'b'; n <= 'f'; n++) {
		snprintf(cmd, sizeof cmd, "%s/%c", dir, n);
		unlink(cmd);
	}
	EXPECT_EQ(rmdir(dir), 0);
}

#define SEND(fd, sig) syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0)

TEST(signal_by_proc_directory)
{
	int fd, file, status;
	char path[32];
	pid_t pid;

	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof path, "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	file = open("/proc/self/status", O_RDONLY);
	EXPECT(fd >= 0 && file >= 0);
	EXPECT_EQ(SEND(fd, 0), 0);
	EXPECT_ERR(SEND(file, 0), EBADF);
	EXPECT_EQ(SEND(fd, SIGTERM), 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	EXPECT_ERR(SEND(fd, 0), ESRCH);
	close(fd);
	close(file);
}
