/* SPDX-License-Identifier: BSD-2-Clause */
/* Every way into and out of the kernel (DESIGN D2). All code runs in ring 0; what tells an application from the kernel
 * is the half of the address space that RIP lies in.
 *
 *  - SYSCALL: on the application's stack; switch to the thread's kernel stack at once. Interrupts are on.
 *  - Exceptions and interrupts: on an IST stack with interrupts off; check where the frame shall go, copy it there
 *    (top of the kernel stack for an application, below the interrupted RSP for the kernel), leave the IST.
 *  - Double fault, NMI, machine check: stay on their IST stack.
 *
 * Return to an application after a system call is loading registers, RSP last, and JMP. Everything else is IRETQ. */

#include "arch/asm.h"

#define VECTOR_STUB_SIZE 16

/* struct regs (arch/thread.h) */
#define R_R10	   (7 * 8)
#define R_R9	   (8 * 8)
#define R_R8	   (9 * 8)
#define R_RAX	   (10 * 8)
#define R_RCX	   (11 * 8)
#define R_RDX	   (12 * 8)
#define R_RSI	   (13 * 8)
#define R_RDI	   (14 * 8)
#define R_ORIG_RAX (15 * 8)
#define R_RIP	   (18 * 8)
#define R_RFLAGS   (20 * 8)
#define R_RSP	   (21 * 8)

#define RFLAGS_IF	 0x200
#define THREAD_EXIT_MASK 0x417 /* kernel/thread.h: work and changed registers; traps.c checks that it is the same */
#define SYSCALL_SIZE	 2

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

/* ---- system calls ----
 *
 * Interrupts stay on all the way: turning them off and on costs more than the rest of a short call. So an interrupt may
 * come where the state is neither the application's nor the kernel's. Those places are in one window, syscall_exit to
 * syscall_entry_end, and LEAVE_IST asks leave_window what an interrupt there means:
 *  - the entry before it has the kernel's stack: as if the application had not executed SYSCALL yet;
 *  - the exit up to its last instruction: it starts over, since the interrupt may have left work to do. RSP stays at the
 *    frame all the time, so the frame is whole;
 *  - the last jump: the application was interrupted. */

	.align 64
/* RSP = frame. What C code preserves is still the application's, unless sigreturn or exec changed the frame: they leave
 * -1 as the call's number. A signal handler or a restart shows in RIP. */
syscall_exit:
	movq %gs:current_thread(%rip), %rax
	movq R_RIP(%rsp), %rcx
	movl R_RFLAGS(%rsp), %r11d
	testl $THREAD_EXIT_MASK, (%rax)	/* struct thread.flags */
	jnz syscall_exit_slow
	cmpq R_RCX(%rsp), %rcx
	jne syscall_exit_slow
	cmpq $0, R_ORIG_RAX(%rsp)
	jl syscall_exit_slow
	testl $(RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC), %r11d
	jnz syscall_exit_slow
	/* The arithmetic flags are all that differs: POPFQ is dear. OF by an addition, the others by SAHF. */
	movl %r11d, %eax
	shll $8, %eax
	btl $19, %eax
	setc %al
	addb $127, %al
	sahf
	movq R_RDI(%rsp), %rdi
	movq R_RSI(%rsp), %rsi
	movq R_RDX(%rsp), %rdx
	movq R_RAX(%rsp), %rax
	movq R_R8(%rsp), %r8
	movq R_R9(%rsp), %r9
	movq R_R10(%rsp), %r10
	movq R_RSP(%rsp), %rsp
syscall_exit_jump:
	jmp *%rcx

	.globl syscall_entry
syscall_entry:
	movq %rsp, %gs:scratch_rsp(%rip)
	movq %gs:kstack_top(%rip), %rsp
syscall_entry_end:
	pushq $KERNEL_SS
	pushq %gs:scratch_rsp(%rip)
	pushq %r11
	pushq $KERNEL_CS
	pushq %rcx
	pushq $0		/* vector */
	pushq $0		/* error */
	pushq %rax		/* orig_rax */
	PUSH_GPRS %rax
	movq %rsp, %rdi
	btl $9, %r11d		/* the application may have executed CLI */
	jnc 1f
	call syscall_dispatch
	jmp syscall_exit
1:	orl $RFLAGS_IF, R_RFLAGS(%rsp)
	sti
	call syscall_dispatch
	jmp syscall_exit

syscall_exit_slow:
	cli
	movq %rsp, %rdi
	call exit_to_app
	jmp return_iret

/* RAX = an IST frame whose RIP is in the window: change it as said above. All other registers are kept. */
leave_window:
	pushq %rbx
	leaq syscall_exit_jump(%rip), %rbx
	cmpq %rbx, 16(%rax)
	ja 1f
	movq %rcx, %rbx
	je 2f
	leaq syscall_exit(%rip), %rbx
	jmp 2f
1:	movq %r11, 32(%rax)
	leaq -SYSCALL_SIZE(%rcx), %rbx
2:	movq %rbx, 16(%rax)
	popq %rbx
	ret

/* ---- return with every register from the frame at RSP; interrupts off ---- */
	.globl return_iret
return_iret:
	POP_GPRS
	addq $24, %rsp		/* orig_rax, error, vector */
	iretq

/* ---- exceptions and interrupts ---- */

/* On the IST stack: vector, error, RIP, CS, RFLAGS, RSP, SS. Builds struct regs on the right stack. Emulators and a change
 * of privilege leave SS null; it gets the value that it has in system calls, since QEMU translates code once for each. */
.macro LEAVE_IST scratch
	cld
	movq %rax, %gs:\scratch(%rip)
	movq %rsp, %rax
	cmpq $0, 16(%rax)
	js 1f
3:	movq %gs:kstack_top(%rip), %rsp
	jmp 2f
1:	pushq %rbx
	leaq syscall_exit(%rip), %rbx
	negq %rbx
	addq 16(%rax), %rbx
	cmpq $(syscall_entry_end - syscall_exit), %rbx
	popq %rbx
	jae 4f
	call leave_window
	cmpq $0, 16(%rax)
	jns 3b
4:	movq 40(%rax), %rsp	/* the kernel was interrupted: its stack, if there is room on it */
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
	movl $KERNEL_SS, %eax
	movl %eax, %ss
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
