/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio over PCI, modern interface (virtio 1.2, 4.1): register blocks in memory BARs, found by vendor
 * capabilities. One MSI-X vector per queue and one for the configuration when there are enough, else one for
 * all queues, else the wired interrupt with its status register. */

#include "virtio.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/pci.h"
#include <linux/virtio_pci.h>

#define VENDOR_REDHAT	   0x1af4
#define DEVICE_FIRST	   0x1000
#define DEVICE_MODERN_BASE 0x1040
#define DEVICE_LAST	   0x107f
#define CAP_VENDOR	   0x09
#define ISR_QUEUE	   1
#define ISR_CONFIG	   2
#define NO_VECTOR	   0xffff

struct virtio_pci {
	struct virtio_device vdev;
	struct pci_device *pci;
	volatile struct virtio_pci_common_cfg *common;
	volatile u8 *isr, *config, *notify;
	u32 notify_multiplier, notify_len;
	bool msix;
};

static struct virtio_pci *to_pci(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_pci, vdev);
}

static u8 get_status(struct virtio_device *dev)
{
	return to_pci(dev)->common->device_status;
}

static void set_status(struct virtio_device *dev, u8 v)
{
	to_pci(dev)->common->device_status = v;
}

static u64 get_features(struct virtio_device *dev)
{
	volatile struct virtio_pci_common_cfg *c = to_pci(dev)->common;
	u32 low;

	c->device_feature_select = 0;
	low = c->device_feature;
	c->device_feature_select = 1;
	return (u64)c->device_feature << 32 | low;
}

static void set_features(struct virtio_device *dev, u64 features)
{
	volatile struct virtio_pci_common_cfg *c = to_pci(dev)->common;

	c->guest_feature_select = 0;
	c->guest_feature = (u32)features;
	c->guest_feature_select = 1;
	c->guest_feature = (u32)(features >> 32);
}

static u8 generation(struct virtio_device *dev)
{
	return to_pci(dev)->common->config_generation;
}

static void config_read(struct virtio_device *dev, unsigned off, void *buf, unsigned size)
{
	volatile u8 *p = to_pci(dev)->config + off;

	if (size == 4)
		*(u32 *)buf = *(volatile u32 *)p;
	else if (size == 2)
		*(u16 *)buf = *(volatile u16 *)p;
	else
		*(u8 *)buf = *p;
}

static void config_write(struct virtio_device *dev, unsigned off, const void *buf, unsigned size)
{
	volatile u8 *p = to_pci(dev)->config + off;

	if (size == 4)
		*(volatile u32 *)p = *(const u32 *)buf;
	else if (size == 2)
		*(volatile u16 *)p = *(const u16 *)buf;
	else
		*p = *(const u8 *)buf;
}

static unsigned queue_size(struct virtio_device *dev, unsigned index)
{
	volatile struct virtio_pci_common_cfg *c = to_pci(dev)->common;

	if (index >= c->num_queues)
		return 0;
	c->queue_select = (u16)index;
	return c->queue_size;
}

static void queue_handler(void *arg)
{
	virtio_queue_interrupt(arg);
}

static void all_queues_handler(void *arg)
{
	virtio_all_queues_interrupt(arg);
}

static void config_handler(void *arg)
{
	virtio_config_interrupt(arg);
}

static void intx_handler(void *arg)
{
	struct virtio_pci *vp = arg;
	u8 isr = *vp->isr; /* reading lowers the line */

	if (isr & ISR_QUEUE)
		virtio_all_queues_interrupt(&vp->vdev);
	if (isr & ISR_CONFIG)
		virtio_config_interrupt(&vp->vdev);
}

/* Vector 0 is the configuration's; queues get 1, 2, .. or all of them 1. */
static int setup_msix(struct virtio_pci *vp, const struct vq_setup *setup, unsigned nq)
{
	struct virtio_device *dev = &vp->vdev;
	unsigned wanted = 0, vector = 1;
	int handle;

	for (unsigned i = 0; i < nq; i++)
		wanted += !setup[i].skip && setup[i].callback;
	if (vp->pci->msix_size < 2)
		return -ENODEV;
	handle = pci_msix_set(vp->pci, 0, 0, config_handler, dev, "virtio-config");
	if (handle < 0)
		return handle;
	if (vp->pci->msix_size < wanted + 1) {
		handle = pci_msix_set(vp->pci, 1, setup[0].cpu, all_queues_handler, dev, dev->driver->name);
		for (unsigned i = 0; i < nq; i++)
			if (dev->queues[i])
				dev->queues[i]->irq = setup[i].callback ? 1 : NO_VECTOR;
		return handle < 0 ? handle : 0;
	}
	for (unsigned i = 0; i < nq; i++) {
		struct virtqueue *vq = dev->queues[i];

		if (!vq)
			continue;
		vq->irq = NO_VECTOR;
		if (!setup[i].callback)
			continue;
		handle = pci_msix_set(vp->pci, vector, setup[i].cpu, queue_handler, vq, setup[i].name);
		if (handle < 0)
			return handle;
		vq->irq = (int)vector++;
	}
	return 0;
}

