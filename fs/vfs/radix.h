/* SPDX-License-Identifier: BSD-2-Clause */
/* Radix tree from 64-bit index to non-NULL pointer, 64-way. Look-ups run under RCU beside one change at a
 * time, for which the caller holds a lock of its own. A tree with index 0 alone has no node. Pointers are
 * 4-byte aligned at least. */
#pragma once

#include "base/types.h"

/* The root is a void * that starts as NULL. */
void *radix_find(void *const *root, u64 index);	      /* under RCU or the lock */
int radix_insert(void **root, u64 index, void *item); /* the slot is empty. -ENOMEM */
void *radix_delete(void **root, u64 index);	      /* the item, or NULL. Never allocates */
/* The first item at or above *INDEX, which is then its index; NULL at the end. Under RCU or the lock. */
void *radix_next(void *const *root, u64 *index);
