/* SPDX-License-Identifier: BSD-2-Clause */
/* FUTEX_WAIT against FUTEX_WAKE (kernel/sched/futex.c): a waiter that may time out, a waker whose application changes the word
 * first, and the waiter's structure on its stack. Shown: if the waker returned 0, the waiter did not sleep on the old word;
 * nobody touches a structure that is gone. Mutants: NO_F1 (the waiter counts itself in with a plain store), NO_F2 (no fence before
 * the count is read), TOUCH_LATE (the waker touches the waiter after `woken`), NO_WAIT_WOKEN (a timed-out waiter that finds itself
 * taken does not wait for `woken`). */
#define NPROCS 2
#define NVARS  4
#define WORD  0
#define COUNT 1
#define LOCK  2
#define WOKEN 3
#include "tso.h"

bool queued, asleep, gone, timed_out, waker_done;

inline lock_bucket(p)
{
	atomic { sb[p].n == 0 && mem[LOCK] == 0 -> mem[LOCK] = 1 }
}

inline touch()
{
	assert(!gone)
}

proctype waiter()
{
	byte v, n;

#ifdef NO_F1
	ST(0, COUNT, 1);
	mem[LOCK] == 0; /* a lock without a locked instruction: what the fence is for */
	LD(0, WORD, v);
#else
	RMW(0, COUNT, n, mem[COUNT] + 1);
	lock_bucket(0);
	LD(0, WORD, v);
#endif
	if
	:: v != 0 -> /* EAGAIN */
		ST(0, LOCK, 0);
		FENCE(0);
		goto out
	:: else
	fi;
	queued = 1;
	ST(0, LOCK, 0);
	asleep = 1;
	do
	:: LD(0, WOKEN, v); if :: v -> break :: else fi; !asleep; asleep = 1
	:: waker_done -> timed_out = 1; break /* only then: a lost wake-up must not hide behind the timeout */
	:: timed_out = 0; goto early
	od;
	goto unqueue;
early:	/* a timeout at any moment */
	skip;
unqueue:
	lock_bucket(0);
	if
	:: queued ->
		queued = 0;
		ST(0, LOCK, 0);
		/* The waker came, changed the word, returned, and we slept on: the wake-up was lost. */
		assert(!timed_out)
	:: else ->
		ST(0, LOCK, 0);
#ifndef NO_WAIT_WOKEN
		do
		:: LD(0, WOKEN, v); if :: v -> break :: else fi
		od
#endif
	fi;
out:
	gone = 1;
}

proctype waker()
{
	byte n;
	bool taken;

	ST(1, WORD, 1); /* the application */
#ifndef NO_F2
	FENCE(1);
#endif
	LD(1, COUNT, n);
	if
	:: n == 0
	:: else ->
		lock_bucket(1);
		if
		:: queued -> touch(); queued = 0; taken = 1
		:: else
		fi;
		ST(1, LOCK, 0);
		if
		:: taken ->
			touch(); /* w->thread is read */
			ST(1, WOKEN, 1);
			FENCE(1); /* thread_wake()'s */
#ifdef TOUCH_LATE
			touch();
#endif
			asleep = 0
		:: else
		fi
	fi;
	FENCE(1);
	waker_done = 1
}

init
{
	atomic { run flusher(0); run flusher(1); run waiter(); run waker() }
}
