/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours: RTM_GETNEIGH, RTM_NEWNEIGH, RTM_DELNEIGH. */
#include "kernel/clock.h"
#include "rtnl.h"

struct neigh_walk {
	struct nl_request *r;
	struct nl_msg *m;
	u32 ifindex;		     /* 0: any */
	const struct net_addr *only; /* NULL: all */
	u64 n, *cursor;
	bool full, found;
};

static u32 ticks_since(u64 when)
{
	return (u32)((clock_monotonic() - when) / (NSEC_PER_SEC / 100));
}

static bool fill_neigh(struct nl_msg *m, const struct neigh_info *i, const struct rtnl_to *to)
{
	struct nda_cacheinfo ci = {.ndm_confirmed = ticks_since(i->confirmed),
				   .ndm_used = ticks_since(i->used),
				   .ndm_updated = ticks_since(i->updated)};
	struct ndmsg *d = rtnl_begin(m, to, sizeof(*d));

	d->ndm_family = rtnl_family(&i->addr);
	d->ndm_ifindex = (int)i->dev->index;
	d->ndm_state = i->state;
	d->ndm_type = RTN_UNICAST;
	rtnl_put_addr(m, NDA_DST, &i->addr);
	if (!(i->state & (NUD_INCOMPLETE | NUD_FAILED)))
		nl_attr(m, NDA_LLADDR, i->mac, 6);
	nl_attr(m, NDA_CACHEINFO, &ci, sizeof(ci));
	nl_attr_u32(m, NDA_PROBES, 0);
	return nl_end(m);
}

static bool visit(const struct neigh_info *i, void *arg)
{
	struct neigh_walk *w = arg;
	struct rtnl_to to = rtnl_answer(w->r, RTM_NEWNEIGH);

	if ((w->r->family && w->r->family != rtnl_family(&i->addr)) ||
	    (w->ifindex && w->ifindex != i->dev->index) || (w->only && !addr_equal(w->only, &i->addr)))
		return true;
	if (w->n++ < *w->cursor)
		return true;
	w->found = true;
	w->full = !fill_neigh(w->m, i, &to);
	if (!w->full)
		*w->cursor = w->n;
	return !w->full;
}

static int get_one(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	const struct ndmsg *d = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	struct neigh_walk w = {.r = r, .m = m, .cursor = cursor};
	const struct nlattr *at[NDA_MAX + 1];
	struct net_addr addr;
	int err = rtnl_parse(r, sizeof(*d), at, NDA_MAX);

	if (err)
		return err;
	if (d->ndm_family != AF_INET && d->ndm_family != AF_INET6)
		return nl_refuse(r, -EAFNOSUPPORT, "Unsupported family in header for neighbor get request");
	if (!at[NDA_DST] || !rtnl_load_addr(d->ndm_family, at[NDA_DST], &addr))
		return nl_refuse(r, -EINVAL, "Network address not specified");
	w.ifindex = (u32)d->ndm_ifindex;
	if (!w.ifindex)
		return nl_refuse(r, -EINVAL, "No device specified");
	if (!net_device_by_index(r->sk->s.net, w.ifindex))
		return nl_refuse(r, -ENODEV, "Unknown device ifindex");
	w.only = &addr;
	neigh_for_each(r->sk->s.net, visit, &w);
	if (!w.found)
		return nl_refuse(r, -ENOENT, "Neighbour entry not found");
	return w.full ? -EMSGSIZE : 0;
}

int rtnl_get_neigh(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct neigh_walk w = {.r = r, .m = m, .cursor = cursor};
	const struct ndmsg *d = rtnl_header(r, sizeof(*d));
	const struct nlattr *at[NDA_MAX + 1];

	if (!r->dump)
		return get_one(r, m, cursor);
	if (d && d->ndm_flags & NTF_PROXY)
		return 0; /* none is answered for */
	if (d && !rtnl_parse(r, sizeof(*d), at, NDA_MAX) && at[NDA_IFINDEX])
		w.ifindex = rtnl_load_u32(at[NDA_IFINDEX]);
	neigh_for_each(r->sk->s.net, visit, &w);
	return w.full;
}

static bool stop(const struct neigh_info *i, void *arg)
{
	struct neigh_info *want = arg;

	if (i->dev != want->dev || !addr_equal(&i->addr, &want->addr))
		return true;
	*want = *i;
	return false;
}

/* What is known of WANT's dev and addr; false: nothing. */
static bool find(struct net_stack *net, struct neigh_info *want)
{
	want->state = NUD_NONE;
	net_enter();
	neigh_for_each(net, stop, want);
	net_leave();
	return want->state != NUD_NONE;
}

void rtnl_notify_neigh(const struct neigh_info *n, bool removed)
{
	struct rtnl_to to = {.type = removed ? RTM_DELNEIGH : RTM_NEWNEIGH};
	struct nl_msg m;

	if (!netlink_has_listeners(RTNLGRP_NEIGH) || !nl_alloc(&m, 512))
		return;
	fill_neigh(&m, n, &to);
	netlink_broadcast(net_if(n->dev)->net, &m, RTNLGRP_NEIGH);
}

static int set(struct nl_request *r, struct neigh_info *i, const struct ndmsg *d, const struct nlattr *lladdr)
{
	bool known = find(r->sk->s.net, i);
	u16 how = r->nlh->nlmsg_flags;
	u8 mac[6];

	if (!known && !(how & NLM_F_CREATE))
		return -ENOENT;
	if (known && (how & NLM_F_EXCL))
		return -EEXIST;
	if (lladdr && nl_len(lladdr) < 6)
		return nl_refuse(r, -EINVAL, "Invalid link address");
	if (!lladdr && !known)
		return -EINVAL; /* valid only by what is not said */
	memcpy(mac, lladdr ? nl_data(lladdr) : i->mac, 6);
	return neigh_set(i->dev, &i->addr, mac, d->ndm_state ? d->ndm_state : NUD_PERMANENT);
}

int rtnl_change_neigh(struct nl_request *r)
{
	const struct ndmsg *d = NLMSG_DATA((struct nlmsghdr *)r->nlh);
	const struct nlattr *at[NDA_MAX + 1];
	struct neigh_info i = {};
	int err = rtnl_parse(r, sizeof(*d), at, NDA_MAX);

	if (err)
		return err;
	if (d->ndm_family != AF_INET && d->ndm_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!at[NDA_DST])
		return nl_refuse(r, -EINVAL, "Network address not specified");
	if (!rtnl_load_addr(d->ndm_family, at[NDA_DST], &i.addr))
		return nl_refuse(r, -EINVAL, "Invalid network address");
	if (d->ndm_flags & NTF_PROXY)
		return -EOPNOTSUPP;
	i.dev = net_device_by_index(r->sk->s.net, (u32)d->ndm_ifindex);
	if (!i.dev)
		return -ENODEV;
	if (r->nlh->nlmsg_type == RTM_NEWNEIGH)
		return set(r, &i, d, at[NDA_LLADDR]);
	return neigh_remove(i.dev, &i.addr);
}
