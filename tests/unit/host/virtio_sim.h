/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device for tests: a transport in memory, and the device's side of its queues. */
#pragma once

#include "kernel/drivers/virtio/virtio.h"

#define SIM_QUEUES   16
#define SIM_SEGMENTS 72

struct sim_queue {
	struct virtqueue *vq; /* NULL until the driver enabled it */
	u16 next_avail;
	/* packed: */
	u16 next_used;
	bool avail_unwrapped, used_unwrapped; /* laps alternate; the first is a wrapped one */
	u16 count[1024];		      /* descriptors of the buffer by id */
};

struct sim_device {
	struct virtio_device dev;
	u64 features; /* offered */
	u8 config[256];
	unsigned queue_limit; /* descriptors a queue may have */
	unsigned queue_count;
	bool refuse_features; /* clears FEATURES_OK */
	u8 status;
	unsigned resets;
	u32 generation;
	struct sim_queue q[SIM_QUEUES];
	/* The driver notified queue Q; runs in its context. NULL: nothing happens until the test does it. */
	void (*notified)(struct sim_device *sim, unsigned q);
};

struct sim_chain {
	u16 head;
	unsigned nout, nin;
	struct {
		u8 *p;
		u32 len;
	} out[SIM_SEGMENTS], in[SIM_SEGMENTS];
};

/* Offer packed rings, too, from the next sim_init on. */
extern bool sim_packed;
/* Offers VERSION_1 and the ring features besides FEATURES. */
void sim_init(struct sim_device *sim, u32 id, u64 features, unsigned queues, unsigned config_size);
/* The next chain that the driver made available. */
bool sim_pop(struct sim_device *sim, unsigned q, struct sim_chain *c);
void sim_push(struct sim_device *sim, unsigned q, u32 head, u32 len);
void sim_interrupt(struct sim_device *sim, unsigned q);
/* Copy between a chain's readable or writable part and a flat buffer. Bytes. */
size_t sim_read(const struct sim_chain *c, void *buf, size_t n);
size_t sim_write(const struct sim_chain *c, const void *buf, size_t n);
