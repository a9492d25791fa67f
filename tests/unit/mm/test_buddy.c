// SPDX-License-Identifier: BSD-2-Clause
/* The physical allocator over memories of many sizes: blocks are aligned, disjoint and inside RAM; nothing is
 * lost; poison (DEBUG) shows writes to free pages. Each case runs mm_init() in a process of its own. */
// clang-format off
// sources: kernel/mm/section.c kernel/mm/buddy.c kernel/mm/boot_memory.c kernel/mm/page_alloc.c
// sources: kernel/mm/balloon_pages.c kernel/mm/memory_stats.c
// sources: kernel/mm/clear_ahead.c kernel/mm/slab.c kernel/mm/kmalloc.c tests/unit/mm/fake_arch.c
// clang-format on
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "arch/memory.h"
#include "kernel/alloc.h"
#include "kernel/balloon_pages.h"
#include "kernel/boot_info.h"
#include "kernel/mm/internal.h"
#include "kernel/page.h"
#include "tests/unit/mm/fake_arch.h"

/* Run FN in a child, since mm_init() works once; assertions there abort it. */
static void in_child(void (*fn)(u64), u64 arg)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fail_msg("case %llu failed (status %x)", (unsigned long long)arg, status);
}

#define CHECK(c)                                                                \
	do {                                                                    \
		if (!(c)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #c); \
			abort();                                                \
		}                                                               \
	} while (0)

static u64 free_pages(void)
{
	struct memory_stats s;

	memory_stats(&s);
	return s.free;
}

#define LIVE 4000
static struct block {
	struct page *p;
	unsigned order;
} live[LIVE];
static u8 owned[HOST_ARENA_SIZE / PAGE_SIZE]; /* the model: frames handed out */

static void take(struct block *b, unsigned order, u32 flags)
{
	u64 first;

	b->p = page_alloc(order, flags | PAGE_NORECLAIM);
	b->order = order;
	if (!b->p)
		return;
	first = (page_to_phys(b->p) - HOST_PHYS_BASE) >> PAGE_SHIFT;
	CHECK(phys_to_page(page_to_phys(b->p)) == b->p);
	CHECK(!(page_to_phys(b->p) & ((PAGE_SIZE << order) - 1)));
	for (u64 i = 0; i < 1u << order; i++) {
		CHECK(first + i < sizeof owned && !owned[first + i]);
		owned[first + i] = 1;
	}
	if (flags & PAGE_ZERO)
		for (u64 i = 0; i < PAGE_SIZE << order; i += 512)
			CHECK(!((u8 *)page_to_virt(b->p))[i]);
	memset(page_to_virt(b->p), 0x77, PAGE_SIZE << order);
}

static void give(struct block *b)
{
	u64 first = (page_to_phys(b->p) - HOST_PHYS_BASE) >> PAGE_SHIFT;

	memset(owned + first, 0, 1ul << b->order);
	page_free(b->p, b->order);
	b->p = NULL;
}

static void give_all(void)
{
	for (int i = 0; i < LIVE; i++)
		if (live[i].p)
			give(&live[i]);
}

static void random_case(u64 size)
{
	u64 before, live_pages = 0;

	fake_boot(HOST_PHYS_BASE, size);
	before = free_pages();
	CHECK(before * PAGE_SIZE > size - size / 40 - 64 * PAGE_SIZE);
	srand((unsigned)size);
	for (int step = 0; step < 20000; step++) {
		struct block *b = &live[rand() % LIVE];

		if (b->p) {
			live_pages -= 1ull << b->order;
			give(b);
		} else {
			unsigned order = rand() % 4 ? 0 : (unsigned)rand() % (PAGE_MAX_ORDER + 1);

			if (rand() % 8)
				order = min(order, 3u);
			take(b, order, (rand() % 2 ? PAGE_MOVABLE : 0) | (rand() % 9 ? 0 : PAGE_ZERO));
			if (b->p)
				live_pages += 1ull << order;
		}
		CHECK(free_pages() + live_pages == before);
	}
	give_all();
	CHECK(free_pages() == before);
}

static void test_random(void **state)
{
	static const u64 kib[] = {4096,	 5000,	 6144,	 8192,	 16384, 16388,
				  70000, 131072, 131076, 200000, 262144};

	for (unsigned i = 0; i < ARRAY_SIZE(kib); i++)
		in_child(random_case, kib[i] << 10);
}

