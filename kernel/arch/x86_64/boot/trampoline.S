/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a secondary CPU wakes up: real mode, CS:IP = page:0. smp.c copies this code to a page below 1 MiB and fills in the
 * words at its end. It goes to long mode on tables that map both this page (at its physical address) and the kernel. */

#include "arch/asm.h"

	.section .rodata.trampoline, "a"
	.code16
	.globl trampoline_start, trampoline_end, trampoline_args
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx			/* EBX: linear address of this page */
	leal (gdt - trampoline_start)(%ebx), %eax
	movl %eax, (gdt_pointer + 2 - trampoline_start)
	leal (protected - trampoline_start)(%ebx), %eax
	movl %eax, (far_protected - trampoline_start)
	leal (long_mode - trampoline_start)(%ebx), %eax
	movl %eax, (far_long - trampoline_start)
	lgdtl (gdt_pointer - trampoline_start)
	movl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl *(far_protected - trampoline_start)

	.code32
protected:
	movl $KERNEL_SS, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $CR4_PAE | CR4_PGE, %eax
	movl %eax, %cr4
	movl (args_cr3 - trampoline_start)(%ebx), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME | EFER_NXE | EFER_SCE, %eax
	wrmsr
	movl $CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG, %eax
	movl %eax, %cr0
	ljmpl *(far_long - trampoline_start)(%ebx)

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %ebx, %ebx
	movq (args_stack - trampoline_start)(%rbx), %rsp
	movq (args_gs - trampoline_start)(%rbx), %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %ebp, %ebp
	movq (args_entry - trampoline_start)(%rbx), %rax
	call *%rax
	ud2

	.align 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff
	.quad 0x00cf9b000000ffff	/* 32-bit code */
gdt_pointer:
	.word . - gdt - 1
	.long 0
far_protected:
	.long 0
	.word 0x18
far_long:
	.long 0
	.word KERNEL_CS
	.align 8
trampoline_args:
args_cr3:	.quad 0
args_stack:	.quad 0
args_gs:	.quad 0
args_entry:	.quad 0
trampoline_end:
