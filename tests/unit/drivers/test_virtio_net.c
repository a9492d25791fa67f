// SPDX-License-Identifier: BSD-2-Clause
/* The network driver against a simulated device: features that depend on each other, frames small, large and
 * merged, checksum and segmentation headers both ways, shortage of memory, and headers that lie. Every page
 * is accounted for. */
// sources: kernel/drivers/virtio/net*.c
// sources: kernel/drivers/virtio/device.c kernel/drivers/virtio/queue*.c
// sources: tests/unit/host/virtio_sim.c
#include "unit.h"

#include "base/err.h"
#include "arch/cpu.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "net/netdev.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#define HEADER sizeof(struct virtio_net_hdr_mrg_rxbuf)

DECLARE_COUNTER(net_rx_bad_header);

static struct sim_device *sim;
static struct netdev *dev;
static struct packet *received[64];
static unsigned nreceived, polls_wanted, sent_freed;
static u8 sent[70000];
static size_t nsent;
static unsigned announced, commands[8][4]; /* by class and command */
static u8 last_command[512];		   /* behind its header */
static bool numbers;			   /* frames sent begin with ascending numbers, from next_number */
static u32 next_number;

void random_add_interrupt(u32 source)
{
}

/* net/'s side of the seam. */
int netdev_register(struct netdev *d)
{
	dev = d;
	return 0;
}

void netdev_schedule_poll(struct netdev *d, unsigned queue)
{
	polls_wanted++;
}

void netdev_receive(struct netdev *d, struct packet *p)
{
	received[nreceived++] = p;
}

void netdev_link_changed(struct netdev *d, bool up)
{
	__atomic_store_n(&d->link_up, up, __ATOMIC_RELEASE);
}

void netdev_announce(struct netdev *d)
{
	__atomic_add_fetch(&announced, 1, __ATOMIC_RELEASE);
}

struct packet *packet_alloc(size_t headroom, size_t size)
{
	struct packet *p = kmalloc(sizeof *p + headroom + size);

	if (!p)
		return NULL;
	memset(p, 0, sizeof *p);
	p->head = (u8 *)(p + 1);
	p->data = p->tail = p->head + headroom;
	p->end = p->data + size;
	return p;
}

void packet_free(struct packet *p)
{
	for (unsigned i = 0; i < p->nfrags; i++)
		if (p->frags[i].free)
			p->frags[i].free(&p->frags[i]);
	if (p->free)
		p->free(p);
	kfree(p);
	sent_freed++;
}

static size_t flatten(const struct packet *p, u8 *out)
{
	size_t n = (size_t)(p->tail - p->data);

	memcpy(out, p->data, n);
	for (unsigned i = 0; i < p->nfrags; i++) {
		memcpy(out + n, p->frags[i].data, p->frags[i].len);
		n += p->frags[i].len;
	}
	return n;
}

static void drop_received(void)
{
	while (nreceived)
		packet_free(received[--nreceived]);
}

static void notified(struct sim_device *s, unsigned q)
{
	struct sim_chain c;

	if (q == 1)
		while (sim_pop(s, q, &c)) {
			nsent = sim_read(&c, sent, sizeof sent);
			if (numbers) {
				assert_memory_equal(sent + HEADER, &next_number, sizeof next_number);
				next_number++;
			}
			sim_push(s, q, c.head, 0);
		}
	if (q == s->queue_count - 1) /* control: say yes */
		while (sim_pop(s, q, &c)) {
			u8 buf[sizeof last_command + 2];

			sim_read(&c, buf, sizeof buf);
			memcpy(last_command, buf + 2, sizeof last_command);
			__atomic_add_fetch(&commands[buf[0]][buf[1]], 1, __ATOMIC_RELEASE);
			sim_write(&c, &(u8){VIRTIO_NET_OK}, 1);
			sim_push(s, q, c.head, 1);
		}
}

static unsigned device_queues = 3;

