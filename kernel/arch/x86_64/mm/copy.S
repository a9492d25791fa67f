/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies between kernel and application memory that survive a fault, and page-sized stores and copies.
 *
 * Two ways, chosen once at boot (app.c): string instructions where the CPU does them in microcode, and the run is long enough to
 * pay for their start; 8-byte loops elsewhere (emulators take string instructions apart). After a fault a routine returns the bytes it did not do; word loops finish
 * byte by byte up to the faulting address. Registers by the C calling convention; direction flag clear. */

/* The instruction at the next label may fault; control then goes to FIXUP. */
.macro extable insn, fixup
	.pushsection __ex_table, "a"
	.balign 4
	.long \insn - .
	.long \fixup - .
	.popsection
.endm

#define REP_LEAST 128

	.text

/* size_t app_copy_raw(void *dst, const void *src, size_t n): bytes not copied. Either side may be the application's. */
	.globl app_copy_raw
	.type app_copy_raw, @function
app_copy_raw:
	movq %rdx, %rcx
	cmpq $REP_LEAST, %rcx
	jb 2f
	cmpb $0, copy_use_rep(%rip)
	je 2f
1:	rep movsb
9:	movq %rcx, %rax
	ret
	extable 1b, 9b

2:	cmpq $8, %rcx
	jb 5f
	cmpq $64, %rcx
	jb 4f
	.balign 16
3:	/* 64 bytes a turn. A fault leaves RSI, RDI, RCX at the start of the turn. */
30:	movq (%rsi), %rax
31:	movq 8(%rsi), %rdx
32:	movq 16(%rsi), %r8
33:	movq 24(%rsi), %r9
34:	movq %rax, (%rdi)
35:	movq %rdx, 8(%rdi)
36:	movq %r8, 16(%rdi)
37:	movq %r9, 24(%rdi)
38:	movq 32(%rsi), %rax
39:	movq 40(%rsi), %rdx
40:	movq 48(%rsi), %r8
41:	movq 56(%rsi), %r9
42:	movq %rax, 32(%rdi)
43:	movq %rdx, 40(%rdi)
44:	movq %r8, 48(%rdi)
45:	movq %r9, 56(%rdi)
	addq $64, %rsi
	addq $64, %rdi
	subq $64, %rcx
	cmpq $64, %rcx
	jae 3b
	cmpq $8, %rcx
	jb 5f
4:
46:	movq (%rsi), %rax
47:	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rcx
	cmpq $8, %rcx
	jae 4b
5:	testq %rcx, %rcx
	jz 7f
6:
48:	movb (%rsi), %al
49:	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rcx
	jnz 6b
7:	movq %rcx, %rax
	ret
	.irp n, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
	extable \n\()b, 6b
	.endr
	extable 48b, 7b
	extable 49b, 7b
	.size app_copy_raw, . - app_copy_raw

/* size_t app_zero_raw(void *dst, size_t n): bytes not zeroed. */
	.globl app_zero_raw
	.type app_zero_raw, @function
app_zero_raw:
	movq %rsi, %rcx
	xorl %eax, %eax
	cmpq $REP_LEAST, %rcx
	jb 2f
	cmpb $0, clear_use_rep(%rip)
	je 2f
1:	rep stosb
9:	movq %rcx, %rax
	ret
	extable 1b, 9b
2:	cmpq $8, %rcx
	jb 4f
3:
50:	movq %rax, (%rdi)
	addq $8, %rdi
	subq $8, %rcx
	cmpq $8, %rcx
	jae 3b
4:	testq %rcx, %rcx
	jz 6f
5:
51:	movb %al, (%rdi)
	incq %rdi
	decq %rcx
	jnz 5b
6:	movq %rcx, %rax
	ret
	extable 50b, 5b
	extable 51b, 6b
	.size app_zero_raw, . - app_zero_raw

/* ssize_t app_string_raw(char *dst, const char *src, size_t n): copy up to and including NUL, at most N bytes (N > 0).
 * The length without the NUL, N when there is none, -1 on a fault. */
	.globl app_string_raw
	.type app_string_raw, @function
app_string_raw:
	xorl %eax, %eax
1:
52:	movb (%rsi,%rax), %cl
	movb %cl, (%rdi,%rax)
	testb %cl, %cl
	jz 2f
	incq %rax
	cmpq %rdx, %rax
	jb 1b
2:	ret
3:	movq $-1, %rax
	ret
	extable 52b, 3b
	.size app_string_raw, . - app_string_raw

/* int app_load_u32_raw(u32 *val, const u32 *p): 0, or -1 on a fault. */
	.globl app_load_u32_raw
	.type app_load_u32_raw, @function
app_load_u32_raw:
	xorl %eax, %eax
53:	movl (%rsi), %ecx
	movl %ecx, (%rdi)
	ret
4:	movl $-1, %eax
	ret
	extable 53b, 4b
	.size app_load_u32_raw, . - app_load_u32_raw

/* int app_cmpxchg_u32_raw(u32 *p, u32 *expected, u32 desired): 0 with *expected = the value found, or -1 on a fault. */
	.globl app_cmpxchg_u32_raw
	.type app_cmpxchg_u32_raw, @function
app_cmpxchg_u32_raw:
	movl (%rsi), %eax
54:	lock cmpxchgl %edx, (%rdi)
	movl %eax, (%rsi)
	xorl %eax, %eax
	ret
5:	movl $-1, %eax
	ret
	extable 54b, 5b
	.size app_cmpxchg_u32_raw, . - app_cmpxchg_u32_raw

/* void arch_clear_pages(void *page, size_t npages) */
	.globl arch_clear_pages
	.type arch_clear_pages, @function
arch_clear_pages:
	movq %rsi, %rcx
	shlq $12, %rcx
	xorl %eax, %eax
	cmpb $0, clear_use_rep(%rip)
	je 1f
	rep stosb
	ret
1:	addq %rdi, %rcx
	.balign 16
2:	.set at, 0
	.rept 64
	movq %rax, at(%rdi)
	.set at, at + 8
	.endr
	addq $512, %rdi
	cmpq %rcx, %rdi
	jb 2b
	ret
	.size arch_clear_pages, . - arch_clear_pages

/* void arch_copy_pages(void *to, const void *from, size_t npages) */
	.globl arch_copy_pages
	.type arch_copy_pages, @function
arch_copy_pages:
	movq %rdx, %rcx
	shlq $12, %rcx
	cmpb $0, copy_use_rep(%rip)
	je 1f
	rep movsb
	ret
1:	addq %rdi, %rcx
	.balign 16
2:	movq (%rsi), %rax
	movq 8(%rsi), %rdx
	movq 16(%rsi), %r8
	movq 24(%rsi), %r9
	movq %rax, (%rdi)
	movq %rdx, 8(%rdi)
	movq %r8, 16(%rdi)
	movq %r9, 24(%rdi)
	movq 32(%rsi), %rax
	movq 40(%rsi), %rdx
	movq 48(%rsi), %r8
	movq 56(%rsi), %r9
	movq %rax, 32(%rdi)
	movq %rdx, 40(%rdi)
	movq %r8, 48(%rdi)
	movq %r9, 56(%rdi)
	addq $64, %rsi
	addq $64, %rdi
	cmpq %rcx, %rdi
	jb 2b
	ret
	.size arch_copy_pages, . - arch_copy_pages
	.section .note.GNU-stack, "", @progbits
