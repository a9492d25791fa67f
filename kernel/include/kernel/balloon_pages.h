/* SPDX-License-Identifier: BSD-2-Clause */
/* What the virtio-balloon driver takes from and gives back to the page allocator. Nothing here touches the
 * contents of a page. Thread context (taking for inflation may reclaim page cache); the others any context.
 * Owner: kernel/mm/. */
#pragma once

#include "kernel/page.h"

/* Free page reporting: a free block of 2^ORDER pages (9: 2 MiB) that the host holds memory for, or NULL when
 * none is left (or only the reserve). Report it, then return it with one of the two: reported (the host
 * dropped its memory: the block is marked PAGE_UNBACKED and handed out last) or not (the report failed). */
struct page *page_take_unreported(unsigned order) __must_check;
void page_return_reported(struct page *p, unsigned order);
void page_return_unreported(struct page *p, unsigned order);

/* Inflation: a block of at most 2^*ORDER pages; *ORDER becomes what it got. Backed blocks first (largest
 * first), then page cache that can be given up, then memory the host never backed. NULL when only the reserve
 * is left. */
struct page *balloon_page_take(unsigned *order) __must_check;
/* Deflation: the page comes back unbacked. May be called with a part of a block that was taken (a lower
 * order). */
void balloon_page_return(struct page *p, unsigned order);
u64 balloon_pages(void); /* pages the balloon holds */

/* Deflate-on-OOM: the allocator calls FN when reclaim falls short; FN gives up to PAGES back
 * (balloon_page_return) and returns how many. It is called in thread context or with interrupts on; it must
 * not allocate. */
void balloon_register_deflate(u64 (*fn)(u64 pages));

/* Free page reporting: FN hears, below the allocator's lock with interrupts off, that a free block of 2 MiB
 * or more that the host backs came into being. It may wake a thread, no more. */
void balloon_register_hint(void (*fn)(void));

#define PAGE_POISON_BYTE 0xfd /* what the debugging kernel fills free pages with */
