// SPDX-License-Identifier: BSD-2-Clause
/* System V message queues: msgget, msgsnd, msgrcv, msgctl.
 *
 * Sleepers wait for the queue's change counter to move and then look again, with the queue's lock. */
#include "sysv.h"
#include "base/format.h"
#include "kernel/syscall.h"
#include <linux/capability.h>
#include <linux/msg.h>

#define QUEUES_MAX MSGMNI

struct message {
	struct list_head node;
	long type;
	size_t size;
	u8 text[];
};

struct msg_queue {
	struct sysv_object object;
	struct mutex lock; /* guards all below and the object's fields */
	struct list_head messages;
	u64 bytes, count, max_bytes;
	u64 stime, rtime, ctime; /* seconds */
	u32 last_sender, last_receiver;
	u32 changes;	    /* also read without the lock */
	struct waitq waitq; /* everybody: a change may suit senders or receivers */
};

static SYSV_TABLE(queues, QUEUES_MAX);

static struct msg_queue *queue_of(struct sysv_object *o)
{
	return container_of(o, struct msg_queue, object);
}

static void queue_put(struct msg_queue *q)
{
	struct message *m, *next;

	if (!refcount_put(&q->object.ref))
		return;
	list_for_each_entry_safe (m, next, &q->messages, node)
		kfree(m);
	kfree(q);
}

/* With the lock held. */
static void queue_changed(struct msg_queue *q)
{
	WRITE_ONCE(q->changes, q->changes + 1);
	waitq_wake_all(&q->waitq);
}

/* With the lock held, dropped meanwhile: sleep until something changed. 0, -EIDRM, -ERESTARTNOHAND. */
static int queue_wait(struct msg_queue *q)
{
	u32 seen = q->changes;
	int err;

	mutex_unlock(&q->lock);
	err = wait_event_interruptible(&q->waitq, READ_ONCE(q->changes) != seen);
	mutex_lock(&q->lock);
	if (q->object.removed)
		return -EIDRM;
	return err ? -ERESTARTNOHAND : 0;
}

SYSCALL_DEFINE2(msgget, int, key, int, flags)
{
	struct sysv_object *o;
	struct msg_queue *q;
	long ret;

	mutex_lock(&queues.lock);
	o = sysv_open(&queues, key, flags);
	if (o) {
		ret = IS_ERR(o) ? PTR_ERR(o) : o->id;
		goto out;
	}
	q = kzalloc(sizeof *q);
	ret = -ENOMEM;
	if (!q)
		goto out;
	mutex_init(&q->lock);
	list_init(&q->messages);
	waitq_init(&q->waitq);
	q->max_bytes = MSGMNB;
	q->ctime = seconds_now();
	ret = sysv_insert(&queues, &q->object, key, (u32)flags);
	if (ret)
		kfree(q);
	else
		ret = q->object.id;
out:
	mutex_unlock(&queues.lock);
	if (o && !IS_ERR(o))
		queue_put(queue_of(o));
	return ret;
}

static long send_locked(struct msg_queue *q, struct message *m, int flags)
{
	for (;;) {
		long err = q->object.removed ? -EIDRM : sysv_permission(&q->object, 2);

		if (err)
			return err;
		if (q->bytes + m->size <= q->max_bytes && q->count < q->max_bytes)
			break;
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		err = queue_wait(q);
		if (err)
			return err;
	}
	list_add_tail(&m->node, &q->messages);
	q->bytes += m->size;
	q->count++;
	q->stime = seconds_now();
	q->last_sender = current_process()->pid;
	queue_changed(q);
	return 0;
}

