/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of PCI devices: MSI-X vectors, or the wired line as the firmware's router reports it. */

#include "internal.h"
#include "base/err.h"
#include "kernel/acpi.h"

#define MSIX_CONTROL	 2 /* offsets in the capability */
#define MSIX_TABLE	 4
#define MSIX_ENABLE	 0x8000
#define MSIX_MASK_ALL	 0x4000
#define MSIX_ENTRY_WORDS 4 /* address low and high, data, vector control */
#define VECTOR_MASKED	 1

int pci_msix_enable(struct pci_device *dev)
{
	u32 table;

	if (!dev->msix_cap)
		return -ENODEV;
	table = pci_read(dev, dev->msix_cap + MSIX_TABLE, 4);
	dev->msix_table = pci_map_bar(dev, table & 7, table & ~7u, 16ull * dev->msix_size);
	if (!dev->msix_table)
		return -ENODEV;
	for (unsigned i = 0; i < dev->msix_size; i++)
		dev->msix_table[i * MSIX_ENTRY_WORDS + 3] = VECTOR_MASKED;
	pci_write(dev, PCI_COMMAND, pci_read(dev, PCI_COMMAND, 2) | COMMAND_INTX_DISABLE, 2);
	pci_write(dev, dev->msix_cap + MSIX_CONTROL, MSIX_ENABLE, 2);
	return 0;
}

int pci_msix_set(struct pci_device *dev, unsigned vector, unsigned cpu, irq_handler fn, void *arg,
		 const char *name)
{
	volatile u32 *entry;
	u64 addr;
	u32 data;
	int handle;

	if (!dev->msix_table || vector >= dev->msix_size)
		return -EINVAL;
	entry = dev->msix_table + vector * MSIX_ENTRY_WORDS;
	handle = irq_request_msi(cpu, fn, arg, name, &addr, &data);
	if (handle < 0)
		return handle;
	entry[0] = (u32)addr;
	entry[1] = (u32)(addr >> 32);
	entry[2] = data;
	entry[3] = 0;
	return handle;
}

int pci_request_intx(struct pci_device *dev, irq_handler fn, void *arg, const char *name)
{
	unsigned gsi, line = pci_read(dev, PCI_INTERRUPT_LINE, 1);
	bool level, active_low;

	if (!pci_read(dev, PCI_INTERRUPT_PIN, 1) || line == 0 || line == 0xff)
		return -ENODEV;
	firmware_isa_irq(line, &gsi, &level, &active_low);
	pci_write(dev, PCI_COMMAND, pci_read(dev, PCI_COMMAND, 2) & ~(u32)COMMAND_INTX_DISABLE, 2);
	return irq_request_gsi(gsi, true, active_low, fn, arg, name);
}
