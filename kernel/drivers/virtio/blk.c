/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-blk (virtio 1.2, 5.2): one queue, requests of many segments. A request that finds the ring full
 * waits on a list in the driver, so submitters never have to try again. `lock` guards the queue, the contexts
 * and that list; completions run without it. A device that breaks the ring is stopped, and everything under
 * way fails. */

#include "virtio.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/blockdev.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/softirq.h"
#include "kernel/spinlock.h"
#include <linux/virtio_blk.h>

#define QUEUE_SIZE 128u
#define MAX_SEGS   62u /* with header and status an indirect table of 1 KiB */
#define ID_WAIT_NS NSEC_PER_SEC
#define BLK_FEATURE                                                                     \
	BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) | \
		BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD)

struct blk_context { /* what the device reads and writes besides the data */
	struct virtio_blk_outhdr header;
	struct virtio_blk_discard_write_zeroes range;
	u8 status;
	bool busy;
	struct block_request *r;
};

struct virtio_blk {
	struct block_device bd;
	struct virtio_device *dev;
	struct virtqueue *vq;
	u32 size_max; /* bytes a segment */
	bool flush;
	struct spinlock lock;
	bool dead;
	struct list_head waiting;     /* block_request.node */
	struct blk_context *contexts; /* vq->size of them */
	unsigned next_context;
	struct vq_segment segs[MAX_SEGS + 2]; /* for building one request */
	struct work work;		      /* capacity changes, and burying a dead device */
	char id[VIRTIO_BLK_ID_BYTES];
};

DEFINE_COUNTER(blk_errors, "block requests that the device failed");
DEFINE_COUNTER(blk_ring_full, "block requests that waited for room in the ring");

static struct blk_context *context_take(struct virtio_blk *vb)
{
	for (unsigned i = 0; i < vb->vq->size; i++) {
		struct blk_context *c = &vb->contexts[vb->next_context++ % vb->vq->size];

		if (!c->busy) {
			c->busy = true;
			c->status = 0xff;
			return c;
		}
	}
	return NULL;
}

/* Data segments, split where the device wants them shorter. The number, or -EINVAL when there are too many.
 */
static int data_segments(struct virtio_blk *vb, const struct block_request *r, struct vq_segment *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->nsegs; i++)
		for (u32 off = 0; off < r->segs[i].len;) {
			u32 len = min(r->segs[i].len - off, vb->size_max);

			if (n == MAX_SEGS)
				return -EINVAL;
			out[n++] = (struct vq_segment){r->segs[i].phys + off, len};
			off += len;
		}
	return (int)n;
}

/* With the lock held. 0, -ENOSPC when the ring is full, or why it can never work. */
static int start(struct virtio_blk *vb, struct block_request *r)
{
	static const u32 types[] = {[BLOCK_READ] = VIRTIO_BLK_T_IN,
				    [BLOCK_WRITE] = VIRTIO_BLK_T_OUT,
				    [BLOCK_FLUSH] = VIRTIO_BLK_T_FLUSH,
				    [BLOCK_DISCARD] = VIRTIO_BLK_T_DISCARD};
	struct blk_context *c = context_take(vb);
	struct vq_segment *seg = vb->segs;
	int data = 0, err;
	unsigned nout = 1, nin = 1;

	if (!c)
		return -ENOSPC;
	c->r = r;
	c->header = (struct virtio_blk_outhdr){.type = types[r->op], .sector = r->sector};
	seg[0] = (struct vq_segment){virt_to_phys(&c->header), sizeof c->header};
	if (r->op == BLOCK_DISCARD) {
		c->header.sector = 0;
		c->range = (struct virtio_blk_discard_write_zeroes){.sector = r->sector,
								    .num_sectors = r->segs[0].len / 512};
		seg[1] = (struct vq_segment){virt_to_phys(&c->range), sizeof c->range};
		data = 1;
	} else if (r->op != BLOCK_FLUSH) {
		data = data_segments(vb, r, seg + 1);
	} else {
		c->header.sector = 0;
	}
	if (data < 0) {
		c->busy = false;
		return data;
	}
	seg[1 + data] = (struct vq_segment){virt_to_phys(&c->status), 1};
	if (r->op == BLOCK_READ)
		nin += (unsigned)data;
	else
		nout += (unsigned)data;
	err = vq_add(vb->vq, seg, nout, nin, c);
	if (err)
		c->busy = false;
	return err;
}

