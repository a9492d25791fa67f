// SPDX-License-Identifier: BSD-2-Clause
/* /sys/block: a directory for each block device. */
#include "kernel/blockdev.h"
#include "sysfs.h"

/* The device by its place in the list, which only grows. */
static struct block_device *device(u64 index)
{
	struct block_device *bd = block_next(NULL);

	while (bd && index--)
		bd = block_next(bd);
	return bd;
}

#define DEVICE_ATTR(fn, format, value)                             \
	static int fn(struct seq *s, const struct pseudo_ctx *ctx) \
	{                                                          \
		const struct block_device *bd = device(ctx->num);  \
                                                                   \
		if (!bd)                                           \
			return -ENODEV;                            \
		seq_printf(s, format "\n", value);                 \
		return 0;                                          \
	}

DEVICE_ATTR(size_show, "%llu", (unsigned long long)bd->sectors)
DEVICE_ATTR(ro_show, "%d", bd->read_only)
DEVICE_ATTR(dev_show, "254:%llu", (unsigned long long)ctx->num * 16)
DEVICE_ATTR(serial_show, "%s", bd->serial)
DEVICE_ATTR(sector_show, "%u", bd->sector_size)

static int stat_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct block_device *bd = device(ctx->num);
	u64 n[BLOCK_STAT_FIELDS];

	if (!bd)
		return -ENODEV;
	block_stat(bd, n);
	for (unsigned i = 0; i < BLOCK_STAT_FIELDS; i++)
		seq_printf(s, "%8llu%s", (unsigned long long)n[i], i + 1 < BLOCK_STAT_FIELDS ? " " : "\n");
	return 0;
}

static int inflight_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct block_device *bd = device(ctx->num);

	if (!bd)
		return -ENODEV;
	seq_printf(s, "%8u %8u\n", bd->stats.in_flight[BLOCK_READ], bd->stats.in_flight[BLOCK_WRITE]);
	return 0;
}

static int uevent_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct block_device *bd = device(ctx->num);

	if (!bd)
		return -ENODEV;
	seq_printf(s, "MAJOR=254\nMINOR=%llu\nDEVNAME=%s\nDEVTYPE=disk\n", (unsigned long long)ctx->num * 16,
		   bd->name);
	return 0;
}

static const struct pseudo_entry queue_entries[] = {
	ATTR("logical_block_size", sector_show),
	ATTR("physical_block_size", sector_show),
	ATTR("hw_sector_size", sector_show),
	PSEUDO_TEXT("rotational", "0\n"),
	PSEUDO_TEXT("scheduler", "[none]\n"),
	ATTR("minimum_io_size", sector_show),
	PSEUDO_TEXT("optimal_io_size", "0\n"),
	PSEUDO_TEXT("discard_granularity", "0\n"),
	PSEUDO_TEXT("discard_max_bytes", "0\n"),
	PSEUDO_TEXT("discard_zeroes_data", "0\n"),
	PSEUDO_TEXT("write_same_max_bytes", "0\n"),
	PSEUDO_TEXT("add_random", "0\n"),
	PSEUDO_TEXT("nr_requests", "256\n"),
	PSEUDO_TEXT("read_ahead_kb", "128\n"),
	PSEUDO_TEXT("zoned", "none\n"),
	PSEUDO_TEXT("dax", "0\n"),
	{0},
};
static const struct pseudo_dir queue_dir = {.entries = queue_entries};
static const struct pseudo_entry block_entries[] = {
	ATTR("size", size_show),
	ATTR("ro", ro_show),
	ATTR("dev", dev_show),
	ATTR("serial", serial_show),
	PSEUDO_TEXT("removable", "0\n"),
	PSEUDO_TEXT("range", "16\n"),
	ATTR("uevent", uevent_show),
	PSEUDO_TEXT("alignment_offset", "0\n"),
	PSEUDO_TEXT("hidden", "0\n"),
	PSEUDO_TEXT("discard_alignment", "0\n"),
	PSEUDO_TEXT("ext_range", "256\n"),
	PSEUDO_TEXT("capability", "0\n"),
	ATTR("stat", stat_show),
	ATTR("inflight", inflight_show),
	DIR("queue", &queue_dir),
	{0},
};
static const struct pseudo_dir block_dir = {.entries = block_entries};
static const struct pseudo_entry block_entry = DIR(NULL, &block_dir);

static int block_lookup(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	u64 n = 0;

	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd), n++)
		if (strnlen(bd->name, sizeof bd->name) == len && !memcmp(bd->name, name, len)) {
			out->entry = &block_entry;
			out->ctx.num = n;
			return 0;
		}
	return -ENOENT;
}

static bool block_list(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	struct block_device *bd = device(*cursor);

	if (!bd)
		return false;
	out->entry = &block_entry;
	out->ctx.num = (*cursor)++;
	str_copy(out->name, bd->name, sizeof out->name);
	return true;
}

const struct pseudo_dir sysfs_block = {.find = block_lookup, .next = block_list};

/* ---- /sys/dev/block: MAJOR:MINOR leads to the device ---- */

static ssize_t number_link(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	const struct block_device *bd = device(ctx->num);

	return bd ? scnprintf(buf, size, "../../block/%s", bd->name) : -ENODEV;
}

static const struct pseudo_entry number_entry = {.mode = S_IFLNK | 0777, .readlink = number_link};

static int number_lookup(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	u64 minor;

	if (!sysfs_numbered(name, len, "254:", &minor) || minor % 16 || !device(minor / 16))
		return -ENOENT;
	out->entry = &number_entry;
	out->ctx.num = minor / 16;
	return 0;
}

static bool number_list(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	if (!device(*cursor))
		return false;
	out->entry = &number_entry;
	out->ctx.num = *cursor;
	snprintf(out->name, sizeof out->name, "254:%llu", (unsigned long long)(*cursor)++ * 16);
	return true;
}

const struct pseudo_dir sysfs_dev_block = {.find = number_lookup, .next = number_list};
