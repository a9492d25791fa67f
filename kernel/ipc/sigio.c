// SPDX-License-Identifier: BSD-2-Clause
/* Signals instead of waiting: the owner of an open file (F_SETOWN) is told by SIGIO, or by the signal that
 * F_SETSIG chose, when a file with O_ASYNC becomes ready, and by SIGURG of urgent data on a socket. fcntl(2),
 * socket(7).
 *
 * struct sigio hangs on the file from the first of these calls until the file's release. It keeps a wait
 * entry on each queue that the file's poll names, so whatever wakes pollers raises the signal, at once and in
 * the waker's context: a program that makes its own pipe ready finds the signal delivered when write returns.
 *
 * Locks: sigio.mutex for attaching; a queue's lock > sigio.lock > nothing. The signal is sent with the
 * queue's lock held, hence: a queue that is woken with a process's lock held (signalfd's, pidfd's) must not
 * belong to a file whose file_ops.async is set. */
#include "base/string.h"
#include "fs/file.h"
#include "inotify.h"
#include "kernel/process.h"
#include "kernel/signal.h"

#define MAX_QUEUES 2

struct sigio_owner {
	int type;      /* F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP */
	u32 id;	       /* 0: none */
	u64 since;     /* when the thread or process began: its number may be used anew */
	u32 uid, euid; /* of whoever chose the owner */
};

struct sigio {
	struct file *file;
	struct mutex mutex; /* guards attached, dnotify, nqueues, entries */
	bool attached;
	struct dnotify *dnotify;
	unsigned nqueues;
	struct sigio_entry {
		struct wait_entry wait;
		struct waitq *queue;
		struct sigio *sigio;
	} entries[MAX_QUEUES];
	struct spinlock lock; /* guards the rest; interrupts off */
	struct sigio_owner owner;
	int signal, fd; /* signal 0: SIGIO; fd: as F_SETFL named the file */
	bool on;	/* O_ASYNC */
};

static struct sigio *sigio_of(struct file *f)
{
	struct sigio *s = atomic_load_explicit(&f->sigio, memory_order_acquire), *none = NULL;

	if (s)
		return s;
	s = kzalloc(sizeof *s);
	if (!s)
		return NULL;
	s->file = f;
	mutex_init(&s->mutex);
	spin_init(&s->lock);
	if (atomic_compare_exchange_strong(&f->sigio, &none, s))
		return s;
	kfree(s);
	return none;
}

/* The thread or process that O names is still the one that it was. Each with a reference, or NULL. */
static struct thread *owner_thread(const struct sigio_owner *o)
{
	struct thread *t = thread_find(o->id);

	if (t && t->start_time != o->since) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

static struct process *owner_process(const struct sigio_owner *o)
{
	struct process *p = process_find(o->id);

	if (p && p->start_time != o->since) {
		process_put(p);
		p = NULL;
	}
	return p;
}

static bool may_signal(const struct sigio_owner *o, struct process *p)
{
	const struct cred *c;
	bool may;

	rcu_read_lock();
	c = rcu_dereference(p->cred);
	may = !o->euid || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid || o->uid == c->uid;
	rcu_read_unlock();
	return may;
}

static void send_process(const struct sigio_owner *o, struct process *p, int sig, const siginfo_t *info)
{
	/* The queue of real-time signals is full: the plain one says that some were lost. */
	if (may_signal(o, p) && signal_send_process(p, sig, info) == -EAGAIN)
		signal_send_process(p, SIGIO, NULL);
}

static void send_group(const struct sigio_owner *o, int sig, const siginfo_t *info)
{
	struct process *p;

	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		if (READ_ONCE(p->pgid) == o->id)
			send_process(o, p, sig, info);
	}
}

static void send_owner(const struct sigio_owner *o, int sig, const siginfo_t *info)
{
	struct process *p;
	struct thread *t;

	if (!o->id)
		return;
	switch (o->type) {
	case F_OWNER_TID:
		t = owner_thread(o);
		if (t && may_signal(o, t->proc) && signal_send_thread(t, sig, info) == -EAGAIN)
			signal_send_thread(t, SIGIO, NULL);
		if (t)
			thread_put(t);
		break;
	case F_OWNER_PID:
		p = owner_process(o);
		if (p) {
			send_process(o, p, sig, info);
			process_put(p);
		}
		break;
	default:
		send_group(o, sig, info);
	}
}

