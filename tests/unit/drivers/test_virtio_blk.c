// SPDX-License-Identifier: BSD-2-Clause
/* The virtio core and the block driver against a simulated disk: negotiation, random requests that complete
 * in any order, a full ring, errors, limits, capacity changes, lack of memory, and a device that breaks its
 * queue. */
// sources: kernel/drivers/virtio/blk.c kernel/drivers/block.c
// sources: kernel/drivers/virtio/device.c kernel/drivers/virtio/queue*.c
// sources: tests/unit/host/virtio_sim.c
#include "unit.h"

#include "base/err.h"
#include "kernel/blockdev.h"
#include "kernel/kthread.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/wait.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/virtio_blk.h>

#define DISK_SECTORS 2048u

static u8 disk[DISK_SECTORS * 512];
static struct sim_device *sim;
static bool hold; /* keep requests instead of completing them */
static struct sim_chain held[256];
static unsigned nheld, flushes;
static u8 status_to_give;

void random_add_interrupt(u32 source)
{
}

static void complete(const struct sim_chain *c)
{
	struct virtio_blk_outhdr h;
	u8 *status = c->in[c->nin - 1].p, *at;
	u32 written = 1;

	assert_int_equal(sim_read(c, &h, sizeof h), sizeof h);
	assert_int_equal(c->out[0].len, sizeof h);
	assert_int_equal(c->in[c->nin - 1].len, 1);
	at = disk + h.sector * 512;
	switch (h.type) {
	case VIRTIO_BLK_T_IN:
		for (unsigned i = 0; i + 1 < c->nin; i++) {
			assert_true(at + c->in[i].len <= disk + sizeof disk);
			memcpy(c->in[i].p, at, c->in[i].len);
			at += c->in[i].len;
			written += c->in[i].len;
		}
		break;
	case VIRTIO_BLK_T_OUT:
		for (unsigned i = 1; i < c->nout; i++) {
			assert_true(at + c->out[i].len <= disk + sizeof disk);
			memcpy(at, c->out[i].p, c->out[i].len);
			at += c->out[i].len;
		}
		break;
	case VIRTIO_BLK_T_DISCARD: {
		struct virtio_blk_discard_write_zeroes r;

		assert_int_equal(c->out[1].len, sizeof r);
		memcpy(&r, c->out[1].p, sizeof r);
		memset(disk + r.sector * 512, 0, r.num_sectors * 512);
		break;
	}
	case VIRTIO_BLK_T_FLUSH:
		assert_int_equal(h.sector, 0);
		flushes++;
		break;
	case VIRTIO_BLK_T_GET_ID:
		memcpy(c->in[0].p, "serial-of-20-bytes!!", 20);
		break;
	}
	*status = status_to_give;
	sim_push(sim, 0, c->head, written);
}

static void notified(struct sim_device *s, unsigned q)
{
	struct sim_chain c;

	while (sim_pop(s, q, &c)) {
		if (hold) {
			held[nheld++] = c;
			continue;
		}
		complete(&c);
	}
	/* The serial number is asked for with nobody to take an interrupt but us. */
	if (!hold)
		sim_interrupt(s, q);
}

static struct block_device *add_disk(u64 features)
{
	struct block_device *bd, *last = NULL;
	struct virtio_blk_config *config;

	sim = calloc(1, sizeof *sim);
	sim_init(sim, VIRTIO_ID_BLOCK, features, 1, sizeof *config);
	config = (struct virtio_blk_config *)sim->config;
	config->capacity = DISK_SECTORS;
	config->seg_max = 20;
	config->size_max = 8192;
	config->blk_size = 512;
	config->max_discard_sectors = 64;
	sim->notified = notified;
	hold = false;
	nheld = status_to_give = 0;
	virtio_device_add(&sim->dev);
	for (bd = block_next(NULL); bd; bd = block_next(bd))
		last = bd;
	return last;
}

static int result;
static unsigned finished;
static void done(struct block_request *r, int err)
{
	result = err;
	finished++;
	*(int *)r->priv = err;
}

