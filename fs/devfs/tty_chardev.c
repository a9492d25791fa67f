// SPDX-License-Identifier: BSD-2-Clause
/* Terminals on character devices: serial lines and consoles.
 *
 * Such a terminal is made when its device is first opened and stays. Input is processed when it arrives (a
 * wake-up of the chardev queues work for a thread), not when it is read, so that an interrupt character works
 * while nobody reads. */
#include "base/string.h"
#include "devfs.h"
#include "kernel/kthread.h"
#include "tty.h"

#define CHUNK 256

struct chardev_tty {
	struct tty tty;
	struct list_head node; /* on made; guarded by made_lock */
	struct chardev *cd;
	struct wait_entry wait; /* on cd->waitq for good */
	struct work work;
};

static DEFINE_MUTEX(made_lock); /* guards made; outside ttys_lock */
static LIST_HEAD(made);

static size_t cdtty_write(struct tty *t, const void *buf, size_t n)
{
	struct chardev *cd = t->priv;

	return cd->ops->write(cd, buf, n);
}

static size_t cdtty_room(struct tty *t)
{
	struct chardev *cd = t->priv;

	return cd->ops->write_room(cd);
}

static bool cdtty_hung_up(struct tty *t)
{
	struct chardev *cd = t->priv;

	return cd->ops->hung_up && cd->ops->hung_up(cd);
}

static void cdtty_drain(struct tty *t)
{
	struct chardev *cd = t->priv;

	if (cd->ops->drain)
		cd->ops->drain(cd);
}

static void cdtty_unthrottle(struct tty *t)
{
	struct chardev_tty *ct = container_of(t, struct chardev_tty, tty);

	if (ct->cd->ops->read_avail(ct->cd))
		work_queue(&ct->work);
}

static const struct tty_ops chardev_tty_ops = {
	.write = cdtty_write,
	.room = cdtty_room,
	.hung_up = cdtty_hung_up,
	.drain = cdtty_drain,
	.unthrottle = cdtty_unthrottle,
};

static void cdtty_work(struct work *w)
{
	struct chardev_tty *ct = container_of(w, struct chardev_tty, work);
	u8 chunk[CHUNK];
	size_t n;

	mutex_lock(&ct->tty.lock);
	do {
		n = min(tty_receive_room(&ct->tty), sizeof chunk);
		n = n ? ct->cd->ops->read(ct->cd, chunk, n) : 0;
		tty_receive(&ct->tty, chunk, n);
	} while (n);
	mutex_unlock(&ct->tty.lock);
}

/* The chardev's queue is locked: pass the event on. */
static bool cdtty_wake(struct wait_entry *e, u32 events)
{
	struct chardev_tty *ct = e->priv;

	if (!events || events & EPOLLIN)
		work_queue(&ct->work);
	if (!events || events & (EPOLLOUT | EPOLLHUP))
		waitq_wake(&ct->tty.waitq, ~0u, events);
	return true;
}

static struct tty *chardev_tty(struct chardev *cd)
{
	struct chardev_tty *ct;
	u32 mode;

	mutex_lock(&made_lock);
	list_for_each_entry (ct, &made, node)
		if (ct->cd == cd)
			goto out;
	ct = kzalloc(sizeof *ct);
	if (!ct)
		goto out;
	tty_init(&ct->tty, &chardev_tty_ops, cd, chardev_number(cd, &mode));
	ct->cd = cd;
	work_init(&ct->work, cdtty_work);
	wait_entry_init_fn(&ct->wait, cdtty_wake, ct, false);
	waitq_add(&cd->waitq, &ct->wait);
	chardev_open(cd);
	list_add_tail(&ct->node, &made);
	tty_register(&ct->tty);
	work_queue(&ct->work); /* what came before */
out:
	mutex_unlock(&made_lock);
	return ct ? &ct->tty : NULL;
}

int tty_open_chardev(struct file *f, struct chardev *cd)
{
	struct tty *t = chardev_tty(cd);

	if (!t)
		return -ENOMEM;
	f->priv = t;
	f->ops = &tty_file_ops;
	return 0;
}
