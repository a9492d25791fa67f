/* SPDX-License-Identifier: BSD-2-Clause */
/* Grace periods (kernel/sched/rcu.c): CPU 0 replaces a pointer, waits for a grace period and frees the old object; CPU 1 reads in
 * a thread, goes idle, takes interrupts that read, and answers when it is asked. Shown: no reader uses a freed object, and the
 * grace period ends. Mutants: NO_R1, NO_R2, NO_R3 (a fence is gone), NO_IRQ_ENTER (an interrupt does not say that the CPU is not
 * idle), EARLY_ANSWER (a CPU answers inside a reader). */
#define NPROCS 2
#define NVARS  4
#define PTR    0 /* 0: old object, 1: new one */
#define WANTED 1
#define IDLE   2
#define HOLD   3 /* 1: the CPU still holds out */
#include "tso.h"

bool freed, finished;
byte interrupts; /* that will hit the halted CPU */

inline read_section()
{
	LD(1, PTR, r);
	if
	:: r == 0 ->
#ifdef EARLY_ANSWER
		answer();
#endif
		assert(!freed)
	:: else
	fi;
	if :: r == 0 -> assert(!freed) :: else fi;
	r = 0
}

/* rcu_quiescent(): the exchange takes the request, then the hold-out is gone. */
inline answer()
{
	LD(1, WANTED, w);
	if
	:: w ->
		RMW(1, WANTED, w, 0);
		if :: w -> RMW(1, HOLD, w, 0) :: else fi
	:: else
	fi;
	w = 0
}

proctype reader_cpu()
{
	byte r, w, n;

end:
	do
	:: n < 3 -> n++; read_section()
	:: answer() /* schedule() */
	:: n < 2 -> /* idle */
		n++;
#ifdef NO_R1
		ST(1, IDLE, 1);
#else
		RMW(1, IDLE, w, 1);
#endif
		LD(1, WANTED, w);
		if
		:: w == 0 -> /* halted; an interrupt comes */
			if
			:: interrupts > 0 -> interrupts--
			:: finished -> break /* none comes: a grace period must not depend on it */
			fi;
#ifndef NO_IRQ_ENTER
#ifdef NO_R3
			ST(1, IDLE, 0);
#else
			RMW(1, IDLE, w, 0);
#endif
#endif
			read_section()
		:: else
		fi;
		RMW(1, IDLE, w, 0);
		w = 0;
		answer()
	:: finished -> break
	od
}

proctype updater()
{
	byte i, w;

	ST(0, PTR, 1);
	/* ask_cpus() */
	ST(0, HOLD, 1);
	ST(0, WANTED, 1);
#ifndef NO_R2
	FENCE(0);
#endif
	LD(0, IDLE, i);
	if
	:: i ->
		RMW(0, WANTED, w, 0);
		if :: w -> RMW(0, HOLD, w, 0) :: else fi
	:: else
	fi;
	sb[0].n == 0 && mem[HOLD] == 0; /* sleep */
	freed = 1;
	finished = 1
}

init
{
	atomic {
		if :: interrupts = 0 :: interrupts = 1 fi; run flusher(0); run flusher(1); run reader_cpu(); run updater() }
}
