/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_TCP options (tcp(7)) and TCP_INFO. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "net/tcp.h"

#define CC_NAME_MAX 16

static void push_now(struct tcp_sock *tp)
{
	net_enter();
	tcp_push(tp);
	tcp_timer_update(tp);
	net_leave();
}

static int set_congestion(struct tcp_sock *tp, const void *val, int len)
{
	char name[CC_NAME_MAX] = "";
	const struct tcp_cc *cc;

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, min((size_t)len, sizeof(name) - 1));
	cc = tcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	tp->cc = cc;
	cc->init(tp);
	return 0;
}

/* TCP_DEFER_ACCEPT is given in seconds and kept as a number of SYN-ACK repetitions that take as long. */
static u8 seconds_to_retries(int sec)
{
	u8 n = 0;
	int t = 1, period = 1;

	if (sec <= 0)
		return 0;
	for (n = 1; t < sec && n < 255; n++) {
		period = min(period * 2, 120);
		t += period;
	}
	return n;
}

static int retries_to_seconds(u8 n)
{
	int t = 0, period = 1;

	while (n--) {
		t += period;
		period = min(period * 2, 120);
	}
	return t;
}

static int set_option(struct tcp_sock *tp, int opt, int v)
{
	switch (opt) {
	case TCP_NODELAY:
		tp->nodelay = v;
		if (v) { /* what waits goes, corked or not */
			bool cork = tp->cork;

			tp->cork = tp->more = false;
			push_now(tp);
			tp->cork = cork;
		}
		return 0;
	case TCP_CORK:
		tp->cork = v;
		if (!v) {
			tp->more = false;
			push_now(tp);
		}
		return 0;
	case TCP_MAXSEG:
		if (v && (v < TCP_MIN_MSS + 40 || v > 32767))
			return -EINVAL;
		tp->user_mss = (u16)v;
		return 0;
	case TCP_KEEPIDLE:
		if (v < 1 || v > 32767)
			return -EINVAL;
		tp->keep_idle_s = (u16)v;
		tcp_keepalive_set(tp);
		return 0;
	case TCP_KEEPINTVL:
		if (v < 1 || v > 32767)
			return -EINVAL;
		tp->keep_intvl_s = (u16)v;
		return 0;
	case TCP_KEEPCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		tp->keep_probes = (u8)v;
		return 0;
	case TCP_SYNCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		tp->syn_limit = (u8)v;
		return 0;
	case TCP_LINGER2:
		tp->linger2 = (s8)clamp(v, -1, 120);
		return 0;
	case TCP_DEFER_ACCEPT:
		tp->defer_accept = seconds_to_retries(v);
		return 0;
	case TCP_WINDOW_CLAMP:
		if (!v) {
			if (tp->state != TCP_STATE_CLOSE)
				return -EINVAL;
			tp->rcv_ssthresh = ~0u;
		} else {
			tp->rcv_ssthresh = max((u32)v, 1152u);
		}
		return 0;
	case TCP_QUICKACK:
		tp->pingpong = !v;
		if (v) {
			tp->quick = 16;
			if (tp->ack_pending && TCP_IN(tp->state, TCPB(ESTABLISHED) | TCPB(CLOSE_WAIT))) {
				net_enter();
				tcp_send_ack(tp);
				net_leave();
			}
		}
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		tp->user_timeout_ms = (u32)v;
		return 0;
	case TCP_NOTSENT_LOWAT:
		tp->notsent_lowat = (u32)v;
		tcp_write_space(tp);
		return 0;
	case TCP_FASTOPEN:
		if (v < 0 || !TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN)))
			return -EINVAL;
		tp->fo_limit = (u16)min((u32)v, min(tcp_net(tp)->somaxconn, 65535u));
		return 0;
	case TCP_FASTOPEN_CONNECT:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (!(tcp_net(tp)->tcp_conf.fastopen & TCP_FO_CLIENT))
			return -EOPNOTSUPP;
		if (tp->state != TCP_STATE_CLOSE)
			return -EINVAL;
		tp->fo_connect = v;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		if (v < 0 || v > 1 || !TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN)))
			return -EINVAL;
		tp->fo_no_cookie = v;
		return 0;
	case TCP_SAVE_SYN:
		if (v < 0 || v > 2)
			return -EINVAL;
		tp->save_syn = (u8)v;
		return 0;
	case TCP_INQ:
		if (v < 0 || v > 1)
			return -EINVAL;
		tp->inq = v;
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		if (v < 0 || v > 1)
			return -EINVAL;
		tp->thin = v;
		return 0;
	case TCP_THIN_DUPACK: /* RACK-TLP does what it was for */
		return v < 0 || v > 1 ? -EINVAL : 0;
	case TCP_TX_DELAY:
		if (v < 0)
			return -EINVAL;
		tp->tx_delay_us = (u32)v;
		return 0;
	case TCP_REPAIR: /* no socket here can be repaired, and so says every option about it */
	case TCP_REPAIR_QUEUE:
	case TCP_REPAIR_WINDOW:
	case TCP_TIMESTAMP:
		return -EPERM;
	case TCP_REPAIR_OPTIONS:
		return -EINVAL;
	case TCP_QUEUE_SEQ:
		return tp->state == TCP_STATE_CLOSE ? -EINVAL : -EPERM;
	}
	return -ENOPROTOOPT;
}

