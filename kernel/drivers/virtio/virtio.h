/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio 1.x: what device drivers see of devices, queues and transports. OASIS Virtual I/O Device
 * specification 1.2.
 *
 * A transport (pci.c, mmio.c) finds a device and hands it to virtio_device_add(); the core (device.c) matches
 * it with a driver, negotiates features and calls probe(), which sets up queues, then calls virtio_ready().
 * Legacy devices are not driven. Queues are split (queue.c) or, where the device offers it, packed
 * (queue_packed.c). The device is not trusted to be right: whatever it writes is checked before use, and a
 * queue that it corrupted is marked broken and used no more. */
#pragma once

#include "base/list.h"
#include "base/types.h"
#include "kernel/irq.h"
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

struct virtio_device;
struct virtqueue;

typedef void (*vq_callback)(struct virtqueue *vq); /* interrupt context */

struct vq_setup {
	const char *name;
	vq_callback callback; /* NULL: no interrupts wanted */
	unsigned size;	      /* descriptors wanted at most; the device may offer less */
	unsigned cpu;	      /* where to interrupt */
	bool skip;	      /* leave this queue alone */
};

struct virtio_transport {
	u8 (*get_status)(struct virtio_device *);
	void (*set_status)(struct virtio_device *, u8);
	u64 (*get_features)(struct virtio_device *);
	void (*set_features)(struct virtio_device *, u64);
	u8 (*generation)(struct virtio_device *);
	/* One access of 1, 2, 4 (or 8 as two of 4) bytes; OFF lies inside config_size. */
	void (*config_read)(struct virtio_device *, unsigned off, void *buf, unsigned size);
	void (*config_write)(struct virtio_device *, unsigned off, const void *buf, unsigned size);
	unsigned (*queue_size)(struct virtio_device *,
			       unsigned index); /* the device's limit; 0: no such queue */
	/* Request interrupts for NQ queues and for configuration changes. */
	int (*setup_interrupts)(struct virtio_device *, const struct vq_setup *setup, unsigned nq);
	/* Tell the device where VQ's rings are, and enable it. */
	int (*queue_enable)(struct virtio_device *, struct virtqueue *vq);
	void (*notify)(struct virtqueue *vq);
	/* After a reset: have interrupts as setup_interrupts left them. NULL: they stayed. */
	int (*restore_interrupts)(struct virtio_device *);
};

struct virtio_device {
	const struct virtio_transport *transport;
	const struct virtio_driver *driver;
	u32 id;	      /* VIRTIO_ID_* */
	u64 features; /* negotiated */
	unsigned config_size;
	unsigned nqueues;
	struct virtqueue **queues; /* NULL entries were skipped */
	bool ready;		   /* DRIVER_OK was set: callbacks may run */
	void *priv;		   /* the driver's */
	struct list_head node;
};

struct virtio_driver {
	const char *name;
	u32 id;
	u64 features;		    /* device features that the driver knows; the ring's are added */
	u64 (*choose)(u64 offered); /* drop those that depend on others that are missing; NULL: none do */
	/* After FEATURES_OK; on failure the device is marked FAILED. Thread context. */
	int (*probe)(struct virtio_device *dev);
	void (*config_changed)(struct virtio_device *dev); /* interrupt context; NULL: of no interest */
};

/* Transports: takes over DEV. Thread context. */
int virtio_device_add(struct virtio_device *dev);
int virtio_driver_register(const struct virtio_driver *drv);

static inline bool virtio_has(const struct virtio_device *dev, unsigned feature)
{
	return dev->features >> feature & 1;
}

/* Create and enable N queues. On failure nothing stays set up. Once per device, before virtio_ready. */
int virtio_setup_queues(struct virtio_device *dev, const struct vq_setup *setup, unsigned n);
void virtio_ready(struct virtio_device *dev);
/* Stop the device for good: it forgets its rings, and no memory is its own any more. 0 or -ETIMEDOUT. Thread
 * context. */
int virtio_device_stop(struct virtio_device *dev);
/* The device says that it cannot go on without a reset. */
static inline bool virtio_needs_reset(struct virtio_device *dev)
{
	return dev->transport->get_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}
/* After virtio_device_stop(): the same features and queues once more, all empty. The driver took back with
 * vq_detach() what was in them, and calls virtio_ready() when it has filled them. -ETIMEDOUT, -EINVAL ...
 * Thread context. */
