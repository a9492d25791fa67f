/* SPDX-License-Identifier: BSD-2-Clause */
/* One port of a virtio console as a character device. Received data stays in the buffers that the host filled
 * until it is read; a buffer goes back to the host when it is empty, so a slow reader slows the host down.
 * Output is copied into buffers that come back when the host took them; interrupts for that are asked for
 * only while a writer found none. `port->lock` guards buffers and queues. */

#include "console.h"
#include "arch/cpu.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/page.h"
#include <linux/eventpoll.h>
#include <linux/virtio_console.h>

#define IN_EVENTS  (EPOLLIN | EPOLLRDNORM)
#define OUT_EVENTS (EPOLLOUT | EPOLLWRNORM)
/* A drain with interrupts off (panic) gives up on a host that takes nothing for this long. */
#define DRAIN_PATIENCE_NS (2 * NSEC_PER_SEC)
/* Attempts at the lock before output is dropped: its holder may be what panicked. */
#define LOCK_TRIES (1u << 22)

DEFINE_COUNTER(console_output_lost, "writes to a console port dropped because its lock was not to be had");

static struct console_port *to_port(struct chardev *cd)
{
	return container_of(cd, struct console_port, cd);
}

static void rx_give(struct console_port *port, struct console_buf *b)
{
	struct vq_segment seg = {virt_to_phys(b->data), CONSOLE_BUF_SIZE};

	(void)vq_add(port->rx, &seg, 0, 1, b); /* has room: the queue is larger than the number of buffers */
}

static void rx_collect(struct console_port *port)
{
	struct console_buf *b;
	u32 len;

	while ((b = vq_get(port->rx, &len))) {
		if (!len) {
			rx_give(port, b);
			continue;
		}
		b->len = len;
		b->off = 0;
		list_add_tail(&b->node, &port->received);
		port->received_bytes += len;
	}
}

static void tx_collect(struct console_port *port)
{
	struct console_buf *b;

	while ((b = vq_get(port->tx, NULL))) {
		port->tx_busy--;
		list_add_tail(&b->node, &port->tx_free);
	}
}

/* Buffers for input exist once somebody uses the port. */
static void rx_fill(struct console_port *port)
{
	bool kick;
	u64 flags;

	flags = spin_lock_irqsave(&port->lock);
	if (!port->rx_filled) {
		for (unsigned i = 0; i < CONSOLE_RX_BUFS; i++) {
			if (!port->rx_buf[i].data)
				port->rx_buf[i].data = kmalloc(CONSOLE_BUF_SIZE);
			if (port->rx_buf[i].data) {
				port->rx_filled = true; /* one is enough to work */
				rx_give(port, &port->rx_buf[i]);
			}
		}
	}
	kick = vq_kick_prepare(port->rx);
	spin_unlock_irqrestore(&port->lock, flags);
	if (kick)
		vq_notify(port->rx);
}

static void port_open(struct console_port *port)
{
	if (likely(atomic_load_explicit(&port->guest_open, memory_order_relaxed)))
		return;
	rx_fill(port);
	if (!atomic_exchange(&port->guest_open, true))
		console_control_send(port->vc, port->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static void console_open(struct chardev *cd)
{
	port_open(to_port(cd));
}

static void console_close(struct chardev *cd)
{
	struct console_port *port = to_port(cd);

	if (port->console)
		return;
	cd->ops->drain(cd); /* the host may drop what is queued once it hears of the close */
	if (atomic_exchange(&port->guest_open, false))
		console_control_send(port->vc, port->id, VIRTIO_CONSOLE_PORT_OPEN, 0);
}

static struct console_buf *tx_take(struct console_port *port)
{
	struct console_buf *b;

	if (list_empty(&port->tx_free))
		tx_collect(port);
	if (!list_empty(&port->tx_free)) {
		b = list_first_entry(&port->tx_free, struct console_buf, node);
		list_del(&b->node);
		return b;
	}
	if (port->tx_allocated == CONSOLE_TX_BUFS)
		return NULL;
	b = &port->tx_buf[port->tx_allocated];
	b->data = kmalloc(CONSOLE_BUF_SIZE);
	if (!b->data)
		return NULL;
	port->tx_allocated++;
	return b;
}

static bool lock_for_output(struct console_port *port, u64 *flags)
{
	*flags = arch_irq_save();
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (spin_trylock(&port->lock))
			return true;
		cpu_relax();
	}
	arch_irq_restore(*flags);
	counter_inc(&console_output_lost);
	return false;
}

static size_t console_put(struct console_port *port, const u8 *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct console_buf *b = tx_take(port);
		struct vq_segment seg;

		if (!b) {
			/* Tell us when there is room again, and look once more: it may be there already. */
			if (vq_enable(port->tx) || port->tx->broken)
				break;
			vq_disable(port->tx);
			continue;
		}
		seg.phys = virt_to_phys(b->data);
		seg.len = (u32)min(n - done, (size_t)CONSOLE_BUF_SIZE);
		memcpy(b->data, p + done, seg.len);
		if (vq_add(port->tx, &seg, 1, 0, b)) {
			list_add(&b->node, &port->tx_free);
			break;
		}
		port->tx_busy++;
		done += seg.len;
	}
	return done;
}

