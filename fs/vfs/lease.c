/* SPDX-License-Identifier: BSD-2-Clause */
/* File leases: whoever holds one is told, by a signal, before somebody else opens or cuts the file, and has a
 * while to give way. fcntl(2), F_SETLEASE.
 *
 * A read lease goes with readers and stands in the way of writers; a write lease stands in everybody's way.
 * An open counts itself (inode.writers, inode.readers) before it looks for leases, and a lease is entered
 * before the counts are looked at, so one of the two sees the other. lease_lock guards every inode's list;
 * nothing here is hot but the look at an empty list. */
#include "internal.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/sched.h"

u32 lease_break_time = 45; /* seconds: /proc/sys/fs/lease-break-time */
u32 leases_enable = 1;

static DEFINE_MUTEX(lease_lock);
static DEFINE_WAITQ(lease_waitq); /* who breaks one sleeps here until it changes */
static LIST_HEAD(leases);	  /* all of them; guarded by lease_lock */

struct lease {
	struct list_head node; /* inode->leases */
	struct list_head all_node;
	u32 pid;	   /* who took it */
	struct file *file; /* its holder; no reference: the file's release drops the lease */
	int fd;		   /* as F_SETLEASE called it, for siginfo */
	short type;	   /* F_RDLCK, F_WRLCK */
	short goal;	   /* what it must become by `deadline`; its type when nobody waits */
	u64 deadline;
};

static struct lease *lease_of(const struct file *f)
{
	struct lease *l;

	list_for_each_entry (l, &file_named_inode(f)->leases, node)
		if (l->file == f)
			return l;
	return NULL;
}

static void lease_drop(struct lease *l)
{
	list_del(&l->node);
	list_del(&l->all_node);
	kfree(l);
	waitq_wake_all(&lease_waitq);
}

/* The file, which stays open, no longer has an owner either: as on Linux. */
static void lease_end(struct lease *l)
{
	sigio_set_owner(l->file, F_OWNER_PID, 0);
	sigio_set_signal(l->file, 0);
	lease_drop(l);
}

void lease_release(struct file *f)
{
	struct lease *l;

	if (!f->inode || likely(list_empty(&file_named_inode(f)->leases)))
		return;
	mutex_lock(&lease_lock);
	l = lease_of(f);
	if (l)
		lease_drop(l);
	mutex_unlock(&lease_lock);
}

int lease_get(struct file *f)
{
	struct lease *l;
	int type;

	if (!f->inode)
		return F_UNLCK;
	mutex_lock(&lease_lock);
	l = lease_of(f);
	type = l ? l->goal : F_UNLCK;
	mutex_unlock(&lease_lock);
	return type;
}

/* Do opens, F's own aside, stand in the way of a lease of TYPE? The lease is entered already. */
static bool opened_otherwise(const struct file *f, short type)
{
	const struct inode *i = file_named_inode(f);
	s32 writers = atomic_load(&i->writers), readers = atomic_load(&i->readers);

	if (type == F_RDLCK)
		return writers > 0;
	return writers != (f->write_counted ? 1 : 0) || readers != (f->read_counted ? 1 : 0);
}

/* Enter or change the lease of F. lease_lock is held. */
static int lease_enter(struct file *f, struct lease *new, short type)
{
	struct lease *l = lease_of(f), *o;
	short before = l ? l->type : F_UNLCK;

	list_for_each_entry (o, &file_named_inode(f)->leases, node)
		if (o != l && (o->goal == F_UNLCK || o->type == F_WRLCK || type == F_WRLCK))
			return -EAGAIN;
	if (l && l->goal != l->type && (l->goal == F_UNLCK || type == F_WRLCK))
		return -EAGAIN; /* it is to become less */
	if (!l) {
		l = new;
		list_add_tail(&l->node, &file_named_inode(f)->leases);
	}
	l->type = type;
	atomic_thread_fence(memory_order_seq_cst); /* before the counts: pairs with lease_break */
	if (opened_otherwise(f, type)) {
		l->type = before;
		if (l == new)
			list_del_init(&l->node);
		return -EAGAIN;
	}
	if (l == new)
		list_add_tail(&l->all_node, &leases);
	l->goal = type;
	waitq_wake_all(&lease_waitq);
	return 0;
}