int virtio_device_restart(struct virtio_device *dev);
/* Called by transports from their interrupt handlers. */
void virtio_queue_interrupt(struct virtqueue *vq);
void virtio_config_interrupt(struct virtio_device *dev);
void virtio_all_queues_interrupt(struct virtio_device *dev);

/* Read SIZE bytes of configuration at OFF, untorn by changes; zeros beyond what the device has. */
void virtio_config_read(struct virtio_device *dev, unsigned off, void *buf, unsigned size);
void virtio_config_write(struct virtio_device *dev, unsigned off, const void *buf, unsigned size);
#define virtio_config_get(dev, type, field)                                     \
	({                                                                      \
		typeof(((type *)0)->field) _v;                                  \
		virtio_config_read(dev, offsetof(type, field), &_v, sizeof _v); \
		_v;                                                             \
	})

/* ---- queues ----
 * The caller serialises all calls on one queue. A buffer is a chain of segments: NOUT that the device reads,
 * then NIN that it writes, known to the caller by a token that is not NULL. */
struct vq_segment {
	u64 phys;
	u32 len;
};

struct vq_slot {	/* per descriptor (packed: per buffer id), out of the device's reach */
	void *token;	/* of the chain that starts here; NULL: none */
	u16 next;	/* next descriptor of the chain or of the free list */
	u16 count;	/* descriptors that the chain takes in the ring */
	u32 writable;	/* bytes that the device may write */
	void *indirect; /* table kept for this slot, indirect_max descriptors; NULL until used */
};

struct virtqueue {
	struct virtio_device *dev;
	unsigned index, size;		      /* size: a power of two, at most 32768 */
	u64 desc_phys, avail_phys, used_phys; /* packed: the ring, our events, the device's events */
	struct vq_slot *slots;
	unsigned free_count;
	u16 free_head;
	bool packed, event_idx, indirect, broken;
	union {
		struct { /* split */
			struct vring_desc *desc;
			struct vring_avail *avail;
			struct vring_used *used;
			u16 avail_idx;	/* what avail->idx shows or will show */
			u16 kicked_idx; /* avail_idx at the last look at whether to notify */
			u16 used_idx;	/* next used entry to take */
		};
		struct { /* packed */
			struct vring_packed_desc *ring;
			struct vring_packed_desc_event *driver, *device;
			u16 next_avail, next_used;  /* where we write next, where the device does */
			u16 added;		    /* descriptors since the last look at whether to notify */
			bool avail_wrap, used_wrap; /* the flags' sense on this lap */
		};
	};
	unsigned indirect_max; /* entries of an indirect table; 0 or 1: never use one */
	vq_callback callback;
	const char *name;
	void *priv;		    /* the driver's */
	volatile void *notify_addr; /* the transport's */
	int irq;		    /* the transport's vector */
};

/* Set up rings for a queue of SIZE (a power of two), of the form that FEATURES say. NULL on no memory. For
 * transports' users, and tests. */
struct virtqueue *vq_create(unsigned index, unsigned size, u64 features) __must_check;
void vq_destroy(struct virtqueue *vq);

/* Make a chain available (the device is told by vq_kick). 0; -ENOSPC: no room; -EIO: broken. */
int vq_add(struct virtqueue *vq, const struct vq_segment *seg, unsigned nout, unsigned nin, void *token);
/* Tell the device about new chains, unless it asked not to be. */
void vq_kick(struct virtqueue *vq);
/* The same in two steps, so that the (slow) notification can happen outside the caller's lock. */
bool vq_kick_prepare(struct virtqueue *vq);
void vq_notify(struct virtqueue *vq);
/* Take the next chain that the device is done with: its token, and how many bytes it wrote. NULL: none. */
void *vq_get(struct virtqueue *vq, u32 *written);
bool vq_pending(const struct virtqueue *vq); /* vq_get would find one */
/* Ask for no interrupts (a hint), or for one at the next used chain. vq_enable returns false when chains are
 * waiting already: the caller then handles them first. */
void vq_disable(struct virtqueue *vq);
bool vq_enable(struct virtqueue *vq);
/* As vq_enable, but with EVENT_IDX the interrupt comes only when most of what is outstanding is used. */
bool vq_enable_delayed(struct virtqueue *vq);
/* Take back chains that the device has not used, after a reset: tokens one by one, then NULL. */
void *vq_detach(struct virtqueue *vq);
/* After that: as new. */
void vq_reset(struct virtqueue *vq);
