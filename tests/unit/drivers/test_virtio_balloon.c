// SPDX-License-Identifier: BSD-2-Clause
/* The balloon against a simulated host and a simulated page allocator: every page has one owner at any time,
 * and the host is told before a page comes back. Inflation in blocks, deflation in parts, out-of-memory
 * deflation, statistics and free page reporting. */
// sources: kernel/drivers/virtio/balloon*.c
// sources: kernel/drivers/virtio/device.c kernel/drivers/virtio/queue*.c
// sources: tests/unit/host/virtio_sim.c
#include "unit.h"

#include "base/err.h"
#include "kernel/balloon.h"
#include "kernel/balloon_pages.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/kthread.h"
#include "kernel/random.h"
#include "kernel/wait.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/virtio_balloon.h>

#define PAGES 16384u /* 64 MiB */

static struct sim_device *sim;
static struct page *base;
static _Atomic u8 owner[PAGES]; /* by page */
enum { GUEST, BALLOON, HOST, REPORTED };
static _Atomic u32 next_free, limit = PAGES; /* pages from next_free up to limit can be taken */
static u64 (*deflate)(u64 pages);
static void (*hint)(void);
static _Atomic unsigned reports, returned_pages;
static _Atomic int to_report;
static struct virtio_balloon_stat stats[16];
static struct sim_chain stats_buffer;
static unsigned nstats;
static bool held_back; /* the host does not answer */

void random_add_interrupt(u32 source)
{
}

bool boot_mem_range(unsigned index, struct boot_mem_range *out)
{
	*out = (struct boot_mem_range){.size = PAGES * PAGE_SIZE - 300000, .type = BOOT_MEM_RAM};
	return index == 0;
}

void memory_stats(struct memory_stats *out)
{
	*out = (struct memory_stats){.total = 1000, .free = 600, .reclaimable = 50, .page_cache = 100};
}

static u32 number(const struct page *p)
{
	return (u32)(p - base);
}

struct page *balloon_page_take(unsigned *order)
{
	u32 at = next_free;

	while (*order && (at % (1u << *order) || at + (1u << *order) > limit))
		(*order)--;
	if (at + (1u << *order) > limit)
		return NULL;
	next_free = at + (1u << *order);
	for (u32 i = 0; i < 1u << *order; i++)
		assert_int_equal(atomic_exchange(&owner[at + i], BALLOON), GUEST);
	return base + at;
}

void balloon_page_return(struct page *p, unsigned order)
{
	for (u32 i = 0; i < 1u << order; i++)
		assert_int_equal(atomic_exchange(&owner[number(p) + i], GUEST), BALLOON);
	returned_pages += 1u << order;
}

void balloon_register_deflate(u64 (*fn)(u64 pages))
{
	deflate = fn;
}

void balloon_register_hint(void (*fn)(void))
{
	hint = fn;
}

DEFINE_COUNTER(vm_minor_faults, "");
DEFINE_COUNTER(vm_major_faults, "");
DEFINE_COUNTER(oom_kills, "");
DEFINE_COUNTER(page_reclaim_runs, "");
DEFINE_COUNTER(pagecache_scanned, "");
DEFINE_COUNTER(pagecache_reclaimed, "");
DEFINE_COUNTER(pagecache_scanned_background, "");
DEFINE_COUNTER(pagecache_reclaimed_background, "");
DEFINE_COUNTER(hugetlb_allocs, "");
DEFINE_COUNTER(hugetlb_failures, "");

struct page *page_take_unreported(unsigned order)
{
	assert_int_equal(order, 9);
	return atomic_fetch_sub(&to_report, 1) > 0 ? base : NULL;
}

void page_return_reported(struct page *p, unsigned order)
{
	reports++;
}

void page_return_unreported(struct page *p, unsigned order)
{
	fail();
}

static void host_names(unsigned q, const struct sim_chain *c)
{
	u32 pfns[1024];
	size_t n = sim_read(c, pfns, sizeof pfns) / 4;

	assert_true(n && c->nout == 1 && !c->nin);
	for (size_t i = 0; i < n; i++) {
		struct page *p = phys_to_page((u64)pfns[i] << 12);

		assert_non_null(p);
		assert_in_range(number(p), 0, PAGES - 1);
		/* Inflation: the guest has given it up. Deflation: not back in the allocator yet. */
		if (q == 0)
			assert_int_equal(atomic_exchange(&owner[number(p)], HOST), BALLOON);
		else
			assert_int_equal(atomic_exchange(&owner[number(p)], BALLOON), HOST);
	}
}

static void notified(struct sim_device *s, unsigned q)
{
	struct sim_chain c;

	if (held_back)
		return;
	while (sim_pop(s, q, &c)) {
		switch (q) {
		case 0:
		case 1:
			host_names(q, &c);
			break;
		case 2:
			stats_buffer = c;
			nstats = (unsigned)(sim_read(&c, stats, sizeof stats) / sizeof stats[0]);
			continue; /* kept until the host wants fresh ones */
		case 3:
			for (unsigned i = 0; i < c.nin; i++)
				assert_int_equal(c.in[i].len, HUGE_SIZE);
			break;
		}
		sim_push(s, q, c.head, 0);
		sim_interrupt(s, q);
	}
}

static struct virtio_balloon_config *config(void)
{
	return (struct virtio_balloon_config *)sim->config;
}

static void set_target(u32 pages)
{
	__atomic_store_n(&config()->num_pages, pages, __ATOMIC_SEQ_CST);
	virtio_config_interrupt(&sim->dev);
}

static struct balloon_state now(void)
{
	struct balloon_state s;

