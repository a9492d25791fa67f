// SPDX-License-Identifier: BSD-2-Clause
// What threads and processes used: getrusage(2), wait4(2), /proc/PID/io.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct io {
	long long rchar, wchar, syscr, syscw, rest[3];
	ssize_t looked; // bytes of this look, which the next one counts
};

static bool look(const char *path, struct io *io)
{
	char text[512];
	int fd = open(path, O_RDONLY);

	io->looked = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	if (io->looked <= 0)
		return false;
	text[io->looked] = 0;
	return sscanf(text,
		      "rchar: %lld\nwchar: %lld\nsyscr: %lld\nsyscw: %lld\nread_bytes: %lld\n"
		      "write_bytes: %lld\ncancelled_write_bytes: %lld\n",
		      &io->rchar, &io->wchar, &io->syscr, &io->syscw, &io->rest[0], &io->rest[1],
		      &io->rest[2]) == 7;
}

// From A to B, without the look at A when the same thread, or process, took it.
static struct io between(const struct io *a, const struct io *b, bool own)
{
	return (struct io){.rchar = b->rchar - a->rchar - (own ? a->looked : 0),
			   .wchar = b->wchar - a->wchar,
			   .syscr = b->syscr - a->syscr - own,
			   .syscw = b->syscw - a->syscw};
}

// Writes 120 bytes in two calls, reads them in three, the last of which fails.
static void *transfer(void *arg)
{
	char b[100] = "";
	struct iovec v[2] = {{b, 30}, {b + 30, 40}};
	int p[2];

	if (pipe2(p, O_NONBLOCK))
		return "pipe2";
	if (write(p[1], b, 50) != 50 || writev(p[1], v, 2) != 70 || read(p[0], b, 100) != 100 ||
	    read(p[0], b, 100) != 20 || read(p[0], b, 1) != -1)
		return "transfers";
	close(p[0]);
	close(p[1]);
	return NULL;
}

TEST(io_of_calls)
{
	struct io a, b, d;
	char page[4096] = "";
	struct iovec v = {page, 10};
	int in, out;

	if (access("/proc/self/io", F_OK))
		SKIP("this kernel does not count");
	EXPECT(look("/proc/self/io", &a) && !transfer(NULL) && look("/proc/self/io", &b));
	d = between(&a, &b, true);
	EXPECT_EQ(d.rchar, 120);
	EXPECT_EQ(d.wchar, 120);
	EXPECT_EQ(d.syscr, 3);
	EXPECT_EQ(d.syscw, 2);

	// What does not get as far as the file is not counted; sendfile is a read and a write.
	in = memfd_create("in", 0);
	out = memfd_create("out", 0);
	EXPECT(in >= 0 && out >= 0);
	EXPECT_EQ(pwrite(in, page, 1000, 0), 1000);
	EXPECT(look("/proc/self/io", &a));
	EXPECT_EQ(sendfile(out, in, NULL, 5000), 1000);
	EXPECT_EQ(pread(out, page, 100, 950), 50);
	EXPECT_EQ(preadv(out, &v, 1, 0), 10);
	EXPECT_ERR(read(-1, page, 1), EBADF);
	EXPECT_ERR(write(in, (char *)-4096L, 4096), EFAULT);
	EXPECT(look("/proc/self/io", &b));
	d = between(&a, &b, true);
	EXPECT_EQ(d.rchar, 1000 + 50 + 10);
	EXPECT_EQ(d.wchar, 1000);
	EXPECT_EQ(d.syscr, 3);
	EXPECT_EQ(d.syscw, 1);
	close(in);
	close(out);
}

static void *transfer_and_look(void *io)
{
	return look("/proc/thread-self/io", io) && !transfer(NULL) ? NULL : io;
}

TEST(io_of_threads)
{
	struct io all, before, own, after, d;
	pthread_t t;
	void *bad;

	if (access("/proc/self/io", F_OK))
		SKIP("this kernel does not count");
	EXPECT(look("/proc/self/io", &all) && look("/proc/thread-self/io", &before));
	EXPECT(!pthread_create(&t, NULL, transfer_and_look, &own) && !pthread_join(t, &bad) && !bad);
	EXPECT_EQ(own.wchar, 0);
	EXPECT_EQ(own.syscw, 0);
	EXPECT(look("/proc/thread-self/io", &after));
	d = between(&before, &after, true);
	EXPECT_EQ(d.wchar, 0);
	EXPECT(look("/proc/self/io", &after)); // a thread that ended counts on
	d = between(&all, &after, true);
	EXPECT_EQ(d.wchar, 120);
	EXPECT_EQ(d.syscw, 2);
}

