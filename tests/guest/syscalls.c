// SPDX-License-Identifier: BSD-2-Clause
// The system-call boundary itself: unknown numbers, bad pointers, register and flag preservation, what the
// kernel tells a new program.
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

TEST(unknown_call)
{
	EXPECT_ERR(syscall(999), ENOSYS);
	EXPECT_ERR(syscall(100000), ENOSYS);
	EXPECT_ERR(syscall(-5), ENOSYS);
	EXPECT_ERR(syscall(600), ENOSYS);
}

TEST(bad_pointers)
{
	EXPECT_ERR(syscall(SYS_write, 1, 8, 4), EFAULT);
	EXPECT_ERR(syscall(SYS_write, 1, 0xffffffff80000000ull, 4), EFAULT);
	EXPECT_ERR(syscall(SYS_write, 1, 0x00007ffffffff000ull, 4096), EFAULT);
	EXPECT_ERR(syscall(SYS_openat, AT_FDCWD, (char *)-1L, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_uname, 0xffff800000000000ull), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_gettime, 0, 16), EFAULT);
}

// All registers but RAX, RCX and R11 survive, and so do the arithmetic flags' owner bits: DF stays clear.
TEST(registers_survive)
{
	unsigned long rbx, rbp_ok, r12, r13, r14, r15, rdi, rsi, rdx, r8, r9, r10, flags;

	__asm__ volatile(
		"mov $0x1111, %%rbx\n mov $0x2222, %%r12\n mov $0x3333, %%r13\n mov $0x4444, %%r14\n"
		"mov $0x5555, %%r15\n mov $0x6666, %%rdi\n mov $0x7777, %%rsi\n mov $0x8888, %%rdx\n"
		"mov $0x9999, %%r8\n mov $0xaaaa, %%r9\n mov $0xbbbb, %%r10\n mov %%rsp, %%r11\n"
		"push %%rbp\n mov $0xcccc, %%rbp\n mov $39, %%eax\n syscall\n cmp $0xcccc, %%rbp\n pop "
		"%%rbp\n"
		"sete %%al\n movzx %%al, %%eax\n mov %%rax, %[ok]\n mov %%rbx, %[bx]\n mov %%r12, %[c]\n mov "
		"%%r13, %[d]\n"
		"mov %%r14, %[e]\n mov %%r15, %[f]\n mov %%rdi, %[di]\n mov %%rsi, %[si]\n mov %%rdx, %[dx]\n"
		"mov %%r8, %[g]\n mov %%r9, %[h]\n mov %%r10, %[i]\n pushf\n pop %%rax\n mov %%rax, %[fl]\n"
		: [ok] "=m"(rbp_ok), [bx] "=m"(rbx), [c] "=m"(r12), [d] "=m"(r13), [e] "=m"(r14),
		  [f] "=m"(r15), [di] "=m"(rdi), [si] "=m"(rsi), [dx] "=m"(rdx), [g] "=m"(r8), [h] "=m"(r9),
		  [i] "=m"(r10), [fl] "=m"(flags)
		:
		: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		  "r15", "memory", "cc");
	EXPECT(rbp_ok);
	EXPECT(rbx == 0x1111 && r12 == 0x2222 && r13 == 0x3333 && r14 == 0x4444 && r15 == 0x5555);
	EXPECT(rdi == 0x6666 && rsi == 0x7777 && rdx == 0x8888 && r8 == 0x9999 && r9 == 0xaaaa &&
	       r10 == 0xbbbb);
	EXPECT(!(flags & 0x400));
	EXPECT(flags & 0x200);
}

// What lies in the 128 bytes below the stack pointer belongs to the program, system calls included.
TEST(red_zone)
{
	unsigned long kept = 0;

	__asm__ volatile(
		"lea -256(%%rsp), %%rsp\n movq $0x1234567, -8(%%rsp)\n movq $0x89abcde, -128(%%rsp)\n mov "
		"$39, %%eax\n syscall\n"
		"mov -8(%%rsp), %%rax\n add -128(%%rsp), %%rax\n lea 256(%%rsp), %%rsp\n mov %%rax, %0\n"
		: "=r"(kept)
		:
		: "rax", "rcx", "r11", "memory", "cc");
	EXPECT_EQ(kept, 0x1234567 + 0x89abcde);
}

TEST(auxiliary_vector)
{
	EXPECT_EQ(getauxval(AT_PAGESZ), 4096);
	EXPECT(getauxval(AT_PHDR) && getauxval(AT_PHNUM) && getauxval(AT_ENTRY));
	EXPECT_EQ(getauxval(AT_CLKTCK), 100);
	EXPECT(getauxval(AT_RANDOM));
	EXPECT(getauxval(AT_EXECFN));
	EXPECT_EQ(getauxval(AT_SECURE), 0);
	EXPECT_EQ(getauxval(AT_UID), getuid());
	EXPECT(!strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
	EXPECT(getauxval(AT_HWCAP));
	EXPECT(getauxval(AT_MINSIGSTKSZ) >= 2048);
}

static bool vdso_has(const char *wanted)
{
	const ElfW(Ehdr) *e = (void *)getauxval(AT_SYSINFO_EHDR);
	const char *base = (const char *)e, *names = NULL;
	const ElfW(Sym) *syms = NULL;
	const uint32_t *hash = NULL;

	if (!e || memcmp(e->e_ident, ELFMAG, SELFMAG))
		return false;
	const ElfW(Phdr) *p = (void *)(base + e->e_phoff);
	const ElfW(Dyn) *d = NULL;

	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			d = (void *)(base + p[i].p_vaddr);
	for (; d && d->d_tag; d++) {
		if (d->d_tag == DT_SYMTAB)
			syms = (void *)(base + d->d_un.d_ptr);
		if (d->d_tag == DT_STRTAB)
			names = base + d->d_un.d_ptr;
		if (d->d_tag == DT_HASH)
			hash = (void *)(base + d->d_un.d_ptr);
	}
	if (!syms || !names)
		return false;
	// Without DT_HASH the symbol count is unknown: the string table follows the symbols in every vDSO
	// seen.
	size_t count = hash ? hash[1] : ((const char *)names - (const char *)syms) / sizeof *syms;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(names + syms[i].st_name, wanted))
			return true;
	return false;
}

