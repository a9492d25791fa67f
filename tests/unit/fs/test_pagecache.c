// SPDX-License-Identifier: BSD-2-Clause
/* The page cache on its own, over a device that answers late: one read for many waiters, read-ahead, errors
 * that are not kept, reclaim with its second chance, truncation, faults beyond the end, and readers racing
 * with reclaim and truncation. */
// sources: fs/vfs/*.c fs/tmpfs/*.c kernel/drivers/block.c kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <linux/fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "fs/vfs/pagecache_internal.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

static struct inode *inode;
static struct page_cache cache;
static struct super *super;
static struct file *file;
static struct fs_type type = {.name = "test"};

/* The device: page N holds the byte N everywhere. Pages wait on a list while HELD. */
static _Atomic bool held, failing;
static struct page *pending[256];
static _Atomic unsigned npending, reads, pages_read;

static void finish(struct page *p, int err)
{
	memset(page_to_virt(p), (int)p->index, PAGE_SIZE);
	pagecache_page_done(p, err);
}

static int read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n)
{
	reads++;
	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(pages[k]->index, index + k);
		pages_read++;
		if (held)
			pending[npending++] = pages[k];
		else
			finish(pages[k], failing ? -EIO : 0);
	}
	return 0;
}

static void release_all(void)
{
	while (npending)
		finish(pending[--npending], failing ? -EIO : 0);
}

static const struct page_cache_ops ops = {.read_pages = read_pages};

static void begin(u64 size)
{
	fs_host_start("tmpfs", "tmpfs");
	super = super_create(&type, NULL, 1, 4096);
	inode = inode_alloc(super);
	inode->size = size;
	pagecache_init(&cache, inode, &ops);
	inode->cache = &cache;
	file = file_create_anon("test", NULL, NULL, O_RDWR);
	file->inode = inode;
	held = failing = false;
	reads = pages_read = 0;
}

static void end(void)
{
	pagecache_destroy(&cache);
	assert_int_equal(pagecache_total(), pagecache_shmem_total());
	inode->cache = NULL;
	file_put(file);
	super_put(super);
	host_rcu_quiesce();
}

static void test_read(void **state)
{
	static u8 buf[100000];
	struct iter it;
	u64 pos = 5000;

	begin(300000);
	iter_init_kernel(&it, buf, sizeof buf);
	assert_int_equal(pagecache_file_read(file, &it, &pos), sizeof buf);
	for (unsigned k = 0; k < sizeof buf; k++)
		assert_int_equal(buf[k], (5000 + k) / 4096);
	assert_int_equal(pos, 105000);
	/* Of the last page only what belongs to the file. */
	pos = 299000;
	iter_init_kernel(&it, buf, sizeof buf);
	assert_int_equal(pagecache_file_read(file, &it, &pos), 1000);
	iter_init_kernel(&it, buf, sizeof buf);
	assert_int_equal(pagecache_file_read(file, &it, &pos), 0);
	end();
}

static void test_readahead(void **state)
{
	u8 buf[4096];
	struct iter it;
	u64 pos = 0;

	begin(4096 * 1000);
	while (pos < inode->size) {
		iter_init_kernel(&it, buf, sizeof buf);
		assert_int_equal(pagecache_file_read(file, &it, &pos), sizeof buf);
	}
	assert_int_equal(pages_read, 1000);
	assert_true(reads < 60);
	end();
	/* Random reads get what they ask for. */
	begin(4096 * 1000);
	file->ra_next = ~0ull;
	for (int k = 1; k < 50; k++) {
		pos = (u64)(k * 7919 % 997) * 4096;
		iter_init_kernel(&it, buf, sizeof buf);
		pagecache_file_read(file, &it, &pos);
	}
	assert_int_equal(pages_read, 49);
	end();
}

static _Atomic int got;

static void reader(void *arg)
{
	struct page *p = pagecache_get(&cache, (u64)(uintptr_t)arg);

	if (!IS_ERR(p)) {
		assert_int_equal(*(u8 *)page_to_virt(p), (u8)(uintptr_t)arg);
		page_put(p);
		got++;
	} else {
		assert_int_equal(PTR_ERR(p), -EIO);
		got += 100;
	}
}

