/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the PCI bus driver, and the registers they share. */
#pragma once

#include "kernel/pci.h"

enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_CLASS_REVISION = 0x08,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_PRIMARY_BUS = 0x18,
	PCI_SECONDARY_BUS = 0x19,
	PCI_SUBORDINATE_BUS = 0x1a,
	PCI_MEMORY_BASE = 0x20,
	PCI_MEMORY_LIMIT = 0x22,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};
#define COMMAND_IO	     1
#define COMMAND_MEMORY	     2
#define COMMAND_MASTER	     4
#define COMMAND_INTX_DISABLE 0x400
#define STATUS_CAPABILITIES  0x10
#define HEADER_MULTI	     0x80
#define HEADER_BRIDGE	     1
#define CAP_MSIX	     0x11

/* config.c */
void pci_config_init(void); /* choose between ECAM and ports */
bool pci_config_works(void);
u32 pci_config_read(u8 bus, u8 slot, u8 fn, unsigned off, unsigned size);
void pci_config_write(u8 bus, u8 slot, u8 fn, unsigned off, u32 value, unsigned size);

/* bar.c */
void pci_size_bars(struct pci_device *dev);
/* Give addresses to memory BARs that firmware left without, in all devices on BUS and below. */
void pci_assign_bars(struct list_head *devices);
