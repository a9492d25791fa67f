/* SPDX-License-Identifier: BSD-2-Clause */
/* Segmentation of large TCP packets and of UDP sends with UDP_SEGMENT, for devices that cannot do it.
 * Section. */
#pragma once

#include "net/packet.h"

#define GSO_NONE 0
#define GSO_TCP4 1 /* VIRTIO_NET_HDR_GSO_TCPV4 */
#define GSO_TCP6 4
#define GSO_UDP	 5 /* VIRTIO_NET_HDR_GSO_UDP_L4: gso_size bytes of payload in each datagram but the last */

bool gso_device_can(const struct netdev *dev, const struct packet *p);
/* Cut P (an Ethernet frame) into frames of gso_size payload and send each. Takes over P. */
int gso_send_segments(struct netdev *dev, struct packet *p);
