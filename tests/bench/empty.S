/* SPDX-License-Identifier: BSD-2-Clause */
/* The least kernel that a hypervisor starts by PVH: it ends its VM at once. An empty descriptor table turns the first
 * exception into a triple fault, which resets the machine, and QEMU's -no-reboot makes that the end. */
	.code32
	.text
	.globl	start
start:	lidt	none
	ud2

	.section .rodata
none:	.word	0
	.long	0

	.section .note.pvh, "a", @note
	.long	4, 4, 18	/* lengths of the name and the value; Xen's note 18, the 32-bit entry */
	.asciz	"Xen"
	.long	start
