// SPDX-License-Identifier: BSD-2-Clause
/* kmalloc: slab caches of rising sizes up to half a page, whole page blocks above. The block's struct page
 * tells kfree() which it was. Contract in kernel/alloc.h. */
#include "base/bits.h"
#include "base/string.h"
#include "internal.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "slab.h"

/* Sizes between powers of two keep the waste below a quarter. A power of two is aligned to itself. */
static const u16 kmalloc_sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1360, 2048};
static struct slab_cache kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)];
static const char *const kmalloc_names[] = {"kmalloc-16",   "kmalloc-32",  "kmalloc-48",  "kmalloc-64",
					    "kmalloc-96",   "kmalloc-128", "kmalloc-192", "kmalloc-256",
					    "kmalloc-384",  "kmalloc-512", "kmalloc-768", "kmalloc-1k",
					    "kmalloc-1360", "kmalloc-2k"};
static u8 kmalloc_index[2048 / 16 + 1]; /* by (size + 15) / 16 */

void slab_init(void)
{
	slab_core_init();
	for (u32 i = 0, cls = 0; i < ARRAY_SIZE(kmalloc_index); i++) {
		if (i * 16 > kmalloc_sizes[cls])
			cls++;
		kmalloc_index[i] = (u8)cls;
	}
	for (u32 i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++) {
		u32 size = kmalloc_sizes[i];

		slab_cache_setup(&kmalloc_caches[i], kmalloc_names[i], size, is_power_of_2(size) ? size : 16);
	}
}

struct slab_cache *kmalloc_cache(size_t size)
{
	return size <= 2048 ? &kmalloc_caches[kmalloc_index[(size + 15) / 16]] : NULL;
}

void *kmalloc(size_t size)
{
	struct page *p;
	unsigned order;

	if (likely(size <= 2048))
		return slab_alloc(&kmalloc_caches[kmalloc_index[(size + 15) / 16]]);
	if (size > PAGE_SIZE << PAGE_MAX_ORDER)
		return NULL;
	order = log2_ceil((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	p = page_alloc(order, arch_irqs_on() ? 0 : PAGE_NORECLAIM);
	return p ? page_to_virt(p) : NULL;
}

/* Usable bytes of a kmalloc block. */
static size_t block_size(const void *obj)
{
	struct page *p = virt_to_page(obj);

	return p->flags & PAGE_SLAB ? slab_owner(p)->size : PAGE_SIZE << p->order;
}

void kfree(void *obj)
{
	struct page *p;

	if (!obj)
		return;
	p = virt_to_page(obj);
	ASSERT(p);
	if (likely(p->flags & PAGE_SLAB))
		slab_free(slab_owner(p), obj);
	else
		page_free(p, p->order);
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *kcalloc(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kzalloc(bytes);
}

void *krealloc(void *old, size_t size)
{
	size_t have = old ? block_size(old) : 0;
	void *p;

	if (old && size <= have && size * 2 > have)
		return old;
	p = kmalloc(size);
	if (p && old) {
		memcpy(p, old, min(have, size));
		kfree(old);
	}
	return p;
}

char *kstrndup(const char *s, size_t max_len)
{
	size_t n = strnlen(s, max_len);
	char *p = kmalloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = 0;
	}
	return p;
}

char *kstrdup(const char *s)
{
	return kstrndup(s, SIZE_MAX - 1);
}
