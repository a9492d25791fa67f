// SPDX-License-Identifier: BSD-2-Clause
/* Slab caches (after Bonwick): objects of one size on blocks of pages, with a magazine of free objects per
 * CPU in front.
 *
 * The fast path takes from or puts to this CPU's magazine with interrupts off and no lock. Magazines live in
 * a per-CPU table by cache number and are made on first use; caches beyond the table do without. Behind it,
 * one lock per cache guards its list of partly free slabs. A slab's state is in its first struct page:
 * `index` the free objects (linked through their first word), `mapcount` objects in use (low half) and
 * objects never handed out yet (high half): a new slab's objects are not touched until they are used. `cache`
 * points to the slab cache, also in tail pages. Any context; page_alloc() may reclaim when interrupts are on.
 */
#include "base/bits.h"
#include "base/string.h"
#include "internal.h"
#include "kernel/alloc.h"
#include "kernel/fail.h"
#include "kernel/log.h"
#include "slab.h"

#define MAGAZINE_MAX 30

struct magazine {
	u32 count, capacity;
	void *objs[]; /* a stack */
};

static DEFINE_PER_CPU(struct magazine *, slab_magazines[MAX_NUMBERED]);
_Atomic u64 slab_pages, slab_reclaimable_pages;

static struct spinlock caches_lock;
static struct slab_cache *caches;
static u32 next_number;
static struct slab_cache cache_cache = {.name = "slab_cache"};

void slab_cache_setup(struct slab_cache *c, const char *name, size_t size, size_t align)
{
	u64 irq;

	c->name = name;
	align = max(align, sizeof(void *));
	c->size = (u32)ALIGN_UP(max(size, sizeof(void *)), align);
	/* The smallest block that wastes at most an eighth, up to 32 KiB. */
	for (c->order = 0; c->order < 3; c->order++) {
		size_t bytes = PAGE_SIZE << c->order;

		if (c->size <= bytes && bytes % c->size <= bytes / 8)
			break;
	}
	c->per_slab = (u32)((PAGE_SIZE << c->order) / c->size);
	c->magazine = clamp((u32)(PAGE_SIZE * 2) / c->size, 4u, (u32)MAGAZINE_MAX);
	spin_init(&c->lock);
	list_init(&c->partial);
	irq = spin_lock_irqsave(&caches_lock);
	c->number = next_number < MAX_NUMBERED ? next_number++ : MAX_NUMBERED;
	c->next = caches;
	caches = c;
	spin_unlock_irqrestore(&caches_lock, irq);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *c;

	if (size > PAGE_SIZE * 4)
		return NULL;
	c = slab_zalloc(&cache_cache);
	if (c)
		slab_cache_setup(c, name, size, align);
	return c;
}

void slab_cache_reclaimable(struct slab_cache *c)
{
	c->reclaimable = true;
}

/* C has N pages more, or fewer. */
static void count_pages(struct slab_cache *c, s64 n)
{
	atomic_fetch_add_explicit(&slab_pages, (u64)n, memory_order_relaxed);
	if (c->reclaimable)
		atomic_fetch_add_explicit(&slab_reclaimable_pages, (u64)n, memory_order_relaxed);
}

void slab_core_init(void)
{
	slab_cache_setup(&cache_cache, "slab_cache", sizeof(struct slab_cache), CACHE_LINE);
}

void slab_init_cpu(void)
{
	for (u32 i = 0; i < MAX_NUMBERED; i++)
		this_cpu(slab_magazines[i]) = NULL;
}

static inline struct page *slab_head(struct page *p)
{
	return p->flags & PAGE_TAIL ? p - ((page_to_phys(p) >> PAGE_SHIFT) & ((1u << p->order) - 1)) : p;
}

static inline u32 in_use(struct page *p)
{
	return atomic_load_explicit(&p->mapcount, memory_order_relaxed) & 0xffff;
}

static inline u32 untouched(struct page *p)
{
	return atomic_load_explicit(&p->mapcount, memory_order_relaxed) >> 16;
}

static inline void set_counts(struct page *p, u32 used, u32 fresh)
{
	atomic_store_explicit(&p->mapcount, fresh << 16 | used, memory_order_relaxed);
}

static struct page *slab_new(struct slab_cache *c)
{
	struct page *p = page_alloc(c->order, arch_irqs_on() ? 0 : PAGE_NORECLAIM);

	if (!p)
		return NULL;
	for (u32 i = 0; i < 1u << c->order; i++) {
		p[i].flags = PAGE_SLAB | (i ? PAGE_TAIL : c->order ? PAGE_HEAD : 0);
		p[i].order = (u8)c->order;
		p[i].cache = (struct page_cache *)c;
	}
	p->index = 0;
	set_counts(p, 0, c->per_slab);
	count_pages(c, 1ll << c->order);
	return p;
}

