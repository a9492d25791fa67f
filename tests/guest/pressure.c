// SPDX-License-Identifier: BSD-2-Clause
// Pressure stall information: the files' form, triggers, and that totals grow when threads really stall.
// Linux may be built or booted without it.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define CGROUP "/sys/fs/cgroup/"

static const char *const resources[] = {"cpu", "io", "memory"};

static int pressure_file(const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/pressure/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static bool have_pressure(void)
{
	char text[8];
	int fd = pressure_file("cpu", O_RDONLY);
	bool there = fd >= 0 && read(fd, text, sizeof text) > 0;

	close(fd);
	return there;
}

struct pressure {
	double avg[2][3];
	unsigned long long total[2];
};

static bool parse_pressure(const char *path, struct pressure *p)
{
	char text[512] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), used = 0;
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	return n > 0 &&
	       sscanf(text,
		      "some avg10=%lf avg60=%lf avg300=%lf total=%llu\n"
		      "full avg10=%lf avg60=%lf avg300=%lf total=%llu\n%n",
		      &p->avg[0][0], &p->avg[0][1], &p->avg[0][2], &p->total[0], &p->avg[1][0], &p->avg[1][1],
		      &p->avg[1][2], &p->total[1], &used) == 8 &&
	       used == n;
}

static unsigned long long some(const char *name)
{
	struct pressure p = {0};
	char path[64];

	snprintf(path, sizeof path, "/proc/pressure/%s", name);
	return parse_pressure(path, &p) ? p.total[0] : ~0ull;
}

TEST(form)
{
	if (!have_pressure())
		SKIP("no pressure stall information");
	for (int i = 0; i < 3; i++) {
		struct pressure p;
		char path[64];

		snprintf(path, sizeof path, "/proc/pressure/%s", resources[i]);
		EXPECT(parse_pressure(path, &p));
		for (int d = 0; d < 2; d++)
			for (int k = 0; k < 3; k++)
				EXPECT(p.avg[d][k] >= 0 && p.avg[d][k] <= 100);
		EXPECT(p.total[1] <= p.total[0]);
		snprintf(path, sizeof path, CGROUP "%s.pressure", resources[i]);
		if (!access(path, R_OK))
			EXPECT(parse_pressure(path, &p));
	}
}

TEST(trigger_arguments)
{
	static const char *const bad[] = {
		"",
		"some",
		"some 100000",
		"all 100000 1000000",
		"some x 1000000",
		"some 0 1000000",
		"some 100000 499999",
		"some 100000 10000001",
		"some 1000001 1000000",
	};
	char text[64];
	int fd;

	if (!have_pressure())
		SKIP("no pressure stall information");
	if (geteuid())
		SKIP("not root");
	fd = pressure_file("memory", O_RDWR);
	EXPECT(fd >= 0);
	EXPECT_ERR(write(fd, "", 0), EINVAL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		EXPECT_ERR(write(fd, bad[i], strlen(bad[i]) + 1), EINVAL);
	// The last byte is not looked at: the window is too short.
	EXPECT_ERR(write(fd, "some 10000 1000000", 18), EINVAL);
	EXPECT_EQ(write(fd, "some 100000 2000000", 20), 20);
	EXPECT_ERR(write(fd, "some 100000 2000000", 20), EBUSY);
	EXPECT(pread(fd, text, sizeof text, 0) > 0); // it still reads
	close(fd);
	fd = pressure_file("memory", O_RDWR);
	EXPECT_EQ(write(fd, "full 100000 2000000\n", 20), 20);
	close(fd);
}

TEST(poll_without_trigger)
{
	struct pollfd p = {.events = POLLPRI};

	if (!have_pressure())
		SKIP("no pressure stall information");
	p.fd = pressure_file("io", O_RDONLY);
	EXPECT(p.fd >= 0);
	EXPECT_EQ(poll(&p, 1, 1000), 1);
	EXPECT_EQ(p.revents, POLLPRI | POLLERR);
	close(p.fd);
}

static _Atomic bool stop_spinning;

static void *spin_on_cpu_0(void *arg)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	while (!stop_spinning)
		;
	return NULL;
}

TEST(cpu_contention)
{
	unsigned long long before;
	pthread_t t[3];
	struct pollfd p = {.events = POLLPRI};
	struct epoll_event ev = {.events = EPOLLPRI};
	struct pressure after;
	int ep, rounds = 0;

	if (!have_pressure())
		SKIP("no pressure stall information");
	if (geteuid())
		SKIP("not root");
	before = some("cpu");
	p.fd = pressure_file("cpu", O_RDWR);
	EXPECT_EQ(write(p.fd, "some 150000 2000000", 20), 20);
	ep = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &ev), 0);
	stop_spinning = false;
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, spin_on_cpu_0, NULL), 0);
	EXPECT_EQ(poll(&p, 1, 60000), 1);
	EXPECT_EQ(p.revents, POLLPRI);
	// The next window, by the other way of waiting.
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 60000), 1);
	EXPECT_EQ(ev.events, EPOLLPRI);
	// What the file says may be older than what the trigger knows, by two periods of 2 s at most.
	do {
		EXPECT(parse_pressure("/proc/pressure/cpu", &after));
		pause_ms(100);
	} while ((after.avg[0][0] == 0 || after.total[0] - before < 150000) && ++rounds < 600);
	EXPECT(after.avg[0][0] > 0);
	EXPECT(after.total[0] - before >= 150000);
	stop_spinning = true;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	close(ep);
	close(p.fd);
}

// A process takes all the memory that there is, until it is killed for it.
TEST(memory_shortage)
{
	unsigned long long before = some("memory");
	struct utsname u;
	int status, fd;
	pid_t pid;

	uname(&u);
	if (!strstr(u.release, "cortado"))
		SKIP("the host's memory is not ours to use up");
	pid = fork();
	if (!pid) {
		fd = open("/proc/self/oom_score_adj", O_WRONLY);
		write(fd, "1000", 4);
		for (;;) {
			char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				       0);

			if (p == MAP_FAILED)
				_exit(1);
			memset(p, 1, 1 << 20);
		}
	}
	EXPECT(pid > 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT(some("memory") > before);
}
