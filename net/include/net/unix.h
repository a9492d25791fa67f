/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX sockets (unix(7)). Theory statement: net/unix/unix_socket.c. */
#pragma once

#include "fs/vfs.h"
#include "kernel/cred.h"
#include "kernel/mutex.h"
#include "net/hlist.h"
#include "net/socket.h"
#include <linux/un.h>

struct unix_name { /* shared by a listener and the sockets it accepts; immutable */
	struct refcount ref;
	int len; /* of the whole sockaddr_un */
	struct sockaddr_un addr;
};

/* One write or datagram on its way. Charged to its sender's send buffer. */
struct unix_buf {
	struct list_head node;
	struct unix_sock *sender; /* reference: the one charged */
	struct unix_name *from;	  /* datagrams: the sender's name, may be NULL */
	struct file **files;	  /* SCM_RIGHTS */
	unsigned nfiles;
	struct ucred cred;
	u32 off, len; /* bytes left: [off, len) of data */
	u32 charge;
	u8 data[];
};

enum unix_state { UNIX_CLOSED, UNIX_LISTEN, UNIX_CONNECTED };

struct unix_cred { /* of who called connect(), listen() or socketpair() */
	struct ucred id;
	struct group_list *groups; /* a reference; NULL: none */
};

struct unix_sock {
	struct socket s;
	struct spinlock lock; /* guards all below but as noted. Two: lower address first */
	u8 state;	      /* enum unix_state */
	bool dead;
	bool in_gc;		/* gc_lock */
	struct unix_sock *peer; /* reference */
	struct unix_name *name; /* set once */
	struct list_head rx;	/* unix_buf */
	struct unix_buf *oob;	/* on rx: the last byte sent with MSG_OOB, until it is read */
	u32 rx_count;
	u64 rx_bytes;
	struct mutex read_lock;	       /* one reader of a stream at a time */
	struct list_head accept_queue; /* unix_sock.accept_node */
	struct list_head accept_node;
	u32 accept_count, backlog;
	struct unix_sock *listener;	/* until accepted; no reference, guarded by its lock */
	struct waitq peer_wait;		/* senders that wait for room here */
	struct wait_entry peer_wake;	/* on the peer's peer_wait: tells our pollers */
	struct unix_sock *peer_wake_on; /* reference to whose peer_wait that is */
	struct unix_cred cred;		/* of listen(): what the other side sees. These two: lock */
	struct unix_cred peer_cred;	/* SO_PEERCRED, SO_PEERGROUPS */
	struct hnode hash;		/* abstract names; guarded by the name table's lock */
	struct path path;		/* bound in the file system */
	struct list_head all_node;	/* every socket, for /proc/net/unix; guarded by the table's lock */
	struct list_head gc_node;	/* in flight; gc_lock */
	u32 inflight;			/* gc_lock */
	int gc_count;			/* gc_lock */
	u8 gc_state;
};

static inline struct unix_sock *unix_sk(struct socket *s)
{
	return container_of(s, struct unix_sock, s);
}

static inline bool unix_is_connection(const struct unix_sock *u)
{
	return u->s.type != SOCK_DGRAM;
}

/* unix_name.c */
int unix_bind(struct socket *s, const struct sockaddr *addr, int len);
int unix_autobind(struct unix_sock *u);
int unix_getname(struct socket *s, struct sockaddr *addr, bool peer);
/* The socket bound to ADDR, with a reference. ERR_PTR(-ECONNREFUSED, -ENOENT, -EPROTOTYPE, -EINVAL ...). */
struct unix_sock *unix_find(const struct sockaddr *addr, int len, int type);
void unix_unbind(struct unix_sock *u);
void unix_name_put(struct unix_name *n);
void unix_list_add(struct unix_sock *u);
void unix_list_del(struct unix_sock *u);
void unix_for_each(bool (*fn)(struct unix_sock *, void *), void *arg); /* under the table's lock */

/* unix_connect.c */
int unix_connect(struct socket *s, const struct sockaddr *addr, int len, bool nonblock);
int unix_listen(struct socket *s, int backlog);
struct socket *unix_accept(struct socket *s, bool nonblock);
int unix_pair(struct socket *a, struct socket *b);
int unix_shutdown(struct socket *s, int how);
/* The peer with a reference, or NULL. */
struct unix_sock *unix_peer_get(struct unix_sock *u);
void unix_peer_wake_cancel(struct unix_sock *u);

/* unix_message.c */
ssize_t unix_stream_send(struct socket *s, struct net_msg *m);
ssize_t unix_stream_recv(struct socket *s, struct net_msg *m);
ssize_t unix_dgram_send(struct socket *s, struct net_msg *m);
ssize_t unix_dgram_recv(struct socket *s, struct net_msg *m);
bool unix_writable(struct unix_sock *u);
bool unix_queue_full(struct unix_sock *u);
/* A buffer for N bytes, charged to U; waits for room as FLAGS say. ERR_PTR. */
struct unix_buf *unix_buf_alloc(struct unix_sock *u, size_t n, u32 flags);
void unix_buf_free(struct unix_buf *b);

/* unix_socket.c */
struct unix_sock *unix_sock_new(struct net_stack *net, int type);
void unix_purge(struct unix_sock *u); /* throw away what was not read */
static inline void unix_get(struct unix_sock *u)
{
	socket_get(&u->s);
}
static inline void unix_put(struct unix_sock *u)
{
	socket_put(&u->s);
}
void unix_lock_two(struct unix_sock *a, struct unix_sock *b);
void unix_unlock_two(struct unix_sock *a, struct unix_sock *b);

/* unix_gc.c: descriptors in flight. */
int unix_files_sent(struct file **files, unsigned n,
		    const struct ucred *cred);		   /* before queueing. -ETOOMANYREFS */
void unix_files_received(struct file **files, unsigned n); /* after dequeueing */
void unix_gc(void);
void unix_drop_files(struct file **files, unsigned n); /* put and free the array, without recursion */
