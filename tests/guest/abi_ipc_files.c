// SPDX-License-Identifier: BSD-2-Clause
// Pipes and event files: limits and what each call refuses.
#include "abi.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define BAD ((void *)8)
#ifndef MSG_COPY // musl
#define MSG_COPY 040000
#endif

static int ioctl_pending(int fd, int *n)
{
	return (int)syscall(SYS_ioctl, fd, 0x541b, n); // FIONREAD
}

TEST(pipes)
{
	int fds[2], n;
	char big[70000] = {0};

	CHILD
		NEED_ERR(syscall(SYS_pipe2, fds, 0x1000000), EINVAL);
		NEED_ERR(syscall(SYS_pipe2, BAD, 0), EFAULT);
		NEED(!pipe2(fds, O_NONBLOCK | O_CLOEXEC) && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
		NEED_ERR(read(fds[0], big, 1), EAGAIN);
		NEED_ERR(write(fds[0], big, 1), EBADF);
		NEED_ERR(read(fds[1], big, 1), EBADF);
		NEED_ERR(lseek(fds[0], 0, SEEK_SET), ESPIPE);
		NEED_ERR(pread(fds[0], big, 1, 0), ESPIPE);
		NEED(fcntl(fds[0], F_GETPIPE_SZ) == 65536);
		NEED(write(fds[1], big, sizeof big) == 65536);
		NEED_ERR(write(fds[1], big, 1), EAGAIN);
		NEED(read(fds[0], big, 100) == 100);
		NEED_ERR(write(fds[1], big, 200), EAGAIN); // small ones are whole or not at all
		NEED_ERR(fcntl(fds[0], F_SETPIPE_SZ, 4096), EBUSY);
		NEED_ERR(fcntl(fds[0], F_SETPIPE_SZ, -1), EINVAL);
		NEED_ERR(fcntl(0x7fff, F_SETPIPE_SZ, 4096), EBADF);
		while (read(fds[0], big, sizeof big) > 0)
			;
		NEED(fcntl(fds[0], F_SETPIPE_SZ, 5000) == 8192 && fcntl(fds[1], F_GETPIPE_SZ) == 8192);
		NEED(write(fds[1], big, 1) == 1);
		NEED_ERR(read(fds[0], BAD, 1), EFAULT);
		NEED(write(fds[1], big, 1) == 1 && read(fds[0], big, 1) == 1);
		NEED(!ioctl_pending(fds[0], &n) && n == 1);
		close(fds[0]);
		signal(SIGPIPE, SIG_IGN);
		NEED_ERR(write(fds[1], big, 1), EPIPE);
		close(fds[1]);
		NEED(!pipe2(fds, O_DIRECT)); // packets
		NEED(write(fds[1], "abc", 3) == 3 && write(fds[1], "de", 2) == 2);
		NEED(read(fds[0], big, 2) == 2 && read(fds[0], big, 9) == 2);
		NEED(!scratch_enter() && !mkfifo("fifo", 0600));
		NEED_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
		int r = open("fifo", O_RDONLY | O_NONBLOCK), w = open("fifo", O_WRONLY);
		NEED(r >= 0 && w >= 0 && !close(w) && read(r, big, 1) == 0);
	END_CHILD;
}

TEST(epolls)
{
	struct epoll_event e = {.events = EPOLLIN}, out[4];
	int ep, ep2, fds[2];

	CHILD
		NEED_ERR(syscall(SYS_epoll_create, 0), EINVAL);
		NEED_ERR(epoll_create1(1), EINVAL);
		NEED((ep = epoll_create1(EPOLL_CLOEXEC)) >= 0 && (ep2 = epoll_create1(0)) >= 0 && !pipe(fds));
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, -1, &e), EBADF);
		NEED_ERR(epoll_ctl(-1, EPOLL_CTL_ADD, fds[0], &e), EBADF);
		NEED_ERR(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &e), EINVAL);
		NEED_ERR(epoll_ctl(ep, 9, fds[0], &e), EINVAL);
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e), ENOENT);
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], &e), ENOENT);
		NEED_ERR(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], BAD), EFAULT);
		NEED(!epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), EEXIST);
		int file = open("/proc/self/exe", O_RDONLY);
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
		NEED_ERR(epoll_wait(ep, out, 0, 0), EINVAL);
		NEED_ERR(epoll_wait(fds[0], out, 1, 0), EINVAL);
		NEED_ERR(epoll_wait(-1, out, 1, 0), EBADF);
		NEED(epoll_wait(ep, out, 4, 0) == 0);
		NEED(!epoll_ctl(ep2, EPOLL_CTL_ADD, ep, &e));
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &e), ELOOP);
		NEED(write(fds[1], "x", 1) == 1 && epoll_wait(ep2, out, 4, 0) == 1 &&
		     epoll_wait(ep, out, 4, 0) == 1);
		NEED_ERR(syscall(SYS_epoll_wait, ep, BAD, 1, 0), EFAULT);
		e.events = EPOLLIN | EPOLLONESHOT;
		NEED(!epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e) && epoll_wait(ep, out, 4, 0) == 1 &&
		     epoll_wait(ep, out, 4, 0) == 0);
		e.events = EPOLLIN | EPOLLEXCLUSIVE;
		NEED_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e), EINVAL);
		NEED_ERR(epoll_ctl(ep2, EPOLL_CTL_ADD, epoll_create1(0), &e), EINVAL);
		NEED(!epoll_ctl(ep2, EPOLL_CTL_ADD, fds[0], &e));
		e.events = EPOLLIN;
		NEED_ERR(epoll_ctl(ep2, EPOLL_CTL_MOD, fds[0], &e), EINVAL);
		int chain = epoll_create1(0), i;
		for (i = 0; i < 10; i++) { // nesting has an end
			int next = epoll_create1(0);
			if (epoll_ctl(next, EPOLL_CTL_ADD, chain, &e))
				break;
			chain = next;
		}
		NEED_EQ(i, 4);
		struct timespec ts = {0, -1};
		NEED_ERR(syscall(SYS_epoll_pwait2, ep, out, 1, &ts, NULL, 0), EINVAL);
	END_CHILD;
}

