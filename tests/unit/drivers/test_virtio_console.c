// SPDX-License-Identifier: BSD-2-Clause
/* Console ports against a simulated host: the control handshake, names, opens and hang-ups, data both ways
 * with flow control, waiting for room, draining, and control messages that make no sense. */
// sources: kernel/drivers/virtio/console*.c kernel/drivers/chardev.c
// sources: kernel/drivers/virtio/device.c kernel/drivers/virtio/queue*.c
// sources: tests/unit/host/virtio_sim.c
#include "unit.h"

#include "base/err.h"
#include "kernel/console.h"
#include "kernel/kthread.h"
#include "kernel/random.h"
#include "tests/unit/host/virtio_sim.h"
#include <linux/eventpoll.h>
#include <linux/virtio_console.h>

#define PORTS 5

static struct sim_device *sim;
static bool host_takes = true; /* output is taken as it comes */
static u8 taken[1 << 20];
static size_t ntaken;
static struct {
	u32 id;
	u16 event, value;
} seen[64];
static unsigned nseen;

void random_add_interrupt(u32 source)
{
}

static unsigned rx_queue(unsigned port)
{
	return port ? 2 + 2 * port : 0;
}

static void host_control(u32 id, u16 event, u16 value, const char *name)
{
	struct virtio_console_control m = {.id = id, .event = event, .value = value};
	u8 buf[sizeof m + 200];
	struct sim_chain c;
	size_t n = sizeof m;

	memcpy(buf, &m, sizeof m);
	if (name) {
		memcpy(buf + n, name, strlen(name));
		n += strlen(name);
	}
	assert_true(sim_pop(sim, 2, &c));
	n = sim_write(&c, buf, n);
	sim_push(sim, 2, c.head, (u32)n);
}

