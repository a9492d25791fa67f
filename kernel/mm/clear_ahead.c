// SPDX-License-Identifier: BSD-2-Clause
/* Pages cleared ahead of their use. A CPU on its way to halt() clears free pages one by one, as long as
 * nobody wants it, until it has a small stock of them; faults and page tables take from that first.
 *
 * Only pages that the host backs are cleared, from blocks too small to be reported: the stock makes the host
 * hold nothing that it does not hold already. While memory is short nothing is put in, and reclaim, the
 * balloon and reports of free memory get all of it back first. Nothing wakes a CPU for its sake. Pages in
 * stock count as free; they are linked through page->priv. */
#include "arch/pgtable.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

DEFINE_COUNTER(pages_cleared_ahead, "pages that idle CPUs cleared");
DEFINE_COUNTER(pages_cleared_used, "of those, pages that were handed out");

struct stock {
	struct spinlock lock; /* guards the rest; taken with interrupts off, before nothing */
	u32 count[MIGRATE_TYPES];
	struct page *first[MIGRATE_TYPES]; /* the last that was cleared is the warmest */
};
static DEFINE_PER_CPU(struct stock, stock);

/* How many pages of kind MT a CPU keeps: 1/1024 of memory for all CPUs together, but 4 at least and 64 at
 * most; a quarter of that for tables. */
static u32 stock_limit(enum migrate mt)
{
	u32 n = (u32)clamp(managed_pages / (1024 * cpu_count), 4ul, 64ul);

	return mt == MIGRATE_MOVABLE ? n : n / 4;
}

static void check_clear(const struct page *p)
{
#ifdef DEBUG
	const u64 *w = page_to_virt(p);

	for (unsigned k = 0; k < PAGE_SIZE / 8; k += 7)
		if (w[k])
			panic("check_clear: cleared page %#llx was written at %u",
			      (unsigned long long)page_to_phys(p), k * 8);
#endif
}

unsigned cleared_take(enum migrate mt, struct page **out, unsigned n)
{
	u64 irq = arch_irq_save();
	struct stock *s = per_cpu_ptr(&stock, cpu_id());
	unsigned got = 0;

	if (READ_ONCE(s->count[mt])) {
		spin_lock(&s->lock);
		for (; got < n && s->first[mt]; got++) {
			out[got] = s->first[mt];
			check_clear(out[got]);
			s->first[mt] = out[got]->priv;
			out[got]->priv = NULL;
		}
		s->count[mt] -= got;
		spin_unlock(&s->lock);
		counter_add(&pages_cleared_used, got);
	}
	arch_irq_restore(irq);
	return got;
}

bool page_clear_ahead(void)
{
	struct stock *s = per_cpu_ptr(&stock, cpu_id());

	for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
		struct page *p;
		u64 irq;

		if (s->count[mt] >= stock_limit(mt) || !buddy_has_small_backed(mt) ||
		    buddy_free_pages() + READ_ONCE(offline_free_pages) <= page_high)
			continue;
		irq = spin_lock_irqsave(&buddy_lock);
		p = buddy_take_small_backed(mt);
		spin_unlock_irqrestore(&buddy_lock, irq);
		if (!p)
			continue;
		page_check_poison(p, 0);
		arch_clear_pages(page_to_virt(p), 1);
		irq = spin_lock_irqsave(&s->lock);
		p->priv = s->first[mt];
		s->first[mt] = p;
		s->count[mt]++;
		spin_unlock_irqrestore(&s->lock, irq);
		counter_inc(&pages_cleared_ahead);
		return true;
	}
	return false;
}

static void give_list(struct page *p)
{
	u64 irq = spin_lock_irqsave(&buddy_lock);

	while (p) {
		struct page *next = p->priv;

		p->priv = NULL;
		buddy_give(p, 0, false);
		p = next;
	}
	spin_unlock_irqrestore(&buddy_lock, irq);
}

u64 cleared_drain(void)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct stock *s = per_cpu_ptr(&stock, cpu);

		for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
			struct page *list;
			u64 irq;

			if (!READ_ONCE(s->count[mt]))
				continue;
			irq = spin_lock_irqsave(&s->lock);
			list = s->first[mt];
			n += s->count[mt];
			s->first[mt] = NULL;
			s->count[mt] = 0;
			spin_unlock_irqrestore(&s->lock, irq);
			give_list(list);
		}
	}
	return n;
}

u64 cleared_pages(void)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct stock *s = per_cpu_ptr(&stock, cpu);

		n += READ_ONCE(s->count[MIGRATE_UNMOVABLE]) + READ_ONCE(s->count[MIGRATE_MOVABLE]);
	}
	return n;
}
