// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-9p driver against a simulated device: mount tags, exchanges in any order, a full ring, exchanges
 * that need not be told of at once, and a device that breaks its queue. */
// sources: kernel/drivers/virtio/p9.c fs/9p/transport.c
// sources: kernel/drivers/virtio/device.c kernel/drivers/virtio/queue*.c
// sources: tests/unit/host/virtio_sim.c
#include "unit.h"

#include "arch/cpu.h"
#include "base/err.h"
#include "fs/p9_transport.h"
#include "kernel/kthread.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>

#define EXCHANGES 200

static struct sim_device *sim;
static bool hold; /* take nothing until the test says so */
static unsigned notifications;
static struct exchange {
	struct p9_io io;
	struct p9_segment segs[4];
	u8 message[64], answer[64];
	int err;
	u32 written;
	unsigned times;
} x[EXCHANGES];

void random_add_interrupt(u32 source)
{
}

static void answer(struct sim_chain *c)
{
	u8 buf[64];
	size_t n = sim_read(c, buf, sizeof buf);

	for (size_t k = 0; k < n; k++)
		buf[k] ^= 0xff;
	sim_push(sim, 0, c->head, (u32)sim_write(c, buf, n));
}

static void serve(void)
{
	struct sim_chain c[SIM_SEGMENTS];
	unsigned n;

	do {
		for (n = 0; n < 8 && sim_pop(sim, 0, &c[n]); n++)
			;
		for (unsigned k = n; k--;) /* the last comes first */
			answer(&c[k]);
		sim_interrupt(sim, 0);
	} while (n);
}

static void notified(struct sim_device *s, unsigned q)
{
	notifications++;
	if (!hold)
		serve();
}

static void done(struct p9_io *io, int err, u32 written)
{
	struct exchange *e = container_of(io, struct exchange, io);

	e->err = err;
	e->written = written;
	__atomic_fetch_add(&e->times, 1, __ATOMIC_RELEASE);
}

static struct p9_io *prepare(unsigned k)
{
	struct exchange *e = &x[k];

	memset(e, 0, sizeof *e);
	memset(e->message, (int)k, sizeof e->message);
	e->segs[0] = (struct p9_segment){virt_to_phys(e->message), 10};
	e->segs[1] = (struct p9_segment){virt_to_phys(e->message + 10), 20};
	e->segs[2] = (struct p9_segment){virt_to_phys(e->answer), 11};
	e->segs[3] = (struct p9_segment){virt_to_phys(e->answer + 11), 40};
	e->io = (struct p9_io){.segs = e->segs, .nout = 2, .nin = 2, .done = done};
	return &e->io;
}

static void expect_answered(unsigned k)
{
	assert_int_equal(x[k].times, 1);
	assert_int_equal(x[k].err, 0);
	assert_int_equal(x[k].written, 30);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(x[k].answer[i], (u8)~k);
}

static struct p9_transport *add(const char *tag)
{
	sim = calloc(1, sizeof *sim);
	sim_init(sim, VIRTIO_ID_9P, BIT(VIRTIO_9P_MOUNT_TAG), 1, 2 + (unsigned)strlen(tag));
	sim->config[0] = (u8)strlen(tag);
	memcpy(sim->config + 2, tag, strlen(tag));
	sim->notified = notified;
	hold = false;
	virtio_device_add(&sim->dev);
	return p9_transport_take(tag);
}

static void test_tags(void **state)
{
	assert_int_equal(host_run_initcalls(INIT_DEVICE), 0);
	assert_false(IS_ERR(add("one")));
	assert_int_equal(PTR_ERR(p9_transport_take("one")), -EBUSY);
	assert_int_equal(PTR_ERR(p9_transport_take("none")), -ENOENT);
	/* No tag; one longer than the configuration space; none offered. */
	for (int k = 0; k < 3; k++) {
		struct sim_device *s = calloc(1, sizeof *s);

		sim_init(s, VIRTIO_ID_9P, k == 2 ? 0 : BIT(VIRTIO_9P_MOUNT_TAG), 1, 10);
		memcpy(s->config, k == 0 ? "\0\0bad" : k == 1 ? "\x09\0bad" : "\x03\0bad", 5);
		virtio_device_add(&s->dev);
		assert_true(s->status & VIRTIO_CONFIG_S_FAILED);
		assert_int_equal(PTR_ERR(p9_transport_take("bad")), -ENOENT);
	}
}

static void test_exchanges(void **state)
{
	struct p9_transport *t = add("two");

	for (unsigned k = 0; k < EXCHANGES; k++) {
		assert_int_equal(t->submit(t, prepare(k), false), 0);
		expect_answered(k);
	}
	/* More at once than the ring holds. */
	hold = true;
	for (unsigned k = 0; k < EXCHANGES; k++)
		assert_int_equal(t->submit(t, prepare(k), false), 0);
	hold = false;
	serve();
	for (unsigned k = 0; k < EXCHANGES; k++)
		expect_answered(k);
	/* Too many segments can never be sent. */
	prepare(0)->nin = t->max_segs;
	assert_int_equal(t->submit(t, &x[0].io, false), -EIO);
}

static void test_lazy(void **state)
{
	struct p9_transport *t = add("three");
	unsigned before = notifications;

	assert_int_equal(t->submit(t, prepare(0), true), 0);
	assert_int_equal(notifications, before);
	assert_int_equal(t->submit(t, prepare(1), false), 0);
	expect_answered(0);
	expect_answered(1);
	assert_int_equal(t->submit(t, prepare(2), true), 0);
	assert_int_equal(x[2].times, 0);
	t->kick(t);
	expect_answered(2);
}

static void test_broken(void **state)
{
	struct p9_transport *t = add("four");
	struct sim_chain c;

	hold = true;
	for (unsigned k = 0; k < EXCHANGES; k++)
		assert_int_equal(t->submit(t, prepare(k), false), 0);
	assert_true(sim_pop(sim, 0, &c));
	sim_push(sim, 0, c.head, 1000); /* more than there is room for */
	sim_interrupt(sim, 0);
	for (unsigned k = 0; k < EXCHANGES; k++) {
		while (!__atomic_load_n(&x[k].times, __ATOMIC_ACQUIRE)) /* the driver's worker buries it */
			cpu_relax();
		assert_int_equal(x[k].times, 1);
		assert_int_equal(x[k].err, -EIO);
	}
	assert_int_equal(t->submit(t, prepare(0), false), -EIO);
	assert_int_equal(sim->status, 0);
}

UNIT_TESTS(test_tags, test_exchanges, test_lazy, test_broken)
