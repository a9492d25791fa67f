/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours: which link address an on-link IP address has (RFC 826, 4861 section 7.3).
 *
 * An entry is INCOMPLETE while it is asked for, and holds the packets that wait; REACHABLE while the peer
 * confirms; STALE when that got old. A packet for a STALE entry goes out at once and starts DELAY, then
 * unicast PROBEs; without an answer it is FAILED and its packets fail their sockets. Buckets are RCU chains
 * changed under table->lock; an entry's fields are guarded by its own lock; table->lock goes first. The
 * running timer holds a reference. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/abi.h"
#include "net/hlist.h"
#include "net/icmp_local.h"
#include "net/ip.h"
#include "net/netlink.h"

#define BUCKETS	    64
#define MAX_ENTRIES 1024
#define QUEUE_MAX   64	 /* packets that wait for one neighbour */
#define WAITING_MAX 1024 /* ... and for all */
#define PROBES	    3
#define RETRANS_NS  (1 * NSEC_PER_SEC)
#define DELAY_NS    (5 * NSEC_PER_SEC)
#define LOCK_NS	    (1 * NSEC_PER_SEC) /* the first answer counts, where several stations answer */
#define GC_STALE_NS (60 * NSEC_PER_SEC)
#define FAILED_NS   (3 * NSEC_PER_SEC)
#define NUD_VALID_  (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static DEFINE_COUNTER(neigh_table_full, "neighbour entries refused because the table was full");
static DEFINE_COUNTER(neigh_queue_drops, "packets dropped while their neighbour was being resolved");
static DEFINE_COUNTER(neigh_failures, "neighbours that did not answer");

struct neigh {
	struct hnode node;
	struct rcu_head rcu;
	struct refcount ref; /* the table's, the timer's, look-ups' */
	struct netdev *dev;
	struct net_addr addr;
	struct spinlock lock;
	u8 mac[6];
	u16 state;
	u8 probes;
	bool dead; /* off the table */
	bool armed;
	u64 confirmed, used, updated;
	struct list_head queue;
	unsigned qlen;
	struct net_timer timer;
};

struct neigh_table {
	struct spinlock lock;
	u32 count;
	_Atomic u32 waiting; /* packets on all queues */
	struct hlist buckets[BUCKETS];
};

static struct hlist *bucket(struct net_stack *net, const struct netdev *dev, const struct net_addr *addr)
{
	u64 key[3] = {addr->q[0], addr->q[1], dev->index};

	return &net->neigh->buckets[siphash(key, sizeof(key), &net->hash_key) % BUCKETS];
}

static void neigh_rcu_free(struct rcu_head *h)
{
	kfree(container_of(h, struct neigh, rcu));
}

/* What is known of N; its lock held, or a snapshot. */
static struct neigh_info info_of(const struct neigh *n)
{
	struct neigh_info info = {.dev = n->dev,
				  .addr = n->addr,
				  .state = n->state,
				  .confirmed = n->confirmed,
				  .used = n->used,
				  .updated = n->updated};

	memcpy(info.mac, n->mac, 6);
	return info;
}

static void tell(const struct neigh *n, bool removed)
{
	struct neigh_info info = info_of(n);

	rtnl_notify_neigh(&info, removed);
}

static void count_waiting(struct neigh *n, u32 less)
{
	n->qlen -= less;
	atomic_fetch_sub_explicit(&net_if(n->dev)->net->neigh->waiting, less, memory_order_relaxed);
}

static void neigh_put(struct neigh *n)
{
	if (refcount_put(&n->ref)) {
		count_waiting(n, n->qlen);
		packet_queue_purge(&n->queue);
		rcu_call(&n->rcu, neigh_rcu_free);
	}
}

static void arm(struct neigh *n, u64 when)
{
	if (n->armed) {
		if (!net_timer_cancel(&n->timer))
			return; /* it runs now: it will look at the state again */
	} else {
		n->armed = true;
		refcount_get(&n->ref);
	}
	net_timer_set(&n->timer, when);
}

