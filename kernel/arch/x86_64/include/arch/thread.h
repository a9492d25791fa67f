/* SPDX-License-Identifier: BSD-2-Clause */
/* The architecture's part of a thread, and the frame that every entry to the kernel leaves on the kernel stack. */
#pragma once

#include "base/types.h"

struct thread;
struct debug_regs;

/* Saved registers of the application (or of interrupted kernel code). The top of the kernel stack holds the
 * application's. */
struct regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system call number, -1 for exceptions and interrupts */
	u64 error;    /* exception error code as hardware gave it, plus `vector` for signal frames */
	u64 vector;
	u64 rip, cs, rflags, rsp, ss;
};

struct arch_thread {
	u64 sp;	     /* kernel RSP while switched out */
	u64 fs_base; /* live in the MSR while running */
	u32 fpu_cpu; /* CPU whose registers last held this thread's vector state; ~0: none */
	u32 fpu_turns; /* on the CPU, in a row, in which it used vector registers (cpu/fpu.c) */
	void *fpu;   /* XSAVE (or FXSAVE) area, 64-byte aligned; the state while it is not in the registers */
	struct debug_regs *debug; /* the tracer's break points (arch/debug.h), mostly NULL */
	u64 fault_addr, fault_error, fault_vector; /* last exception, for the signal frame */
};

/* The application's registers of a thread with a kernel stack. */
struct regs *thread_regs(struct thread *t);
#define current_regs() thread_regs(current)

/* New threads. All return 0 or -ENOMEM.
 * kernel: runs fn(arg) on its kernel stack. app: copies REGS (the parent's), with rax = 0, the stack pointer SP when not 0, and TLS
 * (FS base) when SET_TLS; inherits the live vector state of the current thread. */
int arch_thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg);
int arch_thread_init_app(struct thread *t, const struct regs *regs, u64 sp, bool set_tls, u64 tls);
void arch_thread_free(struct thread *t);
/* exec: REGS become those of a fresh program; vector state is reset; FS base 0. */
void arch_start_app(struct regs *regs, u64 entry, u64 sp);
/* Switch kernel stacks, vector state, FS base. Returns in NEXT's context with PREV returned (the thread that ran before). */
struct thread *arch_switch(struct thread *prev, struct thread *next);

/* Result register of a system call frame, and restarting it. */
static inline void regs_set_result(struct regs *r, long v)
{
	r->rax = (u64)v;
}

/* FS base of the current thread (arch_prctl). */
u64 arch_get_fs_base(void);
void arch_set_fs_base(u64 v);
