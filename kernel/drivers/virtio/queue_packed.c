/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed virtqueues (virtio 1.2, 2.8): one ring that both sides write. Two flags of a descriptor tell whose
 * turn it is; what they mean flips with every lap. We write a chain's descriptors one after the other, its
 * first flags last. The device answers with one descriptor in the place of the chain's first, naming the
 * buffer by its id, in any order; the next answer comes as many places on as that chain was long.
 *
 * Invariants, besides Q1 and Q2 of queue.c with buffer ids for heads: Q4 where the next answer will be
 * follows from slots[].count alone, so no answer leads out of the ring. A place that seems answered although
 * nothing is outstanding names a slot without a token, which breaks the queue. */

#include "queue.h"
#include "arch/cpu.h"
#include "base/bits.h"
#include "base/err.h"
#include "kernel/page.h"

#define F_AVAIL	 ((u16)BIT(VRING_PACKED_DESC_F_AVAIL))
#define F_USED	 ((u16)BIT(VRING_PACKED_DESC_F_USED))
#define WRAP_BIT ((u16)BIT(VRING_PACKED_EVENT_F_WRAP_CTR))

size_t packed_ring_bytes(unsigned size)
{
	return size * sizeof(struct vring_packed_desc) + 2 * sizeof(struct vring_packed_desc_event);
}

void packed_place(struct virtqueue *vq, u8 *rings)
{
	size_t bytes = vq->size * sizeof(struct vring_packed_desc);

	vq->ring = (struct vring_packed_desc *)rings;
	vq->driver = (struct vring_packed_desc_event *)(rings + bytes);
	vq->device = vq->driver + 1;
	vq->avail_phys = vq->desc_phys + bytes;
	vq->used_phys = vq->avail_phys + sizeof(struct vring_packed_desc_event);
	vq->next_avail = vq->next_used = vq->added = 0;
	vq->avail_wrap = vq->used_wrap = true;
}

static void fill_table(struct vring_packed_desc *t, const struct vq_segment *seg, unsigned nout, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		t[i] = (struct vring_packed_desc){
			.addr = seg[i].phys, .len = seg[i].len, .flags = i >= nout ? VRING_DESC_F_WRITE : 0};
}

int packed_add(struct virtqueue *vq, const struct vq_segment *seg, unsigned nout, unsigned nin, void *token)
{
	unsigned n = nout + nin, take;
	u16 id = vq->free_head, first = vq->next_avail, first_flags = 0;
	struct vring_packed_desc *table = vq_indirect_table(vq, id, n);
	struct vq_segment whole;

	take = table ? 1 : n;
	if (vq->free_count < take)
		return -ENOSPC;
	if (table) {
		fill_table(table, seg, nout, n);
		whole = (struct vq_segment){virt_to_phys(table), (u32)(n * sizeof *table)};
	}
	for (unsigned i = 0; i < take; i++) {
		struct vring_packed_desc *d = &vq->ring[vq->next_avail];
		const struct vq_segment *s = table ? &whole : &seg[i];
		u16 flags = vq->avail_wrap ? F_AVAIL : F_USED;

		if (table)
			flags |= VRING_DESC_F_INDIRECT;
		else
			flags |= (u16)((i >= nout ? VRING_DESC_F_WRITE : 0) |
				       (i + 1 < take ? VRING_DESC_F_NEXT : 0));
		d->addr = s->phys;
		d->len = s->len;
		d->id = id;
		if (i)
			d->flags = flags;
		else
			first_flags = flags;
		if (++vq->next_avail == vq->size) {
			vq->next_avail = 0;
			vq->avail_wrap = !vq->avail_wrap;
		}
	}
	vq->free_head = vq->slots[id].next;
	vq_fill_slot(vq, id, seg, nout, n, take, token);
	vq->added += (u16)take;
	atomic_thread_fence(memory_order_release);
	WRITE_ONCE(vq->ring[first].flags, first_flags);
	return 0;
}

static bool wants_kick(const struct virtqueue *vq, u16 added)
{
	u32 event = READ_ONCE(*(u32 *)vq->device); /* place and flags, as one */
	u16 at = event & (u16)~WRAP_BIT, flags = event >> 16 & 3;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	if (!(event & WRAP_BIT) == vq->avail_wrap)
		at -= (u16)vq->size; /* a place of the lap before */
	return vring_need_event(at, vq->next_avail, (u16)(vq->next_avail - added));
}

bool packed_kick_prepare(struct virtqueue *vq)
{
	u16 added = vq->added;

	if (!added || vq->broken)
		return false;
	vq->added = 0;
	atomic_thread_fence(
		memory_order_seq_cst); /* flags before the device's wish; pairs with the device's */
	return wants_kick(vq, added) || (cpu_fence_late() && wants_kick(vq, added));
}

bool packed_pending(const struct virtqueue *vq)
{
	u16 flags = READ_ONCE(vq->ring[vq->next_used].flags);
	bool avail = flags & F_AVAIL, used = flags & F_USED;

	return avail == used && used == vq->used_wrap;
}

void packed_free(struct virtqueue *vq, u16 id)
{
	vq->slots[id].token = NULL;
	vq->slots[id].next = vq->free_head;
	vq->free_head = id;
	vq->free_count += vq->slots[id].count;
}

/* The place AHEAD descriptors behind the next answer, as an event. */
static u16 place(const struct virtqueue *vq, unsigned ahead)
{
	unsigned at = vq->next_used + ahead;
	bool wrap = vq->used_wrap;

	if (at >= vq->size) {
		at -= vq->size;
		wrap = !wrap;
	}
	return (u16)(at | (wrap ? WRAP_BIT : 0));
}

void *packed_get(struct virtqueue *vq, u32 *written)
{
	const struct vring_packed_desc *d = &vq->ring[vq->next_used];
	u16 id = READ_ONCE(d->id);
	u32 len = READ_ONCE(d->len);
	void *token;
	u16 next;

	if (!vq_take_slot(vq, id, len))
		return NULL;
	token = vq->slots[id].token;
	next = place(vq, vq->slots[id].count);
	vq->next_used = next & (u16)~WRAP_BIT;
	vq->used_wrap = next & WRAP_BIT;
	packed_free(vq, id);
	if (vq->driver->flags == VRING_PACKED_EVENT_FLAG_DESC) { /* keep the event at the next answer */
		WRITE_ONCE(vq->driver->off_wrap, next);
		atomic_thread_fence(memory_order_seq_cst);
		cpu_fence_late();
	}
	if (written)
		*written = len;
	return token;
}

void packed_disable(struct virtqueue *vq)
{
	WRITE_ONCE(vq->driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

bool packed_enable(struct virtqueue *vq, unsigned ahead)
{
	if (vq->event_idx) {
		WRITE_ONCE(vq->driver->off_wrap, place(vq, ahead));
		atomic_thread_fence(memory_order_release);
	}
	WRITE_ONCE(vq->driver->flags,
		   vq->event_idx ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE);
	atomic_thread_fence(memory_order_seq_cst); /* the wish before the look; pairs with the device's */
	if (vq->broken)
		return true;
	return !packed_pending(vq) && (!cpu_fence_late() || !packed_pending(vq));
}
