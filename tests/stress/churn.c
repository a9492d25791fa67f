// SPDX-License-Identifier: BSD-2-Clause
// Everything at once for SECONDS: threads that map, protect and unmap, wait and wake by futex, take signals,
// start processes and pass bytes. Seeded: each thread's choices follow from SEED and its number. Every piece
// of memory is checked against what was written to it. In the end the system must hold as much as after a
// warm-up: free memory and the objects of /proc/slabinfo.
//   churn [SECONDS [SEED [THREADS]]]
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096ul
#define SLOTS 24
#define WORDS 8

static uint64_t seed = 1;
static unsigned nthreads = 8;
static _Atomic uint64_t stop_at, bad, done_ops[8];
static _Atomic uint32_t words[WORDS];
static pthread_t threads[64];
static _Atomic unsigned running;
extern char **environ;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void wrong(const char *what, uint64_t detail)
{
	if (atomic_fetch_add(&bad, 1) < 5)
		printf("not ok churn: %s (%llu)\n", what, (unsigned long long)detail);
}

struct area {
	char *p;
	size_t pages;
	unsigned char mark;
	bool shared;
};

static void mark(struct area *a, unsigned char m)
{
	a->mark = m;
	for (size_t i = 0; i < a->pages; i++)
		a->p[i * PAGE + m] = (char)m;
}

static void check(const struct area *a)
{
	for (size_t i = 0; i < a->pages; i++)
		if ((unsigned char)a->p[i * PAGE + a->mark] != a->mark)
			return wrong("memory changed", i);
}

static void drop(struct area *a)
{
	check(a);
	if (munmap(a->p, a->pages * PAGE))
		wrong("munmap", errno);
	a->p = NULL;
}

static void memory(uint64_t *s, struct area *a)
{
	static const int sizes[] = {1, 2, 7, 64, 300, 1100};

	if (!a->p) {
		a->pages = (size_t)sizes[rnd(s) % 6];
		a->shared = !(rnd(s) & 3);
		a->p = mmap(NULL, a->pages * PAGE, PROT_READ | PROT_WRITE,
			    (a->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
		if (a->p == MAP_FAILED) {
			a->p = NULL;
			return;
		}
		mark(a, (unsigned char)(rnd(s) | 1));
		return;
	}
	switch (rnd(s) % 6) {
	case 0:
		check(a);
		if (mprotect(a->p, a->pages * PAGE, PROT_READ) ||
		    mprotect(a->p, a->pages * PAGE, PROT_READ | PROT_WRITE))
			wrong("mprotect", errno);
		mark(a, (unsigned char)(rnd(s) | 1));
		break;
	case 1:
		madvise(a->p, a->pages * PAGE, MADV_DONTNEED);
		mark(a, (unsigned char)(rnd(s) | 1));
		break;
	case 2:
		madvise(a->p, a->pages * PAGE, rnd(s) & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		check(a);
		break;
	case 3: {
		char *p = mremap(a->p, a->pages * PAGE, a->pages * PAGE * 2, MREMAP_MAYMOVE);

		if (p == MAP_FAILED)
			break;
		a->p = p;
		check(a);
		munmap(p + a->pages * PAGE, a->pages * PAGE);
		break;
	}
	default:
		drop(a);
	}
}

static void futex(uint64_t *s)
{
	_Atomic uint32_t *w = &words[rnd(s) % WORDS];
	struct timespec t = {0, (long)(rnd(s) % 2000000)};

	if (rnd(s) & 1) {
		atomic_fetch_add(w, 1);
		syscall(SYS_futex, w, FUTEX_WAKE, 1 + rnd(s) % 4, NULL, NULL, 0);
	} else if (rnd(s) & 3) {
		syscall(SYS_futex, w, FUTEX_WAIT, atomic_load(w), &t, NULL, 0);
	} else {
		syscall(SYS_futex, w, FUTEX_CMP_REQUEUE, 1, (void *)5ul, &words[rnd(s) % WORDS],
			atomic_load(w));
	}
}

static _Thread_local volatile unsigned handled;

static void handler(int n)
{
	char space[600];

	memset(space, n, sizeof space);
	handled += (unsigned)space[599];
}

static void children(uint64_t *s, struct area *a)
{
	char *argv[] = {"churn", "--child", NULL};
	pid_t pid = -1;
	int status;

	if (rnd(s) & 1) {
		pid = fork();
		if (!pid) {
			if (a->p) {
				for (size_t i = 0; i < a->pages; i++)
					if ((unsigned char)a->p[i * PAGE + a->mark] != a->mark)
						_exit(1);
				if (!a->shared)
					memset(a->p, 0, a->pages * PAGE);
			}
			_exit(7);
		}
	} else if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ)) {
		pid = -1;
	}
	if (pid < 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		wrong("a child ended oddly", (uint64_t)status);
}

static void *brief(void *arg)
{
	return arg;
}

static void streams(uint64_t *s)
{
	char out[5000], in[5000];
	int p[2];
	size_t n = 1 + rnd(s) % sizeof out;

	if (rnd(s) & 1 ? pipe(p) : socketpair(AF_UNIX, SOCK_STREAM, 0, p))
		return;
	memset(out, (int)(rnd(s) & 0x7f), n);
	if (write(p[1], out, n) != (ssize_t)n || read(p[0], in, n) != (ssize_t)n || memcmp(in, out, n))
		wrong("a stream lost bytes", n);
	close(p[0]), close(p[1]);
}

static void *worker(void *arg)
{
	uint64_t s = (seed * 1000003 + (uintptr_t)arg) * 0x9e3779b97f4a7c15ull | 1;
	struct area areas[SLOTS] = {0};
	pthread_t t;

	while (now_ms() < atomic_load(&stop_at)) {
		unsigned what = (unsigned)(rnd(&s) % 64);

		if (what < 30)
			memory(&s, &areas[rnd(&s) % SLOTS]);
		else if (what < 44)
			futex(&s);
		else if (what < 52)
			pthread_kill(threads[rnd(&s) % nthreads], SIGUSR1);
		else if (what < 60)
			streams(&s);
		else if (what < 63) {
			if (!pthread_create(&t, NULL, brief, arg))
				pthread_join(t, NULL);
		} else
			children(&s, &areas[rnd(&s) % SLOTS]);
		atomic_fetch_add_explicit(&done_ops[what / 8], 1, memory_order_relaxed);
	}
	atomic_fetch_sub(&running, 1);
	while (running) // its handle stays good for the signals of others
		usleep(1000);
	for (int i = 0; i < SLOTS; i++)
		if (areas[i].p)
			drop(&areas[i]);
	return NULL;
}

static void run(uint64_t ms)
{
	sigset_t mask;

	atomic_store(&stop_at, now_ms() + ms);
	running = nthreads;
	for (unsigned i = 0; i < nthreads; i++)
		threads[i] = pthread_self();
	for (unsigned i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)i))
			abort();
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
}

