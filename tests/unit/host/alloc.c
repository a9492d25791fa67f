// SPDX-License-Identifier: BSD-2-Clause
/* kernel/alloc.h over malloc, with fault injection. Every function is weak: a test may link kernel/mm's own.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "kernel/alloc.h"
#include "kernel/fail.h"

static _Atomic u64 attempts, fail_at = ~0ull, live;

struct slab_cache {
	const char *name;
	size_t size, align;
};

#ifdef DEBUG
/* The kernel's own failures on demand are for guests. */
__weak bool alloc_should_fail(void)
{
	return false;
}
__weak void alloc_fail_enter(void)
{
}
__weak void alloc_fail_leave(void)
{
}
#endif

bool host_alloc_should_fail(void)
{
	return atomic_fetch_add(&attempts, 1) >= fail_at;
}

void host_alloc_fail_after(u64 n)
{
	fail_at = attempts + n;
}

void host_alloc_fail_never(void)
{
	fail_at = ~0ull;
}

u64 host_alloc_count(void)
{
	return attempts;
}

u64 host_heap_live(void)
{
	return live;
}

static void *take(size_t size, size_t align)
{
	void *p;

	if (host_alloc_should_fail() || posix_memalign(&p, align, size ? size : 1))
		return NULL;
	memset(p, 0xa5, size);
	live++;
	return p;
}

static size_t natural_align(size_t size)
{
	if (size > 16 && !(size & (size - 1)))
		return size < PAGE_SIZE ? size : PAGE_SIZE;
	return 16;
}

__weak void *kmalloc(size_t size)
{
	return size > MIB(4) ? NULL : take(size, natural_align(size));
}

__weak void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

__weak void *kcalloc(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kzalloc(bytes);
}

__weak void *krealloc(void *p, size_t size)
{
	void *q = kmalloc(size);

	if (q && p) {
		memcpy(q, p, min(size, malloc_usable_size(p)));
		kfree(p);
	}
	return q;
}

__weak void kfree(void *p)
{
	if (p)
		live--;
	free(p);
}

__weak char *kstrdup(const char *s)
{
	return kstrndup(s, strlen(s));
}

__weak char *kstrndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = kmalloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = 0;
	}
	return p;
}

__weak struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *c;

	if (host_alloc_should_fail())
		return NULL;
	/* Caches live for ever, in the kernel as here: static, so that the leak check does not count them. */
	static struct slab_cache caches[256];
	static unsigned used;

	if (used == ARRAY_SIZE(caches))
		abort();
	c = &caches[used++];
	*c = (struct slab_cache){name, size, max(align, (size_t)16)};
	return c;
}

__weak void *slab_alloc(struct slab_cache *c)
{
	return take(c->size, c->align);
}

__weak void *slab_zalloc(struct slab_cache *c)
{
	void *p = slab_alloc(c);

	return p ? memset(p, 0, c->size) : NULL;
}

__weak void slab_free(struct slab_cache *c, void *p)
{
	if (p)
		live--;
	free(p);
}

__weak void *vmalloc(size_t size)
{
	return take(ALIGN_UP(size, PAGE_SIZE), PAGE_SIZE);
}

__weak void vfree(void *p)
{
	kfree(p);
}

__weak void *kstack_alloc(void)
{
	return take(KSTACK_SIZE, PAGE_SIZE);
}

__weak void kstack_free(void *stack)
{
	kfree(stack);
}

__weak void slab_cache_reclaimable(struct slab_cache *c)
{
}
