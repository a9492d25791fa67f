/* SPDX-License-Identifier: BSD-2-Clause */
/* Base address registers: how large they are, and addresses for those that firmware left at zero (a machine
 * whose firmware has no PCI code). Addresses come from the hole below 4 GiB, above everything already
 * assigned; a bridge's window is opened over what its devices got. */

#include "internal.h"
#include "arch/memory.h"
#include "kernel/acpi.h"
#include "kernel/log.h"

#define BAR_IO	     1
#define BAR_TYPE     6
#define BAR_TYPE_64  4
#define BAR_PREFETCH 8
#define HOLE_START   0xc0000000ull /* where hypervisors with at most 3 GiB of low memory put the hole */
#define HOLE_END     0xe0000000ull
#define WINDOW_GRAIN MIB(1)

static unsigned bar_count(const struct pci_device *dev)
{
	return dev->header == HEADER_BRIDGE ? 2 : PCI_BARS;
}

/* Returns the number of registers that the BAR takes. */
static unsigned size_bar(struct pci_device *dev, unsigned i)
{
	struct pci_bar *bar = &dev->bar[i];
	unsigned off = PCI_BAR0 + 4 * i;
	u32 low = pci_read(dev, off, 4), high = 0, mask_low, mask_high = ~0u;
	u64 mask;

	bar->io = low & BAR_IO;
	bar->is64 = !bar->io && (low & BAR_TYPE) == BAR_TYPE_64 && i + 1 < bar_count(dev);
	bar->prefetch = !bar->io && low & BAR_PREFETCH;
	pci_write(dev, off, ~0u, 4);
	mask_low = pci_read(dev, off, 4);
	pci_write(dev, off, low, 4);
	if (bar->is64) {
		high = pci_read(dev, off + 4, 4);
		pci_write(dev, off + 4, ~0u, 4);
		mask_high = pci_read(dev, off + 4, 4);
		pci_write(dev, off + 4, high, 4);
	}
	if (!mask_low && (!bar->is64 || !mask_high))
		return bar->is64 ? 2 : 1;
	mask_low &= bar->io ? ~3u : ~15u;
	mask = bar->io ? ~0xffffull | mask_low : (u64)mask_high << 32 | mask_low;
	bar->size = bar->io ? ((~mask + 1) & 0xffff) : ~mask + 1;
	bar->base = (u64)high << 32 | (low & (bar->io ? ~3u : ~15u));
	return bar->is64 ? 2 : 1;
}

void pci_size_bars(struct pci_device *dev)
{
	u32 command = pci_read(dev, PCI_COMMAND, 2);

	/* While the registers hold ones the device must not answer there. */
	pci_write(dev, PCI_COMMAND, command & ~(COMMAND_IO | COMMAND_MEMORY), 2);
	for (unsigned i = 0; i < bar_count(dev);)
		i += size_bar(dev, i);
	pci_write(dev, PCI_COMMAND, command, 2);
}

static bool needs_address(const struct pci_bar *bar)
{
	return bar->size && !bar->base && !bar->io;
}

static u64 first_free(struct list_head *devices)
{
	u64 at = HOLE_START;
	struct pci_device *dev;

	list_for_each_entry (dev, devices, node)
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (!dev->bar[i].io && dev->bar[i].base && dev->bar[i].base < HOLE_END)
				at = max(at, dev->bar[i].base + dev->bar[i].size);
	return at;
}

static void assign_bar(struct pci_device *dev, unsigned i, u64 *at)
{
	struct pci_bar *bar = &dev->bar[i];
	u64 base = ALIGN_UP(*at, max(bar->size, (u64)PAGE_SIZE));

	if (base + bar->size > HOLE_END || base + bar->size < base) {
		log_warn("pci %02x:%02x.%u: no room for BAR %u of %#lx bytes", dev->bus, dev->slot, dev->fn,
			 i, bar->size);
		return;
	}
	pci_write(dev, PCI_BAR0 + 4 * i, (u32)base, 4);
	if (bar->is64)
		pci_write(dev, PCI_BAR0 + 4 * i + 4, 0, 4);
	bar->base = base;
	*at = base + bar->size;
}

static void assign_bus(struct list_head *devices, u8 bus, u64 *at);

static void assign_behind(struct list_head *devices, struct pci_device *bridge, u64 *at)
{
	u8 secondary = (u8)pci_read(bridge, PCI_SECONDARY_BUS, 1);
	u64 start = ALIGN_UP(*at, WINDOW_GRAIN), end = start;

	if (secondary <= bridge->bus)
		return;
	assign_bus(devices, secondary, &end);
	if (end == start)
		return;
	end = ALIGN_UP(end, WINDOW_GRAIN);
	pci_write(bridge, PCI_MEMORY_BASE, (u32)(start >> 16), 2);
	pci_write(bridge, PCI_MEMORY_LIMIT, (u32)((end - 1) >> 16), 2);
	pci_enable(bridge);
	*at = end;
}

static void assign_bus(struct list_head *devices, u8 bus, u64 *at)
{
	struct pci_device *dev;

	list_for_each_entry (dev, devices, node) {
		if (dev->bus != bus)
			continue;
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (needs_address(&dev->bar[i]))
				assign_bar(dev, i, at);
		if (dev->header == HEADER_BRIDGE)
			assign_behind(devices, dev, at);
	}
}

void pci_assign_bars(struct list_head *devices)
{
	u64 at = first_free(devices);

	assign_bus(devices, 0, &at);
}

volatile void *pci_map_bar(struct pci_device *dev, unsigned bar, u64 off, u64 size)
{
	const struct pci_bar *b = bar < PCI_BARS ? &dev->bar[bar] : NULL;

	if (!b || b->io || !b->base || !size || off > b->size || size > b->size - off)
		return NULL;
	return mmio_map(b->base + off, size);
}

void pci_enable(struct pci_device *dev)
{
	pci_write(dev, PCI_COMMAND, pci_read(dev, PCI_COMMAND, 2) | COMMAND_MEMORY | COMMAND_MASTER, 2);
}
