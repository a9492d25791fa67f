/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtqueues: creation, what both forms share, and the split form (virtio 1.2, 2.7); the packed one is in
 * queue_packed.c.
 *
 * Invariants:
 * Q1 The free list and the chains partition the descriptors; both are linked through slots[].next, which the
 * device cannot write, never through the ring's own next fields. Q2 slots[h].token is set exactly while a
 * chain with head h is with the device. Q3 used_idx trails used->idx by at most the number of outstanding
 * chains; more means that the device is wrong. A used entry that breaks one of these marks the queue broken:
 * no further memory is handed to the device.
 *
 * Memory order: a descriptor and its ring entry are written before avail->idx (release); avail->idx is
 * written before the device's suppression field is read (full fence, the device does the converse); used->idx
 * is read before the entry (acquire). The device may sit behind real DMA: these are the fences for it, not
 * only for the compiler. */

#include "queue.h"
#include "arch/cpu.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/page.h"

DEFINE_COUNTER(virtio_queue_broken, "virtqueues given up because the device returned what it was not given");

static size_t used_offset(unsigned size)
{
	/* After the avail ring's flags, idx, entries and used_event; aligned to 4. */
	return ALIGN_UP(sizeof(struct vring_desc) * size + sizeof(u16) * (3 + size), (size_t)4);
}

static size_t ring_bytes(unsigned size)
{
	return used_offset(size) + sizeof(u16) * 3 + sizeof(struct vring_used_elem) * size;
}

static volatile u16 *used_event(struct virtqueue *vq) /* written by us */
{
	return (volatile u16 *)&vq->avail->ring[vq->size];
}

static volatile u16 *avail_event(struct virtqueue *vq) /* written by the device */
{
	return (volatile u16 *)&vq->used->ring[vq->size];
}

static void place_split(struct virtqueue *vq, u8 *rings)
{
	vq->desc = (struct vring_desc *)rings;
	vq->avail = (struct vring_avail *)(rings + sizeof(struct vring_desc) * vq->size);
	vq->used = (struct vring_used *)(rings + used_offset(vq->size));
	vq->avail_phys = vq->desc_phys + sizeof(struct vring_desc) * vq->size;
	vq->used_phys = vq->desc_phys + used_offset(vq->size);
	vq->avail_idx = vq->kicked_idx = vq->used_idx = 0;
}

static size_t bytes_of(const struct virtqueue *vq)
{
	return vq->packed ? packed_ring_bytes(vq->size) : ring_bytes(vq->size);
}

/* Empty rings at RINGS. */
static void begin(struct virtqueue *vq, u8 *rings)
{
	vq->free_count = vq->size;
	vq->free_head = 0;
	vq->broken = false;
	if (vq->packed)
		packed_place(vq, rings);
	else
		place_split(vq, rings);
	for (unsigned i = 0; i < vq->size; i++)
		vq->slots[i].next = (u16)(i + 1);
}

void vq_reset(struct virtqueue *vq)
{
	u8 *rings = phys_to_virt(vq->desc_phys);

	memset(rings, 0, bytes_of(vq));
	begin(vq, rings);
	if (!vq->callback)
		vq_disable(vq);
}

struct virtqueue *vq_create(unsigned index, unsigned size, u64 features)
{
	bool packed = features >> VIRTIO_F_RING_PACKED & 1;
	size_t bytes = packed ? packed_ring_bytes(size) : ring_bytes(size);
	struct virtqueue *vq = kzalloc(sizeof *vq);
	struct vq_slot *slots = kcalloc(size, sizeof *slots);
	u8 *rings = kzalloc(BIT(log2_ceil(bytes))); /* a power of two is aligned well enough */

	if (!vq || !slots || !rings) {
		kfree(rings);
		kfree(slots);
		kfree(vq);
		return NULL;
	}
	vq->index = index;
	vq->size = size;
	vq->slots = slots;
	vq->packed = packed;
	vq->event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	vq->indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	vq->indirect_max = 32;
	vq->desc_phys = virt_to_phys(rings);
	begin(vq, rings);
	return vq;
}