/* Every page can be had, one by one, and all merge again into large blocks. */
static void exhaust_case(u64 size)
{
	static struct page *all[HOST_ARENA_SIZE / PAGE_SIZE];
	u64 n = 0, total, large = 0;
	struct page *p;

	fake_boot(HOST_PHYS_BASE, size);
	total = free_pages();
	while ((p = page_alloc(0, PAGE_NORECLAIM | (n & 1 ? PAGE_MOVABLE : 0))) ||
	       (p = page_alloc(0, PAGE_NORECLAIM)))
		all[n++] = p;
	CHECK(n == total && !free_pages());
	for (u64 i = 0; i < n; i++)
		page_free(all[(i * 7919) % n], 0);
	CHECK(free_pages() == total);
	page_drain_cpu(); /* what the CPU keeps keeps blocks apart */
	while ((p = page_alloc(9, PAGE_NORECLAIM | PAGE_MOVABLE)))
		all[large++] = p;
	CHECK(large >= (size >> HUGE_SHIFT) - 2);
}

static void test_exhaust(void **state)
{
	in_child(exhaust_case, MIB(8));
	in_child(exhaust_case, MIB(64));
	in_child(exhaust_case, MIB(130));
}

/* The reserve is kept from those who can reclaim. */
static void reserve_case(u64 size)
{
	fake_boot(HOST_PHYS_BASE, size);
	while (page_alloc(0, PAGE_NORETRY))
		;
	CHECK(free_pages() >= 8);
	CHECK(page_alloc(0, PAGE_NORECLAIM));
}

static void test_reserve(void **state)
{
	in_child(reserve_case, MIB(16));
}

/* A firmware map with holes, overlaps, an initrd and the kernel in the middle. */
static void map_case(u64 unused)
{
	u64 b = HOST_PHYS_BASE, freed;
	struct boot_mem_range m[] = {
		{b + MIB(4), MIB(8) + 100, BOOT_MEM_RAM, 0}, {b, KIB(636) + 10, BOOT_MEM_RAM, 0},
		{b + MIB(6), KIB(8), BOOT_MEM_RESERVED, 0},  {b + MIB(1), MIB(3), BOOT_MEM_RAM, 0},
		{b + MIB(150), MIB(20), BOOT_MEM_RAM, 0},    {b + MIB(20), 100, BOOT_MEM_RAM, 0},
	};
	struct boot_info bi = {.mem = m,
			       .nmem = ARRAY_SIZE(m),
			       .kernel_start = b + MIB(1),
			       .kernel_end = b + MIB(2) + 1,
			       .initrd_start = b + MIB(8) + 5,
			       .initrd_size = MIB(1),
			       .cmdline = ""};
	struct boot_mem_range r;
	u64 before, last = 0;
	struct page *p;

	mm_init(&bi);
	for (unsigned i = 0; i < ARRAY_SIZE(m); i++) {
		CHECK(boot_mem_range(i, &r) && r.start >= last);
		last = r.start;
	}
	CHECK(!boot_mem_range(ARRAY_SIZE(m), &r));
	CHECK(!phys_to_page(b + MIB(100)) && !phys_to_page(1ull << 45));
	before = free_pages();
	boot_free_initrd();
	freed = free_pages() - before;
	CHECK(freed == 255);
	boot_free_initrd();
	CHECK(free_pages() == before + freed);
	while ((p = page_alloc(0, PAGE_NORECLAIM))) {
		u64 at = page_to_phys(p) - b;

		CHECK(at < KIB(636) || (at >= MIB(2) + PAGE_SIZE && at < MIB(12)) ||
		      (at >= MIB(150) && at < MIB(170)));
		CHECK(at < MIB(6) || at >= MIB(6) + KIB(8));
		memset(page_to_virt(p), 1, PAGE_SIZE);
	}
	CHECK(!free_pages());
}

static void test_map(void **state)
{
	in_child(map_case, 0);
}

/* What firmware has written at the end of RAM and below the 16 MiB before it is used before memory that nobody touched, in
 * the first section and in a later one. */
static void firmware_case(u64 size)
{
	u64 b = HOST_PHYS_BASE, taken = 0, all = 2 * PAGEBLOCK_PAGES - KIB(128) / PAGE_SIZE;
	struct boot_mem_range m[] = {
		{b, size - KIB(128), BOOT_MEM_RAM, 0},
		{b + size - KIB(128), KIB(128), BOOT_MEM_RESERVED, 0},
	};
	struct boot_info bi = {.mem = m, .nmem = 2, .kernel_start = b, .kernel_end = b, .cmdline = ""};

	mm_init(&bi);
	for (u64 i = 0; i < MIB(14) / PAGE_SIZE; i++) {
		struct page *p = page_alloc(0, PAGE_NORECLAIM | PAGE_MOVABLE);
		u64 before_end;

		CHECK(p);
		before_end = b + size - page_to_phys(p);
		CHECK(before_end > KIB(128));
		taken += before_end <= HUGE_SIZE || (before_end > MIB(16) && before_end <= MIB(16) + HUGE_SIZE);
	}
	/* The map of a later section has its part for them there: 320 KiB. */
	CHECK(taken <= all && taken >= all - 96);
}

static void test_firmware(void **state)
{
	in_child(firmware_case, MIB(64));
	in_child(firmware_case, MIB(256));
}

