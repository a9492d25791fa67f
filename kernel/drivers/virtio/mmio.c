/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio over MMIO, version 2 (virtio 1.2, 4.2). Windows come from virtio_mmio.device=SIZE@BASE:GSI words,
 * else from the ACPI name space (LNRO0005), else, on a machine without PCI, from the layout of QEMU's
 * microvm. A window without a device behind it reads device id 0. */

#include "virtio.h"
#include "arch/memory.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/acpi.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/pci.h"
#include <linux/virtio_mmio.h>

#define MAGIC		0x74726976 /* "virt" */
#define VERSION_MODERN	2
#define MIN_WINDOW	0x200u
#define MAX_WINDOWS	64
#define MICROVM_BASE	0xfeb00000u
#define MICROVM_WINDOWS 24
#define MICROVM_GSI	5 /* its first interrupt without ACPI */

struct virtio_mmio {
	struct virtio_device vdev;
	volatile u8 *regs;
	struct acpi_window window;
};

static struct virtio_mmio *to_mmio(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_mmio, vdev);
}

static u32 reg_get(struct virtio_device *dev, unsigned off)
{
	return *(volatile u32 *)(to_mmio(dev)->regs + off);
}

static void reg_set(struct virtio_device *dev, unsigned off, u32 v)
{
	*(volatile u32 *)(to_mmio(dev)->regs + off) = v;
}

static u8 get_status(struct virtio_device *dev)
{
	return (u8)reg_get(dev, VIRTIO_MMIO_STATUS);
}

static void set_status(struct virtio_device *dev, u8 v)
{
	reg_set(dev, VIRTIO_MMIO_STATUS, v);
}

