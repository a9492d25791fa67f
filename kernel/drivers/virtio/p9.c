/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-9p (virtio 1.2 has the id; the layout is Linux's linux/virtio_9p.h): carries 9P messages, many at
 * once, for fs/9p, which knows the device by its mount tag. An exchange that finds the ring full waits on a
 * list in the driver. `lock` guards the queue and that list; done() runs without it. A device that breaks the
 * ring is stopped, and everything under way fails with EIO, as does everything after it. */

#include "virtio.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "fs/p9_transport.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include <linux/virtio_9p.h>

#define QUEUE_SIZE 128u

struct virtio_p9 {
	struct p9_transport transport;
	struct virtio_device *dev;
	struct virtqueue *vq;
	struct spinlock lock;
	bool dead;
	struct list_head waiting; /* p9_io.node: no room in the ring */
	struct work work;	  /* burying a dead device */
	struct vq_segment segs[QUEUE_SIZE];
};

static DEFINE_COUNTER(p9_ring_full, "9p requests that waited for room in the ring");

/* With the lock held. 0, -ENOSPC when the ring is full, -EIO. */
static int start(struct virtio_p9 *vp, struct p9_io *io)
{
	unsigned n = io->nout + io->nin;

	if (n > vp->transport.max_segs)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		vp->segs[i] = (struct vq_segment){io->segs[i].phys, io->segs[i].len};
	return vq_add(vp->vq, vp->segs, io->nout, io->nin, io);
}

static int p9_submit(struct p9_transport *t, struct p9_io *io, bool lazy)
{
	struct virtio_p9 *vp = container_of(t, struct virtio_p9, transport);
	u64 flags = spin_lock_irqsave(&vp->lock);
	int err = vp->dead ? -EIO : list_empty(&vp->waiting) ? start(vp, io) : -ENOSPC;
	bool kick = false;

	if (err == -ENOSPC) {
		list_add_tail(&io->node, &vp->waiting);
		counter_inc(&p9_ring_full);
		err = 0;
		lazy = false; /* what is in the ring must move */
	}
	if (!lazy)
		kick = vq_kick_prepare(vp->vq);
	spin_unlock_irqrestore(&vp->lock, flags);
	if (kick)
		vq_notify(vp->vq);
	return err;
}

static void p9_kick(struct p9_transport *t)
{
	struct virtio_p9 *vp = container_of(t, struct virtio_p9, transport);
	u64 flags = spin_lock_irqsave(&vp->lock);
	bool kick = vq_kick_prepare(vp->vq);

	spin_unlock_irqrestore(&vp->lock, flags);
	if (kick)
		vq_notify(vp->vq);
}

static void fail_all(struct list_head *failed)
{
	while (!list_empty(failed)) {
		struct p9_io *io = list_first_entry(failed, struct p9_io, node);

		list_del(&io->node);
		io->done(io, -EIO, 0);
	}
}

/* With the lock held: everything that waits and fits. Exchanges that never will go to FAILED. */
static void start_waiting(struct virtio_p9 *vp, struct list_head *failed)
{
	while (!list_empty(&vp->waiting)) {
		struct p9_io *io = list_first_entry(&vp->waiting, struct p9_io, node);
		int err = start(vp, io);

		if (err == -ENOSPC)
			return;
		list_del(&io->node);
		if (err)
			list_add_tail(&io->node, failed);
	}
}

static void p9_interrupt(struct virtqueue *vq)
{
	struct virtio_p9 *vp = vq->dev->priv;
	LIST_HEAD(failed);
	struct p9_io *io;
	u32 written;
	u64 flags = spin_lock_irqsave(&vp->lock);
	bool kick;

	do {
		while ((io = vq_get(vq, &written))) {
			spin_unlock_irqrestore(&vp->lock, flags);
			io->done(io, 0, written);
			flags = spin_lock_irqsave(&vp->lock);
		}
	} while (!vq_enable(vq) && !vq->broken);
	if (vq->broken && !vp->dead) {
		vp->dead = true;
		work_queue(&vp->work);
	}
	if (!vp->dead)
		start_waiting(vp, &failed);
	kick = vq_kick_prepare(vq);
	spin_unlock_irqrestore(&vp->lock, flags);
	if (kick)
		vq_notify(vq);
	fail_all(&failed);
}

/* The device must be stopped before the memory that it was given may be anybody else's. */
static void p9_bury(struct work *w)
{
	struct virtio_p9 *vp = container_of(w, struct virtio_p9, work);
	LIST_HEAD(failed);
	struct p9_io *io;
	u64 flags;

	log_err("9p %s: the device broke its queue: given up", vp->transport.tag);
	if (virtio_device_stop(vp->dev))
		return;
	flags = spin_lock_irqsave(&vp->lock);
	while ((io = vq_detach(vp->vq)))
		list_add_tail(&io->node, &failed);
	list_splice_tail_init(&vp->waiting, &failed);
	spin_unlock_irqrestore(&vp->lock, flags);
	fail_all(&failed);
}

/* The mount tag: -EINVAL when it is none that a mount could name. */
static int read_tag(struct virtio_device *dev, char *tag)
{
	u16 len = virtio_config_get(dev, struct virtio_9p_config, tag_len);

	if (!virtio_has(dev, VIRTIO_9P_MOUNT_TAG) || !len || len > P9_MOUNT_TAG_MAX ||
	    len > dev->config_size - offsetof(struct virtio_9p_config, tag))
		return -EINVAL;
	virtio_config_read(dev, offsetof(struct virtio_9p_config, tag), tag, len);
	tag[len] = 0;
	return strlen(tag) ? 0 : -EINVAL;
}

static int p9_probe(struct virtio_device *dev)
{
	struct vq_setup setup = {.name = "virtio-9p", .callback = p9_interrupt, .size = QUEUE_SIZE};
	struct virtio_p9 *vp = kzalloc(sizeof *vp);
	int err;

	if (!vp)
		return -ENOMEM;
	vp->dev = dev;
	dev->priv = vp;
	list_init(&vp->waiting);
	work_init(&vp->work, p9_bury);
	err = read_tag(dev, vp->transport.tag);
	if (!err)
		err = virtio_setup_queues(dev, &setup, 1);
	if (err)
		goto fail;
	vp->vq = dev->queues[0];
	vp->vq->indirect_max = min(QUEUE_SIZE, vp->vq->size);
	vp->transport.max_segs = min(QUEUE_SIZE, vp->vq->size);
	vp->transport.submit = p9_submit;
	vp->transport.kick = p9_kick;
	virtio_ready(dev);
	p9_transport_register(&vp->transport);
	log_info("9p: mount tag %s", vp->transport.tag);
	return 0;
fail:
	if (!virtio_device_stop(dev))
		kfree(vp);
	return err;
}

static const struct virtio_driver p9_driver = {
	.name = "virtio-9p",
	.id = VIRTIO_ID_9P,
	.features = BIT(VIRTIO_9P_MOUNT_TAG),
	.probe = p9_probe,
};

static int p9_driver_init(void)
{
	return virtio_driver_register(&p9_driver);
}
INITCALL(p9_driver_init, INIT_DEVICE);
