/* SPDX-License-Identifier: BSD-2-Clause */
/* Every way into and out of the kernel (DESIGN D2). All code runs in ring 0; what tells an application from the kernel
 * is the half of the address space that RIP lies in.
 *
 *  - SYSCALL: on the application's stack with interrupts off; switch to the thread's kernel stack at once.
 *  - Exceptions and interrupts: on an IST stack with interrupts off; check where the frame shall go, copy it there
 *    (top of the kernel stack for an application, below the interrupted RSP for the kernel), leave the IST.
 *  - Double fault, NMI, machine check: stay on their IST stack.
 *
 * Return to an application after a system call is POPFQ (IF and TF clear), load RSP, STI, JMP: STI's shadow covers the
 * jump, so no interrupt comes on the application's stack before RIP is in the lower half. Everything else is IRETQ. */

#include "arch/asm.h"

#define VECTOR_STUB_SIZE 16

/* struct regs (arch/thread.h) */
#define R_RCX	 (11 * 8)
#define R_R11	 (6 * 8)
#define R_RAX	 (10 * 8)
#define R_RIP	 (18 * 8)
#define R_RFLAGS (20 * 8)
#define R_RSP	 (21 * 8)

	.section .percpu, "aw"
	.align 8
	.globl kstack_top, kstack_low
kstack_top:	.quad 0		/* where the running thread's kernel frames start (16-byte aligned less 8) */
kstack_low:	.quad 0		/* lowest usable address of that stack */
scratch_rsp:	.quad 0
scratch_debug:	.quad 0		/* RAX while a vector of each class chooses its stack */
scratch_exc:	.quad 0
scratch_irq:	.quad 0

	.text
/* Push RDI..R15 in struct regs' order; RAX is passed, the others are live. */
.macro PUSH_GPRS rax
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_GPRS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

/* ---- system calls ---- */

	.align 64
	.globl syscall_entry
syscall_entry:
	movq %rsp, %gs:scratch_rsp(%rip)
	movq %gs:kstack_top(%rip), %rsp
	pushq $KERNEL_SS
	pushq %gs:scratch_rsp(%rip)
	pushq %r11
	pushq $KERNEL_CS
	pushq %rcx
	pushq $0		/* vector */
	pushq $0		/* error */
	pushq %rax		/* orig_rax */
	PUSH_GPRS %rax
	xorl %ebp, %ebp
	movq %rsp, %rdi
	sti
	call syscall_enter	/* returns with interrupts off */
	/* The short way out needs what SYSCALL left in RCX and R11: signal handlers, exec and sigreturn change them. */
	movq R_RIP(%rsp), %rcx
	movq R_RFLAGS(%rsp), %r11
	cmpq R_RCX(%rsp), %rcx
	jne return_iret
	cmpq R_R11(%rsp), %r11
	jne return_iret
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	addq $8, %rsp
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	addq $8, %rsp
	popq %rdx
	popq %rsi
	popq %rdi
	andl $~(RFLAGS_TF | 0x200), %r11d
	pushq %r11
	popfq
	movq R_RSP - 15 * 8(%rsp), %rsp
	sti
	jmp *%rcx

/* ---- return with every register from the frame at RSP; interrupts off ---- */
	.globl return_iret
return_iret:
	POP_GPRS
	addq $24, %rsp		/* orig_rax, error, vector */
	iretq

/* ---- exceptions and interrupts ---- */

/* On the IST stack: vector, error, RIP, CS, RFLAGS, RSP, SS. Builds struct regs on the right stack. */
.macro LEAVE_IST scratch
	cld
	movq %rax, %gs:\scratch(%rip)
	movq %rsp, %rax
	cmpq $0, 16(%rax)
	js 1f
	movq %gs:kstack_top(%rip), %rsp
	jmp 2f
1:	movq 40(%rax), %rsp	/* the kernel was interrupted: its stack, if there is room on it */
	subq $1024, %rsp
	cmpq %gs:kstack_low(%rip), %rsp
	jb stack_overflow
	addq $1024, %rsp
	cmpq %gs:kstack_top(%rip), %rsp
	ja stack_overflow
	andq $-16, %rsp
	subq $8, %rsp
2:	pushq 48(%rax)
	pushq 40(%rax)
	pushq 32(%rax)
	pushq 24(%rax)
	pushq 16(%rax)
	pushq 0(%rax)
	pushq 8(%rax)
	pushq $-1
	PUSH_GPRS %gs:\scratch(%rip)
	movq %rsp, %rdi
.endm

exception_common:
	LEAVE_IST scratch_exc
	call trap_dispatch
	jmp return_iret

debug_common:
	LEAVE_IST scratch_debug
	call trap_dispatch
	jmp return_iret

interrupt_common:
	LEAVE_IST scratch_irq
	call interrupt_dispatch
	jmp return_iret

/* No room on the kernel's own stack: stay here and panic. RAX = the IST frame. */
stack_overflow:
	movq %rax, %rsp

stay_common:
	cld
	pushq 0(%rsp)		/* swap vector and error into struct regs' order */
	pushq 16(%rsp)
	popq 8(%rsp)
	popq 8(%rsp)
	pushq $-1
	PUSH_GPRS %rax
	movq %rsp, %rdi
	cmpq $2, 17 * 8(%rsp)
	jne 1f
	call nmi_dispatch
	jmp return_iret
1:	call double_fault
	ud2

	.align 16
	.globl vector_stubs
vector_stubs:
	v = 0
	.rept 256
	.balign VECTOR_STUB_SIZE
	.if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30)
	pushq $0
	.endif
	pushq $v
	.if v == 2 || v == 8 || v == 18
	jmp stay_common
	.elseif v == 1 || v == 3
	jmp debug_common
	.elseif v < 32
	jmp exception_common
	.else
	jmp interrupt_common
	.endif
	v = v + 1
	.endr

/* ---- threads ---- */

/* struct thread *arch_switch_stacks(u64 *save_sp (rdi), u64 load_sp (rsi), struct thread *prev (rdx)) */
	.globl arch_switch_stacks
arch_switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	movq %rdx, %rax
	ret

/* First code of a new thread, interrupts off: RAX = the thread before; RBX = fn, R12 = arg for kernel threads. */
	.globl thread_begin_kernel, thread_begin_app
thread_begin_kernel:
	movq %rax, %rdi
	call sched_thread_begin
	sti
	movq %r12, %rdi
	call *%rbx		/* does not return: ends in thread_exit_final() */
	ud2
thread_begin_app:
	movq %rax, %rdi
	call sched_thread_begin
	sti
	movq %rsp, %rdi
	call app_first_run	/* returns with interrupts off */
	jmp return_iret
