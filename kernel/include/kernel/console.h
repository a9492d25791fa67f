/* SPDX-License-Identifier: BSD-2-Clause */
/* Character streams to the host: the 16550 serial port and virtio-console ports.
 * devfs shows each as a character device: ttyS0, hvc0.., and named ports under /dev/virtio-ports/NAME. */
#pragma once

#include "base/list.h"
#include "kernel/wait.h"

struct chardev;

struct chardev_ops {
	/* Queue up to N bytes for output; returns the bytes taken (0 when full). Any context. */
	size_t (*write)(struct chardev *, const void *buf, size_t n);
	/* Take up to N received bytes; returns 0 when there are none. Any context. */
	size_t (*read)(struct chardev *, void *buf, size_t n);
	size_t (*read_avail)(struct chardev *);
	size_t (*write_room)(struct chardev *);
	bool (*hung_up)(struct chardev *); /* the host closed its end: reads give EOF, writes EPIPE... NULL: never */
	void (*drain)(struct chardev *);   /* wait (polling if interrupts are off) until all output left the guest */
};

struct chardev {
	const char *name;	/* "ttyS0", "hvc0", or a port's name such as "org.cortado.stdin" */
	const struct chardev_ops *ops;
	void *priv;
	struct waitq waitq;	/* woken with EPOLLIN / EPOLLOUT / EPOLLHUP by the driver */
	bool tty;		/* a terminal (TCGETS answers), not a plain stream */
	struct list_head node;
};

int chardev_register(struct chardev *cd);
struct chardev *chardev_find(const char *name);
struct chardev *chardev_next(struct chardev *prev);
/* Early and panic-safe console output, polled. Any context. */
void console_write(const char *s, size_t n);
