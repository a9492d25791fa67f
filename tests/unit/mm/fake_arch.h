/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of kernel/mm/ ask of fake_arch.c and fake_mmu.c. */
#pragma once

#include "arch/pgtable.h"
#include "base/types.h"

struct vmspace;

#define FAKE_TLB_SIZE 4096
struct fake_tlb_entry {
	u64 va;
	unsigned tag;
	pte_t e; /* of the 4 KiB page */
};
/* The one CPU's TLB, and what the loaded root's translations bear in it. */
extern struct fake_tlb_entry fake_tlb[FAKE_TLB_SIZE];
extern unsigned fake_tag;
extern u64 fake_tlb_flushes;

/* Run mm_init() over SIZE bytes of "physical" memory at START (inside the arena), and lift the process's
 * limits. */
void fake_boot(u64 start, u64 size);
/* Access VA as the application would: through the TLB, then the tables, then faults. The host address of the
 * byte, or NULL with the signal in *SIG. */
void *fake_mmu(struct vmspace *vm, u64 va, bool write, int *sig);
