/* SPDX-License-Identifier: BSD-2-Clause */
/* The first serial port (16550A at port 0x3f8, ISA interrupt 4) as the character device ttyS0, and as the
 * console before anything else works. Reads and writes go through rings that the interrupt handler fills and
 * empties; polled output empties the ring first, so the order of bytes is kept. `lock` guards the chip and
 * both rings. Source: National Semiconductor PC16550D data sheet. */

#include "serial.h"
#include "arch/asm.h"
#include "base/err.h"
#include "kernel/acpi.h"
#include "kernel/console.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/irq.h"
#include "kernel/spinlock.h"
#include <linux/eventpoll.h>

#define PORT	   0x3f8
#define ISA_IRQ	   4
#define FIFO_BYTES 16

enum {
	REG_DATA = 0, /* RBR, THR; divisor low with DLAB */
	REG_IER = 1,  /* divisor high with DLAB */
	REG_IIR = 2,  /* read */
	REG_FCR = 2,  /* write */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_SCRATCH = 7,
};
#define IER_RX	     1
#define IER_TX	     2
#define FCR_ENABLE   0x07 /* on, both FIFOs cleared, interrupt at the first byte */
#define LCR_8N1	     3
#define LCR_DLAB     0x80
#define MCR_DTR_RTS  3
#define MCR_OUT2     8 /* gates the interrupt line */
#define LSR_RX_READY 1
#define LSR_TX_EMPTY 0x20
#define LSR_IDLE     0x40
#define LSR_ABSENT   0xff

#define RING_SIZE 4096 /* power of two */
/* Reads of the status register before a port that does not take its byte counts as stuck: seconds, at about 1
 * us each. */
#define STUCK_SPINS (4u << 20)
/* FIFO loads that one call or interrupt writes before it leaves the rest to the next interrupt. */
#define BURST_FIFOS 4

struct ring {
	u8 data[RING_SIZE];
	u32 head, tail; /* free-running; head - tail bytes are queued */
};

static struct spinlock lock;
static enum { UNKNOWN, ABSENT, PRESENT } presence;
static bool stuck; /* the port took no byte for STUCK_SPINS; try only once from now on */
static bool irq_driven;
static u8 ier;
static struct ring tx, rx;
static struct chardev ttys0;

DEFINE_COUNTER(serial_rx_overflow, "bytes received on ttyS0 and dropped because nobody read");
DEFINE_COUNTER(serial_tx_stuck, "times that the serial port did not take output");

static u32 ring_used(const struct ring *r)
{
	return READ_ONCE(r->head) - READ_ONCE(r->tail);
}

static size_t ring_put(struct ring *r, const u8 *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && ring_used(r) < RING_SIZE; i++)
		r->data[r->head++ % RING_SIZE] = p[i];
	return i;
}

static size_t ring_get(struct ring *r, u8 *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && ring_used(r); i++)
		p[i] = r->data[r->tail++ % RING_SIZE];
	return i;
}

static void set_ier(u8 v)
{
	if (v != ier) {
		ier = v;
		outb(PORT + REG_IER, v);
	}
}

/* Only the scratch register tells a port from an empty bus, which reads as ones. */
static bool probe(void)
{
	if (presence != UNKNOWN)
		return presence == PRESENT;
	outb(PORT + REG_SCRATCH, 0x5a);
	presence = inb(PORT + REG_SCRATCH) == 0x5a ? PRESENT : ABSENT;
	outb(PORT + REG_SCRATCH, 0xa5);
	if (inb(PORT + REG_SCRATCH) != 0xa5)
		presence = ABSENT;
	if (presence == ABSENT)
		return false;
	outb(PORT + REG_IER, 0);
	outb(PORT + REG_LCR, LCR_DLAB);
	outb(PORT + REG_DATA, 1); /* 115200 baud */
	outb(PORT + REG_IER, 0);
	outb(PORT + REG_LCR, LCR_8N1);
	outb(PORT + REG_FCR, FCR_ENABLE);
	outb(PORT + REG_MCR, MCR_DTR_RTS);
	return true;
}

bool serial_present(void)
{
	return probe();
}

static bool wait_status(u8 bits)
{
	for (u32 i = 0; i < STUCK_SPINS; i++) {
		u8 lsr = inb(PORT + REG_LSR);

		if (lsr == LSR_ABSENT)
			return false;
		if (lsr & bits) {
			stuck = false;
			return true;
		}
		if (stuck)
			return false;
		cpu_relax();
	}
	stuck = true;
	counter_inc(&serial_tx_stuck);
	return false;
}

