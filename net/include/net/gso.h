/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP segmentation of large packets for devices that cannot do it. Section. */
#pragma once

#include "net/packet.h"

#define GSO_NONE 0
#define GSO_TCP4 1 /* VIRTIO_NET_HDR_GSO_TCPV4 */
#define GSO_TCP6 4

bool gso_device_can(const struct netdev *dev, const struct packet *p);
/* Cut P (an Ethernet frame) into frames of gso_size payload and send each. Takes over P. */
int gso_send_segments(struct netdev *dev, struct packet *p);
