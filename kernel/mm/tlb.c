// SPDX-License-Identifier: BSD-2-Clause
/* Translation caches: which CPUs may hold an address space's translations, and how they are told to drop
 * some.
 *
 * A CPU's bit in vm->cpus is set before it loads the root and cleared after it has loaded another. A CPU that
 * runs a kernel thread or idles keeps the last root loaded ("lazy") and is not interrupted: it compares
 * vm->tlb_gen with the generation it has seen when it comes back. Only when table pages are about to be freed
 * are lazy CPUs interrupted too, for hardware may walk tables at any time. Fences: (1) a CPU sets its bit
 * (full fence by the atomic) before it reads tlb_gen and loads the root; a flusher changes entries, then
 * raises tlb_gen (full fence) and reads the mask: one of the two sees the other. (2) A CPU clears `lazy`,
 * full fence, reads tlb_gen; a flusher raises tlb_gen (full fence), then reads `lazy`: the same.
 *
 * Where the CPU tags translations (PCID), a root that is left keeps a tag of its CPU, and its translations
 * stay until the tag is needed for another. Its bit in vm->cpus is cleared all the same, so nobody interrupts
 * the CPU for it: when it is loaded again fence (1) applies, and the generation that goes with the tag tells
 * whether the tag's translations are still good. Hardware walks no tables of a tag that is not loaded. */
#include "base/string.h"
#include "internal.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "vm_internal.h"

DEFINE_COUNTER(tlb_shootdowns, "times other CPUs were interrupted to drop translations");

#define TAGS_MAX 6

struct tag {
	u64 id;	 /* of the space whose translations bear it; 0: none */
	u64 gen; /* of its tlb_gen, up to which this CPU has flushed them */
};

struct cpu_vm {
	struct vmspace *vm; /* whose root is loaded; NULL: the kernel's. Own CPU writes, irqs off */
	struct tag *tag;    /* vm's */
	struct tag tags[TAGS_MAX];
	unsigned next_tag; /* the one to be taken over next */
	_Atomic bool lazy; /* loaded but not in use */
};
static DEFINE_PER_CPU(struct cpu_vm, cpu_vm);

/* This CPU's; interrupts are off. (An atomic operation on a member of this_cpu() would lose the segment.) */
static inline struct cpu_vm *self(void)
{
	return per_cpu_ptr(&cpu_vm, cpu_id());
}

/* Beyond this many pages everything is dropped instead. */
#define FLUSH_PAGES_MAX 32
#define MASK_WORDS_MAX	16

void vmspace_init_cpu(void)
{
	struct cpu_vm *c = self();

	c->vm = NULL;
	c->tag = NULL;
	c->next_tag = 0;
	memset(c->tags, 0, sizeof c->tags);
	atomic_store_explicit(&c->lazy, false, memory_order_relaxed);
}

static inline unsigned mask_words(void)
{
	return DIV_ROUND_UP(cpu_count, 64);
}

static void mask_set(struct vmspace *vm, unsigned cpu)
{
	atomic_fetch_or_explicit(&vm->cpus[cpu / 64], 1ull << (cpu % 64), memory_order_seq_cst);
}

static void mask_clear(struct vmspace *vm, unsigned cpu)
{
	atomic_fetch_and_explicit(&vm->cpus[cpu / 64], ~(1ull << (cpu % 64)), memory_order_seq_cst);
}

/* Give VM, whose generation is GEN, a tag. True when the translations that bear it are VM's and good. */
static bool take_tag(struct cpu_vm *c, struct vmspace *vm, u64 gen)
{
	unsigned n = min(arch_tlb_tags, (unsigned)TAGS_MAX);
	bool good = false;

	c->tag = NULL;
	for (unsigned i = 0; i < n && !c->tag; i++)
		if (c->tags[i].id == vm->id)
			c->tag = &c->tags[i];
	if (c->tag)
		good = n > 1 && c->tag->gen == gen;
	else
		c->tag = &c->tags[c->next_tag++ % n];
	*c->tag = (struct tag){vm->id, gen};
	return good;
}

