/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of AF_PACKET sockets: memberships, statistics, the ring's form (packet(7)). */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/af_packet.h"

static void apply(struct packet_sock *k, const struct packet_mreq *mr, int change)
{
	struct netdev *dev = net_device_by_index(k->s.net, (u32)mr->mr_ifindex);

	if (!dev)
		return;
	if (mr->mr_type == PACKET_MR_PROMISC)
		netdev_promiscuity(dev, change);
	else if (mr->mr_type == PACKET_MR_ALLMULTI || mr->mr_type == PACKET_MR_MULTICAST)
		netdev_allmulti(dev, change);
	else /* a second address: devices here filter by one */
		netdev_promiscuity(dev, change);
}

static struct packet_member **find(struct packet_sock *k, const struct packet_mreq *mr)
{
	struct packet_member **at;

	for (at = &k->members; *at; at = &(*at)->next) {
		const struct packet_mreq *m = &(*at)->mr;

		if (m->mr_ifindex == mr->mr_ifindex && m->mr_type == mr->mr_type &&
		    m->mr_alen == mr->mr_alen && memcmp(m->mr_address, mr->mr_address, m->mr_alen) == 0)
			break;
	}
	return at;
}

static int add_member(struct packet_sock *k, const struct packet_mreq *mr)
{
	bool addressed = mr->mr_type == PACKET_MR_MULTICAST || mr->mr_type == PACKET_MR_UNICAST;
	struct packet_member *m;

	if (!net_device_by_index(k->s.net, (u32)mr->mr_ifindex))
		return -ENODEV;
	if (mr->mr_type > PACKET_MR_UNICAST || mr->mr_alen > 6 || (addressed && mr->mr_alen != 6))
		return -EINVAL;
	m = *find(k, mr);
	if (m) {
		m->count++;
		return 0;
	}
	m = kzalloc(sizeof(*m));
	if (!m)
		return -ENOBUFS;
	m->mr = *mr;
	m->count = 1;
	m->next = k->members;
	k->members = m;
	apply(k, mr, 1);
	return 0;
}

static void remove_member(struct packet_sock *k, struct packet_member **at)
{
	struct packet_member *m = *at;

	*at = m->next;
	apply(k, &m->mr, -1);
	kfree(m);
}

static int drop_member(struct packet_sock *k, const struct packet_mreq *mr)
{
	struct packet_member **at;

	if (mr->mr_alen > sizeof(mr->mr_address))
		return -EINVAL;
	at = find(k, mr);
	if (*at && --(*at)->count == 0)
		remove_member(k, at);
	return 0;
}

void packet_drop_members(struct packet_sock *k)
{
	while (k->members)
		remove_member(k, &k->members);
}

static int membership(struct packet_sock *k, int opt, const void *val, int len)
{
	struct packet_mreq mr = {};
	int err;

	if (len < (int)sizeof(mr))
		return -EINVAL;
	memcpy(&mr, val, sizeof(mr));
	socket_lock(&k->s);
	err = opt == PACKET_ADD_MEMBERSHIP ? add_member(k, &mr) : drop_member(k, &mr);
	socket_unlock(&k->s);
	return err;
}

/* Figures that a ring was laid out by do not change under it. */
static int set_layout(struct packet_sock *k, int opt, int v)
{
	int err = 0;

	if (v < 0 || (opt == PACKET_VERSION && v > TPACKET_V3))
		return -EINVAL;
	mutex_lock(&k->ring_lock);
	if (k->ring)
		err = -EBUSY;
	else if (opt == PACKET_VERSION)
		k->version = (u8)v;
	else
		k->reserve = (u32)v;
	mutex_unlock(&k->ring_lock);
	return err;
}

int packet_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct packet_sock *k = packet_sk(s);
	int v, err;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (opt) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		return membership(k, opt, val, len);
	case PACKET_RX_RING:
		return packet_ring_set(k, val, len);
	}
	err = option_int(val, len, &v);
	if (err)
		return err;
	switch (opt) {
	case PACKET_VERSION:
	case PACKET_RESERVE:
		return set_layout(k, opt, v);
	case PACKET_AUXDATA:
		k->auxdata = v;
		return 0;
	case PACKET_ORIGDEV:
		k->origdev = v;
		return 0;
	case PACKET_LOSS:
		k->loss = v;
		return 0;
	case PACKET_COPY_THRESH:
		k->copy_threshold = (u32)v;
		return 0;
	case PACKET_TIMESTAMP:
		k->timestamp = (u32)v; /* only software's time is known */
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v < 0 || v > 1)
			return -EINVAL;
		k->ignore_outgoing = v;
		return 0;
	case PACKET_QDISC_BYPASS:
		return 0; /* there is no queueing discipline to pass */
	}
	return -ENOPROTOOPT;
}

static int get_statistics(struct packet_sock *k, void *val, int *len)
{
	struct tpacket_stats_v3 st = {.tp_packets = atomic_exchange(&k->packets, 0),
				      .tp_drops = atomic_exchange(&k->drops, 0),
				      .tp_freeze_q_cnt = packet_ring_freezes(k)};

	return option_put(val, len, &st,
			  k->version == TPACKET_V3 ? sizeof(st) : sizeof(struct tpacket_stats));
}

static int get_header_length(void *val, int *len)
{
	int v;

	if (*len < (int)sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	v = packet_ring_header(v);
	return v < 0 ? v : option_put_int(val, len, v);
}

int packet_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	struct packet_sock *k = packet_sk(s);

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (opt) {
	case PACKET_STATISTICS:
		return get_statistics(k, val, len);
	case PACKET_HDRLEN:
		return get_header_length(val, len);
	case PACKET_VERSION:
		return option_put_int(val, len, k->version);
	case PACKET_RESERVE:
		return option_put_int(val, len, (int)k->reserve);
	case PACKET_AUXDATA:
		return option_put_int(val, len, k->auxdata);
	case PACKET_ORIGDEV:
		return option_put_int(val, len, k->origdev);
	case PACKET_LOSS:
		return option_put_int(val, len, k->loss);
	case PACKET_COPY_THRESH:
		return option_put_int(val, len, (int)k->copy_threshold);
	case PACKET_TIMESTAMP:
		return option_put_int(val, len, (int)k->timestamp);
	case PACKET_IGNORE_OUTGOING:
		return option_put_int(val, len, k->ignore_outgoing);
	case PACKET_QDISC_BYPASS:
	case PACKET_VNET_HDR:
		return option_put_int(val, len, 0);
	}
	return -ENOPROTOOPT;
}
