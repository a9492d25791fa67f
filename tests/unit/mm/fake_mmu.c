// SPDX-License-Identifier: BSD-2-Clause
/* A software MMU: it walks the page tables that kernel/mm/ builds and keeps a "TLB" that forgets only what it
 * is told to, so that a missing flush shows as an access to a wrong page. */
#include "arch/pgtable.h"
#include "fake_arch.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/vm.h"

/* Walk the tables of VM for VA as hardware does, setting accessed and dirty. 0 when the access is not
 * allowed. */
static pte_t walk(struct vmspace *vm, u64 va, bool write)
{
	pte_t *table = phys_to_virt(vm->root);

	for (int level = PT_LEVELS - 1; level >= 0; level--) {
		pte_t *e = &table[pt_index(va, (unsigned)level)];

		if (!(*e & PTE_P))
			return 0;
		if (level == 0 || *e & PTE_PS) {
			if (write && !(*e & PTE_W))
				return 0;
			*e |= PTE_A | (write ? PTE_D : 0);
			return level ? pte_split(*e, (va & (PT_SIZE(level) - 1)) >> PAGE_SHIFT) : *e;
		}
		table = phys_to_virt(*e & PTE_ADDR_MASK);
	}
	return 0;
}

void *fake_mmu(struct vmspace *vm, u64 va, bool write, int *sig)
{
	struct fake_tlb_entry *t = &fake_tlb[(va >> PAGE_SHIFT) % FAKE_TLB_SIZE];
	u64 page = va & PAGE_MASK;

	vmspace_activate(vm);
	for (int tries = 0; tries < 10; tries++) {
		int code;

		if (t->tag == fake_tag && t->va == page && (!write || t->e & PTE_W))
			return (char *)phys_to_virt(pte_phys(t->e)) + (va & ~PAGE_MASK);
		pte_t e = walk(vm, page, write);

		if (e) {
			*t = (struct fake_tlb_entry){page, fake_tag, e};
			continue;
		}
		t->va = ~0ull; /* a fault drops the translation */
		if (vm_handle_fault(vm, va, write, false, true, sig, &code))
			return NULL;
	}
	panic("fake_mmu: the fault at %lx does not end", (unsigned long)va);
}