int tcp_setsockopt(struct socket *s, int level, int opt, const void *val, int len)
{
	struct tcp_sock *tp = tcp_sk(s);
	int v = 0, err;

	if (level != SOL_TCP)
		return inet_setsockopt(s, level, opt, val, len);
	if (opt == TCP_ULP) /* there is none */
		return len < 1 ? -EINVAL : -ENOENT;
	if (opt != TCP_CONGESTION && opt != TCP_FASTOPEN_KEY) {
		err = option_int(val, len, &v);
		if (err)
			return err;
	}
	socket_lock(s);
	if (opt == TCP_CONGESTION)
		err = set_congestion(tp, val, len);
	else if (opt == TCP_FASTOPEN_KEY)
		err = tcp_fastopen_set_keys(s->net, tp, val, (u32)len);
	else
		err = set_option(tp, opt, v);
	socket_unlock(s);
	return err;
}

/* Bytes a second that the window and the round trip amount to, with the margin that Linux adds. */
static u64 pacing_rate(const struct tcp_sock *tp)
{
	u32 factor = tp->cwnd < tp->ssthresh / 2 ? 200 : 120;

	return tp->srtt ? (u64)tp->cwnd * factor / 100 * NSEC_PER_MSEC / max(tp->srtt / 1000, 1ull) : ~0ull;
}

