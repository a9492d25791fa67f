/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP (RFC 826, address conflicts RFC 5227): answering for our addresses, asking, announcing. */
#include "base/string.h"
#include "kernel/counter.h"
#include "net/config.h"
#include "net/ip.h"

struct arp_packet {
	u16 hw_type, proto;
	u8 hw_len, proto_len;
	u16 op;
	u8 sender_mac[6];
	u32 sender_ip;
	u8 target_mac[6];
	u32 target_ip;
} __packed;

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

static DEFINE_COUNTER(arp_malformed, "ARP packets that were short or of another kind");
static DEFINE_COUNTER(arp_conflicts, "other stations that use one of our addresses");

static void arp_send(struct netdev *dev, u16 op, const u8 *dst, u32 sender_ip, const u8 *target_mac,
		     u32 target_ip)
{
	static const u8 broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct packet *p = packet_alloc(PACKET_HEADROOM, sizeof(struct arp_packet) + 18);
	struct arp_packet *a;
	struct eth_header *eth;

	if (!p)
		return;
	a = (struct arp_packet *)packet_put(p, sizeof(*a));
	a->hw_type = be16(1);
	a->proto = be16(ETH_TYPE_IP4);
	a->hw_len = 6;
	a->proto_len = 4;
	a->op = be16(op);
	memcpy(a->sender_mac, dev->mac, 6);
	a->sender_ip = sender_ip;
	if (target_mac)
		memcpy(a->target_mac, target_mac, 6);
	else
		memset(a->target_mac, 0, 6);
	a->target_ip = target_ip;
	memset(packet_put(p, 18), 0, 18); /* the shortest Ethernet frame */
	p->protocol = ETH_TYPE_ARP;
	eth = (struct eth_header *)packet_push(p, ETH_HDR_LEN);
	memcpy(eth->dst, dst ? dst : broadcast, 6);
	memcpy(eth->src, dev->mac, 6);
	eth->type = be16(ETH_TYPE_ARP);
	netdev_send(dev, p);
}

void arp_request(struct netdev *dev, u32 target, u32 source, const u8 *mac)
{
	if (!source) {
		struct net_addr want = addr_v4(target);
		const struct if_addr *a = if_addr_first(dev, true);

		if (!a)
			return;
		source = a->addr.w[3];
		for (; a; a = rcu_dereference(a->next))
			if (addr_is_v4(&a->addr) && addr_prefix_equal(&a->addr, &want, a->plen + 96u)) {
				source = a->addr.w[3];
				break;
			}
	}
	arp_send(dev, ARP_REQUEST, mac, source, NULL, target);
}

void arp_announce(struct netdev *dev, u32 addr)
{
	arp_send(dev, ARP_REQUEST, NULL, addr, NULL, addr);
}

void arp_probe(struct netdev *dev, u32 addr)
{
	arp_send(dev, ARP_REQUEST, NULL, 0, NULL, addr);
}

void arp_input(struct packet *p)
{
	struct netdev *dev = p->dev;
	struct arp_packet a;
	struct net_addr sender, target;
	struct netdev *owner = NULL;
	bool ours;

	if (p->len < sizeof(a))
		goto bad;
	packet_copy_bits(p, 0, &a, sizeof(a));
	if (a.hw_type != be16(1) || a.proto != be16(ETH_TYPE_IP4) || a.hw_len != 6 || a.proto_len != 4)
		goto bad;
	if (a.op != be16(ARP_REQUEST) && a.op != be16(ARP_REPLY))
		goto bad;
	if (ip4_is_multicast(a.target_ip) || ip4_is_loopback(a.target_ip) || (a.sender_mac[0] & 1))
		goto bad;
	if (a.sender_ip && memcmp(a.sender_mac, dev->mac, 6) != 0)
		dhcp_conflict(dev, a.sender_ip);
	sender = addr_v4(a.sender_ip);
	target = addr_v4(a.target_ip);
	ours = net_addr_is_local(net_if(dev)->net, &target, &owner) && owner == dev;
	if (a.sender_ip && net_addr_is_local(net_if(dev)->net, &sender, NULL)) {
		if (memcmp(a.sender_mac, dev->mac, 6) != 0)
			counter_inc(&arp_conflicts);
		goto out;
	}
	if (a.op == be16(ARP_REQUEST) && ours) {
		if (a.sender_ip) /* who asks us will talk to us */
			neigh_update(dev, &sender, a.sender_mac, false, NEIGH_REPLACE, true);
		arp_send(dev, ARP_REPLY, a.sender_mac, a.target_ip, a.sender_mac, a.sender_ip);
	} else if (a.sender_ip) {
		bool reply = a.op == be16(ARP_REPLY);
		/* An announcement. A reply that is one has its own link address as the target's, too. */
		bool announced =
			a.sender_ip == a.target_ip && (!reply || !memcmp(a.target_mac, a.sender_mac, 6));

		neigh_update(dev, &sender, a.sender_mac, reply && ours,
			     announced ? NEIGH_REPLACE : NEIGH_REPLACE_SETTLED, false);
	}
	goto out;
bad:
	counter_inc(&arp_malformed);
out:
	packet_free(p);
}
