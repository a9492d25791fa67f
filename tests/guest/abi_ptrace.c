// SPDX-License-Identifier: BSD-2-Clause
// ptrace: what debuggers and system-call tracers rest on.
#include "abi_ptrace.h"
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/uio.h>
#include <sys/user.h>

static void nothing(void)
{
	_exit(7);
}

TEST(errors)
{
	struct user_regs_struct regs;

	CHILD
		NEED_ERR(pt(PTRACE_CONT, getppid(), 0, 0), ESRCH);
		NEED_ERR(pt(PTRACE_ATTACH, 0x7ffffff, 0, 0), ESRCH);
		NEED_ERR(pt(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
		NEED_ERR(pt(PTRACE_PEEKDATA, 0x7ffffff, 0, 0), ESRCH);
		pid_t p = traced(nothing);
		NEED(p > 0);
		NEED_ERR(pt(0x9999, p, 0, 0), EIO);
		NEED_ERR(pt(PTRACE_CONT, p, 0, 100), EIO);
		NEED_ERR(pt(PTRACE_ATTACH, p, 0, 0), EPERM);
		NEED_ERR(pt(PTRACE_SETOPTIONS, p, 0, -1), EINVAL);
		NEED_ERR(pt(PTRACE_INTERRUPT, p, 0, 0), EIO);
		NEED_ERR(pt(PTRACE_LISTEN, p, 0, 0), EIO);
		NEED_ERR(pt(PTRACE_GETREGS, p, 0, 8), EFAULT);
		NEED_ERR(pt(PTRACE_PEEKDATA, p, 8, (unsigned long)&regs), EIO);
		NEED_ERR(pt(PTRACE_PEEKUSR, p, 3, (unsigned long)&regs), EIO);
		NEED_ERR(pt(PTRACE_PEEKUSR, p, 100000, (unsigned long)&regs), EIO);
		NEED(!pt(PTRACE_CONT, p, 0, 0));
		NEED(WAIT(p) == 7 << 8);
		NEED_ERR(pt(PTRACE_CONT, p, 0, 0), ESRCH);
	END_CHILD;
	if (geteuid())
		return;
	CHILD // other users' processes
		int alive[2];
		char c;
		NEED(!pipe(alive));
		pid_t p = fork();
		if (!p) // until its parent ends, whose signal would not be let through
			_exit(close(alive[1]) || read(alive[0], &c, 1));
		NEED(!become(NOBODY));
		NEED_ERR(pt(PTRACE_ATTACH, p, 0, 0), EPERM);
		NEED_ERR(pt(PTRACE_SEIZE, p, 0, 0), EPERM);
		pid_t q = fork();
		if (!q)
			sleep_for_ever();
		NEED_ERR(pt(PTRACE_SEIZE, q, 0, 0), EPERM); // no longer dumpable
		prctl(PR_SET_DUMPABLE, 1);
		pid_t r = fork();
		if (!r)
			sleep_for_ever();
		NEED(!pt(PTRACE_SEIZE, r, 0, 0));
		kill(q, SIGKILL);
		kill(r, SIGKILL);
		NEED(waitpid(q, NULL, 0) == q && waitpid(r, NULL, 0) == r);
	END_CHILD;
}

static void write_word(void)
{
	_exit(word == 0x5678 ? 3 : 4);
}

TEST(memory_and_registers)
{
	struct user_regs_struct regs, other;
	struct iovec iov = {&other, sizeof other};
	long v;

	CHILD
		pid_t p = traced(write_word);
		NEED(p > 0 && !pt(PTRACE_PEEKDATA, p, (unsigned long)&word, (unsigned long)&v) &&
		     v == 0x1234);
		NEED(!pt(PTRACE_POKEDATA, p, (unsigned long)&word, 0x5678) && word == 0x1234);
		// code may be changed although nobody may write it
		NEED(!pt(PTRACE_PEEKTEXT, p, (unsigned long)write_word, (unsigned long)&v) &&
		     v == *(long *)write_word);
		NEED(!pt(PTRACE_POKETEXT, p, (unsigned long)nothing, 0xcc) &&
		     *(unsigned char *)nothing != 0xcc);
		NEED(!pt(PTRACE_PEEKTEXT, p, (unsigned long)nothing, (unsigned long)&v) && v == 0xcc);
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) &&
		     !pt(PTRACE_GETREGSET, p, NT_PRSTATUS, (unsigned long)&iov));
		NEED(iov.iov_len == sizeof regs && !memcmp(&regs, &other, sizeof regs));
		NEED(regs.cs == 0x33 && regs.ss == 0x2b && regs.rip && regs.fs_base && regs.eflags & 0x200);
		NEED(!pt(PTRACE_PEEKUSR, p, offsetof(struct user, regs.rip), (unsigned long)&v) &&
		     v == (long)regs.rip);
		regs.r15 = 4711;
		NEED(!pt(PTRACE_SETREGS, p, 0, (unsigned long)&regs) &&
		     !pt(PTRACE_GETREGS, p, 0, (unsigned long)&other));
		NEED(other.r15 == 4711);
		NEED(!pt(PTRACE_POKEUSR, p, offsetof(struct user, regs.r14), 815));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&other) && other.r14 == 815);
		NEED_ERR(pt(PTRACE_POKEUSR, p, offsetof(struct user, regs.fs_base), 0xffff800000000000), EIO);
		iov.iov_len = 12;
		NEED_ERR(pt(PTRACE_SETREGSET, p, NT_PRSTATUS, (unsigned long)&iov), EINVAL);
		NEED_ERR(pt(PTRACE_GETREGSET, p, 0x7777, (unsigned long)&iov), EINVAL);
		struct user_fpregs_struct fp;
		NEED(!pt(PTRACE_GETFPREGS, p, 0, (unsigned long)&fp) && fp.cwd == 0x37f &&
		     fp.mxcsr == 0x1f80);
		NEED(!pt(PTRACE_SETFPREGS, p, 0, (unsigned long)&fp));
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == 3 << 8);
	END_CHILD;
}

