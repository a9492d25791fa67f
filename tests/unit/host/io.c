// SPDX-License-Identifier: BSD-2-Clause
/* Ports, device registers and the bits of arch/cpu.h that need a definition. */
#include "arch/cpu.h"
#include "arch/memory.h"
#include "host.h"

static u32 read_ones(u16 port, unsigned size)
{
	return size == 4 ? ~0u : (1u << (8 * size)) - 1;
}

static void drop(u16 port, u32 value, unsigned size)
{
}

struct host_port_ops host_ports = {read_ones, drop};

__weak volatile void *mmio_map(u64 pa, size_t size)
{
	return phys_to_virt(pa);
}

__weak void arch_timer_set(u64 deadline)
{
}

__weak bool arch_random(u64 *out)
{
	return false;
}
