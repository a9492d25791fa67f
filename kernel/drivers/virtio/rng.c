/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-rng (virtio 1.2, 5.4). The device is asked for 64 bytes at boot and whenever the generator drew on
 * its pool, which happens only when random numbers are used: an idle VM asks for none. `lock` guards the
 * queue. */

#include "virtio.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/init.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/spinlock.h"

#define ENTROPY_BYTES 64
#define BITS_PER_BYTE 8 /* the host's generator is trusted for all that it gives */

static struct virtio_rng {
	struct virtqueue *vq; /* NULL until there is a device; only the first one is used */
	struct spinlock lock;
	bool asked;
	u8 buf[ENTROPY_BYTES];
} rng;

static void rng_ask(void)
{
	struct vq_segment seg = {virt_to_phys(rng.buf), ENTROPY_BYTES};
	u64 flags = spin_lock_irqsave(&rng.lock);

	if (!rng.asked && !vq_add(rng.vq, &seg, 0, 1, rng.buf)) {
		rng.asked = true;
		vq_kick(rng.vq);
	}
	spin_unlock_irqrestore(&rng.lock, flags);
}

static void rng_interrupt(struct virtqueue *vq)
{
	u8 bytes[ENTROPY_BYTES];
	u32 len = 0;
	u64 flags = spin_lock_irqsave(&rng.lock);

	if (vq_get(vq, &len)) {
		memcpy(bytes, rng.buf, sizeof bytes);
		memset(rng.buf, 0, sizeof rng.buf);
		rng.asked = false;
	}
	spin_unlock_irqrestore(&rng.lock, flags);
	if (len)
		random_add_entropy(bytes, len, len * BITS_PER_BYTE);
	memset(bytes, 0, sizeof bytes);
}

static int rng_probe(struct virtio_device *dev)
{
	struct vq_setup setup = {.name = "virtio-rng", .callback = rng_interrupt, .size = 8};
	int err;

	if (rng.vq)
		return 0;
	err = virtio_setup_queues(dev, &setup, 1);
	if (err)
		return err;
	rng.vq = dev->queues[0];
	virtio_ready(dev);
	random_register_source(rng_ask);
	rng_ask();
	return 0;
}

static const struct virtio_driver rng_driver = {
	.name = "virtio-rng", .id = VIRTIO_ID_RNG, .probe = rng_probe};

static int rng_init(void)
{
	return virtio_driver_register(&rng_driver);
}
INITCALL(rng_init, INIT_DEVICE);