static void three_calls(void)
{
	syscall(SYS_getppid);
	syscall(SYS_close, 12345);
	syscall(SYS_exit_group, 5);
}

TEST(system_calls)
{
	struct ptrace_syscall_info i;
	struct user_regs_struct regs;
	siginfo_t info;

	CHILD
		pid_t p = traced(three_calls);
		NEED(p > 0 && !pt(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD));
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && regs.orig_rax == SYS_getppid &&
		     (long)regs.rax == -ENOSYS);
		NEED(pt(PTRACE_GET_SYSCALL_INFO, p, sizeof i, (unsigned long)&i) > 0 &&
		     i.op == PTRACE_SYSCALL_INFO_ENTRY);
		NEED(i.entry.nr == SYS_getppid && i.instruction_pointer == regs.rip &&
		     i.stack_pointer == regs.rsp);
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && info.si_code == (SIGTRAP | 0x80));
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && (pid_t)regs.rax == getpid());
		NEED(pt(PTRACE_GET_SYSCALL_INFO, p, sizeof i, (unsigned long)&i) > 0 &&
		     i.op == PTRACE_SYSCALL_INFO_EXIT);
		NEED(i.exit.rval == getpid() && !i.exit.is_error);
		// the second call becomes another one
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && regs.orig_rax == SYS_close &&
		     regs.rdi == 12345);
		NEED(!pt(PTRACE_POKEUSR, p, offsetof(struct user, regs.orig_rax), SYS_getpid));
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && (pid_t)regs.rax == p);
		// and the third is not made
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_POKEUSR, p, offsetof(struct user, regs.orig_rax), -1));
		NEED(!pt(PTRACE_SYSCALL, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP | 0x80, 0));
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && (long)regs.rax == -ENOSYS);
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == 0);
	END_CHILD;
}

static volatile int handled;

static void handler(int sig)
{
	handled = sig;
}

static void get_signals(void)
{
	signal(SIGUSR2, handler);
	signal(SIGCHLD, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGCHLD);
	_exit(handled);
}

TEST(signals)
{
	siginfo_t info;

	CHILD
		pid_t p = traced(get_signals);
		NEED(p > 0 && !pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGUSR1, 0));
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info));
		NEED(info.si_signo == SIGUSR1 && info.si_code == SI_TKILL && info.si_pid == p);
		NEED(!pt(PTRACE_CONT, p, 0, 0)); // dropped
		NEED(WAIT(p) == STOPPED(SIGUSR1, 0) &&
		     !pt(PTRACE_CONT, p, 0, SIGUSR2)); // another one in its place
		NEED(WAIT(p) == STOPPED(SIGCHLD, 0) &&
		     !pt(PTRACE_CONT, p, 0, SIGCHLD)); // even an ignored one
		NEED_EQ(WAIT(p), SIGUSR2 << 8);
	END_CHILD;
	CHILD // a deadly one
		pid_t p = traced(get_signals);
		NEED(p > 0 && !pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGUSR1, 0) &&
		     !pt(PTRACE_CONT, p, 0, SIGUSR1));
		NEED(WAIT(p) == SIGUSR1);
	END_CHILD;
	CHILD // SIGKILL asks nobody
		pid_t p = traced(get_signals);
		NEED(p > 0 && !kill(p, SIGKILL) && WAIT(p) == SIGKILL);
		p = traced(get_signals);
		NEED(p > 0 && !pt(PTRACE_KILL, p, 0, 0) && WAIT(p) == SIGKILL);
	END_CHILD;
}

static void fault(void)
{
	*(volatile char *)16 = 1;
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
	_exit(0);
}

TEST(faults)
{
	siginfo_t info;
	struct user_regs_struct regs;

	CHILD
		pid_t p = traced(fault);
		NEED(p > 0 && !pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGSEGV, 0));
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && info.si_code == SEGV_MAPERR &&
		     info.si_addr == (void *)16);
		NEED(!pt(PTRACE_CONT, p, 0, SIGSEGV) && (WAIT(p) & 0x7f) == SIGSEGV);
		p = traced(breakpoint);
		NEED(p > 0 && !pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == STOPPED(SIGTRAP, 0));
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && info.si_code == SI_KERNEL);
		NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs));
		NEED(*(unsigned char *)(regs.rip - 1) == 0xcc);
		NEED(!pt(PTRACE_CONT, p, 0, 0) && WAIT(p) == 0);
	END_CHILD;
}

