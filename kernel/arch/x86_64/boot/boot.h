/* SPDX-License-Identifier: BSD-2-Clause */
/* The PVH boot protocol's structures (Xen: public/arch-x86/hvm/start_info.h), version 1. Addresses are physical. */
#pragma once

#include "base/types.h"

#define HVM_START_MAGIC 0x336ec578

struct hvm_start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modlist_paddr;
	u64 cmdline_paddr;
	u64 rsdp_paddr;
	u64 memmap_paddr; /* version 1 */
	u32 memmap_entries;
	u32 reserved;
};

struct hvm_modlist_entry {
	u64 paddr;
	u64 size;
	u64 cmdline_paddr;
	u64 reserved;
};

struct hvm_memmap_entry {
	u64 addr;
	u64 size;
	u32 type; /* E820 numbers */
	u32 reserved;
};

u64 boot_entropy(void); /* 64 bits of what little there is so early */
void relocate_kernel(const struct hvm_start_info *si);
void kernel_boot(void) __attribute__((noreturn));