	balloon_state(&s);
	return s;
}

static void wait_actual(u32 pages)
{
	wait_event(&balloon_waitq, now().actual_bytes == now().boot_bytes - pages * PAGE_SIZE);
	assert_int_equal(config()->actual, pages);
}

static unsigned count(u8 who)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		n += owner[i] == who;
	return n;
}

static void test_setup(void **state)
{
	struct page *p;

	/* A run of pages from the arena, made of its largest blocks. */
	base = page_alloc(PAGE_MAX_ORDER, 0);
	for (unsigned i = 1; i < PAGES >> PAGE_MAX_ORDER; i++) {
		p = page_alloc(PAGE_MAX_ORDER, 0);
		assert_ptr_equal(p, base + (i << PAGE_MAX_ORDER));
	}
	sim = calloc(1, sizeof *sim);
	sim_init(sim, VIRTIO_ID_BALLOON,
		 BIT(VIRTIO_BALLOON_F_STATS_VQ) | BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) |
			 BIT(VIRTIO_BALLOON_F_REPORTING) | BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST),
		 4, sizeof(struct virtio_balloon_config));
	sim->notified = notified;
	assert_false(now().present);
	assert_int_equal(host_run_initcalls(INIT_DEVICE), 0);
	virtio_device_add(&sim->dev);
	assert_true(now().present);
	assert_int_equal(now().boot_bytes, PAGES * PAGE_SIZE);
	assert_int_equal(now().target_bytes, PAGES * PAGE_SIZE);
	assert_non_null(deflate);
}

static void test_inflate_deflate(void **state)
{
	static const u32 targets[] = {1, 5000, 4999, 5003, 1, 16384, 16000, 0, 777, 0};

	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		u32 from = next_free;

		set_target(targets[i]);
		wait_actual(targets[i]);
		assert_int_equal(now().target_bytes, (PAGES - targets[i]) * PAGE_SIZE);
		assert_int_equal(count(HOST), targets[i]);
		assert_int_equal(count(BALLOON), 0);
		/* Pages came back somewhere in the middle: start over where they are free. */
		if (i && targets[i] < targets[i - 1]) {
			for (next_free = 0; next_free < PAGES && owner[next_free] != GUEST; next_free++)
				;
			if (count(GUEST) != PAGES - next_free)
				next_free = from;
		}
	}
}

/* The allocator runs short: memory comes back in the caller's context, and is not taken again at once. */
static void test_oom(void **state)
{
	struct balloon_state before;
	u64 got;

	next_free = 0;
	set_target(10000);
	wait_actual(10000);
	returned_pages = 0;
	got = deflate(10);
	assert_int_equal(got, 1024);
	assert_int_equal(returned_pages, 1024);
	assert_int_equal(count(HOST), 10000 - 1024);
	got = deflate(3000);
	assert_int_equal(got, 3000);
	before = now();
	assert_int_equal(before.actual_bytes, (PAGES - 10000 + 4024) * PAGE_SIZE);
	host_time_advance(5 * NSEC_PER_SEC);
	assert_int_equal(now().actual_bytes, before.actual_bytes);
	while (deflate(100000))
		;
	assert_int_equal(count(HOST), 0);
	/* Later it goes back to what the host wants. */
	next_free = 0;
	wait_actual(10000);
	set_target(0);
	wait_actual(0);
}

/* What cannot be had now is had when there is memory again. */
static void test_short_of_memory(void **state)
{
	next_free = 0;
	limit = 100;
	host_time_advance(20 * NSEC_PER_SEC); /* past the hold-off */
	set_target(500);
	wait_actual(100);
	limit = PAGES;
	wait_actual(500); /* this sleep moves time to the next try */
	set_target(0);
	wait_actual(0);
}

static u64 stat(u16 tag)
{
	for (unsigned i = 0; i < nstats; i++)
		if (stats[i].tag == tag)
			return stats[i].val;
	return ~0ull;
}

static void test_stats(void **state)
{
	assert_int_equal(nstats, 16);
	assert_int_equal(stat(VIRTIO_BALLOON_S_MEMFREE), 600 * PAGE_SIZE);
	assert_int_equal(stat(VIRTIO_BALLOON_S_AVAIL), 650 * PAGE_SIZE);
	assert_int_equal(stat(VIRTIO_BALLOON_S_MINFLT), 0);
	counter_add(&vm_minor_faults, 7);
	counter_add(&oom_kills, 2);
	nstats = 0;
	sim_push(sim, 2, stats_buffer.head, 0);
	sim_interrupt(sim, 2);
	while (!__atomic_load_n(&nstats, __ATOMIC_ACQUIRE))
		cpu_relax();
	assert_int_equal(stat(VIRTIO_BALLOON_S_MEMTOT), 1000 * PAGE_SIZE);
	assert_int_equal(stat(VIRTIO_BALLOON_S_MINFLT), 7);
	assert_int_equal(stat(VIRTIO_BALLOON_S_HTLB_PGFAIL + 1), 2);
}

static void test_report(void **state)
{
	/* Nothing is looked for unless the allocator says that there is something. */
	host_time_advance(20 * NSEC_PER_SEC);
	reports = 0;
	to_report = 40; /* more than one request */
	host_time_advance(20 * NSEC_PER_SEC);
	assert_int_equal(reports, 0);
	hint();
	while (reports < 40) /* the thread may take notice later than this moves time */
		host_time_advance(NSEC_PER_SEC);
	assert_true(now().reported_bytes >= 40 * HUGE_SIZE);
}

UNIT_TESTS(test_setup, test_inflate_deflate, test_oom, test_short_of_memory, test_stats, test_report)