static void solicit(struct neigh *n, bool unicast)
{
	struct netdev *dev = n->dev;
	u8 mac[6];

	memcpy(mac, n->mac, 6);
	spin_unlock(&n->lock); /* sending may come back for another entry */
	if (addr_is_v4(&n->addr))
		arp_request(dev, n->addr.w[3], 0, unicast ? mac : NULL);
	else
		nd_solicit(dev, &n->addr, unicast ? mac : NULL);
	spin_lock(&n->lock);
}

static void fail(struct neigh *n, struct list_head *out)
{
	n->state = NUD_FAILED;
	n->updated = clock_monotonic();
	tell(n, false);
	list_splice_tail_init(&n->queue, out);
	count_waiting(n, n->qlen);
	counter_inc(&neigh_failures);
}

static void neigh_timer(struct net_timer *t)
{
	struct neigh *n = container_of(t, struct neigh, timer);
	struct list_head failed = LIST_HEAD_INIT(failed);
	u64 now = clock_monotonic();

	net_lock(&n->lock);
	n->armed = false;
	if (n->dead)
		goto out;
	switch (n->state) {
	case NUD_DELAY:
		n->state = NUD_PROBE;
		n->probes = 0;
		tell(n, false);
		/* fall through */
	case NUD_PROBE:
	case NUD_INCOMPLETE:
		if (n->probes++ >= PROBES) {
			fail(n, &failed);
			break;
		}
		arm(n, now + RETRANS_NS);
		solicit(n, n->state == NUD_PROBE);
		break;
	}
out:
	net_unlock(&n->lock);
	while (!list_empty(&failed)) {
		struct packet *p = list_first_entry(&failed, struct packet, node);

		list_del(&p->node);
		icmp_local_unreachable(net_if(n->dev)->net, p);
		packet_free(p);
	}
	neigh_put(n);
}

/* Under table->lock. */
static void unlink_entry(struct neigh_table *t, struct neigh *n)
{
	hlist_del(&n->node);
	t->count--;
	spin_lock(&n->lock);
	n->dead = true;
	tell(n, true);
	if (net_if(n->dev)->last_neigh == n)
		WRITE_ONCE(net_if(n->dev)->last_neigh, NULL);
	if (n->armed && net_timer_cancel(&n->timer)) {
		n->armed = false;
		(void)!refcount_put(&n->ref); /* the table's is still there */
	}
	spin_unlock(&n->lock);
	neigh_put(n);
}

static void collect(struct neigh_table *t, u64 age)
{
	u64 now = clock_monotonic();

	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct hnode *h = t->buckets[i].first, *next; h; h = next) {
			struct neigh *n = container_of(h, struct neigh, node);

			next = h->next;
			if ((n->state & (NUD_STALE | NUD_FAILED)) && now - n->used > age)
				unlink_entry(t, n);
		}
}

static struct neigh *find(struct net_stack *net, const struct netdev *dev, const struct net_addr *addr)
{
	struct neigh *n;

	hlist_for_each_entry(n, bucket(net, dev, addr),
			     node) if (n->dev == dev && addr_equal(&n->addr, addr)) return n;
	return NULL;
}

/* Find or make. Inside a section: the entry stays valid until the section's RCU stretch ends. */
static struct neigh *find_or_create(struct netdev *dev, const struct net_addr *addr)
{
	struct net_stack *net = net_if(dev)->net;
	struct neigh_table *t = net->neigh;
	struct neigh *n = find(net, dev, addr), *made;

	if (n)
		return n;
	made = net_zalloc(sizeof(*made));
	if (!made)
		return NULL;
	net_lock(&t->lock);
	n = find(net, dev, addr);
	if (!n && t->count >= MAX_ENTRIES)
		collect(t, GC_STALE_NS);
	if (!n && t->count >= MAX_ENTRIES)
		collect(t, 0);
	if (!n && t->count < MAX_ENTRIES) {
		n = made;
		made = NULL;
		refcount_set(&n->ref, 1);
		spin_init(&n->lock);
		list_init(&n->queue);
		net_timer_init(&n->timer, neigh_timer);
		n->dev = dev;
		n->addr = *addr;
		n->used = clock_monotonic();
		hlist_add(bucket(net, dev, addr), &n->node);
		t->count++;
	}
	net_unlock(&t->lock);
	if (!n)
		counter_inc(&neigh_table_full);
	kfree(made);
	return n;
}