static void steps(void)
{
	__asm__ volatile("nop\n\tnop\n\tmovl $39, %%eax\n\tsyscall\n\tnop\n\tmovl $60, %%eax\n\tmovl $9, "
			 "%%edi\n\tsyscall" ::
				 : "rax");
}

TEST(single_steps)
{
	struct user_regs_struct regs;
	siginfo_t info;
	int n = 0, status, calls = 0;
	unsigned long before = 0;

	CHILD
		pid_t p = traced(steps);
		for (;; n++) {
			NEED(p > 0 && n < 2000 && !pt(PTRACE_SINGLESTEP, p, 0, 0));
			status = WAIT(p);
			if (WIFEXITED(status))
				break;
			NEED_EQ(status, STOPPED(SIGTRAP, 0));
			NEED(!pt(PTRACE_GETREGS, p, 0, (unsigned long)&regs) && regs.rip != before);
			NEED(!(regs.eflags & 0x100));
			before = regs.rip;
			calls += (pid_t)regs.rax == p && !memcmp((char *)regs.rip - 2, "\x0f\x05", 2);
			NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && info.si_signo == SIGTRAP);
		}
		NEED(n > 6 && calls == 1 && WEXITSTATUS(status) == 9);
	END_CHILD;
}

static __attribute__((noinline)) void breakable(void)
{
	__asm__ volatile("");
}

static void watched(void)
{
	word = 5;
	breakable();
	breakable();
	if (!fork()) { // a child has none
		word = 6;
		_exit(0);
	}
	wait(NULL);
	close(1);
	execl("/proc/self/exe", "x", "no such test", NULL); // nor has another program
}

static long set_debug(pid_t p, int n, unsigned long v)
{
	return pt(PTRACE_POKEUSR, p, offsetof(struct user, u_debugreg) + 8 * n, v);
}

static unsigned long debug(pid_t p, int n)
{
	unsigned long v = -1;

	pt(PTRACE_PEEKUSR, p, offsetof(struct user, u_debugreg) + 8 * n, (unsigned long)&v);
	return v;
}

// The next stop is that of HITS in debug register 6.
#define HITS(hits)                                                         \
	do {                                                               \
		NEED(!pt(PTRACE_CONT, p, 0, 0));                           \
		NEED_EQ(WAIT(p), STOPPED(SIGTRAP, 0));                     \
		NEED(!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && \
		     info.si_code == 4); /* TRAP_HWBKPT */                 \
		NEED_EQ(debug(p, 6), 0xffff0ff0 | (hits));                 \
	} while (0)

TEST(hardware_break_points)
{
	siginfo_t info;
	int status;

	CHILD
		pid_t p = traced(watched);
		NEED(p > 0 && debug(p, 0) == 0 && debug(p, 4) == 0 && debug(p, 6) == 0xffff0ff0 &&
		     debug(p, 7) == 0);
		NEED_ERR(set_debug(p, 0, -4096ul), EINVAL); // the kernel's
		NEED_ERR(set_debug(p, 4, 0), EIO);
		NEED(!set_debug(p, 0, 1) && !set_debug(p, 7, 1) && !set_debug(p, 0, 3) && debug(p, 0) == 3);
		NEED_ERR(set_debug(p, 0, -4096ul), EINVAL);
		NEED_ERR(set_debug(p, 7, 0x20001), EINVAL); // ports
		NEED_ERR(set_debug(p, 7, 0x40001), EINVAL); // two bytes of an instruction
		NEED_ERR(set_debug(p, 7, 0x50001), EINVAL); // not aligned
		NEED(debug(p, 0) == 3 && debug(p, 7) == 1 && !set_debug(p, 7, 0) && !set_debug(p, 6, 0));
		NEED(!set_debug(p, 0, (unsigned long)&word) && !set_debug(p, 1, (unsigned long)breakable));
		NEED(!set_debug(p, 7, 1 | 4 | 1 << 16 | 2 << 18)); // eight bytes written, code executed
		HITS(1);
		NEED(pt(PTRACE_PEEKDATA, p, (unsigned long)&word, (unsigned long)&info) == 0 &&
		     *(long *)&info == 5);
		HITS(2);
		NEED_EQ((unsigned long)info.si_addr, (unsigned long)breakable);
		HITS(2);
		NEED(!set_debug(p, 7, 1 | 1 << 16 | 2 << 18));
		for (status = STOPPED(SIGCHLD, 0);
		     status == STOPPED(SIGCHLD, 0) || status == STOPPED(SIGTRAP, 0); status = WAIT(p)) {
			NEED(status != STOPPED(SIGTRAP, 0) ||
			     (!pt(PTRACE_GETSIGINFO, p, 0, (unsigned long)&info) && info.si_code != 4));
			NEED(!pt(PTRACE_CONT, p, 0, 0));
		}
		NEED(WIFEXITED(status) && WEXITSTATUS(status) == 1); // no test of that name
	END_CHILD;
}
