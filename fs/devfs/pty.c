// SPDX-License-Identifier: BSD-2-Clause
/* Pseudo-terminals: a ptmx makes a pair, whose terminal side is a node N of its devpts (pts(4),
 * ioctl_tty(2)).
 *
 * The slave is a terminal like any other (tty.c) that writes into the pair's ring; the master reads the ring,
 * and what it writes is the terminal's input. The slave's lock guards the pair. Pairs are kept in a table for
 * good and used again once both sides are closed: a session may hold on to its terminal without a reference.
 */
#include "base/format.h"
#include "devfs.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tty.h"
#include <asm/ioctls.h>
#include <linux/capability.h>

#define PTYS_MAX  256
#define RING_SIZE 4096
#define CHUNK	  256

struct pty {
	struct tty slave;     /* its lock guards what follows */
	struct super *devpts; /* where its node is; a reference while the master is open */
	u32 index;	      /* its number there; both guarded by ptys_lock */
	bool in_use;	      /* some side is open; guarded by ptys_lock */
	bool master_open;     /* also read without the lock */
	bool locked;	      /* TIOCSPTLCK: the slave cannot be opened yet */
	bool opened;	      /* the slave has been open: its last close is a hang-up */
	u32 slave_files;
	bool packet; /* TIOCPKT: each master read begins with a status byte */
	u8 status;   /* TIOCPKT_* to report */
	u32 head, tail;
	u8 ring[RING_SIZE];
	struct waitq master_wait;
};

static DEFINE_MUTEX(ptys_lock); /* guards the table and in_use; outside the slave's lock */
static struct pty *ptys[PTYS_MAX];

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, slave);
}

/* The slave's side */

static size_t slave_room(struct tty *t)
{
	struct pty *p = pty_of(t);

	return RING_SIZE - (READ_ONCE(p->head) - READ_ONCE(p->tail));
}

static size_t slave_write(struct tty *t, const void *buf, size_t n)
{
	struct pty *p = pty_of(t);

	n = min(n, slave_room(t));
	for (size_t i = 0; i < n; i++)
		p->ring[(p->head + i) % RING_SIZE] = ((const u8 *)buf)[i];
	WRITE_ONCE(p->head, p->head + (u32)n);
	if (n)
		waitq_wake(&p->master_wait, ~0u, EPOLLIN | EPOLLRDNORM);
	return n;
}

static bool slave_hung_up(struct tty *t)
{
	return !READ_ONCE(pty_of(t)->master_open);
}

static size_t slave_pending(struct tty *t)
{
	return RING_SIZE - slave_room(t);
}

static void slave_flush(struct tty *t)
{
	struct pty *p = pty_of(t);

	WRITE_ONCE(p->tail, p->head);
	p->status |= TIOCPKT_FLUSHWRITE;
	waitq_wake(&t->waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
}

static void slave_unthrottle(struct tty *t)
{
	waitq_wake(&pty_of(t)->master_wait, ~0u, EPOLLOUT | EPOLLWRNORM);
}

static const struct tty_ops slave_ops = {
	.write = slave_write,
	.room = slave_room,
	.hung_up = slave_hung_up,
	.pending = slave_pending,
	.flush = slave_flush,
	.unthrottle = slave_unthrottle,
};

/* Both sides closed: the number is free. With ptys_lock held. */
static void pty_try_free(struct pty *p)
{
	if (p->master_open || p->slave_files || !p->in_use)
		return;
	p->in_use = false;
	p->slave.sid = p->slave.pgid = 0;
}

static long slave_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	return tty_ioctl(f, f->priv, cmd, arg);
}

static void slave_release(struct file *f)
{
	struct pty *p = pty_of(f->priv);

	mutex_lock(&ptys_lock);
	mutex_lock(&p->slave.lock);
	if (!--p->slave_files)
		waitq_wake_all(&p->master_wait);
	mutex_unlock(&p->slave.lock);
	pty_try_free(p);
	mutex_unlock(&ptys_lock);
}

static const struct file_ops slave_fops = {
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = slave_ioctl,
	.release = slave_release,
	.async = FILE_ASYNC,
};

int pty_open_slave(struct file *f, const struct inode *node)
{
	struct pty *p;
	int err = -EIO;

	mutex_lock(&ptys_lock);
	p = devpts_pty(node);
	if (p) {
		mutex_lock(&p->slave.lock);
		if (p->slave.exclusive && !process_capable(CAP_SYS_ADMIN)) {
			err = -EBUSY;
		} else if (p->master_open && !p->locked) {
			p->slave_files++;
			p->opened = true;
			f->priv = &p->slave;
			f->ops = &slave_fops;
			err = 0;
		}
		mutex_unlock(&p->slave.lock);
	}
	mutex_unlock(&ptys_lock);
	if (!err)
		tty_opened(f, f->priv);
	return err;
}

