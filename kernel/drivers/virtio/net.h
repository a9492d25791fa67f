/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the virtio-net driver. */
#pragma once

#include "kernel/kthread.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "kernel/timer.h"
#include "net/netdev.h"
#include "virtio.h"
#include <linux/virtio_net.h>

#define NET_BUF_SIZE                                                                           \
	((u32)PAGE_SIZE) /* a receive buffer is a page, owned by the packet that arrives in it \
			  */

struct virtio_net;

struct net_queue { /* a receive and a transmit queue, in principle one CPU's */
	struct virtio_net *vn;
	unsigned index;
	struct virtqueue *rx, *tx;
	struct timer refill_timer; /* armed when no buffer could be had at all */
	struct spinlock tx_lock;   /* guards tx and backlog; rx belongs to the poll context */
	struct list_head backlog;  /* packets that the full tx ring did not take, oldest first */
	unsigned backlog_len;
};

struct virtio_net {
	struct netdev netdev;
	struct virtio_device *dev;
	unsigned pairs;
	bool mergeable;
	bool stopped;		   /* it is being set up again: queues are left alone */
	struct virtqueue *control; /* NULL: none */
	struct mutex control_lock; /* one command at a time */
	bool control_lost;	   /* a command was never answered; control_lock */
	_Atomic bool rx_mode_due;
	struct work work; /* what interrupts leave: link, announcements, receive mode, reset */
	struct net_queue queue[];
};

/* net_rx.c: runs in the poll context of its queue. */
int net_rx_poll(struct net_queue *q, int budget);
void net_rx_fill(struct net_queue *q);
void net_rx_interrupt(struct virtqueue *vq);
/* net_tx.c */
int net_tx_transmit(struct netdev *dev, struct packet *p);
/* Free what the device has sent, and send what waits for room; any context. */
void net_tx_reclaim(struct net_queue *q);
void net_tx_interrupt(struct virtqueue *vq);
/* After a reset: give up what waits. */
void net_tx_purge(struct net_queue *q);
/* net_control.c: thread context. 0, -EIO (refused), -ETIMEDOUT, -ENOMEM, -EOPNOTSUPP (no control queue). */
int net_control(struct virtio_net *vn, u8 class, u8 cmd, const void *data, size_t len);
void net_control_pairs(struct virtio_net *vn);
void net_control_rx_mode(struct virtio_net *vn);
int net_control_set_mac(struct netdev *dev, const u8 mac[6]);