TEST(vdso)
{
	EXPECT(vdso_has("__vdso_clock_gettime"));
	EXPECT(vdso_has("__vdso_gettimeofday"));
	EXPECT(vdso_has("__vdso_time"));
	EXPECT(vdso_has("__vdso_getcpu"));
}

TEST(names)
{
	struct utsname u;

	EXPECT_EQ(uname(&u), 0);
	EXPECT(!strcmp(u.sysname, "Linux"));
	EXPECT(!strcmp(u.machine, "x86_64"));
	EXPECT(atoi(u.release) >= 4);
}

TEST(random_bytes)
{
	unsigned char a[64] = {0}, b[64] = {0};
	int same = 0;

	EXPECT_EQ(getrandom(a, sizeof a, 0), 64);
	EXPECT_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), 64);
	for (int i = 0; i < 64; i++)
		same += a[i] == b[i];
	EXPECT(same < 16);
	EXPECT_ERR(getrandom(a, 1, 0x100), EINVAL);
	int fd = open("/dev/urandom", O_RDONLY);

	EXPECT(fd >= 0);
	EXPECT_EQ(read(fd, a, sizeof a), 64);
	close(fd);
}

TEST(identity)
{
	EXPECT(getpid() > 0 && getppid() >= 0);
	EXPECT_EQ(syscall(SYS_gettid), getpid());
	EXPECT_EQ(getuid(), 0);
	EXPECT_EQ(geteuid(), 0);
	EXPECT_EQ(getgid(), 0);
	EXPECT(getpgrp() >= 0);
	EXPECT(getsid(0) >= 0);
	EXPECT_ERR(getpgid(99999999), ESRCH);
}

TEST(limits)
{
	struct rlimit l, old;

	EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
	EXPECT(l.rlim_cur >= 256);
	old = l;
	l.rlim_cur = 64;
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &l), 0);
	EXPECT_ERR(fcntl(1, F_DUPFD, 64), EINVAL);
	EXPECT_ERR(dup2(1, 64), EBADF);
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	EXPECT_EQ(getrlimit(RLIMIT_STACK, &l), 0);
	EXPECT(l.rlim_cur >= 1 << 20);
	EXPECT_ERR(getrlimit(99, &l), EINVAL);
}

TEST(affinity)
{
	cpu_set_t set;

	EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
	EXPECT(CPU_COUNT(&set) >= 1);
	EXPECT_EQ(CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT(sched_getcpu() >= 0 && CPU_ISSET(sched_getcpu(), &set));
	cpu_set_t none;

	CPU_ZERO(&none);
	EXPECT_ERR(sched_setaffinity(0, sizeof none, &none), EINVAL);
	for (int cpu = 0; cpu < CPU_COUNT(&set); cpu++) {
		CPU_ZERO(&none);
		CPU_SET(cpu, &none);
		EXPECT_EQ(sched_setaffinity(0, sizeof none, &none), 0);
		EXPECT_EQ(sched_getcpu(), cpu);
	}
	EXPECT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
}

TEST(scheduling_calls)
{
	struct sched_param p = {0};

	EXPECT_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	EXPECT_EQ(sched_get_priority_min(SCHED_FIFO), 1);
	EXPECT_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	EXPECT_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), 0);
	p.sched_priority = 5;
	EXPECT_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), EINVAL);
	int was = getpriority(PRIO_PROCESS, 0),
	    nicer = was < 14 ? was + 5 : 19; // the tests may run under nice

	EXPECT_EQ(setpriority(PRIO_PROCESS, 0, nicer), 0);
	EXPECT_EQ(getpriority(PRIO_PROCESS, 0), nicer);
	EXPECT(!setpriority(PRIO_PROCESS, 0, was) || geteuid());
	EXPECT_EQ(sched_yield(), 0);
}

TEST(thread_name)
{
	char name[17] = "";

	EXPECT_EQ(prctl(PR_SET_NAME, "a-name-that-is-too-long"), 0);
	EXPECT_EQ(prctl(PR_GET_NAME, name), 0);
	EXPECT(!strcmp(name, "a-name-that-is-"));
	EXPECT_ERR(prctl(12345), EINVAL);
}

TEST(usage)
{
	struct rusage u;
	struct tms t;
	struct sysinfo s;
	volatile unsigned long spin = 0;

	for (long i = 0; i < 30000000; i++)
		spin += i;
	EXPECT_EQ(getrusage(RUSAGE_SELF, &u), 0);
	EXPECT(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1000000 +
		       u.ru_stime.tv_usec >
	       0);
	EXPECT(u.ru_maxrss > 0);
	EXPECT(times(&t) != (clock_t)-1);
	EXPECT_EQ(sysinfo(&s), 0);
	EXPECT(s.totalram > 0 && s.freeram < s.totalram && s.mem_unit >= 1);
}
