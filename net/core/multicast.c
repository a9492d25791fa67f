/* SPDX-License-Identifier: BSD-2-Clause */
/* Which multicast groups an interface receives, and when its routers hear of it (RFC 3376, 3810, with their
 * common rules): a change at once and once more within a second, an answer to a query at a random moment of
 * the time that it allows. What goes onto the wire is igmp.c's and mld.c's.
 *
 * A group's filter is EXCLUDE {} as soon as one member wants all sources, else INCLUDE of those asked for. It
 * stays on the list, without users, until its end was told twice. Everything under cfg_lock; reports go out
 * after it is free. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/random.h"
#include "net/abi.h"
#include "net/multicast.h"

#define REPEAT_NS NSEC_PER_SEC /* unsolicited report interval */

static bool wanted(const struct if_group *g)
{
	return g->users || g->nsources;
}

static struct if_group *find(const struct netdev *dev, const struct net_addr *group)
{
	struct if_group *g;

	for (g = rcu_dereference(net_if(dev)->groups); g; g = rcu_dereference(g->next))
		if (addr_equal(&g->addr, group))
			break;
	return g;
}

static void arm(struct net_if *nif)
{
	u64 next = ~0ull;

	for (struct if_group *g = nif->groups; g; g = g->next)
		if (g->report_at)
			next = min(next, g->report_at);
	if (next != ~0ull)
		net_timer_set(&nif->report_timer, next);
}

/* Groups that routers never hear of: those that everybody is in, or that do not leave the host. */
static bool silent(const struct netdev *dev, const struct net_addr *group)
{
	if (dev->flags & IFF_LOOPBACK)
		return true;
	if (addr_is_v4(group))
		return group->w[3] == IP4(224, 0, 0, 1);
	return (group->b[1] & 0xf) < 2 ||
	       (group->q[0] == be64(0xff02000000000000ull) && group->q[1] == be64(1));
}

static void changed(struct net_if *nif, struct if_group *g)
{
	if (silent(nif->dev, &g->addr))
		return;
	g->changes = 2;
	g->answer = false;
	g->report_at = clock_monotonic();
}

/* One more member for SOURCE (NULL: all). True: the filter is another now. */
static bool add_user(struct if_group *g, const struct net_addr *source)
{
	for (unsigned i = 0; source && i < g->nsources; i++)
		if (addr_equal(&g->sources[i].addr, source)) {
			g->sources[i].users++;
			return false;
		}
	if (source && g->nsources < ARRAY_SIZE(g->sources)) {
		g->sources[g->nsources].addr = *source;
		g->sources[g->nsources++].users = 1;
		return !g->users;
	}
	return g->users++ == 0; /* more sources than fit count as all */
}

static bool drop_user(struct if_group *g, const struct net_addr *source)
{
	for (unsigned i = 0; source && i < g->nsources; i++)
		if (addr_equal(&g->sources[i].addr, source)) {
			if (--g->sources[i].users)
				return false;
			g->sources[i] = g->sources[--g->nsources];
			return !g->users;
		}
	return g->users && --g->users == 0;
}

/* A silent group has nothing to tell before it goes. Returns it for the caller to free. */
static struct if_group *take_off(struct net_if *nif, struct if_group *g)
{
	struct if_group **at;

	for (at = &nif->groups; *at != g; at = &(*at)->next)
		;
	rcu_assign_pointer(*at, g->next);
	return g;
}

int if_group_join(struct netdev *dev, const struct net_addr *group, const struct net_addr *source)
{
	struct net_stack *net = net_if(dev)->net;
	struct if_group *made = net_zalloc(sizeof(*made)), *g;

	if (!made)
		return -ENOMEM;
	net_lock(&net->cfg_lock);
	g = find(dev, group);
	if (!g) {
		g = made;
		made = NULL;
		g->addr = *group;
		g->next = net_if(dev)->groups;
		rcu_assign_pointer(net_if(dev)->groups, g);
	}
	if (add_user(g, source)) {
		changed(net_if(dev), g);
		arm(net_if(dev));
	}
	net_unlock(&net->cfg_lock);
	kfree(made);
	return 0;
}

