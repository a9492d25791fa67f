/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP (RFC 9293). Theory statement: net/tcp/README.md. Unless it says otherwise a function here needs the
 * connection to itself, the caller either owning the socket lock or holding slock with nobody owning it, and
 * runs inside a section. */
#pragma once

#include "base/rbtree.h"
#include "kernel/clock.h"
#include "net/inet.h"
#include <linux/tcp.h>

enum tcp_state { /* numbers as in TCP_INFO and /proc/net/tcp */
		 TCP_STATE_ESTABLISHED = 1,
		 TCP_STATE_SYN_SENT,
		 TCP_STATE_SYN_RECV,
		 TCP_STATE_FIN_WAIT1,
		 TCP_STATE_FIN_WAIT2,
		 TCP_STATE_TIME_WAIT,
		 TCP_STATE_CLOSE,
		 TCP_STATE_CLOSE_WAIT,
		 TCP_STATE_LAST_ACK,
		 TCP_STATE_LISTEN,
		 TCP_STATE_CLOSING,
};
#define TCP_IN(state, set) (1u << (state) & (set))
#define TCPB(s)		   (1u << TCP_STATE_##s)

#define TCP_HDR_LEN	   20
#define TCP_MAX_OPTIONS	   40
#define TCP_DEFAULT_MSS	   536
#define TCP_MIN_MSS	   48
#define TCP_INIT_CWND	   10 /* segments (RFC 6928) */
#define TCP_MAX_WSCALE	   14
#define TCP_RTO_MIN	   (200 * NSEC_PER_MSEC)
#define TCP_RTO_MAX	   (120 * NSEC_PER_SEC)
#define TCP_RTO_INIT	   (1 * NSEC_PER_SEC)
#define TCP_DELACK_MIN	   (40 * NSEC_PER_MSEC)
#define TCP_DELACK_MAX	   (200 * NSEC_PER_MSEC)
#define TCP_DELACK_LO	   (2 * NSEC_PER_MSEC)
#define TCP_TIMEWAIT	   (60 * NSEC_PER_SEC)
#define TCP_FIN_TIMEOUT	   (60 * NSEC_PER_SEC)
#define TCP_SYN_RETRIES	   6
#define TCP_SYNACK_RETRIES 5
#define TCP_RETRIES	   15 /* of data, in backed-off timeouts */
#define TCP_ORPHAN_RETRIES 8
#define TCP_KEEP_IDLE	   (7200ull * NSEC_PER_SEC)
#define TCP_KEEP_INTVL	   (75ull * NSEC_PER_SEC)
#define TCP_KEEP_PROBES	   9
#define TCP_PAWS_24DAYS	   (24 * 86400) /* seconds */
#define TCP_FO_MAX	   16		/* bytes of a Fast Open cookie (RFC 7413 4.1.1) */
#define TCP_FO_COOKIE	   8		/* ... of ours */
#define TCP_FO_KEY_LEN	   16
#define TCP_FO_KEYS	   2 /* the active one, and its predecessor */

/* Sequence numbers compare modulo 2^32. */
static inline bool seq_lt(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}
static inline bool seq_le(u32 a, u32 b)
{
	return (s32)(a - b) <= 0;
}
#define seq_gt(a, b) seq_lt(b, a)
#define seq_ge(a, b) seq_le(b, a)

/* Options of a received segment. */
struct tcp_options {
	bool have_ts, sack_ok, have_wscale, have_fo;
	bool ecn;		  /* ECE of a segment that is no SYN; what a cookie says of the SYN */
	u8 wscale, nsack, fo_len; /* fo_len 0: a cookie is asked for */
	u16 mss;		  /* 0: none */
	u32 ts_val, ts_ecr;
	struct tcp_sack {
		u32 start, end;
	} sack[4];
	u8 fo[TCP_FO_MAX]; /* Fast Open's cookie */
};

/* A segment of the receive queues, in packet.cb. */
struct tcp_cb {
	struct rb_node rb; /* out-of-order queue */
	u32 seq, end;	   /* end includes FIN */
	bool fin;
};
static inline struct tcp_cb *tcp_cb(struct packet *p)
{
	return (struct tcp_cb *)p->cb;
}

