/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls in a register frame: number rax; arguments rdi, rsi, rdx, r10, r8, r9; result rax (System V ABI, x86-64). */
#pragma once

#include "arch/thread.h"
#include <asm/unistd.h>

#define SYSCALL_ARGS(r) (r)->rdi, (r)->rsi, (r)->rdx, (r)->r10, (r)->r8, (r)->r9
#define SYSCALL_INSN_LEN 2
#define AUDIT_ARCH_NATIVE 0xc000003eu /* AUDIT_ARCH_X86_64: how this ABI names itself to filters and tracers */

/* The number's upper half is ignored, as on Linux. */
static inline u32 regs_syscall_number(const struct regs *r)
{
	return (u32)r->orig_rax;
}

/* Did the frame come from a system call whose restart has not been decided yet? */
static inline bool regs_in_syscall(const struct regs *r)
{
	return r->orig_rax != ~0ull;
}

static inline void regs_leave_syscall(struct regs *r)
{
	r->orig_rax = ~0ull;
}

static inline long regs_result(const struct regs *r)
{
	return (long)r->rax;
}

/* Make the application execute the call again, as number NR. */
static inline void regs_restart_syscall(struct regs *r, u64 nr)
{
	r->rax = nr;
	r->rip -= SYSCALL_INSN_LEN;
}

/* AT_HWCAP: CPUID leaf 1, EDX. */
static inline u64 arch_hwcap(void)
{
	u32 a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

static inline u64 regs_sp(const struct regs *r)
{
	return r->rsp;
}

static inline u64 regs_pc(const struct regs *r)
{
	return r->rip;
}
