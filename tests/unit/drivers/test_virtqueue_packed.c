// SPDX-License-Identifier: BSD-2-Clause
/* Packed virtqueues against a simulated device: completion in any order over many laps, notification and
 * interrupt suppression with and without EVENT_IDX, lack of memory, and a device that writes nonsense
 * (invariants of queue.c and queue_packed.c). */
// sources: kernel/drivers/virtio/queue*.c
// sources: kernel/drivers/virtio/device.c tests/unit/host/virtio_sim.c
#include "unit.h"

#include "base/err.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/virtio_ring.h>

DECLARE_COUNTER(virtio_queue_broken);

#define SIZE 16

static struct sim_device sim;
static int notified;

void random_add_interrupt(u32 source)
{
}

static void count_notify(struct virtqueue *vq)
{
	notified++;
}

static const struct virtio_transport transport = {.notify = count_notify};

static struct virtqueue *make(u64 features)
{
	struct virtqueue *vq = vq_create(0, SIZE, features | BIT(VIRTIO_F_RING_PACKED));

	assert_non_null(vq);
	memset(&sim, 0, sizeof sim);
	sim.dev = (struct virtio_device){.transport = &transport, .ready = true};
	sim.q[0].vq = vq;
	vq->dev = &sim.dev;
	assert_true(vq->packed);
	assert_int_equal(vq->desc_phys % 16, 0);
	assert_int_equal(vq->avail_phys % 4, 0);
	assert_int_equal(vq->used_phys % 4, 0);
	notified = 0;
	return vq;
}

static void test_random_order(void **state)
{
	for (unsigned variant = 0; variant < 4; variant++) {
		struct virtqueue *vq = make((variant & 1 ? BIT(VIRTIO_RING_F_EVENT_IDX) : 0) |
					    (variant & 2 ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0));
		struct sim_chain held[SIZE];
		unsigned nheld = 0, outstanding = 0;
		bool busy[4096] = {0};
		u32 next_token = 1;

		while (next_token < 100000 || outstanding) {
			unsigned nout = (unsigned)(random_u64() % 3),
				 nin = (unsigned)(random_u64() % 3) + !nout;
			struct vq_segment seg[5];
			void *token;

			for (unsigned i = 0; i < nout + nin; i++)
				seg[i] = (struct vq_segment){0x1000 * (i + 1), 16 + i};
			if (next_token < 100000 && (random_u64() & 3)) {
				int err = vq_add(vq, seg, nout, nin, (void *)(uintptr_t)next_token);

				assert_true(!err || err == -ENOSPC);
				if (!err) {
					assert_false(busy[next_token % 4096]);
					busy[next_token++ % 4096] = true;
					outstanding++;
					assert_true(sim_pop(&sim, 0, &held[nheld]));
					assert_int_equal(held[nheld].nout, nout);
					assert_int_equal(held[nheld].nin, nin);
					for (unsigned i = 0; i < nin; i++)
						assert_int_equal(held[nheld].in[i].len, 16 + nout + i);
					nheld++;
					assert_false(sim_pop(&sim, 0, &held[nheld % SIZE]));
				}
			}
			if (nheld && (next_token >= 100000 || (random_u64() & 1))) {
				unsigned at = (unsigned)(random_u64() % nheld);

				sim_push(&sim, 0, held[at].head, 0);
				held[at] = held[--nheld];
			}
			while ((token = vq_get(vq, NULL))) {
				u32 t = (u32)(uintptr_t)token;

				assert_true(busy[t % 4096]);
				busy[t % 4096] = false;
				outstanding--;
			}
			assert_false(vq->broken);
		}
		assert_int_equal(vq->free_count, SIZE);
		vq_destroy(vq);
	}
	assert_true(host_heap_live() == 0);
}

static void test_full(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 1}, {0x2000, 1}, {0x3000, 1}};
	struct virtqueue *vq = make(0);

	for (int i = 0; i < SIZE / 3; i++)
		assert_int_equal(vq_add(vq, seg, 3, 0, &sim), 0);
	assert_int_equal(vq_add(vq, seg, 3, 0, &sim), -ENOSPC);
	assert_int_equal(vq_add(vq, seg, 1, 0, &sim), 0);
	assert_int_equal(vq_add(vq, seg, 1, 0, &sim), -ENOSPC);
	assert_false(vq_pending(vq)); /* a full ring does not look answered */
	vq_destroy(vq);
}

static void test_no_memory(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 1}, {0x2000, 1}, {0x3000, 1}};
	struct virtqueue *vq = make(BIT(VIRTIO_RING_F_INDIRECT_DESC));
	u64 live;

	host_alloc_fail_after(0);
	assert_int_equal(vq_add(vq, seg, 3, 0, &sim), 0);
	assert_int_equal(vq->free_count, SIZE - 3);
	host_alloc_fail_never();
	assert_int_equal(vq_add(vq, seg, 3, 0, &sim), 0);
	assert_int_equal(vq->free_count, SIZE - 4);
	vq_destroy(vq);
	live = host_heap_live();
	for (u64 n = 0; n < 3; n++) {
		host_alloc_fail_after(n);
		assert_null(vq_create(0, SIZE, BIT(VIRTIO_F_RING_PACKED)));
		assert_true(host_heap_live() == live);
	}
	host_alloc_fail_never();
}

