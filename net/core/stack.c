/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and unmaking a stack instance, and the accounting of socket memory. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "net/abi.h"
#include "net/config.h"
#include "net/ip6.h"
#include "net/raw.h"
#include "net/tcp.h"
#include "net/udp.h"

struct net_stack net_default;
static DEFINE_COUNTER(net_memory_refusals, "socket memory refused by the stack's limit");

/* Buffer limits follow the size of memory: an eighth of it for all sockets together. */
static void size_limits(struct net_stack *net)
{
	struct memory_stats m;
	u64 bytes;

	memory_stats(&m);
	bytes = m.total * PAGE_SIZE;
	net->mem_limit = max(bytes / 8, MIB(4));
	net->default_ttl = 64;
	net->port_low = 32768;
	net->port_high = 60999;
	net->somaxconn = SOCK_MAX_BACKLOG;
	net->unix_dgram_qlen = 10;
	net->rmem_default = net->wmem_default = 212992;
	net->rmem_max = net->wmem_max = 212992;
	net->tcp_conf = (struct tcp_tunables){.keepalive_time = TCP_KEEP_IDLE / NSEC_PER_SEC,
					      .keepalive_intvl = TCP_KEEP_INTVL / NSEC_PER_SEC,
					      .keepalive_probes = TCP_KEEP_PROBES,
					      .fin_timeout = TCP_FIN_TIMEOUT / NSEC_PER_SEC,
					      .retries2 = TCP_RETRIES,
					      .syn_retries = TCP_SYN_RETRIES,
					      .synack_retries = TCP_SYNACK_RETRIES,
					      .timestamps = 1,
					      .sack = 1,
					      .window_scaling = 1,
					      .syncookies = 1,
					      .slow_start_after_idle = 1,
					      .ecn = 2,
					      .fastopen = TCP_FO_CLIENT,
					      .notsent_lowat = ~0u,
					      .moderate_rcvbuf = 1,
					      .cc = &tcp_cubic};
	net->tcp_rmem[0] = 4096;
	net->tcp_rmem[1] = 131072;
	net->tcp_rmem[2] = (u32)clamp(bytes / 64, KIB(512), MIB(6));
	net->tcp_wmem[0] = 4096;
	net->tcp_wmem[1] = 16384;
	net->tcp_wmem[2] = (u32)clamp(bytes / 64, KIB(512), MIB(4));
}

int net_stack_init(struct net_stack *net)
{
	int err;

	spin_init(&net->cfg_lock);
	random_bytes(&net->hash_key, sizeof(net->hash_key));
	random_bytes(&net->isn_key, sizeof(net->isn_key));
	random_bytes(&net->cookie_key, sizeof(net->cookie_key));
	for (unsigned i = 0; i < ARRAY_SIZE(net->ip_id); i++)
		atomic_store_explicit(&net->ip_id[i], (u16)random_u64(), memory_order_relaxed);
	size_limits(net);
	err = neigh_init(net);
	if (!err)
		err = frag_init(net);
	if (!err)
		err = pmtu_init(net);
	if (!err)
		err = udp_stack_init(net);
	if (!err)
		err = raw_stack_init(net);
	if (!err)
		err = tcp_stack_init(net);
	if (!err)
		err = loopback_create(net);
	if (err)
		net_stack_destroy(net);
	return err;
}

static void free_device(struct net_stack *net, unsigned slot)
{
	struct netdev *dev = net->devs[slot];
	struct net_if *nif = net_if(dev);

	dhcp_stop(dev, false);
	net_timer_cancel(&nif->report_timer);
	kfree(nif->dhcp);
	for (struct if_addr *a = nif->addrs, *next; a; a = next) {
		next = a->next;
		kfree(a);
	}
	for (struct if_group *g = nif->groups, *next; g; g = next) {
		next = g->next;
		kfree(g);
	}
	dev->inet = NULL;
	net->devs[slot] = NULL;
	kfree(nif);
	if (dev == net->lo)
		kfree(dev);
}

void net_stack_destroy(struct net_stack *net)
{
	ip6_stack_destroy(net);
	tcp_stack_destroy(net);
	raw_stack_destroy(net);
	udp_stack_destroy(net);
	frag_destroy(net);
	pmtu_destroy(net);
	neigh_destroy(net);
	route_purge(net);
	for (unsigned i = 0; i < net->ndevs; i++)
		free_device(net, i);
	net->ndevs = 0;
	net->lo = NULL;
}

bool net_mem_charge(struct net_stack *net, u64 n, bool force)
{
	u64 used = atomic_fetch_add_explicit(&net->mem_used, n, memory_order_relaxed) + n;

	if (likely(used <= net->mem_limit) || force)
		return true;
	atomic_fetch_sub_explicit(&net->mem_used, n, memory_order_relaxed);
	counter_inc(&net_memory_refusals);
	return false;
}

void net_mem_uncharge(struct net_stack *net, u64 n)
{
	atomic_fetch_sub_explicit(&net->mem_used, n, memory_order_relaxed);
}

static int net_init(void)
{
	int err = net_stack_init(&net_default);

	if (!err && !cmdline_flag("ipv6.disable"))
		err = ip6_stack_init(&net_default);
	return err;
}
INITCALL(net_init, INIT_CORE);

static int net_threads_init(void)
{
	return net_context_start();
}
INITCALL(net_threads_init, INIT_NET);
