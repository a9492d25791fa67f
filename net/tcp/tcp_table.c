/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection table: SipHash of the four-tuple picks an RCU chain; writers hold the chain's lock (one of
 * 64). Listeners hang by port in a table of their own. Look-ups return references. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/page.h"
#include "net/tcp.h"

static u32 hash_tuple(struct net_stack *net, const struct net_addr *laddr, u16 lport,
		      const struct net_addr *faddr, u16 fport)
{
	u64 key[4];

	if (addr_is_v4(laddr)) { /* half the work for the usual case */
		key[0] = (u64)laddr->w[3] << 32 | faddr->w[3];
		key[1] = (u64)lport << 16 | fport;
		return (u32)siphash(key, 16, &net->hash_key);
	}
	key[0] = laddr->q[0] ^ (u64)lport << 16 ^ fport;
	key[1] = laddr->q[1];
	key[2] = faddr->q[0];
	key[3] = faddr->q[1];
	return (u32)siphash(key, 32, &net->hash_key);
}

static struct spinlock *chain_lock(struct tcp_stack *t, u32 h)
{
	return &t->locks[(h & t->mask) % ARRAY_SIZE(t->locks)];
}

static bool matches(const struct tcp_entry *e, const struct net_addr *laddr, u16 lport,
		    const struct net_addr *faddr, u16 fport)
{
	if (e->timewait) {
		const struct tcp_tw *tw = container_of(e, const struct tcp_tw, entry);

		return tw->lport == lport && tw->fport == fport && addr_equal(&tw->faddr, faddr) &&
		       addr_equal(&tw->laddr, laddr);
	} else {
		const struct inet_sock *i = &container_of(e, const struct tcp_sock, entry)->inet;

		return i->lport == lport && i->fport == fport && addr_equal(&i->faddr, faddr) &&
		       addr_equal(&i->laddr, laddr);
	}
}

static bool get_entry(struct tcp_entry *e)
{
	if (e->timewait)
		return refcount_get_unless_zero(&container_of(e, struct tcp_tw, entry)->ref);
	return refcount_get_unless_zero(&container_of(e, struct tcp_sock, entry)->inet.s.ref);
}

static struct tcp_entry *find(struct hlist *chain, const struct net_addr *laddr, u16 lport,
			      const struct net_addr *faddr, u16 fport)
{
	struct tcp_entry *e;

	hlist_for_each_entry(e, chain, node) if (matches(e, laddr, lport, faddr, fport)) return e;
	return NULL;
}

struct tcp_entry *tcp_lookup(struct net_stack *net, const struct net_addr *laddr, u16 lport,
			     const struct net_addr *faddr, u16 fport)
{
	struct tcp_stack *t = net->tcp;
	struct tcp_entry *e;

	rcu_read_lock();
	e = find(&t->table[hash_tuple(net, laddr, lport, faddr, fport) & t->mask], laddr, lport, faddr,
		 fport);
	if (e && !get_entry(e))
		e = NULL;
	rcu_read_unlock();
	return e;
}

/* Enter E unless its four-tuple is taken by something else than a TIME-WAIT that may be reused (then that one
 * goes). */
static int enter(struct net_stack *net, struct tcp_entry *e, const struct inet_sock *i,
		 struct tcp_tw **reused)
{
	struct tcp_stack *t = net->tcp;
	u32 h = hash_tuple(net, &i->laddr, i->lport, &i->faddr, i->fport);
	struct hlist *chain = &t->table[h & t->mask];
	struct tcp_entry *old;
	int err = 0;

	net_lock(chain_lock(t, h));
	old = find(chain, &i->laddr, i->lport, &i->faddr, i->fport);
	if (old && old != e) {
		struct tcp_tw *tw = container_of(old, struct tcp_tw, entry);

		/* RFC 6191: with timestamps a TIME-WAIT may be reused after a second. */
		if (reused && old->timewait && tw->ts_ok &&
		    tcp_seconds(clock_monotonic()) != tw->ts_recent_s && refcount_get_unless_zero(&tw->ref)) {
			*reused = tw;
			hlist_del(&old->node);
		} else {
			err = -EADDRNOTAVAIL;
		}
	}
	if (!err)
		hlist_add(chain, &e->node);
	net_unlock(chain_lock(t, h));
	return err;
}

int tcp_hash(struct tcp_sock *tp)
{
	return enter(tcp_net(tp), &tp->entry, &tp->inet, NULL);
}

