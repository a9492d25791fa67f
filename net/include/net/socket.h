/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets without files: what the socket system calls drive and the protocols implement.
 *
 * A socket's life: socket_create() gives one reference, which socket_close() gives up; protocols hold more.
 * Protocol operations run in thread context with no lock held. The socket lock (socket_lock/unlock) is held
 * by one thread and may be kept across sleeps, such as copies from the application. Packets and timers do not
 * wait for it: they take only `slock`, and when a thread owns the socket they leave their work (the backlog,
 * deferred timer), which socket_unlock() does. So protocol state is touched under slock with `owned` false
 * (in a section), or by the owner. */
#pragma once

#include "base/iter.h"
#include "base/refcount.h"
#include "kernel/poll.h"
#include "kernel/rcu.h"
#include "net/abi.h"
#include "net/context.h"
#include "net/stack.h"

struct socket;
struct file;
struct vma;
struct error_queue;
struct socket_filter;
struct sock_filter;

/* One message on its way through sendmsg or recvmsg; all pointers are kernel memory, except what ITER covers.
 */
struct net_msg {
	struct iter *iter;
	void *name;  /* send: destination or NULL; recv: room of sizeof(struct __kernel_sockaddr_storage), or
			NULL */
	int namelen; /* recv: out */
	u32 scope;   /* send: the interface that the destination names, or 0 */
	u32 flags;   /* MSG_*; MSG_DONTWAIT set for O_NONBLOCK */
	u32 out_flags;	     /* recv: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_EOR, MSG_ERRQUEUE */
	const void *control; /* send */
	size_t controllen;
	u8 *cbuf; /* recv: control messages are built here */
	size_t cbuf_size, cbuf_len;
	bool want_control;   /* recv: the caller gave a control buffer */
	struct file **files; /* SCM_RIGHTS: passed to or received from AF_UNIX; references are moved */
	unsigned nfiles;
	struct ucred cred; /* AF_UNIX send: SCM_CREDENTIALS or the sender's own */
};

/* Append a control message to a receiver's buffer; sets MSG_CTRUNC when it does not fit. */
void msg_put_cmsg(struct net_msg *m, int level, int type, const void *data, size_t len);
/* The next control message of a sender: *POS starts at 0; NULL at the end; ERR_PTR(-EINVAL) when malformed.
 */
const struct cmsghdr *msg_next_cmsg(const struct net_msg *m, size_t *pos);

struct socket_ops {
	int (*bind)(struct socket *, const struct sockaddr *addr, int len);
	int (*connect)(struct socket *, const struct sockaddr *addr, int len, bool nonblock);
	int (*listen)(struct socket *, int backlog);
	struct socket *(*accept)(struct socket *, bool nonblock); /* a new reference; ERR_PTR */
	/* Fill ADDR (room for sockaddr_storage); returns its length or -errno. */
	int (*getname)(struct socket *, struct sockaddr *addr, bool peer);
	ssize_t (*sendmsg)(struct socket *, struct net_msg *);
	ssize_t (*recvmsg)(struct socket *, struct net_msg *);
	int (*shutdown)(struct socket *, int how);
	int (*setsockopt)(struct socket *, int level, int opt, const void *val, int len);
	/* VAL has room for *LEN bytes; sets *LEN. */
	int (*getsockopt)(struct socket *, int level, int opt, void *val, int *len);
	u32 (*poll)(struct socket *); /* EPOLL* bits now */
	/* Protocol ioctls with an int result (SIOCINQ, SIOCOUTQ, SIOCATMARK): -ENOTTY for others. */
	int (*ioctl)(struct socket *, unsigned cmd, int *val);
	int (*pair)(struct socket *, struct socket *);
	int (*mmap)(struct socket *, struct vma *); /* set vma->ops */
	void (*close)(struct socket *);		    /* the user's end is gone; may sleep (linger) */
	void (*free)(struct socket *);		    /* after the last reference and a grace period */
	/* Work left while a thread owned the socket; section, slock held. */
	void (*backlog)(struct socket *, struct packet *);
	void (*timer)(struct socket *);
	void (*wrote_space)(struct socket *); /* send buffer limits changed */
	void (*keepalive)(struct socket *);   /* SO_KEEPALIVE was set or cleared */
};

