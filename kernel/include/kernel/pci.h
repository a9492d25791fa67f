/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI devices: found once at INIT_BUS, bridges included, memory BARs assigned; drivers register at INIT_DEVICE and are
 * offered every device that none has taken. Conventional PCI 3.0 and PCI Express 6.0 configuration space, segment 0.
 * Owner: kernel/drivers/pci/. */
#pragma once

#include "base/list.h"
#include "base/types.h"
#include "kernel/irq.h"

#define PCI_BARS 6

struct pci_bar {
	u64 base; /* physical; 0: not assigned */
	u64 size; /* 0: not there */
	bool io, is64, prefetch;
};

struct pci_device {
	u8 bus, slot, fn;
	u8 header; /* type 0: device, 1: bridge */
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class_code; /* class, subclass, interface */
	u8 revision;
	struct pci_bar bar[PCI_BARS];
	u8 msix_cap;		 /* offset of the capability; 0: none */
	u16 msix_size;		 /* vectors */
	volatile u32 *msix_table; /* mapped once MSI-X is enabled */
	const struct pci_driver *driver;
	void *priv; /* the driver's */
	struct list_head node;
};

struct pci_driver {
	const char *name;
	/* Takes the device and returns 0, or -ENODEV when it is not one of this driver's; other errors are logged.
	 * Thread context. */
	int (*probe)(struct pci_device *dev);
};

int pci_register_driver(const struct pci_driver *drv);
struct pci_device *pci_next(struct pci_device *prev); /* NULL starts; NULL ends. The list is fixed after INIT_BUS */
bool pci_present(void); /* there is a host bridge */

/* Configuration space. Any context. OFF is naturally aligned; beyond 255 only with ECAM (else all ones). */
u32 pci_read(const struct pci_device *dev, unsigned off, unsigned size);
void pci_write(const struct pci_device *dev, unsigned off, u32 value, unsigned size);
/* The first capability with ID behind the one at AFTER (0: from the start); 0 when there is none. */
u8 pci_find_capability(const struct pci_device *dev, u8 id, u8 after);

/* Answer memory cycles and issue them. */
void pci_enable(struct pci_device *dev);
/* Map SIZE bytes at OFF of memory BAR number BAR. NULL when they do not lie inside it, or on no memory. */
volatile void *pci_map_bar(struct pci_device *dev, unsigned bar, u64 off, u64 size);

/* MSI-X: enable with all vectors masked (-ENODEV: the device has none), then set vectors one by one. Thread context. */
int pci_msix_enable(struct pci_device *dev);
int pci_msix_set(struct pci_device *dev, unsigned vector, unsigned cpu, irq_handler fn, void *arg, const char *name);
/* The wired interrupt, as the firmware routed it. Level-triggered and shared: the handler checks its own device. A handle
 * or -ENODEV. */
int pci_request_intx(struct pci_device *dev, irq_handler fn, void *arg, const char *name);