/* Write up to FIFOS FIFO loads from the ring, as long as the chip takes them. */
static void pump(unsigned fifos)
{
	while (fifos-- && ring_used(&tx) && inb(PORT + REG_LSR) & LSR_TX_EMPTY)
		for (unsigned i = 0; i < FIFO_BYTES && ring_used(&tx); i++)
			outb(PORT + REG_DATA, tx.data[tx.tail++ % RING_SIZE]);
}

static void flush_polled(void)
{
	while (ring_used(&tx) && wait_status(LSR_TX_EMPTY))
		pump(1);
}

void serial_write_polled(const char *s, size_t n)
{
	u64 flags = spin_lock_irqsave(&lock);
	unsigned in_fifo = FIFO_BYTES;

	if (probe()) {
		flush_polled();
		for (size_t i = 0; i < n; i++) {
			if (in_fifo + 2 > FIFO_BYTES) {
				if (!wait_status(LSR_TX_EMPTY))
					break;
				in_fifo = 0;
			}
			if (s[i] == '\n') {
				outb(PORT + REG_DATA, '\r');
				in_fifo++;
			}
			outb(PORT + REG_DATA, (u8)s[i]);
			in_fifo++;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
}

static size_t serial_write(struct chardev *cd, const void *buf, size_t n)
{
	u64 flags = spin_lock_irqsave(&lock);
	size_t done = ring_put(&tx, buf, n);

	pump(BURST_FIFOS);
	if (!irq_driven)
		flush_polled();
	else if (ring_used(&tx))
		set_ier(ier | IER_TX);
	spin_unlock_irqrestore(&lock, flags);
	return done;
}

static size_t serial_read(struct chardev *cd, void *buf, size_t n)
{
	u64 flags = spin_lock_irqsave(&lock);
	size_t done = ring_get(&rx, buf, n);

	spin_unlock_irqrestore(&lock, flags);
	return done;
}

static size_t serial_read_avail(struct chardev *cd)
{
	return ring_used(&rx);
}

static size_t serial_write_room(struct chardev *cd)
{
	return RING_SIZE - ring_used(&tx);
}

static void serial_drain(struct chardev *cd)
{
	u64 flags = spin_lock_irqsave(&lock);

	flush_polled();
	(void)wait_status(LSR_IDLE);
	spin_unlock_irqrestore(&lock, flags);
}

static void serial_interrupt(void *arg)
{
	u32 wake = 0;

	spin_lock(&lock);
	for (unsigned i = 0; i < RING_SIZE && inb(PORT + REG_LSR) & LSR_RX_READY; i++) {
		u8 c = inb(PORT + REG_DATA);

		if (!ring_put(&rx, &c, 1))
			counter_inc(&serial_rx_overflow);
		wake |= EPOLLIN;
	}
	(void)inb(PORT + REG_IIR); /* acknowledges an empty transmitter */
	if (ier & IER_TX) {
		pump(BURST_FIFOS);
		if (!ring_used(&tx))
			set_ier(ier & (u8)~IER_TX);
		wake |= EPOLLOUT;
	}
	spin_unlock(&lock);
	if (wake)
		waitq_wake(&ttys0.waitq, ~0u, wake);
}

static const struct chardev_ops serial_ops = {
	.write = serial_write,
	.read = serial_read,
	.read_avail = serial_read_avail,
	.write_room = serial_write_room,
	.drain = serial_drain,
};

static int serial_init(void)
{
	unsigned gsi;
	bool level, active_low;
	int handle;
	u64 flags;

	if (!probe())
		return 0;
	firmware_isa_irq(ISA_IRQ, &gsi, &level, &active_low);
	handle = irq_request_gsi(gsi, level, active_low, serial_interrupt, NULL, "ttyS0");
	if (handle > 0) {
		flags = spin_lock_irqsave(&lock);
		irq_driven = true;
		outb(PORT + REG_MCR, MCR_DTR_RTS | MCR_OUT2);
		set_ier(IER_RX);
		spin_unlock_irqrestore(&lock, flags);
	} else {
		log_warn("ttyS0: no interrupt (%d): output only", handle);
	}
	ttys0.name = "ttyS0";
	ttys0.ops = &serial_ops;
	ttys0.tty = true;
	return chardev_register(&ttys0);
}
INITCALL(serial_init, INIT_DEVICE);