static void test_waiters(void **state)
{
	struct thread *t[4];

	begin(4096 * 10);
	held = true;
	got = 0;
	for (int k = 0; k < 4; k++) {
		t[k] = host_thread_start(reader, (void *)3);
		assert_true(host_thread_wait_asleep(t[k]));
	}
	assert_int_equal(reads, 1);
	assert_null(pagecache_peek(&cache, 3)); /* not yet */
	release_all();
	for (int k = 0; k < 4; k++)
		host_thread_join(t[k]);
	assert_int_equal(got, 4);
	page_put(pagecache_peek(&cache, 3));
	/* An error: those who waited get it after one more try; the next one starts afresh. */
	got = 0;
	failing = true;
	held = false;
	reader((void *)5);
	assert_int_equal(got, 100);
	failing = false;
	reader((void *)5);
	assert_int_equal(got, 101);
	end();
}

static void test_reclaim(void **state)
{
	struct page *pinned, *p;

	begin(4096 * 100);
	for (u64 n = 0; n < 100; n++)
		page_put(pagecache_get(&cache, n));
	assert_int_equal(cache.npages, 100);
	/* A second use marks pages 0 to 9, a reference pins page 50. */
	for (u64 n = 0; n < 10; n++)
		page_put(pagecache_get(&cache, n));
	pinned = pagecache_get(&cache, 50);
	assert_int_equal(pagecache_reclaim(60), 60);
	for (u64 n = 0; n < 10; n++) {
		p = pagecache_peek(&cache, n);
		assert_non_null(p);
		page_put(p);
	}
	p = pagecache_peek(&cache, 50);
	assert_ptr_equal(p, pinned);
	page_put(p);
	assert_null(pagecache_peek(&cache, 20));
	assert_int_equal(pagecache_reclaim(1000), 39);
	assert_int_equal(cache.npages, 1);
	page_put(pinned);
	/* Below its lock there is nothing to be had, and no deadlock. */
	mutex_lock(&cache.lock);
	assert_int_equal(pagecache_reclaim(10), 0);
	mutex_unlock(&cache.lock);
	assert_int_equal(pagecache_reclaim(10), 1);
	/* Pages being read stay. */
	held = true;
	pagecache_readahead(&cache, 0, 10);
	assert_int_equal(pagecache_reclaim(100), 0);
	release_all();
	assert_int_equal(pagecache_reclaim(100), 10);
	end();
}

static void test_fault(void **state)
{
	struct vma vma = {.flags = VMA_READ | VMA_SHARED};
	struct vm_fault f = {.vma = &vma};

	begin(4096 * 3 + 1);
	vma.file = file;
	assert_int_equal(pagecache_file_mmap(file, &vma), 0);
	f.pgoff = 3;
	assert_int_equal(vma.ops->fault(&f), 0);
	assert_int_equal(f.page->index, 3);
	page_put(f.page);
	f.pgoff = 4;
	assert_int_equal(vma.ops->fault(&f), -EFAULT);
	f.pgoff = ~0ull >> 12;
	assert_int_equal(vma.ops->fault(&f), -EFAULT);
	failing = true;
	pagecache_truncate(&cache, 0, ~0ull);
	f.pgoff = 0;
	assert_int_equal(vma.ops->fault(&f), -EIO);
	end();
}

