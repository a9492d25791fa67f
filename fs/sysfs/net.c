// SPDX-License-Identifier: BSD-2-Clause
/* /sys/class/net: a directory for each interface. Interfaces never go away, so a context may point at one. */
#include "net/abi.h"
#include "net/netdev.h"
#include "sysfs.h"

static const struct netdev *dev_of(const struct pseudo_ctx *ctx)
{
	return netdev_by_index((u32)ctx->num);
}

static bool is_loopback(const struct netdev *dev)
{
	return dev->features & NETDEV_LOOPBACK;
}

static const char *operstate(const struct netdev *dev)
{
	if (is_loopback(dev))
		return "unknown";
	return (dev->flags & IFF_UP) && dev->link_up ? "up" : "down";
}

#define NUMBER_ATTR(fn, format, value)                             \
	static int fn(struct seq *s, const struct pseudo_ctx *ctx) \
	{                                                          \
		const struct netdev *dev = dev_of(ctx);            \
                                                                   \
		if (!dev)                                          \
			return -ENODEV;                            \
		seq_printf(s, format "\n", value);                 \
		return 0;                                          \
	}

NUMBER_ATTR(mtu_show, "%u", dev->mtu)
NUMBER_ATTR(index_show, "%u", dev->index)
NUMBER_ATTR(flags_show, "0x%x", dev->flags & 0xffff)
NUMBER_ATTR(type_show, "%d", is_loopback(dev) ? ARPHRD_LOOPBACK : ARPHRD_ETHER)
NUMBER_ATTR(carrier_show, "%d", dev->link_up)
NUMBER_ATTR(operstate_show, "%s", operstate(dev))

static int mac_text(struct seq *s, const u8 mac[6])
{
	seq_printf(s, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return 0;
}

static int address_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct netdev *dev = dev_of(ctx);

	return dev ? mac_text(s, dev->mac) : -ENODEV;
}

static int broadcast_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	static const u8 all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	const struct netdev *dev = dev_of(ctx);

	return dev ? mac_text(s, is_loopback(dev) ? none : all) : -ENODEV;
}

/* A virtual link has no speed; Linux says -1, or EINVAL for the loopback interface. */
static int speed_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct netdev *dev = dev_of(ctx);

	if (!dev || is_loopback(dev))
		return -EINVAL;
	seq_puts(s, "-1\n");
	return 0;
}

/* Statistics: arg is the counter's offset in struct netdev plus one; 1 stands for one that is not counted. */
#define STAT(n, field)                                                          \
	{                                                                       \
		.name = n, .mode = S_IFREG | 0444, .show = stat_show,           \
		.arg = (const void *)(offsetof(struct netdev, stats.field) + 1) \
	}
#define STAT_NONE(n)                                                                         \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0444, .show = stat_show, .arg = (const void *)1 \
	}

static int stat_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct netdev *dev = dev_of(ctx);
	size_t at = (uintptr_t)ctx->arg - 1;

	if (!dev)
		return -ENODEV;
	seq_printf(s, "%llu\n",
		   at ? (unsigned long long)*(const _Atomic u64 *)((const char *)dev + at) : 0ull);
	return 0;
}

static const struct pseudo_entry stat_entries[] = {
	STAT("rx_packets", rx_packets),
	STAT("rx_bytes", rx_bytes),
	STAT("rx_dropped", rx_dropped),
	STAT("rx_errors", rx_errors),
	STAT("tx_packets", tx_packets),
	STAT("tx_bytes", tx_bytes),
	STAT("tx_dropped", tx_dropped),
	STAT("tx_errors", tx_errors),
	STAT_NONE("multicast"),
	STAT_NONE("collisions"),
	STAT_NONE("rx_length_errors"),
	STAT_NONE("rx_over_errors"),
	STAT_NONE("rx_crc_errors"),
	STAT_NONE("rx_frame_errors"),
	STAT_NONE("rx_fifo_errors"),
	STAT_NONE("rx_missed_errors"),
	STAT_NONE("rx_compressed"),
	STAT_NONE("rx_nohandler"),
	STAT_NONE("tx_aborted_errors"),
	STAT_NONE("tx_carrier_errors"),
	STAT_NONE("tx_fifo_errors"),
	STAT_NONE("tx_heartbeat_errors"),
	STAT_NONE("tx_window_errors"),
	STAT_NONE("tx_compressed"),
	{0},
};
static const struct pseudo_dir stat_dir = {.entries = stat_entries};

static const struct pseudo_entry dev_entries[] = {
	ATTR("address", address_show),
	ATTR("broadcast", broadcast_show),
	PSEUDO_TEXT("addr_len", "6\n"),
	PSEUDO_TEXT("addr_assign_type", "0\n"),
	ATTR("carrier", carrier_show),
	ATTR("flags", flags_show),
	ATTR("ifindex", index_show),
	ATTR("iflink", index_show),
	PSEUDO_TEXT("ifalias", ""),
	PSEUDO_TEXT("link_mode", "0\n"),
	PSEUDO_TEXT("dormant", "0\n"),
	PSEUDO_TEXT("dev_id", "0x0\n"),
	ATTR("mtu", mtu_show),
	ATTR("operstate", operstate_show),
	ATTR("speed", speed_show),
	PSEUDO_TEXT("tx_queue_len", "1000\n"),
	ATTR("type", type_show),
	DIR("statistics", &stat_dir),
	{0},
};
static const struct pseudo_dir dev_dir = {.entries = dev_entries};
static const struct pseudo_entry dev_entry = DIR(NULL, &dev_dir);

static int net_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	for (struct netdev *dev = netdev_next(NULL); dev; dev = netdev_next(dev))
		if (strnlen(dev->name, sizeof dev->name) == len && !memcmp(dev->name, name, len)) {
			out->entry = &dev_entry;
			out->ctx.num = dev->index;
			return 0;
		}
	return -ENOENT;
}

static bool net_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	struct netdev *dev = netdev_next(NULL);

	for (u64 i = 0; dev && i < *cursor; i++)
		dev = netdev_next(dev);
	if (!dev)
		return false;
	out->entry = &dev_entry;
	out->ctx.num = dev->index;
	str_copy(out->name, dev->name, sizeof out->name);
	++*cursor;
	return true;
}

const struct pseudo_dir sysfs_net = {.find = net_find, .next = net_next};
