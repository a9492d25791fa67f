// SPDX-License-Identifier: BSD-2-Clause
/* The synchronous block helpers against a device in memory that completes on another thread. */
// sources: kernel/drivers/block.c
#include "unit.h"

#include "base/err.h"
#include "kernel/blockdev.h"
#include "kernel/kthread.h"
#include "kernel/page.h"
#include "kernel/thread.h"
#include "kernel/wait.h"

#define DISK_BYTES (4u << 20)

static u8 *disk;
static int fail_with;
static bool refuse;
static unsigned requests, largest;
static struct block_request *todo;
static DEFINE_WAITQ(todo_wait);

static struct block_device bd;

static void device_thread(void *arg)
{
	for (;;) {
		struct block_request *r;
		u8 *at;

		wait_event(&todo_wait, (r = __atomic_exchange_n(&todo, NULL, __ATOMIC_ACQ_REL)));
		at = disk + r->sector * 512;
		for (unsigned i = 0; i < r->nsegs && !fail_with; i++) {
			u8 *mem = phys_to_virt(r->segs[i].phys);

			if (r->op == BLOCK_READ)
				memcpy(mem, at, r->segs[i].len);
			else
				memcpy(at, mem, r->segs[i].len);
			at += r->segs[i].len;
		}
		block_done(&bd, r, fail_with);
	}
}

static int submit(struct block_device *bd, struct block_request *r)
{
	unsigned bytes = 0;

	if (refuse)
		return -EROFS;
	for (unsigned i = 0; i < r->nsegs; i++)
		bytes += r->segs[i].len;
	assert_true(r->nsegs <= bd->max_segs);
	assert_int_equal(bytes % bd->sector_size, 0);
	assert_int_equal(r->sector * 512 % bd->sector_size, 0);
	requests++;
	largest = max(largest, bytes);
	__atomic_store_n(&todo, r, __ATOMIC_RELEASE);
	waitq_wake_all(&todo_wait);
	return 0;
}

static const struct block_device_ops ops = {.submit = submit};
static struct block_device bd = {.sectors = DISK_BYTES / 512, .sector_size = 512, .max_segs = 2, .ops = &ops};

static void test_names(void **state)
{
	static struct block_device many[800];

	disk = malloc(DISK_BYTES);
	for (unsigned i = 0; i < DISK_BYTES; i++)
		disk[i] = (u8)(i ^ i >> 8 ^ i >> 16);
	(void)kthread_start(device_thread, NULL, "disk");
	block_register(&bd);
	assert_string_equal(bd.name, "vda");
	for (int i = 0; i < 800; i++)
		block_register(&many[i]);
	assert_string_equal(many[24].name, "vdz");
	assert_string_equal(many[25].name, "vdaa");
	assert_string_equal(many[26 + 25].name, "vdba");
	assert_string_equal(many[26 * 27 - 1].name, "vdaaa");
	assert_ptr_equal(block_find("vdba"), &many[51]);
	assert_null(block_find("vdzzz"));
	assert_ptr_equal(block_next(NULL), &bd);
}

static void test_read_anywhere(void **state)
{
	u8 *buf = malloc(DISK_BYTES);

	for (unsigned unit = 512; unit <= 4096; unit *= 8) {
		bd.sector_size = unit;
		for (int i = 0; i < 300; i++) {
			u64 off = (u64)rand() % DISK_BYTES,
			    len = (u64)rand() % min((u64)70000, DISK_BYTES - off);

			memset(buf, 0, len);
			assert_int_equal(block_read(&bd, off, buf, len), 0);
			assert_memory_equal(buf, disk + off, len);
		}
	}
	bd.sector_size = 512;
	requests = largest = 0;
	assert_int_equal(block_read(&bd, 0, buf, DISK_BYTES), 0);
	assert_memory_equal(buf, disk, DISK_BYTES);
	assert_int_equal(largest, 2u << 20); /* two segments of 1 MiB */
	assert_int_equal(requests, 2);
	free(buf);
}

static void test_write(void **state)
{
	u8 *buf = malloc(8192);

	memset(buf, 0x77, 8192);
	assert_int_equal(block_write(&bd, 1024, buf, 8192), 0);
	assert_memory_equal(disk + 1024, buf, 8192);
	assert_int_equal(block_write(&bd, 1025, buf, 512), -EINVAL);
	assert_int_equal(block_write(&bd, 1024, buf, 100), -EINVAL);
	free(buf);
}

static void test_statistics(void **state)
{
	u64 before[BLOCK_STAT_FIELDS], after[BLOCK_STAT_FIELDS], bytes = current->used.n[USAGE_READ_BYTES];
	u8 *buf = malloc(DISK_BYTES);
	struct block_request refused = {.op = BLOCK_WRITE};

	block_stat(&bd, before);
	assert_int_equal(block_read(&bd, 0, buf, DISK_BYTES), 0);
	assert_int_equal(block_write(&bd, 0, buf, 512), 0);
	refuse = true;
	assert_int_equal(block_submit(&bd, &refused), -EROFS);
	refuse = false;
	block_stat(&bd, after);
	assert_int_equal(after[0] - before[0], 2);
	assert_int_equal(after[2] - before[2], DISK_BYTES / 512);
	assert_int_equal(after[4] - before[4], 1);
	assert_int_equal(after[6] - before[6], 1);
	assert_int_equal(after[8], 0);
	assert_int_equal(current->used.n[USAGE_READ_BYTES] - bytes, DISK_BYTES);
	free(buf);
}

static void test_errors(void **state)
{
	u8 buf[1024];

	assert_int_equal(block_read(&bd, DISK_BYTES - 512, buf, 1024), -EIO);
	assert_int_equal(block_read(&bd, ~0ull, buf, 1024), -EIO);
	assert_int_equal(block_read(&bd, DISK_BYTES, buf, 0), 0);
	fail_with = -EIO;
	assert_int_equal(block_read(&bd, 0, buf, 1024), -EIO);
	fail_with = 0;
	host_alloc_fail_after(0);
	assert_int_equal(block_read(&bd, 1, buf, 100), -ENOMEM);
	host_alloc_fail_never();
}

UNIT_TESTS(test_names, test_read_anywhere, test_write, test_statistics, test_errors)