TEST(io_of_children)
{
	struct io before, alive, waited, d;
	siginfo_t info;
	int pid;

	if (access("/proc/self/io", F_OK))
		SKIP("this kernel does not count");
	EXPECT(look("/proc/self/io", &before));
	pid = fork();
	if (!pid)
		_exit(transfer(NULL) ? 1 : 0);
	EXPECT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	EXPECT(look("/proc/self/io", &alive));
	d = between(&before, &alive, true);
	EXPECT_EQ(d.wchar, 0);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	EXPECT(look("/proc/self/io", &waited));
	d = between(&alive, &waited, true);
	EXPECT_EQ(d.wchar, 120);
	EXPECT_EQ(d.syscw, 2);
	EXPECT(d.rchar >= 120); // and what the child read before
}

// Another user's figures would tell the length of his passwords.
TEST(io_is_private)
{
	int status, pid;

	if (getuid())
		SKIP("needs root");
	if (access("/proc/self/io", F_OK))
		SKIP("this kernel does not count");
	pid = fork();
	if (!pid) {
		char b[10];
		int fd;

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(2);
		fd = open("/proc/1/io", O_RDONLY);
		_exit(fd >= 0 && read(fd, b, sizeof b) >= 0 ? 3 : errno == EACCES ? 0 : 4);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

// Calls as long as these make a sampled share of the kernel jump; neither share may fall for that.
TEST(times_never_fall)
{
	static char b[1 << 18];
	struct timeval user = {0}, system = {0};
	long long cpu_user = 0;
	int zero = open("/dev/zero", O_RDONLY);

	for (int i = 0; i < 600; i++) {
		struct rusage now;
		long long ticks = 0;
		FILE *f;

		EXPECT_EQ(getrusage(RUSAGE_SELF, &now), 0);
		EXPECT(!timercmp(&now.ru_utime, &user, <) && !timercmp(&now.ru_stime, &system, <));
		user = now.ru_utime;
		system = now.ru_stime;
		EXPECT_EQ(read(zero, b, sizeof b), sizeof b);
		if (i % 20)
			continue;
		f = fopen("/proc/stat", "r");
		EXPECT(f && fscanf(f, "cpu %lld", &ticks) == 1 && ticks >= cpu_user);
		cpu_user = ticks;
		fclose(f);
	}
	close(zero);
}

/* Sleep until N switches are counted. One whose time is over before it begins is none: on a busy host, a few
 * are. */
static void *sleep_often(void *n)
{
	struct rusage first, now;

	getrusage(RUSAGE_THREAD, &first);
	for (int i = 0; i < 2000; i++) {
		pause_ms(1);
		getrusage(RUSAGE_THREAD, &now);
		if (now.ru_nvcsw - first.ru_nvcsw >= (long)n)
			break;
	}
	return NULL;
}

TEST(switches)
{
	struct rusage self, thread, kids, after, child;
	pthread_t t;
	int pid;

	EXPECT_EQ(getrusage(RUSAGE_SELF, &self), 0);
	EXPECT_EQ(getrusage(RUSAGE_THREAD, &thread), 0);
	EXPECT(!pthread_create(&t, NULL, sleep_often, (void *)20) && !pthread_join(t, NULL));
	EXPECT_EQ(getrusage(RUSAGE_SELF, &after), 0);
	EXPECT(after.ru_nvcsw >= self.ru_nvcsw + 20); // those of the ended thread
	EXPECT_EQ(getrusage(RUSAGE_THREAD, &after), 0);
	EXPECT(after.ru_nvcsw < thread.ru_nvcsw + 20);
	sleep_often((void *)20);
	EXPECT_EQ(getrusage(RUSAGE_THREAD, &after), 0);
	EXPECT(after.ru_nvcsw >= thread.ru_nvcsw + 20);

	EXPECT_EQ(getrusage(RUSAGE_CHILDREN, &kids), 0);
	pid = fork();
	if (!pid) {
		sleep_often((void *)20);
		_exit(0);
	}
	EXPECT_EQ(wait4(pid, NULL, 0, &child), pid);
	EXPECT(child.ru_nvcsw >= 20);
	EXPECT_EQ(getrusage(RUSAGE_CHILDREN, &after), 0);
	EXPECT_EQ(after.ru_nvcsw - kids.ru_nvcsw, child.ru_nvcsw);
	EXPECT_EQ(after.ru_nivcsw - kids.ru_nivcsw, child.ru_nivcsw);
	EXPECT_EQ(after.ru_inblock - kids.ru_inblock, child.ru_inblock);
	EXPECT_EQ(after.ru_oublock - kids.ru_oublock, child.ru_oublock);
}
