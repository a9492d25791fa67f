/* SPDX-License-Identifier: BSD-2-Clause */
/* x86's memory model for Promela: each process has a FIFO store buffer of BUF entries, which drains at any moment.
 * A model defines NVARS (variables), NPROCS (processes), then includes this and runs flusher(p) for each process.
 *   ST(p, var, value)              plain store: into the buffer
 *   LD(p, var, out)                plain load: own buffer first, then memory
 *   FENCE(p)                       waits until the buffer is empty (mfence, or any locked instruction)
 *   RMW(p, var, out, expression)   locked instruction: drains, then out = old value and memory = expression, at once
 *   CAS(p, var, old, new, ok)      locked compare-and-exchange */
#ifndef BUF
#define BUF 2
#endif
byte mem[NVARS];
typedef buffer {
	byte var[BUF];
	byte val[BUF];
	byte n;
};
buffer sb[NPROCS];

#define ST(p, v, x)                                                                                                  \
	atomic { sb[p].n < BUF -> sb[p].var[sb[p].n] = v; sb[p].val[sb[p].n] = x; sb[p].n++ }
#define LD(p, v, out)                                                                                                \
	d_step {                                                                                                     \
		out = mem[v];                                                                                        \
		if :: sb[p].n > 0 && sb[p].var[0] == v -> out = sb[p].val[0] :: else fi;                             \
		if :: sb[p].n > 1 && sb[p].var[1] == v -> out = sb[p].val[1] :: else fi                              \
	}
#define FENCE(p) (sb[p].n == 0)
#define RMW(p, v, out, x) atomic { sb[p].n == 0 -> out = mem[v]; mem[v] = x }
#define CAS(p, v, old, new, ok)                                                                                      \
	atomic { sb[p].n == 0 -> if :: mem[v] == (old) -> mem[v] = (new); ok = 1 :: else -> ok = 0 fi }

proctype flusher(byte p)
{
end:
	do
	:: atomic {
		sb[p].n > 0 ->
		mem[sb[p].var[0]] = sb[p].val[0];
		sb[p].n--;
		sb[p].var[0] = sb[p].var[1];
		sb[p].val[0] = sb[p].val[1];
		sb[p].var[1] = 0;
		sb[p].val[1] = 0
	}
	od
}