static void add_device(u64 features)
{
	struct virtio_net_config *config;

	sim = calloc(1, sizeof *sim);
	sim_init(sim, VIRTIO_ID_NET, features, device_queues, sizeof *config);
	config = (struct virtio_net_config *)sim->config;
	memcpy(config->mac, "\x52\x54\x00\x12\x34\x56", 6);
	config->status = VIRTIO_NET_S_LINK_UP;
	config->mtu = 1400;
	config->max_virtqueue_pairs = (u16)(device_queues / 2);
	config->rss_max_key_size = 40;
	config->rss_max_indirection_table_length = 128;
	config->supported_hash_types = 0x1ff;
	sim->notified = notified;
	dev = NULL;
	virtio_device_add(&sim->dev);
	assert_non_null(dev);
}

#define ALL                                                                                          \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |       \
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |            \
	 BIT(VIRTIO_NET_F_CTRL_VQ))

static void test_features(void **state)
{
	assert_int_equal(host_run_initcalls(INIT_DEVICE), 0);
	/* Large receives need merging and checksums, large sends checksums, several queues a control queue.
	 */
	add_device(ALL & ~BIT(VIRTIO_NET_F_MRG_RXBUF));
	assert_int_equal(sim->dev.features & BIT(VIRTIO_NET_F_GUEST_TSO4), 0);
	add_device(ALL & ~BIT(VIRTIO_NET_F_CSUM));
	assert_int_equal(dev->features, NETDEV_SG);
	add_device(BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MTU));
	assert_int_equal(sim->dev.features & BIT(VIRTIO_NET_F_MQ), 0);
	assert_int_equal(dev->mtu, 1400);
	assert_int_equal(dev->mac[0] & 3, 2); /* none given: local, individual */
	add_device(ALL);
	assert_int_equal(dev->features, NETDEV_SG | NETDEV_CSUM | NETDEV_TSO4 | NETDEV_TSO6);
	assert_memory_equal(dev->mac, "\x52\x54\x00\x12\x34\x56", 6);
	assert_true(dev->link_up);
	assert_int_equal(dev->mtu, 1500);
}

/* Put one frame of N bytes into as many buffers as it takes. */
static void device_sends(struct virtio_net_hdr_mrg_rxbuf h, const u8 *frame, size_t n)
{
	u8 *flat = malloc(HEADER + n);
	size_t at = 0, total = HEADER + n;
	struct sim_chain c[32];
	u32 len[32];
	unsigned bufs = 0;

	if (!h.num_buffers)
		h.num_buffers = (u16)DIV_ROUND_UP(total, (size_t)4096);
	memcpy(flat, &h, HEADER);
	memcpy(flat + HEADER, frame, n);
	while (at < total) {
		assert_true(sim_pop(sim, 0, &c[bufs]));
		len[bufs] = (u32)sim_write(&c[bufs], flat + at, total - at);
		at += len[bufs++];
	}
	for (unsigned i = 0; i < bufs; i++)
		sim_push(sim, 0, c[i].head, len[i]);
	free(flat);
}

static int poll(int budget)
{
	return dev->ops->poll(dev, 0, budget);
}

static void test_receive_sizes(void **state)
{
	static const size_t sizes[] = {14, 60, 256, 257, 1514, 4084, 4085, 9000, 65550};
	u8 *frame = malloc(70000), *out = malloc(70000);

	for (int i = 0; i < 70000; i++)
		frame[i] = (u8)(i * 7 + i / 256);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 pages;

		device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizes[i]);
		polls_wanted = 0;
		sim_interrupt(sim, 0);
		assert_int_equal(polls_wanted, 1);
		assert_int_equal(poll(64), 1);
		assert_int_equal(nreceived, 1);
		assert_int_equal(received[0]->len, sizes[i]);
		assert_int_equal(flatten(received[0], out), sizes[i]);
		assert_memory_equal(out, frame, sizes[i]);
		assert_int_equal(received[0]->ip_summed, PACKET_CSUM_NONE);
		pages = host_pages_live();
		drop_received();
		/* Tiny frames were copied and hold no page. */
		assert_int_equal(pages - host_pages_live(),
				 sizes[i] <= 256 ? 0 : DIV_ROUND_UP(sizes[i] + HEADER, 4096));
	}
	free(frame);
	free(out);
}

static void test_budget(void **state)
{
	u8 frame[300] = {0};

	for (int i = 0; i < 10; i++)
		device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
	assert_int_equal(poll(4), 4);
	/* Out of budget: the interrupt stays off. */
	device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
	assert_int_equal(sim->q[0].vq->avail->flags, 1);
	assert_int_equal(poll(64), 7);
	assert_int_equal(sim->q[0].vq->avail->flags, 0);
	drop_received();
}

