/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding PCI devices, and offering them to drivers. The scan goes depth first through bridges, numbering
 * buses that the firmware did not. `mutex` guards the bindings. */

#include "internal.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/mutex.h"

#define MAX_DEPTH 8 /* bridges below each other */

static LIST_HEAD(devices);
static DEFINE_MUTEX(mutex);
static u8 last_bus; /* highest bus number in use */

static void scan_bus(u8 bus, unsigned depth);

bool pci_present(void)
{
	return !list_empty(&devices);
}

struct pci_device *pci_next(struct pci_device *prev)
{
	struct list_head *next = prev ? prev->node.next : devices.next;

	return next == &devices ? NULL : list_entry(next, struct pci_device, node);
}

u8 pci_find_capability(const struct pci_device *dev, u8 id, u8 after)
{
	u8 at = after ? after + 1 : PCI_CAPABILITIES;

	if (!(pci_read(dev, PCI_STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	at = (u8)pci_read(dev, at, 1) & 0xfc;
	for (unsigned i = 0; at >= 0x40 && i < 48; i++) { /* a loop in the list ends too */
		if (pci_read(dev, at, 1) == id)
			return at;
		at = (u8)pci_read(dev, at + 1u, 1) & 0xfc;
	}
	return 0;
}

static void scan_bridge(struct pci_device *dev, unsigned depth)
{
	u8 secondary = (u8)pci_read(dev, PCI_SECONDARY_BUS, 1);

	if (depth == MAX_DEPTH)
		return;
	if (secondary > dev->bus) {
		last_bus = max(last_bus, (u8)pci_read(dev, PCI_SUBORDINATE_BUS, 1));
		last_bus = max(last_bus, secondary);
		scan_bus(secondary, depth + 1);
		return;
	}
	if (last_bus == 0xff)
		return;
	secondary = ++last_bus;
	pci_write(dev, PCI_PRIMARY_BUS, dev->bus, 1);
	pci_write(dev, PCI_SECONDARY_BUS, secondary, 1);
	pci_write(dev, PCI_SUBORDINATE_BUS, 0xff, 1); /* open while we look below */
	scan_bus(secondary, depth + 1);
	pci_write(dev, PCI_SUBORDINATE_BUS, last_bus, 1);
}

static void add_function(u8 bus, u8 slot, u8 fn, unsigned depth)
{
	struct pci_device *dev = kzalloc(sizeof *dev);
	u32 class_revision;

	if (!dev) {
		log_err("pci: no memory for device %02x:%02x.%u", bus, slot, fn);
		return;
	}
	dev->bus = bus;
	dev->slot = slot;
	dev->fn = fn;
	dev->vendor = (u16)pci_read(dev, PCI_VENDOR, 2);
	dev->device = (u16)pci_read(dev, PCI_DEVICE, 2);
	dev->header = (u8)pci_read(dev, PCI_HEADER_TYPE, 1) & 0x7f;
	class_revision = pci_read(dev, PCI_CLASS_REVISION, 4);
	dev->class_code = class_revision >> 8;
	dev->revision = (u8)class_revision;
	list_add_tail(&dev->node, &devices);
	if (dev->header > HEADER_BRIDGE)
		return;
	pci_size_bars(dev);
	dev->msix_cap = pci_find_capability(dev, CAP_MSIX, 0);
	if (dev->msix_cap)
		dev->msix_size = (u16)((pci_read(dev, dev->msix_cap + 2u, 2) & 0x7ff) + 1);
	if (dev->header == HEADER_BRIDGE) {
		scan_bridge(dev, depth);
		return;
	}
	dev->subsystem_vendor = (u16)pci_read(dev, PCI_SUBSYSTEM_VENDOR, 2);
	dev->subsystem = (u16)pci_read(dev, PCI_SUBSYSTEM, 2);
}

static bool function_exists(u8 bus, u8 slot, u8 fn)
{
	return pci_config_read(bus, slot, fn, PCI_VENDOR, 2) != 0xffff;
}

static void scan_bus(u8 bus, unsigned depth)
{
	for (u8 slot = 0; slot < 32; slot++) {
		unsigned functions = 1;

		if (!function_exists(bus, slot, 0))
			continue;
		if (pci_config_read(bus, slot, 0, PCI_HEADER_TYPE, 1) & HEADER_MULTI)
			functions = 8;
		for (u8 fn = 0; fn < functions; fn++)
			if (function_exists(bus, slot, fn))
				add_function(bus, slot, fn, depth);
	}
}

static int pci_init(void)
{
	pci_config_init();
	if (!pci_config_works())
		return 0;
	scan_bus(0, 0);
	pci_assign_bars(&devices);
	return 0;
}
INITCALL(pci_init, INIT_BUS);

static void offer(const struct pci_driver *drv, struct pci_device *dev)
{
	int err = drv->probe(dev);

	if (!err)
		dev->driver = drv;
	else if (err != -ENODEV)
		log_err("pci %02x:%02x.%u: %s: error %d", dev->bus, dev->slot, dev->fn, drv->name, err);
}

int pci_register_driver(const struct pci_driver *drv)
{
	struct pci_device *dev;

	mutex_lock(&mutex);
	list_for_each_entry (dev, &devices, node)
		if (!dev->driver)
			offer(drv, dev);
	mutex_unlock(&mutex);
	return 0;
}
