/* SPDX-License-Identifier: BSD-2-Clause */
/* Congestion control: CUBIC (RFC 9438) and NewReno (RFC 5681). Windows in bytes; CUBIC computes in segments.
 */
#include "base/string.h"
#include "kernel/clock.h"
#include "net/tcp.h"

#define BETA_NUM 7 /* beta 0.7 */
#define BETA_DEN 10

/* Integer cube root by bits: 22 steps. */
static u64 cube_root(u64 v)
{
	u64 r = 0;

	for (int s = 63; s >= 0; s -= 3) {
		u64 b;

		r <<= 1;
		b = 3 * r * (r + 1) + 1;
		if (v >> s >= b) {
			v -= b << s;
			r++;
		}
	}
	return r;
}

static void cubic_init(struct tcp_sock *tp)
{
	tp->epoch = tp->w_max = 0;
}

static u32 cubic_ssthresh(struct tcp_sock *tp)
{
	u32 flight = max(tp->snd_nxt - tp->snd_una, (u32)tp->mss),
	    w = min(tp->cwnd, max(flight, tp->cwnd / 2));

	tp->epoch = 0;
	/* Fast convergence (4.7): a flow that loses before it reaches its old maximum gives way. */
	tp->w_max = w < tp->w_max ? (u32)((u64)w * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN)) : w;
	return max((u32)((u64)w * BETA_NUM / BETA_DEN), 2u * tp->mss);
}

static void start_epoch(struct tcp_sock *tp, u64 now)
{
	u32 mss = tp->mss, max_seg = tp->w_max / mss, seg = max(tp->cwnd / mss, 1u);

	tp->epoch = tcp_stamp(now);
	tp->tcp_cwnd = tp->cwnd;
	tp->acked = 0;
	if (max_seg > seg) {
		/* K = cbrt((W_max - cwnd) / C), C = 0.4; in milliseconds: cbrt(dW * 2.5e9). */
		tp->k_ms = (u32)cube_root((u64)(max_seg - seg) * 2500000000ull);
		tp->origin = max_seg;
	} else {
		tp->k_ms = 0;
		tp->origin = seg;
	}
}

static void cubic_acked(struct tcp_sock *tp, u32 bytes, u64 now)
{
	u32 mss = tp->mss;
	s64 t, target;
	u64 cube, cwnd_seg;

	if (!tp->epoch)
		start_epoch(tp, now);
	/* W(t) one round trip from now. */
	t = (s64)tcp_since(now, tp->epoch) + (s64)(tp->srtt / NSEC_PER_MSEC) - (s64)tp->k_ms;
	t = clamp(t, (s64)-1000000, (s64)1000000);
	cube = (u64)(t < 0 ? -t : t);
	cube = cube * cube / 1000 * cube / 1000 * 4 / 10 / 1000; /* C t^3, t in ms, in segments */
	target = t < 0 ? (s64)tp->origin - (s64)cube : (s64)tp->origin + (s64)cube;
	cwnd_seg = max(tp->cwnd / mss, 1u);
	target = clamp(target, (s64)cwnd_seg, (s64)(cwnd_seg + cwnd_seg / 2 + 1));
	/* Never slower than Reno would be (4.3): alpha = 3 (1 - beta) / (1 + beta) = 9/17. */
	tp->tcp_cwnd += (u32)((u64)bytes * mss * 9 / 17 / max(tp->tcp_cwnd, mss));
	tp->acked += bytes;
	if ((u64)target > cwnd_seg) {
		u64 per = tp->cwnd /
			  ((u64)target - cwnd_seg); /* acknowledged bytes for each segment of growth */

		while (tp->acked >= max(per, 2ull)) {
			tp->acked -= (u32)max(per, 2ull);
			tp->cwnd += mss;
			if (tp->cwnd / mss >= (u64)target)
				break;
		}
	} else if (tp->acked >= 100 * tp->cwnd) {
		tp->acked = 0;
		tp->cwnd += mss;
	}
	if (tp->tcp_cwnd > tp->cwnd)
		tp->cwnd = tp->tcp_cwnd;
}

static void reno_init(struct tcp_sock *tp)
{
	if (!tcp_reduces(tp))
		tp->acked = 0;
}

static u32 reno_ssthresh(struct tcp_sock *tp)
{
	u32 flight = tp->snd_nxt - tp->snd_una;

	return max(min(flight, tp->cwnd) / 2, 2u * tp->mss);
}

static void reno_acked(struct tcp_sock *tp, u32 bytes, u64 now)
{
	tp->acked += bytes;
	if (tp->acked >= tp->cwnd) {
		tp->acked -= tp->cwnd;
		tp->cwnd += tp->mss;
	}
}

const struct tcp_cc tcp_cubic = {
	.name = "cubic", .init = cubic_init, .ssthresh = cubic_ssthresh, .acked = cubic_acked};
const struct tcp_cc tcp_newreno = {
	.name = "reno", .init = reno_init, .ssthresh = reno_ssthresh, .acked = reno_acked};

const struct tcp_cc *tcp_cc_find(const char *name)
{
	if (strcmp(name, tcp_cubic.name) == 0)
		return &tcp_cubic;
	if (strcmp(name, tcp_newreno.name) == 0 || strcmp(name, "newreno") == 0)
		return &tcp_newreno;
	return NULL;
}
