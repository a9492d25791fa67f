// SPDX-License-Identifier: BSD-2-Clause
/* ELF header validation: a good program is described rightly, each broken field is refused with Linux's errno, and
 * whatever mutated headers are accepted can be mapped: every number in the layout is in range. */
// sources: kernel/proc/elf.c
#include "unit.h"

#include "base/err.h"
#include "kernel/app.h"
#include "kernel/proc/elf.h"

#define PHDRS 6

struct image {
	struct elf64_hdr h;
	struct elf64_phdr ph[PHDRS];
};

/* What a linker makes of a small position-independent program. */
static struct image good(void)
{
	return (struct image){
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_type = ET_DYN,
		      .e_machine = EM_X86_64,
		      .e_version = EV_CURRENT,
		      .e_entry = 0x1060,
		      .e_phoff = sizeof(struct elf64_hdr),
		      .e_ehsize = sizeof(struct elf64_hdr),
		      .e_phentsize = sizeof(struct elf64_phdr),
		      .e_phnum = PHDRS},
		.ph = {{.p_type = PT_INTERP, .p_flags = PF_R, .p_offset = 0x318, .p_vaddr = 0x318, .p_filesz = 28, .p_memsz = 28},
		       {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x628, .p_memsz = 0x628, .p_align = 0x1000},
		       {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1000, .p_vaddr = 0x1000, .p_filesz = 0x175,
			.p_memsz = 0x175, .p_align = 0x1000},
		       {.p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0x2000, .p_vaddr = 0x2000, .p_filesz = 0xf4,
			.p_memsz = 0xf4, .p_align = 0x1000},
		       {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x2db8, .p_vaddr = 0x3db8, .p_filesz = 0x258,
			.p_memsz = 0x1260, .p_align = 0x1000},
		       {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W}},
	};
}

static int check(const struct image *i, struct elf_layout *l)
{
	struct elf64_hdr h;
	int err = elf_check_header(&i->h, sizeof(*i), &h);

	return err ? err : elf_check_segments(&h, i->ph, APP_LIMIT, l);
}

static void test_good(void **state)
{
	struct image i = good();
	struct elf_layout l;

	assert_int_equal(check(&i, &l), 0);
	assert_true(l.pie);
	assert_false(l.exec_stack);
	assert_int_equal(l.low, 0);
	assert_int_equal(l.high, 0x6000);
	assert_int_equal(l.brk, 0x5018);
	assert_int_equal(l.align, 0x1000);
	assert_int_equal(l.phdr, 0x40);
	assert_int_equal(l.entry, 0x1060);
	assert_int_equal(l.interp_offset, 0x318);
	assert_int_equal(l.interp_size, 28);
}

static void test_short_file(void **state)
{
	struct image i = good();
	struct elf64_hdr h;

	for (size_t n = 0; n < sizeof(struct elf64_hdr); n++)
		assert_int_equal(elf_check_header(&i, n, &h), -ENOEXEC);
}

static void test_header_fields(void **state)
{
	struct elf_layout l;
	struct image i;

#define REFUSED(change, err)                                                                                         \
	do {                                                                                                         \
		i = good();                                                                                          \
		change;                                                                                              \
		assert_int_equal(check(&i, &l), err);                                                                \
	} while (0)
	REFUSED(i.h.e_ident[0] = 0, -ENOEXEC);
	REFUSED(i.h.e_ident[EI_CLASS] = ELFCLASS32, -ENOEXEC);
	REFUSED(i.h.e_ident[EI_DATA] = ELFDATA2MSB, -ENOEXEC);
	REFUSED(i.h.e_type = ET_REL, -ENOEXEC);
	REFUSED(i.h.e_type = ET_CORE, -ENOEXEC);
	REFUSED(i.h.e_machine = EM_386, -ENOEXEC);
	REFUSED(i.h.e_machine = 183, -ENOEXEC);
	REFUSED(i.h.e_phentsize = 32, -ENOEXEC);
	REFUSED(i.h.e_phnum = 0, -ENOEXEC);
	REFUSED(i.h.e_phnum = 0xffff, -ENOEXEC);
	REFUSED(i.h.e_phoff = ~0ull, -ENOEXEC);
	REFUSED(i.h.e_phoff = INT64_MAX, -ENOEXEC);
	REFUSED(i.h.e_entry = APP_LIMIT, -EINVAL);
	REFUSED(i.h.e_entry = ~0ull, -EINVAL);
}

