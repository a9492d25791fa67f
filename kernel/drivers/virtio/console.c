/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-console (virtio 1.2, 5.3): ports, and with MULTIPORT the control protocol that announces, names,
 * opens and closes them. A console port becomes hvcN, another one the device of its name. The handshake runs
 * in probe(), so that all ports of boot time exist when init starts; later messages come by interrupt and are
 * handled by a work item. `mutex` guards ports and the receiving side of the control queue; `lock` the
 * sending side. */

#include "console.h"
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include <linux/virtio_console.h>

#define MAX_PORTS	 64u
#define PORT_QUEUE	 16u /* more than a port has buffers */
#define CONTROL_QUEUE	 64u /* the host drops messages that find no buffer */
#define CONTROL_BUF_SIZE (sizeof(struct virtio_console_control) + CONSOLE_NAME_MAX)
#define SEND_SLOTS	 16
#define ANSWER_WAIT_NS	 NSEC_PER_SEC

enum {
	QUEUE_RX0,
	QUEUE_TX0,
	QUEUE_CONTROL_RX,
	QUEUE_CONTROL_TX,
	QUEUE_RX1, /* then in pairs */
};

struct virtio_console {
	struct virtio_device *dev;
	unsigned nports; /* that the device may have */
	struct console_port *port[MAX_PORTS];
	struct mutex mutex;
	struct virtqueue *control_rx, *control_tx; /* NULL without MULTIPORT */
	u8 *control_bufs;
	struct work work;
	struct spinlock lock;
	struct virtio_console_control *send; /* SEND_SLOTS; a slot is free when its bit is clear */
	u32 sending;
};

static _Atomic unsigned next_hvc;

static void send_collect(struct virtio_console *vc)
{
	struct virtio_console_control *m;

	while ((m = vq_get(vc->control_tx, NULL)))
		vc->sending &= ~(1u << (m - vc->send));
}

/* Waits (polling) for a slot when all are on their way; gives up when the host takes nothing. */
void console_control_send(struct virtio_console *vc, u32 id, u16 event, u16 value)
{
	u64 start = clock_monotonic(), flags;
	struct vq_segment seg;
	unsigned slot;

	if (!vc->control_tx)
		return;
	flags = spin_lock_irqsave(&vc->lock);
	for (;;) {
		send_collect(vc);
		slot = (unsigned)__builtin_ctz(~vc->sending);
		if (slot < SEND_SLOTS || clock_monotonic() - start > ANSWER_WAIT_NS)
			break;
		cpu_relax();
	}
	if (slot < SEND_SLOTS) {
		vc->send[slot] = (struct virtio_console_control){.id = id, .event = event, .value = value};
		seg = (struct vq_segment){virt_to_phys(&vc->send[slot]), sizeof vc->send[slot]};
		if (!vq_add(vc->control_tx, &seg, 1, 0, &vc->send[slot])) {
			vc->sending |= 1u << slot;
			vq_kick(vc->control_tx);
		}
	}
	spin_unlock_irqrestore(&vc->lock, flags);
}

/* Until the host has taken (and so, under QEMU, answered) all messages. */
static void control_flush(struct virtio_console *vc)
{
	u64 start = clock_monotonic();
	bool busy = true;

	while (busy && clock_monotonic() - start < ANSWER_WAIT_NS) {
		u64 flags = spin_lock_irqsave(&vc->lock);

		send_collect(vc);
		busy = vc->sending && !vc->control_tx->broken;
		spin_unlock_irqrestore(&vc->lock, flags);
		cpu_relax();
	}
}

static struct console_port *port_create(struct virtio_console *vc, unsigned id)
{
	struct console_port *port = kzalloc(sizeof *port);
	unsigned rx = id ? QUEUE_RX1 + 2 * (id - 1) : QUEUE_RX0;

	if (!port)
		return NULL;
	port->rx = vc->dev->queues[rx];
	port->tx = vc->dev->queues[rx + 1];
	if (console_port_init(port, vc, id)) {
		port->rx->priv = port->tx->priv = NULL;
		kfree(port);
		return NULL;
	}
	vc->port[id] = port;
	return port;
}

/* Once it is known what the port is. A name that is taken already gets the fallback. */
static void port_register(struct console_port *port)
{
	if (port->registered)
		return;
	port->cd.tty = port->console;
	if (port->console)
		snprintf(port->name, sizeof port->name, "hvc%u", atomic_fetch_add(&next_hvc, 1));
	else if (!port->name[0])
		snprintf(port->name, sizeof port->name, "vport%u", port->id);
	port->cd.name = port->name;
	port->registered = true;
	if (chardev_register(&port->cd)) {
		log_warn("virtio-console: there are two ports named %s", port->name);
		port->registered = false;
	} else if (port->console) {
		chardev_open(&port->cd);
	}
}