/* For ops->ioctl: is the socket listening? Not part of the ABI. */
#define SOCKET_IOC_LISTENING 0xc0ffee01u

enum socket_flag { /* socket.flags: SO_* booleans */
		   SOCKF_REUSEADDR = 1 << 0,
		   SOCKF_REUSEPORT = 1 << 1,
		   SOCKF_KEEPALIVE = 1 << 2,
		   SOCKF_BROADCAST = 1 << 3,
		   SOCKF_LINGER = 1 << 4,
		   SOCKF_OOBINLINE = 1 << 5,
		   SOCKF_PASSCRED = 1 << 6,
		   SOCKF_TIMESTAMP = 1 << 7,
		   SOCKF_TIMESTAMPNS = 1 << 8,
		   SOCKF_RCVBUF_SET = 1 << 9,
		   SOCKF_SNDBUF_SET = 1 << 10,
		   SOCKF_DONTROUTE = 1 << 11,
		   SOCKF_DEBUG = 1 << 12,
		   SOCKF_NO_CHECK = 1 << 13,
		   SOCKF_ZEROCOPY = 1 << 14,
		   SOCKF_RXQ_OVFL = 1 << 15,
		   SOCKF_TIMESTAMP_NEW = 1 << 16, /* 64-bit form: the same on x86-64 */
		   SOCKF_DEAD = 1 << 17,	  /* closed by its user */
		   SOCKF_NOSPACE = 1 << 18,	  /* a writer waits for room */
		   SOCKF_PASSSEC = 1 << 19,
		   SOCKF_PASSPIDFD = 1 << 20,
		   SOCKF_SELECT_ERR_QUEUE = 1 << 21,
		   SOCKF_FILTER_LOCKED = 1 << 22,
};

enum { RCV_SHUTDOWN = 1, SEND_SHUTDOWN = 2, SHUTDOWN_MASK_ = 3 };

struct socket {
	const struct socket_ops *ops;
	struct net_stack *net;
	struct refcount ref;
	u16 family;
	u8 type;     /* SOCK_* */
	u8 shutdown; /* RCV_SHUTDOWN | SEND_SHUTDOWN */
	u16 protocol;
	bool owned;	/* a thread holds the socket lock; guarded by slock */
	bool timer_due; /* the timer came while owned; guarded by slock */
	struct spinlock slock;
	_Atomic u32 flags; /* enum socket_flag */
	_Atomic int err;   /* SO_ERROR, positive */
	int soft_err;
	u32 lock_waiters;
	u32 backlog_len;	     /* bytes */
	struct packet *backlog_last; /* a ring: its next is the oldest; NULL when empty. Guarded by slock */
	struct waitq waitq;	     /* woken with EPOLL* bits */
	union {
		struct waitq lock_wait;
		struct rcu_head rcu; /* after the last reference */
	};
	u32 rcvbuf, sndbuf;
	_Atomic u32 rmem, wmem; /* bytes charged */
	u64 rcvtimeo, sndtimeo; /* ns; WAIT_FOREVER */
	u32 rcvlowat;
	u32 linger; /* seconds */
	u32 priority, mark, bound_if;
	u32 busy_poll;
	u64 pacing_rate;  /* SO_MAX_PACING_RATE: kept, and without effect */
	u64 id;		  /* inode number and cookie */
	u64 stamp;	  /* CLOCK_REALTIME of the last packet given to the user */
	s32 peek_off;	  /* SO_PEEK_OFF: where MSG_PEEK begins; -1: at the start. Readers race for it */
	s32 incoming_cpu; /* where the last packet came in, or as set; -1: not yet */
	u32 tsflags;	  /* SO_TIMESTAMPING: SOF_TIMESTAMPING_* */
	u32 tskey;	  /* the next send's number (SOF_TIMESTAMPING_OPT_ID) */
	struct socket_filter *filter, *reuse_filter; /* RCU; net/core/filter.c */
	struct file *file; /* the open file, no reference; NULL when there is none */
	struct error_queue *errq;
};