/* A stretch of sequence space that was sent and not yet acknowledged: the scoreboard. */
enum { REC_SACKED = 1, REC_LOST = 2, REC_RETRANS = 4, REC_EVER_RETRANS = 8, REC_FIN = 16 };
struct tcp_rec {
	struct list_head node;	/* by sequence */
	struct list_head tnode; /* by time of the last transmission */
	u32 seq, end;
	u64 tx_ns;
	u8 flags;
};

struct tcp_sock;
struct tcp_cc { /* congestion control */
	const char *name;
	void (*init)(struct tcp_sock *);
	u32 (*ssthresh)(struct tcp_sock *); /* bytes, at the start of a recovery */
	/* New data was acknowledged, not in recovery; after one `epoch` and `acked` begin at 0. */
	void (*acked)(struct tcp_sock *, u32 bytes, u64 now);
};
extern const struct tcp_cc tcp_cubic, tcp_newreno;
const struct tcp_cc *tcp_cc_find(const char *name);

enum tcp_congestion_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };
enum tcp_frto { FRTO_OFF, FRTO_ARMED, FRTO_NEW_DATA };
enum tcp_rtx_kind { RTX_NONE, RTX_RTO, RTX_TLP, RTX_REO, RTX_PERSIST };

struct tcp_entry { /* on the connection table */
	struct hnode node;
	bool timewait;
};

/* The order is that of use: what every segment touches comes first, together. */
struct tcp_sock {
	struct inet_sock inet;
	struct tcp_entry entry;
	u8 state;
	u8 backoff, retries, probes_out; /* of timers */
	u8 ca_state, dupacks;
	u8 rtx_kind, frto; /* enum tcp_rtx_kind; enum tcp_frto, since the last timeout */
	u8 unacked_segs;   /* data segments since the last ACK */
	u8 quick;	   /* immediate ACKs left */
	u8 snd_wscale, rcv_wscale;
	bool ts_ok : 1, sack_ok : 1, wscale_ok : 1; /* options negotiated */
	/* ECN (RFC 3168): agreed; the peer's packets bore it; congestion is to be echoed until he reacts; he
	 * is to hear that we did. */
	bool ecn_ok : 1, ecn_seen : 1, ecn_echo : 1, ecn_cwr : 1;
	bool rt_valid : 1, timer_armed : 1;
	bool pingpong : 1, ack_pending : 1, ack_now : 1;
	bool dsack_due : 1, urg_valid : 1, urg_have : 1, urg_byte_read : 1;
	bool nodelay : 1, cork : 1, more : 1;
	bool fin_queued : 1;
	bool fin_seen : 1;   /* the peer's FIN is in rcv_nxt */
	bool connecting : 1; /* connect() was called and has not reported its result yet */
	bool connected : 1;  /* the user knows that it is, or was: it takes a disconnect to begin again */
	bool destroyed : 1;
	bool orphaned : 1; /* counted in tcp_stack.orphans */
	bool cwnd_limited : 1, tlp_out : 1, tlp_retrans : 1, rack_reordering : 1, undo_ok : 1;
	bool hole : 1;	       /* a small segment got through where full ones had not */
	bool hole_probing : 1; /* a small one is under way, up to hole_probe */
	bool inq : 1;	       /* TCP_INQ: tell a reader what is left */
	bool thin : 1;	       /* TCP_THIN_LINEAR_TIMEOUTS, as set: RACK-TLP does what it was for */
	/* Fast Open (tcp_fastopen.c). */
	bool fo_connect : 1; /* TCP_FASTOPEN_CONNECT */
	bool fo_no_cookie : 1;
	bool fo_ask : 1;      /* the SYN carries the option */
	bool fo_deferred : 1; /* connected as far as the user knows: the SYN goes with the first data */
	bool fo_wait : 1;     /* the SYN brought data; the handshake's ACK is still to come */
	bool fo_done : 1;     /* data went with the SYN and was taken */
	u8 urg_byte;
	s8 linger2; /* seconds in FIN_WAIT2 of a closed socket; 0 the default, -1 none */
	u16 mss, advmss, user_mss, peer_mss; /* mss: payload bytes of a full segment now */
	u16 rcv_mss;			     /* estimate of the peer's segment size */
	u16 fo_data; /* Fast Open: bytes queued before the SYN, then those that went with it */