static void test_truncate(void **state)
{
	static const u64 cuts[][2] = {{0, 100},	  {100, 200},	  {4096, 8192},	 {4000, 4200},
				      {0, 4096},  {5000, 20000},  {8192, ~0ull}, {8193, ~0ull},
				      {0, ~0ull}, {12287, 12289}, {4095, 4096},	 {4096, 4097}};
	struct page *p;

	for (unsigned k = 0; k < ARRAY_SIZE(cuts); k++) {
		u64 start = cuts[k][0], stop = cuts[k][1];

		begin(4096 * 8);
		for (u64 n = 0; n < 8; n++) {
			p = pagecache_get(&cache, n);
			memset(page_to_virt(p), 0xee, PAGE_SIZE);
			page_put(p);
		}
		pagecache_truncate(&cache, start, stop);
		for (u64 n = 0; n < 8; n++) {
			bool whole = n * 4096 >= start && (stop == ~0ull || (n + 1) * 4096 <= stop);

			p = pagecache_peek(&cache, n);
			assert_int_equal(p == NULL, whole);
			for (u64 b = 0; p && b < 4096; b++) {
				u64 at = n * 4096 + b;

				if (((u8 *)page_to_virt(p))[b] != (at >= start && at < stop ? 0 : 0xee))
					fail_msg("cut %u: byte %lu", k, (unsigned long)at);
			}
			if (p)
				page_put(p);
		}
		end();
	}
}

/* Truncation waits for pages being read. */
static void truncater(void *arg)
{
	pagecache_truncate(&cache, 0, ~0ull);
	got = 7;
}

static void test_truncate_waits(void **state)
{
	struct thread *t;

	begin(4096 * 10);
	held = true;
	got = 0;
	pagecache_readahead(&cache, 0, 10);
	t = host_thread_start(truncater, NULL);
	assert_true(host_thread_wait_asleep(t));
	assert_int_equal(got, 0);
	release_all();
	host_thread_join(t);
	assert_int_equal(got, 7);
	assert_int_equal(cache.npages, 0);
	end();
}

/* Races: readers against reclaim, invalidation and truncation. Contents are always right; nothing leaks. */
static _Atomic bool stop;

static void racer(void *arg)
{
	u32 r = (u32)(uintptr_t)arg;

	while (!stop) {
		r = r * 1664525 + 1013904223;
		reader((void *)(uintptr_t)(r >> 16 & 63));
	}
}

static void test_races(void **state)
{
	struct thread *t[3];

	begin(4096 * 64);
	stop = false;
	for (uintptr_t k = 0; k < 3; k++)
		t[k] = host_thread_start(racer, (void *)(k + 1));
	for (int k = 0; k < 3000; k++) {
		if (k % 3 == 0)
			pagecache_reclaim(16);
		else if (k % 3 == 1)
			pagecache_invalidate(&cache, 10, 30);
		else
			pagecache_truncate(&cache, 4096 * 20, 4096 * 50);
	}
	stop = true;
	for (int k = 0; k < 3; k++)
		host_thread_join(t[k]);
	end();
}

static void test_no_memory(void **state)
{
	begin(4096 * 64);
	for (u64 n = 0; n < 30; n++) {
		u64 live = host_pages_live();
		struct page *p;

		host_alloc_fail_after(n);
		p = pagecache_get(&cache, 5);
		host_alloc_fail_never();
		assert_true(!IS_ERR(p) || PTR_ERR(p) == -ENOMEM);
		if (!IS_ERR(p))
			page_put(p);
		pagecache_truncate(&cache, 0, ~0ull);
		host_rcu_quiesce();
		assert_int_equal(host_pages_live(), live);
	}
	end();
}

/* Read-ahead that finds no memory does not fail the page that is waited for. */
static void test_no_memory_ahead(void **state)
{
	struct page *p;
	u64 need;

	begin(4096 * 64);
	for (need = 0;; need++) {
		host_alloc_fail_after(need);
		p = pagecache_get(&cache, 5);
		host_alloc_fail_never();
		pagecache_truncate(&cache, 0, ~0ull);
		if (!IS_ERR(p))
			break;
	}
	page_put(p);
	for (u64 more = 0; more < 8; more++) {
		host_rcu_quiesce();
		host_alloc_fail_after(need + more);
		p = pagecache_get_window(&cache, 5, 5, 16);
		host_alloc_fail_never();
		assert_false(IS_ERR(p));
		page_put(p);
		pagecache_truncate(&cache, 0, ~0ull);
	}
	end();
}

UNIT_TESTS(test_read, test_readahead, test_waiters, test_reclaim, test_fault, test_truncate,
	   test_truncate_waits, test_races, test_no_memory, test_no_memory_ahead)
