// SPDX-License-Identifier: BSD-2-Clause
/* /proc/sys/net: the limits of the network stack that programs look up or set before they listen or size
 * their buffers. They are fields of net_default; what net/ registers itself under one of these names wins. */
#include "base/err.h"
#include "base/format.h"
#include "fs/pseudo.h"
#include "kernel/init.h"
#include "net/stack.h"
#include "proc.h"

/* Functions for a number FIELD of the stack, between LO and HI. */
#define NUMBER(field, lo, hi)                                                            \
	static size_t field##_show(char *buf, size_t size)                               \
	{                                                                                \
		return (size_t)snprintf(buf, size, "%u\n", (unsigned)net_default.field); \
	}                                                                                \
	static int field##_store(const char *text, size_t n)                             \
	{                                                                                \
		s64 v;                                                                   \
                                                                                         \
		if (proc_parse(text, lo, hi, &v))                                        \
			return -EINVAL;                                                  \
		net_default.field = (typeof(net_default.field))v;                        \
		return 0;                                                                \
	}

NUMBER(somaxconn, 0, 65535)
NUMBER(rmem_default, 256, 0x7fffffff)
NUMBER(wmem_default, 256, 0x7fffffff)
NUMBER(rmem_max, 256, 0x7fffffff)
NUMBER(wmem_max, 256, 0x7fffffff)
NUMBER(default_ttl, 1, 255)

static size_t ports_show(char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%u\t%u\n", net_default.port_low, net_default.port_high);
}

static int ports_store(const char *text, size_t n)
{
	const char *end;
	u64 low, high;

	low = str_to_u64(text, &end);
	while (*end == ' ' || *end == '\t')
		end++;
	high = str_to_u64(end, &end);
	if (!low || low > high || high > 65535)
		return -EINVAL;
	net_default.port_low = (u16)low;
	net_default.port_high = (u16)high;
	return 0;
}

static size_t triple_show(char *buf, size_t size, const u32 v[3])
{
	return (size_t)snprintf(buf, size, "%u\t%u\t%u\n", v[0], v[1], v[2]);
}

static int triple_store(const char *text, u32 v[3])
{
	u64 in[3];

	for (int i = 0; i < 3; i++) {
		const char *end;

		while (*text == ' ' || *text == '\t')
			text++;
		in[i] = str_to_u64(text, &end);
		if (end == text || in[i] > 0x7fffffff)
			return -EINVAL;
		text = end;
	}
	if (in[0] > in[1] || in[1] > in[2])
		return -EINVAL;
	for (int i = 0; i < 3; i++)
		v[i] = (u32)in[i];
	return 0;
}

static size_t rmem_show(char *buf, size_t size)
{
	return triple_show(buf, size, net_default.tcp_rmem);
}

static int rmem_store(const char *text, size_t n)
{
	return triple_store(text, net_default.tcp_rmem);
}

static size_t wmem_show(char *buf, size_t size)
{
	return triple_show(buf, size, net_default.tcp_wmem);
}

static int wmem_store(const char *text, size_t n)
{
	return triple_store(text, net_default.tcp_wmem);
}

static int sys_net_init(void)
{
	static const struct {
		const char *path;
		size_t (*show)(char *, size_t);
		int (*store)(const char *, size_t);
	} files[] = {
		{"net/core/somaxconn", somaxconn_show, somaxconn_store},
		{"net/core/rmem_default", rmem_default_show, rmem_default_store},
		{"net/core/wmem_default", wmem_default_show, wmem_default_store},
		{"net/core/rmem_max", rmem_max_show, rmem_max_store},
		{"net/core/wmem_max", wmem_max_show, wmem_max_store},
		{"net/ipv4/ip_default_ttl", default_ttl_show, default_ttl_store},
		{"net/ipv4/ip_local_port_range", ports_show, ports_store},
		{"net/ipv4/tcp_rmem", rmem_show, rmem_store},
		{"net/ipv4/tcp_wmem", wmem_show, wmem_store},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int err = proc_sys_register(files[i].path, files[i].show, files[i].store);

		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}
INITCALL(sys_net_init, INIT_LATE);
