// SPDX-License-Identifier: BSD-2-Clause
/* The buddy allocator: free blocks of 2^0 .. 2^10 pages, naturally aligned.
 *
 * Free lists are kept by kind (movable: application and page cache; unmovable: kernel) and by whether the
 * host holds memory for the block. A 2 MiB block belongs to one kind, so that kernel memory does not break up
 * what could become huge pages or go back to the host. Allocation prefers backed blocks: own kind, then whole
 * 2 MiB blocks of the other kind; then unbacked ones; then memory never used so far (a chunk is brought
 * online); then fragments of the other kind. Invariants: (1) a free block is on exactly one list and only its
 * first page has PAGE_BUDDY, with `order`; (2) two free buddies of one order do not both exist below the top
 * order; (3) free_pages is the sum over the lists. */
#include "base/bits.h"
#include "kernel/log.h"
#include "internal.h"

struct spinlock buddy_lock;

static struct {
	struct list_head list[MIGRATE_TYPES][2][PAGE_MAX_ORDER + 1]; /* [kind][unbacked][order] */
	u32 nonempty[MIGRATE_TYPES][2];				     /* bit per order */
	u32 blocks[MIGRATE_TYPES][PAGE_MAX_ORDER + 1];		     /* on the lists, backed or not */
	u64 free_pages[2];					     /* [unbacked] */
} buddy;							     /* guarded by buddy_lock */

void buddy_init(void)
{
	spin_init(&buddy_lock);
	for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
		for (int o = 0; o <= PAGE_MAX_ORDER; o++) {
			list_init(&buddy.list[mt][0][o]);
			list_init(&buddy.list[mt][1][o]);
		}
	}
}

static enum migrate block_kind(const struct page *p)
{
	const struct mem_section *s = page_section(p);

	return s->unmovable >> (page_index_in(s, p) / PAGEBLOCK_PAGES) & 1 ? MIGRATE_UNMOVABLE
									   : MIGRATE_MOVABLE;
}

static void set_block_kind(const struct page *p, unsigned order, enum migrate mt)
{
	struct mem_section *s = page_section(p);
	u64 bits = order > PAGEBLOCK_ORDER ? 3 : 1;

	bits <<= page_index_in(s, p) / PAGEBLOCK_PAGES;
	s->unmovable = mt == MIGRATE_UNMOVABLE ? s->unmovable | bits : s->unmovable & ~bits;
}

static void link_block(struct page *p, unsigned order, bool unbacked)
{
	enum migrate mt = block_kind(p);

	p->flags = PAGE_BUDDY | (unbacked ? PAGE_UNBACKED : 0);
	p->order = (u8)order;
	list_add(&p->lru, &buddy.list[mt][unbacked][order]);
	buddy.nonempty[mt][unbacked] |= 1u << order;
	buddy.blocks[mt][order]++;
	buddy.free_pages[unbacked] += 1u << order;
}

/* Take block P off its list. Its kind must not have changed since it was linked. Returns whether it was
 * unbacked. */
static bool unlink_block(struct page *p)
{
	bool unbacked = p->flags & PAGE_UNBACKED;
	enum migrate mt = block_kind(p);
	struct list_head *list = &buddy.list[mt][unbacked][p->order];

	ASSERT(p->flags & PAGE_BUDDY);
	ASSERT(p->lru.next->prev == &p->lru && p->lru.prev->next == &p->lru);
	list_del(&p->lru);
	if (list_empty(list))
		buddy.nonempty[mt][unbacked] &= ~(1u << p->order);
	buddy.blocks[mt][p->order]--;
	buddy.free_pages[unbacked] -= 1u << p->order;
	p->flags = 0;
	return unbacked;
}

/* Split P, which is off the lists, from order FROM down to TO; the upper halves become free. */
static void split_block(struct page *p, unsigned from, unsigned to, bool unbacked)
{
	while (from > to) {
		from--;
		link_block(p + (1u << from), from, unbacked);
	}
}

