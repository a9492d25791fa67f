// SPDX-License-Identifier: BSD-2-Clause
/* membarrier(2): a memory barrier on every CPU that runs threads of the caller (or of anyone). man-pages
 * membarrier(2). A CPU that is idle or switches has its barrier in the switch (vmspace_activate). The RSEQ
 * commands are absent, as rseq is. */
#include "arch/pgtable.h"
#include "kernel/smp.h"
#include "kernel/syscall.h"
#include "kernel/thread.h"
#include "vm_internal.h"
#include <linux/membarrier.h>

#define REGISTRATIONS                                                                           \
	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
#define COMMANDS                                                                                      \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | REGISTRATIONS)

static void barrier_here(void *arg)
{
	atomic_thread_fence(memory_order_seq_cst);
}

static void sync_core_here(void *arg)
{
	atomic_thread_fence(memory_order_seq_cst);
	arch_sync_core();
}

static long barrier_everywhere(void (*fn)(void *))
{
	atomic_thread_fence(memory_order_seq_cst);
	if (cpu_count > 1)
		smp_call_all(fn, NULL);
	return 0;
}

SYSCALL_DEFINE3(membarrier, int, cmd, unsigned, flags, int, cpu)
{
	struct vmspace *vm = current->vm;
	u32 registered = atomic_load_explicit(&vm->membarrier, memory_order_relaxed);

	if (flags)
		return -EINVAL; /* MEMBARRIER_CMD_FLAG_CPU goes with the RSEQ commands only */
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return barrier_everywhere(barrier_here);
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		atomic_fetch_or_explicit(&vm->membarrier, (u32)cmd, memory_order_relaxed);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		if (!(registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
			return -EPERM;
		return vm_run_on_cpus(vm, barrier_here);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		if (!(registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE))
			return -EPERM;
		return vm_run_on_cpus(vm, sync_core_here);
	default:
		return -EINVAL;
	}
}