SYSCALL_DEFINE4(msgsnd, int, id, const struct msgbuf __app *, msg, size_t, size, int, flags)
{
	struct sysv_object *o;
	struct message *m;
	long type, ret;

	if (get_app(type, &msg->mtype))
		return -EFAULT;
	if (size > MSGMAX || id < 0 || type < 1)
		return -EINVAL;
	m = kmalloc(sizeof *m + size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	ret = copy_from_app(m->text, msg->mtext, size);
	if (ret)
		goto free;
	o = sysv_get(&queues, id);
	ret = -EINVAL;
	if (!o)
		goto free;
	mutex_lock(&queue_of(o)->lock);
	ret = send_locked(queue_of(o), m, flags);
	mutex_unlock(&queue_of(o)->lock);
	queue_put(queue_of(o));
	if (!ret)
		return 0;
free:
	kfree(m);
	return ret;
}

/* The message that a receiver of TYPE gets; NULL: none yet. */
static struct message *message_find(struct msg_queue *q, long type, int flags)
{
	struct message *m, *best = NULL;
	long index = 0;

	list_for_each_entry (m, &q->messages, node) {
		if (flags & MSG_COPY) {
			if (index++ == type)
				return m;
		} else if (!type || (type > 0 && (m->type == type) != !!(flags & MSG_EXCEPT))) {
			return m;
		} else if (type < 0 && m->type <= -type && (!best || m->type < best->type)) {
			best = m;
		}
	}
	return best;
}

/* *OUT is off the queue, or with MSG_COPY a copy of what stays there. */
static long receive_locked(struct msg_queue *q, size_t size, long type, int flags, struct message **out)
{
	struct message *m;

	for (;;) {
		long err = q->object.removed ? -EIDRM : sysv_permission(&q->object, 4);

		if (err)
			return err;
		m = message_find(q, type, flags);
		if (m)
			break;
		if (flags & IPC_NOWAIT)
			return -ENOMSG;
		err = queue_wait(q);
		if (err)
			return err;
	}
	if (m->size > size && !(flags & MSG_NOERROR))
		return -E2BIG;
	if (flags & MSG_COPY) {
		*out = kmalloc(sizeof *m + m->size);
		if (!*out)
			return -ENOMEM;
		memcpy(*out, m, sizeof *m + m->size);
		return 0;
	}
	list_del(&m->node);
	q->bytes -= m->size;
	q->count--;
	q->rtime = seconds_now();
	q->last_receiver = current_process()->pid;
	queue_changed(q);
	*out = m;
	return 0;
}

SYSCALL_DEFINE5(msgrcv, int, id, struct msgbuf __app *, msg, size_t, size, long, type, int, flags)
{
	struct message *m = NULL;
	struct sysv_object *o;
	long ret;

	if (id < 0 || (ssize_t)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	o = sysv_get(&queues, id);
	if (!o)
		return -EINVAL;
	mutex_lock(&queue_of(o)->lock);
	ret = receive_locked(queue_of(o), size, type == (long)(1ul << 63) ? type + 1 : type, flags, &m);
	mutex_unlock(&queue_of(o)->lock);
	queue_put(queue_of(o));
	if (ret)
		return ret;
	ret = (long)min(size, m->size);
	if (put_app(m->type, &msg->mtype) || copy_to_app(msg->mtext, m->text, (size_t)ret))
		ret = -EFAULT;
	kfree(m);
	return ret;
}

static long queue_stat(struct msg_queue *q, int cmd, struct msqid64_ds __app *out)
{
	struct msqid64_ds ds = {0};
	long err;

	mutex_lock(&q->lock);
	err = cmd == MSG_STAT_ANY ? 0 : sysv_permission(&q->object, 4);
	ds.msg_perm = sysv_perm(&q->object);
	ds.msg_stime = (long)q->stime;
	ds.msg_rtime = (long)q->rtime;
	ds.msg_ctime = (long)q->ctime;
	ds.msg_cbytes = q->bytes;
	ds.msg_qnum = q->count;
	ds.msg_qbytes = q->max_bytes;
	ds.msg_lspid = (int)q->last_sender;
	ds.msg_lrpid = (int)q->last_receiver;
	mutex_unlock(&q->lock);
	if (!err)
		err = copy_to_app(out, &ds, sizeof ds);
	return err || cmd == IPC_STAT ? err : q->object.id;
}

static long queue_set(struct msg_queue *q, const struct msqid64_ds __app *in)
{
	struct msqid64_ds ds;
	long err;

	if (copy_from_app(&ds, in, sizeof ds))
		return -EFAULT;
	mutex_lock(&q->lock);
	err = q->object.removed ? -EIDRM : sysv_owner(&q->object);
	if (!err && ds.msg_qbytes > MSGMNB && !process_capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (!err) {
		sysv_set_perm(&q->object, &ds.msg_perm);
		q->max_bytes = ds.msg_qbytes;
		q->ctime = seconds_now();
		queue_changed(q);
	}
	mutex_unlock(&q->lock);
	return err;
}

static long queue_rmid(struct msg_queue *q)
{
	bool removed = false;
	long err;

	mutex_lock(&q->lock);
	err = sysv_owner(&q->object);
	if (!err && !q->object.removed) {
		removed = q->object.removed = true;
		mutex_lock(&queues.lock);
		sysv_remove(&queues, &q->object);
		mutex_unlock(&queues.lock);
		queue_changed(q);
	}
	mutex_unlock(&q->lock);
	if (removed)
		queue_put(q);
	return err;
}

static long msg_limits(int cmd, void __app *out)
{
	struct msginfo info = {
		.msgpool = QUEUES_MAX * (MSGMNB >> 10),
		.msgmap = MSGMNB,
		.msgmax = MSGMAX,
		.msgmnb = MSGMNB,
		.msgmni = QUEUES_MAX,
		.msgssz = 16,
		.msgtql = MSGMNB,
		.msgseg = 0xffff,
	};
	int highest = sysv_highest_index(&queues);

	if (cmd == MSG_INFO) {
		struct sysv_object *o;
		unsigned index = 0;

		info.msgpool = info.msgmap = info.msgtql = 0;
		while ((o = sysv_next(&queues, &index))) {
			info.msgpool++;
			info.msgmap += (int)queue_of(o)->count;
			info.msgtql += (int)queue_of(o)->bytes;
			queue_put(queue_of(o));
		}
	}
	return copy_to_app(out, &info, sizeof info) ? -EFAULT : max(highest, 0);
}

SYSCALL_DEFINE3(msgctl, int, id, int, cmd, void __app *, arg)
{
	struct sysv_object *o;
	long ret;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	if (cmd == IPC_INFO || cmd == MSG_INFO)
		return msg_limits(cmd, arg);
	o = cmd == MSG_STAT || cmd == MSG_STAT_ANY ? sysv_get_index(&queues, id) : sysv_get(&queues, id);
	if (!o)
		return -EINVAL;
	switch (cmd) {
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		ret = queue_stat(queue_of(o), cmd, arg);
		break;
	case IPC_SET:
		ret = queue_set(queue_of(o), arg);
		break;
	case IPC_RMID:
		ret = queue_rmid(queue_of(o));
		break;
	default:
		ret = -EINVAL;
	}
	queue_put(queue_of(o));
	return ret;
}

size_t sysv_msg_text(char *buf, size_t size)
{
	struct sysv_object *o;
	unsigned index = 0;
	size_t n = (size_t)snprintf(
		buf, size,
		"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      "
		"stime      rtime      ctime\n");

	while ((o = sysv_next(&queues, &index))) {
		struct msg_queue *q = queue_of(o);

		n += (size_t)snprintf(
			n < size ? buf + n : NULL, n < size ? size - n : 0,
			"%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n",
			o->key, o->id, o->mode, (unsigned long long)q->bytes, (unsigned long long)q->count,
			q->last_sender, q->last_receiver, o->uid, o->gid, o->cuid, o->cgid,
			(unsigned long long)q->stime, (unsigned long long)q->rtime,
			(unsigned long long)q->ctime);
		queue_put(q);
	}
	return n;
}