static void test_setup(void **state)
{
	struct block_device *bd;

	assert_int_equal(host_run_initcalls(INIT_DEVICE), 0);
	bd = add_disk(BIT(VIRTIO_BLK_F_RO));
	assert_string_equal(bd->name, "vda");
	assert_string_equal(bd->serial, "serial-of-20-bytes!!");
	assert_true(bd->read_only);
	assert_int_equal(bd->sectors, DISK_SECTORS);
	assert_int_equal(block_write(bd, 0, disk, 512), -EROFS);
	assert_true(sim->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void test_refused(void **state)
{
	struct block_device *before = block_next(NULL);

	while (before && block_next(before))
		before = block_next(before);
	/* Legacy only; features refused; no queue: each ends FAILED and registers nothing. */
	for (int i = 0; i < 3; i++) {
		struct sim_device *s = calloc(1, sizeof *s);

		sim_init(s, VIRTIO_ID_BLOCK, 0, i == 2 ? 0 : 1, 64);
		if (i == 0)
			s->features &= ~BIT(VIRTIO_F_VERSION_1);
		s->refuse_features = i == 1;
		virtio_device_add(&s->dev);
		assert_true(s->status & VIRTIO_CONFIG_S_FAILED);
		assert_null(block_next(before));
	}
}

static void test_no_memory(void **state)
{
	u64 live;

	for (u64 n = 0; n < 5; n++) {
		struct sim_device *s = calloc(1, sizeof *s);

		sim_init(s, VIRTIO_ID_BLOCK, 0, 1, 64);
		live = host_heap_live();
		host_alloc_fail_after(n);
		virtio_device_add(&s->dev);
		host_alloc_fail_never();
		assert_true(s->status & VIRTIO_CONFIG_S_FAILED);
		assert_true(host_heap_live() == live);
	}
}

/* Random requests against a copy, completed in random order. */
static void test_random_requests(void **state)
{
	u8 *shadow = malloc(sizeof disk), *mem = page_to_virt(page_alloc(8, 0));
	struct block_device *bd = add_disk(BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_SIZE_MAX));

	for (unsigned i = 0; i < sizeof disk; i++)
		disk[i] = shadow[i] = (u8)(i * 13 ^ i >> 9);
	assert_int_equal(bd->max_segs, 20);
	for (int round = 0; round < 500; round++) {
		struct block_request r[16];
		struct block_segment segs[16][20];
		int err[16];
		unsigned n = 1 + (unsigned)(random_u64() % 16);

		hold = true;
		finished = 0;
		for (unsigned i = 0; i < n; i++) {
			u64 sector = i * (DISK_SECTORS / 16) + random_u64() % 8; /* no two overlap */
			unsigned nsegs = 1 + (unsigned)(random_u64() % 5);
			u8 *at = mem + i * 65536;

			r[i] = (struct block_request){.op = random_u64() & 1 ? BLOCK_READ : BLOCK_WRITE,
						      .sector = sector,
						      .nsegs = nsegs,
						      .segs = segs[i],
						      .done = done,
						      .priv = &err[i]};
			err[i] = 1;
			for (unsigned k = 0; k < nsegs; k++) {
				u32 len = 512 * (1 + (u32)(random_u64() % 20)); /* beyond size_max: split */

				segs[i][k] = (struct block_segment){virt_to_phys(at), len};
				for (u32 b = 0; b < len; b++)
					at[b] = (u8)random_u64();
				if (r[i].op == BLOCK_WRITE)
					memcpy(shadow + sector * 512, at, len);
				sector += len / 512;
				at += len;
			}
			assert_int_equal(block_submit(bd, &r[i]), 0);
		}
		while (nheld) {
			unsigned at = (unsigned)(random_u64() % nheld);

			complete(&held[at]);
			held[at] = held[--nheld];
			if (random_u64() & 1)
				sim_interrupt(sim, 0);
		}
		sim_interrupt(sim, 0);
		assert_int_equal(finished, n);
		for (unsigned i = 0; i < n; i++) {
			u8 *at = mem + i * 65536, *want = shadow + r[i].sector * 512;

			assert_int_equal(err[i], 0);
			for (unsigned k = 0; k < r[i].nsegs; k++) {
				assert_memory_equal(at, want, segs[i][k].len);
				at += segs[i][k].len;
				want += segs[i][k].len;
			}
		}
	}
	assert_memory_equal(disk, shadow, sizeof disk);
	free(shadow);
}

/* More requests than the ring has room for: all are taken, all complete. */
static void test_ring_full(void **state)
{
	static struct block_request r[400];
	static int err[400];
	u8 *mem = page_to_virt(page_alloc(0, 0));
	struct block_segment seg = {virt_to_phys(mem), 512};
	struct block_device *bd = add_disk(0);

	hold = true;
	finished = 0;
	for (int i = 0; i < 400; i++) {
		r[i] = (struct block_request){.op = BLOCK_READ,
					      .sector = (u64)i,
					      .nsegs = 1,
					      .segs = &seg,
					      .done = done,
					      .priv = &err[i]};
		assert_int_equal(block_submit(bd, &r[i]), 0);
	}
	assert_true(nheld < 400);
	while (nheld) {
		unsigned n = nheld;

		nheld = 0;
		for (unsigned i = 0; i < n; i++)
			complete(&held[i]);
		sim_interrupt(sim, 0); /* starts those that wait, which notifies and holds again */
	}
	assert_int_equal(finished, 400);
}

static void test_operations(void **state)
{
	struct block_device *bd = add_disk(BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD));
	struct block_segment seg = {0, 4096};
	int err = 1;
	struct block_request r = {.op = BLOCK_FLUSH, .done = done, .priv = &err};

	flushes = 0;
	assert_int_equal(block_submit(bd, &r), 0);
	assert_int_equal(err, 0);
	assert_int_equal(flushes, 1);

	memset(disk + 1024, 0xee, 8192);
	r = (struct block_request){
		.op = BLOCK_DISCARD, .sector = 2, .nsegs = 1, .segs = &seg, .done = done, .priv = &err};
	assert_int_equal(block_submit(bd, &r), 0);
	assert_int_equal(disk[1024] | disk[1024 + 4095], 0);
	assert_int_equal(disk[1024 + 4096], 0xee);
	seg.len = 65 * 512;
	assert_int_equal(block_submit(bd, &r), -EINVAL); /* above the device's limit */

	/* Without the features: a flush is nothing, a discard is refused. */
	bd = add_disk(0);
	flushes = 0;
	err = 1;
	r = (struct block_request){.op = BLOCK_FLUSH, .done = done, .priv = &err};
	assert_int_equal(block_submit(bd, &r), 0);
	assert_int_equal(err | (int)flushes, 0);
	seg.len = 4096;
	r = (struct block_request){
		.op = BLOCK_DISCARD, .sector = 2, .nsegs = 1, .segs = &seg, .done = done, .priv = &err};
	assert_int_equal(block_submit(bd, &r), -EOPNOTSUPP);
}

