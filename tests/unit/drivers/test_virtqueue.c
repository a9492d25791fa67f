// SPDX-License-Identifier: BSD-2-Clause
/* Split virtqueues against a simulated device: completion in any order, notification and interrupt
 * suppression with and without EVENT_IDX, index wrap-around, lack of memory, and a device that writes
 * nonsense (invariants Q1 to Q3 of queue.c). */
// sources: kernel/drivers/virtio/queue*.c
#include "unit.h"

#include "base/err.h"
#include "kernel/counter.h"
#include "kernel/drivers/virtio/virtio.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include <linux/virtio_ring.h>

DECLARE_COUNTER(virtio_queue_broken);

#define SIZE 16

/* The device's side of the rings, with its own view of where they are. */
struct device {
	struct virtqueue *vq;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u16 next_avail;
	u16 held[SIZE];
	unsigned nheld;
};

static int notified;
static void count_notify(struct virtqueue *vq)
{
	notified++;
}

static const struct virtio_transport transport = {.notify = count_notify};
static struct virtio_device vdev = {.transport = &transport, .ready = true};

static struct virtqueue *make(struct device *d, bool event_idx, bool indirect)
{
	struct virtqueue *vq = vq_create(0, SIZE,
					 (u64)event_idx << VIRTIO_RING_F_EVENT_IDX |
						 (u64)indirect << VIRTIO_RING_F_INDIRECT_DESC);

	assert_non_null(vq);
	vq->dev = &vdev;
	*d = (struct device){.vq = vq,
			     .desc = phys_to_virt(vq->desc_phys),
			     .avail = phys_to_virt(vq->avail_phys),
			     .used = phys_to_virt(vq->used_phys)};
	assert_int_equal(vq->desc_phys % 16, 0);
	assert_int_equal(vq->avail_phys % 2, 0);
	assert_int_equal(vq->used_phys % 4, 0);
	notified = 0;
	return vq;
}

/* Fetch all new chains. */
static void device_fetch(struct device *d)
{
	while (d->next_avail != d->avail->idx)
		d->held[d->nheld++] = d->avail->ring[d->next_avail++ % SIZE];
}

/* Length of the chain and bytes in it that the device may write. */
static unsigned device_walk(struct device *d, u16 head, u32 *writable)
{
	struct vring_desc *table = d->desc;
	unsigned n = 1, i = head;

	*writable = 0;
	if (table[i].flags & VRING_DESC_F_INDIRECT) {
		assert_int_equal(table[i].flags & VRING_DESC_F_NEXT, 0);
		table = phys_to_virt(table[i].addr);
		i = 0;
	}
	for (;; n++) {
		if (table[i].flags & VRING_DESC_F_WRITE)
			*writable += table[i].len;
		if (!(table[i].flags & VRING_DESC_F_NEXT))
			return n;
		i = table[i].next;
	}
}

static void device_use_raw(struct device *d, u32 id, u32 len)
{
	d->used->ring[d->used->idx % SIZE] = (struct vring_used_elem){.id = id, .len = len};
	d->used->idx++;
}

/* Complete one held chain, chosen at random. */
static u16 device_complete(struct device *d, u32 len)
{
	unsigned at = (unsigned)(random_u64() % d->nheld);
	u16 head = d->held[at];

	d->held[at] = d->held[--d->nheld];
	device_use_raw(d, head, len);
	return head;
}