static int send_to(struct netdev *dev, const u8 *mac, struct packet *p)
{
	struct eth_header *eth;

	if (packet_headroom(p) < ETH_HDR_LEN) {
		struct packet *c = packet_copy(p, PACKET_HEADROOM);

		packet_free(p);
		if (!c)
			return -ENOBUFS;
		p = c;
	}
	eth = (struct eth_header *)packet_push(p, ETH_HDR_LEN);
	memcpy(eth->dst, mac, 6);
	memcpy(eth->src, dev->mac, 6);
	eth->type = be16(p->protocol);
	return netdev_send(dev, p);
}

static void multicast_mac(const struct net_addr *a, u8 mac[6])
{
	if (addr_is_v4(a)) { /* RFC 1112 6.4 */
		mac[0] = 1;
		mac[1] = 0;
		mac[2] = 0x5e;
		mac[3] = a->b[13] & 0x7f;
		mac[4] = a->b[14];
		mac[5] = a->b[15];
	} else { /* RFC 2464 7 */
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, &a->b[12], 4);
	}
}

/* The entry cannot be used yet: keep P until it can. Entry locked. */
static void enqueue(struct neigh *n, struct packet *p)
{
	_Atomic u32 *waiting = &net_if(n->dev)->net->neigh->waiting;

	if (n->qlen >= QUEUE_MAX ||
	    (n->qlen && atomic_load_explicit(waiting, memory_order_relaxed) >= WAITING_MAX)) {
		struct packet *old = list_first_entry(&n->queue, struct packet, node);

		list_del(&old->node);
		packet_free(old);
		count_waiting(n, 1);
		counter_inc(&neigh_queue_drops);
	}
	list_add_tail(&p->node, &n->queue);
	n->qlen++;
	atomic_fetch_add_explicit(waiting, 1, memory_order_relaxed);
}

int neigh_output(struct netdev *dev, const struct net_addr *nexthop, struct packet *p)
{
	struct net_stack *net = net_if(dev)->net;
	struct neigh *n;
	u64 now;
	u8 mac[6];

	if (dev->flags & IFF_LOOPBACK)
		return netdev_send(dev, p);
	if (addr_is_multicast(nexthop)) {
		multicast_mac(nexthop, mac);
		return send_to(dev, mac, p);
	}
	if (addr_is_v4(nexthop) && net_addr_is_broadcast(net, nexthop->w[3], dev)) {
		memset(mac, 0xff, 6);
		return send_to(dev, mac, p);
	}
	net_enter();
	n = READ_ONCE(net_if(dev)->last_neigh); /* most hosts have one router: no need to hash its address */
	if (!n || !addr_equal(&n->addr, nexthop))
		n = find_or_create(dev, nexthop);
	if (!n) {
		net_leave();
		packet_free(p);
		return -ENOBUFS;
	}
	now = clock_monotonic();
	net_lock(&n->lock);
	if (!n->dead)
		WRITE_ONCE(net_if(dev)->last_neigh, n);
	n->used = now;
	if (n->state == NUD_REACHABLE && now - n->confirmed > net_if(dev)->reachable_ms * NSEC_PER_MSEC)
		n->state = NUD_STALE;
	if (n->state == NUD_STALE) {
		n->state = NUD_DELAY;
		arm(n, now + DELAY_NS);
	}
	if (n->state & NUD_VALID_) {
		memcpy(mac, n->mac, 6);
		net_unlock(&n->lock);
		net_leave();
		return send_to(dev, mac, p);
	}
	enqueue(n, p);
	if (n->state != NUD_INCOMPLETE) {
		n->state = NUD_INCOMPLETE;
		n->probes = 1;
		arm(n, now + RETRANS_NS);
		solicit(n, false);
	}
	net_unlock(&n->lock);
	net_leave();
	return 0;
}

void neigh_update(struct netdev *dev, const struct net_addr *addr, const u8 mac[6], bool confirmed,
		  enum neigh_override override, bool create)
{
	struct list_head ready = LIST_HEAD_INIT(ready);
	struct neigh *n;
	u64 now = clock_monotonic();