	/* Receive. RFC 9293 3.3.1 names. */
	u32 irs, rcv_nxt, rcv_wup, rcv_wnd, copied_seq, rcv_up;
	u32 rcv_ssthresh; /* cap of the window offered */
	u32 rcv_rtt_seq;
	u32 ts_offset, ts_recent;
	u32 ts_recent_s;	   /* CLOCK_MONOTONIC, seconds */
	u32 ooo_packets;	   /* TCP_INFO's */
	struct list_head rx;	   /* in order */
	struct tcp_gaps *gaps;	   /* NULL: nothing came out of order yet */
	u32 rcv_rtt, rcv_rtt_time; /* us; of tcp_us() */

	/* Send. */
	u32 iss, snd_una, snd_nxt, write_seq; /* write_seq: end of what the application wrote */
	u32 snd_wnd, snd_wl1, max_wnd, snd_up;
	u32 snd_sml; /* end of the last small segment sent (Minshall's Nagle) */
	u32 pushed_seq, retrans_ts, snd_at_off;
	u32 sacked, lost, retrans;   /* bytes of the scoreboard */
	u32 cwnd, ssthresh, recover; /* bytes; recover: snd_nxt when the recovery began */
	u32 pmtu, tlp_end;
	struct list_head snd_bufs;	  /* netbuf.node: bytes snd_una (less SYN) to write_seq */
	struct netbuf *snd_at;		  /* where snd_nxt lies; NULL: at the first buffer's start */
	struct list_head recs, recs_time; /* scoreboard */
	struct route_result rt;		  /* if rt_valid */

	/* Timers: ns, 0 off; one kernel timer serves all. */
	u64 rtx_at, ack_at, keep_at;
	u64 last_rx, last_tx;
	struct net_timer timer;

	/* Round trip, RFC 6298. */
	u64 srtt, rttvar;  /* ns; srtt 0: no sample yet */
	u32 min_rtt;	   /* ns, saturated: only fractions of small ones matter */
	u32 min_rtt_s;	   /* when it was taken */
	u32 retrans_start; /* tcp_stamp() of the first retransmission of what is outstanding; 0: none */
	u32 last_confirm, last_challenge, last_data; /* tcp_stamp(); data came */

	/* Congestion and recovery. Bytes. */
	const struct tcp_cc *cc;
	u64 rack_tx_ns, rack_rtt;
	u32 rack_end, rack_fack, rack_dsack_round;
	u8 rack_mult, rack_persist;
	u16 hole_mss; /* limit until hole_until_s; 0: none (a path that swallows full segments: RFC 2923 2.1)
		       */
	u32 hole_probe, hole_until_s;
	u32 undo_cwnd, undo_ssthresh;
	u32 w_max, epoch, k_ms; /* CUBIC; epoch: tcp_stamp(), 0: none, and with it nothing of what follows */
	union {
		struct { /* while the window grows */
			u32 origin, tcp_cwnd;
			u32 acked; /* NewReno's too */
		};
		struct { /* while tcp_reduces() */
			u32 prr_delivered, prr_out, prr_flight;
		};
	};

	/* As the user set it. */
	u32 user_timeout_ms, notsent_lowat;
	u32 tx_delay_us; /* TCP_TX_DELAY: kept, and without effect, as on a Linux whose queue does not pace */
	u16 keep_idle_s, keep_intvl_s;
	u8 keep_probes, defer_accept, syn_limit, save_syn;
	u16 fo_limit; /* listener: TCP_FASTOPEN */

	/* Receive buffer tuning: bytes copied per round trip. */
	u32 drs_seq, drs_space, drs_time; /* of tcp_us() */

	struct tcp_sock *fo_listener;	 /* reference, with fo_wait */
	struct tcp_saved_syn *saved_syn; /* until it is asked for */
	struct tcp_listener *listen;	 /* or NULL; see there */
	struct tcp_sock *listener;	 /* reference, while on a queue of it */
	struct list_head accept_node;

