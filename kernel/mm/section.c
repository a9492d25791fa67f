// SPDX-License-Identifier: BSD-2-Clause
/* The memory map: struct page arrays for 128 MiB sections that hold RAM, and the way between frames and
 * struct pages.
 *
 * A section's array is carved from the section's own RAM at boot but not touched: struct pages are
 * initialised 4 MiB at a time ("chunks"), when the buddy allocator runs dry, so boot costs the same for 16
 * MiB and 1 TiB and the host backs only the part of the map that is in use. Invariant: a chunk's bit in
 * `online` is set after its struct pages are ready, and is never cleared. */
#include "base/string.h"
#include "kernel/log.h"
#include "internal.h"

struct mem_section *mem_sections;
u32 mem_section_count;
u64 offline_free_pages;
u64 managed_pages;

static u32 next_section, next_chunk, next_firmware; /* where section_online_next() goes on; buddy lock */

static inline bool chunk_online(const struct mem_section *s, u32 idx)
{
	return atomic_load_explicit(&((struct mem_section *)s)->online, memory_order_acquire) >>
		       (idx / CHUNK_PAGES) &
	       1;
}

struct page *phys_to_page(phys_t pa)
{
	u64 nr = pa >> SECTION_SHIFT;
	u32 idx = (pa >> PAGE_SHIFT) & (SECTION_PAGES - 1);
	struct mem_section *s;

	if (unlikely(nr >= mem_section_count))
		return NULL;
	s = &mem_sections[nr];
	if (unlikely(!s->map || idx - s->first >= s->count || !chunk_online(s, idx)))
		return NULL;
	return s->map + (idx - s->first);
}

phys_t page_to_phys(const struct page *p)
{
	return (u64)p->section << SECTION_SHIFT | (u64)page_index_in(page_section(p), p) << PAGE_SHIFT;
}

static u64 section_map_phys(const struct mem_section *s)
{
	return virt_to_phys(s->map);
}

static u64 section_map_bytes(const struct mem_section *s)
{
	return ALIGN_UP((u64)s->count * sizeof(struct page), PAGE_SIZE);
}

/* Call FN for each stretch [a, b) of free bytes in [START, END) that the section's own map does not occupy.
 */
static u64 for_free_parts(const struct mem_section *s, u64 start, u64 end, void (*fn)(u64 a, u64 b))
{
	u64 map_start = section_map_phys(s), map_end = map_start + section_map_bytes(s), pages = 0;

	for (unsigned i = 0; i < free_range_count; i++) {
		u64 a = max(free_ranges[i].start, start), b = min(free_ranges[i].end, end);
		u64 part[2][2] = {{a, min(b, map_start)}, {max(a, map_end), b}};

		for (int k = 0; a < b && k < 2; k++) {
			if (part[k][0] >= part[k][1])
				continue;
			pages += (part[k][1] - part[k][0]) >> PAGE_SHIFT;
			if (fn)
				fn(part[k][0], part[k][1]);
		}
	}
	return pages;
}

static void give_part(u64 a, u64 b)
{
	for (u64 pa = a; pa < b; pa += PAGE_SIZE)
		phys_to_page(pa)->flags = 0;
	for (u64 end; a < b; a = end) {
		bool unbacked = true;

		end = b;
		for (unsigned i = 0; i < ARRAY_SIZE(firmware_blocks); i++) {
			const struct phys_range *f = &firmware_blocks[i];

			if (a < f->start)
				end = min(end, f->start);
			else if (a < f->end)
				unbacked = false, end = min(end, f->end);
		}
		buddy_give_range(a >> PAGE_SHIFT, end >> PAGE_SHIFT, unbacked);
	}
}

static void online_chunk(u32 nr, u32 chunk)
{
	struct mem_section *s = &mem_sections[nr];
	u32 first = max(s->first, chunk * CHUNK_PAGES),
	    end = min(s->first + s->count, (chunk + 1) * CHUNK_PAGES);
	u64 base = (u64)nr << SECTION_SHIFT;

	if (first < end) {
		struct page *p = s->map + (first - s->first);

		memset(p, 0, (end - first) * sizeof *p);
		for (u32 i = first; i < end; i++, p++) {
			p->section = (u16)nr;
			p->flags = PAGE_RESERVED;
		}
	}
	atomic_fetch_or_explicit(&s->online, 1u << chunk, memory_order_release);
	if (s->has_free & 1u << chunk) {
		s->has_free &= ~(1u << chunk);
		offline_free_pages -= for_free_parts(s, base + (u64)first * PAGE_SIZE,
						     base + (u64)end * PAGE_SIZE, give_part);
	}
}

