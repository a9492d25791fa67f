/* SPDX-License-Identifier: BSD-2-Clause */
/* Local ports: who holds which, conflicts as bind(2) on Linux sees them, ephemeral choice (RFC 6056 algorithm
 * 3). */
#include "base/err.h"
#include "base/string.h"
#include "kernel/random.h"
#include "net/inet.h"
#include "net/packet.h"
#include "net/tcp.h"
#include "net/udp.h"

void port_table_init(struct port_table *t, bool tcp)
{
	t->tcp = tcp;
	for (unsigned i = 0; i < PORT_SLOTS; i++)
		spin_init(&t->slot[i].lock);
}

/* Which families a wildcard address of I covers. */
static bool covers(const struct inet_sock *i, bool v4)
{
	return i->s.family == AF_INET ? v4 : !v4 || !inet_flag(i, INETF_V6ONLY);
}

bool port_addr_overlap(const struct inet_sock *a, const struct net_addr *addr, const struct inet_sock *b)
{
	bool any_a = addr_is_any(addr), any_b = addr_is_any(&b->laddr);

	if (any_a && any_b)
		return (covers(a, true) && covers(b, true)) || (covers(a, false) && covers(b, false));
	if (any_a)
		return covers(a, addr_is_v4(&b->laddr));
	if (any_b)
		return covers(b, addr_is_v4(addr));
	return addr_equal(addr, &b->laddr);
}

static bool is_listening(const struct inet_sock *i)
{
	return container_of(i, const struct tcp_sock, inet)->state == TCP_STATE_LISTEN;
}

static bool conflicts(struct port_table *t, struct inet_sock *i, const struct net_addr *addr,
		      struct inet_sock *b)
{
	bool reuse = socket_flag(&i->s, SOCKF_REUSEADDR) && socket_flag(&b->s, SOCKF_REUSEADDR);

	if (b == i)
		return false;
	if (i->s.bound_if && b->s.bound_if && i->s.bound_if != b->s.bound_if)
		return false;
	if (reuse && !(t->tcp && is_listening(b)))
		return false;
	if (socket_flag(&i->s, SOCKF_REUSEPORT) && socket_flag(&b->s, SOCKF_REUSEPORT))
		return false;
	return port_addr_overlap(i, addr, b);
}

static bool port_free(struct port_table *t, struct port_slot *slot, struct inet_sock *i,
		      const struct net_addr *addr, u16 port)
{
	struct inet_sock *b;

	hlist_for_each_entry(b, &slot->socks,
			     port_node) if (b->lport == port && conflicts(t, i, addr, b)) return false;
	return true;
}

static bool try_bind(struct port_table *t, struct inet_sock *i, const struct net_addr *addr, u16 port)
{
	struct port_slot *slot = port_slot(t, port);
	bool ok;

	net_lock(&slot->lock);
	ok = port_free(t, slot, i, addr, port);
	if (ok) {
		i->laddr = *addr;
		i->lport = port;
		hlist_add(&slot->socks, &i->port_node);
	}
	net_unlock(&slot->lock);
	return ok;
}

/* An automatic choice avoids ports that anybody holds, reusable or not. */
static bool port_unused(struct port_table *t, u16 port)
{
	struct inet_sock *b;

	hlist_for_each_entry(b, &port_slot(t, port)->socks, port_node) if (b->lport == port) return false;
	return true;
}

int port_bind(struct port_table *t, struct inet_sock *i, const struct net_addr *addr, u16 port)
{
	u32 n = i->s.net->port_high - i->s.net->port_low + 1u, start;

	if (port)
		return try_bind(t, i, addr, port) ? 0 : -EADDRINUSE;
	start = (u32)random_u64() % n;
	for (unsigned pass = 0; pass < 2; pass++)
		for (u32 k = 0; k < n; k++) {
			u16 p = (u16)(i->s.net->port_low + (start + k) % n);

			if (!pass && !port_unused(t, p))
				continue;
			if (try_bind(t, i, addr, p))
				return 0;
		}
	return -EADDRINUSE;
}

int port_listen(struct port_table *t, struct inet_sock *i)
{
	struct port_slot *slot = port_slot(t, i->lport);
	struct inet_sock *b;
	int err = 0;

	net_lock(&slot->lock);
	hlist_for_each_entry(b, &slot->socks, port_node) if (b->lport == i->lport && is_listening(b) &&
							     conflicts(t, i, &i->laddr, b)) err = -EADDRINUSE;
	if (!err)
		container_of(i, struct tcp_sock, inet)->state = TCP_STATE_LISTEN;
	net_unlock(&slot->lock);
	return err;
}

void port_insert(struct port_table *t, struct inet_sock *i)
{
	struct port_slot *slot = port_slot(t, i->lport);

	net_lock(&slot->lock);
	hlist_add(&slot->socks, &i->port_node);
	net_unlock(&slot->lock);
}

void port_release(struct inet_sock *i)
{
	struct net_stack *net = i->s.net;
	struct port_slot *slot;

	if (!hnode_hashed(&i->port_node))
		return;
	slot = port_slot(i->s.protocol == IPPROTO_TCP ? &net->tcp->ports : udp_ports(net, (u8)i->s.protocol),
			 i->lport);
	net_lock(&slot->lock);
	hlist_del(&i->port_node);
	net_unlock(&slot->lock);
}

/* Is I in the reuse group of BEST? */
static bool same_group(const struct inet_sock *i, const struct inet_sock *best)
{
	return i->lport == best->lport && socket_flag(&i->s, SOCKF_REUSEPORT) &&
	       i->s.family == best->s.family && i->s.bound_if == best->s.bound_if && !i->fport &&
	       addr_equal(&i->laddr, &best->laddr);
}

/* The NTH from the end of BEST's group, if there are so many; always how many there are, and a program: the
 * group keeps that of whoever attached one. */
static struct inet_sock *group_member(const struct hlist *chain, size_t node, struct inet_sock *best, u32 nth,
				      u32 *count, const struct socket_filter **f)
{
	struct inet_sock *found = NULL;
	u32 n = *count - 1 - nth, k = 0;

	for (struct hnode *h = rcu_dereference(chain->first); h; h = rcu_dereference(h->next)) {
		struct inet_sock *i = (struct inet_sock *)((u8 *)h - node);

		if (!same_group(i, best))
			continue;
		if (k++ == n)
			found = i;
		if (i->s.reuse_filter)
			*f = rcu_dereference(i->s.reuse_filter);
	}
	*count = k;
	return found;
}

struct inet_sock *inet_group_choose(const struct hlist *chain, size_t node, struct inet_sock *best,
				    struct packet *p, u32 hdr)
{
	const struct socket_filter *f = NULL;
	struct inet_sock *found = NULL;
	u32 count = 0, n;

	group_member(chain, node, best, 0, &count, &f);
	if (!f)
		return best;
	packet_advance(p, hdr);
	n = socket_filter_run(f, p);
	packet_push(p, hdr);
	if (n < count)
		found = group_member(chain, node, best, n, &count, &f);
	return found ? found : best;
}

u32 port_search_start(struct net_stack *net, const struct net_addr *src, const struct net_addr *dst,
		      u16 dport, u32 *count)
{
	struct {
		struct net_addr src, dst;
		u64 port;
	} key = {*src, *dst, dport};

	*count = net->port_high - net->port_low + 1u;
	return (u32)siphash(&key, sizeof(key), &net->isn_key) +
	       2 * atomic_fetch_add_explicit(&net->port_next, 1, memory_order_relaxed);
}
