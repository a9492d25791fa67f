/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors in flight. A socket whose file is referred to only by queued messages can no longer be received
 * from by any process unless some reachable queue holds it; a cycle of such sockets would live for ever.
 *
 * Counting: inflight is how many queued messages hold the socket's file; it is raised before a message is
 * queued and lowered after it is taken off. Collection (gc_lock held throughout the marking): candidates are
 * the sockets with as many file references as inflight ones; each reference found in a candidate's queues is
 * subtracted; what is left above zero comes from outside, so such a candidate is alive, and so is what its
 * queues hold. The others' queues are emptied. gc_lock goes before unix_sock.lock. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/process.h"
#include "net/sockfile.h"
#include "net/unix.h"
#include <linux/capability.h>

static DEFINE_COUNTER(unix_gc_runs, "searches for unreachable cycles of sockets in flight");
static DEFINE_COUNTER(unix_gc_collected, "sockets in flight found unreachable");

static struct spinlock gc_lock = SPINLOCK_INIT;
static LIST_HEAD(in_flight); /* unix_sock.gc_node */
static u32 total_in_flight;  /* files of any kind */
static DEFINE_MUTEX(drop_lock);
static struct spinlock dropped_lock = SPINLOCK_INIT;

struct dropped {
	struct dropped *next;
	struct file **files;
	unsigned n;
};
static struct dropped *dropped;

enum { GC_NONE, GC_CANDIDATE, GC_ALIVE };

static struct unix_sock *unix_of(struct file *f)
{
	struct socket *s = file_socket(f);

	return s && s->family == AF_UNIX ? unix_sk(s) : NULL;
}

int unix_files_sent(struct file **files, unsigned n, const struct ucred *cred)
{
	int err = 0;

	spin_lock(&gc_lock);
	if (total_in_flight + n > process_rlimit(RLIMIT_NOFILE) && !process_capable(CAP_SYS_RESOURCE) &&
	    !process_capable(CAP_SYS_ADMIN)) {
		err = -ETOOMANYREFS;
	} else {
		total_in_flight += n;
		for (unsigned i = 0; i < n; i++) {
			struct unix_sock *u = unix_of(files[i]);

			if (u && u->inflight++ == 0)
				list_add_tail(&u->gc_node, &in_flight);
		}
	}
	spin_unlock(&gc_lock);
	return err;
}

void unix_files_received(struct file **files, unsigned n)
{
	spin_lock(&gc_lock);
	total_in_flight -= n;
	for (unsigned i = 0; i < n; i++) {
		struct unix_sock *u = unix_of(files[i]);

		if (u && --u->inflight == 0)
			list_del_init(&u->gc_node);
	}
	spin_unlock(&gc_lock);
}

/* Putting a file may close a socket whose queue holds files, and so on: the outermost call does them one
 * after another. */
void unix_drop_files(struct file **files, unsigned n)
{
	struct dropped first = {.files = files, .n = n}, *d = &first;

	if (mutex_held(&drop_lock)) {
		d = kmalloc(sizeof(*d));
		if (d) {
			d->files = files;
			d->n = n;
			spin_lock(&dropped_lock);
			d->next = dropped;
			dropped = d;
			spin_unlock(&dropped_lock);
			return;
		}
		for (unsigned i = 0; i < n; i++) /* no memory: recurse */
			file_put(files[i]);
		kfree(files);
		return;
	}
	mutex_lock(&drop_lock);
	do {
		for (unsigned i = 0; i < d->n; i++)
			file_put(d->files[i]);
		kfree(d->files);
		if (d != &first)
			kfree(d);
		spin_lock(&dropped_lock);
		d = dropped;
		if (d)
			dropped = d->next;
		spin_unlock(&dropped_lock);
	} while (d);
	mutex_unlock(&drop_lock);
}

/* Call FN for each in-flight socket that U's queues hold. */
static void scan_queue(struct unix_sock *u, void (*fn)(struct unix_sock *, struct list_head *),
		       struct list_head *arg)
{
	struct unix_buf *b;

	list_for_each_entry (b, &u->rx, node)
		for (unsigned i = 0; i < b->nfiles; i++) {
			struct unix_sock *t = unix_of(b->files[i]);

			if (t && t->gc_state == GC_CANDIDATE)
				fn(t, arg);
		}
}

static void scan(struct unix_sock *u, void (*fn)(struct unix_sock *, struct list_head *),
		 struct list_head *arg)
{
	struct unix_sock *e;

	spin_lock(&u->lock);
	scan_queue(u, fn, arg);
	list_for_each_entry (e, &u->accept_queue, accept_node) {
		spin_lock(&e->lock); /* listener, then what it has not accepted: nobody locks them the other
					way round */
		scan_queue(e, fn, arg);
		spin_unlock(&e->lock);
	}
	spin_unlock(&u->lock);
}

static void subtract(struct unix_sock *u, struct list_head *arg)
{
	u->gc_count--;
}

static void revive(struct unix_sock *u, struct list_head *alive)
{
	u->gc_state = GC_ALIVE;
	list_move_tail(&u->gc_node, alive);
}

static void take_messages(struct unix_sock *u, struct list_head *out)
{
	struct unix_buf *b, *next;

	list_for_each_entry_safe (b, next, &u->rx, node) {
		if (!b->nfiles)
			continue;
		list_move_tail(&b->node, out);
		WRITE_ONCE(u->rx_count, u->rx_count - 1);
		u->rx_bytes -= b->len - b->off;
	}
}

void unix_gc(void)
{
	struct list_head candidates = LIST_HEAD_INIT(candidates), alive = LIST_HEAD_INIT(alive);
	struct list_head garbage = LIST_HEAD_INIT(garbage);
	struct unix_sock *u, *next;

	if (list_empty(&in_flight))
		return;
	counter_inc(&unix_gc_runs);
	spin_lock(&gc_lock);
	list_for_each_entry_safe (u, next, &in_flight, gc_node) {
		struct file *f = READ_ONCE(u->s.file);

		u->gc_state = GC_NONE;
		if (f && refcount_read(&f->ref) == u->inflight) {
			u->gc_state = GC_CANDIDATE;
			u->gc_count = (int)u->inflight;
			list_move_tail(&u->gc_node, &candidates);
		}
	}
	list_for_each_entry (u, &candidates, gc_node)
		scan(u, subtract, NULL);
	list_for_each_entry_safe (u, next, &candidates, gc_node)
		if (u->gc_count > 0)
			revive(u, &alive);
	list_for_each_entry (u, &alive, gc_node) /* the list grows as it is walked */
		scan(u, revive, &alive);
	list_for_each_entry (u, &candidates, gc_node) {
		struct unix_sock *e;

		counter_inc(&unix_gc_collected);
		spin_lock(&u->lock);
		take_messages(u, &garbage);
		list_for_each_entry (e, &u->accept_queue, accept_node) {
			spin_lock(&e->lock);
			take_messages(e, &garbage);
			spin_unlock(&e->lock);
		}
		spin_unlock(&u->lock);
	}
	list_splice_tail_init(&alive, &in_flight);
	list_splice_tail_init(&candidates, &in_flight);
	spin_unlock(&gc_lock);
	while (!list_empty(&garbage)) {
		struct unix_buf *b = list_first_entry(&garbage, struct unix_buf, node);

		list_del(&b->node);
		unix_buf_free(b);
	}
}
