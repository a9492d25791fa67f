/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket ioctls: queue figures, owners, and the interface calls of netdevice(7). FIONBIO and FIOASYNC are the
 * file layer's. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "net/ethtool.h"
#include "net/ip.h"
#include "net/sockfile.h"
#include <linux/capability.h>

static int get_conf(struct net_stack *net, void __app *arg)
{
	struct ifconf c;
	u8 __app *out;
	int done = 0;

	if (get_app(c, (struct ifconf __app *)arg))
		return -EFAULT;
	out = c.ifc_buf;
	for (u32 i = 1; i <= NET_MAX_DEVS; i++) {
		struct netdev *dev = net_device_by_index(net, i);
		struct ifreq r[8] = {};
		unsigned n = 0;

		if (!dev)
			break;
		for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a && n < ARRAY_SIZE(r);
		     a = rcu_dereference(a->next)) {
			struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = a->addr.w[3]};

			if (!addr_is_v4(&a->addr))
				continue;
			str_copy(r[n].ifr_name, a->label, IFNAMSIZ);
			memcpy(&r[n].ifr_addr, &sin, sizeof(r[n].ifr_addr));
			n++;
		}
		for (unsigned j = 0; j < n; j++) {
			if (out) {
				if (c.ifc_len - done < (int)sizeof(r[j]))
					goto out;
				if (copy_to_app(out + done, &r[j], sizeof(r[j])))
					return -EFAULT;
			}
			done += (int)sizeof(r[j]);
		}
	}
out:
	c.ifc_len = done;
	return copy_to_app(arg, &c, sizeof(c));
}

static int put_addr(struct ifreq *r, u32 v4)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = v4};

	memcpy(&r->ifr_addr, &sin, sizeof(r->ifr_addr));
	return 0;
}

/* The address that the request names: by label, else the first. */
static const struct if_addr *named_addr(struct netdev *dev, const char *label)
{
	for (struct if_addr *a = rcu_dereference(net_if(dev)->addrs); a; a = rcu_dereference(a->next))
		if (addr_is_v4(&a->addr) && strcmp(a->label, label) == 0)
			return a;
	return if_addr_first(dev, true);
}

static int get_one(struct netdev *dev, unsigned cmd, struct ifreq *r)
{
	const struct if_addr *a = named_addr(dev, r->ifr_name);

	switch (cmd) {
	case SIOCGIFADDR:
		return a ? put_addr(r, a->addr.w[3]) : -EADDRNOTAVAIL;
	case SIOCGIFBRDADDR:
		return a ? put_addr(r, a->broadcast.w[3]) : -EADDRNOTAVAIL;
	case SIOCGIFNETMASK:
		return a ? put_addr(r, ip4_mask(a->plen)) : -EADDRNOTAVAIL;
	case SIOCGIFDSTADDR:
		return a ? put_addr(r, a->addr.w[3]) : -EADDRNOTAVAIL;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)dev->flags;
		if (!dev->link_up)
			r->ifr_flags &= ~IFF_RUNNING;
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ivalue = (int)dev->index;
		return 0;
	case SIOCGIFMTU:
		r->ifr_ivalue = (int)dev->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_ivalue = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_ivalue = (int)net_if(dev)->txqlen;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_addr, 0, sizeof(r->ifr_addr));
		r->ifr_addr.sa_family = dev->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->ifr_addr.sa_data, dev->mac, 6);
		return 0;
	case SIOCGIFMAP:
		memset(&r->ifr_map, 0, sizeof(r->ifr_map));
		return 0;
	}
	return -ENOTTY;
}

static u32 request_v4(const struct ifreq *r)
{
	struct sockaddr_in sin;

	memcpy(&sin, &r->ifr_addr, sizeof(sin));
	return sin.sin_addr.s_addr;
}