static u64 get_features(struct virtio_device *dev)
{
	u32 low;

	reg_set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = reg_get(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	reg_set(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return (u64)reg_get(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32 | low;
}

static void set_features(struct virtio_device *dev, u64 features)
{
	reg_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (u32)features);
	reg_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(features >> 32));
}

static u8 generation(struct virtio_device *dev)
{
	return (u8)reg_get(dev, VIRTIO_MMIO_CONFIG_GENERATION);
}

static void config_read(struct virtio_device *dev, unsigned off, void *buf, unsigned size)
{
	volatile u8 *p = to_mmio(dev)->regs + VIRTIO_MMIO_CONFIG + off;

	if (size == 4)
		*(u32 *)buf = *(volatile u32 *)p;
	else if (size == 2)
		*(u16 *)buf = *(volatile u16 *)p;
	else
		*(u8 *)buf = *p;
}

static void config_write(struct virtio_device *dev, unsigned off, const void *buf, unsigned size)
{
	volatile u8 *p = to_mmio(dev)->regs + VIRTIO_MMIO_CONFIG + off;

	if (size == 4)
		*(volatile u32 *)p = *(const u32 *)buf;
	else if (size == 2)
		*(volatile u16 *)p = *(const u16 *)buf;
	else
		*p = *(const u8 *)buf;
}

static unsigned queue_size(struct virtio_device *dev, unsigned index)
{
	reg_set(dev, VIRTIO_MMIO_QUEUE_SEL, index);
	return reg_get(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

/* Acknowledge before looking at the queues: what comes in between then raises the line again. */
static void interrupt(void *arg)
{
	struct virtio_device *dev = arg;
	u32 status = reg_get(dev, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (!status)
		return;
	reg_set(dev, VIRTIO_MMIO_INTERRUPT_ACK, status);
	if (status & VIRTIO_MMIO_INT_VRING)
		virtio_all_queues_interrupt(dev);
	if (status & VIRTIO_MMIO_INT_CONFIG)
		virtio_config_interrupt(dev);
}

static int setup_interrupts(struct virtio_device *dev, const struct vq_setup *setup, unsigned nq)
{
	const struct acpi_window *w = &to_mmio(dev)->window;
	int handle = irq_request_gsi(w->gsi, w->level, w->active_low, interrupt, dev, dev->driver->name);

	return handle < 0 ? handle : 0;
}

static int queue_enable(struct virtio_device *dev, struct virtqueue *vq)
{
	reg_set(dev, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	if (reg_get(dev, VIRTIO_MMIO_QUEUE_READY))
		return -EBUSY;
	reg_set(dev, VIRTIO_MMIO_QUEUE_NUM, vq->size);
	reg_set(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, (u32)vq->desc_phys);
	reg_set(dev, VIRTIO_MMIO_QUEUE_DESC_HIGH, (u32)(vq->desc_phys >> 32));
	reg_set(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (u32)vq->avail_phys);
	reg_set(dev, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (u32)(vq->avail_phys >> 32));
	reg_set(dev, VIRTIO_MMIO_QUEUE_USED_LOW, (u32)vq->used_phys);
	reg_set(dev, VIRTIO_MMIO_QUEUE_USED_HIGH, (u32)(vq->used_phys >> 32));
	reg_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void notify(struct virtqueue *vq)
{
	reg_set(vq->dev, VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
}

static const struct virtio_transport transport = {
	.get_status = get_status,
	.set_status = set_status,
	.get_features = get_features,
	.set_features = set_features,
	.generation = generation,
	.config_read = config_read,
	.config_write = config_write,
	.queue_size = queue_size,
	.setup_interrupts = setup_interrupts,
	.queue_enable = queue_enable,
	.notify = notify,
};

/* REGS of a window that may hold a device. False: this is no virtio window at all. */
static bool add_window(volatile u8 *regs, const struct acpi_window *w)
{
	volatile u32 *r = (volatile u32 *)regs;
	u32 version = r[VIRTIO_MMIO_VERSION / 4], id = r[VIRTIO_MMIO_DEVICE_ID / 4];
	struct virtio_mmio *vm;

	if (r[VIRTIO_MMIO_MAGIC_VALUE / 4] != MAGIC)
		return false;
	if (!id)
		return true;
	if (version != VERSION_MODERN) {
		log_warn("virtio-mmio at %#lx: version %u is not driven (QEMU: -global "
			 "virtio-mmio.force-legacy=false)",
			 w->base, version);
		return true;
	}
	vm = kzalloc(sizeof *vm);
	if (!vm) {
		log_err("virtio-mmio at %#lx: no memory", w->base);
		return true;
	}
	vm->regs = regs;
	vm->window = *w;
	vm->vdev.transport = &transport;
	vm->vdev.id = id;
	vm->vdev.config_size = w->size - VIRTIO_MMIO_CONFIG;
	virtio_device_add(&vm->vdev);
	return true;
}

static void map_and_add(const struct acpi_window *w)
{
	volatile u8 *regs = mmio_map(w->base, w->size);

	if (!regs || !add_window(regs, w))
		log_warn("virtio-mmio: nothing at %#lx", w->base);
}

/* SIZE@BASE:GSI[:ID] */
static bool parse_word(const char *word, struct acpi_window *w)
{
	const char *p;

	*w = (struct acpi_window){0};
	w->size = (u32)str_to_u64(word, &p);
	if (*p++ != '@')
		return false;
	w->base = str_to_u64(p, &p);
	if (*p++ != ':')
		return false;
	w->gsi = (u32)str_to_u64(p, &p);
	if (w->gsi < 16)
		firmware_isa_irq(w->gsi, &w->gsi, &w->level, &w->active_low);
	return w->size >= MIN_WINDOW && w->size <= MIB(1) && w->base && !(w->base & 3) && (!*p || *p == ':');
}

static unsigned add_from_words(void)
{
	const char *word;
	unsigned n;

	for (n = 0; n < MAX_WINDOWS && (word = cmdline_get_nth("virtio_mmio.device", n)); n++) {
		struct acpi_window w;

		if (parse_word(word, &w))
			map_and_add(&w);
		else
			log_warn("virtio_mmio.device=%s: not SIZE@BASE:GSI", word);
	}
	return n;
}

static unsigned add_from_acpi(void)
{
	struct acpi_window w;
	unsigned n;

	for (n = 0; n < MAX_WINDOWS && acpi_find_window("LNRO0005", n, &w); n++)
		if (w.size >= MIN_WINDOW && w.size <= MIB(1))
			map_and_add(&w);
	return n;
}

static void add_microvm_layout(void)
{
	volatile u8 *regs = mmio_map(MICROVM_BASE, MICROVM_WINDOWS * MIN_WINDOW);

	for (unsigned i = 0; regs && i < MICROVM_WINDOWS; i++) {
		struct acpi_window w = {
			.base = MICROVM_BASE + i * MIN_WINDOW, .size = MIN_WINDOW, .gsi = MICROVM_GSI + i};

		if (!add_window(regs + i * MIN_WINDOW, &w))
			return;
	}
}

static int virtio_mmio_init(void)
{
	if (!add_from_words() && !add_from_acpi() && !pci_present())
		add_microvm_layout();
	return 0;
}
INITCALL(virtio_mmio_init, INIT_DEVICE);