	/* TCP_INFO. */
	u32 total_retrans, delivered, dsack_dups, reord_seen;
	u32 segs_in, segs_out, data_segs_in, data_segs_out;
	u64 bytes_acked, bytes_received, bytes_sent, bytes_retrans;
};

static inline struct tcp_sock *tcp_sk(struct socket *s)
{
	return container_of(inet_sk(s), struct tcp_sock, inet);
}
#define tcp_socket(tp) (&(tp)->inet.s)
#define tcp_net(tp)    ((tp)->inet.s.net)
/* Times that may be coarse are kept short: whole seconds, or milliseconds modulo 2^32 that are never 0. */
static inline u32 tcp_seconds(u64 now)
{
	return (u32)(now / NSEC_PER_SEC);
}
static inline u32 tcp_stamp(u64 now)
{
	return (u32)(now / NSEC_PER_MSEC) | 1;
}
static inline u32 tcp_us(u64 now) /* for round trips: a lap takes 71 minutes */
{
	return (u32)(now / NSEC_PER_USEC) | 1;
}
static inline u32 tcp_since(u64 now, u32 stamp)
{
	return tcp_stamp(now) - stamp;
}
/* RFC 6298 2; the floor goes under the variance: quiet paths keep a margin. */
static inline u64 tcp_rto(const struct tcp_sock *tp)
{
	return tp->srtt ? min(tp->srtt + max(4 * tp->rttvar, TCP_RTO_MIN), TCP_RTO_MAX) : TCP_RTO_INIT;
}
static inline u64 tcp_fin_timeout(const struct tcp_sock *tp) /* linger2 is not negative */
{
	return (tp->linger2 ? (u32)tp->linger2 : tcp_net(tp)->tcp_conf.fin_timeout) * NSEC_PER_SEC;
}
/* Is the window being reduced in proportion (tcp_prr)? */
static inline bool tcp_reduces(const struct tcp_sock *tp)
{
	return tp->ca_state == CA_RECOVERY || tp->ca_state == CA_CWR;
}
/* May the user write? On a passive Fast Open, before the handshake is complete. */
static inline bool tcp_may_write(const struct tcp_sock *tp)
{
	u8 state = READ_ONCE(tp->state);

	return TCP_IN(state, TCPB(ESTABLISHED) | TCPB(CLOSE_WAIT)) ||
	       (state == TCP_STATE_SYN_RECV && tp->fo_wait);
}

/* What came out of order, or twice: made when that first happens, kept until the connection's end. */
struct tcp_gaps {
	struct rb_root tree; /* tcp_cb.rb */
	u32 bytes;
	u8 nrecent;
	struct tcp_sack recent[4]; /* to report: the newest first */
	struct tcp_sack dsack;	   /* a duplicate to report, with dsack_due */
};

/* What only listeners need: made by the first listen() or option that is about it, kept until the socket's
 * end. */
struct tcp_listener {
	struct spinlock lock;			  /* guards the rest; after slock */
	struct list_head accept_queue, syn_queue; /* tcp_sock.accept_node */
	u32 accept_count, syn_count, backlog;
	u16 fo_pending; /* children with fo_wait */
	u16 fo_resets;	/* ... and those that were reset, until fo_until */
	u64 fo_until;
	u64 cookie_until;	     /* an overflow made cookies valid until then */
	struct tcp_fo_keys *fo_keys; /* TCP_FASTOPEN_KEY; NULL: the stack's. RCU */
};

struct tcp_saved_syn { /* TCP_SAVE_SYN: the headers of the SYN that made a connection */
	u32 len;
	u8 data[];
};

struct tcp_tw { /* TIME-WAIT */
	struct tcp_entry entry;
	struct refcount ref; /* the timer's, look-ups' */
	struct rcu_head rcu;
	struct net_stack *net;
	struct net_addr laddr, faddr;
	u16 lport, fport;
	u32 snd_nxt, rcv_nxt, rcv_wnd;
	u8 rcv_wscale, tos;
	bool ts_ok, dead;
	u32 ts_recent, ts_recent_s, ts_offset;
	u64 expires;
	struct spinlock lock;
	struct net_timer timer;
	struct list_head node; /* on the stack's list, for the proc file and its end */
};