void vmspace_activate(struct vmspace *vm)
{
	struct cpu_vm *c = self();
	struct vmspace *old = c->vm;
	bool good;

	if (!vm) {
		atomic_store_explicit(&c->lazy, true, memory_order_release);
		return;
	}
	if (vm == old) {
		u64 gen;

		if (!atomic_load_explicit(&c->lazy, memory_order_relaxed))
			return;
		atomic_store_explicit(&c->lazy, false, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst); /* fence (2) */
		gen = atomic_load_explicit(&vm->tlb_gen, memory_order_relaxed);
		if (gen != c->tag->gen) {
			c->tag->gen = gen;
			arch_tlb_flush_app();
		}
		return;
	}
	mask_set(vm, cpu_id()); /* fence (1) */
	atomic_store_explicit(&c->lazy, false, memory_order_relaxed);
	good = take_tag(c, vm, atomic_load_explicit(&vm->tlb_gen, memory_order_relaxed));
	c->vm = vm;
	arch_load_root(vm->root, (unsigned)(c->tag - c->tags) + 1, good);
	if (old)
		mask_clear(old, cpu_id());
}

struct flush {
	struct vmspace *vm;
	u64 start, end, gen;
};

/* On each CPU concerned, interrupts off. */
static void flush_here(void *arg)
{
	const struct flush *f = arg;
	struct cpu_vm *c = self();
	u64 seen;

	if (c->vm != f->vm)
		return;
	seen = c->tag->gen;
	if (seen >= f->gen)
		return;
	if (seen + 1 == f->gen && (f->end - f->start) >> PAGE_SHIFT <= FLUSH_PAGES_MAX) {
		for (u64 va = f->start; va < f->end; va += PAGE_SIZE)
			arch_tlb_flush_page(va);
		c->tag->gen = f->gen;
	} else {
		u64 gen = atomic_load_explicit(&f->vm->tlb_gen, memory_order_acquire);

		/* Read before the flush: what comes later is flushed by its own request. */
		arch_tlb_flush_app();
		c->tag->gen = gen;
	}
}

/* Run FN on the other CPUs that use VM; LAZY: also where it is only left loaded. */
static void call_others(struct vmspace *vm, bool lazy, void (*fn)(void *), void *arg)
{
	u64 mask[MASK_WORDS_MAX];
	unsigned words = min(mask_words(), (unsigned)MASK_WORDS_MAX), self = cpu_id();
	bool others = mask_words() > MASK_WORDS_MAX;

	for (unsigned w = 0; w < words; w++) {
		u64 bits = atomic_load_explicit(&vm->cpus[w], memory_order_seq_cst);

		if (w == self / 64)
			bits &= ~(1ull << (self % 64));
		mask[w] = bits;
		for (; !lazy && bits; bits &= bits - 1) {
			unsigned cpu = w * 64 + (unsigned)__builtin_ctzll(bits);

			if (atomic_load_explicit(&per_cpu_ptr(&cpu_vm, cpu)->lazy, memory_order_relaxed))
				mask[w] &= ~(bits & -bits);
		}
		others |= mask[w] != 0;
	}
	if (!others)
		return;
	counter_inc(&tlb_shootdowns);
	if (mask_words() <= MASK_WORDS_MAX)
		smp_call(mask, fn, arg);
	else
		smp_call_all(fn, arg);
}

void tlb_flush_range(struct vmspace *vm, u64 start, u64 end, bool tables)
{
	struct flush f = {vm, start, end, 0};
	u64 irq;

	f.gen = atomic_fetch_add_explicit(&vm->tlb_gen, 1, memory_order_seq_cst) + 1;
	irq = arch_irq_save();
	flush_here(&f);
	arch_irq_restore(irq);
	call_others(vm, tables, flush_here, &f);
}