static int check(const struct virtio_blk *vb, const struct block_request *r)
{
	u64 sectors = __atomic_load_n(&vb->bd.sectors, __ATOMIC_RELAXED), bytes = 0;

	if (r->op == BLOCK_FLUSH)
		return 0;
	for (unsigned i = 0; i < r->nsegs; i++)
		bytes += r->segs[i].len;
	if (!bytes || bytes % 512 || r->nsegs > vb->bd.max_segs)
		return -EINVAL;
	if (r->sector > sectors || bytes / 512 > sectors - r->sector)
		return -EIO;
	if (r->op != BLOCK_READ && vb->bd.read_only)
		return -EROFS;
	if (r->op == BLOCK_DISCARD) {
		if (!vb->bd.max_discard)
			return -EOPNOTSUPP;
		if (r->nsegs != 1 || bytes / 512 > vb->bd.max_discard)
			return -EINVAL;
	}
	return 0;
}

static int blk_submit(struct block_device *bd, struct block_request *r)
{
	struct virtio_blk *vb = container_of(bd, struct virtio_blk, bd);
	int err = check(vb, r);
	bool kick;
	u64 flags;

	if (err)
		return err;
	if (r->op == BLOCK_FLUSH && !vb->flush) { /* the device writes through */
		block_done(bd, r, 0);
		return 0;
	}
	flags = spin_lock_irqsave(&vb->lock);
	err = vb->dead ? -EIO : list_empty(&vb->waiting) ? start(vb, r) : -ENOSPC;
	if (err == -ENOSPC) {
		list_add_tail(&r->node, &vb->waiting);
		counter_inc(&blk_ring_full);
		err = 0;
	}
	kick = vq_kick_prepare(vb->vq);
	spin_unlock_irqrestore(&vb->lock, flags);
	if (kick)
		vq_notify(vb->vq);
	return err;
}

static const struct block_device_ops blk_ops = {.submit = blk_submit};

static int request_error(const struct blk_context *c)
{
	if (c->status == VIRTIO_BLK_S_OK)
		return 0;
	counter_inc(&blk_errors);
	return c->status == VIRTIO_BLK_S_UNSUPP ? -EOPNOTSUPP : -EIO;
}

/* With the lock held: everything that waits and fits. Requests that never will go to FAILED. */
static void start_waiting(struct virtio_blk *vb, struct list_head *failed)
{
	while (!list_empty(&vb->waiting)) {
		struct block_request *r = list_first_entry(&vb->waiting, struct block_request, node);
		int err = start(vb, r);

		if (err == -ENOSPC)
			return;
		list_del(&r->node);
		if (err)
			list_add_tail(&r->node, failed);
	}
}

static void fail_all(struct virtio_blk *vb, struct list_head *failed)
{
	while (!list_empty(failed)) {
		struct block_request *r = list_first_entry(failed, struct block_request, node);

		list_del(&r->node);
		block_done(&vb->bd, r, -EIO);
	}
}

static void blk_interrupt(struct virtqueue *vq)
{
	struct virtio_blk *vb = vq->dev->priv;
	LIST_HEAD(failed);
	struct blk_context *c;
	u64 flags = spin_lock_irqsave(&vb->lock);
	bool kick;

	softirq_count(SOFTIRQ_BLOCK);
	do {
		while ((c = vq_get(vq, NULL))) {
			struct block_request *r = c->r;
			int err = request_error(c);

			c->busy = false;
			spin_unlock_irqrestore(&vb->lock, flags);
			if (r)
				block_done(&vb->bd, r, err);
			flags = spin_lock_irqsave(&vb->lock);
		}
	} while (!vq_enable(vq) && !vq->broken);
	if (vq->broken && !vb->dead) {
		vb->dead = true;
		work_queue(&vb->work);
	}
	if (!vb->dead)
		start_waiting(vb, &failed);
	kick = vq_kick_prepare(vq);
	spin_unlock_irqrestore(&vb->lock, flags);
	if (kick)
		vq_notify(vq);
	fail_all(vb, &failed);
}

static void blk_config_changed(struct virtio_device *dev)
{
	struct virtio_blk *vb = dev->priv;

	if (vb->work.fn)
		work_queue(&vb->work);
}

/* The device must be stopped before the memory that it was given may be anybody else's. */
static void bury(struct virtio_blk *vb)
{
	LIST_HEAD(failed);
	struct blk_context *c;
	u64 flags;

	log_err("%s: the device broke its queue: given up", vb->bd.name);
	if (virtio_device_stop(vb->dev))
		return;
	flags = spin_lock_irqsave(&vb->lock);
	while ((c = vq_detach(vb->vq))) {
		if (c->r)
			list_add_tail(&c->r->node, &failed);
		c->busy = false;
	}
	list_splice_tail_init(&vb->waiting, &failed);
	spin_unlock_irqrestore(&vb->lock, flags);
	fail_all(vb, &failed);
}