static int change_addr(struct netdev *dev, unsigned cmd, const struct ifreq *r)
{
	struct net_stack *net = net_if(dev)->net;
	const struct if_addr *old = named_addr(dev, r->ifr_name);
	struct if_addr a = {.valid_until = ~0ull, .preferred_until = ~0ull, .flags = IFA_F_PERMANENT};
	struct route link = {
		.type = RTN_UNICAST, .protocol = RTPROT_KERNEL, .scope = RT_SCOPE_LINK, .dev = dev};
	u32 v4 = request_v4(r), host;

	if (r->ifr_addr.sa_family != AF_INET)
		return -EINVAL;
	if (old) {
		a = *old;
		if_addr_del(dev, &old->addr, old->plen);
		link.dst = addr_v4(a.addr.w[3] & ip4_mask(a.plen));
		link.plen = a.plen;
		route_del(net, &link);
	} else if (cmd != SIOCSIFADDR) {
		return -EADDRNOTAVAIL;
	}
	switch (cmd) {
	case SIOCSIFADDR:
		host = be32(v4);
		a.addr = addr_v4(v4);
		a.plen = host >> 31 == 0 ? 8
					 : (host >> 30 == 2 ? 16 : 24); /* the class's mask (netdevice(7)) */
		a.broadcast = NET_ADDR_ANY;
		break;
	case SIOCSIFNETMASK:
		host = be32(v4);
		if (~host & (~host + 1))
			return -EINVAL;
		a.plen = (u8)(host ? 32 - __builtin_ctz(host) : 0);
		a.broadcast = NET_ADDR_ANY;
		break;
	case SIOCSIFBRDADDR:
		a.broadcast = addr_v4(v4);
		break;
	}
	str_copy(a.label, r->ifr_name, sizeof(a.label));
	if (!v4 && cmd == SIOCSIFADDR)
		return 0;
	link.dst = addr_v4(a.addr.w[3] & ip4_mask(a.plen));
	link.plen = a.plen;
	link.src = a.addr;
	if (if_addr_add(dev, &a))
		return -ENOMEM;
	return dev->flags & IFF_LOOPBACK ? 0 : route_add(net, &link, true);
}

static int change(struct netdev *dev, unsigned cmd, const struct ifreq *r)
{
	char name[IFNAMSIZ];

	if (!process_capable(CAP_NET_ADMIN))
		return -EPERM;
	switch (cmd) {
	case SIOCSIFFLAGS:
		netdev_user_mode(dev, IFF_PROMISC | IFF_ALLMULTI, (u16)r->ifr_flags);
		return net_device_up(dev, r->ifr_flags & IFF_UP);
	case SIOCSIFMTU:
		return netdev_set_mtu(dev, (u32)r->ifr_ivalue);
	case SIOCSIFNAME:
		memcpy(name, r->ifr_newname, sizeof(name));
		name[IFNAMSIZ - 1] = 0;
		return netdev_rename(dev, name);
	case SIOCSIFTXQLEN:
		net_if(dev)->txqlen = (u32)r->ifr_ivalue;
		return 0;
	case SIOCSIFMETRIC:
		return -EOPNOTSUPP;
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR:
		return change_addr(dev, cmd, r);
	case SIOCSIFHWADDR:
		if (r->ifr_addr.sa_family != (dev->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER))
			return -EINVAL;
		return netdev_set_mac(dev, (const u8 *)r->ifr_addr.sa_data);
	}
	return -ENOTTY;
}

