// SPDX-License-Identifier: BSD-2-Clause
// Registers and flags are the caller's again after a system call, whenever interrupts, signals and other
// threads come in between.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>

// long call_keeps(long number, long flags): getppid or the like with known values in every register. The
// difference between what was and what should be, ORed over all registers, and the flags.
struct kept {
	long difference, flags;
};
struct kept call_keeps(long number, long flags);
__asm__(".text\n"
	".globl call_keeps\n"
	".type call_keeps, @function\n"
	"call_keeps:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, %rax\n"
	"	push %rsi\n"
	"	mov $0x1111, %ebx; mov $0x2222, %ebp; mov $0x3333, %r12d; mov $0x4444, %r13d\n"
	"	mov $0x5555, %r14d; mov $0x6666, %r15d; mov $0x7777, %edi; mov $0x8888, %esi\n"
	"	mov $0x9999, %edx; mov $0xaaaa, %r10d; mov $0xbbbb, %r8d; mov $0xcccc, %r9d\n"
	"	popfq\n"
	"	syscall\n"
	"	pushfq\n"
	"	xor $0x1111, %rbx; xor $0x2222, %rbp; xor $0x3333, %r12; xor $0x4444, %r13\n"
	"	xor $0x5555, %r14; xor $0x6666, %r15; xor $0x7777, %rdi; xor $0x8888, %rsi\n"
	"	xor $0x9999, %rdx; xor $0xaaaa, %r10; xor $0xbbbb, %r8; xor $0xcccc, %r9\n"
	"	mov %rbx, %rax\n"
	"	or %rbp, %rax; or %r12, %rax; or %r13, %rax; or %r14, %rax; or %r15, %rax\n"
	"	or %rdi, %rax; or %rsi, %rax; or %rdx, %rax; or %r10, %rax; or %r8, %rax; or %r9, %rax\n"
	"	pop %rdx\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".size call_keeps, . - call_keeps\n");

#define ARITHMETIC 0x8d5 // CF, PF, AF, ZF, SF, OF
#define DIRECTION  0x400
#define ALWAYS	   0x202

static volatile sig_atomic_t alarms;
static atomic_bool stop_spinning;

static void on_alarm(int sig)
{
	alarms++;
}

static void *spin(void *arg)
{
	while (!stop_spinning)
		;
	return arg;
}

static struct kept all_flags(long number, int rounds)
{
	struct kept bad = {0, 0};

	for (int i = 0; i < rounds; i++)
		for (long f = 0; f < 128; f++) {
			long flags = ALWAYS | (f & 1) | (f & 2) << 1 | (f & 4) << 2 | (f & 8) << 3 |
				     (f & 16) << 3 | (f & 32) << 6 | (f & 64) << 4;
			struct kept k = call_keeps(number, flags);

			bad.difference |= k.difference;
			bad.flags |= (k.flags ^ flags) & (ARITHMETIC | DIRECTION | ALWAYS);
		}
	return bad;
}

TEST(calls_keep_registers_and_flags)
{
	struct kept bad = all_flags(SYS_getppid, 1);

	EXPECT_EQ(bad.difference, 0);
	EXPECT_EQ(bad.flags, 0);
	bad = all_flags(SYS_sched_yield, 1);
	EXPECT_EQ(bad.difference, 0);
	EXPECT_EQ(bad.flags, 0);
	bad = all_flags(100000, 1); // no such call
	EXPECT_EQ(bad.difference, 0);
	EXPECT_EQ(bad.flags, 0);
}

// Calls until COUNT signals came in between, or a limit.
static struct kept under_signals(int count)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval fast = {{0, 150}, {0, 150}}, off = {{0, 0}, {0, 0}};
	struct kept bad = {0, 0};

	alarms = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 4000 && alarms < count; i++) {
		struct kept k = all_flags(i % 8 ? SYS_getppid : SYS_sched_yield, 4);

		bad.difference |= k.difference;
		bad.flags |= k.flags;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	if (!alarms)
		bad.difference = -1;
	return bad;
}

TEST(calls_keep_them_under_signals)
{
	struct kept bad = under_signals(1500);

	EXPECT_EQ(bad.difference, 0);
	EXPECT_EQ(bad.flags, 0);
}

TEST(calls_keep_them_beside_another_thread)
{
	struct kept bad;
	pthread_t other;

	stop_spinning = false;
	EXPECT_EQ(pthread_create(&other, NULL, spin, NULL), 0);
	bad = under_signals(100);
	stop_spinning = true;
	pthread_join(other, NULL);
	EXPECT_EQ(bad.difference, 0);
	EXPECT_EQ(bad.flags, 0);
}

// A debugger changes registers while the child is stopped at the end of a call: all of them arrive.
TEST(debuggers_change_registers_at_the_end_of_a_call)
{
	struct user_regs_struct regs;
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		struct kept k = call_keeps(SYS_getppid, ALWAYS);

		_exit(k.difference == 0x2 ? 42 : 1); // r13 was changed by that
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int i = 0; i < 50; i++) {
		EXPECT_EQ(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT(WIFSTOPPED(status));
		EXPECT_EQ(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
		if (regs.r13 == 0x4444 && regs.orig_rax == SYS_getppid && (long)regs.rax > 0)
			break;
	}
	EXPECT_EQ(regs.r13, 0x4444u);
	regs.r13 ^= 0x2;
	EXPECT_EQ(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
	EXPECT_EQ(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 42);
}
