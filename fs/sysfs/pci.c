// SPDX-License-Identifier: BSD-2-Clause
/* /sys/bus/pci/devices: what lspci and libraries that list hardware read of each PCI device. Segment 0. */
#include "kernel/pci.h"
#include "sysfs.h"

#define CONFIG_SIZE 256
#define IRQ_LINE    0x3c
#define RESOURCES   13 /* lines of "resource": the BARs, the ROM, and what only bridges have */

#define IORESOURCE_IO	     0x100u
#define IORESOURCE_MEM	     0x200u
#define IORESOURCE_PREFETCH  0x2000u
#define IORESOURCE_SIZEALIGN 0x40000u
#define IORESOURCE_MEM_64    0x100000u

#define DEVICE_ATTR(fn, ...)                                       \
	static int fn(struct seq *s, const struct pseudo_ctx *ctx) \
	{                                                          \
		const struct pci_device *d = ctx->arg;             \
                                                                   \
		seq_printf(s, __VA_ARGS__);                        \
		return 0;                                          \
	}

DEVICE_ATTR(vendor_show, "0x%04x\n", d->vendor)
DEVICE_ATTR(device_show, "0x%04x\n", d->device)
DEVICE_ATTR(subsystem_vendor_show, "0x%04x\n", d->subsystem_vendor)
DEVICE_ATTR(subsystem_device_show, "0x%04x\n", d->subsystem)
DEVICE_ATTR(class_show, "0x%06x\n", d->class_code)
DEVICE_ATTR(revision_show, "0x%02x\n", d->revision)
DEVICE_ATTR(irq_show, "%u\n", pci_read(d, IRQ_LINE, 1))
DEVICE_ATTR(modalias_show, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", d->vendor, d->device,
	    d->subsystem_vendor, d->subsystem, d->class_code >> 16, d->class_code >> 8 & 0xff,
	    d->class_code & 0xff)

static void name_of(const struct pci_device *d, char *name, size_t size)
{
	snprintf(name, size, "0000:%02x:%02x.%x", d->bus, d->slot, d->fn);
}

static int uevent_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct pci_device *d = ctx->arg;
	char name[16];

	name_of(d, name, sizeof name);
	seq_printf(s, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=",
		   d->class_code, d->vendor, d->device, d->subsystem_vendor, d->subsystem, name);
	return modalias_show(s, ctx);
}

static u32 bar_flags(const struct pci_bar *b)
{
	if (b->io)
		return IORESOURCE_SIZEALIGN | IORESOURCE_IO | 1;
	/* The low bits are those of the register. */
	return IORESOURCE_SIZEALIGN | IORESOURCE_MEM | (b->is64 ? IORESOURCE_MEM_64 | 4 : 0) |
	       (b->prefetch ? IORESOURCE_PREFETCH | 8 : 0);
}

static int resource_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct pci_device *d = ctx->arg;

	for (unsigned n = 0; n < RESOURCES; n++) {
		const struct pci_bar *b = &d->bar[min(n, PCI_BARS - 1u)];
		bool there = n < PCI_BARS && b->base && b->size;

		seq_printf(s, "0x%016llx 0x%016llx 0x%016llx\n", there ? (unsigned long long)b->base : 0,
			   there ? (unsigned long long)(b->base + b->size - 1) : 0,
			   there ? (unsigned long long)bar_flags(b) : 0);
	}
	return 0;
}

static int config_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	for (unsigned off = 0; off < CONFIG_SIZE; off += 4) {
		u32 word = pci_read(ctx->arg, off, 4);

		seq_write(s, &word, sizeof word);
	}
	return 0;
}

static u64 config_size(const struct pseudo_ctx *ctx __maybe_unused)
{
	return CONFIG_SIZE;
}

static const struct pseudo_entry device_entries[] = {
	ATTR("vendor", vendor_show),
	ATTR("device", device_show),
	ATTR("subsystem_vendor", subsystem_vendor_show),
	ATTR("subsystem_device", subsystem_device_show),
	ATTR("class", class_show),
	ATTR("revision", revision_show),
	ATTR("irq", irq_show),
	ATTR("modalias", modalias_show),
	ATTR("uevent", uevent_show),
	ATTR("resource", resource_show),
	PSEUDO_TEXT("enable", "1\n"),
	PSEUDO_TEXT("numa_node", "-1\n"),
	{.name = "config",
	 .mode = S_IFREG | 0444,
	 .show = config_show,
	 .kind = PSEUDO_SIZE,
	 .size = config_size},
	{0},
};
static const struct pseudo_dir device_dir = {.entries = device_entries};
static const struct pseudo_entry device_entry = DIR(NULL, &device_dir);

/* The list is fixed once the buses were looked through. */
static bool devices_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	struct pci_device *d = pci_next(NULL);

	for (u64 n = *cursor; d && n; n--)
		d = pci_next(d);
	if (!d)
		return false;
	++*cursor;
	out->entry = &device_entry;
	out->ctx.arg = d;
	name_of(d, out->name, sizeof out->name);
	return true;
}

static int devices_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	u64 cursor = 0;

	while (devices_next(ctx, &cursor, out))
		if (strlen(out->name) == len && !memcmp(out->name, name, len))
			return 0;
	return -ENOENT;
}

static const struct pseudo_dir devices_dir = {.find = devices_find, .next = devices_next};
static const struct pseudo_entry pci_entries[] = {
	DIR("devices", &devices_dir), DIR("drivers", &sysfs_empty), {0}};
static const struct pseudo_dir pci_dir = {.entries = pci_entries};
static const struct pseudo_entry bus_entries[] = {DIR("pci", &pci_dir), {0}};
const struct pseudo_dir sysfs_bus = {.entries = bus_entries};