	if ((mac[0] & 1) || addr_is_any(addr) || addr_is_multicast(addr))
		return;
	net_enter();
	n = create ? find_or_create(dev, addr) : find(net_if(dev)->net, dev, addr);
	if (!n)
		goto out;
	net_lock(&n->lock);
	if (!(n->state & (NUD_PERMANENT | NUD_NOARP))) {
		bool known = n->state & NUD_VALID_, differs = known && memcmp(n->mac, mac, 6) != 0;
		u16 before = n->state;

		if (differs && override == NEIGH_DOUBT) {
			if (n->state == NUD_REACHABLE)
				n->state = NUD_STALE;
		} else if (!differs || override == NEIGH_REPLACE || now - n->updated > LOCK_NS) {
			memcpy(n->mac, mac, 6);
			if (confirmed) {
				n->state = NUD_REACHABLE;
				n->confirmed = now;
			} else if (!known || differs) {
				n->state = NUD_STALE;
			}
			if (!known || differs || n->state != before) {
				n->updated = now;
				tell(n, false);
			}
			list_splice_tail_init(&n->queue, &ready);
			count_waiting(n, n->qlen);
		}
	}
	net_unlock(&n->lock);
	while (!list_empty(&ready)) {
		struct packet *p = list_first_entry(&ready, struct packet, node);

		list_del(&p->node);
		send_to(dev, mac, p);
	}
out:
	net_leave();
}

void neigh_confirm(struct netdev *dev, const struct net_addr *addr)
{
	struct neigh *n;

	if (dev->flags & IFF_LOOPBACK)
		return;
	net_enter();
	n = find(net_if(dev)->net, dev, addr);
	if (n) {
		net_lock(&n->lock);
		if (n->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) {
			n->state = NUD_REACHABLE;
			n->confirmed = clock_monotonic();
		}
		net_unlock(&n->lock);
	}
	net_leave();
}

void neigh_flush_dev(struct netdev *dev)
{
	struct neigh_table *t = net_if(dev)->net->neigh;

	net_lock(&t->lock);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct hnode *h = t->buckets[i].first, *next; h; h = next) {
			struct neigh *n = container_of(h, struct neigh, node);

			next = h->next;
			if (n->dev == dev)
				unlink_entry(t, n);
		}
	net_unlock(&t->lock);
}

void neigh_for_each(struct net_stack *net, bool (*fn)(const struct neigh_info *, void *), void *arg)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct neigh *n;

		hlist_for_each_entry(n, &net->neigh->buckets[i], node)
		{
			struct neigh_info info = info_of(n);

			if (!fn(&info, arg))
				return;
		}
	}
}

int neigh_set(struct netdev *dev, const struct net_addr *addr, const u8 mac[6], u16 state)
{
	struct neigh *n;

	neigh_update(dev, addr, mac, true, NEIGH_REPLACE, true);
	net_enter();
	n = find(net_if(dev)->net, dev, addr);
	if (n && state) {
		net_lock(&n->lock);
		memcpy(n->mac, mac, 6); /* neigh_update leaves a permanent entry alone */
		n->state = state;
		n->updated = n->confirmed = clock_monotonic();
		tell(n, false);
		net_unlock(&n->lock);
	}
	net_leave();
	return n ? 0 : -ENOMEM;
}

int neigh_remove(struct netdev *dev, const struct net_addr *addr)
{
	struct neigh_table *t = net_if(dev)->net->neigh;
	struct neigh *n;

	net_lock(&t->lock);
	n = find(net_if(dev)->net, dev, addr);
	if (n)
		unlink_entry(t, n);
	net_unlock(&t->lock);
	return n ? 0 : -ENOENT;
}

int neigh_init(struct net_stack *net)
{
	net->neigh = kzalloc(sizeof(*net->neigh));
	if (!net->neigh)
		return -ENOMEM;
	spin_init(&net->neigh->lock);
	return 0;
}

void neigh_destroy(struct net_stack *net)
{
	if (!net->neigh)
		return;
	for (u32 i = 0; i < net->ndevs; i++)
		neigh_flush_dev(net->devs[i]);
	kfree(net->neigh);
	net->neigh = NULL;
}
