// SPDX-License-Identifier: BSD-2-Clause
// System calls with hostile arguments: bad and unaligned pointers, huge lengths, wrong descriptors,
// overlapping ranges, any number; every third is one whose structures are nearly right (fuzz_shapes.h).
// Whatever comes back is fine, as long as the kernel goes on. Seeded and
// replayable: each child process makes CALLS calls from one seed, so that a lethal one (exit, kill, a broken
// mapping of its own) ends a child, not the run.
//   fuzz_calls SEED CHILDREN [CALLS]
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t n)
{
	return rnd() % n;
}

#define ARENA (64 * 4096ul)
static char *arena; // writable, with a hole, a read-only page and a PROT_NONE one behind it
static int fds[12];
static bool trace; // print each call before it is made: VERBOSE=2

// Calls that end the run, or wait for what never comes, and nothing else.
static bool skipped(long nr)
{
	switch (nr) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_reboot:
	case SYS_pause:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigreturn: // jumps anywhere: the program's own business
	case SYS_vfork:
	case SYS_fork:
	case SYS_clone:
	case SYS_clone3:
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
	case SYS_umount2:
	case SYS_pivot_root:
	case SYS_chroot:
	case SYS_arch_prctl: // FS base: the next instruction of libc faults
	case SYS_settimeofday:
	case SYS_clock_settime:
	case SYS_clock_adjtime:
	case SYS_adjtimex:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_sethostname:
	case SYS_syslog:
	case SYS_vhangup:
		return true;
	}
	return false;
}

static uint64_t pointer(void)
{
	switch (below(16)) {
	case 0:
		return 0;
	case 1:
		return below(4096);
	case 2:
		return (uint64_t)arena + ARENA - below(64); // runs into the hole
	case 3:
		return (uint64_t)arena + ARENA + below(3 * 4096);
	case 4:
		return 0x7ffffffff000 - below(100);
	case 5:
		return 0x800000000000 - below(16);
	case 6:
		return 0xffff800000000000 + below(1 << 30);
	case 7:
		return 0xffffffff80000000 + below(1 << 28);
	case 8:
		return ~0ull - below(64);
	case 9:
		return rnd();
	case 10:
		return ((uint64_t)arena + below(ARENA)) & ~4095ull;
	default:
		return (uint64_t)arena + below(ARENA - 4096);
	}
}

static uint64_t number(void)
{
	static const uint64_t edges[] = {0,	     1,
					 2,	     3,
					 7,	     8,
					 63,	     64,
					 255,	     4095,
					 4096,	     4097,
					 65536,	     1 << 20,
					 0x7fffffff, 1u << 31,
					 ~0u,	     1ull << 32,
					 1ull << 47, 1ull << 63,
					 ~0ull,	     ~0ull - 4095,
					 -100ull,    0x7fffffffffffffff};

	switch (below(5)) {
	case 0:
		return edges[below(sizeof edges / sizeof *edges)];
	case 1:
		return below(64);
	case 2:
		return 1ull << below(64);
	case 3:
		return below(1 << 16);
	default:
		return rnd() >> below(64);
	}
}

static uint64_t argument(void)
{
	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		return pointer();
	case 3:
	case 4:
		return (uint64_t)fds[below(12)];
	default:
		return number();
	}
}

static void fill_arena(void)
{
	for (int i = 0; i < 24; i++) {
		uint64_t *at = (uint64_t *)(arena + (below(ARENA) & ~7ull));

		*at = below(3) ? number() : pointer();
	}
	if (!below(4))
		strcpy(arena + below(ARENA - 64), below(2) ? "/tmp/fuzz/a/../b" : "/proc/self/status");
}

#include "fuzz_shapes.h"

static void no_handler(int n)
{
}

static sigjmp_buf next_call;

