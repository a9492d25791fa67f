/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference counts. A count that reached zero never rises again; refcount_get_unless_zero is for look-ups under RCU. */
#pragma once

#include "base/types.h"

struct refcount {
	_Atomic u32 n;
};

static inline void refcount_set(struct refcount *r, u32 n)
{
	atomic_store_explicit(&r->n, n, memory_order_relaxed);
}

static inline u32 refcount_read(const struct refcount *r)
{
	return atomic_load_explicit(&((struct refcount *)r)->n, memory_order_relaxed);
}

static inline void refcount_get(struct refcount *r)
{
	atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}

static inline bool __must_check refcount_get_unless_zero(struct refcount *r)
{
	u32 n = atomic_load_explicit(&r->n, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak_explicit(&r->n, &n, n + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

/* True when this was the last reference: the caller frees. */
static inline bool __must_check refcount_put(struct refcount *r)
{
	if (atomic_fetch_sub_explicit(&r->n, 1, memory_order_release) != 1)
		return false;
	atomic_thread_fence(memory_order_acquire);
	return true;
}