struct tcp_stack {
	struct hlist *table; /* connections and TIME-WAITs */
	u32 mask;
	struct spinlock locks[64];
	struct spinlock listen_lock;
	struct hlist listeners[64]; /* tcp_sock.entry.node, by port */
	struct port_table ports;
	struct spinlock tw_lock;
	struct list_head tw;
	u32 tw_count, tw_max;
	_Atomic u32 orphans, sockets;
	u32 orphan_max;
	_Atomic(struct tcp_fo_cache *) fo_cache;
	struct tcp_fo_keys *fo_keys; /* never NULL */
	_Atomic u64 challenge_stamp;
	_Atomic u32 challenge_left;
};

int tcp_stack_init(struct net_stack *net);
void tcp_stack_destroy(struct net_stack *net);
struct socket *tcp_create(struct net_stack *net, int family);
struct tcp_sock *tcp_sock_new(struct net_stack *net, int family);

/* tcp_table.c. RCU look-ups give references. */
struct tcp_entry *tcp_lookup(struct net_stack *net, const struct net_addr *laddr, u16 lport,
			     const struct net_addr *faddr, u16 fport);
/* P, if any, is at its TCP header: a reuse group's program may look at it. */
struct tcp_sock *tcp_lookup_listener(struct net_stack *net, const struct net_addr *laddr, u16 lport,
				     const struct net_addr *faddr, u16 fport, u32 iif, struct packet *p);
int tcp_hash(struct tcp_sock *tp); /* -EADDRNOTAVAIL when the four-tuple is taken */
void tcp_unhash(struct tcp_sock *tp);
void tcp_listen_hash(struct tcp_sock *tp);
int tcp_connect_port(struct tcp_sock *tp); /* choose a port if there is none, and enter the table */
bool tcp_tw_hash(struct tcp_tw *tw, struct tcp_sock *replaces);
void tcp_tw_unhash(struct tcp_tw *tw);
/* FN for every listener (no TIME-WAIT), or for every connection, listener and TIME-WAIT (one of the two is
 * NULL); RCU. */
void tcp_for_each_listener(struct net_stack *net, void (*fn)(struct tcp_sock *, struct tcp_tw *, void *),
			   void *arg);
void tcp_for_each(struct net_stack *net, void (*fn)(struct tcp_sock *, struct tcp_tw *, void *), void *arg);

/* tcp_timewait.c */
void tcp_enter_timewait(struct tcp_sock *tp);
/* A segment for TW. True: it is a new SYN that may take the four-tuple over (ISN at least *ISN). Takes P over
 * if false. */
bool tcp_timewait_input(struct tcp_tw *tw, struct packet *p, const struct tcphdr *th,
			const struct tcp_options *o, u32 *isn);
void tcp_tw_kill(struct tcp_tw *tw);
void tcp_tw_put(struct tcp_tw *tw);

/* tcp_options.c */
u32 tcp_write_timestamp(u8 *to, u32 ts_val, u32 ts_ecr); /* twelve bytes */
void tcp_parse_options(const struct tcphdr *th, struct tcp_options *o);
struct tcp_syn_options {
	u16 mss;
	bool sack, ts, wscale_ok;
	u8 wscale;
	bool fo; /* with FO_LEN bytes of cookie */
	u8 fo_len;
	u32 ts_val, ts_ecr;
	u8 fo_cookie[TCP_FO_MAX];
};
u32 tcp_write_syn_options(u8 *to, const struct tcp_syn_options *o);
u32 tcp_write_options(u8 *to, struct tcp_sock *tp, u64 now, u32 room);
/* Does this SYN ask for ECN (RFC 3168 6.1.1), and may it? */
static inline bool tcp_ecn_asked(struct net_stack *net, const struct packet *p, const struct tcphdr *th)
{
	return net->tcp_conf.ecn && th->ece && th->cwr && !(ip_cb((struct packet *)p)->tos & 3);
}
static inline u32 tcp_ts(const struct tcp_sock *tp, u64 now)
{
	return (u32)(now / NSEC_PER_MSEC) + tp->ts_offset;
}

