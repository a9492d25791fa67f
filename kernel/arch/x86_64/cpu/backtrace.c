/* SPDX-License-Identifier: BSD-2-Clause */
/* Call chain by frame pointers, as addresses of the unslid image: `addr2line -e build/kernel/kernel.debug.elf` reads them. */

#include "arch/memory.h"
#include "arch/platform.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

extern const char __text_start[], __text_end[];
DECLARE_PER_CPU(u64, kstack_low);
DECLARE_PER_CPU(u64, kstack_top);

static u64 unslide(u64 rip)
{
	return rip - kernel_phys_offset + KERNEL_BASE;
}

void backtrace_print(u64 rbp, u64 rip)
{
	u64 low = this_cpu(kstack_low), top = this_cpu(kstack_top);

	log_err("  at %016lx", unslide(rip));
	for (int i = 0; i < 24 && rbp >= low && rbp + 16 <= top && IS_ALIGNED(rbp, 8); i++) {
		u64 ret = ((const u64 *)rbp)[1], next = ((const u64 *)rbp)[0];

		if (ret < (u64)__text_start || ret >= (u64)__text_end)
			break;
		log_err("  by %016lx", unslide(ret));
		if (next <= rbp)
			break;
		rbp = next;
	}
}