static void test_bad_requests(void **state)
{
	struct block_device *bd = add_disk(BIT(VIRTIO_BLK_F_SEG_MAX));
	struct block_segment segs[21];
	int err;
	struct block_request r = {.op = BLOCK_READ,
				  .nsegs = 1,
				  .segs = segs,
				  .sector = DISK_SECTORS,
				  .done = done,
				  .priv = &err};
	u8 buf[512];

	for (int i = 0; i < 21; i++)
		segs[i] = (struct block_segment){0x1000, 512};
	assert_int_equal(block_submit(bd, &r), -EIO);
	r.sector = ~0ull;
	assert_int_equal(block_submit(bd, &r), -EIO);
	r.sector = 0;
	r.nsegs = 21;
	assert_int_equal(block_submit(bd, &r), -EINVAL);
	r.nsegs = 0;
	assert_int_equal(block_submit(bd, &r), -EINVAL);
	r.nsegs = 1;
	segs[0].len = 100;
	assert_int_equal(block_submit(bd, &r), -EINVAL);

	status_to_give = VIRTIO_BLK_S_IOERR;
	assert_int_equal(block_read(bd, 0, buf, 512), -EIO);
	status_to_give = 77;
	assert_int_equal(block_read(bd, 0, buf, 512), -EIO);
}

static void test_capacity_change(void **state)
{
	struct block_device *bd = add_disk(0);

	((struct virtio_blk_config *)sim->config)->capacity = 100;
	virtio_config_interrupt(&sim->dev);
	while (__atomic_load_n(&bd->sectors, __ATOMIC_ACQUIRE) != 100) /* the work item does it */
		cpu_relax();
}

/* A used entry for a request that was never made: the device is stopped, and all that was under way fails. */
static void test_broken(void **state)
{
	struct block_device *bd = add_disk(0);
	struct block_segment seg = {virt_to_phys(page_to_virt(page_alloc(0, 0))), 512};
	struct block_request r[3];
	int err[3] = {1, 1, 1};

	hold = true;
	finished = 0;
	for (int i = 0; i < 3; i++) {
		r[i] = (struct block_request){.op = BLOCK_READ,
					      .sector = (u64)i,
					      .nsegs = 1,
					      .segs = &seg,
					      .done = done,
					      .priv = &err[i]};
		assert_int_equal(block_submit(bd, &r[i]), 0);
	}
	sim_push(sim, 0, 77, 0);
	sim_interrupt(sim, 0);
	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) != 3)
		cpu_relax();
	for (int i = 0; i < 3; i++)
		assert_int_equal(err[i], -EIO);
	assert_int_equal(sim->status & VIRTIO_CONFIG_S_DRIVER_OK, 0);
	assert_int_equal(block_submit(bd, &r[0]), -EIO);
}

UNIT_TESTS(test_setup, test_refused, test_no_memory, test_random_requests, test_ring_full, test_operations,
	   test_bad_requests, test_capacity_change, test_broken)