void tcp_unhash(struct tcp_sock *tp)
{
	struct inet_sock *i = &tp->inet;
	struct tcp_stack *t = tcp_net(tp)->tcp;
	struct spinlock *l;

	if (!hnode_hashed(&tp->entry.node))
		return;
	l = tp->state == TCP_STATE_LISTEN
		    ? &t->listen_lock
		    : chain_lock(t, hash_tuple(tcp_net(tp), &i->laddr, i->lport, &i->faddr, i->fport));
	net_lock(l);
	hlist_del(&tp->entry.node);
	net_unlock(l);
}

bool tcp_tw_hash(struct tcp_tw *tw, struct tcp_sock *replaces)
{
	struct tcp_stack *t = tw->net->tcp;
	u32 h = hash_tuple(tw->net, &tw->laddr, tw->lport, &tw->faddr, tw->fport);
	struct hlist *chain = &t->table[h & t->mask];
	bool was;

	net_lock(chain_lock(t, h));
	was = hnode_hashed(&replaces->entry.node);
	if (was) {
		hlist_add(chain, &tw->entry.node); /* first in, then out: no look-up finds neither */
		hlist_del(&replaces->entry.node);
	}
	net_unlock(chain_lock(t, h));
	return was;
}

void tcp_tw_unhash(struct tcp_tw *tw)
{
	struct tcp_stack *t = tw->net->tcp;
	struct spinlock *l = chain_lock(t, hash_tuple(tw->net, &tw->laddr, tw->lport, &tw->faddr, tw->fport));

	net_lock(l);
	hlist_del(&tw->entry.node);
	net_unlock(l);
}

static struct hlist *listen_chain(struct tcp_stack *t, u16 port)
{
	return &t->listeners[port % ARRAY_SIZE(t->listeners)];
}

void tcp_listen_hash(struct tcp_sock *tp)
{
	struct tcp_stack *t = tcp_net(tp)->tcp;

	net_lock(&t->listen_lock);
	hlist_add(listen_chain(t, tp->inet.lport), &tp->entry.node);
	net_unlock(&t->listen_lock);
}

static int listen_score(struct tcp_sock *tp, const struct net_addr *laddr, u16 lport, u32 iif)
{
	struct inet_sock *i = &tp->inet;
	int n = 1;

	if (i->lport != lport || tp->state != TCP_STATE_LISTEN)
		return 0;
	if (addr_is_any(&i->laddr)) {
		if (addr_is_v4(laddr) ? i->s.family == AF_INET6 && inet_flag(i, INETF_V6ONLY)
				      : i->s.family == AF_INET)
			return 0;
	} else {
		if (!addr_equal(&i->laddr, laddr))
			return 0;
		n += 4;
	}
	if (i->s.bound_if) {
		if (i->s.bound_if != iif)
			return 0;
		n += 4;
	}
	if (i->s.family == AF_INET && addr_is_v4(laddr))
		n += 2;
	if (READ_ONCE(i->s.incoming_cpu) == (s32)cpu_id()) /* SO_INCOMING_CPU spreads a reuse group */
		n++;
	return n;
}

struct tcp_sock *tcp_lookup_listener(struct net_stack *net, const struct net_addr *laddr, u16 lport,
				     const struct net_addr *faddr, u16 fport, u32 iif, struct packet *p)
{
	const struct hlist *chain = listen_chain(net->tcp, lport);
	struct tcp_sock *tp, *best = NULL;
	int best_score = 0;
	u32 group = 0;
	u64 hash = 0;

	rcu_read_lock();
	hlist_for_each_entry(tp, chain, entry.node)
	{
		int n = listen_score(tp, laddr, lport, iif);

		if (!n || n < best_score)
			continue;
		if (n > best_score) {
			best = tp;
			best_score = n;
			group = 1;
		} else if (socket_flag(&tp->inet.s, SOCKF_REUSEPORT)) {
			if (group == 1)
				hash = hash_tuple(net, laddr, lport, faddr, fport);
			if (hash % ++group == 0)
				best = tp;
		}
	}
	if (best && p && socket_flag(&best->inet.s, SOCKF_REUSEPORT))
		best = container_of(inet_group_choose(chain, offsetof(struct tcp_sock, entry.node),
						      &best->inet, p,
						      ((const struct tcphdr *)p->data)->doff * 4u),
				    struct tcp_sock, inet);
	if (best && !refcount_get_unless_zero(&best->inet.s.ref))
		best = NULL;
	rcu_read_unlock();
	return best;
}

