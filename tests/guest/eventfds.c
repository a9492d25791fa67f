// SPDX-License-Identifier: BSD-2-Clause
// eventfd, timerfd, signalfd, inotify, memfd.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

TEST(event_counter)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t v = 4;

	EXPECT_EQ(write(fd, &v, 8), 8);
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_EQ(v, 7);
	EXPECT_ERR(read(fd, &v, 8), EAGAIN);
	EXPECT_ERR(read(fd, &v, 4), EINVAL);
	v = ~0ull;
	EXPECT_ERR(write(fd, &v, 8), EINVAL);
	v--;
	EXPECT_EQ(write(fd, &v, 8), 8);
	v = 1;
	EXPECT_ERR(write(fd, &v, 8), EAGAIN);
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_EQ(v, 1);
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_ERR(read(fd, &v, 8), EAGAIN);
	close(fd);
}

TEST(timer_file)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct itimerspec t = {.it_value = milliseconds(30), .it_interval = milliseconds(10)}, got;
	uint64_t n = 0;
	double start = now();

	EXPECT(fd >= 0);
	EXPECT_ERR(read(fd, &n, 8), EAGAIN);
	EXPECT_EQ(timerfd_settime(fd, 0, &t, NULL), 0);
	EXPECT_EQ(timerfd_gettime(fd, &got), 0);
	EXPECT(got.it_value.tv_nsec > 0 && got.it_value.tv_nsec <= 30000000 &&
	       got.it_interval.tv_nsec == 10000000);
	EXPECT(readable(fd, 2000));
	EXPECT(now() - start >= 0.029);
	pause_ms(60);
	EXPECT_EQ(read(fd, &n, 8), 8);
	EXPECT(n >= 5);
	t = (struct itimerspec){0};
	EXPECT_EQ(timerfd_settime(fd, 0, &t, NULL), 0);
	EXPECT_ERR(read(fd, &n, 8), EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &t.it_value);
	EXPECT_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL), 0); // in the past: at once
	EXPECT(readable(fd, 1000));
	close(fd);
	EXPECT_ERR(timerfd_create(77, 0), EINVAL);
}

TEST(signal_file)
{
	sigset_t s;
	struct signalfd_siginfo i[3];

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &s, NULL);
	int fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);

	EXPECT(fd >= 0);
	EXPECT_ERR(read(fd, i, sizeof i), EAGAIN);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 5});
	EXPECT(readable(fd, 0));
	EXPECT_EQ(read(fd, i, sizeof i), 2 * sizeof *i);
	EXPECT(i[0].ssi_signo == SIGUSR1 && i[0].ssi_pid == (uint32_t)getpid());
	EXPECT(i[1].ssi_signo == (uint32_t)SIGRTMIN + 3 && i[1].ssi_int == 5);
	sigdelset(&s, SIGUSR1);
	EXPECT_EQ(signalfd(fd, &s, 0), fd);
	raise(SIGUSR1);
	EXPECT(!readable(fd, 0));
	close(fd);
	signal(SIGUSR1, SIG_IGN);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static char folder[64], path[128], other[128];

static struct inotify_event *next(int fd)
{
	static char buffer[4096] __attribute__((aligned(8)));
	static ssize_t have, at;

	if (at >= have) {
		at = 0;
		have = readable(fd, 500) ? read(fd, buffer, sizeof buffer) : 0;
		if (have <= 0)
			return NULL;
	}
	struct inotify_event *e = (void *)(buffer + at);

	at += sizeof *e + e->len;
	return e;
}

TEST(file_events)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct inotify_event *e;

	strcpy(folder, "/tmp/watch-XXXXXX");
	EXPECT(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/name", folder);
	snprintf(other, sizeof other, "%s/other", folder);
	int w = inotify_add_watch(fd, folder, IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE | IN_DELETE);

	EXPECT(w > 0);
	EXPECT_ERR(inotify_add_watch(fd, "/no/such", IN_CREATE), ENOENT);
	int file = open(path, O_CREAT | O_WRONLY, 0600);

	EXPECT((e = next(fd)) && e->mask == IN_CREATE && e->wd == w && !strcmp(e->name, "name"));
	write(file, "x", 1);
	EXPECT((e = next(fd)) && e->mask == IN_MODIFY);
	close(file);
	EXPECT((e = next(fd)) && e->mask == IN_CLOSE_WRITE);
	EXPECT_EQ(rename(path, other), 0);
	EXPECT((e = next(fd)) && e->mask == IN_MOVED_FROM && !strcmp(e->name, "name"));
	uint32_t cookie = e->cookie;

	EXPECT((e = next(fd)) && e->mask == IN_MOVED_TO && e->cookie == cookie && cookie);
	EXPECT_EQ(mkdir(path, 0700), 0);
	EXPECT((e = next(fd)) && e->mask == (IN_CREATE | IN_ISDIR));
	rmdir(path);
	EXPECT((e = next(fd)) && e->mask == (IN_DELETE | IN_ISDIR));
	unlink(other);
	EXPECT((e = next(fd)) && e->mask == IN_DELETE && !strcmp(e->name, "other"));
	EXPECT_EQ(inotify_rm_watch(fd, w), 0);
	EXPECT((e = next(fd)) && e->mask == IN_IGNORED);
	EXPECT_ERR(inotify_rm_watch(fd, w), EINVAL);
	close(fd);
	rmdir(folder);
}

TEST(memory_file)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;

	EXPECT(fd >= 0);
	EXPECT_EQ(ftruncate(fd, 8 << 20), 0);
	char *a = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *b = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	EXPECT(a != MAP_FAILED && b != MAP_FAILED);
	memset(a, 7, 4 << 20);
	EXPECT(b[100] == 7 && b[(4 << 20) - 1] == 7 && b[4 << 20] == 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_size == 8 << 20 && st.st_blocks >= 4 << 11);
	EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 << 20), 0);
	EXPECT(a[100] == 0 && b[100] == 0 && a[3 << 20] == 7);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_blocks <= 3 << 11);
	munmap(a, 8 << 20), munmap(b, 8 << 20);
	EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	EXPECT_ERR(ftruncate(fd, 4096), EPERM);
	EXPECT_ERR(ftruncate(fd, 16 << 20), EPERM);
	close(fd);
}
