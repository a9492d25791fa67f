// SPDX-License-Identifier: BSD-2-Clause
/* The simulated virtio device: see virtio_sim.h. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "arch/cpu.h"
#include "virtio_sim.h"
#include "kernel/page.h"
#include <linux/virtio_ring.h>

bool sim_packed;

static struct sim_device *to_sim(struct virtio_device *dev)
{
	return container_of(dev, struct sim_device, dev);
}

static u8 get_status(struct virtio_device *dev)
{
	return to_sim(dev)->status;
}

static void set_status(struct virtio_device *dev, u8 v)
{
	struct sim_device *sim = to_sim(dev);

	if (!v) {
		sim->resets++;
		memset(sim->q, 0, sizeof sim->q);
	}
	if (sim->refuse_features)
		v &= (u8)~VIRTIO_CONFIG_S_FEATURES_OK;
	sim->status = v;
}

static u64 get_features(struct virtio_device *dev)
{
	return to_sim(dev)->features;
}

static void set_features(struct virtio_device *dev, u64 f)
{
	assert(!(f & ~to_sim(dev)->features));
}

static u8 generation(struct virtio_device *dev)
{
	return (u8)to_sim(dev)->generation;
}

static void config_read(struct virtio_device *dev, unsigned off, void *buf, unsigned size)
{
	assert(off % size == 0 && off + size <= dev->config_size);
	memcpy(buf, to_sim(dev)->config + off, size);
}

static void config_write(struct virtio_device *dev, unsigned off, const void *buf, unsigned size)
{
	assert(off % size == 0 && off + size <= dev->config_size);
	memcpy(to_sim(dev)->config + off, buf, size);
}

static unsigned queue_size(struct virtio_device *dev, unsigned index)
{
	return index < to_sim(dev)->queue_count ? to_sim(dev)->queue_limit : 0;
}

static int setup_interrupts(struct virtio_device *dev, const struct vq_setup *setup, unsigned nq)
{
	return 0;
}

static int queue_enable(struct virtio_device *dev, struct virtqueue *vq)
{
	struct sim_device *sim = to_sim(dev);

	assert(vq->index < SIM_QUEUES && vq->size <= sim->queue_limit && !sim->q[vq->index].vq);
	assert(sim->status & VIRTIO_CONFIG_S_FEATURES_OK && !(sim->status & VIRTIO_CONFIG_S_DRIVER_OK));
	sim->q[vq->index] = (struct sim_queue){.vq = vq};
	return 0;
}

static void notify(struct virtqueue *vq)
{
	struct sim_device *sim = to_sim(vq->dev);

	assert(sim->status & VIRTIO_CONFIG_S_DRIVER_OK);
	if (sim->notified)
		sim->notified(sim, vq->index);
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

void sim_init(struct sim_device *sim, u32 id, u64 features, unsigned queues, unsigned config_size)
{
	*sim = (struct sim_device){
		.features = features | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX) |
			    BIT(VIRTIO_RING_F_INDIRECT_DESC) | (sim_packed ? BIT(VIRTIO_F_RING_PACKED) : 0),
		.queue_limit = 256,
		.queue_count = queues,
		.dev = {.transport = &transport, .id = id, .config_size = config_size},
	};
}

static void add_segment(struct sim_chain *c, u64 addr, u32 len, u16 flags)
{
	if (flags & VRING_DESC_F_WRITE) {
		c->in[c->nin].p = phys_to_virt(addr);
		c->in[c->nin++].len = len;
	} else {
		assert(!c->nin); /* readable segments come first */
		c->out[c->nout].p = phys_to_virt(addr);
		c->out[c->nout++].len = len;
	}
}

