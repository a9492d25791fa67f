/* SPDX-License-Identifier: BSD-2-Clause */
/* The sleeping lock (kernel/sched/mutex.c): three threads; each takes and releases the mutex ROUNDS times; thread 3 may give
 * up (a fatal signal). Shown: one owner at a time, no lost wake-up, a waiter passed over once is handed the mutex.
 * A sleeping thread is a `sleep` flag that a wake-up clears (sleep_wake.pml shows that this is sound).
 * Mutants: NO_WAITERS (a waiter does not announce itself), NO_LOCK (unlock looks at the waiters without the lock), NO_HANDOFF
 * (a barger may win for ever: a waiter is passed over twice). */
#define NPROCS 4
#define NVARS  2
#define OWNER 0	 /* thread number, + 8 WAITERS, + 16 HANDOFF */
#define LOCK  1
#define WAITERS 8
#define HANDOFF 16
#define FLAGS	24
#define ROUNDS	2
#include "tso.h"

chan list = [3] of { byte }; /* guarded by LOCK */
bool asleep[NPROCS], woken[NPROCS], granted[NPROCS];
byte passed[NPROCS];
byte inside;

inline lock_spin(p)
{
	atomic { sb[p].n == 0 && mem[LOCK] == 0 -> mem[LOCK] = 1 }
}

inline unlock_spin(p)
{
	ST(p, LOCK, 0)
}

/* The fast path, also the barging one: free but for flags. */
inline try_take(p)
{
	atomic {
		sb[p].n == 0 ->
		if
		:: (mem[OWNER] & 7) == 0 -> mem[OWNER] = mem[OWNER] | p; ok = 1
		:: else -> ok = 0
		fi
	}
}

inline is_first(p)
{
	list?[eval(p)]
}

inline leave(p)
{
	atomic {
		list??eval(p);
		if :: empty(list) -> sb[p].n == 0 -> mem[OWNER] = mem[OWNER] & 7 :: nempty(list) fi
	}
}

inline wake_first(p)
{
	atomic {
		if
		:: nempty(list) -> list?<w>; woken[w] = 1; asleep[w] = 0; w = 0
		:: empty(list)
		fi
	}
}

inline lock_slow(p)
{
	lock_spin(p);
	atomic { list!p; woken[p] = 0; granted[p] = 0; passed[p] = 0 };
	do
	::
		asleep[p] = 1; /* the state is set before the owner is looked at */
		if
		:: granted[p] -> got = 1; break
		:: else
		fi;
#ifndef NO_WAITERS
		RMW(p, OWNER, v, mem[OWNER] | WAITERS);
#endif
		try_take(p);
		if
		:: ok ->
			if :: list?[eval(p)] -> RMW(p, OWNER, v, mem[OWNER] & ~HANDOFF) :: else fi;
			leave(p);
			got = 1;
			break
		:: else
		fi;
		if
		:: p == 3 -> /* a fatal signal, perhaps */
			if :: list?[eval(p)] -> RMW(p, OWNER, v, mem[OWNER] & ~HANDOFF) :: else fi;
			/* Nobody need be woken: the mutex is held, and whoever holds it meets WAITERS and this lock. */
			assert((mem[OWNER] & 7) != 0);
			leave(p);
			got = 0;
			break
		:: 1
		fi;
		if
		:: woken[p] && list?[eval(p)] ->
			passed[p]++;
#ifndef NO_HANDOFF
			assert(passed[p] <= 1);
			RMW(p, OWNER, v, mem[OWNER] | HANDOFF)
#else
			assert(passed[p] <= 2)
#endif
		:: else
		fi;
		unlock_spin(p);
		!asleep[p]; /* schedule() */
		lock_spin(p)
	od;
	unlock_spin(p);
	asleep[p] = 0
}

inline unlock(p)
{
	CAS(p, OWNER, p, 0, ok);
	if
	:: ok
	:: else ->
#ifndef NO_LOCK
		lock_spin(p);
#endif
		LD(p, OWNER, v);
		if
		:: (v & HANDOFF) && nempty(list) ->
			atomic {
				sb[p].n == 0 ->
				list?w;
				granted[w] = 1;
				mem[OWNER] = w;
				if :: nempty(list) -> mem[OWNER] = w | WAITERS :: empty(list) fi;
				asleep[w] = 0;
				w = 0
			}
		:: else ->
			RMW(p, OWNER, v, mem[OWNER] & FLAGS);
			wake_first(p)
		fi;
#ifndef NO_LOCK
		unlock_spin(p);
#endif
	fi
}

proctype thread(byte p)
{
	byte v, w, i;
	bool ok, got;

	do
	:: i == ROUNDS -> break
	:: i < ROUNDS ->
		got = 0;
		CAS(p, OWNER, 0, p, ok);
		if
		:: ok -> got = 1
		:: else -> lock_slow(p)
		fi;
		if
		:: got ->
			inside++;
			assert(inside == 1);
			inside--;
			unlock(p)
		:: else
		fi;
		i++
	od
}

init
{
	atomic {
		run flusher(1); run flusher(2); run flusher(3);
		run thread(1); run thread(2); run thread(3)
	}
}
