/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading DHCP messages (RFC 2132, 3442 routes, 3397 search domains; only those come in parts, RFC 3396).
 * Nothing that a server sends is trusted: lengths are checked, names are cut to what a host name may hold. */
#include "base/err.h"
#include "base/string.h"
#include "net/dhcp.h"

struct reader {
	struct dhcp_lease *l;
	u32 mask, router;
	u8 type, overload;
	bool routes;
	u8 search[512]; /* option 119 may come in parts (RFC 3396) */
	size_t search_len;
};

static u32 load32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return v;
}

static void copy_name(char *dst, size_t size, const u8 *src, u8 len)
{
	size_t n = min((size_t)len, size - 1);

	for (size_t i = 0; i < n; i++) {
		char c = (char)src[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			  c == '-' || c == '.' || c == '_';

		if (!c) {
			n = i;
			break;
		}
		if (!ok) { /* it ends up in files: take no chances */
			n = 0;
			break;
		}
		dst[i] = c;
	}
	dst[n] = 0;
}

static void classless_routes(struct reader *r, const u8 *p, u8 len)
{
	struct dhcp_lease *l = r->l;
	const u8 *end = p + len;

	l->nroutes = 0;
	r->routes = true;
	while (p < end && l->nroutes < DHCP_ROUTES_MAX) {
		u8 plen = *p++, n = (u8)((plen + 7) / 8), dst[4] = {};

		if (plen > 32 || end - p < n + 4)
			return;
		memcpy(dst, p, n);
		p += n;
		l->routes[l->nroutes].plen = plen;
		l->routes[l->nroutes].dst = load32(dst);
		l->routes[l->nroutes].gateway = load32(p);
		l->nroutes++;
		p += 4;
	}
}

static void one_option(struct reader *r, u8 code, const u8 *p, u8 len)
{
	struct dhcp_lease *l = r->l;
	bool addr = len >= 4;

	switch (code) {
	case DHCP_OPT_TYPE:
		if (len == 1)
			r->type = *p;
		break;
	case DHCP_OPT_MASK:
		if (addr)
			r->mask = load32(p);
		break;
	case DHCP_OPT_ROUTER:
		if (addr)
			r->router = load32(p);
		break;
	case DHCP_OPT_DNS:
		for (unsigned i = 0; i < 3 && 4 * i + 4 <= len; i++)
			l->dns[i] = load32(p + 4 * i);
		break;
	case DHCP_OPT_SERVER:
		if (addr)
			l->server = load32(p);
		break;
	case DHCP_OPT_BROADCAST:
		if (addr)
			l->broadcast = load32(p);
		break;
	case DHCP_OPT_NTP:
		if (addr)
			l->ntp = load32(p);
		break;
	case DHCP_OPT_MTU:
		if (len == 2)
			l->mtu = (u16)(p[0] << 8 | p[1]);
		break;
	case DHCP_OPT_LEASE:
		if (len == 4)
			l->seconds = be32(load32(p));
		break;
	case DHCP_OPT_T1:
		if (len == 4)
			l->t1 = be32(load32(p));
		break;
	case DHCP_OPT_T2:
		if (len == 4)
			l->t2 = be32(load32(p));
		break;
	case DHCP_OPT_HOSTNAME:
		copy_name(l->hostname, sizeof(l->hostname), p, len);
		break;
	case DHCP_OPT_DOMAIN:
		copy_name(l->domain, sizeof(l->domain), p, len);
		break;
	case DHCP_OPT_SEARCH:
		memcpy(r->search + r->search_len, p, min((size_t)len, sizeof(r->search) - r->search_len));
		r->search_len += min((size_t)len, sizeof(r->search) - r->search_len);
		break;
	case DHCP_OPT_ROUTES:
		classless_routes(r, p, len);
		break;
	case DHCP_OPT_OVERLOAD:
		if (len == 1)
			r->overload = *p;
		break;
	}
}

static int options(struct reader *r, const u8 *p, size_t len)
{
	const u8 *end = p + len;

	while (p < end && *p != DHCP_OPT_END) {
		if (*p == DHCP_OPT_PAD) {
			p++;
			continue;
		}
		if (end - p < 2 || end - p - 2 < p[1])
			return -EINVAL;
		one_option(r, p[0], p + 2, p[1]);
		p += 2 + p[1];
	}
	return 0;
}

static u8 class_plen(u32 addr)
{
	u32 host = be32(addr);

	return host >> 31 == 0 ? 8 : (host >> 30 == 2 ? 16 : 24);
}

int dhcp_parse(const void *msg, size_t len, u32 xid, const u8 mac[6], struct dhcp_lease *l)
{
	const struct dhcp_message *m = msg;
	struct reader r = {.l = l};
	u32 host;

	memset(l, 0, sizeof(*l));
	if (len < sizeof(*m) || m->op != 2 || m->htype != 1 || m->hlen != 6 || m->cookie != DHCP_COOKIE)
		return -EINVAL;
	if (m->xid != xid || memcmp(m->chaddr, mac, 6) != 0)
		return -ESRCH;
	if (options(&r, (const u8 *)(m + 1), len - sizeof(*m)))
		return -EINVAL;
	if ((r.overload & 1) && options(&r, m->file, sizeof(m->file)))
		return -EINVAL;
	if ((r.overload & 2) && options(&r, m->sname, sizeof(m->sname)))
		return -EINVAL;
	if (r.type < DHCP_DISCOVER || r.type > DHCP_RELEASE)
		return -EINVAL;
	dns_name_list(r.search, r.search_len, true, l->search, sizeof(l->search));
	l->addr = m->yiaddr;
	if (ip4_is_multicast(l->addr) || ip4_is_loopback(l->addr) || l->addr == IP4_BROADCAST)
		return -EINVAL;
	host = be32(r.mask);
	if (r.mask && (~host & (~host + 1)))
		return -EINVAL; /* a mask with holes */
	l->plen = (u8)(r.mask ? __builtin_popcount(host) : class_plen(l->addr));
	if (r.router && !r.routes) {
		l->nroutes = 1;
		l->routes[0].dst = 0;
		l->routes[0].plen = 0;
		l->routes[0].gateway = r.router;
	}
	if (l->seconds != ~0u) {
		/* RFC 2131 4.4.5; a lease below a minute would keep us busy with nothing else. */
		if (l->seconds && l->seconds < 60)
			l->seconds = 60;
		if (!l->t2 || l->t2 >= l->seconds)
			l->t2 = (u32)((u64)l->seconds * 7 / 8);
		if (!l->t1 || l->t1 >= l->t2)
			l->t1 = min(l->seconds / 2, l->t2);
	} else {
		l->t1 = l->t2 = ~0u;
	}
	return r.type;
}