int lease_set(int fd, struct file *f, u64 type)
{
	struct inode *named = file_named_inode(f);
	struct lease *new = NULL, *l;
	int err = 0, owner_type;

	if (!named || (named->uid != creds_fs().uid && !process_capable(CAP_LEASE)))
		return named ? -EACCES : -EINVAL;
	if (!S_ISREG(named->mode) || (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK))
		return -EINVAL;
	if (type != F_UNLCK && !leases_enable)
		return -EINVAL;
	if (type != F_UNLCK) {
		new = kzalloc(sizeof *new);
		if (!new)
			return -ENOMEM;
		list_init(&new->node);
		new->file = f;
		new->fd = fd;
		new->pid = current_process()->pid;
		if (!sigio_owner(f, &owner_type))
			err = sigio_set_owner(f, F_OWNER_PID, current_process()->pid);
	}
	if (!err) {
		mutex_lock(&lease_lock);
		if (type != F_UNLCK)
			err = lease_enter(f, new, (short)type);
		else if ((l = lease_of(f)))
			lease_end(l);
		else
			err = -EAGAIN;
		mutex_unlock(&lease_lock);
	}
	if (new &&list_empty(&new->node))
		kfree(new);
	return err;
}

/* Leases in the way of an open (WRITE: for writing) are told to become less, those whose time is over are
 * made to. Returns how long to wait: a deadline, 0 for none in the way. lease_lock is held. */
static u64 lease_push(struct inode *i, bool write)
{
	u64 now = clock_monotonic(), wait = 0;
	struct lease *l, *next;

	list_for_each_entry_safe (l, next, &i->leases, node) {
		short goal = write ? F_UNLCK : F_RDLCK;

		if (!write && l->type == F_RDLCK)
			continue;
		if (l->goal == l->type) {
			l->deadline = now + lease_break_time * NSEC_PER_SEC;
			sigio_send(l->file, l->fd, EPOLLMSG);
		}
		if (l->goal != F_UNLCK)
			l->goal = goal;
		if (now < l->deadline)
			wait = max(wait, l->deadline);
		else if (l->goal == F_UNLCK)
			lease_end(l);
		else
			l->type = l->goal;
	}
	return wait;
}

int lease_break_slow(struct inode *i, bool write, bool nonblock)
{
	struct wait_entry e;
	u64 deadline;
	int err = 0;

	wait_entry_init(&e, false);
	for (;;) {
		mutex_lock(&lease_lock);
		deadline = lease_push(i, write);
		if (deadline && !nonblock)
			wait_prepare(&lease_waitq, &e,
				     THREAD_INTERRUPTIBLE); /* whoever changes one takes the lock */
		mutex_unlock(&lease_lock);
		err = !deadline ? 0 : nonblock ? -EWOULDBLOCK : signal_pending(current) ? -ERESTARTSYS : 0;
		if (err || !deadline)
			break;
		schedule_until(deadline);
	}
	wait_finish(&lease_waitq, &e);
	return err;
}

size_t leases_text(char *buf, size_t size, unsigned nr)
{
	struct lease *l;
	size_t n = 0;

	mutex_lock(&lease_lock);
	list_for_each_entry (l, &leases, all_node) {
		const struct inode *i = file_named_inode(l->file);
		u64 dev = i->super->dev;

		n += (size_t)snprintf(n < size ? buf + n : NULL, n < size ? size - n : 0,
				      "%u: LEASE  %s %s %u %02x:%02x:%llu 0 EOF\n", ++nr,
				      l->goal != l->type ? "BREAKING " : "ACTIVE   ",
				      l->goal == F_WRLCK   ? "WRITE"
				      : l->goal == F_RDLCK ? "READ"
							   : "UNLCK",
				      l->pid, (unsigned)(dev >> 8 & 0xfff),
				      (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)),
				      (unsigned long long)i->ino);
	}
	mutex_unlock(&lease_lock);
	return n;
}