static int restore_interrupts(struct virtio_device *dev)
{
	struct virtio_pci *vp = to_pci(dev);

	if (!vp->msix)
		return 0;
	vp->common->msix_config = 0;
	return vp->common->msix_config == NO_VECTOR ? -ENOSPC : 0;
}

static int setup_interrupts(struct virtio_device *dev, const struct vq_setup *setup, unsigned nq)
{
	struct virtio_pci *vp = to_pci(dev);
	int err;

	if (!pci_msix_enable(vp->pci)) {
		err = setup_msix(vp, setup, nq);
		if (err)
			return err;
		vp->msix = true;
		return restore_interrupts(dev);
	}
	err = vp->isr ? pci_request_intx(vp->pci, intx_handler, vp, dev->driver->name) : -ENODEV;
	return err < 0 ? err : 0;
}

static int queue_enable(struct virtio_device *dev, struct virtqueue *vq)
{
	struct virtio_pci *vp = to_pci(dev);
	volatile struct virtio_pci_common_cfg *c = vp->common;
	u64 off;

	c->queue_select = (u16)vq->index;
	c->queue_size = (u16)vq->size;
	c->queue_desc_lo = (u32)vq->desc_phys;
	c->queue_desc_hi = (u32)(vq->desc_phys >> 32);
	c->queue_avail_lo = (u32)vq->avail_phys;
	c->queue_avail_hi = (u32)(vq->avail_phys >> 32);
	c->queue_used_lo = (u32)vq->used_phys;
	c->queue_used_hi = (u32)(vq->used_phys >> 32);
	off = (u64)c->queue_notify_off * vp->notify_multiplier;
	if (off + 2 > vp->notify_len)
		return -EINVAL;
	vq->notify_addr = vp->notify + off;
	if (vp->msix) {
		c->queue_msix_vector = (u16)vq->irq;
		if (vq->irq != NO_VECTOR && c->queue_msix_vector == NO_VECTOR)
			return -ENOSPC;
	}
	c->queue_enable = 1;
	return 0;
}

static void notify(struct virtqueue *vq)
{
	*(volatile u16 *)vq->notify_addr = (u16)vq->index;
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
	.restore_interrupts = restore_interrupts,
};

/* Map the block that the capability at CAP describes, if we know it and have none of its kind yet. */
static void read_capability(struct virtio_pci *vp, u8 cap)
{
	struct pci_device *pci = vp->pci;
	u8 type = (u8)pci_read(pci, cap + 3u, 1), bar = (u8)pci_read(pci, cap + 4u, 1);
	u32 off = pci_read(pci, cap + 8u, 4), len = pci_read(pci, cap + 12u, 4);

	switch (type) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		if (!vp->common && len >= sizeof *vp->common)
			vp->common = pci_map_bar(pci, bar, off, len);
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (!vp->notify) {
			vp->notify = pci_map_bar(pci, bar, off, len);
			vp->notify_len = len;
			vp->notify_multiplier = pci_read(pci, cap + 16u, 4);
		}
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		if (!vp->isr)
			vp->isr = pci_map_bar(pci, bar, off, 1);
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		if (!vp->config) {
			vp->config = pci_map_bar(pci, bar, off, len);
			vp->vdev.config_size = vp->config ? len : 0;
		}
		break;
	}
}

static int virtio_pci_probe(struct pci_device *pci)
{
	struct virtio_pci *vp;

	if (pci->vendor != VENDOR_REDHAT || pci->device < DEVICE_FIRST || pci->device > DEVICE_LAST)
		return -ENODEV;
	vp = kzalloc(sizeof *vp);
	if (!vp)
		return -ENOMEM;
	vp->pci = pci;
	vp->vdev.transport = &transport;
	/* A transitional device has an old id, and its kind in the subsystem id. */
	vp->vdev.id = pci->device >= DEVICE_MODERN_BASE ? pci->device - DEVICE_MODERN_BASE : pci->subsystem;
	pci_enable(pci);
	for (u8 cap = 0; (cap = pci_find_capability(pci, CAP_VENDOR, cap));)
		read_capability(vp, cap);
	if (!vp->common || !vp->notify) {
		log_warn("pci %02x:%02x.%u: virtio device without the modern interface", pci->bus, pci->slot,
			 pci->fn);
		kfree(vp);
		return -ENODEV;
	}
	pci->priv = vp;
	return virtio_device_add(&vp->vdev);
}

static const struct pci_driver virtio_pci_driver = {.name = "virtio-pci", .probe = virtio_pci_probe};

static int virtio_pci_init(void)
{
	return pci_register_driver(&virtio_pci_driver);
}
INITCALL(virtio_pci_init, INIT_DEVICE);
