/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping and waking (kernel/sched/wake.c, switch.c): one sleeper that waits ROUNDS times for a condition, two wakers.
 * Shown: no wake-up is lost (the sleeper always ends), the thread is queued at most once, and nobody runs it while its
 * stack is in use. Mutants: NO_S1, NO_W1 (a fence is gone), BLIND_COMMIT (the commit does not compare). */
#define NPROCS 3
#define NVARS  3
#define STATE 0	 /* 0 running, 1 sleeping state, 3 the same, committed (ASLEEP) */
#define COND1 1
#define COND2 2
#include "tso.h"

byte queued;  /* on a run queue, not running */
bool on_cpu = 1;
bool finished;

inline place()
{
	atomic {
		assert(queued == 0); /* queued twice: it would run on two CPUs */
		queued = 1
	}
}

inline wake(p, cond)
{
	ST(p, cond, 1);
#ifndef NO_W1
	FENCE(p);
#endif
	LD(p, STATE, s);
	do
	:: s == 0 -> break
	:: s != 0 ->
		CAS(p, STATE, s, 0, ok);
		if
		:: ok && s == 3 -> place(); break
		:: ok && s != 3 -> break
		:: !ok -> LD(p, STATE, s)
		fi
	od
}

proctype waker(byte p; byte cond)
{
	byte s;
	bool ok;

	wake(p, cond)
}

inline sleep_on(cond)
{
	do
	::
#ifdef NO_S1
		ST(0, STATE, 1);
#else
		RMW(0, STATE, c, 1);
#endif
		LD(0, cond, c);
		if
		:: c -> ST(0, STATE, 0); break
		:: else
		fi;
		/* schedule() */
		LD(0, STATE, c);
		if
		:: c == 0 /* woken before the commit */
		:: else ->
#ifdef BLIND_COMMIT
			RMW(0, STATE, c, 3);
			ok = 1;
#else
			CAS(0, STATE, 1, 3, ok);
#endif
			if
			:: ok ->
				on_cpu = 0;	/* switched out */
				atomic { queued == 1 -> queued = 0; assert(!on_cpu); on_cpu = 1 }
			:: else
			fi
		fi
	od
}

proctype sleeper()
{
	byte c;
	bool ok;

	sleep_on(COND1);
	sleep_on(COND2);
	finished = 1
}

init
{
	atomic {
		run flusher(0); run flusher(1); run flusher(2);
		run sleeper(); run waker(1, COND1); run waker(2, COND2)
	}
}
