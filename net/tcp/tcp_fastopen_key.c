/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast Open's cookies and the keys they are made with: a listener's own (TCP_FASTOPEN_KEY), else the stack's.
 * The first key makes cookies; a second one, which it replaced, still proves old ones. A cookie is what Linux
 * makes of the same key and addresses, so that servers that share a key share their clients.
 *
 * Keys are replaced as a whole and read under RCU. */
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/random.h"
#include "net/tcp.h"

struct tcp_fo_keys {
	struct rcu_head rcu;
	u32 n;
	struct siphash_key key[TCP_FO_KEYS];
};

static const struct tcp_fo_keys *own_keys(struct tcp_sock *tp)
{
	const struct tcp_listener *l = READ_ONCE(tp->listen);

	return l ? rcu_dereference(l->fo_keys) : NULL;
}

static const struct tcp_fo_keys *keys_of(struct tcp_sock *l)
{
	const struct tcp_fo_keys *k = own_keys(l);

	return k ? k : rcu_dereference(tcp_net(l)->tcp->fo_keys);
}

int tcp_fastopen_set_keys(struct net_stack *net, struct tcp_sock *tp, const void *bytes, u32 len)
{
	struct tcp_listener *l = NULL;
	struct tcp_fo_keys *k, *old;

	if (len != TCP_FO_KEY_LEN && len != TCP_FO_KEYS * TCP_FO_KEY_LEN)
		return -EINVAL;
	if (tp && !(l = tcp_listener_of(tp)))
		return -ENOMEM;
	k = kzalloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->n = len / TCP_FO_KEY_LEN;
	memcpy(k->key, bytes, len);
	old = __atomic_exchange_n(l ? &l->fo_keys : &net->tcp->fo_keys, k, __ATOMIC_ACQ_REL);
	if (old)
		rcu_call(&old->rcu, rcu_kfree);
	return 0;
}

u32 tcp_fastopen_get_keys(struct net_stack *net, struct tcp_sock *tp, void *bytes)
{
	const struct tcp_fo_keys *k;
	u32 len = 0;

	rcu_read_lock();
	k = tp ? own_keys(tp) : rcu_dereference(net->tcp->fo_keys);
	if (k) {
		len = k->n * TCP_FO_KEY_LEN;
		memcpy(bytes, k->key, len);
	}
	rcu_read_unlock();
	return len;
}

int tcp_fastopen_init(struct net_stack *net)
{
	u8 key[TCP_FO_KEY_LEN];

	random_bytes(key, sizeof(key));
	return tcp_fastopen_set_keys(net, NULL, key, sizeof(key));
}

static void make(const struct siphash_key *k, const struct net_addr *client, const struct net_addr *server,
		 u8 cookie[TCP_FO_COOKIE])
{
	struct net_addr v6[2] = {*client, *server};
	u32 v4[2] = {client->w[3], server->w[3]};
	u64 h = addr_is_v4(client) ? siphash(v4, sizeof(v4), k) : siphash(v6, sizeof(v6), k);

	memcpy(cookie, &h, TCP_FO_COOKIE);
}

void tcp_fastopen_make(struct tcp_sock *l, const struct net_addr *client, const struct net_addr *server,
		       u8 cookie[TCP_FO_COOKIE])
{
	make(&keys_of(l)->key[0], client, server, cookie);
}

int tcp_fastopen_prove(struct tcp_sock *l, const struct net_addr *client, const struct net_addr *server,
		       const u8 cookie[TCP_FO_COOKIE])
{
	const struct tcp_fo_keys *k = keys_of(l);
	u8 right[TCP_FO_COOKIE];

	for (u32 i = 0; i < k->n; i++) {
		make(&k->key[i], client, server, right);
		if (memcmp(cookie, right, sizeof(right)) == 0)
			return (int)i;
	}
	return -1;
}