/* tcp_isn.c */
u32 tcp_isn(struct net_stack *net, const struct net_addr *laddr, u16 lport, const struct net_addr *faddr,
	    u16 fport);
u32 tcp_ts_offset(struct net_stack *net, const struct net_addr *laddr, const struct net_addr *faddr);
u32 tcp_cookie_make(struct net_stack *net, const struct net_addr *l, u16 lport, const struct net_addr *f,
		    u16 fport, u32 peer_isn, u16 *mss);
/* The MSS of a valid cookie, or 0. */
u16 tcp_cookie_check(struct net_stack *net, const struct net_addr *l, u16 lport, const struct net_addr *f,
		     u16 fport, u32 peer_isn, u32 cookie);
/* A cookie has no room for the peer's options: they travel in the low bits of our timestamp, which comes back
 * with the handshake's ACK. */
u32 tcp_cookie_ts(struct net_stack *net, const struct net_addr *l, const struct net_addr *f,
		  const struct tcp_options *o, bool ecn);
void tcp_cookie_options(struct net_stack *net, const struct net_addr *l, const struct net_addr *f, u32 ts_ecr,
			struct tcp_options *o);

/* tcp_fastopen.c (RFC 7413) */
enum {
	TCP_FO_CLIENT = 1,
	TCP_FO_SERVER = 2,
	TCP_FO_CLIENT_NO_COOKIE = 4,
	TCP_FO_SERVER_NO_COOKIE = 0x200,
	TCP_FO_SERVER_ALWAYS = 0x400
}; /* tcp_tunables.fastopen */
enum tcp_fo { TCP_FO_NONE, TCP_FO_GRANT, TCP_FO_ACCEPT, TCP_FO_RENEW };
/* What becomes of a SYN with LEN bytes of data: nothing special; a cookie goes with the SYN-ACK; its data is
 * taken at once; both. L's slock held. */
enum tcp_fo tcp_fastopen_judge(struct tcp_sock *l, const struct ip_cb *cb, const struct tcp_options *o,
			       u32 len);
void tcp_fastopen_cookie(struct tcp_sock *c, struct tcp_syn_options *o); /* for C's peer, into a SYN-ACK */
/* C, on L's SYN queue, takes P's data and goes to the accept queue. P stays the caller's. */
void tcp_fastopen_accept(struct tcp_sock *l, struct tcp_sock *c, struct packet *p, u32 hdr);
void tcp_fastopen_settled(struct tcp_sock *c, bool reset); /* fo_wait ends */
/* The client's SYN: its option, and how many of the bytes queued it may carry. */
u32 tcp_fastopen_offer(struct tcp_sock *tp, struct tcp_syn_options *o);
u32 tcp_fastopen_room(struct tcp_sock *tp); /* bytes that a SYN to TP's peer may carry; 0: no cookie */
void tcp_fastopen_answer(struct tcp_sock *tp, const struct tcp_options *o); /* the SYN-ACK came */
/* The sender's part of MSG_FASTOPEN and of a deferred connection: connect, with as much of M as the SYN
 * takes. Bytes taken (the rest is sent as usual), -errno. Owner. */
ssize_t tcp_fastopen_send(struct tcp_sock *tp, struct net_msg *m);
void tcp_fastopen_destroy(struct net_stack *net);
/* tcp_fastopen_key.c. Keys are TP's own, or (TP is NULL) the stack's. BYTES: one or two keys. Owner of TP. */
int tcp_fastopen_init(struct net_stack *net);
int tcp_fastopen_set_keys(struct net_stack *net, struct tcp_sock *tp, const void *bytes,
			  u32 len);			   /* -EINVAL, -ENOMEM */
struct tcp_listener *tcp_listener_of(struct tcp_sock *tp); /* made if need be; NULL: no memory. Owner */
/* Into TCP_FO_KEYS keys' room; their length, 0 if TP has none. */
u32 tcp_fastopen_get_keys(struct net_stack *net, struct tcp_sock *tp, void *bytes);
void tcp_fastopen_make(struct tcp_sock *l, const struct net_addr *client, const struct net_addr *server,
		       u8 cookie[TCP_FO_COOKIE]);