static void slab_destroy(struct slab_cache *c, struct page *p)
{
	for (u32 i = 0; i < 1u << c->order; i++) {
		p[i].flags = 0;
		p[i].cache = NULL;
	}
	set_counts(p, 0, 0);
	count_pages(c, -(1ll << c->order));
	page_free(p, c->order);
}

/* One object of slab P, which has one. Cache lock held. */
static void *slab_pop(struct slab_cache *c, struct page *p)
{
	u32 used = in_use(p), fresh = untouched(p);
	void *obj = (void *)p->index;

	if (!used)
		c->empty--;
	c->used++;
	if (obj)
		p->index = *(u64 *)obj;
	else
		obj = (char *)page_to_virt(p) + (size_t)(c->per_slab - fresh--) * c->size;
	set_counts(p, ++used, fresh);
	if (used == c->per_slab)
		list_del(&p->lru);
	return obj;
}

/* Put OBJ back into its slab. Returns the slab when it became empty and is surplus: the caller destroys it
 * unlocked. */
static struct page *slab_push(struct slab_cache *c, void *obj)
{
	struct page *p = slab_head(virt_to_page(obj));
	u32 used = in_use(p);

	ASSERT(p->flags & PAGE_SLAB && slab_owner(p) == c && used);
	*(u64 *)obj = p->index;
	p->index = (u64)obj;
	if (used == c->per_slab)
		list_add(&p->lru, &c->partial);
	set_counts(p, --used, untouched(p));
	c->used--;
	if (used)
		return NULL;
	if (c->empty) {
		list_del(&p->lru);
		c->slabs--;
		return p;
	}
	c->empty++;
	list_move_tail(&p->lru, &c->partial);
	return NULL;
}

/* Take up to N objects into OBJS. irqs off. */
static u32 cache_take(struct slab_cache *c, void **objs, u32 n)
{
	u32 got = 0;

	spin_lock(&c->lock);
	while (got < n && !list_empty(&c->partial))
		objs[got++] = slab_pop(c, list_first_entry(&c->partial, struct page, lru));
	spin_unlock(&c->lock);
	return got;
}

/* Give N objects back. irqs off. */
static void cache_give(struct slab_cache *c, void **objs, u32 n)
{
	struct page *dead = NULL;

	spin_lock(&c->lock);
	for (u32 i = 0; i < n; i++) {
		struct page *p = slab_push(c, objs[i]);

		if (p) {
			p->priv = dead;
			dead = p;
		}
	}
	spin_unlock(&c->lock);
	while (dead) {
		struct page *p = dead;

		dead = p->priv;
		p->priv = NULL;
		slab_destroy(c, p);
	}
}

/* No partly free slab: make one and take an object. Restores interrupts to IRQ for the page allocation. */
static void *alloc_slow(struct slab_cache *c)
{
	struct page *p = slab_new(c);
	void *obj;
	u64 irq;

	if (!p)
		return NULL;
	irq = spin_lock_irqsave(&c->lock);
	c->empty++;
	c->slabs++;
	list_add(&p->lru, &c->partial);
	obj = slab_pop(c, p);
	spin_unlock_irqrestore(&c->lock, irq);
	return obj;
}

void *slab_alloc(struct slab_cache *c)
{
	struct magazine *m;
	void *obj = NULL;
	u64 irq;

	if (alloc_should_fail())
		return NULL;
	irq = arch_irq_save();
	m = c->number < MAX_NUMBERED ? this_cpu(slab_magazines[c->number]) : NULL;
	if (likely(m)) {
		if (unlikely(!m->count))
			m->count = cache_take(c, m->objs, m->capacity / 2);
		if (likely(m->count))
			obj = m->objs[--m->count];
	} else {
		cache_take(c, &obj, 1);
	}
	arch_irq_restore(irq);
	if (unlikely(!obj))
		obj = alloc_slow(c);
	if (!obj)
		return NULL;
#ifdef DEBUG
	memset(obj, 0xfa, c->size); /* neither zero nor what a free one holds */
#endif
	return obj;
}

void *slab_zalloc(struct slab_cache *c)
{
	void *p = slab_alloc(c);

	if (p)
		memset(p, 0, c->size);
	return p;
}

/* This CPU's first free to C: make it a magazine, if that works without effort. irqs off. */
static struct magazine *magazine_make(struct slab_cache *c)
{
	struct slab_cache *from = kmalloc_cache(sizeof(struct magazine) + c->magazine * sizeof(void *));
	struct magazine *m = NULL;

	/* Straight from the slabs: never through the magazine being made. */
	if (c->number >= MAX_NUMBERED || !from || !cache_take(from, (void **)&m, 1))
		return NULL;
	m->count = 0;
	m->capacity = c->magazine;
	atomic_fetch_add_explicit(&from->magazines, 1, memory_order_relaxed);
	this_cpu(slab_magazines[c->number]) = m;
	return m;
}