static void test_notify(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct virtqueue *vq = make(0);

	vq_kick(vq);
	assert_int_equal(notified, 0); /* nothing new */
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	vq->device->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	vq->device->flags = VRING_PACKED_EVENT_FLAG_DESC; /* at the fourth, on this lap */
	vq->device->off_wrap = 3 | 1 << VRING_PACKED_EVENT_F_WRAP_CTR;
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 2);
	vq_disable(vq);
	assert_int_equal(vq->driver->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_true(vq_enable(vq));
	assert_int_equal(vq->driver->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	vq_destroy(vq);
}

/* The device wants to hear of a descriptor on the far side of the ring's end. */
static void test_notify_across_the_end(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct virtqueue *vq = make(BIT(VIRTIO_RING_F_EVENT_IDX));
	struct sim_chain c;

	for (int i = 0; i < SIZE - 1; i++) {
		vq_add(vq, &seg, 1, 0, &sim);
		assert_true(sim_pop(&sim, 0, &c));
		sim_push(&sim, 0, c.head, 0);
		assert_non_null(vq_get(vq, NULL));
	}
	vq_kick(vq);
	notified = 0;
	vq->device->off_wrap = 1; /* the second of the next lap */
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 0);
	vq_add(vq, &seg, 1, 0, &sim);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	vq_destroy(vq);
}

static void test_event_idx(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct virtqueue *vq = make(BIT(VIRTIO_RING_F_EVENT_IDX));
	struct sim_chain c;

	for (int i = 0; i < 3; i++)
		vq_add(vq, &seg, 1, 0, &sim);
	assert_true(vq_enable(vq));
	assert_int_equal(vq->driver->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(vq->driver->off_wrap, 0x8000);
	assert_true(sim_pop(&sim, 0, &c));
	sim_push(&sim, 0, c.head, 0);
	assert_non_null(vq_get(vq, NULL));
	assert_int_equal(vq->driver->off_wrap, 0x8001); /* kept at the next answer */
	vq_disable(vq);
	assert_true(sim_pop(&sim, 0, &c));
	sim_push(&sim, 0, c.head, 0);
	assert_false(vq_enable(vq)); /* something came while they were off */
	assert_non_null(vq_get(vq, NULL));
	for (int i = 0; i < 13; i++)
		vq_add(vq, &seg, 1, 0, &sim);
	assert_true(vq_enable_delayed(vq)); /* 14 outstanding, from place 2 */
	assert_int_equal(vq->driver->off_wrap, 0x8000 | (2 + 14 * 3 / 4));
	vq_destroy(vq);
}

static void expect_broken(struct virtqueue *vq)
{
	struct vq_segment seg = {0x1000, 1};
	u64 before = virtio_queue_broken.value;

	assert_null(vq_get(vq, NULL));
	assert_true(vq->broken);
	assert_true(virtio_queue_broken.value == before + 1);
	assert_int_equal(vq_add(vq, &seg, 1, 0, vq), -EIO);
	assert_false(vq_pending(vq));
	assert_null(vq_get(vq, NULL));
	assert_true(virtio_queue_broken.value == before + 1); /* counted once */
	vq_destroy(vq);
}

static void test_hostile(void **state)
{
	struct vq_segment seg[2] = {{0x1000, 64}, {0x2000, 64}};
	struct virtqueue *vq = make(0);
	struct sim_chain c;

	sim_push(&sim, 0, 0, 0); /* nothing was given */
	expect_broken(vq);

	vq = make(0);
	vq_add(vq, seg, 0, 1, &sim);
	sim_push(&sim, 0, SIZE, 0); /* no such buffer */
	expect_broken(vq);

	vq = make(BIT(VIRTIO_RING_F_EVENT_IDX));
	vq_add(vq, seg, 0, 1, &sim);
	sim_push(&sim, 0, 0xffff, 0);
	expect_broken(vq);

	vq = make(0);
	vq_add(vq, seg, 1, 1, &sim);
	sim_push(&sim, 0, 0, 65); /* more than the writable half */
	expect_broken(vq);

	vq = make(0);
	vq_add(vq, seg, 1, 1, &sim);
	vq_add(vq, seg, 1, 1, &sim);
	assert_true(sim_pop(&sim, 0, &c));
	sim_push(&sim, 0, c.head, 0);
	sim_push(&sim, 0, c.head, 0); /* twice */
	assert_non_null(vq_get(vq, NULL));
	expect_broken(vq);
}

/* The device scribbles over everything it can write: what is freed is what was added. */
static void test_hostile_ring(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 64}, {0x2000, 64}, {0x3000, 64}};
	struct virtqueue *vq = make(0);
	struct sim_chain c;

	vq_add(vq, seg, 3, 0, &sim);
	assert_true(sim_pop(&sim, 0, &c));
	for (int i = 0; i < SIZE; i++)
		vq->ring[i] =
			(struct vring_packed_desc){.addr = ~0ull, .len = ~0u, .id = 0xfff0, .flags = 0xff7f};
	*vq->device = (struct vring_packed_desc_event){0xffff, 0xffff};
	sim_push(&sim, 0, c.head, 0);
	assert_non_null(vq_get(vq, NULL));
	assert_int_equal(vq->free_count, SIZE);
	for (int i = 0; i < SIZE; i++)
		assert_int_equal(vq_add(vq, seg, 1, 0, &sim), 0);
	vq_kick(vq);
	vq_destroy(vq);
}

static void test_detach(void **state)
{
	struct vq_segment seg[2] = {{0x1000, 64}, {0x2000, 64}};
	struct virtqueue *vq = make(0);
	unsigned n = 0;

	for (int i = 0; i < 5; i++)
		vq_add(vq, seg, 1, 1, &sim);
	while (vq_detach(vq))
		n++;
	assert_int_equal(n, 5);
	assert_int_equal(vq->free_count, SIZE);
	vq_destroy(vq);
}

UNIT_TESTS(test_random_order, test_full, test_no_memory, test_notify, test_notify_across_the_end,
	   test_event_idx, test_hostile, test_hostile_ring, test_detach)