static void test_receive_header(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf h = {0};
	u8 frame[2000] = {0};

	h.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	device_sends(h, frame, sizeof frame);
	h.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.hdr.csum_start = 34;
	h.hdr.csum_offset = 16;
	h.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	h.hdr.gso_size = 1448;
	device_sends(h, frame, sizeof frame);
	assert_int_equal(poll(64), 2);
	assert_int_equal(received[0]->ip_summed, PACKET_CSUM_VALID);
	assert_int_equal(received[1]->ip_summed, PACKET_CSUM_PARTIAL);
	assert_int_equal(received[1]->csum_start, 34);
	assert_int_equal(received[1]->gso_size, 1448);
	assert_int_equal(received[1]->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	drop_received();
}

static void expect_dropped(struct virtio_net_hdr_mrg_rxbuf h, size_t n)
{
	static u8 frame[5000];
	u64 before = net_rx_bad_header.value, pages;

	(void)poll(64);
	pages = host_pages_live();
	device_sends(h, frame, n);
	(void)poll(64);
	assert_int_equal(nreceived, 0);
	assert_true(net_rx_bad_header.value == before + 1);
	assert_int_equal(host_pages_live(), pages);
}

static void test_hostile_headers(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf h = {0};

	expect_dropped(h, 13); /* no Ethernet header */
	expect_dropped(h, 0);
	h.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.hdr.csum_start = 999;
	expect_dropped(h, 1000);
	h.hdr.csum_start = 0xffff;
	h.hdr.csum_offset = 0xffff;
	expect_dropped(h, 1000);
	h = (struct virtio_net_hdr_mrg_rxbuf){.hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP, .hdr.gso_size = 100};
	expect_dropped(h, 1000);
	h = (struct virtio_net_hdr_mrg_rxbuf){.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6};
	expect_dropped(h, 1000);
	/* Claims more buffers than it has used, and more than a packet can hold. */
	h = (struct virtio_net_hdr_mrg_rxbuf){.num_buffers = 3};
	expect_dropped(h, 1000);
	h = (struct virtio_net_hdr_mrg_rxbuf){.num_buffers = 0xffff};
	expect_dropped(h, 4500);
}

static void test_random_headers(void **state)
{
	static u8 frame[9000];
	u64 pages;

	(void)poll(64);
	pages = host_pages_live();
	for (int i = 0; i < 5000; i++) {
		struct virtio_net_hdr_mrg_rxbuf h;

		random_bytes(&h, sizeof h);
		h.num_buffers = (u16)(random_u64() % 5);
		device_sends(h, frame, random_u64() % sizeof frame);
		(void)poll(64);
		drop_received();
	}
	assert_int_equal(host_pages_live(), pages);
	assert_false(sim->q[0].vq->broken);
}

/* No page for the ring: what was there is used up, and a timer asks again when nothing is left. */
static void test_no_memory(void **state)
{
	u8 frame[300] = {0};
	unsigned n = 0;
	struct sim_chain c;

	(void)poll(64);
	host_alloc_fail_after(0);
	while (sim->q[0].vq->free_count < sim->q[0].vq->size) {
		device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
		(void)poll(64); /* dropped: no packet either */
		n++;
	}
	assert_int_equal(nreceived, 0);
	assert_true(n >= 64);
	assert_false(sim_pop(sim, 0, &c));
	host_alloc_fail_never();
	polls_wanted = 0;
	host_time_advance(100 * NSEC_PER_MSEC);
	assert_int_equal(polls_wanted, 1);
	(void)poll(64);
	device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
	assert_int_equal(poll(64), 1);
	drop_received();
}

static struct packet *make_packet(size_t headroom, size_t linear, unsigned frags)
{
	static u8 payload[1000];
	struct packet *p = packet_alloc(headroom, linear);

	memset(p->data, 0x11, linear);
	memset(payload, 0x22, sizeof payload);
	p->tail += linear;
	p->len = (u32)linear;
	for (unsigned i = 0; i < frags; i++) {
		p->frags[p->nfrags++] = (struct packet_frag){.data = payload, .len = sizeof payload};
		p->len += sizeof payload;
	}
	return p;
}

static void test_transmit(void **state)
{
	struct virtio_net_hdr_mrg_rxbuf *h = (void *)sent;
	struct packet *p;

	for (unsigned frags = 0; frags <= PACKET_MAX_FRAGS; frags += 9)
		for (size_t headroom = 0; headroom <= 128; headroom += 64) {
			p = make_packet(headroom, 66, frags);
			assert_int_equal(dev->ops->transmit(dev, p), 0);
			assert_int_equal(nsent, HEADER + 66 + 1000 * frags);
			assert_int_equal(h->hdr.flags | h->hdr.gso_type, 0);
			assert_int_equal(sent[HEADER], 0x11);
			assert_int_equal(sent[nsent - 1], frags ? 0x22 : 0x11);
		}
	p = make_packet(128, 54, 3);
	p->ip_summed = PACKET_CSUM_PARTIAL;
	p->csum_start = 34;
	p->csum_offset = 16;
	p->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	p->gso_size = 1448;
	assert_int_equal(dev->ops->transmit(dev, p), 0);
	assert_int_equal(h->hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(h->hdr.csum_start, 34);
	assert_int_equal(h->hdr.gso_size, 1448);
	assert_int_equal(h->hdr.hdr_len, 54);
}

static struct packet *numbered(u32 number)
{
	struct packet *p = make_packet(128, 100, 2);

	memcpy(p->data, &number, sizeof number);
	return p;
}

static void no_answer(struct sim_device *s, unsigned q)
{
}

/* A device that does not send: the ring fills, then packets wait up to a limit, then they are dropped and
 * freed. Once it sends, a poll passes on what waits, in order, and all are freed in the end. */
static void test_transmit_full(void **state)
{
	unsigned ok = 0;

	(void)poll(1);
	sim->notified = no_answer;
	for (struct packet *p = numbered(0); !dev->ops->transmit(dev, p); p = numbered(ok))
		ok++;
	assert_int_equal(ok, sim->q[1].vq->size + 1024);
	sim->notified = notified;
	numbers = true;
	next_number = 0;
	sent_freed = 0;
	notified(sim, 1); /* the device takes up its work: the ring's packets go */
	assert_int_equal(next_number, sim->q[1].vq->size);
	polls_wanted = 0;
	sim_interrupt(sim, 1);
	assert_int_equal(polls_wanted, 1);
	for (unsigned round = 0; round < 32 && sent_freed < ok; round++)
		(void)poll(1);
	assert_int_equal(next_number, ok);
	assert_int_equal(sent_freed, ok);
	sim_interrupt(sim, 1);
	assert_int_equal(polls_wanted, 1); /* nothing waits any more */
	assert_int_equal(dev->ops->transmit(dev, numbered(ok)), 0);
	assert_int_equal(next_number, ok + 1);
	numbers = false;
}

/* Senders find room again without an interrupt's help, however many of them were refused before. */
static void test_transmit_after_full(void **state)
{
	u32 size = sim->q[1].vq->size, ok = 0, refused = 0;

	sim->notified = no_answer;
	for (struct packet *p = numbered(0); !dev->ops->transmit(dev, p); p = numbered(ok))
		ok++;
	sim->notified = notified;
	numbers = true;
	next_number = 0;
	notified(sim, 1);
	assert_int_equal(next_number, size);
	while (refused < 2 * size && dev->ops->transmit(dev, numbered(ok)))
		refused++;
	assert_int_equal(refused, 0);
	for (unsigned round = 0; round < 32 && next_number <= ok; round++)
		(void)poll(1);
	assert_int_equal(next_number, ok + 1);
	numbers = false;
}

static void test_link(void **state)
{
	((struct virtio_net_config *)sim->config)->status = 0;
	virtio_config_interrupt(&sim->dev);
	while (__atomic_load_n(&dev->link_up, __ATOMIC_ACQUIRE)) /* the work item */
		cpu_relax();
}

static void wait_for(const unsigned *count, unsigned n)
{
	while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < n) /* the work item */
		cpu_relax();
}

/* The network was told to forget where we are: we tell it, and the device that we did. */
static void test_announce(void **state)
{
	struct virtio_net_config *config;

	add_device(ALL | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE));
	announced = 0;
	memset(commands, 0, sizeof commands);
	config = (struct virtio_net_config *)sim->config;
	config->status = VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE;
	virtio_config_interrupt(&sim->dev);
	wait_for(&commands[VIRTIO_NET_CTRL_ANNOUNCE][VIRTIO_NET_CTRL_ANNOUNCE_ACK], 1);
	assert_int_equal(announced, 1);
	config->status = VIRTIO_NET_S_LINK_UP;
}

