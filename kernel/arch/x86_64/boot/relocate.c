/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual KASLR: choose the slide of the image, map it there and apply its relocations. Runs once, at the
 * load address, before any pointer in the image is right: it touches only what it reaches relative to RIP or
 * physically. The slide is a multiple of 2 MiB within the top 2 GiB; the word `nokaslr` makes it 0. */

#include "arch/asm.h"
#include "arch/memory.h"
#include "boot.h"

#define SLIDES	      768 /* 1.5 GiB of choice leaves room for the image itself */
#define PTE_KERNEL_2M 0x183

extern u64 boot_kernel_pd[1024];
extern const char __image_start[], __image_end[];
extern const u64 __relr_start[], __relr_end[];

static bool has_word(const char *line, const char *word)
{
	for (const char *p = line; p && *p;) {
		const char *w = word;

		while (*p == ' ')
			p++;
		while (*w && *p == *w)
			p++, w++;
		if (!*w && (!*p || *p == ' '))
			return true;
		while (*p && *p != ' ')
			p++;
	}
	return false;
}

/* Mixes what a CPU without RDRAND still has: cycle counts around an exit to the hypervisor. */
u64 boot_entropy(void)
{
	u64 v = 0;

	if (cpuid(1, 0).ecx & (1u << 30)) {
		__asm__ volatile("rdrand %0" : "+r"(v)::"cc");
	}
	for (int i = 0; i < 8; i++) {
		u32 lo, hi;

		cpuid(0, 0);
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		v = (v ^ lo ^ (u64)hi << 32) * 0x9e3779b97f4a7c15ull;
		v ^= v >> 29;
	}
	return v;
}

/* Adds SLIDE to every pointer in the image. Packed relative relocations (DT_RELR of the ELF gABI): an even
 * entry is the address of a word, an odd one a map of the 63 words behind those dealt with. */
static inline void apply_relocations(u64 slide)
{
	u64 *at = NULL;

	for (const u64 *r = __relr_start; r < __relr_end; r++) {
		if (!(*r & 1)) {
			at = (u64 *)(*r - KERNEL_BASE);
			*at++ += slide;
			continue;
		}
		for (u64 map = *r >> 1, i = 0; map; map >>= 1, i++)
			if (map & 1)
				at[i] += slide;
		at += 63;
	}
}

__attribute__((no_stack_protector)) void relocate_kernel(const struct hvm_start_info *si)
{
	const char *cmdline = (const char *)(uintptr_t)si->cmdline_paddr;
	u64 slide = 0;

	if (si->magic == HVM_START_MAGIC && !has_word(cmdline, "nokaslr"))
		slide = (boot_entropy() % SLIDES) << HUGE_SHIFT;

	u64 first = (u64)__image_start & ~(HUGE_SIZE - 1); /* physical here: we run at the load address */
	for (u64 pa = first; pa < (u64)__image_end; pa += HUGE_SIZE)
		boot_kernel_pd[(slide + pa) >> HUGE_SHIFT] = pa | PTE_KERNEL_2M;

	apply_relocations(slide);
	kernel_phys_offset = KERNEL_BASE + slide;
}