/* The master's side */

static bool master_hung_up(const struct pty *p)
{
	return READ_ONCE(p->opened) && !READ_ONCE(p->slave_files);
}

static bool master_can_read(const struct pty *p)
{
	return READ_ONCE(p->head) != READ_ONCE(p->tail) || (p->packet && p->status) || master_hung_up(p);
}

/* One step of a read, with the lock held. 0: nothing there. */
static ssize_t master_take(struct pty *p, struct iter *to)
{
	u8 zero = 0, status = p->status;
	ssize_t total = 0;

	if (p->packet) {
		if (status) {
			p->status = 0;
			return iter_copy_out(to, &status, 1) == 1 ? 1 : -EFAULT;
		}
		if (p->head == p->tail)
			return 0;
		if (iter_copy_out(to, &zero, 1) != 1)
			return -EFAULT;
		total = 1;
	}
	while (to->left && p->tail != p->head) {
		u32 at = p->tail % RING_SIZE,
		    n = min(min(p->head - p->tail, RING_SIZE - at), (u32)min(to->left, 4096ul));

		if (iter_copy_out(to, p->ring + at, n) != n)
			return total ? total : -EFAULT;
		WRITE_ONCE(p->tail, p->tail + n);
		total += n;
	}
	if (total)
		waitq_wake(&p->slave.waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
	return total;
}

static ssize_t master_read(struct file *f, struct iter *to, u64 *pos)
{
	struct pty *p = f->priv;

	if (!to->left)
		return 0;
	for (;;) {
		ssize_t n;
		int err;

		mutex_lock(&p->slave.lock);
		n = master_take(p, to);
		mutex_unlock(&p->slave.lock);
		if (n)
			return n;
		if (master_hung_up(p))
			return -EIO;
		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_event_interruptible(&p->master_wait, master_can_read(p));
		if (err)
			return err;
	}
}

static ssize_t master_write(struct file *f, struct iter *from, u64 *pos)
{
	struct pty *p = f->priv;
	ssize_t total = 0;

	while (from->left) {
		u8 chunk[CHUNK];
		size_t n;
		int err;

		if (master_hung_up(p))
			return total ? total : -EIO;
		mutex_lock(&p->slave.lock);
		n = min(min(from->left, sizeof chunk), tty_receive_room(&p->slave));
		if (n) {
			n = iter_copy_in(from, chunk, n);
			tty_receive(&p->slave, chunk, n);
			total += (ssize_t)n;
		}
		mutex_unlock(&p->slave.lock);
		if (n)
			continue;
		if (tty_receive_room(&p->slave))
			return total ? total : -EFAULT;
		if (file_nonblock(f))
			return total ? total : -EAGAIN;
		err = wait_event_interruptible(&p->master_wait,
					       tty_receive_room(&p->slave) || master_hung_up(p));
		if (err)
			return total ? total : err;
	}
	return total;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct pty *p = f->priv;
	u32 mask = 0;

	poll_wait(f, &p->master_wait, pt);
	if (READ_ONCE(p->head) != READ_ONCE(p->tail))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (p->packet && READ_ONCE(p->status))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLPRI;
	if (tty_receive_room(&p->slave))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (master_hung_up(p))
		mask |= EPOLLHUP;
	return mask;
}

/* A descriptor of the slave, whatever its path is: TIOCGPTPEER. */
static long open_peer(struct file *master, struct pty *p, u32 flags)
{
	struct path root, node;
	char name[16];
	struct file *f;
	int fd;

	snprintf(name, sizeof name, "%u", p->index);
	fd = devpts_find(&master->path, &root);
	if (fd)
		return fd;
	fd = vfs_lookup_near(&root, false, name, &node);
	path_put(&root);
	if (fd)
		return fd;
	f = vfs_open_path(&node, flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY));
	path_put(&node);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install_new(f, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long master_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pty *p = f->priv;
	int value;

	switch (cmd) {
	case TIOCGPTN:
		return put_app(p->index, (u32 __app *)arg);
	case TIOCSPTLCK:
		if (get_app(value, (const int __app *)arg))
			return -EFAULT;
		p->locked = value;
		return 0;
	case TIOCGPTLCK:
		return put_app((int)p->locked, (int __app *)arg);
	case TIOCGPTPEER:
		return open_peer(f, p, (u32)arg);
	case TIOCPKT:
		if (get_app(value, (const int __app *)arg))
			return -EFAULT;
		p->packet = value;
		p->status = 0;
		return 0;
	case TIOCGPKT:
		return put_app((int)p->packet, (int __app *)arg);
	case TIOCSIG:
		if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
			return -EINVAL;
		tty_signal_group(&p->slave, (int)arg);
		return 0;
	case FIONREAD:
		return put_app((int)slave_pending(&p->slave), (int __app *)arg);
	case TIOCGPGRP:
		return put_app((int)p->slave.pgid, (int __app *)arg);
	case TIOCGSID:
		return p->slave.sid ? put_app((int)p->slave.sid, (int __app *)arg) : -ENOTTY;
	case TIOCSCTTY:
	case TIOCNOTTY:
		return -ENOTTY;
	default:
		return tty_ioctl(f, &p->slave, cmd, arg);
	}
}

/* The line is cut: readers of the slave see the end, and the session is told. */
static void master_release(struct file *f)
{
	struct pty *p = f->priv;
	struct process *leader;

	devpts_remove(p->devpts, p->index);
	super_put(p->devpts);
	mutex_lock(&ptys_lock);
	mutex_lock(&p->slave.lock);
	WRITE_ONCE(p->master_open, false);
	waitq_wake_all(&p->slave.waitq);
	leader = p->slave.sid ? process_find(p->slave.sid) : NULL;
	if (leader) {
		signal_send_process(leader, SIGHUP, NULL);
		signal_send_process(leader, SIGCONT, NULL);
		if (p->slave.pgid != leader->pgid)
			tty_signal_group(&p->slave, SIGHUP);
		process_put(leader);
	}
	p->slave.sid = p->slave.pgid = 0;
	mutex_unlock(&p->slave.lock);
	pty_try_free(p);
	mutex_unlock(&ptys_lock);
}

static const struct file_ops master_fops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
	.async = FILE_ASYNC,
};

