/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast membership between the interfaces' groups (core/multicast.c) and the protocols that tell routers
 * (ipv4/igmp.c, ipv6/mld.c). Sections. */
#pragma once

#include "net/ip.h"

#define MC_RECORDS 8 /* in a report: one fits IPv6's smallest MTU with all sources */

enum { MC_IS_INCLUDE = 1, MC_IS_EXCLUDE, MC_TO_INCLUDE, MC_TO_EXCLUDE }; /* RFC 3376 4.2.12 */

struct mc_record {
	struct net_addr group;
	u8 type;
	bool gone; /* nobody is left */
	u8 nsources;
	struct net_addr sources[IF_GROUP_SOURCES];
};

void mc_report_timer(struct net_timer *t);
/* A router asks for GROUP (any: for all); the answer may take WITHIN ns. */
void mc_query(struct netdev *dev, bool v4, const struct net_addr *group, u64 within);
void mc_heard_report(struct netdev *dev,
		     const struct net_addr *group); /* old versions: somebody else answered */
void mc_device_up(struct netdev *dev);

void igmp_report(struct netdev *dev, const struct mc_record *r, unsigned n);
void mld_report(struct netdev *dev, const struct mc_record *r, unsigned n);

/* Times in queries: 128 or more (32768 with 16 bits) are a mantissa and an exponent (RFC 3376 4.1.1,
 * 3810 5.1.3). */
static inline u32 mc_float(u32 code, unsigned mantissa)
{
	u32 one = 1u << mantissa;

	return code < one << 3 ? code : ((code & (one - 1)) | one) << ((code >> mantissa & 7) + 3);
}