int if_group_leave(struct netdev *dev, const struct net_addr *group, const struct net_addr *source)
{
	struct net_stack *net = net_if(dev)->net;
	struct if_group *g, *gone = NULL;

	net_lock(&net->cfg_lock);
	g = find(dev, group);
	if (g && drop_user(g, source)) {
		changed(net_if(dev), g);
		if (!wanted(g) && !g->report_at)
			gone = take_off(net_if(dev), g);
		arm(net_if(dev));
	}
	net_unlock(&net->cfg_lock);
	if (gone)
		rcu_call(&gone->rcu, rcu_kfree);
	return g ? 0 : -EADDRNOTAVAIL;
}

bool if_group_member(const struct netdev *dev, const struct net_addr *group)
{
	const struct if_group *g;

	if (group->w[3] == IP4(224, 0, 0, 1) && addr_is_v4(group))
		return true; /* all hosts (RFC 1112) */
	g = find(dev, group);
	return g && wanted(g);
}

void mc_query(struct netdev *dev, bool v4, const struct net_addr *group, u64 within)
{
	struct net_if *nif = net_if(dev);
	u64 now = clock_monotonic();

	net_lock(&nif->net->cfg_lock);
	for (struct if_group *g = nif->groups; g; g = g->next) {
		u64 at = now + 1 + random_u64() % (within + 1);

		if (addr_is_v4(&g->addr) != v4 || silent(dev, &g->addr) || !wanted(g) ||
		    (!addr_is_any(group) && !addr_equal(group, &g->addr)))
			continue;
		if (g->report_at && g->report_at <= at)
			continue; /* it is about to be told anyway */
		if (!g->changes)
			g->answer = true;
		g->report_at = at;
	}
	arm(nif);
	net_unlock(&nif->net->cfg_lock);
}

void mc_heard_report(struct netdev *dev, const struct net_addr *group)
{
	struct net_if *nif = net_if(dev);
	struct if_group *g;

	net_lock(&nif->net->cfg_lock);
	g = find(dev, group);
	if (g && g->answer) {
		g->answer = false;
		g->report_at = 0;
	}
	net_unlock(&nif->net->cfg_lock);
}

void mc_device_up(struct netdev *dev)
{
	struct net_if *nif = net_if(dev);

	net_lock(&nif->net->cfg_lock);
	for (struct if_group *g = nif->groups; g; g = g->next)
		if (wanted(g))
			changed(nif, g);
	arm(nif);
	net_unlock(&nif->net->cfg_lock);
}

/* Describe G, whose report is due, and set when it is next. */
static void take_record(struct if_group *g, struct mc_record *r, u64 now)
{
	bool all = g->users;

	r->group = g->addr;
	r->type = g->changes ? (all ? MC_TO_EXCLUDE : MC_TO_INCLUDE) : (all ? MC_IS_EXCLUDE : MC_IS_INCLUDE);
	r->gone = !wanted(g);
	r->nsources = all ? 0 : g->nsources;
	for (unsigned i = 0; i < r->nsources; i++)
		r->sources[i] = g->sources[i].addr;
	if (g->changes)
		g->changes--;
	g->answer = false;
	g->report_at = g->changes ? now + 1 + random_u64() % REPEAT_NS : 0;
}

void mc_report_timer(struct net_timer *t)
{
	struct net_if *nif = container_of(t, struct net_if, report_timer);
	struct mc_record r[2][MC_RECORDS];
	unsigned n[2] = {0, 0};
	u64 now = clock_monotonic();
	struct if_group *g, *next;

	net_lock(&nif->net->cfg_lock);
	for (g = nif->groups; g; g = next) {
		bool v6 = !addr_is_v4(&g->addr);

		next = g->next;
		if (!g->report_at || g->report_at > now || n[v6] == MC_RECORDS)
			continue;
		take_record(g, &r[v6][n[v6]++], now);
		if (!wanted(g) && !g->report_at)
			rcu_call(&take_off(nif, g)->rcu, rcu_kfree);
	}
	arm(nif);
	net_unlock(&nif->net->cfg_lock);
	if (!(nif->dev->flags & IFF_UP))
		return;
	if (n[0])
		igmp_report(nif->dev, r[0], n[0]);
	if (n[1])
		mld_report(nif->dev, r[1], n[1]);
}