/* Reported blocks are handed out last; the balloon takes backed pages first and gives unbacked ones back. */
static void balloon_case(u64 size)
{
	static struct page *taken[1000];
	struct memory_stats s;
	u64 before, n = 0;
	unsigned order;

	fake_boot(HOST_PHYS_BASE, size);
	before = free_pages();
	CHECK(!page_take_unreported(9)); /* nothing was ever touched: nothing is backed */
	for (int i = 0; i < 8; i++)
		taken[i] = page_alloc(9, PAGE_MOVABLE);
	for (int i = 0; i < 8; i++)
		page_free(taken[i], 9);
	for (n = 0; (taken[n] = page_take_unreported(9)); n++)
		;
	CHECK(n == 8);
	for (u64 i = 0; i < n; i++)
		page_return_reported(taken[i], 9);
	CHECK(!page_take_unreported(9));
	CHECK(free_pages() == before);
	memory_stats(&s);
	CHECK(s.unbacked >= 8 * 512);
	taken[0] = page_alloc(9, PAGE_MOVABLE);
	page_free(taken[0], 9);
	order = 9;
	taken[1] = balloon_page_take(&order);
	CHECK(taken[1] == taken[0] && order == 9 && balloon_pages() == 512);
	order = 9;
	taken[2] = balloon_page_take(&order); /* no backed one is left: smaller, or never used */
	CHECK(taken[2] && balloon_pages() == 512 + (1ull << order));
	balloon_page_return(taken[2], order);
	for (int i = 0; i < 512; i++)
		balloon_page_return(taken[1] + i, 0);
	CHECK(balloon_pages() == 0 && free_pages() == before);
}

static void test_balloon(void **state)
{
	in_child(balloon_case, MIB(64));
}

static unsigned pages_cleared;

void arch_clear_pages(void *page, size_t n)
{
	pages_cleared += n;
	memset(page, 0, n * PAGE_SIZE);
}

static unsigned clear_all_ahead(void)
{
	unsigned n = 0;

	while (page_clear_ahead())
		n++;
	return n;
}

/* Pages are cleared ahead out of what the host holds, up to a limit; they count as free, serve those who want
 * zeroed pages, and go back to who needs whole blocks or is short of memory. */
static void clear_ahead_case(u64 size)
{
	static struct page *p[2048], *many[100];
	unsigned limit, n;
	u64 free;

	fake_boot(HOST_PHYS_BASE, size);
	CHECK(!page_clear_ahead()); /* the host holds nothing that is free */
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = page_alloc(0, PAGE_MOVABLE);
		memset(page_to_virt(p[i]), 0x55, PAGE_SIZE);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(p); i += 2)
		page_free(p[i], 0);
	free = free_pages();
	limit = clear_all_ahead();
	CHECK(limit >= 4);
	CHECK(free_pages() == free && cleared_pages() == limit);

	pages_cleared = 0;
	p[0] = page_alloc(0, PAGE_MOVABLE | PAGE_ZERO);
	n = page_alloc_many(PAGE_MOVABLE | PAGE_ZERO, many, ARRAY_SIZE(many));
	CHECK(n == ARRAY_SIZE(many) && pages_cleared == n + 1 - limit && !cleared_pages());
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < PAGE_SIZE; k += 8)
			CHECK(!*(u64 *)(page_to_virt(many[i]) + k) && !*(u64 *)(page_to_virt(p[0]) + k));

	CHECK(clear_all_ahead() == limit);
	for (unsigned i = 0; i < n; i++)
		page_free(many[i], 0);
	page_free(p[0], 0);
	for (unsigned i = 1; i < ARRAY_SIZE(p); i += 2)
		page_free(p[i], 0);
	page_drain_cpu();
	for (n = 0; page_take_unreported(9); n++)
		;
	CHECK(n >= ARRAY_SIZE(p) / 512 - 1 && !cleared_pages());

	for (n = 0; (p[n] = page_alloc(0, PAGE_MOVABLE)) && n < 64;)
		n++;
	while (n)
		page_free(p[--n], 0);
	page_drain_cpu();
	CHECK(clear_all_ahead() && reclaim_caches(1) && !cleared_pages());
	while (buddy_free_pages() + offline_free_pages > page_high)
		CHECK(page_alloc(0, PAGE_MOVABLE));
	CHECK(!page_clear_ahead());
	while (buddy_free_pages() + offline_free_pages >= page_low + 64)
		CHECK(page_alloc(0, PAGE_MOVABLE));
	CHECK(!page_alloc_many(PAGE_MOVABLE, many, 64) && page_alloc(0, PAGE_MOVABLE));
}

static void test_clear_ahead(void **state)
{
	in_child(clear_ahead_case, MIB(16));
	in_child(clear_ahead_case, MIB(64));
}

UNIT_TESTS(test_random, test_exhaust, test_reserve, test_map, test_firmware, test_balloon, test_clear_ahead)