static void test_random_order(void **state)
{
	for (int variant = 0; variant < 4; variant++) {
		struct device d;
		struct virtqueue *vq = make(&d, variant & 1, variant & 2);
		unsigned outstanding = 0;
		bool busy[4096] = {0};
		u32 next_token = 1;

		/* 100,000 chains: the 16-bit indexes wrap. */
		while (next_token < 100000 || outstanding) {
			unsigned nout = (unsigned)(random_u64() % 3),
				 nin = (unsigned)(random_u64() % 3) + !nout;
			struct vq_segment seg[5];
			u32 len, writable = 0;
			void *token;

			for (unsigned i = 0; i < nout + nin; i++) {
				seg[i] = (struct vq_segment){0x1000 * (i + 1), 16 + i};
				writable += i >= nout ? 16 + i : 0;
			}
			if (next_token < 100000 && (random_u64() & 3)) {
				int err = vq_add(vq, seg, nout, nin, (void *)(uintptr_t)next_token);

				assert_true(!err || err == -ENOSPC);
				if (!err) {
					u32 w;

					assert_false(busy[next_token % 4096]);
					busy[next_token % 4096] = true;
					next_token++;
					outstanding++;
					device_fetch(&d);
					assert_int_equal(device_walk(&d, d.held[d.nheld - 1], &w),
							 nout + nin);
					assert_int_equal(w, writable);
				}
			}
			if (d.nheld && (next_token >= 100000 || (random_u64() & 1)))
				device_complete(&d, 0);
			while ((token = vq_get(vq, &len))) {
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

static void test_written_length(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 100}, {0x2000, 200}, {0x3000, 300}};
	struct device d;
	struct virtqueue *vq = make(&d, false, true);
	u32 len;

	assert_int_equal(vq_add(vq, seg, 1, 2, &d), 0);
	device_fetch(&d);
	device_complete(&d, 500);
	assert_ptr_equal(vq_get(vq, &len), &d);
	assert_int_equal(len, 500);
	vq_destroy(vq);
}

static void test_full(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 1}, {0x2000, 1}, {0x3000, 1}};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	for (int i = 0; i < SIZE / 3; i++)
		assert_int_equal(vq_add(vq, seg, 3, 0, &d), 0);
	assert_int_equal(vq_add(vq, seg, 3, 0, &d), -ENOSPC);
	assert_int_equal(vq_add(vq, seg, 1, 0, &d), 0);
	assert_int_equal(vq_add(vq, seg, 1, 0, &d), -ENOSPC);
	vq_destroy(vq);
}

/* Without memory for an indirect table the chain takes ring descriptors. */
static void test_no_memory(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 1}, {0x2000, 1}, {0x3000, 1}};
	struct device d;
	struct virtqueue *vq = make(&d, false, true);
	u64 live;
	u32 w;

	host_alloc_fail_after(0);
	assert_int_equal(vq_add(vq, seg, 3, 0, &d), 0);
	device_fetch(&d);
	assert_int_equal(device_walk(&d, d.held[0], &w), 3);
	assert_int_equal(vq->free_count, SIZE - 3);
	host_alloc_fail_never();
	vq_destroy(vq);

	live = host_heap_live();
	for (u64 n = 0; n < 3; n++) {
		host_alloc_fail_after(n);
		assert_null(vq_create(0, SIZE, BIT(VIRTIO_RING_F_EVENT_IDX)));
		assert_true(host_heap_live() == live);
	}
}

