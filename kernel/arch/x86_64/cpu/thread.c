/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel stacks of threads: what a new one starts with, and the switch between two. */

#include "arch/asm.h"
#include "arch/debug.h"
#include "arch/fpu.h"
#include "arch/platform.h"
#include "arch/thread.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"
#include "kernel/thread.h"

/* What arch_switch_stacks() pops. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp, rip;
};

struct thread *arch_switch_stacks(u64 *save_sp, u64 load_sp, struct thread *prev);
void thread_begin_kernel(void);
void thread_begin_app(void);

struct regs *thread_regs(struct thread *t)
{
	return (struct regs *)((u8 *)t->kstack + KSTACK_SIZE - 8) - 1;
}

int arch_thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg)
{
	struct switch_frame *f = (struct switch_frame *)((u8 *)t->kstack + KSTACK_SIZE - 16) - 1;

	*f = (struct switch_frame){.rbx = (u64)fn, .r12 = (u64)arg, .rip = (u64)thread_begin_kernel};
	t->arch.sp = (u64)f;
	return 0;
}

int arch_thread_init_app(struct thread *t, const struct regs *regs, u64 sp, bool set_tls, u64 tls)
{
	struct regs *r = thread_regs(t);
	struct switch_frame *f = (struct switch_frame *)r - 1;

	t->arch.fpu = fpu_area_create(current->arch.fpu != NULL);
	if (!t->arch.fpu)
		return -ENOMEM;
	t->arch.fpu_cpu = ~0u;
	t->arch.fpu_turns = current->arch.fpu ? current->arch.fpu_turns : FPU_LAZY_TURNS; /* likely of the same habits */
	*r = *regs;
	r->rax = 0;
	if (sp)
		r->rsp = sp;
	t->arch.fs_base = set_tls ? tls : arch_get_fs_base();
	*f = (struct switch_frame){.rip = (u64)thread_begin_app};
	t->arch.sp = (u64)f;
	return 0;
}

void arch_thread_free(struct thread *t)
{
	debug_forget(t);
	fpu_area_free(t->arch.fpu);
	t->arch.fpu = NULL;
}

void arch_start_app(struct regs *regs, u64 entry, u64 sp)
{
	memset(regs, 0, sizeof *regs);
	regs->rip = entry;
	regs->rsp = sp;
	regs->cs = KERNEL_CS;
	regs->ss = KERNEL_SS;
	regs->rflags = RFLAGS_IF | 2;
	regs->orig_rax = ~0ull;
	regs->r11 = 1; /* differs from rflags: the return goes through IRETQ */
	if (!current->arch.fpu)
		return;
	debug_forget(current);
	fpu_reset();
	current->arch.fpu_turns = FPU_LAZY_TURNS;
	arch_set_fs_base(0);
}

u64 arch_get_fs_base(void)
{
	u64 v;

	if (!cpu_has_fsgsbase())
		return current->arch.fs_base;
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

void arch_set_fs_base(u64 v)
{
	current->arch.fs_base = v;
	if (cpu_has_fsgsbase())
		__asm__ volatile("wrfsbase %0" ::"r"(v));
	else
		wrmsr(MSR_FS_BASE, v);
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
	if (prev->arch.fpu)
		prev->arch.fs_base = arch_get_fs_base();
	fpu_switch(prev, next);
	if (next->arch.fpu && (!prev->arch.fpu || next->arch.fs_base != prev->arch.fs_base)) {
		if (cpu_has_fsgsbase())
			__asm__ volatile("wrfsbase %0" ::"r"(next->arch.fs_base));
		else
			wrmsr(MSR_FS_BASE, next->arch.fs_base);
	}
	if (unlikely((uintptr_t)prev->arch.debug | (uintptr_t)next->arch.debug))
		debug_load(next->arch.debug);
	cpu_set_kstack(next->kstack);
	return arch_switch_stacks(&prev->arch.sp, next->arch.sp, prev);
}