// What is only kept for later goes, so that the rest can be compared.
static void settle(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sleep(1);
	if (fd >= 0) {
		write(fd, "3", 1);
		close(fd);
	}
	usleep(300000);
}

static long free_kib(void)
{
	char line[200];
	long n = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && n < 0 && fgets(line, sizeof line, f))
		sscanf(line, "MemFree: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

// Bytes in objects that are in use; -1 when the kernel does not say.
static long live_bytes(bool tell)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	long size, live, sum = 0;
	char name[40], line[300];

	if (!f)
		return -1;
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%39s %ld %*d %ld", name, &live, &size) != 3)
			continue;
		sum += size * live;
		if (tell)
			printf("# %s %ld\n", name, live);
	}
	fclose(f);
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 0) * 1000 : 3000;
	long free_before, free_after, live_before, live_after;

	if (argc > 1 && !strcmp(argv[1], "--child"))
		return 7;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	nthreads = argc > 3 ? (unsigned)atoi(argv[3]) : 8;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, NULL);
	run(ms / 4 + 500);
	settle();
	free_before = free_kib(), live_before = live_bytes(false);
	run(ms);
	settle();
	free_after = free_kib(), live_after = live_bytes(false);
	uint64_t total = 0;

	for (int i = 0; i < 8; i++)
		total += done_ops[i];
	if (live_before >= 0 && (free_after < free_before - 2048 || live_after > live_before + 32768)) {
		live_bytes(true);
		wrong("memory was lost", (uint64_t)(free_before - free_after));
	}
	printf("# %llu operations, free %ld to %ld KiB, objects %ld to %ld bytes\n",
	       (unsigned long long)total, free_before, free_after, live_before, live_after);
	if (!bad)
		printf("ok churn: seed %llu\n", (unsigned long long)seed);
	return bad != 0;
}