static size_t console_write_port(struct chardev *cd, const void *buf, size_t n)
{
	struct console_port *port = to_port(cd);
	size_t done;
	u64 flags;
	bool kick;

	port_open(port);
	if (port->tx->broken || !lock_for_output(port, &flags))
		return n; /* there is nobody to give it to */
	done = console_put(port, buf, n);
	kick = vq_kick_prepare(port->tx);
	spin_unlock_irqrestore(&port->lock, flags);
	if (kick)
		vq_notify(port->tx);
	return done;
}

static size_t console_write_room(struct chardev *cd)
{
	struct console_port *port = to_port(cd);
	u64 flags = spin_lock_irqsave(&port->lock);
	size_t bufs;

	for (;;) {
		tx_collect(port);
		bufs = CONSOLE_TX_BUFS - port->tx_busy;
		if (bufs || vq_enable(port->tx) || port->tx->broken)
			break;
		vq_disable(port->tx);
	}
	spin_unlock_irqrestore(&port->lock, flags);
	return bufs * CONSOLE_BUF_SIZE;
}

static size_t console_read(struct chardev *cd, void *buf, size_t n)
{
	struct console_port *port = to_port(cd);
	u8 *out = buf;
	size_t done = 0;
	u64 flags;
	bool kick;

	port_open(port);
	flags = spin_lock_irqsave(&port->lock);
	rx_collect(port);
	while (done < n && !list_empty(&port->received)) {
		struct console_buf *b = list_first_entry(&port->received, struct console_buf, node);
		u32 part = (u32)min(n - done, (size_t)(b->len - b->off));

		memcpy(out + done, b->data + b->off, part);
		done += part;
		b->off += part;
		if (b->off == b->len) {
			list_del(&b->node);
			rx_give(port, b);
		}
	}
	port->received_bytes -= done;
	kick = vq_kick_prepare(port->rx);
	spin_unlock_irqrestore(&port->lock, flags);
	if (kick)
		vq_notify(port->rx);
	return done;
}

static size_t console_read_avail(struct chardev *cd)
{
	struct console_port *port = to_port(cd);
	size_t n;
	u64 flags;

	port_open(port);
	flags = spin_lock_irqsave(&port->lock);
	rx_collect(port);
	n = port->received_bytes;
	spin_unlock_irqrestore(&port->lock, flags);
	return n;
}

/* Only once everything that came before the hang-up was read: the host's end is looked at before the ring. */
static bool console_hung_up(struct chardev *cd)
{
	struct console_port *port = to_port(cd);

	return !port->console && !atomic_load(&port->host_open) && !console_read_avail(cd);
}

static bool tx_idle(struct console_port *port, unsigned *busy)
{
	u64 flags;

	if (!lock_for_output(port, &flags))
		return true;
	tx_collect(port);
	*busy = port->tx_busy;
	spin_unlock_irqrestore(&port->lock, flags);
	return !*busy || port->tx->broken;
}

/* In thread context as long as the host is there, as a blocking write would; with interrupts off not for
 * ever. */
static void console_drain(struct chardev *cd)
{
	struct console_port *port = to_port(cd);
	unsigned busy = 0, before = 0;
	u64 since = clock_monotonic();

	while (!tx_idle(port, &busy)) {
		if (busy != before) {
			before = busy;
			since = clock_monotonic();
		}
		if (clock_monotonic() - since > DRAIN_PATIENCE_NS &&
		    (!arch_irqs_on() || !atomic_load(&port->host_open)))
			return;
		cpu_relax();
	}
}

const struct chardev_ops console_port_ops = {
	.write = console_write_port,
	.read = console_read,
	.read_avail = console_read_avail,
	.write_room = console_write_room,
	.hung_up = console_hung_up,
	.drain = console_drain,
	.open = console_open,
	.close = console_close,
};

void console_port_rx(struct virtqueue *vq)
{
	struct console_port *port = vq->priv;

	if (port && vq_pending(vq))
		waitq_wake(&port->cd.waitq, ~0u, IN_EVENTS);
}

void console_port_tx(struct virtqueue *vq)
{
	struct console_port *port = vq->priv;
	unsigned busy;

	if (!port || !vq_pending(vq))
		return;
	(void)tx_idle(port, &busy);
	waitq_wake(&port->cd.waitq, ~0u, OUT_EVENTS);
}

void console_port_host_open(struct console_port *port, bool open)
{
	atomic_store(&port->host_open, open);
	if (port->registered)
		waitq_wake(&port->cd.waitq, ~0u, open ? OUT_EVENTS : IN_EVENTS | OUT_EVENTS | EPOLLHUP);
}

int console_port_init(struct console_port *port, struct virtio_console *vc, unsigned id)
{
	port->vc = vc;
	port->id = id;
	list_init(&port->received);
	list_init(&port->tx_free);
	port->tx_buf[0].data =
		kmalloc(CONSOLE_BUF_SIZE); /* writing must not depend on memory to be had later */
	if (!port->tx_buf[0].data)
		return -ENOMEM;
	list_add(&port->tx_buf[0].node, &port->tx_free);
	port->tx_allocated = 1;
	port->cd.ops = &console_port_ops;
	port->rx->priv = port;
	port->tx->priv = port;
	vq_disable(port->tx);
	return 0;
}
