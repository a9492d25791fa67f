/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole pages; kernel.ld puts them first in .rodata, on a page's boundary. */
	.section .rodata.vdso, "a"
	.globl vdso_image, vdso_image_end
vdso_image:
	.incbin VDSO_SO
	.skip -(. - vdso_image) & 4095
vdso_image_end:
