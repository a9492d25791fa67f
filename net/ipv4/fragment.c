/* SPDX-License-Identifier: BSD-2-Clause */
/* Reassembly of IP fragments (RFC 791 3.2, RFC 8200 4.5), for both families.
 *
 * Invariants: a queue's fragments are sorted by offset and do not overlap (a queue that sees an overlap is
 * dropped whole, RFC 5722; exact duplicates are ignored); the table's memory stays within its limit by
 * dropping the oldest queues; a queue lives TIMEOUT at most. All under table->lock. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "net/hlist.h"
#include "net/ip.h"

#define BUCKETS	  64
#define LIMIT	  MIB(4) /* or a quarter of what all sockets may hold */
#define TIMEOUT	  (30 * NSEC_PER_SEC)
#define FRAGS_MAX 64 /* per datagram; a full one over the smallest usual link needs 45 */

static DEFINE_COUNTER(frag_overlaps, "datagrams dropped because fragments overlapped");
static DEFINE_COUNTER(frag_evictions, "incomplete datagrams dropped to stay within the memory limit");

struct frag_queue {
	struct list_head bucket_node, age_node;
	struct net_addr src, dst;
	u32 id, iif;
	u8 proto;
	struct list_head frags; /* packet.node, by offset */
	unsigned nfrags;
	u32 total; /* payload length, once the last fragment came; else 0 */
	u32 have;  /* payload bytes so far */
	u64 mem, expires;
};

struct frag_table {
	struct net_stack *net;
	struct spinlock lock;
	struct list_head buckets[BUCKETS], by_age;
	u64 mem;
	struct net_timer timer;
	bool armed;
};

/* The fragment's place, over the end of ip_cb in packet.cb. */
struct frag_cb {
	struct ip_cb ip;
	u32 off;
};
static u32 *frag_off(struct packet *p)
{
	_Static_assert(sizeof(struct frag_cb) <= sizeof(p->cb), "fragment control block");
	return &((struct frag_cb *)p->cb)->off;
}

static void queue_free(struct frag_table *t, struct frag_queue *q)
{
	list_del(&q->bucket_node);
	list_del(&q->age_node);
	t->mem -= q->mem;
	packet_queue_purge(&q->frags);
	kfree(q);
}