void vq_destroy(struct virtqueue *vq)
{
	if (!vq)
		return;
	for (unsigned i = 0; i < vq->size; i++)
		kfree(vq->slots[i].indirect);
	kfree(vq->packed ? (void *)vq->ring : (void *)vq->desc);
	kfree(vq->slots);
	kfree(vq);
}

/* Counted, not logged: the log may be on its way out through this very queue. */
void vq_mark_broken(struct virtqueue *vq)
{
	if (!vq->broken)
		counter_inc(&virtio_queue_broken);
	vq->broken = true;
}

void *vq_indirect_table(struct virtqueue *vq, u16 slot, unsigned n)
{
	struct vq_slot *s = &vq->slots[slot];

	_Static_assert(sizeof(struct vring_desc) == sizeof(struct vring_packed_desc), "one size of table");
	if (!vq->indirect || n < 2 || n > vq->indirect_max)
		return NULL;
	if (!s->indirect)
		s->indirect = kmalloc(vq->indirect_max * sizeof(struct vring_desc));
	return s->indirect;
}

bool vq_take_slot(struct virtqueue *vq, u32 id, u32 written)
{
	/* A buffer that it was not given, or bytes that it cannot have written. */
	if (likely(id < vq->size && vq->slots[id].token && written <= vq->slots[id].writable))
		return true;
	vq_mark_broken(vq);
	return false;
}

void vq_fill_slot(struct virtqueue *vq, u16 slot, const struct vq_segment *seg, unsigned nout, unsigned n,
		  unsigned take, void *token)
{
	struct vq_slot *s = &vq->slots[slot];

	vq->free_count -= take;
	s->token = token;
	s->count = (u16)take;
	s->writable = 0;
	for (unsigned i = nout; i < n; i++)
		s->writable += seg[i].len;
}

static void fill(struct vring_desc *d, const struct vq_segment *seg, bool writable, bool more, u16 next)
{
	d->addr = seg->phys;
	d->len = seg->len;
	d->flags = (u16)((writable ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0));
	d->next = more ? next : 0;
}

static void fill_table(struct vring_desc *t, const struct vq_segment *seg, unsigned nout, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fill(&t[i], &seg[i], i >= nout, i + 1 < n, (u16)(i + 1));
}

int vq_add(struct virtqueue *vq, const struct vq_segment *seg, unsigned nout, unsigned nin, void *token)
{
	unsigned n = nout + nin, take;
	u16 head = vq->free_head, at = head;
	struct vring_desc *table;

	if (unlikely(vq->broken))
		return -EIO;
	if (!vq->free_count)
		return -ENOSPC;
	if (vq->packed)
		return packed_add(vq, seg, nout, nin, token);
	table = vq_indirect_table(vq, head, n);
	take = table ? 1 : n;
	if (vq->free_count < take)
		return -ENOSPC;

	if (table) {
		fill_table(table, seg, nout, n);
		vq->desc[head].addr = virt_to_phys(table);
		vq->desc[head].len = (u32)(n * sizeof *table);
		vq->desc[head].flags = VRING_DESC_F_INDIRECT;
		vq->desc[head].next = 0;
		at = vq->slots[head].next;
	} else {
		for (unsigned i = 0; i < n; i++) {
			u16 next = vq->slots[at].next;

			fill(&vq->desc[at], &seg[i], i >= nout, i + 1 < n, next);
			at = next;
		}
	}
	vq->free_head = at;
	vq_fill_slot(vq, head, seg, nout, n, take, token);
	vq->avail->ring[vq->avail_idx & (vq->size - 1)] = head;
	vq->avail_idx++;
	atomic_thread_fence(memory_order_release);
	WRITE_ONCE(vq->avail->idx, vq->avail_idx);
	return 0;
}

static bool wants_kick(struct virtqueue *vq, u16 new, u16 old)
{
	if (vq->event_idx)
		return vring_need_event(*avail_event(vq), new, old);
	return !(READ_ONCE(vq->used->flags) & VRING_USED_F_NO_NOTIFY);
}

bool vq_kick_prepare(struct virtqueue *vq)
{
	u16 new, old;

	if (vq->packed)
		return packed_kick_prepare(vq);
	new = vq->avail_idx;
	old = vq->kicked_idx;
	if (new == old || vq->broken)
		return false;
	vq->kicked_idx = new;
	atomic_thread_fence(memory_order_seq_cst); /* idx before the device's wish; pairs with the device's */
	return wants_kick(vq, new, old) || (cpu_fence_late() && wants_kick(vq, new, old));
}

