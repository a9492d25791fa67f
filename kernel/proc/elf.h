/* SPDX-License-Identifier: BSD-2-Clause */
/* Validation of ELF headers: pure functions over bytes that anybody may have made, also built for the host,
 * where they are fuzzed. What they accept, the loader can map without further checks of its own. System V
 * gABI, chapters 4 and 5. */
#pragma once

#include "base/types.h"
#include <linux/elf.h>

#define ELF_PHDRS_MAX (65536 / sizeof(struct elf64_phdr))

struct elf_layout {
	u64 low, high; /* [low, high): the image's span, page-aligned, at its link address */
	u64 align;     /* largest alignment of a segment; at least a page */
	u64 brk;       /* end of the highest segment's memory, not rounded */
	u64 code_start,
		code_end; /* from the lowest executable segment to the end of the last one's file part */
	u64 data_start, data_end; /* where the highest segment begins, and the end of the file parts */
	u64 phdr;		  /* link address of the program headers; 0: not mapped */
	u64 entry;
	u64 interp_offset; /* of the interpreter's name in the file */
	u32 interp_size;   /* with its NUL; 0: no interpreter */
	bool pie;	   /* ET_DYN: may be loaded anywhere */
	bool exec_stack;
};

/* HEAD holds the first LEN bytes of a file. 0 or -ENOEXEC. */
int elf_check_header(const void *head, size_t len, struct elf64_hdr *out);
/* The N program headers of a file whose header is H. LIMIT: first address that an application cannot use.
 * 0, -ENOEXEC (interpreter's name), -EINVAL (a segment that cannot be mapped, or none at all), -ENOMEM (too
 * large). */
int elf_check_segments(const struct elf64_hdr *h, const struct elf64_phdr *ph, u64 limit,
		       struct elf_layout *out);