static void test_notify_flag(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vq_kick(vq);
	assert_int_equal(notified, 0); /* nothing new */
	vq_add(vq, &seg, 1, 0, &d);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	d.used->flags = VRING_USED_F_NO_NOTIFY;
	vq_add(vq, &seg, 1, 0, &d);
	vq_kick(vq);
	assert_int_equal(notified, 1);
	vq_disable(vq);
	assert_int_equal(d.avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
	assert_true(vq_enable(vq));
	assert_int_equal(d.avail->flags, 0);
	vq_destroy(vq);
}

static u16 *device_used_event(struct device *d)
{
	return &d->avail->ring[SIZE];
}

static u16 *device_avail_event(struct device *d)
{
	return (u16 *)&d->used->ring[SIZE];
}

static void test_event_idx(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct device d;
	struct virtqueue *vq = make(&d, true, false);

	*device_avail_event(&d) = 1; /* tell me about the second */
	vq_add(vq, &seg, 1, 0, &d);
	vq_kick(vq);
	assert_int_equal(notified, 0);
	vq_add(vq, &seg, 1, 0, &d);
	vq_kick(vq);
	assert_int_equal(notified, 1);

	/* Interrupts: at the next used entry, after each that was taken. */
	assert_int_equal(*device_used_event(&d), 0);
	device_fetch(&d);
	device_complete(&d, 0);
	assert_non_null(vq_get(vq, NULL));
	assert_int_equal(*device_used_event(&d), 1);
	vq_disable(vq);
	assert_false(vring_need_event(*device_used_event(&d), 2, 1));
	/* Something came while they were off: enable says so. */
	device_complete(&d, 0);
	assert_false(vq_enable(vq));
	assert_non_null(vq_get(vq, NULL));
	assert_true(vq_enable(vq));
	assert_int_equal(*device_used_event(&d), 2);

	/* Delayed: only after three quarters of what is outstanding. */
	for (int i = 0; i < 8; i++)
		vq_add(vq, &seg, 1, 0, &d);
	assert_true(vq_enable_delayed(vq));
	assert_int_equal(*device_used_event(&d), 2 + 6);
	vq_destroy(vq);
}

static void test_no_notify_before_ready(void **state)
{
	struct vq_segment seg = {0x1000, 1};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vdev.ready = false;
	vq_add(vq, &seg, 1, 0, &d);
	vq_kick(vq);
	assert_int_equal(notified, 0);
	vdev.ready = true;
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

static void test_hostile_id(void **state)
{
	struct vq_segment seg = {0x1000, 64};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vq_add(vq, &seg, 0, 1, &d);
	device_use_raw(&d, SIZE, 0);
	expect_broken(vq);

	vq = make(&d, true, true);
	vq_add(vq, &seg, 0, 1, &d);
	device_use_raw(&d, 0xffffffff, 0);
	expect_broken(vq);
}

static void test_hostile_not_given(void **state)
{
	struct vq_segment seg[2] = {{0x1000, 64}, {0x2000, 64}};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vq_add(vq, seg, 1, 1, &d);
	device_use_raw(&d, 1, 0); /* the middle of a chain */
	expect_broken(vq);

	vq = make(&d, false, false);
	vq_add(vq, seg, 1, 1, &d);
	device_use_raw(&d, 0, 0);
	device_use_raw(&d, 0, 0); /* twice */
	assert_non_null(vq_get(vq, NULL));
	expect_broken(vq);
}

static void test_hostile_length(void **state)
{
	struct vq_segment seg[2] = {{0x1000, 64}, {0x2000, 64}};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vq_add(vq, seg, 1, 1, &d);
	device_use_raw(&d, 0, 65); /* more than the writable half */
	expect_broken(vq);
}

/* The device scribbles over the descriptors: the chain that we free is the one we made. */
static void test_hostile_descriptors(void **state)
{
	struct vq_segment seg[3] = {{0x1000, 64}, {0x2000, 64}, {0x3000, 64}};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);

	vq_add(vq, seg, 3, 0, &d);
	for (int i = 0; i < SIZE; i++)
		d.desc[i] = (struct vring_desc){.next = 0xfff0, .flags = VRING_DESC_F_NEXT};
	device_use_raw(&d, 0, 0);
	assert_non_null(vq_get(vq, NULL));
	assert_int_equal(vq->free_count, SIZE);
	for (int i = 0; i < SIZE; i++)
		assert_int_equal(vq_add(vq, seg, 1, 0, &d), 0);
	vq_destroy(vq);
}

static void test_detach(void **state)
{
	struct vq_segment seg[2] = {{0x1000, 64}, {0x2000, 64}};
	struct device d;
	struct virtqueue *vq = make(&d, false, false);
	unsigned n = 0;

	for (int i = 0; i < 5; i++)
		vq_add(vq, seg, 1, 1, &d);
	while (vq_detach(vq))
		n++;
	assert_int_equal(n, 5);
	assert_int_equal(vq->free_count, SIZE);
	vq_destroy(vq);
}

UNIT_TESTS(test_random_order, test_written_length, test_full, test_no_memory, test_notify_flag,
	   test_event_idx, test_no_notify_before_ready, test_hostile_id, test_hostile_not_given,
	   test_hostile_length, test_hostile_descriptors, test_detach)
