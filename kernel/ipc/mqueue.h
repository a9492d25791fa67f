/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues. mqueue_open.c: names, files and attributes; mqueue.c: messages and notification. */
#pragma once

#include "ipc.h"
#include "fs/file.h"
#include "kernel/mutex.h"
#include "kernel/process.h"

#define MQ_NAME_SIZE	  256
#define NOTIFY_COOKIE_LEN 32 /* the last byte tells what happened */
#define NOTIFY_WOKENUP	  1
#define NOTIFY_REMOVED	  2

struct mq_message {
	struct list_head node;
	unsigned priority;
	size_t size;
	u8 text[];
};

struct mq {
	struct refcount ref;   /* the name's, and each file's */
	struct list_head node; /* on queues while it has a name; guarded by names_lock */
	char name[MQ_NAME_SIZE];
	u32 mode, uid, gid;
	long max_messages, max_size;
	struct mutex lock; /* guards all below */
	struct list_head messages;
	long count; /* also read without the lock */
	size_t bytes;
	u32 receivers;		  /* asleep: a message for one of them does not notify */
	struct process *notify;	  /* registered with mq_notify; reference held */
	struct file *notify_file; /* the descriptor it was done through; only compared */
	int notify_how, notify_signal;
	struct file *notify_socket; /* SIGEV_THREAD: netlink socket that gets the cookie; reference held */
	u8 notify_cookie[NOTIFY_COOKIE_LEN];
	union sigval notify_value;
	struct waitq send_wait, receive_wait;
};

extern const struct file_ops mq_fops;
void mq_message_free(struct mq_message *m);
void mq_put(struct mq *q);
/* Give DATA to the reader of netlink socket F: net/. 0, -ENOTSOCK, -EINVAL (no netlink socket), -ENOMEM. N 0:
 * only look. */
int netlink_post(struct file *f, const void *data, size_t n);
/* Forget who asked for notification; a thread that waits for it is told. With the lock held. */
void mq_notify_drop(struct mq *q);
