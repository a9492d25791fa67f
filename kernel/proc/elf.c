// SPDX-License-Identifier: BSD-2-Clause
/* ELF header validation: see elf.h. Every sum is checked for overflow before it is used. */
#include "elf.h"
#include "base/err.h"
#include "base/string.h"

#define INTERP_MAX 4096 /* PATH_MAX */

int elf_check_header(const void *head, size_t len, struct elf64_hdr *out)
{
	const struct elf64_hdr *h = out;

	if (len < sizeof(*out))
		return -ENOEXEC;
	memcpy(out, head, sizeof(*out));
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if ((h->e_type != ET_EXEC && h->e_type != ET_DYN) || h->e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h->e_phentsize != sizeof(struct elf64_phdr) || h->e_phnum < 1 || h->e_phnum > ELF_PHDRS_MAX)
		return -ENOEXEC;
	if (h->e_phoff > INT64_MAX - h->e_phnum * sizeof(struct elf64_phdr))
		return -ENOEXEC;
	return 0;
}

static int check_load(const struct elf64_phdr *p, u64 limit)
{
	if (p->p_filesz > p->p_memsz)
		return -EINVAL;
	if (p->p_memsz > limit || p->p_vaddr > limit - p->p_memsz)
		return -EINVAL;
	if (p->p_filesz && (p->p_vaddr & ~PAGE_MASK) != (p->p_offset & ~PAGE_MASK))
		return -EINVAL;
	if (p->p_offset > INT64_MAX - p->p_filesz)
		return -EINVAL;
	return 0;
}

static void add_load(const struct elf64_hdr *h, const struct elf64_phdr *p, struct elf_layout *out)
{
	u64 start = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE), end = p->p_vaddr + p->p_memsz;

	out->low = min(out->low, start);
	out->high = max(out->high, ALIGN_UP(end, PAGE_SIZE));
	out->brk = max(out->brk, end);
	if (p->p_flags & PF_X) {
		out->code_start = out->code_end ? min(out->code_start, p->p_vaddr) : p->p_vaddr;
		out->code_end = max(out->code_end, p->p_vaddr + p->p_filesz);
	}
	out->data_start = max(out->data_start, p->p_vaddr);
	out->data_end = max(out->data_end, p->p_vaddr + p->p_filesz);
	if (p->p_align > out->align && !(p->p_align & (p->p_align - 1)))
		out->align = p->p_align;
	if (!out->phdr && p->p_offset <= h->e_phoff && h->e_phoff - p->p_offset < p->p_filesz)
		out->phdr = h->e_phoff - p->p_offset + p->p_vaddr;
}

int elf_check_segments(const struct elf64_hdr *h, const struct elf64_phdr *ph, u64 limit,
		       struct elf_layout *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	out->low = ~0ull;
	out->align = PAGE_SIZE;
	out->pie = h->e_type == ET_DYN;
	out->entry = h->e_entry;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		const struct elf64_phdr *p = &ph[i];

		switch (p->p_type) {
		case PT_LOAD:
			err = check_load(p, limit);
			if (err)
				return err;
			if (p->p_memsz)
				add_load(h, p, out);
			break;
		case PT_INTERP:
			if (out->interp_size)
				break; /* the first one counts */
			if (p->p_filesz > INTERP_MAX || p->p_filesz < 2 ||
			    p->p_offset > INT64_MAX - p->p_filesz)
				return -ENOEXEC;
			out->interp_offset = p->p_offset;
			out->interp_size = (u32)p->p_filesz;
			break;
		case PT_GNU_STACK:
			out->exec_stack = p->p_flags & PF_X;
			break;
		}
	}
	if (out->low >= out->high)
		return -EINVAL; /* nothing to load */
	if (out->entry >= limit)
		return -EINVAL;
	/* An alignment no address can have room for is not worth honouring. */
	if (out->align > limit / 4)
		out->align = PAGE_SIZE;
	return 0;
}