static void test_receive_mode_and_address(void **state)
{
	memset(commands, 0, sizeof commands);
	add_device(ALL | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
	assert_int_equal(commands[VIRTIO_NET_CTRL_RX][VIRTIO_NET_CTRL_RX_ALLMULTI], 1);
	assert_int_equal(commands[VIRTIO_NET_CTRL_RX][VIRTIO_NET_CTRL_RX_PROMISC], 1);
	assert_int_equal(last_command[0], 0);
	dev->promiscuity = 1;
	dev->ops->rx_mode_changed(dev);
	wait_for(&commands[VIRTIO_NET_CTRL_RX][VIRTIO_NET_CTRL_RX_PROMISC], 2);
	assert_int_equal(last_command[0], 1);
	assert_int_equal(dev->ops->set_mac(dev, (const u8 *)"\x02\1\2\3\4\5"), 0);
	assert_memory_equal(last_command, "\x02\1\2\3\4\5", 6);
	add_device(ALL);
	assert_int_equal(dev->ops->set_mac(dev, (const u8 *)"\x02\1\2\3\4\5"), -EOPNOTSUPP);
}

static void test_rss(void **state)
{
	struct {
		u32 types;
		u16 mask, unclassified, table[128], tx;
		u8 key_length;
	} *c = (void *)last_command;

	host_set_cpus(4);
	device_queues = 2 * 4 + 1;
	memset(commands, 0, sizeof commands);
	add_device(ALL | BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_RSS));
	assert_int_equal(dev->nqueues, 4);
	assert_int_equal(commands[VIRTIO_NET_CTRL_MQ][VIRTIO_NET_CTRL_MQ_RSS_CONFIG], 1);
	assert_int_equal(commands[VIRTIO_NET_CTRL_MQ][VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET], 0);
	assert_int_equal(c->types, 0x3f);
	assert_int_equal(c->mask, 127);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(c->table[i], i % 4);
	assert_int_equal(c->tx, 4);
	assert_int_equal(c->key_length, 40);
	device_queues = 3;
}