static inline bool socket_flag(const struct socket *s, u32 f)
{
	return atomic_load_explicit(&((struct socket *)s)->flags, memory_order_relaxed) & f;
}
static inline void socket_set_flag(struct socket *s, u32 f, bool on)
{
	if (on)
		atomic_fetch_or_explicit(&s->flags, f, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&s->flags, ~f, memory_order_relaxed);
}

/* A new file-free socket of NET: -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM, -ENOMEM as
 * ERR_PTR. */
struct socket *socket_create(struct net_stack *net, int family, int type, int protocol);
void socket_close(struct socket *s); /* gives up the creator's reference. Thread context */
/* For protocols: fill a zeroed socket with defaults; one reference. */
void socket_init(struct socket *s, struct net_stack *net, const struct socket_ops *ops, int family, int type,
		 int protocol);
static inline void socket_get(struct socket *s)
{
	refcount_get(&s->ref);
}
void socket_put(struct socket *s);

void socket_lock(struct socket *s);   /* thread context; may sleep */
void socket_unlock(struct socket *s); /* does what came meanwhile */
/* From a section: true with slock held and nobody owning; false when a thread owns the socket (slock held
 * too). */
static inline bool socket_lock_section(struct socket *s)
{
	net_lock(&s->slock);
	return !s->owned;
}
static inline void socket_unlock_section(struct socket *s)
{
	net_unlock(&s->slock);
}
/* Leave P for the owner; false (P freed) when too much waits. slock held. */
bool socket_add_backlog(struct socket *s, struct packet *p);

/* Wake who waits for EVENTS (EPOLL* bits). Any context. */
void socket_wake(struct socket *s, u32 events);
void socket_set_error(struct socket *s, int err); /* positive errno; wakes */
/* Fetch and clear the pending error: 0 or -errno. */
static inline int socket_error(struct socket *s)
{
	if (likely(!atomic_load_explicit(&s->err, memory_order_relaxed)))
		return 0;
	return -atomic_exchange_explicit(&s->err, 0, memory_order_acq_rel);
}
/* Deadline of a blocking operation: now when NONBLOCK. */
u64 socket_deadline(u64 timeout, bool nonblock);
static inline u64 socket_rcv_deadline(struct socket *s, u32 flags)
{
	return socket_deadline(s->rcvtimeo, flags & MSG_DONTWAIT);
}
static inline u64 socket_snd_deadline(struct socket *s, u32 flags)
{
	return socket_deadline(s->sndtimeo, flags & MSG_DONTWAIT);
}
/* Turn the result of a timed wait into the call's: a signal with a timeout set is not restartable
 * (socket(7)). */
static inline int socket_wait_result(int r, u64 deadline)
{
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	return r == -ERESTARTSYS && deadline != WAIT_FOREVER ? -EINTR : r;
}
/* Sleep without the socket lock until COND or DEADLINE (0: do not wait). The lock is held before and after.
 * 0, -EAGAIN, -ERESTARTSYS, -EINTR. */
#define socket_wait(s, cond, deadline)                                              \
	({                                                                          \
		int _w = 0;                                                         \
		u64 _d = (deadline);                                                \
		if (!_d) {                                                          \
			_w = -EAGAIN;                                               \
		} else {                                                            \
			socket_unlock(s);                                           \
			_w = wait_event_interruptible_until(&(s)->waitq, cond, _d); \
			socket_lock(s);                                             \
			_w = socket_wait_result(_w, _d);                            \
		}                                                                   \
		_w;                                                                 \
	})

/* SOL_SOCKET options that every family has. -ENOPROTOOPT when unknown. */
int socket_set_option(struct socket *s, int opt, const void *val, int len);
int socket_get_option(struct socket *s, int opt, void *val, int *len);
static inline int option_int(const void *val, int len, int *out)
{
	if (len < (int)sizeof(int))
		return -EINVAL;
	__builtin_memcpy(out, val, sizeof(int));
	return 0;
}
/* Store V as getsockopt does: cut to *LEN. */
int option_put(void *val, int *len, const void *v, size_t size);
static inline int option_put_int(void *val, int *len, int v)
{
	return option_put(val, len, &v, sizeof(v));
}

