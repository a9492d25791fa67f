// SPDX-License-Identifier: BSD-2-Clause
/* The hardware below kernel/mm/ on the host. Page tables are the real ones, in the arena; the MMU that walks
 * them is fake_mmu.c. One thread, one CPU. */
#include <string.h>

#include "arch/pgtable.h"
#include "host.h"
#include "fake_arch.h"
#include "kernel/boot_info.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/smp.h"
#include "kernel/vm.h"

struct fake_tlb_entry fake_tlb[FAKE_TLB_SIZE];
unsigned fake_tag;
u64 fake_tlb_flushes;
__weak unsigned arch_tlb_tags = 1;

__weak void arch_kernel_tables_init(const struct boot_info *bi)
{
}

__weak void arch_kernel_tables_init_cpu(void)
{
}

__weak void arch_root_init(void *root)
{
}

__weak u64 arch_kernel_root(void)
{
	return 0;
}

__weak void arch_load_root(u64 root, unsigned tag, bool good)
{
	fake_tag = arch_tlb_tags > 1 ? tag : 0;
	if (!good)
		arch_tlb_flush_app();
}

/* As on hardware, a flush reaches the translations of the loaded root's tag. */
__weak void arch_tlb_flush_page(u64 va)
{
	struct fake_tlb_entry *t = &fake_tlb[(va >> PAGE_SHIFT) % FAKE_TLB_SIZE];

	fake_tlb_flushes++;
	if (t->tag == fake_tag)
		t->va = ~0ull;
}

__weak void arch_tlb_flush_app(void)
{
	fake_tlb_flushes++;
	if (arch_tlb_tags == 1)
		memset(fake_tlb, 0xff, sizeof fake_tlb);
	for (unsigned i = 0; i < FAKE_TLB_SIZE && arch_tlb_tags > 1; i++)
		if (fake_tlb[i].tag == fake_tag)
			fake_tlb[i].va = ~0ull;
}

__weak void arch_tlb_flush_kernel(void)
{
}

__weak void arch_sync_core(void)
{
}

__weak void arch_clear_pages(void *page, size_t n)
{
	memset(page, 0, n * PAGE_SIZE);
}

__weak void arch_copy_pages(void *to, const void *from, size_t n)
{
	memcpy(to, from, n * PAGE_SIZE);
}

__weak void smp_call(const u64 *mask, void (*fn)(void *), void *arg)
{
	fn(arg);
}

__weak void smp_call_all(void (*fn)(void *), void *arg)
{
	fn(arg);
}

__weak u64 pagecache_reclaim(u64 n)
{
	return 0;
}

__weak u64 pagecache_total(void)
{
	return 0;
}

__weak u64 pagecache_shmem_total(void)
{
	return 0;
}

__weak u64 vm_reclaim_mapped(u64 want)
{
	return 0;
}

__weak void kswapd_wake(void)
{
}

__weak void kswapd_found_some(void)
{
}

__weak void vm_add_stats(struct memory_stats *out)
{
}

__weak void kstack_init_cpu(void)
{
}

__weak u64 vmalloc_used(void)
{
	return 0;
}

__weak void vmalloc_init(void)
{
}

__weak void vmspace_init_cpu(void)
{
}

__weak _Atomic u64 kernel_stack_pages;

__weak void oom_kill(void)
{
	panic("oom_kill: out of memory");
}

void fake_boot(u64 start, u64 size)
{
	static struct boot_mem_range ram;
	static struct boot_info bi;

	ram = (struct boot_mem_range){start, size, BOOT_MEM_RAM, 0};
	bi = (struct boot_info){
		.mem = &ram, .nmem = 1, .kernel_start = start, .kernel_end = start, .cmdline = ""};
	mm_init(&bi);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		current_process()->rlim[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
}

void thp_missed(void)
{
}