/* Which of L's keys COOKIE was made with; -1: none. */
int tcp_fastopen_prove(struct tcp_sock *l, const struct net_addr *client, const struct net_addr *server,
		       const u8 cookie[TCP_FO_COOKIE]);

/* tcp_output.c */
int tcp_route(struct tcp_sock *tp); /* (re)do the cached route; 0, -errno */
void tcp_sync_mss(struct tcp_sock *tp);
void tcp_suspect_hole(struct tcp_sock *tp,
		      u64 now); /* a repeated timeout: perhaps the path takes only less */
u16 tcp_adv_mss(const struct tcp_sock *tp);
void tcp_push(struct tcp_sock *tp); /* send what may be sent */
void tcp_retransmit_lost(struct tcp_sock *tp);
u32 tcp_pipe(const struct tcp_sock *tp);
u32 tcp_select_window(struct tcp_sock *tp);
static inline u32 tcp_receive_window(const struct tcp_sock *tp)
{
	s32 w = (s32)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);

	return w > 0 ? (u32)w : 0;
}
/* Memory that received data may take: the buffer's size, less when all sockets together hold much. */
static inline u32 tcp_rcv_limit(const struct tcp_sock *tp)
{
	return (u32)min((u64)READ_ONCE(tp->inet.s.rcvbuf),
			net_mem_share(tcp_net(tp), tcp_net(tp)->tcp_rmem[0]));
}
u32 tcp_space(const struct tcp_sock *tp);
void tcp_rcv_space_adjust(struct tcp_sock *tp); /* tcp_queue.c */

/* tcp_segment.c */
void tcp_send_ack(struct tcp_sock *tp);
void tcp_send_syn(struct tcp_sock *tp, bool ack);
void tcp_send_reset(struct tcp_sock *tp); /* abort our connection */
void tcp_send_probe(struct tcp_sock *tp); /* zero-window or keepalive */
/* Send LEN new bytes at snd_nxt, with FIN if FIN. 0, -ENOMEM (nothing changed); a packet that IP refuses
 * counts as lost. */
int tcp_send_new(struct tcp_sock *tp, u32 len, bool fin, u64 now);
/* Send record R's bytes again. */
int tcp_send_range(struct tcp_sock *tp, struct tcp_rec *r);
/* Free N bytes at the front of the send buffers. */
void tcp_snd_free(struct tcp_sock *tp, u32 n);
void tcp_reply_reset(struct net_stack *net, struct packet *p, const struct tcphdr *th);
/* A segment without payload for a four-tuple that has no socket. OPT: OPTS bytes of options, a multiple of
 * four. OIF 0: any interface. */
struct tcp_reply {
	struct net_addr src, dst;
	u16 sport, dport;
	u32 seq, ack, wnd, oif;
	u8 flags, tos, opts;
	u8 opt[TCP_MAX_OPTIONS];
};
void tcp_reply(struct net_stack *net, const struct tcp_reply *r);

/* tcp_input.c */
void tcp_receive(struct tcp_sock *tp, struct packet *p); /* takes over P: data at the TCP header */
void tcp_data_queue(struct tcp_sock *tp, struct packet *p, u32 seq, bool fin);
bool tcp_challenge_ok(struct net_stack *net);
void tcp_note_duplicate(struct tcp_sock *tp, u32 start, u32 end); /* for SACK to report */
void tcp_urgent(struct tcp_sock *tp, const struct tcphdr *th, const struct packet *p, u32 seq);

/* tcp_ack.c */
/* Acknowledgement and window of a segment. False: the segment acknowledges what was never sent, or is far too
 * old. */
bool tcp_ack(struct tcp_sock *tp, u32 seq, u32 ack, u32 wnd, const struct tcp_options *o, u32 payload);
void tcp_rtt_sample(struct tcp_sock *tp, u64 rtt, u64 now);
void tcp_rearm_rtx(struct tcp_sock *tp, u64 now);

