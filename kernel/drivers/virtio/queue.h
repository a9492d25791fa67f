/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two forms of virtqueues. */
#pragma once

#include "virtio.h"
#include <linux/virtio_ring.h>

/* queue.c */
void vq_mark_broken(struct virtqueue *vq);
/* A table of N descriptors for the chain that SLOT stands for, or NULL: the chain then lies in the ring. */
void *vq_indirect_table(struct virtqueue *vq, u16 slot, unsigned n);
/* Note in SLOT the chain of N segments, TAKE descriptors in the ring. */
void vq_fill_slot(struct virtqueue *vq, u16 slot, const struct vq_segment *seg, unsigned nout, unsigned n,
		  unsigned take, void *token);
/* May the device say that it is done with ID and wrote WRITTEN bytes? If not, the queue is broken. */
bool vq_take_slot(struct virtqueue *vq, u32 id, u32 written);

/* queue_packed.c: the same as vq_...() */
size_t packed_ring_bytes(unsigned size);
void packed_place(struct virtqueue *vq, u8 *rings); /* desc_phys is set */
int packed_add(struct virtqueue *vq, const struct vq_segment *seg, unsigned nout, unsigned nin, void *token);
bool packed_kick_prepare(struct virtqueue *vq);
bool packed_pending(const struct virtqueue *vq);
void *packed_get(struct virtqueue *vq, u32 *written); /* after packed_pending */
void packed_free(struct virtqueue *vq, u16 id);
void packed_disable(struct virtqueue *vq);
/* Interrupt once the device has used AHEAD descriptors and one more. */
bool packed_enable(struct virtqueue *vq, unsigned ahead);