static void give_back(struct slab_cache *c, void *obj)
{
	struct magazine *m;
	u64 irq = arch_irq_save();

	m = c->number < MAX_NUMBERED ? this_cpu(slab_magazines[c->number]) : NULL;
	if (unlikely(!m))
		m = magazine_make(c);
	if (likely(m)) {
		if (unlikely(m->count == m->capacity)) {
			u32 half = m->capacity / 2;

			cache_give(c, m->objs, half);
			m->count -= half;
			for (u32 i = 0; i < m->count; i++)
				m->objs[i] = m->objs[i + half];
		}
		m->objs[m->count++] = obj;
	} else {
		cache_give(c, &obj, 1);
	}
	arch_irq_restore(irq);
}

#ifdef DEBUG
/* Freed objects wait here, filled with a pattern, so that a second free and a write after the first are seen.
 */
#define QUARANTINE   1024
#define FREE_PATTERN 0xfbfbfbfbfbfbfbfbull
static struct {
	struct spinlock lock;
	u32 at; /* counts up to the oldest; guarded by lock, as are the slots */
	struct {
		struct slab_cache *cache;
		void *obj, *by;
	} slots[QUARANTINE];
} quarantine;

static bool is_filled(const struct slab_cache *c, const void *obj)
{
	for (u32 i = 0; i < c->size / 8; i++)
		if (((const u64 *)obj)[i] != FREE_PATTERN)
			return false;
	return true;
}

/* What a program wrote may look like the pattern: only one that lies here was freed. Quarantine lock held. */
static bool in_quarantine(const void *obj)
{
	for (u32 i = 0; i < QUARANTINE; i++)
		if (quarantine.slots[i].obj == obj)
			return true;
	return false;
}

void slab_free(struct slab_cache *c, void *obj)
{
	void *by = __builtin_return_address(0);
	u64 irq;

	if (!obj)
		return;
	irq = spin_lock_irqsave(&quarantine.lock);
	if (is_filled(c, obj) && in_quarantine(obj))
		panic("slab_free: an object of %s is freed twice", c->name);
	memset(obj, 0xfb, c->size);
	u32 at = quarantine.at++ % QUARANTINE;
	struct slab_cache *oldest = quarantine.slots[at].cache;
	void *old = quarantine.slots[at].obj, *freed_by = quarantine.slots[at].by;

	quarantine.slots[at].cache = c;
	quarantine.slots[at].obj = obj;
	quarantine.slots[at].by = by;
	atomic_fetch_add_explicit(&c->quarantined, 1, memory_order_relaxed);
	spin_unlock_irqrestore(&quarantine.lock, irq);
	if (!old)
		return;
	if (!is_filled(oldest, old))
		panic("slab_free: an object of %s was written after its free by %p", oldest->name, freed_by);
	atomic_fetch_sub_explicit(&oldest->quarantined, 1, memory_order_relaxed);
	give_back(oldest, old);
}
#else
void slab_free(struct slab_cache *c, void *obj)
{
	if (obj)
		give_back(c, obj);
}
#endif

u64 slab_shrink(void)
{
	u64 freed = 0;

	for (struct slab_cache *c = READ_ONCE(caches); c; c = c->next) {
		struct page *p = NULL;
		u64 irq = spin_lock_irqsave(&c->lock);

		if (c->empty) {
			p = list_last_entry(&c->partial, struct page, lru);
			if (in_use(p)) {
				p = NULL;
			} else {
				list_del(&p->lru);
				c->empty--;
				c->slabs--;
			}
		}
		spin_unlock_irqrestore(&c->lock, irq);
		if (p) {
			freed += 1ull << c->order;
			slab_destroy(c, p);
		}
	}
	return freed;
}

/* Objects of C that are out, but with nobody: free ones that are in no slab, and magazines. Other CPUs'
 * counts may be a moment old. */
static u64 set_aside(const struct slab_cache *c)
{
	u64 n = atomic_load_explicit(&c->magazines, memory_order_relaxed);

#ifdef DEBUG
	n += atomic_load_explicit(&c->quarantined, memory_order_relaxed);
#endif
	for (u32 cpu = 0; c->number < MAX_NUMBERED && cpu < cpu_count; cpu++) {
		const struct magazine *m = READ_ONCE(*per_cpu_ptr(&slab_magazines[c->number], cpu));

		n += m ? READ_ONCE(m->count) : 0;
	}
	return n;
}

bool slab_info(u32 index, struct slab_info *out)
{
	struct slab_cache *c = READ_ONCE(caches);
	u64 irq, spare;

	while (c && index--)
		c = c->next;
	if (!c)
		return false;
	spare = set_aside(c);
	irq = spin_lock_irqsave(&c->lock);
	*out = (struct slab_info){.name = c->name,
				  .size = c->size,
				  .per_slab = c->per_slab,
				  .pages = 1u << c->order,
				  .slabs = c->slabs,
				  .used = c->used - min(c->used, spare)};
	spin_unlock_irqrestore(&c->lock, irq);
	return true;
}
