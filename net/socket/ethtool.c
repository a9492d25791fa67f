/* SPDX-License-Identifier: BSD-2-Clause */
/* SIOCETHTOOL: what programs ask of an interface before they capture, bond or tune it. Settings are read
 * only: the device decides. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/app.h"
#include "net/ethtool.h"
#define _LIBC_LIMITS_H_ /* the compiler's limits.h, which this one wants, looks for a C library's */
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>

#define MODE_WORDS 4 /* of each bit map of link modes, as in Linux 6.1 */

static long put_value(void __app *arg, u32 cmd, u32 v)
{
	struct ethtool_value e = {.cmd = cmd, .data = v};

	return copy_to_app(arg, &e, sizeof(e));
}

static long get_driver(struct netdev *dev, void __app *arg)
{
	struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO, .driver = "virtio_net", .version = "1.0.0"};

	if (dev->flags & IFF_LOOPBACK)
		return -EOPNOTSUPP;
	return copy_to_app(arg, &d, sizeof(d));
}

static long get_time_stamping(void __app *arg)
{
	struct ethtool_ts_info t = {.cmd = ETHTOOL_GET_TS_INFO,
				    .so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE |
						       SOF_TIMESTAMPING_RX_SOFTWARE |
						       SOF_TIMESTAMPING_SOFTWARE,
				    .phc_index = -1};

	return copy_to_app(arg, &t, sizeof(t));
}

/* The caller first asks with 0 words how many there are, which we tell as a negative number. No speed is
 * known of a virtual link. */
static long get_link_settings(struct netdev *dev, void __app *arg)
{
	struct {
		struct ethtool_link_settings s;
		u32 modes[3 * MODE_WORDS];
	} r = {.s = {.cmd = ETHTOOL_GLINKSETTINGS,
		     .link_mode_masks_nwords = -MODE_WORDS,
		     .speed = (u32)SPEED_UNKNOWN,
		     .duplex = DUPLEX_UNKNOWN,
		     .port = PORT_OTHER}};
	struct ethtool_link_settings ask;

	if (dev->flags & IFF_LOOPBACK)
		return -EOPNOTSUPP;
	if (copy_from_app(&ask, arg, sizeof(ask)))
		return -EFAULT;
	if (ask.link_mode_masks_nwords != MODE_WORDS)
		return copy_to_app(arg, &r.s, sizeof(r.s));
	r.s.link_mode_masks_nwords = MODE_WORDS;
	return copy_to_app(arg, &r, sizeof(r));
}

static long get_legacy_settings(struct netdev *dev, void __app *arg)
{
	struct ethtool_cmd c = {.cmd = ETHTOOL_GSET,
				.speed = 0xffff,
				.speed_hi = 0xffff,
				.duplex = DUPLEX_UNKNOWN,
				.port = PORT_OTHER};

	return dev->flags & IFF_LOOPBACK ? -EOPNOTSUPP : copy_to_app(arg, &c, sizeof(c));
}

static long get_channels(struct netdev *dev, void __app *arg)
{
	u32 n = max(dev->nqueues, 1u);
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS, .max_combined = n, .combined_count = n};

	return dev->flags & IFF_LOOPBACK ? -EOPNOTSUPP : copy_to_app(arg, &c, sizeof(c));
}

static long get_permanent_address(struct netdev *dev, void __app *arg)
{
	struct {
		struct ethtool_perm_addr a;
		u8 mac[6];
	} __packed p;

	if (copy_from_app(&p.a, arg, sizeof(p.a)))
		return -EFAULT;
	if (p.a.size < sizeof(p.mac))
		return -EINVAL;
	p.a.size = sizeof(p.mac);
	memcpy(p.mac, dev->mac, sizeof(p.mac));
	return copy_to_app(arg, &p, sizeof(p));
}

long ethtool_ioctl(struct netdev *dev, void __app *arg)
{
	u32 cmd;

	if (copy_from_app(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	switch (cmd) {
	case ETHTOOL_GDRVINFO:
		return get_driver(dev, arg);
	case ETHTOOL_GLINK:
		return put_value(arg, cmd, (dev->flags & IFF_UP) && dev->link_up);
	case ETHTOOL_GRXCSUM:
	case ETHTOOL_GTXCSUM:
		return put_value(arg, cmd, (dev->features & NETDEV_CSUM) != 0);
	case ETHTOOL_GSG:
		return put_value(arg, cmd, (dev->features & NETDEV_SG) != 0);
	case ETHTOOL_GTSO:
		return put_value(arg, cmd, (dev->features & (NETDEV_TSO4 | NETDEV_TSO6)) != 0);
	case ETHTOOL_GGSO:
		return put_value(arg, cmd, 1); /* gso.c */
	case ETHTOOL_GUFO:
	case ETHTOOL_GGRO:
	case ETHTOOL_GFLAGS:
	case ETHTOOL_GMSGLVL:
		return put_value(arg, cmd, 0);
	case ETHTOOL_GET_TS_INFO:
		return get_time_stamping(arg);
	case ETHTOOL_GSET:
		return get_legacy_settings(dev, arg);
	case ETHTOOL_GLINKSETTINGS:
		return get_link_settings(dev, arg);
	case ETHTOOL_GCHANNELS:
		return get_channels(dev, arg);
	case ETHTOOL_GPERMADDR:
		return get_permanent_address(dev, arg);
	}
	return -EOPNOTSUPP;
}