/* tcp_recovery.c */
void tcp_rack_advance(struct tcp_sock *tp, const struct tcp_rec *r, u64 now, const struct tcp_options *o);
bool tcp_rack_detect(struct tcp_sock *tp, u64 now); /* true: something was newly found lost */
void tcp_mark_lost(struct tcp_sock *tp, struct tcp_rec *r);
void tcp_enter_recovery(struct tcp_sock *tp);
void tcp_enter_cwr(struct tcp_sock *tp); /* the path is congested, though nothing is lost */
void tcp_enter_loss(struct tcp_sock *tp);
void tcp_end_recovery(struct tcp_sock *tp);
void tcp_undo(struct tcp_sock *tp);
void tcp_restart_idle(struct tcp_sock *tp, u64 now); /* about to send again with nothing in flight */
void tcp_prr(struct tcp_sock *tp, u32 delivered, bool progress);
void tcp_send_tlp(struct tcp_sock *tp);
struct tcp_rec *tcp_rec_split(struct tcp_sock *tp, struct tcp_rec *r,
			      u32 at); /* R keeps the front; NULL on no memory */

/* tcp_timer.c */
void tcp_timer_init(struct tcp_sock *tp);
void tcp_timer_update(struct tcp_sock *tp); /* after deadlines changed */
void tcp_timer_stop(struct tcp_sock *tp);
void tcp_timer_run(struct socket *s);
void tcp_keepalive_set(struct tcp_sock *tp);

/* tcp_listen.c */
void tcp_listen_receive(struct tcp_sock *tp, struct packet *p, const struct tcphdr *th,
			const struct tcp_options *o, u32 isn);
bool tcp_accept_ready(struct tcp_sock *tp); /* a child finished its handshake: false when the queue is full */
void tcp_child_gone(struct tcp_sock *tp);   /* off its listener's queues */
void tcp_listen_stop(struct tcp_sock *tp);
struct socket *tcp_accept(struct socket *s, bool nonblock);
int tcp_listen(struct socket *s, int backlog);

/* tcp_close.c */
void tcp_set_state(struct tcp_sock *tp, u8 state);
void tcp_done(struct tcp_sock *tp); /* to CLOSE: off the tables, timers off; a closed socket is destroyed */
void tcp_abort(struct tcp_sock *tp, int err); /* error to the user, then done */
void tcp_reset_received(struct tcp_sock *tp);
void tcp_fin_received(struct tcp_sock *tp);
void tcp_close(struct socket *s);
int tcp_shutdown(struct socket *s, int how);
int tcp_disconnect(struct tcp_sock *tp);
void tcp_purge(struct tcp_sock *tp);
void tcp_free(struct socket *s);

/* tcp_send.c, tcp_recv.c, tcp_connect.c, tcp_sockopt.c */
u8 tcp_default_wscale(const struct net_stack *net);
ssize_t tcp_sendmsg(struct socket *s, struct net_msg *m);
ssize_t tcp_recvmsg(struct socket *s, struct net_msg *m);
bool tcp_writable(const struct tcp_sock *tp);
void tcp_write_space(struct tcp_sock *tp);
void tcp_sndbuf_expand(struct tcp_sock *tp);
u32 tcp_readable(const struct tcp_sock *tp);
int tcp_bind(struct socket *s, const struct sockaddr *sa, int len);
int tcp_connect_locked(struct tcp_sock *tp, const struct sockaddr *sa, int len, bool nonblock);
void tcp_start_syn(struct tcp_sock *tp); /* in SYN_SENT: the first SYN goes */
/* Wait for the handshake's end; FRESH: this call began it. 0, -EINPROGRESS, -EALREADY, what went wrong. */
int tcp_connect_wait(struct tcp_sock *tp, bool fresh, bool nonblock);
ssize_t tcp_queue_data(struct tcp_sock *tp, struct net_msg *m, u32 most); /* bytes, without sending them */
int tcp_connect(struct socket *s, const struct sockaddr *sa, int len, bool nonblock);
int tcp_setsockopt(struct socket *s, int level, int opt, const void *val, int len);
int tcp_getsockopt(struct socket *s, int level, int opt, void *val, int *len);
void tcp_get_info(struct tcp_sock *tp, struct tcp_info *info);
u32 tcp_poll(struct socket *s);
void tcp_init_cwnd(struct tcp_sock *tp);
void tcp_established(struct tcp_sock *tp); /* the handshake is complete: buffers, timers, congestion state */
