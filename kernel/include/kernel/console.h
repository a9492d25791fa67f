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
	/* The first user opened it, the last one closed it: the host sees the port open and close. Thread context. NULL: nothing
	 * to do. Callers use chardev_open() and chardev_close(), which count. */
	void (*open)(struct chardev *);
	void (*close)(struct chardev *);
};

struct chardev {
	const char *name;	/* "ttyS0", "hvc0", or a port's name such as "org.cortado.stdin" */
	const struct chardev_ops *ops;
	void *priv;
	struct waitq waitq;	/* woken with EPOLLIN / EPOLLOUT / EPOLLHUP by the driver */
	bool tty;		/* a terminal (TCGETS answers), not a plain stream */
	struct list_head node;
	_Atomic u32 users;	/* chardev_open minus chardev_close */
};

int chardev_register(struct chardev *cd); /* -EEXIST */
struct chardev *chardev_find(const char *name);
struct chardev *chardev_next(struct chardev *prev); /* NULL starts; NULL ends. Devices never go away */
void chardev_open(struct chardev *cd);
void chardev_close(struct chardev *cd);
/* Wait until the host took all output of all devices. Any context; bounded when the host does not read. */
void chardev_drain_all(void);

/* The device behind /dev/console: the last console= word that names a device that exists, else ttyS0, else hvc0; NULL. */
struct chardev *console_chardev(void);
/* Early and panic-safe console output, polled: to the devices that console= words name, else to ttyS0. Any context. */
void console_write(const char *s, size_t n);
