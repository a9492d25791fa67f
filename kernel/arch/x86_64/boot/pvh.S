/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot entry by the PVH protocol (xen/include/public/arch-x86/hvm/start_info.h): 32-bit protected mode, flat segments,
 * paging off, EBX = physical address of struct hvm_start_info. Everything here runs at its load address until the jump
 * to the relocated image.
 *
 * The first page tables map, with 2 MiB pages, the first 4 GiB at 0 (dropped later) and at DIRECT_MAP_BASE, and the
 * image at KERNEL_BASE + slide. mm_init() replaces them. */

#include "arch/asm.h"

/* Load addresses, as distances from the entry point, which kernel.ld puts first: a position-independent image has no
 * absolute relocations that would fit in 32 bits. */
#define ENTRY_PHYS 0x100000
#define PHYS(sym) (sym - pvh_entry + ENTRY_PHYS)
#define PTE_TABLE 0x003		/* present, writable */
#define PTE_LARGE 0x183		/* present, writable, large, global */
#define DIRECT_MAP_SLOT 256

	.section .note.Xen, "a", @note
	.align 4
	.long 4, 4, 18		/* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long ENTRY_PHYS

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cld
	movl $PHYS(boot_stack_top), %esp

	/* A reset does not clear RAM: .bss is ours to zero. */
	movl $PHYS(__bss_start), %edi
	movl $PHYS(__bss_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl %ebx, PHYS(pvh_start_info)

	/* Page directories: 2048 large pages for the first 4 GiB. */
	movl $PHYS(boot_pd), %edi
	movl $PTE_LARGE, %eax
	xorl %edx, %edx
1:	movl %eax, (%edi)
	movl %edx, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 1b			/* 2048 pages later the address wraps */

	movl $PHYS(boot_pd) + PTE_TABLE, %eax
	movl $PHYS(boot_pdpt), %edi
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 2b
	movl $PHYS(boot_pdpt) + PTE_TABLE, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt) + PTE_TABLE, PHYS(boot_pml4) + 8 * DIRECT_MAP_SLOT
	movl $PHYS(boot_kernel_pdpt) + PTE_TABLE, PHYS(boot_pml4) + 8 * 511
	movl $PHYS(boot_kernel_pd) + PTE_TABLE, PHYS(boot_kernel_pdpt) + 8 * 510
	movl $PHYS(boot_kernel_pd) + 0x1000 + PTE_TABLE, PHYS(boot_kernel_pdpt) + 8 * 511

	movl $CR4_PAE | CR4_PGE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME | EFER_NXE | EFER_SCE, %eax
	wrmsr
	movl $CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG, %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $KERNEL_CS, $PHYS(long_mode)

	.code64
long_mode:
	movl $KERNEL_SS, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	xorl %ebp, %ebp

	movl PHYS(pvh_start_info), %edi
	call relocate_kernel	/* at its load address; returns the slide */

	/* Into the image at its final place, on its own stack. */
	movq kernel_phys_offset(%rip), %rax
	leaq boot_stack_top(%rip), %rsp
	addq %rax, %rsp
	leaq pvh_continue(%rip), %rcx
	addq %rcx, %rax
	jmp *%rax
pvh_continue:
	xorl %ebp, %ebp
	call kernel_boot
	ud2

	.align 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.long PHYS(boot_gdt)

	.section .bss.page_aligned, "aw", @nobits
	.align 4096
	.globl boot_pml4, boot_kernel_pd
boot_pml4:	  .skip 4096
boot_pdpt:	  .skip 4096
boot_pd:	  .skip 4 * 4096
boot_kernel_pdpt: .skip 4096
boot_kernel_pd:	  .skip 2 * 4096
	.globl boot_stack, boot_stack_top
boot_stack:	  .skip 16384
boot_stack_top:

	.data
	.align 4
	.globl pvh_start_info
pvh_start_info:
	.long 0
