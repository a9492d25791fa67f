/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the virtio-console driver: ports (console_port.c) and the control protocol
 * (console.c). */
#pragma once

#include "kernel/console.h"
#include "kernel/mutex.h"
#include "virtio.h"

#define CONSOLE_NAME_MAX 64
#define CONSOLE_RX_BUFS	 4
#define CONSOLE_TX_BUFS	 8
#define CONSOLE_BUF_SIZE 4096u

struct virtio_console;

struct console_buf {
	struct list_head node;
	u32 len, off; /* received: bytes, and how many were read */
	u8 *data;
};

struct console_port {
	struct chardev cd;
	struct virtio_console *vc;
	unsigned id;
	char name[CONSOLE_NAME_MAX];
	bool registered, console; /* control protocol only */
	_Atomic bool host_open;	  /* the host's end is connected */
	_Atomic bool guest_open;  /* the host was told that ours is */
	struct virtqueue *rx, *tx;

	struct spinlock lock;	   /* guards all below and both queues */
	struct list_head received; /* console_buf.node, oldest first */
	size_t received_bytes;	   /* in `received`, not read yet */
	struct list_head tx_free;
	unsigned tx_allocated, tx_busy;
	bool rx_filled;
	struct console_buf rx_buf[CONSOLE_RX_BUFS], tx_buf[CONSOLE_TX_BUFS];
};

/* Make PORT usable: buffers, queue callbacks. 0 or -ENOMEM. */
int console_port_init(struct console_port *port, struct virtio_console *vc, unsigned id);
extern const struct chardev_ops console_port_ops;
void console_port_rx(struct virtqueue *vq); /* queue callbacks */
void console_port_tx(struct virtqueue *vq);
/* The host opened or closed its end. */
void console_port_host_open(struct console_port *port, bool open);

/* Queue a control message. Any context. */
void console_control_send(struct virtio_console *vc, u32 id, u16 event, u16 value);
