/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets: allocation and payload access; see net/packet.h. A packet from packet_alloc() is one allocation,
 * the linear buffer behind the structure; a driver may put a buffer of its own into a packet_alloc(0, 0). */
#include "base/string.h"
#include "kernel/alloc.h"
#include "net/checksum.h"
#include "net/context.h"
#include "net/packet.h"

struct packet *packet_alloc(size_t headroom, size_t size)
{
	struct packet *p = net_alloc(sizeof(*p) + headroom + size);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct packet, frags));
	p->free = NULL;
	p->priv = NULL;
	p->head = (u8 *)(p + 1);
	p->data = p->tail = p->head + headroom;
	p->end = p->data + size;
	return p;
}

static void release_linear(struct packet *p)
{
	if (p->free)
		p->free(p);
	else if (p->head != (u8 *)(p + 1))
		kfree(p->head);
}

static void release_frags(struct packet *p)
{
	for (unsigned i = 0; i < p->nfrags; i++)
		if (p->frags[i].free)
			p->frags[i].free(&p->frags[i]);
	p->nfrags = 0;
}

void packet_free(struct packet *p)
{
	if (!p)
		return;
	release_frags(p);
	release_linear(p);
	kfree(p);
}

void packet_queue_purge(struct list_head *q)
{
	while (!list_empty(q)) {
		struct packet *p = list_first_entry(q, struct packet, node);

		list_del(&p->node);
		packet_free(p);
	}
}

static void drop_front_frag(struct packet *p)
{
	if (p->frags[0].free)
		p->frags[0].free(&p->frags[0]);
	p->nfrags--;
	memmove(&p->frags[0], &p->frags[1], p->nfrags * sizeof(p->frags[0]));
}

/* Take N bytes from the front of the fragments; DST may be NULL. */
static void eat_frags(struct packet *p, u8 *dst, u32 n)
{
	while (n) {
		struct packet_frag *f = &p->frags[0];
		u32 part = min(n, f->len);

		if (dst) {
			memcpy(dst, f->data, part);
			dst += part;
		}
		f->data += part;
		f->len -= part;
		n -= part;
		if (!f->len)
			drop_front_frag(p);
	}
}

bool packet_pull_linear(struct packet *p, u32 n)
{
	u32 have = packet_linear(p);

	if (n > p->len)
		return false;
	if (n <= have)
		return true;
	if ((size_t)(p->end - p->tail) < n - have) {
		u32 front = packet_headroom(p), room = front + n + 64;
		u8 *buf = net_alloc(room);

		if (!buf)
			return false;
		memcpy(buf, p->head, front + have);
		release_linear(p);
		p->free = NULL;
		p->head = buf;
		p->data = buf + front;
		p->tail = p->data + have;
		p->end = buf + room;
	}
	eat_frags(p, p->tail, n - have);
	p->tail += n - have;
	return true;
}

void packet_advance(struct packet *p, u32 n)
{
	u32 lin = min(n, packet_linear(p));

	p->data += lin;
	p->len -= n;
	if (n > lin)
		eat_frags(p, NULL, n - lin);
}

void packet_trim(struct packet *p, u32 len)
{
	if (len >= p->len)
		return;
	while (p->nfrags && p->len > len) {
		struct packet_frag *f = &p->frags[p->nfrags - 1];
		u32 cut = min(p->len - len, f->len);

		f->len -= cut;
		p->len -= cut;
		if (!f->len) {
			if (f->free)
				f->free(f);
			p->nfrags--;
		}
	}
	if (p->len > len) {
		p->tail -= p->len - len;
		p->len = len;
	}
}

void packet_copy_bits(const struct packet *p, u32 off, void *dst, u32 n)
{
	u32 lin = packet_linear(p);
	u8 *to = dst;

	if (off < lin) {
		u32 part = min(n, lin - off);

		memcpy(to, p->data + off, part);
		to += part;
		n -= part;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; n && i < p->nfrags; i++) {
		const struct packet_frag *f = &p->frags[i];
		u32 part;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		part = min(n, f->len - off);
		memcpy(to, f->data + off, part);
		to += part;
		n -= part;
		off = 0;
	}
}

size_t packet_copy_to_iter(const struct packet *p, u32 off, struct iter *it, size_t n)
{
	u32 lin = packet_linear(p);
	size_t done = 0;

	if (off < lin) {
		size_t part = min(n, (size_t)(lin - off));

		done = iter_copy_out(it, p->data + off, part);
		if (done < part)
			return done;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; done < n && i < p->nfrags; i++) {
		const struct packet_frag *f = &p->frags[i];
		size_t part, got;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		part = min(n - done, (size_t)(f->len - off));
		got = iter_copy_out(it, f->data + off, part);
		done += got;
		if (got < part)
			break;
		off = 0;
	}
	return done;
}

struct packet *packet_copy(const struct packet *p, u32 headroom)
{
	struct packet *c = packet_alloc(headroom, p->len);

	if (!c)
		return NULL;
	packet_copy_bits(p, 0, packet_put(c, p->len), p->len);
	c->dev = p->dev;
	c->protocol = p->protocol;
	c->ip_summed = p->ip_summed;
	c->csum_start = p->csum_start;
	c->csum_offset = p->csum_offset;
	c->gso_size = p->gso_size;
	c->gso_type = p->gso_type;
	/* Header offsets stay at the same distance from data. */
	c->network_off = (u16)(p->network_off + headroom - packet_headroom(p));
	c->transport_off = (u16)(p->transport_off + headroom - packet_headroom(p));
	memcpy(c->cb, p->cb, sizeof(c->cb));
	return c;
}

u32 packet_csum(const struct packet *p, u32 off, u32 n, u32 sum)
{
	u32 lin = packet_linear(p), at = 0;

	if (off < lin) {
		u32 part = min(n, lin - off);

		sum = csum_partial(p->data + off, part, sum);
		at = part;
		n -= part;
		off = lin;
	}
	off -= lin;
	for (unsigned i = 0; n && i < p->nfrags; i++) {
		const struct packet_frag *f = &p->frags[i];
		u32 part;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		part = min(n, f->len - off);
		sum = csum_block_add(sum, csum_partial(f->data + off, part, 0), at);
		at += part;
		n -= part;
		off = 0;
	}
	return sum;
}

struct netbuf *netbuf_alloc(u32 size)
{
	struct netbuf *b = kmalloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	refcount_set(&b->ref, 1);
	b->size = size;
	b->start = b->end = 0;
	return b;
}

void netbuf_put(struct netbuf *b)
{
	if (refcount_put(&b->ref))
		kfree(b);
}

static void netbuf_frag_free(struct packet_frag *f)
{
	netbuf_put(f->priv);
}

bool packet_add_netbuf(struct packet *p, struct netbuf *b, u32 off, u32 len)
{
	struct packet_frag *f;

	if (p->nfrags) {
		f = &p->frags[p->nfrags - 1];
		if (f->free == netbuf_frag_free && f->priv == b && f->data + f->len == b->data + off) {
			f->len += len;
			p->len += len;
			return true;
		}
	}
	if (p->nfrags == PACKET_MAX_FRAGS)
		return false;
	f = &p->frags[p->nfrags++];
	refcount_get(&b->ref);
	f->data = b->data + off;
	f->len = len;
	f->free = netbuf_frag_free;
	f->priv = b;
	p->len += len;
	return true;
}