static void test_segment_fields(void **state)
{
	struct elf_layout l;
	struct image i;

	REFUSED(i.ph[4].p_filesz = i.ph[4].p_memsz + 1, -EINVAL);
	REFUSED(i.ph[4].p_memsz = ~0ull, -EINVAL);
	REFUSED(i.ph[4].p_memsz = APP_LIMIT, -EINVAL);
	REFUSED(i.ph[4].p_vaddr = ~0xfffull + 0xdb8, -EINVAL);
	REFUSED(i.ph[4].p_vaddr = APP_LIMIT + 0xdb8, -EINVAL);
	REFUSED(i.ph[4].p_offset = 0x2db9, -EINVAL); /* not congruent with the address */
	REFUSED(i.ph[4].p_offset = ((u64)INT64_MAX & ~0xfffull) + 0xdb8, -EINVAL);
	REFUSED(i.ph[0].p_filesz = 1, -ENOEXEC);
	REFUSED(i.ph[0].p_filesz = 4097, -ENOEXEC);
	REFUSED(i.ph[0].p_offset = ~0ull, -ENOEXEC);
	REFUSED(for (int n = 1; n < 5; n++) i.ph[n].p_type = PT_NULL, -EINVAL);
	REFUSED(for (int n = 1; n < 5; n++) i.ph[n].p_memsz = i.ph[n].p_filesz = 0, -EINVAL);
}

static void test_variants(void **state)
{
	struct image i = good();
	struct elf_layout l;

	i.ph[5].p_flags |= PF_X;
	i.ph[0].p_type = PT_NULL;
	i.ph[2].p_align = 0x200000;
	assert_int_equal(check(&i, &l), 0);
	assert_true(l.exec_stack);
	assert_int_equal(l.interp_size, 0);
	assert_int_equal(l.align, 0x200000);
	i.ph[2].p_align = 0x200001; /* not a power of two: ignored */
	assert_int_equal(check(&i, &l), 0);
	assert_int_equal(l.align, 0x1000);
	i.ph[2].p_align = 1ull << 63; /* no address has room for it */
	assert_int_equal(check(&i, &l), 0);
	assert_int_equal(l.align, 0x1000);
	i = good();
	i.ph[4].p_filesz = 0; /* pure bss at an offset that means nothing */
	i.ph[4].p_offset = 7;
	assert_int_equal(check(&i, &l), 0);
	i = good();
	i.h.e_phoff = 0x10000; /* headers outside every segment: no AT_PHDR */
	assert_int_equal(check(&i, &l), 0);
	assert_int_equal(l.phdr, 0);
}

static u64 next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

static void test_mutations(void **state)
{
	static const u64 nasty[] = {0, 1, 0xfff, 0x1000, 0x7fffffff, 0x80000000, APP_LIMIT - 1, APP_LIMIT, INT64_MAX,
				    1ull << 63, ~0xfffull, ~0ull};
	u64 seed = 88172645463325252ull;
	unsigned accepted = 0;

	for (unsigned round = 0; round < 300000; round++) {
		struct image i = good();
		struct elf_layout l;
		int err;

		for (unsigned n = 1 + next(&seed) % 4; n; n--) {
			u64 *word = (u64 *)&i + next(&seed) % (sizeof(i) / 8);

			if (next(&seed) % 2)
				*word = nasty[next(&seed) % ARRAY_SIZE(nasty)];
			else
				*word ^= 1ull << next(&seed) % 64;
		}
		if (i.h.e_phnum > PHDRS)
			i.h.e_phnum = PHDRS; /* the caller reads as many as there are */
		err = check(&i, &l);
		assert_true(err == 0 || err == -ENOEXEC || err == -EINVAL);
		if (err)
			continue;
		accepted++;
		assert_true(l.low < l.high && l.high <= APP_LIMIT);
		assert_true(!(l.low & ~PAGE_MASK) && !(l.high & ~PAGE_MASK));
		assert_true(l.brk > l.low && l.brk <= l.high);
		assert_true(l.align >= PAGE_SIZE && !(l.align & (l.align - 1)) && l.align <= APP_LIMIT / 4);
		assert_true(l.entry < APP_LIMIT);
		assert_true(l.interp_size <= 4096 && l.interp_size != 1);
		assert_true(l.interp_offset + l.interp_size <= INT64_MAX);
		assert_true(l.phdr < APP_LIMIT);
	}
	assert_true(accepted > 1000); /* the mutations reach both sides */
}

UNIT_TESTS(test_good, test_short_file, test_header_fields, test_segment_fields, test_variants, test_mutations)