/* A slot of the table that nobody uses, and the lowest number that is free in S: false when either lacks.
 * With ptys_lock held. */
static bool pty_find_free(const struct super *s, u32 *slot, u32 *index)
{
	u64 used[PTYS_MAX / 64] = {0};

	*slot = PTYS_MAX;
	for (u32 i = PTYS_MAX; i-- > 0;) {
		if (!ptys[i] || !ptys[i]->in_use)
			*slot = i;
		else if (ptys[i]->devpts == s)
			used[ptys[i]->index / 64] |= 1ull << ptys[i]->index % 64;
	}
	for (*index = 0; *index < PTYS_MAX && used[*index / 64] >> *index % 64 & 1;)
		++*index;
	return *slot < PTYS_MAX && *index < min(devpts_max(s), (u32)PTYS_MAX);
}

/* A pair for S, whose reference it takes over, in its first state. With ptys_lock held. ERR_PTR(-ENOSPC,
 * -ENOMEM). */
static struct pty *pty_claim(struct super *s)
{
	u32 slot, index;
	struct pty *p;

	if (!pty_find_free(s, &slot, &index))
		return ERR_PTR(-ENOSPC);
	p = ptys[slot];
	if (!p) {
		p = kzalloc(sizeof *p);
		if (!p)
			return ERR_PTR(-ENOMEM);
		waitq_init(&p->master_wait);
		tty_init(&p->slave, &slave_ops, p, 0);
		tty_register(&p->slave);
		ptys[slot] = p;
	}
	mutex_lock(&p->slave.lock);
	tty_reset(&p->slave);
	p->slave.termios.c_cflag &= ~(u32)HUPCL; /* there is no line to hang up */
	p->slave.rdev = MKDEV(MAJOR_PTS, index);
	p->devpts = s;
	p->index = index;
	p->head = p->tail = 0;
	p->opened = p->packet = false;
	p->status = 0;
	p->slave_files = 0;
	p->locked = true;
	p->master_open = true;
	mutex_unlock(&p->slave.lock);
	p->in_use = true;
	return p;
}

int pty_open_master(struct file *f)
{
	struct path root;
	struct super *s;
	struct pty *p;
	int err = devpts_find(&f->path, &root);

	if (err)
		return err;
	s = root.dentry->inode->super;
	super_get(s);
	path_put(&root);
	mutex_lock(&ptys_lock);
	p = pty_claim(s);
	mutex_unlock(&ptys_lock);
	if (IS_ERR(p)) {
		super_put(s);
		return (int)PTR_ERR(p);
	}
	err = devpts_add(s, p->index, p);
	if (err) {
		mutex_lock(&ptys_lock);
		p->master_open = false;
		pty_try_free(p);
		mutex_unlock(&ptys_lock);
		super_put(s);
		return err;
	}
	f->priv = p;
	f->ops = &master_fops;
	return 0;
}