/* Received datagrams: a queue of packets charged to rcvbuf. Guarded by its own lock; used by UDP, raw,
 * netlink, ping. */
struct rx_queue {
	struct spinlock lock;
	struct list_head packets;
	u32 count;
	u32 added; /* how many ever came: tells a reader that looks beyond the queue's end */
	u32 drops;
};
void rx_queue_init(struct rx_queue *q);
/* Take over P: false when the buffer is full (P freed). Section. */
bool rx_queue_add(struct socket *s, struct rx_queue *q, struct packet *p);
/* The next packet: with MSG_PEEK it stays queued (a copy of the pointer with the packet pinned is not needed:
 * a clone is returned). Waits as FLAGS and timeouts say. ERR_PTR. */
struct packet *rx_queue_get(struct socket *s, struct rx_queue *q, u32 flags);
/* The same for a reader with SO_PEEK_OFF: peeking begins *OFF bytes behind the first packet's begin; *OFF
 * becomes the place in the packet. */
struct packet *rx_queue_get_at(struct socket *s, struct rx_queue *q, u32 flags, u32 *off);
void rx_queue_purge(struct socket *s, struct rx_queue *q);
/* SIOCINQ: the length of the first packet, 0 without one; SIOCOUTQ: nothing waits here. Else -ENOTTY. */
int rx_queue_ioctl(struct rx_queue *q, unsigned cmd, int *val);

/* The error queue, which Internet sockets have (net/socket/error_queue.c; net/inet.h fills it). */
ssize_t error_queue_recv(struct socket *s, struct net_msg *m); /* -EAGAIN when empty */
bool error_queue_empty(struct socket *s);
/* Drop the errors, or ALL, notices about what was sent too, and the queue itself. */
void error_queue_purge(struct socket *s, bool all);
/* Does S want to know when a packet came? */
static inline bool socket_wants_stamp(const struct socket *s)
{
	return socket_flag(s, SOCKF_TIMESTAMP | SOCKF_TIMESTAMPNS) || unlikely(s->tsflags);
}
/* SO_TIMESTAMP and the like for a packet that arrived at STAMP (0: now). */
void msg_put_timestamp(struct socket *s, struct net_msg *m, u64 stamp);
void msg_put_timestamping(struct socket *s, struct net_msg *m,
			  u64 stamp); /* whether it was asked for or not */

/* net/core/filter.c: programs that decide about received packets. REUSE: about the socket of a reuse group.
 */
int socket_filter_attach(struct socket *s, const struct sock_filter *insns, unsigned len, bool reuse);
int socket_filter_detach(struct socket *s, bool reuse); /* -ENOENT, -EPERM (locked) */
unsigned socket_filter_get(struct socket *s, struct sock_filter *out, unsigned room); /* its length */
u32 socket_filter_run(const struct socket_filter *f, const struct packet *p);	      /* RCU */
/* Does S's filter, if any, take P? It looks at P from BACK bytes before its data, and may cut it, though not
 * the first LEAST of what it sees. */
bool socket_filter_accept(struct socket *s, struct packet *p, u32 back, u32 least);
/* A new socket shares FROM's filter. FROM's lock held. */
void socket_filter_inherit(struct socket *s, const struct socket *from);
void socket_filter_free(struct socket *s);

/* SO_PEEK_OFF: N bytes were read, or peeked at. */
void socket_peek_moved(struct socket *s, size_t n, bool peeked);

/* Families, file by file. */
struct socket *unix_create(struct net_stack *net, int type, int protocol);
struct socket *inet_create(struct net_stack *net, int family, int type, int protocol);
struct socket *netlink_create(struct net_stack *net, int type, int protocol);
/* AF_PACKET registers itself at boot: the host library is without. */
typedef struct socket *(*socket_create_fn)(struct net_stack *net, int type, int protocol);
void socket_serve_packet(socket_create_fn fn);
