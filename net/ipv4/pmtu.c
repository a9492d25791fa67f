/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of path MTUs (RFC 1191, 8201): a small table by destination, each entry valid for ten
 * minutes. A slot that another destination hashes to is taken over: the worst that a flood does is to make us
 * learn again. Under table->lock. */
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/ip.h"

#define SLOTS	 64
#define LIFETIME (600 * NSEC_PER_SEC)

struct pmtu_table {
	struct spinlock lock;
	_Atomic u32 used; /* entries ever made: zero skips the look-up */
	struct pmtu_entry {
		struct net_addr dst;
		u32 mtu;
		u64 expires;
	} slot[SLOTS];
};

static struct pmtu_entry *slot(struct net_stack *net, const struct net_addr *dst)
{
	return &net->pmtu->slot[siphash(dst, sizeof(*dst), &net->hash_key) % SLOTS];
}

void pmtu_update(struct net_stack *net, const struct net_addr *dst, u32 mtu)
{
	struct pmtu_entry *e = slot(net, dst);
	u32 floor = addr_is_v4(dst) ? 552 : 1280;
	u64 now = clock_monotonic();

	mtu = max(mtu, floor);
	net_lock(&net->pmtu->lock);
	if (!addr_equal(&e->dst, dst) || e->expires < now || mtu < e->mtu) {
		e->dst = *dst;
		e->mtu = mtu;
		e->expires = now + LIFETIME;
		atomic_store_explicit(&net->pmtu->used, 1, memory_order_relaxed);
	}
	net_unlock(&net->pmtu->lock);
}

u32 pmtu_get(struct net_stack *net, const struct net_addr *dst, u32 link_mtu)
{
	struct pmtu_entry *e;
	u32 mtu = link_mtu;

	if (likely(!atomic_load_explicit(&net->pmtu->used, memory_order_relaxed)))
		return mtu;
	e = slot(net, dst);
	net_lock(&net->pmtu->lock);
	if (addr_equal(&e->dst, dst) && e->expires > clock_monotonic())
		mtu = min(mtu, e->mtu);
	net_unlock(&net->pmtu->lock);
	return mtu;
}

int pmtu_init(struct net_stack *net)
{
	net->pmtu = kzalloc(sizeof(*net->pmtu));
	return net->pmtu ? 0 : -ENOMEM;
}

void pmtu_destroy(struct net_stack *net)
{
	kfree(net->pmtu);
	net->pmtu = NULL;
}