long vm_run_on_cpus(struct vmspace *vm, void (*fn)(void *))
{
	atomic_thread_fence(memory_order_seq_cst);
	call_others(vm, false, fn, NULL);
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

void tlb_flush_all(struct vmspace *vm)
{
	tlb_flush_range(vm, 0, APP_LIMIT, false);
}

static void leave_here(void *arg)
{
	struct vmspace *vm = arg;
	struct cpu_vm *c = self();

	if (c->vm != vm)
		return;
	c->vm = NULL;
	arch_load_root(arch_kernel_root(), 0, false);
	mask_clear(vm, cpu_id());
}

void tlb_leave_all(struct vmspace *vm)
{
	u64 irq = arch_irq_save();

	leave_here(vm);
	arch_irq_restore(irq);
	for (unsigned w = 0; w < mask_words(); w++) {
		while (atomic_load_explicit(&vm->cpus[w], memory_order_acquire)) {
			u64 mask[MASK_WORDS_MAX] = {0};

			if (w < MASK_WORDS_MAX) {
				mask[w] = atomic_load_explicit(&vm->cpus[w], memory_order_relaxed);
				smp_call(mask, leave_here, vm);
			} else {
				smp_call_all(leave_here, vm);
			}
			cpu_relax(); /* a CPU between two roots clears its bit by itself */
		}
	}
}

/* ---- batches ---- */

void tlb_batch_begin(struct tlb_batch *b, struct vmspace *vm, u64 expect)
{
	b->vm = vm;
	b->start = ~0ull;
	b->end = 0;
	b->tables = false;
	b->n = 0;
	b->tables_list = NULL;
	b->anon = b->file = b->shmem = b->huge = b->hugetlb = 0;
	b->pages = b->small;
	b->max = TLB_BATCH_MAX;
	b->store = expect > 2 * TLB_BATCH_MAX ? page_alloc(0, PAGE_NORETRY) : NULL;
	if (b->store) {
		b->pages = page_to_virt(b->store);
		b->max = PAGE_SIZE / sizeof *b->pages;
	}
}

/* In an entry of `pages`: the head of a large page, which may have been broken up for another space
 * meanwhile. */
#define LARGE_TAG 1ull

bool tlb_batch_large(struct tlb_batch *b, struct page *head)
{
	return tlb_batch_page(b, (struct page *)((u64)head | LARGE_TAG));
}

void tlb_batch_table(struct tlb_batch *b, u64 phys)
{
	struct page *p = phys_to_page(phys);

	p->priv = b->tables_list;
	b->tables_list = p;
	b->tables = true;
}

/* The resident set is about to shrink. */
static void vm_note_peak(struct vmspace *vm)
{
	u64 rss = vm_rss(vm);

	if (rss > atomic_load_explicit(&vm->peak_rss, memory_order_relaxed))
		atomic_store_explicit(&vm->peak_rss, rss, memory_order_relaxed);
}

static void add_count(_Atomic s64 *c, s64 *delta)
{
	if (*delta)
		atomic_fetch_sub_explicit(c, *delta, memory_order_relaxed);
	*delta = 0;
}

/* Drop the batch's references. Pages that go with it are freed together. Their counts must go through zero: a
 * look-up in the page cache that comes late may hold one for a moment. */
static void put_pages(struct tlb_batch *b)
{
	unsigned nfree = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct page *p = b->pages[i];
		u64 tagged = (u64)p;

		if (tagged & LARGE_TAG)
			thp_put((struct page *)(tagged & ~LARGE_TAG));
		else if (p->flags != PAGE_ANON)
			page_put(p);
		else if (refcount_put(&p->ref))
			b->pages[nfree++] = p;
	}
	if (nfree)
		page_free_many(b->pages, nfree);
}

void tlb_batch_flush(struct tlb_batch *b)
{
	if (b->start < b->end)
		tlb_flush_range(b->vm, b->start, b->end, b->tables);
	put_pages(b);
	while (b->tables_list) {
		struct page *p = b->tables_list;

		b->tables_list = p->priv;
		pt_table_free(b->vm, page_to_phys(p));
	}
	if (b->anon | b->file | b->shmem)
		vm_note_peak(b->vm);
	add_count(&b->vm->rss_anon, &b->anon);
	add_count(&b->vm->rss_file, &b->file);
	add_count(&b->vm->rss_shmem, &b->shmem);
	add_count(&b->vm->huge_pages, &b->huge);
	add_count(&b->vm->hugetlb_pages, &b->hugetlb);
	b->start = ~0ull;
	b->end = 0;
	b->tables = false;
	b->n = 0;
}

void tlb_batch_end(struct tlb_batch *b)
{
	tlb_batch_flush(b);
	if (b->store)
		page_free(b->store, 0);
}
