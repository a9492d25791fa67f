// SPDX-License-Identifier: BSD-2-Clause
/* /proc/sys/net: the limits of the network stack that programs look up or set before they listen or size
 * their buffers. They are fields of net_default; what net/ registers itself under one of these names wins. */
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/init.h"
#include "kernel/page.h"
#include "net/tcp.h"
#include "proc.h"

/* Functions NAME_show and NAME_store for a number FIELD of the stack, between LO and HI. */
#define NUMBER(name, field, lo, hi)                                                      \
	static size_t name##_show(char *buf, size_t size)                                \
	{                                                                                \
		return (size_t)snprintf(buf, size, "%u\n", (unsigned)net_default.field); \
	}                                                                                \
	static int name##_store(const char *text, size_t n)                              \
	{                                                                                \
		s64 v;                                                                   \
                                                                                         \
		if (proc_parse(text, lo, hi, &v))                                        \
			return -EINVAL;                                                  \
		net_default.field = (typeof(net_default.field))v;                        \
		return 0;                                                                \
	}

NUMBER(somaxconn, somaxconn, 0, 65535)
NUMBER(rmem_default, rmem_default, 256, 0x7fffffff)
NUMBER(wmem_default, wmem_default, 256, 0x7fffffff)
NUMBER(rmem_max, rmem_max, 256, 0x7fffffff)
NUMBER(wmem_max, wmem_max, 256, 0x7fffffff)
NUMBER(default_ttl, default_ttl, 1, 255)
NUMBER(nonlocal_bind, nonlocal_bind, 0, 1)
NUMBER(bindv6only, bindv6only, 0, 1)
NUMBER(echo_ignore_all, echo_ignore_all, 0, 1)
NUMBER(dgram_qlen, unix_dgram_qlen, 0, 0x7fffffff)
NUMBER(keepalive_time, tcp_conf.keepalive_time, 1, 32767)
NUMBER(keepalive_intvl, tcp_conf.keepalive_intvl, 1, 32767)
NUMBER(keepalive_probes, tcp_conf.keepalive_probes, 1, 127)
NUMBER(fin_timeout, tcp_conf.fin_timeout, 0, 120)
NUMBER(retries2, tcp_conf.retries2, 0, 255)
NUMBER(syn_retries, tcp_conf.syn_retries, 1, 127)
NUMBER(synack_retries, tcp_conf.synack_retries, 0, 255)
NUMBER(orphan_retries, tcp_conf.orphan_retries, 0, 255)
NUMBER(timestamps, tcp_conf.timestamps, 0, 2)
NUMBER(sack, tcp_conf.sack, 0, 1)
NUMBER(window_scaling, tcp_conf.window_scaling, 0, 1)
NUMBER(syncookies, tcp_conf.syncookies, 0, 2)
NUMBER(slow_start_after_idle, tcp_conf.slow_start_after_idle, 0, 1)
NUMBER(ecn, tcp_conf.ecn, 0, 2)
NUMBER(fastopen, tcp_conf.fastopen, 0, 0x7fffffff)
NUMBER(notsent_lowat, tcp_conf.notsent_lowat, 0, 0xffffffff)
NUMBER(abort_on_overflow, tcp_conf.abort_on_overflow, 0, 255)
NUMBER(moderate_rcvbuf, tcp_conf.moderate_rcvbuf, 0, 255)

/* Fast Open's keys: the words of each in hexadecimal, with dashes between; a comma before the second. */
static size_t fastopen_key_show(char *buf, size_t size)
{
	u32 w[TCP_FO_KEYS][4], n = tcp_fastopen_get_keys(&net_default, NULL, w) / TCP_FO_KEY_LEN;
	size_t len = 0;

	for (u32 i = 0; i < n; i++)
		len += (size_t)snprintf(buf + min(len, size), size - min(len, size), "%s%08x-%08x-%08x-%08x",
					i ? "," : "", w[i][0], w[i][1], w[i][2], w[i][3]);
	return len + (size_t)snprintf(buf + min(len, size), size - min(len, size), "\n");
}

/* Up to eight digits. */
static const char *parse_word(const char *text, u32 *w)
{
	unsigned n = 0;

	for (*w = 0; n < 8; n++, text++) {
		char c = *text | ' ';

		if (c >= '0' && c <= '9')
			*w = *w << 4 | (u32)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*w = *w << 4 | (u32)(c - 'a' + 10);
		else
			break;
	}
	return n ? text : NULL;
}

static int fastopen_key_store(const char *text, size_t n)
{
	u32 w[TCP_FO_KEYS * 4], i;

	for (i = 0; i < ARRAY_SIZE(w); i++) {
		text = parse_word(text, &w[i]);
		if (!text)
			return -EINVAL;
		if (*text != (i % 4 == 3 ? ',' : '-'))
			break;
		text++;
	}
	if (i % 4 != 3 || (*text && *text != '\n'))
		return -EINVAL;
	return tcp_fastopen_set_keys(&net_default, NULL, w, (i + 1) * sizeof(w[0]));
}