static struct page *take_from(enum migrate mt, bool unbacked, unsigned order)
{
	u32 orders = buddy.nonempty[mt][unbacked] & ~0u << order;
	struct page *p;
	unsigned from;

	if (!orders)
		return NULL;
	from = (unsigned)__builtin_ctz(orders);
	p = list_first_entry(&buddy.list[mt][unbacked][from], struct page, lru);
	unlink_block(p);
	split_block(p, from, order, unbacked);
	return p;
}

/* Turn a free block of at least 2 MiB of the other kind into kind MT. */
static bool convert_block(enum migrate mt, bool unbacked, unsigned order)
{
	enum migrate other = mt == MIGRATE_MOVABLE ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	unsigned want = max(order, (unsigned)PAGEBLOCK_ORDER);
	struct page *p = take_from(other, unbacked, want);

	if (!p)
		return false;
	set_block_kind(p, want, mt);
	link_block(p, want, unbacked);
	return true;
}

/* A fragment of the other kind, the largest there is; its 2 MiB block keeps its kind. */
static struct page *take_fragment(enum migrate mt, unsigned order)
{
	enum migrate other = mt == MIGRATE_MOVABLE ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;

	for (int unbacked = 0; unbacked < 2; unbacked++) {
		u32 orders = buddy.nonempty[other][unbacked] >> order;

		if (orders) {
			unsigned from = order + log2_floor(orders);
			struct page *p =
				list_first_entry(&buddy.list[other][unbacked][from], struct page, lru);

			unlink_block(p);
			split_block(p, from, order, unbacked);
			return p;
		}
	}
	return NULL;
}

/* Rare: a block below LIMIT, by looking at every free block. */
static struct page *take_below(unsigned order, u64 limit)
{
	for (unsigned o = order; o <= PAGE_MAX_ORDER; o++) {
		for (int k = 0; k < MIGRATE_TYPES * 2; k++) {
			struct page *p;

			list_for_each_entry (p, &buddy.list[k / 2][k % 2][o], lru) {
				if (page_to_phys(p) + (PAGE_SIZE << order) > limit)
					continue;
				split_block(p, o, order, unlink_block(p));
				return p;
			}
		}
	}
	return NULL;
}

struct page *buddy_take(unsigned order, enum migrate mt, u64 limit)
{
	struct page *p;

	if (unlikely(limit)) {
		while (!(p = take_below(order, limit)))
			if (!section_online_next())
				return NULL;
		return p;
	}
	for (;;) {
		for (int unbacked = 0; unbacked < 2; unbacked++) {
			p = take_from(mt, unbacked, order);
			if (p)
				return p;
			if (convert_block(mt, unbacked, order))
				return take_from(mt, unbacked, order);
		}
		if (!section_online_next())
			return take_fragment(mt, order);
	}
}

/* The smallest free block of kind MT, split so that it has at most MAX pages. NULL: none of that kind. */
static struct page *take_smallest(enum migrate mt, unsigned max, unsigned *order)
{
	for (int unbacked = 0; unbacked < 2; unbacked++) {
		u32 orders = buddy.nonempty[mt][unbacked];

		if (!orders)
			continue;
		*order = min((unsigned)__builtin_ctz(orders), log2_floor(max));
		return take_from(mt, unbacked, *order);
	}
	return NULL;
}

unsigned buddy_take_singles(enum migrate mt, struct page **out, unsigned n)
{
	unsigned got = 0, order = 0;

	while (got < n) {
		struct page *p = take_smallest(mt, n - got, &order);

		if (!p) {
			order = 0;
			p = buddy_take(0, mt, 0);
			if (!p)
				break;
		}
		for (unsigned i = 0; i < 1u << order; i++)
			out[got++] = p + i;
	}
	return got;
}

struct page *buddy_take_backed(unsigned order)
{
	struct page *p = take_from(MIGRATE_MOVABLE, false, order);

