// SPDX-License-Identifier: BSD-2-Clause
/* /sys/firmware/qemu_fw_cfg/by_name: the host's files, a directory with "raw" for each. Their names hold
 * slashes, so there are directories in between, which exist because some name begins with them.
 *
 * A directory's context names the first file in the list whose name begins with the directory's path, and how
 * many characters of that name make up the path, slash included: num is index * 256 + length. */
#include "kernel/fwcfg.h"
#include "sysfs.h"

#define NAME_SIZE 128 /* fw_cfg names have at most 55 characters */

static unsigned index_of(const struct pseudo_ctx *ctx)
{
	return (unsigned)(ctx->num >> 8);
}

static size_t prefix_of(const struct pseudo_ctx *ctx)
{
	return ctx->num & 0xff;
}

static int raw_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	char name[NAME_SIZE], *buf;
	ssize_t size, n;

	if (fwcfg_name(index_of(ctx), name, sizeof name))
		return -ENOENT;
	size = fwcfg_size(name);
	if (size < 0)
		return (int)size;
	buf = vmalloc((size_t)max(size, (ssize_t)1));
	if (!buf)
		return -ENOMEM;
	n = fwcfg_read(name, buf, (size_t)size, 0);
	if (n > 0)
		seq_write(s, buf, (size_t)n);
	vfree(buf);
	return n < 0 ? (int)n : 0;
}

static u64 raw_size(const struct pseudo_ctx *ctx)
{
	char name[NAME_SIZE];
	ssize_t size = fwcfg_name(index_of(ctx), name, sizeof name) ? 0 : fwcfg_size(name);

	return size > 0 ? (u64)size : 0;
}

static int size_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%llu\n", (unsigned long long)raw_size(ctx));
	return 0;
}

static int name_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	char name[NAME_SIZE];

	if (fwcfg_name(index_of(ctx), name, sizeof name))
		return -ENOENT;
	seq_printf(s, "%s\n", name);
	return 0;
}

static const struct pseudo_entry file_entries[] = {
	{.name = "raw", .mode = S_IFREG | 0400, .show = raw_show, .kind = PSEUDO_SIZE, .size = raw_size},
	{.name = "size", .mode = S_IFREG | 0400, .show = size_show},
	{.name = "name", .mode = S_IFREG | 0400, .show = name_show},
	{0},
};
static const struct pseudo_dir file_dir = {.entries = file_entries};
static const struct pseudo_entry file_entry = DIR(NULL, &file_dir);

static int by_name_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out);
static bool by_name_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out);
static const struct pseudo_dir path_dir = {.find = by_name_find, .next = by_name_next};
static const struct pseudo_entry path_entry = DIR(NULL, &path_dir);

/* Does the name of file INDEX begin with the directory of CTX, whose own name is BASE? Sets *REST behind the
 * prefix. */
static bool below(const char *base, size_t prefix, unsigned index, char *name, const char **rest)
{
	if (fwcfg_name(index, name, NAME_SIZE) || strncmp(name, base, prefix))
		return false;
	*rest = name + prefix;
	return **rest;
}

static size_t component(const char *rest)
{
	const char *slash = strchr(rest, '/');

	return slash ? (size_t)(slash - rest) : strlen(rest);
}

static void found(struct pseudo_found *out, unsigned index, size_t prefix, const char *rest)
{
	size_t len = component(rest);
	bool is_dir = rest[len] == '/';

	out->entry = is_dir ? &path_entry : &file_entry;
	out->ctx.num = (u64)index << 8 | (is_dir ? prefix + len + 1 : 0);
}

static int by_name_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	char base[NAME_SIZE] = "", other[NAME_SIZE];
	const char *rest;

	if (prefix_of(ctx) && fwcfg_name(index_of(ctx), base, sizeof base))
		return -ENOENT;
	for (unsigned i = 0; !fwcfg_name(i, other, sizeof other); i++)
		if (below(base, prefix_of(ctx), i, other, &rest) && component(rest) == len &&
		    !memcmp(rest, name, len)) {
			found(out, i, prefix_of(ctx), rest);
			return 0;
		}
	return -ENOENT;
}

static bool by_name_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	char base[NAME_SIZE] = "", other[NAME_SIZE];
	const char *rest;

	if (prefix_of(ctx) && fwcfg_name(index_of(ctx), base, sizeof base))
		return false;
	for (; !fwcfg_name((unsigned)*cursor, other, sizeof other); ++*cursor) {
		struct pseudo_found first = {.ctx = *ctx};
		size_t len;

		if (!below(base, prefix_of(ctx), (unsigned)*cursor, other, &rest))
			continue;
		len = min(component(rest), sizeof out->name - 1);
		/* A component shows once: at the first file that has it. */
		if (by_name_find(ctx, rest, len, &first) || first.ctx.num >> 8 != *cursor)
			continue;
		*out = first;
		memcpy(out->name, rest, len);
		out->name[len] = '\0';
		++*cursor;
		return true;
	}
	return false;
}

static const struct pseudo_entry fwcfg_entries[] = {DIR("by_name", &path_dir), {0}};
const struct pseudo_dir sysfs_fwcfg = {.entries = fwcfg_entries};
