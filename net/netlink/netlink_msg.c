/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and reading netlink messages (netlink(3)): headers and attributes aligned to 4. */
#include "base/err.h"
#include "base/string.h"
#include "net/netlink.h"

bool nl_alloc(struct nl_msg *m, size_t size)
{
	*m = (struct nl_msg){.p = packet_alloc(0, size)};
	return m->p;
}

static void *put(struct nl_msg *m, size_t n)
{
	size_t room = ALIGN_UP(n, 4ul);
	u8 *at;

	if (m->overflow || (size_t)(m->p->end - m->p->tail) < room) {
		m->overflow = true;
		return NULL;
	}
	at = packet_put(m->p, (u32)room);
	memset(at, 0, room);
	return at;
}

void *nl_begin(struct nl_msg *m, u32 portid, u32 seq, u16 type, u16 flags, size_t payload)
{
	static u8 scratch[128];
	struct nlmsghdr *h;

	m->hdr = m->p->tail;
	h = put(m, NLMSG_HDRLEN + payload);
	if (!h)
		return scratch; /* the caller may fill it in: nl_end() will say that it was for nothing */
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = seq;
	h->nlmsg_pid = portid;
	return h + 1;
}

bool nl_end(struct nl_msg *m)
{
	if (m->overflow) {
		m->p->len -= (u32)(m->p->tail - m->hdr);
		m->p->tail = m->hdr;
		m->overflow = false;
		return false;
	}
	((struct nlmsghdr *)m->hdr)->nlmsg_len = (u32)(m->p->tail - m->hdr);
	return true;
}

void nl_attr(struct nl_msg *m, u16 type, const void *data, size_t len)
{
	struct nlattr *a = put(m, sizeof(*a) + len);

	if (!a)
		return;
	a->nla_type = type;
	a->nla_len = (u16)(sizeof(*a) + len);
	memcpy(a + 1, data, len);
}

void nl_attr_u8(struct nl_msg *m, u16 type, u8 v)
{
	nl_attr(m, type, &v, 1);
}

void nl_attr_u32(struct nl_msg *m, u16 type, u32 v)
{
	nl_attr(m, type, &v, 4);
}

void nl_attr_str(struct nl_msg *m, u16 type, const char *s)
{
	nl_attr(m, type, s, strlen(s) + 1);
}

size_t nl_nest(struct nl_msg *m, u16 type)
{
	size_t at = (size_t)(m->p->tail - m->p->head);

	nl_attr(m, type, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_msg *m, size_t at)
{
	if (!m->overflow)
		((struct nlattr *)(m->p->head + at))->nla_len = (u16)((size_t)(m->p->tail - m->p->head) - at);
}

int nl_parse(const void *data, size_t len, const struct nlattr **attrs, unsigned max)
{
	const u8 *p = data;

	memset(attrs, 0, (max + 1) * sizeof(*attrs));
	while (len >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const struct nlattr *)p;
		size_t n = ALIGN_UP((size_t)a->nla_len, 4ul);
		unsigned type = a->nla_type & NLA_TYPE_MASK;

		if (a->nla_len < sizeof(*a) || a->nla_len > len)
			return -EINVAL;
		if (type <= max)
			attrs[type] = a;
		if (n >= len)
			break;
		p += n;
		len -= n;
	}
	return 0;
}