/* What siginfo says of poll bits: si_code, and si_band as poll(2) would show it. */
static int reason_of(const struct file *f, u32 events, u32 *band)
{
	static const struct {
		u32 bits, band;
		int code;
	} reasons[] = {
		{EPOLLMSG, EPOLLIN | EPOLLRDNORM | EPOLLMSG, POLL_MSG},
		{EPOLLIN, EPOLLIN | EPOLLRDNORM, POLL_IN},
		{EPOLLOUT, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND, POLL_OUT},
		{EPOLLPRI, EPOLLPRI | EPOLLRDBAND, POLL_PRI},
		{EPOLLHUP, EPOLLHUP | EPOLLERR, POLL_HUP},
		{EPOLLERR, EPOLLERR, POLL_ERR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (events & reasons[i].bits) {
			*band = reasons[i].band;
			return reasons[i].code;
		}
	}
	/* Something, such as the other end's going. */
	*band = file_readable(f) ? EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return file_readable(f) ? POLL_IN : POLL_OUT;
}

/* Signals whose own codes would be mistaken for this one. */
#define SPECIFIC_CODES                                                                          \
	(1ull << SIGILL | 1ull << SIGFPE | 1ull << SIGSEGV | 1ull << SIGBUS | 1ull << SIGTRAP | \
	 1ull << SIGCHLD | 1ull << SIGSYS)

void sigio_send(struct file *f, int fd, u32 events)
{
	struct sigio *s = atomic_load_explicit(&f->sigio, memory_order_acquire);
	struct sigio_owner owner;
	siginfo_t info = {0};
	u32 band;
	int sig;
	u64 irq;

	if (!s)
		return;
	irq = spin_lock_irqsave(&s->lock);
	owner = s->owner;
	sig = s->signal;
	spin_unlock_irqrestore(&s->lock, irq);
	info.si_signo = sig;
	info.si_code = reason_of(f, events, &band);
	info.si_band = band;
	info.si_fd = fd;
	if (sig <= SIGSYS && (SPECIFIC_CODES >> sig & 1))
		info.si_code = SI_SIGIO;
	send_owner(&owner, sig ? sig : SIGIO, sig ? &info : NULL);
}

static bool sigio_wake(struct wait_entry *w, u32 events)
{
	struct sigio *s = container_of(w, struct sigio_entry, wait)->sigio;
	struct sigio_owner owner;
	u64 irq;

	if ((events & EPOLLRDBAND) && (s->file->ops->async & FILE_ASYNC_URGENT)) {
		irq = spin_lock_irqsave(&s->lock);
		owner = s->owner;
		spin_unlock_irqrestore(&s->lock, irq);
		send_owner(&owner, SIGURG, NULL);
	}
	if (READ_ONCE(s->on))
		sigio_send(s->file, READ_ONCE(s->fd), events);
	return false;
}

struct attach_table {
	struct poll_table table;
	struct sigio *sigio;
	int err;
};

static void sigio_queue(struct poll_table *pt, struct file *f __maybe_unused, struct waitq *q)
{
	struct attach_table *a = container_of(pt, struct attach_table, table);
	struct sigio *s = a->sigio;
	struct sigio_entry *e;

	if (s->nqueues == MAX_QUEUES) {
		a->err = -ENOSPC;
		return;
	}
	e = &s->entries[s->nqueues++];
	e->queue = q;
	e->sigio = s;
	wait_entry_init_fn(&e->wait, sigio_wake, e, false);
	waitq_add(q, &e->wait);
}

static void detach(struct sigio *s)
{
	while (s->nqueues) {
		s->nqueues--;
		waitq_remove(s->entries[s->nqueues].queue, &s->entries[s->nqueues].wait);
	}
}

static int attach(struct sigio *s)
{
	struct attach_table a = {.table = {.queue = sigio_queue, .want = ~0u}, .sigio = s};

	mutex_lock(&s->mutex);
	if (!s->attached && s->file->ops->poll) {
		s->file->ops->poll(s->file, &a.table);
		if (a.err)
			detach(s);
		else
			s->attached = true;
	}
	mutex_unlock(&s->mutex);
	return a.err;
}

int sigio_enable(struct file *f, int fd, bool on)
{
	struct sigio *s = sigio_of(f);
	int err;
	u64 irq;

	if (!s)
		return -ENOMEM;
	err = on ? attach(s) : 0;
	if (err)
		return err;
	irq = spin_lock_irqsave(&s->lock);
	s->fd = fd;
	s->on = on;
	spin_unlock_irqrestore(&s->lock, irq);
	return 0;
}

void sigio_released(struct file *f)
{
	struct sigio *s = f->sigio;

	if (!s)
		return;
	detach(s);
	if (s->dnotify)
		dnotify_end(s->dnotify);
	kfree(s);
}

struct dnotify **sigio_lock_dnotify(struct file *f)
{
	struct sigio *s = sigio_of(f);

	if (!s)
		return NULL;
	mutex_lock(&s->mutex);
	return &s->dnotify;
}

void sigio_unlock_dnotify(struct file *f)
{
	mutex_unlock(&sigio_of(f)->mutex);
}

/* A group exists while a process is in it, or has its number. */
static bool group_exists(u32 pgid)
{
	struct process *p;
	bool found = false;

	for (u32 pid = 1; !found && (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		found = READ_ONCE(p->pgid) == pgid || p->pid == pgid;
	}
	return found;
}

/* Complete O, whose type and id are set. -ESRCH when there is no such thing. */
static int owner_resolve(struct sigio_owner *o)
{
	struct process *p;
	struct thread *t;

	o->uid = current_cred()->uid;
	o->euid = current_cred()->euid;
	if (!o->id)
		return 0;
	switch (o->type) {
	case F_OWNER_TID:
		t = thread_find(o->id);
		if (!t)
			return -ESRCH;
		o->since = t->start_time;
		thread_put(t);
		return 0;
	case F_OWNER_PID:
		p = process_find(o->id);
		if (!p)
			return -ESRCH;
		o->since = p->start_time;
		process_put(p);
		return 0;
	default:
		return group_exists(o->id) ? 0 : -ESRCH;
	}
}

int sigio_set_owner(struct file *f, int type, u32 id)
{
	struct sigio_owner o = {.type = type, .id = id};
	struct sigio *s = sigio_of(f);
	int err = s ? owner_resolve(&o) : -ENOMEM;
	u64 irq;

	if (!err && (f->ops->async & FILE_ASYNC_URGENT))
		err = attach(s);
	if (err)
		return err;
	irq = spin_lock_irqsave(&s->lock);
	s->owner = o;
	spin_unlock_irqrestore(&s->lock, irq);
	return 0;
}

u32 sigio_owner(struct file *f, int *type)
{
	struct sigio *s = atomic_load_explicit(&f->sigio, memory_order_acquire);
	struct sigio_owner o = {.type = F_OWNER_TID};
	struct process *p = NULL;
	struct thread *t = NULL;
	u64 irq;

	if (s) {
		irq = spin_lock_irqsave(&s->lock);
		o = s->owner;
		spin_unlock_irqrestore(&s->lock, irq);
	}
	*type = o.type;
	if (!o.id || o.type == F_OWNER_PGRP)
		return o.id;
	if (o.type == F_OWNER_TID ? !(t = owner_thread(&o)) : !(p = owner_process(&o)))
		return 0;
	if (t)
		thread_put(t);
	else
		process_put(p);
	return o.id;
}

int sigio_set_signal(struct file *f, u64 sig)
{
	struct sigio *s = sig <= 64 ? sigio_of(f) : NULL;

	if (!s)
		return sig <= 64 ? -ENOMEM : -EINVAL;
	WRITE_ONCE(s->signal, (int)sig);
	return 0;
}

int sigio_signal(struct file *f)
{
	struct sigio *s = atomic_load_explicit(&f->sigio, memory_order_acquire);

	return s ? READ_ONCE(s->signal) : 0;
}
