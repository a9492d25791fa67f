/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to another CPU (kernel/include/kernel/mpsc.h, kernel/sched/wake.c sched_send, idle.c): two senders, one CPU that
 * drains, polls in idle, and halts. Shown: every message is handled although only the sender that made the list non-empty
 * sends an interrupt, and none does while the CPU polls. Mutants: NO_P2 (no fence after polling ends), NO_CHECK (the list is
 * not looked at before the halt), LATE_LOOK (polling is read before the push). */
#define NPROCS 3
#define NVARS  2
#define HEAD 0	   /* bit i: sender i's message is on the list */
#define POLLING 1
#include "tso.h"

#define MESSAGES 2 /* of each sender */
byte handled;
bool interrupt;

proctype sender(byte p)
{
	byte old, polling, i;

	do
	:: i == MESSAGES -> break
	:: i < MESSAGES ->
#ifdef LATE_LOOK
		LD(p, POLLING, polling);
#endif
		/* One node a sender: it is free again once it was taken. */
		atomic { sb[p].n == 0 && !(mem[HEAD] & p) -> old = mem[HEAD]; mem[HEAD] = old | p };
		if
		:: old == 0 ->
#ifndef LATE_LOOK
			LD(p, POLLING, polling);
#endif
			if
			:: !polling -> interrupt = 1
			:: else
			fi
		:: else
		fi;
		i++
	od
}

inline drain()
{
	RMW(0, HEAD, h, 0);
	handled = handled + (h & 1) + (h >> 1)
}

proctype cpu()
{
	byte h;

	do
	:: handled == 2 * MESSAGES -> break
	:: else ->
		ST(0, POLLING, 1);
		do
		:: LD(0, HEAD, h); if :: h -> break :: else fi
		:: break /* patience is over */
		od;
		ST(0, POLLING, 0);
#ifndef NO_P2
		FENCE(0);
#endif
#ifdef NO_CHECK
		h = 0;
#else
		LD(0, HEAD, h);
#endif
		if
		:: h -> drain()
		:: else ->
			if
			:: handled == 2 * MESSAGES
			:: atomic { interrupt -> interrupt = 0 }; drain()
			fi
		fi
	od
}

init
{
	atomic {
		run flusher(0); run flusher(1); run flusher(2);
		run cpu(); run sender(1); run sender(2)
	}
}
