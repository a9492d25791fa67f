/* SPDX-License-Identifier: BSD-2-Clause */
/* Network interfaces: the seam between net/ and drivers. Packets travel in struct packet, whose buffer the
 * driver gave. */
#pragma once

#include "base/list.h"
#include "base/refcount.h"
#include "base/types.h"

struct netdev;

/* One packet (or a large segment for offload), linear or with page fragments. Allocated by packet_alloc() or
 * by a driver. */
#define PACKET_MAX_FRAGS 18
struct packet {
	struct list_head node;
	struct netdev *dev;
	u8 *head, *data, *tail, *end; /* linear part: [data, tail) in [head, end) */
	u32 len;		      /* linear and fragments */
	u8 nfrags;
	u8 ip_summed;			/* enum packet_csum */
	u16 csum_start, csum_offset;	/* PACKET_CSUM_PARTIAL: from data */
	u16 gso_size;			/* payload per segment; 0: no segmentation */
	u8 gso_type;			/* VIRTIO_NET_HDR_GSO_* */
	u16 network_off, transport_off; /* from head */
	u16 protocol;			/* EtherType, host order */
	u8 kind;			/* for whom: PACKET_HOST, PACKET_BROADCAST ... (linux/if_packet.h) */
	u32 drops;			/* on a socket's queue: how many it had dropped before */
	u32 extra;			/* bytes that its fragments cost beyond their length */
	struct packet_frag {
		u8 *data;
		u32 len;
		void (*free)(struct packet_frag *);
		void *priv;
	} frags[PACKET_MAX_FRAGS];
	void (*free)(struct packet *); /* releases the linear buffer; NULL: kfree(head) */
	void *priv;
	u8 cb[64]; /* the layer that holds it now */
};

enum packet_csum {
	PACKET_CSUM_NONE,    /* rx: check it; tx: complete */
	PACKET_CSUM_VALID,   /* rx: the device or loopback vouches for it */
	PACKET_CSUM_PARTIAL, /* tx: the device fills it in; rx: from another guest, good */
};

enum netdev_feature {
	NETDEV_CSUM = 1 << 0, /* device completes PARTIAL checksums */
	NETDEV_TSO4 = 1 << 1,
	NETDEV_TSO6 = 1 << 2,
	NETDEV_SG = 1 << 3, /* fragments on transmit */
	NETDEV_LOOPBACK = 1 << 4,
	NETDEV_USO = 1 << 5, /* GSO_UDP */
};

struct netdev_ops {
	/* Queue P on the queue of this CPU. Takes over P. 0; -ENOBUFS: dropped and freed, counted. Thread or
	 * interrupt context. */
	int (*transmit)(struct netdev *, struct packet *p);
	/* Receive up to BUDGET packets into netdev_receive(); returns how many. Called from the poll context.
	 * When it returns less than BUDGET it has re-enabled its interrupt. */
	int (*poll)(struct netdev *, unsigned queue, int budget);
	int (*set_up)(struct netdev *, bool up);
	/* Promiscuity, multicast wishes or the address changed: have the device told soon. Any context. NULL:
	 * takes all. */
	void (*rx_mode_changed)(struct netdev *);
	/* Another address for the interface: 0, or -errno when the device keeps its own. NULL: it cannot.
	 * Thread context. */
	int (*set_mac)(struct netdev *, const u8 mac[6]);
};

struct netdev {
	char name[16]; /* "eth0", "lo" */
	u32 index;
	u32 flags;	  /* IFF_* */
	u32 mtu, max_mtu; /* max_mtu 0: no limit but IP's */
	u32 carrier_changes;
	u8 mac[6];
	u32 features; /* enum netdev_feature */
	unsigned nqueues;
	u32 promiscuity, allmulti; /* how many want every frame, every group; net/'s cfg_lock */
	bool link_up;
	const struct netdev_ops *ops;
	void *priv;
	struct {
		_Atomic u64 rx_packets, rx_bytes, rx_dropped, rx_errors;
		_Atomic u64 tx_packets, tx_bytes, tx_dropped, tx_errors;
		_Atomic u64 multicast; /* frames received for a group */
	} stats;
	struct list_head node;
	void *inet; /* net/'s per-interface configuration */
};

/* Drivers call: */
int netdev_register(struct netdev *dev); /* names it ethN; net/ then configures it (ip= word, DHCP) */
void netdev_schedule_poll(
	struct netdev *dev,
	unsigned queue); /* from the interrupt handler: run ops->poll soon, in the poll context */
void netdev_receive(struct netdev *dev,
		    struct packet *p); /* from ops->poll: takes over P, data at the Ethernet header */
void netdev_link_changed(struct netdev *dev, bool up);
/* Tell the neighbours where DEV's addresses are, after it moved to another port of the network. */
void netdev_announce(struct netdev *dev);
struct packet *packet_alloc(size_t headroom, size_t size); /* linear; NULL on no memory */
void packet_free(struct packet *p);
/* net/ and others: */
struct netdev *netdev_find(const char *name);
struct netdev *netdev_by_index(u32 index);
struct netdev *netdev_next(struct netdev *prev);
