/* SPDX-License-Identifier: BSD-2-Clause */
/* One random TCP session between two simulated hosts, from its seed: what the link does, how the connection
 * opens and ends, what the applications do. Everything is checked while it runs; the first fault prints the
 * seed and the reason, and aborts. */
#pragma once

#include "net/tcp.h"
#include "sim.h"

void scenario_run(u64 seed);
extern struct scenario_totals {
	u64 sessions, bytes, frames, lost, segments, repeated, given_up, unfinished;
} scenario_totals;
/* Print what is wrong and abort. */
void scenario_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Bytes of every flow: byte K of a flow that starts at S is pattern_at(S + K). A stretch of up to
 * PATTERN_RUN bytes lies in one piece. */
#define PATTERN_RUN (64u << 10)
const u8 *pattern_at(u64 k);

/* monitor.c: the invariants of net/tcp/README.md, for a connection at rest. */
void monitor_socket(struct tcp_sock *tp);

/* ... and what the wire shows: nobody sends beyond the window he was offered, nobody takes back what he
 * offered or acknowledged, and every byte is the right one, repeated or not. */
struct monitor {
	struct monitor_side {
		u16 port;
		bool syn, edge_valid;
		int wscale;		  /* -1: none offered */
		u32 isn, ack, sent, edge; /* greatest: ACK and sequence sent, right edge offered */
		u32 known;		  /* greatest right edge that the peer was seen to receive */
		u32 syn_wnd;		  /* offered with a SYN */
		u64 pattern;		  /* its bytes start there */
	} side[2];
	u64 segments, repeated; /* with data; those that begin with what was sent before */
};
void monitor_start(struct monitor *m, struct sim_link *l, u64 pattern0, u64 pattern1);
