/* SPDX-License-Identifier: BSD-2-Clause */
/* From the loader's information to the generic kernel: reads the PVH start info, hands memory to mm_init(), brings up the
 * boot CPU and calls kernel_main(). Runs on the boot stack, interrupts off. */

#include "arch/asm.h"
#include "arch/fpu.h"
#include "arch/memory.h"
#include "arch/platform.h"
#include "base/string.h"
#include "boot.h"
#include "kernel/boot_info.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/percpu.h"

DECLARE_PER_CPU(u64, stack_guard);

#define CMDLINE_MAX 4096
#define MEMMAP_MAX  128

u64 kernel_phys_offset __section(".data") = 1; /* set before .bss is trusted: keep it out of there */

extern u32 pvh_start_info;
extern const char __image_start[], __image_end[];

extern u8 boot_stack[], __percpu_pristine[], __percpu_start[], __percpu_end[];

static struct boot_info boot_info;
static struct boot_mem_range ranges[MEMMAP_MAX];
static char cmdline[CMDLINE_MAX];

/* The first 4 GiB are readable through the boot tables' direct map. */
static const void *boot_ptr(u64 pa, size_t size)
{
	return pa && pa + size <= GIB(4) ? phys_to_virt(pa) : NULL;
}

static void read_start_info(const struct hvm_start_info *si)
{
	const char *line = boot_ptr(si->cmdline_paddr, CMDLINE_MAX);
	const struct hvm_memmap_entry *map = NULL;

	if (line && str_copy(cmdline, line, sizeof cmdline) < 0)
		log_warn("boot: the command line is longer than %u bytes: cut", CMDLINE_MAX - 1);
	boot_info.cmdline = cmdline;

	if (si->version >= 1)
		map = boot_ptr(si->memmap_paddr, si->memmap_entries * sizeof *map);
	if (!map || !si->memmap_entries)
		panic("boot: the loader gave no memory map (PVH version %u)", si->version);
	for (u32 i = 0; i < si->memmap_entries && boot_info.nmem < MEMMAP_MAX; i++)
		ranges[boot_info.nmem++] =
			(struct boot_mem_range){.start = map[i].addr, .size = map[i].size, .type = map[i].type};
	boot_info.mem = ranges;

	const struct hvm_modlist_entry *mod = boot_ptr(si->modlist_paddr, sizeof *mod);
	if (mod && si->nr_modules) {
		boot_info.initrd_start = mod->paddr;
		boot_info.initrd_size = mod->size;
	}
	boot_info.rsdp = si->rsdp_paddr;
	boot_info.kernel_start = virt_to_phys(__image_start);
	boot_info.kernel_end = virt_to_phys(__image_end);
}

__attribute__((no_stack_protector)) void kernel_boot(void)
{
	this_cpu(stack_guard) = boot_entropy() & ~0xffull; /* a zero byte stops string overruns */
	memcpy(__percpu_pristine, __percpu_start, (size_t)(__percpu_end - __percpu_start));
	cpu_set_kstack(boot_stack);
	cpu_init_tables(0);
	fpu_init_boot();
	const struct hvm_start_info *si = boot_ptr(pvh_start_info, sizeof *si);
	if (!si || si->magic != HVM_START_MAGIC)
		panic("boot: not started by the PVH protocol");
	read_start_info(si);
	cmdline_init(boot_info.cmdline);
	log_init();
	mm_init(&boot_info);
	cpu_init_boot();
	kernel_main(&boot_info);
}