/* Not before DRIVER_OK: the device looks at the queues then by itself, or is told once more. */
void vq_notify(struct virtqueue *vq)
{
	if (vq->dev->ready)
		vq->dev->transport->notify(vq);
}

void vq_kick(struct virtqueue *vq)
{
	if (vq_kick_prepare(vq))
		vq_notify(vq);
}

bool vq_pending(const struct virtqueue *vq)
{
	bool pending =
		!vq->broken && (vq->packed ? packed_pending(vq) : vq->used_idx != READ_ONCE(vq->used->idx));

	atomic_thread_fence(memory_order_acquire);
	return pending;
}

static void free_chain(struct virtqueue *vq, u16 head)
{
	u16 last = head;

	for (unsigned i = 1; i < vq->slots[head].count; i++)
		last = vq->slots[last].next;
	vq->slots[last].next = vq->free_head;
	vq->free_head = head;
	vq->free_count += vq->slots[head].count;
	vq->slots[head].token = NULL;
}

void *vq_get(struct virtqueue *vq, u32 *written)
{
	const struct vring_used_elem *e;
	u32 id, len;
	void *token;

	if (!vq_pending(vq))
		return NULL;
	if (vq->packed)
		return packed_get(vq, written);
	e = &vq->used->ring[vq->used_idx & (vq->size - 1)];
	id = READ_ONCE(e->id);
	len = READ_ONCE(e->len);
	if (!vq_take_slot(vq, id, len))
		return NULL;
	token = vq->slots[id].token;
	free_chain(vq, (u16)id);
	vq->used_idx++;
	/* With EVENT_IDX the device interrupts when it passes used_event: keep that at the entry that comes
	 * next. */
	if (vq->event_idx && !(vq->avail->flags & VRING_AVAIL_F_NO_INTERRUPT)) {
		*used_event(vq) = vq->used_idx;
		atomic_thread_fence(memory_order_seq_cst);
		cpu_fence_late(); /* the caller looks for the next entry then */
	}
	if (written)
		*written = len;
	return token;
}

/* With EVENT_IDX the device ignores the flag: we keep it as our own note, and put the event behind us by half
 * the index space, where it is not reached soon. */
void vq_disable(struct virtqueue *vq)
{
	if (vq->packed) {
		packed_disable(vq);
		return;
	}
	WRITE_ONCE(vq->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	if (vq->event_idx)
		*used_event(vq) = (u16)(vq->used_idx - 1 + 0x8000);
}

/* Has the device not yet used the entry EVENT? */
static bool before_event(const struct virtqueue *vq, u16 event)
{
	return (u16)(READ_ONCE(vq->used->idx) - vq->used_idx) <= (u16)(event - vq->used_idx) || vq->broken;
}

static bool enable_at(struct virtqueue *vq, u16 event)
{
	WRITE_ONCE(vq->avail->flags, 0);
	if (vq->event_idx)
		*used_event(vq) = event;
	atomic_thread_fence(memory_order_seq_cst); /* the wish before used->idx; pairs with the device's */
	return before_event(vq, event) && (!cpu_fence_late() || before_event(vq, event));
}

bool vq_enable(struct virtqueue *vq)
{
	return vq->packed ? packed_enable(vq, 0) : enable_at(vq, vq->used_idx);
}

bool vq_enable_delayed(struct virtqueue *vq)
{
	u16 outstanding;

	if (vq->packed)
		return packed_enable(vq, vq->event_idx ? (vq->size - vq->free_count) * 3 / 4 : 0);
	outstanding = (u16)(vq->avail_idx - vq->used_idx);
	return enable_at(vq, vq->event_idx ? (u16)(vq->used_idx + outstanding * 3 / 4) : vq->used_idx);
}

void *vq_detach(struct virtqueue *vq)
{
	for (unsigned i = 0; i < vq->size; i++) {
		void *token = vq->slots[i].token;

		if (token) {
			if (vq->packed)
				packed_free(vq, (u16)i);
			else
				free_chain(vq, (u16)i);
			return token;
		}
	}
	return NULL;
}