static void frag_timer(struct net_timer *timer)
{
	struct frag_table *t = container_of(timer, struct frag_table, timer);
	u64 now = clock_monotonic();
	struct list_head late = LIST_HEAD_INIT(late);

	net_lock(&t->lock);
	t->armed = false;
	while (!list_empty(&t->by_age)) {
		struct frag_queue *q = list_first_entry(&t->by_age, struct frag_queue, age_node);
		struct packet *first = list_first_entry(&q->frags, struct packet, node);

		if (q->expires > now) {
			t->armed = true;
			net_timer_set(&t->timer, q->expires);
			break;
		}
		mib_inc(t->net, MIB_IP_REASM_TIMEOUT);
		mib_inc(t->net, MIB_IP_REASM_FAILS);
		if (!list_empty(&q->frags) && *frag_off(first) == 0)
			list_move_tail(&first->node, &late);
		queue_free(t, q);
	}
	net_unlock(&t->lock);
	while (!list_empty(&late)) {
		struct packet *p = list_first_entry(&late, struct packet, node);

		list_del(&p->node);
		if (addr_is_v4(&ip_cb(p)->dst))
			icmp_send(t->net, p, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
		else
			icmp6_send(t->net, p, 3, 1, 0);
		packet_free(p);
	}
}

/* Stay within the limit: the oldest datagrams go, but not KEEP. */
static void evict(struct frag_table *t, const struct frag_queue *keep)
{
	struct frag_queue *q, *next;

	list_for_each_entry_safe (q, next, &t->by_age, age_node) {
		if (t->mem <= min((u64)LIMIT, t->net->mem_limit / 4))
			return;
		if (q == keep)
			continue;
		queue_free(t, q);
		counter_inc(&frag_evictions);
	}
}

static struct frag_queue *queue_find(struct frag_table *t, struct packet *p, u32 id)
{
	struct ip_cb *cb = ip_cb(p);
	struct {
		struct net_addr src, dst;
		u32 id, proto;
	} key = {cb->src, cb->dst, id, cb->proto};
	struct list_head *b = &t->buckets[siphash(&key, sizeof(key), &t->net->hash_key) % BUCKETS];
	struct frag_queue *q;

	list_for_each_entry (q, b, bucket_node)
		if (q->id == id && q->proto == cb->proto && q->iif == cb->iif &&
		    addr_equal(&q->src, &cb->src) && addr_equal(&q->dst, &cb->dst))
			return q;
	q = net_zalloc(sizeof(*q));
	if (!q)
		return NULL;
	q->src = cb->src;
	q->dst = cb->dst;
	q->id = id;
	q->iif = cb->iif;
	q->proto = cb->proto;
	q->mem = sizeof(*q);
	q->expires = clock_monotonic() + TIMEOUT;
	list_init(&q->frags);
	list_add(&q->bucket_node, b);
	list_add_tail(&q->age_node, &t->by_age);
	t->mem += q->mem;
	if (!t->armed) {
		t->armed = true;
		net_timer_set(&t->timer, q->expires);
	}
	return q;
}

/* Put P in its place. 1 taken, 0 duplicate, -EINVAL: the queue is bad, and P not on it. */
static int queue_insert(struct frag_table *t, struct frag_queue *q, struct packet *p, u32 off, bool more)
{
	u32 end = off + p->len, reach = 0;
	struct list_head *at;

	if (end > 65535 || (more && (p->len & 7)) || p->len == 0)
		return -EINVAL;
	if (!list_empty(&q->frags)) {
		struct packet *last = list_last_entry(&q->frags, struct packet, node);

		reach = *frag_off(last) + last->len;
	}
	if (q->total ? end > q->total || (!more && end != q->total) : !more && reach > end)
		return -EINVAL; /* beyond the datagram's end */
	if (!more)
		q->total = end;
	for (at = q->frags.prev; at != &q->frags; at = at->prev) {
		struct packet *o = list_entry(at, struct packet, node);
		u32 ooff = *frag_off(o), oend = ooff + o->len;

		if (ooff == off && oend == end)
			return 0;
		if (oend <= off)
			break;
		if (ooff < end)
			return -EINVAL;
	}
	if (q->nfrags >= FRAGS_MAX)
		return -EINVAL;
	*frag_off(p) = off;
	list_add(&p->node, at);
	q->nfrags++;
	q->have += p->len;
	q->mem += packet_truesize(p);
	t->mem += packet_truesize(p);
	return 1;
}

static struct packet *queue_join(struct frag_queue *q, u32 hdr_len)
{
	struct packet *first = list_first_entry(&q->frags, struct packet, node), *p;
	u32 hdr = first->transport_off - first->network_off;
	struct packet *out = packet_alloc(PACKET_HEADROOM, hdr + q->total);

	if (!out)
		return NULL;
	memcpy(packet_put(out, hdr), packet_network(first), hdr);
	list_for_each_entry (p, &q->frags, node)
		packet_copy_bits(p, 0, packet_put(out, p->len), p->len);
	out->dev = first->dev;
	out->protocol = first->protocol;
	out->ip_summed = first->dev->flags & 8 /* loopback */ ? PACKET_CSUM_VALID : PACKET_CSUM_NONE;
	memcpy(out->cb, first->cb, sizeof(struct ip_cb));
	out->network_off = PACKET_HEADROOM;
	out->transport_off = (u16)(PACKET_HEADROOM + hdr);
	packet_advance(out, hdr);
	if (addr_is_v4(&q->dst)) {
		struct iphdr *ip = (struct iphdr *)packet_network(out);

		ip->frag_off = 0;
		ip->tot_len = be16((u16)(hdr_len + q->total));
	}
	return out;
}

struct packet *frag_reassemble(struct net_stack *net, struct packet *p, u32 id, u32 off, bool more,
			       u32 hdr_len)
{
	struct frag_table *t = net->frags;
	struct packet *whole = NULL;
	struct frag_queue *q;
	int r;

	mib_inc(net, MIB_IP_REASM_REQDS);
	net_lock(&t->lock);
	q = queue_find(t, p, id);
	if (!q) {
		r = 0;
		goto out;
	}
	r = queue_insert(t, q, p, off, more);
	if (r < 0) {
		counter_inc(&frag_overlaps);
		mib_inc(net, MIB_IP_REASM_FAILS);
		queue_free(t, q);
	} else if (r && q->total && q->have == q->total) {
		whole = queue_join(q, hdr_len);
		mib_inc(net, whole ? MIB_IP_REASM_OKS : MIB_IP_REASM_FAILS);
		queue_free(t, q);
	} else if (r) {
		evict(t, q);
	}
out:
	net_unlock(&t->lock);
	if (r <= 0)
		packet_free(p);
	return whole;
}

int frag_init(struct net_stack *net)
{
	struct frag_table *t = kzalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->net = net;
	spin_init(&t->lock);
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&t->buckets[i]);
	list_init(&t->by_age);
	net_timer_init(&t->timer, frag_timer);
	net->frags = t;
	return 0;
}

void frag_destroy(struct net_stack *net)
{
	struct frag_table *t = net->frags;

	if (!t)
		return;
	net_timer_cancel(&t->timer);
	while (!list_empty(&t->by_age))
		queue_free(t, list_first_entry(&t->by_age, struct frag_queue, age_node));
	kfree(t);
	net->frags = NULL;
}
