/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space: memory-mapped (ECAM) where the MCFG table gives it, a bus at a time as buses are
 * found, else the index and data ports 0xcf8 and 0xcfc, which are a pair: `lock` guards them. */

#include "internal.h"
#include "arch/asm.h"
#include "arch/memory.h"
#include "kernel/acpi.h"
#include "kernel/spinlock.h"

#define PORT_INDEX   0xcf8
#define PORT_DATA    0xcfc
#define INDEX_ENABLE BIT(31)
#define BUS_SPACE    MIB(1)

static u64 ecam_base; /* of bus ecam_first; 0: no ECAM */
static u8 ecam_first, ecam_last;
static volatile u8 *ecam_bus[256]; /* mapped so far; boot only */
static bool ports_work;
static struct spinlock lock;

void pci_config_init(void)
{
	u32 old;

	if (acpi_ecam(&ecam_base, &ecam_first, &ecam_last))
		return;
	/* A machine without PCI reads ones; the enable bit sticks where there is a host bridge. */
	old = inl(PORT_INDEX);
	outl(PORT_INDEX, INDEX_ENABLE);
	ports_work = inl(PORT_INDEX) == INDEX_ENABLE;
	outl(PORT_INDEX, old);
}

bool pci_config_works(void)
{
	return ecam_base || ports_work;
}

static volatile u8 *ecam(u8 bus)
{
	if (bus < ecam_first || bus > ecam_last)
		return NULL;
	if (!ecam_bus[bus])
		ecam_bus[bus] = mmio_map(ecam_base + (bus - ecam_first) * BUS_SPACE, BUS_SPACE);
	return ecam_bus[bus];
}

static u32 all_ones(unsigned size)
{
	return size == 4 ? ~0u : (1u << 8 * size) - 1;
}

static u32 port_index(u8 bus, u8 slot, u8 fn, unsigned off)
{
	return (u32)INDEX_ENABLE | (u32)bus << 16 | (u32)slot << 11 | (u32)fn << 8 | (off & 0xfc);
}

static u32 port_read(u32 index, u16 port, unsigned size)
{
	u64 flags = spin_lock_irqsave(&lock);
	u32 v;

	outl(PORT_INDEX, index);
	v = size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
	spin_unlock_irqrestore(&lock, flags);
	return v;
}

static void port_write(u32 index, u16 port, u32 v, unsigned size)
{
	u64 flags = spin_lock_irqsave(&lock);

	outl(PORT_INDEX, index);
	if (size == 1)
		outb(port, (u8)v);
	else if (size == 2)
		outw(port, (u16)v);
	else
		outl(port, v);
	spin_unlock_irqrestore(&lock, flags);
}

u32 pci_config_read(u8 bus, u8 slot, u8 fn, unsigned off, unsigned size)
{
	volatile u8 *p;

	if (!ecam_base) {
		if (off > 0xff || !ports_work)
			return all_ones(size);
		return port_read(port_index(bus, slot, fn, off), (u16)(PORT_DATA + (off & 3)), size);
	}
	p = ecam(bus);
	if (!p || off > 0xfff)
		return all_ones(size);
	p += (u32)slot << 15 | (u32)fn << 12 | off;
	return size == 1 ? *p : size == 2 ? *(volatile u16 *)p : *(volatile u32 *)p;
}

void pci_config_write(u8 bus, u8 slot, u8 fn, unsigned off, u32 v, unsigned size)
{
	volatile u8 *p;

	if (!ecam_base) {
		if (off <= 0xff && ports_work)
			port_write(port_index(bus, slot, fn, off), (u16)(PORT_DATA + (off & 3)), v, size);
		return;
	}
	p = ecam(bus);
	if (!p || off > 0xfff)
		return;
	p += (u32)slot << 15 | (u32)fn << 12 | off;
	if (size == 1)
		*p = (u8)v;
	else if (size == 2)
		*(volatile u16 *)p = (u16)v;
	else
		*(volatile u32 *)p = v;
}

u32 pci_read(const struct pci_device *dev, unsigned off, unsigned size)
{
	return pci_config_read(dev->bus, dev->slot, dev->fn, off, size);
}

void pci_write(const struct pci_device *dev, unsigned off, u32 value, unsigned size)
{
	pci_config_write(dev->bus, dev->slot, dev->fn, off, value, size);
}