/* A host that does not forward: the only value. */
static size_t zero_show(char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "0\n");
}

static int zero_store(const char *text, size_t n)
{
	s64 v;

	return proc_parse(text, 0, 0, &v) ? -EINVAL : 0;
}

static size_t congestion_show(char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s\n", net_default.tcp_conf.cc->name);
}

static int congestion_store(const char *text, size_t n)
{
	const struct tcp_cc *cc;
	char name[16] = "";

	for (size_t i = 0; i < sizeof(name) - 1 && text[i] > ' '; i++)
		name[i] = text[i];
	cc = tcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	net_default.tcp_conf.cc = cc;
	return 0;
}

static size_t congestions_show(char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s %s\n", tcp_newreno.name, tcp_cubic.name);
}

/* In pages: below, under pressure, never above. Buffers stop growing at half of the limit. */
static size_t mem_show(char *buf, size_t size)
{
	unsigned long most = net_default.mem_limit / PAGE_SIZE;

	return (size_t)snprintf(buf, size, "%lu\t%lu\t%lu\n", most / 2, most / 2, most);
}

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
		{"net/ipv4/ip_forward", zero_show, zero_store},
		{"net/ipv4/ip_nonlocal_bind", nonlocal_bind_show, nonlocal_bind_store},
		{"net/ipv4/icmp_echo_ignore_all", echo_ignore_all_show, echo_ignore_all_store},
		{"net/ipv4/tcp_keepalive_time", keepalive_time_show, keepalive_time_store},
		{"net/ipv4/tcp_keepalive_intvl", keepalive_intvl_show, keepalive_intvl_store},
		{"net/ipv4/tcp_keepalive_probes", keepalive_probes_show, keepalive_probes_store},
		{"net/ipv4/tcp_fin_timeout", fin_timeout_show, fin_timeout_store},
		{"net/ipv4/tcp_retries2", retries2_show, retries2_store},
		{"net/ipv4/tcp_syn_retries", syn_retries_show, syn_retries_store},
		{"net/ipv4/tcp_synack_retries", synack_retries_show, synack_retries_store},
		{"net/ipv4/tcp_orphan_retries", orphan_retries_show, orphan_retries_store},
		{"net/ipv4/tcp_timestamps", timestamps_show, timestamps_store},
		{"net/ipv4/tcp_sack", sack_show, sack_store},
		{"net/ipv4/tcp_window_scaling", window_scaling_show, window_scaling_store},
		{"net/ipv4/tcp_syncookies", syncookies_show, syncookies_store},
		{"net/ipv4/tcp_ecn", ecn_show, ecn_store},
		{"net/ipv4/tcp_slow_start_after_idle", slow_start_after_idle_show,
		 slow_start_after_idle_store},
		{"net/ipv4/tcp_fastopen", fastopen_show, fastopen_store},
		{"net/ipv4/tcp_notsent_lowat", notsent_lowat_show, notsent_lowat_store},
		{"net/ipv4/tcp_abort_on_overflow", abort_on_overflow_show, abort_on_overflow_store},
		{"net/ipv4/tcp_moderate_rcvbuf", moderate_rcvbuf_show, moderate_rcvbuf_store},
		{"net/ipv4/tcp_fastopen_key", fastopen_key_show, fastopen_key_store},
		{"net/ipv4/tcp_congestion_control", congestion_show, congestion_store},
		{"net/ipv4/tcp_available_congestion_control", congestions_show, NULL},
		{"net/ipv4/tcp_allowed_congestion_control", congestions_show, NULL},
		{"net/ipv4/tcp_mem", mem_show, NULL},
		{"net/ipv4/udp_mem", mem_show, NULL},
		{"net/unix/max_dgram_qlen", dgram_qlen_show, dgram_qlen_store},
		{"net/ipv6/bindv6only", bindv6only_show, bindv6only_store},
		{"net/ipv6/conf/all/forwarding", zero_show, zero_store},
		{"net/ipv6/conf/all/disable_ipv6", zero_show, zero_store},
		{"net/ipv6/conf/default/disable_ipv6", zero_show, zero_store},
		{"net/ipv6/conf/lo/disable_ipv6", zero_show, zero_store},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		unsigned mode;
		int err;

		if (!net_default.ip6 && strncmp(files[i].path, "net/ipv6/", 9) == 0)
			continue;
		mode = files[i].show == fastopen_key_show ? 0600 : (files[i].store ? 0644 : 0444);
		err = proc_sys_register(files[i].path, mode, files[i].show, files[i].store);

		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}
INITCALL(sys_net_init, INIT_LATE);