// The arena was unmapped or made read-only: make it anew.
static void again(int n)
{
	mmap(arena, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	siglongjmp(next_call, 1);
}

// Results that this process hands to the next call: descriptors.
static void learn(long nr, long r)
{
	if (r > 2 && r < 200 &&
	    (nr == SYS_socket || nr == SYS_eventfd2 || nr == SYS_memfd_create || nr == SYS_openat ||
	     nr == SYS_dup || nr == SYS_epoll_create1 || nr == SYS_timerfd_create))
		fds[below(12)] = (int)r;
}

static long made; // calls of this child

static void child(uint64_t seed, long calls)
{
	struct rlimit core = {0, 0}, memory = {512ul << 20, 512ul << 20}, files = {256, 256}, cpu = {20, 20};
	int pipes[2], pair[2];

	trace = getenv("VERBOSE") && *getenv("VERBOSE") == 50;
	state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (int i = 0; i < 8; i++)
		rnd();
	setrlimit(RLIMIT_CORE, &core);
	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CPU, &cpu);
	arena = mmap(NULL, ARENA + 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(arena + ARENA, 4096);
	mprotect(arena + ARENA + 4096, 4096, PROT_READ);
	mprotect(arena + ARENA + 8192, 4096, PROT_NONE);
	chdir("/tmp/fuzz");
	pipe2(pipes, O_NONBLOCK);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	int all[12] = {open("/tmp/fuzz/file", O_RDWR | O_CREAT, 0600),
		       pipes[0],
		       pipes[1],
		       pair[0],
		       pair[1],
		       socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
		       socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
		       epoll_create1(0),
		       eventfd(0, EFD_NONBLOCK),
		       timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
		       memfd_create("f", MFD_ALLOW_SEALING),
		       open("/tmp/fuzz", O_RDONLY | O_DIRECTORY)};

	memcpy(fds, all, sizeof fds);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = no_handler}, NULL);
	sigaction(SIGIO, &(struct sigaction){.sa_handler = no_handler}, NULL);
	sigaction(SIGSEGV, &(struct sigaction){.sa_handler = again, .sa_flags = SA_NODEFER}, NULL);
	sigaction(SIGBUS, &(struct sigaction){.sa_handler = again, .sa_flags = SA_NODEFER}, NULL);
	sigsetjmp(next_call, 1);
	while (made++ < calls) {
		long nr = (long)below(below(50) ? 460 : 1024), r;
		uint64_t a[6];

		for (int k = 0; k < 6; k++)
			a[k] = argument();
		if (skipped(nr) || (nr == SYS_ptrace && !a[0])) // a tracee stops for good at the next signal
			continue;
		fill_arena();
		if (!below(3)) {
			unsigned shape = (unsigned)below(sizeof shapes / sizeof *shapes);

			if (trace)
				printf("%ld shape %u\n", made, shape);
			ualarm(2000, 2000);
			shapes[shape]();
			ualarm(0, 0);
			continue;
		}
		ualarm(2000, 2000); // what waits is interrupted
		if (trace)
			printf("%ld %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", made, nr, a[0], a[1], a[2],
			       a[3], a[4], a[5]);
		r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		ualarm(0, 0);
		learn(nr, r);
		if (r == 0 && nr == SYS_close_range)
			break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	long children = argc > 2 ? atol(argv[2]) : 20, calls = argc > 3 ? atol(argv[3]) : 2000,
	     ended[3] = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdirat(AT_FDCWD, "/tmp/fuzz", 0700);
	mkdirat(AT_FDCWD, "/tmp/fuzz/a", 0700);
	for (long i = 0; i < children; i++) {
		pid_t pid = fork();
		int status = 0;

		if (!pid) {
			setsid();
			child(seed + i, calls);
		}
		for (int ms = 0; waitpid(pid, &status, WNOHANG) != pid || WIFSTOPPED(status); ms++) {
			usleep(1000);
			if (ms > 20000 || WIFSTOPPED(status)) {
				kill(pid,
				     SIGKILL); // seccomp or a mask made it deaf to the alarm, or a tracee
				waitpid(pid, &status, 0);
				break;
			}
		}
		ended[WIFEXITED(status) ? 0 : WTERMSIG(status) == SIGKILL ? 2 : 1]++;
		if (getenv("VERBOSE"))
			printf("seed %llu: %x\n", (unsigned long long)(seed + i), status);
	}
	printf("ok fuzz: seeds %llu to %llu, %ld ended by themselves, %ld by a signal, %ld were killed\n",
	       (unsigned long long)seed, (unsigned long long)(seed + children - 1), ended[0], ended[1],
	       ended[2]);
	return 0;
}