/* Is PORT free for a connection of I's that the user did not bind? Then enter it. Slot lock held. */
static bool take_port(struct tcp_sock *tp, struct port_slot *slot, u16 port, struct tcp_tw **reused)
{
	struct inet_sock *i = &tp->inet, *b;

	hlist_for_each_entry(b, &slot->socks,
			     port_node) if (b->lport == port && inet_flag(b, INETF_BOUND_PORT)) return false;
	i->lport = port;
	if (enter(tcp_net(tp), &tp->entry, i, reused)) {
		i->lport = 0;
		return false;
	}
	hlist_add(&slot->socks, &i->port_node);
	return true;
}

int tcp_connect_port(struct tcp_sock *tp)
{
	struct inet_sock *i = &tp->inet;
	struct net_stack *net = tcp_net(tp);
	struct tcp_tw *reused = NULL;
	u32 count, start;
	int err = -EADDRNOTAVAIL;

	if (i->lport) {
		err = enter(net, &tp->entry, i, &reused);
	} else {
		start = port_search_start(net, &i->laddr, &i->faddr, i->fport, &count);
		for (u32 k = 0; k < count && err; k++) {
			u16 port = (u16)(net->port_low + (start + k) % count);
			struct port_slot *slot = port_slot(&net->tcp->ports, port);

			net_lock(&slot->lock);
			if (take_port(tp, slot, port, &reused))
				err = 0;
			net_unlock(&slot->lock);
		}
	}
	if (reused) {
		mib_inc(net, MIB_EXT_TW_RECYCLED);
		tp->iss = reused->snd_nxt + 65535 + 2; /* beyond the old connection (RFC 6191) */
		tp->ts_recent = reused->ts_recent;
		tp->ts_recent_s = reused->ts_recent_s;
		tcp_tw_kill(reused);
		tcp_tw_put(reused);
	}
	return err;
}

void tcp_for_each_listener(struct net_stack *net, void (*fn)(struct tcp_sock *, struct tcp_tw *, void *),
			   void *arg)
{
	struct tcp_stack *t = net->tcp;
	struct tcp_sock *tp;

	for (unsigned i = 0; i < ARRAY_SIZE(t->listeners); i++)
		hlist_for_each_entry(tp, &t->listeners[i], entry.node) fn(tp, NULL, arg);
}

void tcp_for_each(struct net_stack *net, void (*fn)(struct tcp_sock *, struct tcp_tw *, void *), void *arg)
{
	struct tcp_stack *t = net->tcp;
	struct tcp_entry *e;

	tcp_for_each_listener(net, fn, arg);
	for (u32 i = 0; i <= t->mask; i++)
		hlist_for_each_entry(e, &t->table[i], node)
		{
			if (e->timewait)
				fn(NULL, container_of(e, struct tcp_tw, entry), arg);
			else
				fn(container_of(e, struct tcp_sock, entry), NULL, arg);
		}
}

int tcp_stack_init(struct net_stack *net)
{
	struct tcp_stack *t = kzalloc(sizeof(*t));
	struct memory_stats m;
	u32 n;

	if (!t)
		return -ENOMEM;
	net->tcp = t;
	memory_stats(&m);
	n = 1u << log2_ceil(clamp(m.total / 32, 256ull, 65536ull)); /* a chain for each 128 KiB of memory */
	t->table = kcalloc(n, sizeof(*t->table));
	if (!t->table) {
		kfree(t);
		net->tcp = NULL;
		return -ENOMEM;
	}
	t->mask = n - 1;
	t->tw_max = (u32)clamp(m.total / 8, 1024ull, 65536ull);
	t->orphan_max = (u32)clamp(m.total / 16, 256ull, 16384ull);
	for (unsigned i = 0; i < ARRAY_SIZE(t->locks); i++)
		spin_init(&t->locks[i]);
	spin_init(&t->listen_lock);
	spin_init(&t->tw_lock);
	list_init(&t->tw);
	port_table_init(&t->ports, true);
	return tcp_fastopen_init(net);
}

void tcp_stack_destroy(struct net_stack *net)
{
	struct tcp_stack *t = net->tcp;

	if (!t)
		return;
	while (!list_empty(&t->tw))
		tcp_tw_kill(list_first_entry(&t->tw, struct tcp_tw, node));
	tcp_fastopen_destroy(net);
	kfree(t->table);
	kfree(t);
	net->tcp = NULL;
}