	return p ? p : take_from(MIGRATE_UNMOVABLE, false, order);
}

bool buddy_has_small_backed(enum migrate mt)
{
	return READ_ONCE(buddy.nonempty[mt][0]) & (BIT(PAGEBLOCK_ORDER) - 1);
}

struct page *buddy_take_small_backed(enum migrate mt)
{
	return buddy_has_small_backed(mt) ? take_from(mt, false, 0) : NULL;
}

void buddy_give(struct page *p, unsigned order, bool unbacked)
{
	struct mem_section *s = page_section(p);
	u32 idx = page_index_in(s, p);

	ASSERT(!(p->flags & (PAGE_BUDDY | PAGE_RESERVED)));
	ASSERT(!(idx & ((1u << order) - 1)));
	for (; order < PAGE_MAX_ORDER; order++) {
		u32 bidx = idx ^ 1u << order;
		struct page *b;

		if (bidx - s->first >= s->count)
			break;
		b = s->map + (bidx - s->first);
		if (!(b->flags & PAGE_BUDDY) || b->order != order)
			break;
		/* A block counts as backed as soon as a part of it is; but what is known of 2 MiB is not
		 * mixed up. */
		if (order >= PAGEBLOCK_ORDER && !(b->flags & PAGE_UNBACKED) == unbacked)
			break;
		unbacked &= unlink_block(b);
		idx &= ~(1u << order);
	}
	p = s->map + (idx - s->first);
	link_block(p, order, unbacked);
	if (order >= PAGEBLOCK_ORDER && !unbacked)
		balloon_block_freed();
}

void buddy_give_range(u64 start, u64 end, bool unbacked)
{
	while (start < end) {
		unsigned order = PAGE_MAX_ORDER;

		if (start)
			order = min(order, (unsigned)__builtin_ctzll(start));
		order = min(order, log2_floor(end - start));
		buddy_give(phys_to_page(start << PAGE_SHIFT), order, unbacked);
		start += 1ull << order;
	}
}

u64 buddy_free_pages(void)
{
	return READ_ONCE(buddy.free_pages[0]) + READ_ONCE(buddy.free_pages[1]);
}

u64 buddy_unbacked_pages(void)
{
	return READ_ONCE(buddy.free_pages[1]);
}

u64 buddy_free_blocks(unsigned order, enum migrate mt)
{
	return READ_ONCE(buddy.blocks[mt][order]);
}

void buddy_count_kinds(u64 out[MIGRATE_TYPES])
{
	u64 unmovable = 0;

	for (u32 i = 0; i < mem_section_count; i++)
		unmovable += (u64)__builtin_popcountll(READ_ONCE(mem_sections[i].unmovable));
	out[MIGRATE_UNMOVABLE] = unmovable;
	out[MIGRATE_MOVABLE] = DIV_ROUND_UP(managed_pages, PAGEBLOCK_PAGES) - unmovable;
}

#ifdef DEBUG
void buddy_verify(void)
{
	u64 pages[2] = {0, 0};

	for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
		for (int k = 0; k < 2 * (PAGE_MAX_ORDER + 1); k++) {
			int unbacked = k & 1, order = k / 2;
			struct list_head *list = &buddy.list[mt][unbacked][order];
			struct page *p;

			ASSERT(list_empty(list) == !(buddy.nonempty[mt][unbacked] >> order & 1));
			list_for_each_entry (p, list, lru) {
				ASSERT(p->lru.next->prev == &p->lru && p->flags & PAGE_BUDDY &&
				       p->order == order);
				ASSERT(!(p->flags & PAGE_UNBACKED) == !unbacked &&
				       block_kind(p) == (enum migrate)mt);
				ASSERT(!(page_index_in(page_section(p), p) & ((1u << order) - 1)));
				pages[unbacked] += 1ull << order;
			}
		}
	}
	ASSERT(pages[0] == buddy.free_pages[0] && pages[1] == buddy.free_pages[1]);
}
#endif