/* As QEMU: DEVICE_READY is answered with the ports there are, PORT_READY with what a port is. */
static void host_hears(const struct virtio_console_control *m)
{
	seen[nseen].id = m->id;
	seen[nseen].event = m->event;
	seen[nseen++ % 64].value = m->value;
	if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
		host_control(0, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
		host_control(1, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
		host_control(3, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
		host_control(77, VIRTIO_CONSOLE_PORT_ADD, 1, NULL); /* more than it said */
	}
	if (m->event != VIRTIO_CONSOLE_PORT_READY || !m->value)
		return;
	if (m->id == 0)
		host_control(0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, NULL);
	if (m->id == 1)
		host_control(1, VIRTIO_CONSOLE_PORT_NAME, 1, "org.cortado.stdin");
	if (m->id == 3)
		host_control(3, VIRTIO_CONSOLE_PORT_NAME, 1, "a/b c");
	if (m->id != 3)
		host_control(m->id, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
}

static void host_take(unsigned q)
{
	struct sim_chain c;

	while (sim_pop(sim, q, &c)) {
		ntaken += sim_read(&c, taken + ntaken, sizeof taken - ntaken);
		sim_push(sim, q, c.head, 0);
	}
}

static void notified(struct sim_device *s, unsigned q)
{
	struct sim_chain c;

	if (q == 3)
		while (sim_pop(s, 3, &c)) {
			struct virtio_console_control m;

			assert_int_equal(sim_read(&c, &m, sizeof m), sizeof m);
			host_hears(&m);
			sim_push(s, 3, c.head, 0);
		}
	else if (q & 1 && host_takes)
		host_take(q);
}

static bool host_sends(unsigned port, const void *p, size_t n)
{
	struct sim_chain c;

	if (!sim_pop(sim, rx_queue(port), &c))
		return false;
	n = sim_write(&c, p, n);
	sim_push(sim, rx_queue(port), c.head, (u32)n);
	sim_interrupt(sim, rx_queue(port));
	return true;
}

static void test_handshake(void **state)
{
	struct virtio_console_config *config;

	sim = calloc(1, sizeof *sim);
	sim_init(sim, VIRTIO_ID_CONSOLE, BIT(VIRTIO_CONSOLE_F_MULTIPORT), 2 + 2 * PORTS, sizeof *config);
	config = (struct virtio_console_config *)sim->config;
	config->max_nr_ports = PORTS;
	sim->notified = notified;
	assert_int_equal(host_run_initcalls(INIT_DEVICE), 0);
	virtio_device_add(&sim->dev);
	assert_non_null(chardev_find("hvc0"));
	assert_true(chardev_find("hvc0")->tty);
	assert_non_null(chardev_find("org.cortado.stdin"));
	assert_false(chardev_find("org.cortado.stdin")->tty);
	assert_non_null(chardev_find("a_b_c"));
	/* READY for each, refused for the one beyond the limit; the console is open from the start. */
	assert_int_equal(seen[0].event, VIRTIO_CONSOLE_DEVICE_READY);
	for (unsigned i = 0; i < nseen; i++)
		if (seen[i].id == 77)
			assert_int_equal(seen[i].value, 0);
	assert_int_equal(seen[nseen - 1].event, VIRTIO_CONSOLE_PORT_OPEN);
	assert_int_equal(seen[nseen - 1].id, 0);
}

static void test_open_close(void **state)
{
	struct chardev *cd = chardev_find("a_b_c");
	unsigned before = nseen;

	assert_true(cd->ops->hung_up(cd)); /* its host end was never opened */
	before = nseen;
	chardev_open(cd);
	chardev_open(cd);
	assert_int_equal(nseen, before); /* looking at it had opened it */
	chardev_close(cd);
	assert_int_equal(nseen, before);
	chardev_close(cd);
	assert_int_equal(nseen, before + 1);
	assert_int_equal(seen[before].event, VIRTIO_CONSOLE_PORT_OPEN);
	assert_int_equal(seen[before].value, 0);
	assert_int_equal(seen[before].id, 3);
}

static void test_output(void **state)
{
	struct chardev *cd = chardev_find("hvc0");
	u8 data[20000];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (u8)(i * 31 + i / 251);
	ntaken = 0;
	assert_int_equal(cd->ops->write(cd, data, sizeof data), sizeof data);
	assert_int_equal(ntaken, sizeof data);
	assert_memory_equal(taken, data, sizeof data);
	cd->ops->drain(cd);
}

struct writer {
	struct chardev *cd;
	size_t left;
};

static void write_all(void *arg)
{
	struct writer *w = arg;
	u8 byte = 'x';

	while (w->left) {
		size_t n = w->cd->ops->write(w->cd, &byte, 1);

		w->left -= n;
		if (!n)
			wait_event(&w->cd->waitq, w->cd->ops->write_room(w->cd));
	}
}

static void test_waits_for_room(void **state)
{
	struct chardev *cd = chardev_find("hvc0");
	struct writer w = {cd, 100};
	struct thread *t;
	u8 big[65536] = {0};

	host_takes = false;
	ntaken = 0;
	assert_int_equal(cd->ops->write(cd, big, sizeof big), 8 * 4096); /* all buffers */
	assert_int_equal(cd->ops->write(cd, big, 1), 0);
	assert_int_equal(cd->ops->write_room(cd), 0);
	t = host_thread_start(write_all, &w);
	while (host_thread_wait_asleep(t)) {
		host_take(1);
		sim_interrupt(sim, 1);
	}
	host_thread_join(t);
	host_take(1);
	assert_int_equal(ntaken, 8 * 4096 + 100);
	host_takes = true;
}

static void test_input(void **state)
{
	struct chardev *cd = chardev_find("org.cortado.stdin");
	u8 in[4096], out[5000];
	size_t got = 0;
	unsigned sent = 0;

	chardev_open(cd);
	assert_int_equal(cd->ops->read(cd, out, 10), 0);
	memset(in, 'a', sizeof in);
	assert_true(host_sends(1, "hello", 5));
	assert_int_equal(cd->ops->read_avail(cd), 5);
	assert_int_equal(cd->ops->read(cd, out, 2), 2);
	assert_int_equal(cd->ops->read(cd, out, 100), 3);
	assert_memory_equal(out, "llo", 3);
	/* A reader that does not read stops the host, who can go on once it does. */
	while (host_sends(1, in, sizeof in))
		sent++;
	assert_int_equal(sent, 4);
	assert_int_equal(cd->ops->read_avail(cd), sent * sizeof in);
	assert_int_equal(cd->ops->read(cd, out, 5000), 5000);
	assert_true(host_sends(1, in, 1));
	/* Hang-up shows only after the last byte was read. */
	host_control(1, VIRTIO_CONSOLE_PORT_OPEN, 0, NULL);
	sim_interrupt(sim, 2);
	wait_event(&cd->waitq, ({
		while ((sent = (unsigned)cd->ops->read(cd, out, 1000)))
			got += sent;
		cd->ops->hung_up(cd);
	}));
	assert_int_equal(got, 4 * 4096 + 1 - 5000);
}

/* Messages about ports that are not there, too short, of unknown kind, and a port that comes late. */
static void test_odd_messages(void **state)
{
	struct sim_chain c;

	host_control(4000000000u, VIRTIO_CONSOLE_PORT_OPEN, 1, NULL);
	host_control(2, VIRTIO_CONSOLE_PORT_NAME, 1, "nobody");
	host_control(1, 999, 1, NULL);
	host_control(1, VIRTIO_CONSOLE_PORT_NAME, 1, "too-late-for-a-name");
	assert_true(sim_pop(sim, 2, &c));
	sim_push(sim, 2, c.head, 3);
	host_control(2, VIRTIO_CONSOLE_PORT_ADD, 1, NULL);
	host_control(2, VIRTIO_CONSOLE_PORT_NAME, 1,
		     "a-name-that-is-longer-than-the-sixty-four-bytes-that-a-name-may-have-here");
	sim_interrupt(sim, 2);
	while (!chardev_next(chardev_next(chardev_next(chardev_next(NULL))))) /* the work item registers it */
		cpu_relax();
	assert_int_equal(strlen(chardev_next(chardev_next(chardev_next(chardev_next(NULL))))->name), 63);
	assert_null(chardev_find("nobody"));
	assert_non_null(chardev_find("org.cortado.stdin"));
}

static void test_drain(void **state)
{
	struct chardev *cd = chardev_find("hvc0");
	u64 flags;

	host_takes = false;
	assert_int_equal(cd->ops->write(cd, "abc", 3), 3);
	ntaken = 0;
	host_take(1);
	cd->ops->drain(cd); /* taken: returns */
	assert_int_equal(ntaken, 3);
	/* In a panic a host that does nothing is waited for only so long; time stands still here, so it has
	 * passed. */
	flags = arch_irq_save();
	sim->q[1].vq->broken = true;
	cd->ops->drain(cd);
	assert_int_equal(cd->ops->write(cd, "abc", 3), 3); /* nobody to give it to */
	arch_irq_restore(flags);
}

UNIT_TESTS(test_handshake, test_open_close, test_output, test_waits_for_room, test_input, test_odd_messages,
	   test_drain)