static bool pop_packed(struct sim_queue *q, struct sim_chain *c)
{
	struct virtqueue *vq = q->vq;
	u16 flags = __atomic_load_n(&vq->ring[q->next_avail].flags, __ATOMIC_ACQUIRE), count = 0;
	bool wrap = !q->avail_unwrapped;
	const struct vring_packed_desc *d;

	if ((flags >> VRING_PACKED_DESC_F_AVAIL & 1) != wrap ||
	    (flags >> VRING_PACKED_DESC_F_USED & 1) == wrap)
		return false;
	memset(c, 0, sizeof *c);
	do {
		d = &vq->ring[q->next_avail];
		if (d->flags & VRING_DESC_F_INDIRECT) {
			const struct vring_packed_desc *t = phys_to_virt(d->addr);

			for (unsigned i = 0; i < d->len / sizeof *t; i++)
				add_segment(c, t[i].addr, t[i].len, t[i].flags);
		} else {
			add_segment(c, d->addr, d->len, d->flags);
		}
		c->head = d->id;
		count++;
		if (++q->next_avail == vq->size) {
			q->next_avail = 0;
			q->avail_unwrapped = !q->avail_unwrapped;
		}
	} while (d->flags & VRING_DESC_F_NEXT);
	q->count[c->head] = count;
	/* Tell the driver to notify about the next one. */
	vq->device->off_wrap = (u16)(q->next_avail | !q->avail_unwrapped << VRING_PACKED_EVENT_F_WRAP_CTR);
	vq->device->flags = VRING_PACKED_EVENT_FLAG_DESC;
	return true;
}

static void push_packed(struct sim_queue *q, u32 id, u32 len)
{
	struct vring_packed_desc *d = &q->vq->ring[q->next_used];

	d->id = (u16)id;
	d->len = len;
	__atomic_store_n(&d->flags,
			 q->used_unwrapped ? 0
					   : 1 << VRING_PACKED_DESC_F_AVAIL | 1 << VRING_PACKED_DESC_F_USED,
			 __ATOMIC_RELEASE);
	q->next_used += id < ARRAY_SIZE(q->count) ? q->count[id] : 1;
	if (q->next_used >= q->vq->size) {
		q->next_used -= q->vq->size;
		q->used_unwrapped = !q->used_unwrapped;
	}
}

bool sim_pop(struct sim_device *sim, unsigned qi, struct sim_chain *c)
{
	struct sim_queue *q = &sim->q[qi];
	struct vring_desc *table;
	u16 i;

	if (q->vq && q->vq->packed)
		return pop_packed(q, c);
	if (!q->vq || q->next_avail == __atomic_load_n(&q->vq->avail->idx, __ATOMIC_ACQUIRE))
		return false;
	memset(c, 0, sizeof *c);
	c->head = i = q->vq->avail->ring[q->next_avail++ & (q->vq->size - 1)];
	/* Tell the driver to notify about the next one. */
	*(u16 *)&q->vq->used->ring[q->vq->size] = q->next_avail;
	table = q->vq->desc;
	if (table[i].flags & VRING_DESC_F_INDIRECT) {
		table = phys_to_virt(table[i].addr);
		i = 0;
	}
	for (;; i = table[i].next) {
		add_segment(c, table[i].addr, table[i].len, table[i].flags);
		if (!(table[i].flags & VRING_DESC_F_NEXT))
			return true;
	}
}

void sim_push(struct sim_device *sim, unsigned qi, u32 head, u32 len)
{
	struct virtqueue *vq = sim->q[qi].vq;

	if (vq->packed) {
		push_packed(&sim->q[qi], head, len);
		return;
	}
	vq->used->ring[vq->used->idx & (vq->size - 1)] = (struct vring_used_elem){.id = head, .len = len};
	__atomic_store_n(&vq->used->idx, (u16)(vq->used->idx + 1), __ATOMIC_RELEASE);
}

void sim_interrupt(struct sim_device *sim, unsigned q)
{
	u64 flags = arch_irq_save();

	virtio_queue_interrupt(sim->q[q].vq);
	arch_irq_restore(flags);
}

size_t sim_read(const struct sim_chain *c, void *buf, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->nout && done < n; i++) {
		size_t part = min(n - done, (size_t)c->out[i].len);

		memcpy((u8 *)buf + done, c->out[i].p, part);
		done += part;
	}
	return done;
}

size_t sim_write(const struct sim_chain *c, const void *buf, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->nin && done < n; i++) {
		size_t part = min(n - done, (size_t)c->in[i].len);

		memcpy(c->in[i].p, (const u8 *)buf + done, part);
		done += part;
	}
	return done;
}