static void port_name(struct console_port *port, const char *name, size_t n)
{
	if (port->registered)
		return;
	n = strnlen(name, min(n, sizeof port->name - 1));
	memcpy(port->name, name, n);
	port->name[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (port->name[i] == '/' || (u8)port->name[i] <= ' ')
			port->name[i] = '_'; /* it becomes a file name */
}

/* With the mutex held. */
static void control_message(struct virtio_console *vc, const struct virtio_console_control *m, size_t len)
{
	struct console_port *port = m->id < vc->nports ? vc->port[m->id] : NULL;

	if (m->event == VIRTIO_CONSOLE_PORT_ADD) {
		if (m->id < vc->nports && !port)
			port = port_create(vc, m->id);
		console_control_send(vc, m->id, VIRTIO_CONSOLE_PORT_READY, port != NULL);
		return;
	}
	if (!port)
		return;
	switch (m->event) {
	case VIRTIO_CONSOLE_PORT_NAME:
		port_name(port, (const char *)(m + 1), len - sizeof *m);
		if (vc->work.fn)
			port_register(port);
		break;
	case VIRTIO_CONSOLE_CONSOLE_PORT:
		port->console = m->value;
		if (vc->work.fn)
			port_register(port);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		console_port_host_open(port, m->value);
		break;
	case VIRTIO_CONSOLE_PORT_REMOVE:
		console_port_host_open(port, false);
		break;
	}
}

static void control_give(struct virtio_console *vc, u8 *buf)
{
	struct vq_segment seg = {virt_to_phys(buf), CONTROL_BUF_SIZE};

	(void)vq_add(vc->control_rx, &seg, 0, 1, buf);
}

/* With the mutex held: handle what has come. */
static void control_receive(struct virtio_console *vc)
{
	u8 *buf;
	u32 len;

	do {
		while ((buf = vq_get(vc->control_rx, &len))) {
			if (len >= sizeof(struct virtio_console_control))
				control_message(vc, (struct virtio_console_control *)buf, len);
			control_give(vc, buf);
			vq_kick(vc->control_rx);
		}
	} while (!vq_enable(vc->control_rx) && !vc->control_rx->broken);
}

static void control_work(struct work *w)
{
	struct virtio_console *vc = container_of(w, struct virtio_console, work);

	mutex_lock(&vc->mutex);
	control_receive(vc);
	mutex_unlock(&vc->mutex);
}

static void control_interrupt(struct virtqueue *vq)
{
	struct virtio_console *vc = vq->dev->priv;

	if (vc->work.fn && vq_pending(vq))
		work_queue(&vc->work);
}

static int setup_queues(struct virtio_console *vc, bool multiport)
{
	unsigned n = multiport ? QUEUE_RX1 + 2 * (vc->nports - 1) : 2;
	struct vq_setup *setup = kcalloc(n, sizeof *setup);
	int err;

	if (!setup)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		setup[i].name = i & 1 ? "console-tx" : "console-rx";
		setup[i].callback = i & 1 ? console_port_tx : console_port_rx;
		setup[i].size = PORT_QUEUE;
	}
	if (multiport) {
		setup[QUEUE_CONTROL_RX] =
			(struct vq_setup){"console-control", control_interrupt, CONTROL_QUEUE, 0, 0};
		setup[QUEUE_CONTROL_TX] = (struct vq_setup){"console-control-tx", NULL, CONTROL_QUEUE, 0, 0};
	}
	err = virtio_setup_queues(vc->dev, setup, n);
	kfree(setup);
	return err;
}

static int setup_control(struct virtio_console *vc)
{
	vc->control_bufs = kzalloc(CONTROL_QUEUE * CONTROL_BUF_SIZE);
	vc->send = kzalloc(SEND_SLOTS * sizeof *vc->send);
	if (!vc->control_bufs || !vc->send)
		return -ENOMEM;
	vc->control_rx = vc->dev->queues[QUEUE_CONTROL_RX];
	vc->control_tx = vc->dev->queues[QUEUE_CONTROL_TX];
	for (unsigned i = 0; i < vc->control_rx->size; i++)
		control_give(vc, vc->control_bufs + i * CONTROL_BUF_SIZE);
	return 0;
}

/* The host answers DEVICE_READY with a PORT_ADD for each port, and each PORT_READY with what it knows of that
 * port. */
static void handshake(struct virtio_console *vc)
{
	vq_kick(vc->control_rx);
	console_control_send(vc, VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	control_flush(vc);
	mutex_lock(&vc->mutex);
	control_receive(vc); /* PORT_ADD: answered with PORT_READY */
	control_flush(vc);
	control_receive(vc); /* names, consoles, opens */
	for (unsigned i = 0; i < vc->nports; i++)
		if (vc->port[i])
			port_register(vc->port[i]);
	work_init(&vc->work, control_work); /* from here on by interrupt */
	control_receive(vc);
	mutex_unlock(&vc->mutex);
}

static int console_probe(struct virtio_device *dev)
{
	bool multiport = virtio_has(dev, VIRTIO_CONSOLE_F_MULTIPORT);
	struct virtio_console *vc = kzalloc(sizeof *vc);
	struct console_port *port;
	int err;

	if (!vc)
		return -ENOMEM;
	vc->dev = dev;
	dev->priv = vc;
	mutex_init(&vc->mutex);
	vc->nports = multiport ? virtio_config_get(dev, struct virtio_console_config, max_nr_ports) : 1;
	vc->nports = clamp(vc->nports, 1u, MAX_PORTS);
	err = setup_queues(vc, multiport);
	if (!err && multiport)
		err = setup_control(vc);
	if (err)
		goto fail;
	virtio_ready(dev);
	if (multiport) {
		handshake(vc);
		return 0;
	}
	port = port_create(vc, 0);
	if (!port) {
		err = -ENOMEM;
		goto fail;
	}
	port->console = port->host_open = true;
	port_register(port);
	return 0;
fail:
	if (!virtio_device_stop(dev)) { /* else the buffers may still be written to */
		kfree(vc->control_bufs);
		kfree(vc->send);
		kfree(vc);
	}
	return err;
}

static const struct virtio_driver console_driver = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.features = BIT(VIRTIO_CONSOLE_F_MULTIPORT),
	.probe = console_probe,
};

static int console_init(void)
{
	return virtio_driver_register(&console_driver);
}
INITCALL(console_init, INIT_DEVICE);