TEST(event_files)
{
	struct itimerspec it = {.it_value = {0, 1000000}};
	uint64_t v;
	sigset_t set;
	int fd;

	CHILD
		NEED_ERR(eventfd(0, 1 << 20), EINVAL);
		NEED((fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0);
		NEED_ERR(read(fd, &v, 4), EINVAL);
		NEED(read(fd, &v, 8) == 8 && v == 1);
		v = ~0ull;
		NEED_ERR(write(fd, &v, 8), EINVAL);
		v = ~0ull - 1;
		NEED_ERR(write(fd, &v, 8), EAGAIN);
		NEED_ERR(write(fd, &v, 7), EINVAL);
		NEED_ERR(timerfd_create(99, 0), EINVAL);
		NEED_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
		NEED_ERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
		NEED_ERR(timerfd_settime(-1, 0, &it, NULL), EBADF);
		NEED((fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) >= 0);
		NEED_ERR(timerfd_settime(fd, 8, &it, NULL), EINVAL);
		NEED_ERR(syscall(SYS_timerfd_settime, fd, 0, NULL, NULL), EFAULT);
		it.it_value.tv_nsec = 1000000000;
		NEED_ERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
		NEED_ERR(read(fd, &v, 8), EAGAIN);
		it.it_value.tv_nsec = 1000000;
		NEED(!timerfd_settime(fd, 0, &it, NULL) && (pause_ms(5), read(fd, &v, 8) == 8) && v == 1);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		NEED_ERR(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
		NEED_ERR(signalfd(0, &set, 0), EINVAL);
		NEED_ERR(signalfd(-1, &set, 1), EINVAL);
		NEED_ERR(syscall(SYS_signalfd4, -1, BAD, 8, 0), EFAULT);
		NEED((fd = signalfd(-1, &set, SFD_NONBLOCK)) >= 0);
		struct signalfd_siginfo si;
		NEED_ERR(read(fd, &si, sizeof si), EAGAIN);
		NEED_ERR(read(fd, &si, 8), EINVAL);
		NEED(!raise(SIGUSR1) && read(fd, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR1 &&
		     si.ssi_pid == (unsigned)getpid());
	END_CHILD;
}
