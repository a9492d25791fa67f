/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuring interfaces by the kernel word ip=, in the syntax of Linux's nfsroot.txt:
 *
 *	ip=off | none | on | any | dhcp | both
 *	ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1:NTP
 *
 * Without the word every interface but lo asks DHCP, in the background. nameserver=A.B.C.D adds a name
 * server. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "net/abi.h"
#include "net/config.h"
#include "net/ip.h"

enum method { METHOD_OFF, METHOD_DHCP, METHOD_STATIC };

struct ip_word {
	u32 client, server, gateway, mask, dns[2], ntp;
	char hostname[64], device[16];
	enum method method;
};

static enum method parse_method(const char *s)
{
	if (strcmp(s, "off") == 0 || strcmp(s, "none") == 0)
		return METHOD_OFF;
	return METHOD_DHCP; /* on, any, dhcp, both; bootp and rarp are served by DHCP, too */
}

static void set_field(struct ip_word *w, unsigned index, const char *text)
{
	u32 *addrs[] = {&w->client, &w->server, &w->gateway, &w->mask,	 NULL,
			NULL,	    NULL,	&w->dns[0],  &w->dns[1], &w->ntp};

	switch (index) {
	case 4:
		str_copy(w->hostname, text, sizeof(w->hostname));
		break;
	case 5:
		str_copy(w->device, text, sizeof(w->device));
		break;
	case 6:
		w->method = parse_method(text);
		break;
	default:
		if (index < ARRAY_SIZE(addrs) && *text && !ip4_parse(text, addrs[index], NULL))
			log_warn("ip=: \"%s\" is no address", text);
	}
}

static void parse_ip_word(const char *s, struct ip_word *w)
{
	unsigned index = 0;
	char field[64];

	*w = (struct ip_word){.method = METHOD_DHCP};
	if (!s || !*s)
		return;
	if (!strchr(s, ':')) {
		if (*s >= '0' && *s <= '9')
			ip4_parse(s, &w->client, NULL);
		else
			w->method = parse_method(s);
	} else {
		while (index < 10) {
			size_t n = 0;

			while (s[n] && s[n] != ':')
				n++;
			memcpy(field, s, min(n, sizeof(field) - 1));
			field[min(n, sizeof(field) - 1)] = 0;
			if (*field)
				set_field(w, index, field);
			index++;
			if (!s[n])
				break;
			s += n + 1;
		}
	}
	if (w->client && (w->method == METHOD_DHCP || w->method == METHOD_OFF))
		w->method = METHOD_STATIC;
}

static u8 mask_plen(const struct ip_word *w)
{
	u32 host = be32(w->client);

	if (w->mask)
		return (u8)__builtin_popcount(w->mask);
	return host >> 31 == 0 ? 8 : (host >> 30 == 2 ? 16 : 24);
}

static void configure_static(struct netdev *dev, const struct ip_word *w)
{
	struct net_stack *net = net_if(dev)->net;
	struct if_addr a = {.addr = addr_v4(w->client),
			    .plen = mask_plen(w),
			    .flags = IFA_F_PERMANENT,
			    .valid_until = ~0ull,
			    .preferred_until = ~0ull};
	struct route r = {.type = RTN_UNICAST, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_LINK, .dev = dev};

	if_addr_add(dev, &a);
	r.src = a.addr;
	r.dst = addr_v4(w->client & ip4_mask(a.plen));
	r.plen = a.plen;
	r.gateway = addr_v4(0);
	route_add(net, &r, true);
	if (w->gateway) {
		r.dst = addr_v4(0);
		r.plen = 0;
		r.gateway = addr_v4(w->gateway);
		r.protocol = RTPROT_BOOT;
		r.scope = RT_SCOPE_UNIVERSE;
		route_add(net, &r, true);
	}
	arp_announce(dev, w->client);
}

static void take_names(struct net_stack *net, const struct ip_word *w)
{
	const char *extra = cmdline_get("nameserver");
	unsigned n = 0;
	u32 a;

	for (unsigned i = 0; i < 2; i++)
		if (w->dns[i])
			net->dns[n++] = w->dns[i];
	if (extra && n < 3 && ip4_parse(extra, &a, NULL))
		net->dns[n] = a;
	if (w->hostname[0])
		str_copy(net->hostname, w->hostname, sizeof(net->hostname));
	net->ntp = w->ntp;
	net->boot_server = w->server;
}

void net_dns6_set(struct net_stack *net, const struct net_addr *servers, unsigned n, const char *search,
		  u32 seconds)
{
	u64 until = seconds == ~0u ? ~0ull : clock_monotonic() + seconds * NSEC_PER_SEC;

	net_lock(&net->cfg_lock);
	if (servers) {
		memset(net->dns6, 0, sizeof(net->dns6));
		memcpy(net->dns6, servers, min((size_t)n, ARRAY_SIZE(net->dns6)) * sizeof(net->dns6[0]));
		net->dns6_until = until;
	}
	if (search) {
		str_copy(net->search6, search, sizeof(net->search6));
		net->search6_until = until;
	}
	net_unlock(&net->cfg_lock);
}

static void start(struct netdev *dev)
{
	struct ip_word w;

	parse_ip_word(cmdline_get("ip"), &w);
	if (w.device[0] && strcmp(w.device, dev->name) != 0)
		return;
	take_names(net_if(dev)->net, &w);
	if (w.method == METHOD_OFF)
		return;
	if (w.method == METHOD_STATIC) {
		if (!if_addr_first(dev, true))
			configure_static(dev, &w);
		return;
	}
	if (dhcp_start(dev))
		log_warn("%s: no memory for DHCP", dev->name);
}

void net_configure_device(struct netdev *dev)
{
	int err = net_device_up(dev, true);

	if (err) {
		log_warn("%s: cannot be brought up (%d)", dev->name, err);
		return;
	}
	if (dev->link_up)
		start(dev);
}

void net_config_link_changed(struct netdev *dev, bool up)
{
	if (up && (dev->flags & IFF_UP)) {
		start(dev);
		if (if_addr_first(dev, true))
			arp_announce(dev, if_addr_first(dev, true)->addr.w[3]);
	}
}