static int route_request(struct net_stack *net, unsigned cmd, void __app *arg)
{
	struct route r = {.type = RTN_UNICAST, .protocol = RTPROT_BOOT, .scope = RT_SCOPE_UNIVERSE};
	struct sockaddr_in dst, gw, mask;
	struct route_result via;
	char name[IFNAMSIZ];
	struct rtentry e;

	if (!process_capable(CAP_NET_ADMIN))
		return -EPERM;
	if (get_app(e, (struct rtentry __app *)arg))
		return -EFAULT;
	memcpy(&dst, &e.rt_dst, sizeof(dst));
	memcpy(&gw, &e.rt_gateway, sizeof(gw));
	memcpy(&mask, &e.rt_genmask, sizeof(mask));
	if (dst.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	r.plen = (u8)(e.rt_flags & RTF_HOST ? 32 : __builtin_popcount(mask.sin_addr.s_addr));
	r.dst = addr_v4(dst.sin_addr.s_addr & ip4_mask(r.plen));
	r.metric = e.rt_metric > 0 ? (u32)e.rt_metric - 1 : 0;
	r.gateway = addr_v4(0);
	if (e.rt_flags & RTF_GATEWAY)
		r.gateway = addr_v4(gw.sin_addr.s_addr);
	if (e.rt_dev) {
		if (string_from_app(name, e.rt_dev, sizeof(name)) < 0)
			return -EFAULT;
		r.dev = net_device_find(net, name);
		if (!r.dev)
			return -ENODEV;
	} else if (cmd == SIOCADDRT) {
		struct net_addr any = addr_v4(0);

		if (route_lookup(net, addr_is_any(&r.gateway) ? &r.dst : &r.gateway, &any, 0, &via))
			return -ENETUNREACH;
		r.dev = via.dev;
	}
	if (e.rt_flags & RTF_REJECT)
		r.type = RTN_UNREACHABLE;
	return cmd == SIOCADDRT ? route_add(net, &r, false) : route_del(net, &r);
}

long if_ioctl(struct net_stack *net, unsigned cmd, void __app *arg)
{
	struct netdev *dev;
	struct ifreq r;
	char base[IFNAMSIZ], *colon;
	int err;

	switch (cmd) {
	case SIOCGIFCONF:
		return get_conf(net, arg);
	case SIOCADDRT:
	case SIOCDELRT:
		return route_request(net, cmd, arg);
	}
	if ((cmd < SIOCGIFNAME || cmd > SIOCSIFMAP) && cmd != SIOCETHTOOL && cmd != SIOCSIFNAME)
		return -ENOTTY;
	if (get_app(r, (struct ifreq __app *)arg))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	if (cmd == SIOCGIFNAME) {
		dev = net_device_by_index(net, (u32)r.ifr_ivalue);
		if (!dev)
			return -ENODEV;
		str_copy(r.ifr_name, dev->name, IFNAMSIZ);
		return copy_to_app(arg, &r, sizeof(r));
	}
	memcpy(base, r.ifr_name, IFNAMSIZ);
	colon = strchr(base, ':'); /* eth0:1 is a label of eth0 */
	if (colon)
		*colon = 0;
	dev = net_device_find(net, base);
	if (!dev)
		return -ENODEV;
	if (cmd == SIOCETHTOOL)
		return ethtool_ioctl(dev, r.ifr_data);
	err = get_one(dev, cmd, &r);
	if (!err)
		return copy_to_app(arg, &r, sizeof(r));
	return err == -ENOTTY ? change(dev, cmd, &r) : err;
}

static long get_stamp(struct socket *s, void __app *arg, bool ns)
{
	s64 tv[2];

	if (!s->stamp)
		return -ENOENT;
	tv[0] = (s64)(s->stamp / NSEC_PER_SEC);
	tv[1] = (s64)(s->stamp % NSEC_PER_SEC) / (ns ? 1 : 1000);
	return copy_to_app(arg, tv, sizeof(tv));
}

long socket_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct socket *s = f->priv;
	void __app *p = (void __app *)arg;
	int v = 0, type, err;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (get_app(v, (int __app *)p))
			return -EFAULT;
		if (v == INT32_MIN)
			return -EINVAL;
		return v < 0 ? sigio_set_owner(f, F_OWNER_PGRP, (u32)-v)
			     : sigio_set_owner(f, F_OWNER_PID, (u32)v);
	case FIOGETOWN:
	case SIOCGPGRP:
		v = (int)sigio_owner(f, &type);
		return put_app(type == F_OWNER_PGRP ? -v : v, (int __app *)p);
	case SIOCGSTAMP_OLD:
	case (unsigned)SIOCGSTAMP_NEW:
		return get_stamp(s, p, false);
	case SIOCGSTAMPNS_OLD:
	case (unsigned)SIOCGSTAMPNS_NEW:
		return get_stamp(s, p, true);
	}
	if (s->ops->ioctl) {
		err = s->ops->ioctl(s, cmd, &v);
		if (!err)
			return put_app(v, (int __app *)p);
		if (err != -ENOTTY)
			return err;
	}
	return if_ioctl(s->net, cmd, p);
}