static void blk_work(struct work *w)
{
	struct virtio_blk *vb = container_of(w, struct virtio_blk, work);
	u64 sectors;

	if (vb->dead) {
		bury(vb);
		return;
	}
	sectors = virtio_config_get(vb->dev, struct virtio_blk_config, capacity);
	if (sectors != vb->bd.sectors)
		log_info("%s: now %lu MiB", vb->bd.name, sectors >> 11);
	__atomic_store_n(&vb->bd.sectors, sectors, __ATOMIC_RELAXED);
}

/* The serial number, if the device gives one soon; before the device is registered, so nothing else is under
 * way. */
static void read_id(struct virtio_blk *vb)
{
	struct blk_context *c = context_take(vb);
	struct vq_segment seg[3] = {{virt_to_phys(&c->header), sizeof c->header},
				    {virt_to_phys(vb->id), sizeof vb->id},
				    {virt_to_phys(&c->status), 1}};
	u64 start_time = clock_monotonic(), flags;
	bool kick;

	c->r = NULL;
	c->header = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_GET_ID};
	flags = spin_lock_irqsave(&vb->lock);
	(void)vq_add(vb->vq, seg, 1, 2, c); /* into an empty ring */
	kick = vq_kick_prepare(vb->vq);
	spin_unlock_irqrestore(&vb->lock, flags);
	if (kick)
		vq_notify(vb->vq);
	while (READ_ONCE(c->busy) && clock_monotonic() - start_time < ID_WAIT_NS)
		cpu_relax();
	if (!READ_ONCE(c->busy) && c->status == VIRTIO_BLK_S_OK)
		memcpy(vb->bd.serial, vb->id, sizeof vb->id);
}

static void read_limits(struct virtio_blk *vb)
{
	struct virtio_device *dev = vb->dev;
	struct virtio_blk_config config;

	virtio_config_read(dev, 0, &config, sizeof config);
	vb->bd.sectors = config.capacity;
	vb->bd.read_only = virtio_has(dev, VIRTIO_BLK_F_RO);
	vb->flush = virtio_has(dev, VIRTIO_BLK_F_FLUSH);
	vb->bd.sector_size = 512;
	if (virtio_has(dev, VIRTIO_BLK_F_BLK_SIZE) && is_power_of_2(config.blk_size) &&
	    config.blk_size >= 512 && config.blk_size <= PAGE_SIZE)
		vb->bd.sector_size = config.blk_size;
	vb->bd.max_segs = MAX_SEGS;
	if (virtio_has(dev, VIRTIO_BLK_F_SEG_MAX) && config.seg_max)
		vb->bd.max_segs = min(MAX_SEGS, config.seg_max);
	vb->size_max = ~0u;
	if (virtio_has(dev, VIRTIO_BLK_F_SIZE_MAX) && config.size_max >= PAGE_SIZE)
		vb->size_max = config.size_max;
	if (virtio_has(dev, VIRTIO_BLK_F_DISCARD))
		vb->bd.max_discard = config.max_discard_sectors;
}

static int blk_probe(struct virtio_device *dev)
{
	struct vq_setup setup = {.name = "virtio-blk", .callback = blk_interrupt, .size = QUEUE_SIZE};
	struct virtio_blk *vb = kzalloc(sizeof *vb);
	int err;

	if (!vb)
		return -ENOMEM;
	vb->dev = dev;
	dev->priv = vb;
	list_init(&vb->waiting);
	read_limits(vb);
	err = virtio_setup_queues(dev, &setup, 1);
	if (err)
		goto fail;
	vb->vq = dev->queues[0];
	vb->vq->indirect_max = MAX_SEGS + 2;
	if (!vb->vq->indirect) /* a request must fit into the ring */
		vb->bd.max_segs = min(vb->bd.max_segs, vb->vq->size - 2);
	vb->contexts = kcalloc(vb->vq->size, sizeof *vb->contexts);
	err = -ENOMEM;
	if (!vb->contexts)
		goto fail;
	work_init(&vb->work, blk_work);
	virtio_ready(dev);
	read_id(vb);
	vb->bd.ops = &blk_ops;
	block_register(&vb->bd);
	log_info("%s: %lu MiB%s%s%s", vb->bd.name, vb->bd.sectors >> 11,
		 vb->bd.read_only ? ", read-only" : "", vb->bd.serial[0] ? ", serial " : "", vb->bd.serial);
	return 0;
fail:
	if (!virtio_device_stop(dev)) {
		kfree(vb->contexts);
		kfree(vb);
	}
	return err;
}

static const struct virtio_driver blk_driver = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.features = BLK_FEATURE,
	.probe = blk_probe,
	.config_changed = blk_config_changed,
};

static int blk_init(void)
{
	return virtio_driver_register(&blk_driver);
}
INITCALL(blk_init, INIT_DEVICE);
