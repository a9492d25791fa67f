// SPDX-License-Identifier: BSD-2-Clause
/* The registers of a traced thread, as the ABI's struct user shows them (sys/user.h). The thread is stopped
 * or the current one; its frame is at the top of its kernel stack. Applications run in ring 0 here: segment
 * registers show what they are on Linux, and the flags that a tracer may set are those that an application
 * could set itself. */
#include "arch/debug.h"
#include "arch/ptrace.h"
#include "arch/syscall.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/thread.h"

#define SHOWN_CS   0x33
#define SHOWN_SS   0x2b
#define EFLAGS_APP 0x50dd5ull /* CF PF AF ZF SF TF DF OF RF AC */
#define EFLAGS_TF  0x100ull
#define EFLAGS_SET 0x202ull /* IF and the bit that is always one */
#define USER_SIZE  912	    /* sizeof(struct user) */
#define USER_DEBUG 848	    /* offsetof(struct user, u_debugreg): 8 words, the last ones */

enum user_reg {
	UR_R15,
	UR_R14,
	UR_R13,
	UR_R12,
	UR_BP,
	UR_BX,
	UR_R11,
	UR_R10,
	UR_R9,
	UR_R8,
	UR_AX,
	UR_CX,
	UR_DX,
	UR_SI,
	UR_DI,
	UR_ORIG_AX,
	UR_IP,
	UR_CS,
	UR_FLAGS,
	UR_SP,
	UR_SS,
	UR_FS_BASE,
	UR_GS_BASE,
	UR_DS,
	UR_ES,
	UR_FS,
	UR_GS,
	UR_COUNT
};

static u64 shown_flags(struct thread *t)
{
	u64 f = thread_regs(t)->rflags & (EFLAGS_APP | 2);

	return (t->ptrace.stepping ? f & ~EFLAGS_TF : f) | EFLAGS_SET;
}

void arch_ptrace_get_regs(struct thread *t, u64 out[UR_COUNT])
{
	const struct regs *r = thread_regs(t);

	memcpy(out, r, (UR_ORIG_AX + 1) * sizeof(u64)); /* in the ABI's order */
	out[UR_IP] = r->rip;
	out[UR_CS] = SHOWN_CS;
	out[UR_FLAGS] = shown_flags(t);
	out[UR_SP] = r->rsp;
	out[UR_SS] = SHOWN_SS;
	out[UR_FS_BASE] = t == current ? arch_get_fs_base() : t->arch.fs_base;
	for (int i = UR_GS_BASE; i < UR_COUNT; i++)
		out[i] = 0;
}

int arch_ptrace_set_reg(struct thread *t, unsigned index, u64 value)
{
	struct regs *r = thread_regs(t);

	thread_set_flag(t, THREAD_REGS_CHANGED);
	if (index <= UR_ORIG_AX) {
		((u64 *)r)[index] = value;
		return 0;
	}
	switch (index) {
	case UR_IP:
		if (value >= APP_LIMIT)
			return -EIO;
		r->rip = value;
		return 0;
	case UR_FLAGS:
		if (value & EFLAGS_TF)
			t->ptrace.stepping = false; /* the application's own from now on */
		else if (t->ptrace.stepping)
			value |= EFLAGS_TF;
		r->rflags = (value & EFLAGS_APP) | EFLAGS_SET;
		return 0;
	case UR_SP:
		r->rsp = value;
		return 0;
	case UR_FS_BASE:
		if (value >= APP_LIMIT)
			return -EIO;
		t->arch.fs_base = value;
		return 0;
	default:
		return index < UR_COUNT ? 0 : -EIO; /* segments and GS stay what they are */
	}
}

u64 arch_ptrace_user_word(struct thread *t, u64 offset, int *err)
{
	u64 regs[UR_COUNT];

	*err = offset % sizeof(u64) || offset >= USER_SIZE ? -EIO : 0;
	if (!*err && offset >= USER_DEBUG)
		return debug_get(t, (unsigned)(offset - USER_DEBUG) / sizeof(u64));
	if (*err || offset >= sizeof(regs))
		return 0;
	arch_ptrace_get_regs(t, regs);
	return regs[offset / sizeof(u64)];
}

int arch_ptrace_set_user_word(struct thread *t, u64 offset, u64 value)
{
	if (offset % sizeof(u64) || offset >= USER_SIZE)
		return -EIO;
	if (offset < UR_COUNT * sizeof(u64))
		return arch_ptrace_set_reg(t, (unsigned)(offset / sizeof(u64)), value);
	if (offset < USER_DEBUG)
		return -EIO;
	return debug_set(t, (unsigned)(offset - USER_DEBUG) / sizeof(u64), value);
}

void arch_ptrace_step(struct thread *t, bool on)
{
	struct regs *r = thread_regs(t);

	if (on && !(r->rflags & EFLAGS_TF)) {
		r->rflags |= EFLAGS_TF;
		t->ptrace.stepping = true;
	} else if (!on && t->ptrace.stepping) {
		r->rflags &= ~EFLAGS_TF;
		t->ptrace.stepping = false;
	}
}

void arch_ptrace_child(struct thread *child, const struct thread *parent)
{
	if (unlikely(parent->ptrace.stepping))
		thread_regs(child)->rflags &= ~EFLAGS_TF;
}

u64 arch_ptrace_syscall_number(struct thread *t)
{
	return thread_regs(t)->orig_rax;
}

void arch_ptrace_syscall_args(struct thread *t, u64 args[6])
{
	const struct regs *r = thread_regs(t);
	const u64 a[6] = {SYSCALL_ARGS(r)};

	memcpy(args, a, sizeof(a));
}
