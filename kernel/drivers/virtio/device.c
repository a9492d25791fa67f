/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio devices and drivers: matching, feature negotiation, queue set-up, configuration space
 * (virtio 1.2, 3.1). Drivers and transports register in any order; `mutex` guards both lists. */

#include "virtio.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/mutex.h"
#include "kernel/random.h"
#include <linux/virtio_ring.h>

#define MAX_DRIVERS   16
#define RESET_WAIT_NS (2 * NSEC_PER_SEC)
#define MAX_QUEUE     1024 /* larger ones only cost memory */

static const struct virtio_driver *drivers[MAX_DRIVERS];
static unsigned ndrivers;
static LIST_HEAD(devices);
static DEFINE_MUTEX(mutex);

DEFINE_COUNTER(virtio_probe_failed, "virtio devices that could not be set up");

static void add_status(struct virtio_device *dev, u8 bits)
{
	dev->transport->set_status(dev, dev->transport->get_status(dev) | bits);
}

static int reset(struct virtio_device *dev)
{
	u64 start = clock_monotonic();

	dev->transport->set_status(dev, 0);
	while (dev->transport->get_status(dev)) {
		if (clock_monotonic() - start > RESET_WAIT_NS)
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

int virtio_device_stop(struct virtio_device *dev)
{
	dev->ready = false;
	return reset(dev);
}

static int negotiate(struct virtio_device *dev, const struct virtio_driver *drv)
{
	u64 ring = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		   BIT(VIRTIO_F_RING_PACKED);
	u64 offered = dev->transport->get_features(dev);

	if (!(offered & BIT(VIRTIO_F_VERSION_1)))
		return -EOPNOTSUPP; /* legacy only */
	/* A device behind an IOMMU (or one that needs its rules) cannot be driven with physical addresses. */
	if (offered & BIT(VIRTIO_F_ACCESS_PLATFORM))
		log_warn("virtio: %s asks for platform DMA translation; assuming that there is none",
			 drv->name);
	dev->features = offered & (drv->features | ring | BIT(VIRTIO_F_ACCESS_PLATFORM));
	if (drv->choose)
		dev->features = drv->choose(dev->features);
	dev->transport->set_features(dev, dev->features);
	add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	return dev->transport->get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EINVAL;
}

static void destroy_queues(struct virtio_device *dev)
{
	for (unsigned i = 0; dev->queues && i < dev->nqueues; i++)
		vq_destroy(dev->queues[i]);
	kfree(dev->queues);
	dev->queues = NULL;
	dev->nqueues = 0;
}

static void probe(struct virtio_device *dev, const struct virtio_driver *drv)
{
	int err = reset(dev);

	if (!err) {
		add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
		add_status(dev, VIRTIO_CONFIG_S_DRIVER);
		err = negotiate(dev, drv);
	}
	dev->driver = drv;
	if (!err)
		err = drv->probe(dev);
	if (!err)
		return;
	counter_inc(&virtio_probe_failed);
	log_err("virtio: %s: error %d", drv->name, err);
	dev->driver = NULL;
	/* Only a reset makes the device forget the rings; then they may be freed. */
	if (!virtio_device_stop(dev))
		destroy_queues(dev);
	add_status(dev, VIRTIO_CONFIG_S_FAILED);
}

int virtio_device_add(struct virtio_device *dev)
{
	mutex_lock(&mutex);
	list_add_tail(&dev->node, &devices);
	for (unsigned i = 0; i < ndrivers && !dev->driver; i++)
		if (drivers[i]->id == dev->id)
			probe(dev, drivers[i]);
	mutex_unlock(&mutex);
	return 0;
}

int virtio_driver_register(const struct virtio_driver *drv)
{
	struct virtio_device *dev;

	mutex_lock(&mutex);
	if (ndrivers == MAX_DRIVERS) {
		mutex_unlock(&mutex);
		return -ENOSPC;
	}
	drivers[ndrivers++] = drv;
	list_for_each_entry (dev, &devices, node)
		if (!dev->driver && dev->id == drv->id)
			probe(dev, drv);
	mutex_unlock(&mutex);
	return 0;
}

static int begin(struct virtio_device *dev)
{
	add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	dev->transport->set_features(dev, dev->features);
	add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	return dev->transport->get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EINVAL;
}

int virtio_device_restart(struct virtio_device *dev)
{
	int err = begin(dev);

	if (!err && dev->transport->restore_interrupts)
		err = dev->transport->restore_interrupts(dev);
	for (unsigned i = 0; i < dev->nqueues && !err; i++)
		if (dev->queues[i]) {
			vq_reset(dev->queues[i]);
			err = dev->transport->queue_enable(dev, dev->queues[i]);
		}
	return err;
}

static int create_queue(struct virtio_device *dev, unsigned i, const struct vq_setup *s)
{
	unsigned limit = dev->transport->queue_size(dev, i), size;
	struct virtqueue *vq;

	if (!limit)
		return -ENOENT;
	size = (unsigned)BIT(log2_floor(clamp(s->size, 2u, min(limit, (unsigned)MAX_QUEUE))));
	vq = vq_create(i, size, dev->features);
	if (!vq)
		return -ENOMEM;
	vq->dev = dev;
	vq->name = s->name;
	vq->callback = s->callback;
	dev->queues[i] = vq;
	if (!s->callback)
		vq_disable(vq);
	return 0;
}

int virtio_setup_queues(struct virtio_device *dev, const struct vq_setup *setup, unsigned n)
{
	int err = 0;

	dev->queues = kcalloc(n, sizeof *dev->queues);
	if (!dev->queues)
		return -ENOMEM;
	dev->nqueues = n;
	for (unsigned i = 0; i < n && !err; i++)
		if (!setup[i].skip)
			err = create_queue(dev, i, &setup[i]);
	if (!err)
		err = dev->transport->setup_interrupts(dev, setup, n);
	for (unsigned i = 0; i < n && !err; i++)
		if (dev->queues[i])
			err = dev->transport->queue_enable(dev, dev->queues[i]);
	return err; /* probe() in this file resets the device and frees */
}

void virtio_ready(struct virtio_device *dev)
{
	__atomic_store_n(&dev->ready, true, __ATOMIC_RELEASE);
	add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_queue_interrupt(struct virtqueue *vq)
{
	if (!__atomic_load_n(&vq->dev->ready, __ATOMIC_ACQUIRE) || !vq->callback)
		return;
	random_add_interrupt(vq->dev->id << 16 | vq->index);
	vq->callback(vq);
}

void virtio_all_queues_interrupt(struct virtio_device *dev)
{
	if (!__atomic_load_n(&dev->ready, __ATOMIC_ACQUIRE))
		return;
	for (unsigned i = 0; i < dev->nqueues; i++)
		if (dev->queues[i])
			virtio_queue_interrupt(dev->queues[i]);
}

void virtio_config_interrupt(struct virtio_device *dev)
{
	if (__atomic_load_n(&dev->ready, __ATOMIC_ACQUIRE) && dev->driver && dev->driver->config_changed)
		dev->driver->config_changed(dev);
}

/* Fields are naturally aligned: access by the widest unit that fits. */
static unsigned access_size(unsigned off, unsigned left)
{
	if (!(off & 3) && left >= 4)
		return 4;
	return !(off & 1) && left >= 2 ? 2 : 1;
}

void virtio_config_read(struct virtio_device *dev, unsigned off, void *buf, unsigned size)
{
	u8 before, after;

	memset(buf, 0, size);
	if (off >= dev->config_size)
		return;
	size = min(size, dev->config_size - off);
	do {
		before = dev->transport->generation(dev);
		for (unsigned i = 0, n; i < size; i += n) {
			n = access_size(off + i, size - i);
			dev->transport->config_read(dev, off + i, (u8 *)buf + i, n);
		}
		after = dev->transport->generation(dev);
	} while (before != after && size > 1);
}

void virtio_config_write(struct virtio_device *dev, unsigned off, const void *buf, unsigned size)
{
	if (off >= dev->config_size || size > dev->config_size - off)
		return;
	for (unsigned i = 0, n; i < size; i += n) {
		n = access_size(off + i, size - i);
		dev->transport->config_write(dev, off + i, (const u8 *)buf + i, n);
	}
}