bool section_online_next(void)
{
	/* Once booting is done with its first chunks: what the host holds anyhow. */
	while ((next_section || next_chunk) && next_firmware < ARRAY_SIZE(firmware_blocks))
		if (section_online_pfn(firmware_blocks[next_firmware++].start >> PAGE_SHIFT))
			return true;
	for (; next_section < mem_section_count; next_section++, next_chunk = 0) {
		struct mem_section *s = &mem_sections[next_section];

		for (; s->has_free && next_chunk < CHUNKS_PER_SECTION; next_chunk++) {
			if (!(s->has_free & 1u << next_chunk))
				continue;
			online_chunk(next_section, next_chunk);
			return true;
		}
	}
	return false;
}

bool section_online_pfn(u64 pfn)
{
	u32 nr = pfn / SECTION_PAGES, chunk = pfn % SECTION_PAGES / CHUNK_PAGES;

	if (nr >= mem_section_count || !mem_sections[nr].map || mem_sections[nr].online & 1u << chunk)
		return false;
	online_chunk(nr, chunk);
	return true;
}

/* Where the map of a section from LO on should lie: anywhere above 1 MiB, where memory is scarce; with what describes
 * the firmware's blocks inside the first of them, unless the section is the first, whose map is in use anyhow. */
static u64 map_place(u64 lo, u64 hi)
{
	u64 block = firmware_blocks[0].start, chunk = ALIGN_DOWN(block, CHUNK_PAGES * PAGE_SIZE);

	if (lo >> SECTION_SHIFT == 0 || block < lo || block >= hi)
		return MIB(1);
	return ALIGN_DOWN(block - (max(chunk, lo) - lo) / PAGE_SIZE * sizeof(struct page), PAGE_SIZE);
}

/* Set up section NR over the free ranges: its bounds, and a place for its map. */
static void section_init(u32 nr)
{
	struct mem_section *s = &mem_sections[nr];
	u64 base = (u64)nr << SECTION_SHIFT, end = base + (1ull << SECTION_SHIFT), lo = end, hi = base, size;

	for (unsigned i = 0; i < free_range_count; i++) {
		u64 a = max(free_ranges[i].start, base), b = min(free_ranges[i].end, end);

		if (a < b) {
			lo = min(lo, a);
			hi = max(hi, b);
		}
	}
	if (lo >= hi)
		return;
	s->first = (lo - base) >> PAGE_SHIFT;
	s->count = (hi - lo) >> PAGE_SHIFT;
	size = section_map_bytes(s);
	for (u64 floor = map_place(lo, hi);; floor = floor > MIB(1) ? MIB(1) : 0) {
		for (unsigned i = 0; i < free_range_count && !s->map; i++) {
			u64 a = max(max(free_ranges[i].start, base), floor), b = min(free_ranges[i].end, end);

			if (a < b && b - a >= size)
				s->map = phys_to_virt(a);
		}
		if (s->map || !floor)
			break;
	}
	if (!s->map) {
		log_warn("memory: no room for the map of section %u, its RAM is not used", nr);
		return;
	}
	for (u32 c = 0; c < CHUNKS_PER_SECTION; c++) {
		u64 a = max(base + (u64)c * CHUNK_PAGES * PAGE_SIZE, lo);
		u64 b = min(base + (u64)(c + 1) * CHUNK_PAGES * PAGE_SIZE, hi);
		u64 pages = a < b ? for_free_parts(s, a, b, NULL) : 0;

		if (pages)
			s->has_free |= 1u << c;
		offline_free_pages += pages;
	}
}

void sections_init(void)
{
	u64 top = free_range_count ? free_ranges[free_range_count - 1].end : 0;
	u64 phys;

	/* The section number in struct page has 16 bits. */
	mem_section_count = (u32)min(DIV_ROUND_UP(top, 1ull << SECTION_SHIFT), 65536ull);
	phys = early_alloc(mem_section_count * sizeof *mem_sections, CACHE_LINE);
	mem_sections = phys_to_virt(phys);
	for (u32 i = 0; i < mem_section_count; i++)
		section_init(i);
	managed_pages = offline_free_pages;
}