/* The device gives up: everything is set up again, nothing is lost but frames. */
static void test_needs_reset(void **state)
{
	u8 frame[300] = {0};
	unsigned resets;

	add_device(ALL);
	device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
	assert_int_equal(poll(64), 1);
	drop_received();
	resets = sim->resets;
	sim->q[0].vq->broken = true;
	sim->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	polls_wanted = 0;
	virtio_config_interrupt(&sim->dev);
	wait_for(&polls_wanted, 1);
	assert_int_equal(sim->resets, resets + 1);
	assert_int_equal(sim->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET),
			 VIRTIO_CONFIG_S_DRIVER_OK);
	device_sends((struct virtio_net_hdr_mrg_rxbuf){0}, frame, sizeof frame);
	assert_int_equal(poll(64), 1);
	assert_int_equal(nreceived, 1);
	drop_received();
	nsent = 0;
	assert_int_equal(dev->ops->transmit(dev, make_packet(128, 66, 0)), 0);
	assert_int_equal(nsent, HEADER + 66);
}

/* The same over packed rings. */
static void test_packed(void **state)
{
	sim_packed = true;
	add_device(ALL);
	assert_true(sim->q[0].vq->packed);
	test_receive_sizes(state);
	test_receive_header(state);
	test_random_headers(state);
	test_transmit(state);
	test_transmit_full(state);
	test_transmit_after_full(state);
	test_needs_reset(state);
	sim_packed = false;
}

UNIT_TESTS(test_features, test_receive_sizes, test_budget, test_receive_header, test_hostile_headers,
	   test_random_headers, test_no_memory, test_transmit, test_transmit_full,
	   test_transmit_after_full, test_link, test_announce, test_receive_mode_and_address, test_rss,
	   test_needs_reset, test_packed)