void tcp_get_info(struct tcp_sock *tp, struct tcp_info *i)
{
	u64 now = clock_monotonic();
	u32 mss = max((u32)tp->mss, 1u);

	memset(i, 0, sizeof(*i));
	i->tcpi_state = tp->state;
	i->tcpi_reordering = 3;
	i->tcpi_snd_cwnd = tp->cwnd ? (tp->cwnd + mss - 1) / mss : TCP_INIT_CWND;
	i->tcpi_max_pacing_rate = tcp_socket(tp)->pacing_rate;
	i->tcpi_pacing_rate = min(pacing_rate(tp), i->tcpi_max_pacing_rate);
	if (tp->state == TCP_STATE_LISTEN) {
		i->tcpi_unacked = tp->listen->accept_count;
		i->tcpi_sacked = tp->listen->backlog;
		return;
	}
	i->tcpi_ca_state = tp->ca_state;
	i->tcpi_retransmits = tp->retries;
	i->tcpi_probes = tp->probes_out;
	i->tcpi_backoff = tp->backoff;
	i->tcpi_options = (u8)((tp->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (tp->sack_ok ? TCPI_OPT_SACK : 0) |
			       (tp->wscale_ok ? TCPI_OPT_WSCALE : 0) | (tp->fo_done ? TCPI_OPT_SYN_DATA : 0) |
			       (tp->ecn_ok ? TCPI_OPT_ECN : 0) | (tp->ecn_seen ? TCPI_OPT_ECN_SEEN : 0));
	i->tcpi_snd_wscale = tp->snd_wscale;
	i->tcpi_rcv_wscale = tp->rcv_wscale;
	i->tcpi_rto = (u32)(tcp_rto(tp) / 1000);
	i->tcpi_ato = tp->last_data ? (u32)(TCP_DELACK_MIN / 1000) : 0;
	i->tcpi_snd_mss = tp->mss ? tp->mss : TCP_DEFAULT_MSS;
	i->tcpi_rcv_mss = tp->rcv_mss;
	i->tcpi_unacked = (tp->snd_nxt - tp->snd_una + mss - 1) / mss;
	i->tcpi_sacked = (tp->sacked + mss - 1) / mss;
	i->tcpi_lost = (tp->lost + mss - 1) / mss;
	i->tcpi_retrans = (tp->retrans + mss - 1) / mss;
	i->tcpi_last_data_sent = (u32)((now - tp->last_tx) / NSEC_PER_MSEC);
	i->tcpi_last_data_recv = tcp_since(now, tp->last_data);
	i->tcpi_last_ack_recv = (u32)((now - tp->last_rx) / NSEC_PER_MSEC);
	i->tcpi_pmtu = tp->pmtu;
	i->tcpi_rcv_ssthresh = min(tp->rcv_ssthresh, tp->inet.s.rcvbuf / 2);
	i->tcpi_rtt = (u32)(tp->srtt / 1000);
	i->tcpi_rttvar = (u32)(tp->rttvar / 1000);
	i->tcpi_snd_ssthresh = tp->ssthresh >= 0x7fffffff ? 0x7fffffff : tp->ssthresh / mss;
	i->tcpi_advmss = tp->advmss;
	i->tcpi_rcv_rtt = tp->rcv_rtt;
	i->tcpi_rcv_space = min(tp->drs_space, tp->inet.s.rcvbuf / 2);
	i->tcpi_total_retrans = tp->total_retrans;
	i->tcpi_delivered = tp->delivered;
	i->tcpi_dsack_dups = tp->dsack_dups;
	i->tcpi_reord_seen = tp->reord_seen;
	i->tcpi_rcv_ooopack = tp->ooo_packets;
	i->tcpi_bytes_acked = tp->bytes_acked;
	i->tcpi_bytes_received = tp->bytes_received;
	i->tcpi_segs_out = tp->segs_out;
	i->tcpi_segs_in = tp->segs_in;
	i->tcpi_notsent_bytes = tp->write_seq - tp->snd_nxt;
	i->tcpi_min_rtt = tp->min_rtt / 1000;
	i->tcpi_data_segs_in = tp->data_segs_in;
	i->tcpi_data_segs_out = tp->data_segs_out;
	i->tcpi_bytes_sent = tp->bytes_sent;
	i->tcpi_bytes_retrans = tp->bytes_retrans;
	i->tcpi_snd_wnd = tp->snd_wnd;
}

/* Told once. When there is too little room *LEN says how much it takes. */
static int get_saved_syn(struct tcp_sock *tp, void *val, int *len)
{
	struct tcp_saved_syn *s = tp->saved_syn;
	int room = *len;

	*len = s ? (int)s->len : 0;
	if (!s)
		return 0;
	if (room < *len)
		return -EINVAL;
	memcpy(val, s->data, s->len);
	tp->saved_syn = NULL;
	kfree(s);
	return 0;
}

static int get_option(struct tcp_sock *tp, int opt, void *val, int *len)
{
	const struct tcp_tunables *conf = &tcp_net(tp)->tcp_conf;

	switch (opt) {
	case TCP_MAXSEG:
		if (TCP_IN(tp->state, TCPB(CLOSE) | TCPB(LISTEN)))
			return option_put_int(val, len, tp->user_mss ? tp->user_mss : TCP_DEFAULT_MSS);
		return option_put_int(val, len, tp->mss);
	case TCP_NODELAY:
		return option_put_int(val, len, tp->nodelay);
	case TCP_CORK:
		return option_put_int(val, len, tp->cork);
	case TCP_KEEPIDLE:
		return option_put_int(val, len,
				      tp->keep_idle_s ? (int)tp->keep_idle_s : (int)conf->keepalive_time);
	case TCP_KEEPINTVL:
		return option_put_int(val, len,
				      tp->keep_intvl_s ? (int)tp->keep_intvl_s : (int)conf->keepalive_intvl);
	case TCP_KEEPCNT:
		return option_put_int(val, len,
				      tp->keep_probes ? tp->keep_probes : (int)conf->keepalive_probes);
	case TCP_SYNCNT:
		return option_put_int(val, len, tp->syn_limit ? tp->syn_limit : (int)conf->syn_retries);
	case TCP_LINGER2:
		if (tp->linger2 < 0)
			return option_put_int(val, len, -1);
		return option_put_int(val, len, (int)(tcp_fin_timeout(tp) / NSEC_PER_SEC));
	case TCP_DEFER_ACCEPT:
		return option_put_int(val, len, retries_to_seconds(tp->defer_accept));
	case TCP_WINDOW_CLAMP:
		if (tp->rcv_ssthresh != ~0u)
			return option_put_int(val, len, (int)tp->rcv_ssthresh);
		return option_put_int(val, len,
				      tp->state == TCP_STATE_CLOSE ? 0 : (int)(tp->inet.s.rcvbuf / 2));
	case TCP_QUICKACK:
		return option_put_int(val, len, !tp->pingpong);
	case TCP_USER_TIMEOUT:
		return option_put_int(val, len, (int)tp->user_timeout_ms);
	case TCP_NOTSENT_LOWAT:
		return option_put_int(val, len, (int)tp->notsent_lowat);
	case TCP_CONGESTION: {
		char name[CC_NAME_MAX] = "";

		str_copy(name, tp->cc->name, sizeof(name));
		return option_put(val, len, name, sizeof(name));
	}
	case TCP_INFO: {
		struct tcp_info info;

		tcp_get_info(tp, &info);
		return option_put(val, len, &info, sizeof(info));
	}
	case TCP_FASTOPEN:
		return option_put_int(val, len, tp->fo_limit);
	case TCP_FASTOPEN_KEY: {
		u8 keys[TCP_FO_KEYS * TCP_FO_KEY_LEN];

		return option_put(val, len, keys, tcp_fastopen_get_keys(tcp_net(tp), tp, keys));
	}
	case TCP_FASTOPEN_CONNECT:
		return option_put_int(val, len, tp->fo_connect);
	case TCP_FASTOPEN_NO_COOKIE:
		return option_put_int(val, len, tp->fo_no_cookie);
	case TCP_SAVE_SYN:
		return option_put_int(val, len, tp->save_syn);
	case TCP_SAVED_SYN:
		return get_saved_syn(tp, val, len);
	case TCP_THIN_LINEAR_TIMEOUTS:
		return option_put_int(val, len, tp->thin);
	case TCP_INQ:
		return option_put_int(val, len, tp->inq);
	case TCP_TX_DELAY:
		return option_put_int(val, len, (int)tp->tx_delay_us);
	case TCP_THIN_DUPACK:
	case TCP_REPAIR:
		return option_put_int(val, len, 0);
	case TCP_TIMESTAMP:
		return option_put_int(val, len, (int)tcp_ts(tp, clock_monotonic()));
	case TCP_ULP: /* none; and no congestion control here has anything to tell */
	case TCP_CC_INFO:
		*len = 0;
		return 0;
	case TCP_REPAIR_QUEUE:
	case TCP_QUEUE_SEQ:
		return -EINVAL;
	case TCP_REPAIR_WINDOW:
		return -EPERM;
	}
	return -ENOPROTOOPT;
}

int tcp_getsockopt(struct socket *s, int level, int opt, void *val, int *len)
{
	int err;

	if (level != SOL_TCP)
		return inet_getsockopt(s, level, opt, val, len);
	socket_lock(s);
	err = get_option(tcp_sk(s), opt, val, len);
	socket_unlock(s);
	return err;
}
