/* SPDX-License-Identifier: BSD-2-Clause */
/* Defining system calls.
 *
 *	SYSCALL_DEFINE3(read, int, fd, void __app *, buf, size_t, count) { ...return bytes or -errno; }
 *
 * defines sys_read() and its description for the tracer and docs/abi.md. The dispatch table is generated from the
 * ABI's numbers (asm/unistd_64.h) with weak references: a call that nobody defines is ENOSYS, counted, and named once
 * on the console. Arguments arrive as 64-bit registers and are cast to the declared types. Handlers run in thread
 * context with interrupts on; current_regs() gives the saved registers. */
#pragma once

#include "base/err.h"
#include "base/types.h"
#include "kernel/app.h"

struct syscall_desc {
	const char *name;
	u8 nargs;
	const char *types[6]; /* as written: the tracer formats by them */
	const char *args[6];
};

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

struct regs;
/* From entry code: run the call that REGS describe and store its result in them. Interrupts on. */
void syscall_dispatch(struct regs *regs);
/* How often call NR was made since boot, and whether there is a handler; for /proc/cortado/syscalls. */
#define SYSCALL_SLOTS 512
u64 syscall_calls_total(unsigned nr);
/* ENOSYS is the answer on purpose: not worth a line on the console (rseq, modify_ldt ...). */
bool syscall_absent_by_design(unsigned nr);

#define SC_P0_
#define SC_P1_(t, n)	 t n
#define SC_P2_(t, n, ...) t n, SC_P1_(__VA_ARGS__)
#define SC_P3_(t, n, ...) t n, SC_P2_(__VA_ARGS__)
#define SC_P4_(t, n, ...) t n, SC_P3_(__VA_ARGS__)
#define SC_P5_(t, n, ...) t n, SC_P4_(__VA_ARGS__)
#define SC_P6_(t, n, ...) t n, SC_P5_(__VA_ARGS__)
#define SC_C1_(t, n)	  (t)a0
#define SC_C2_(t, n, u, m) (t)a0, (u)a1
#define SC_C3_(t, n, u, m, v, o) (t)a0, (u)a1, (v)a2
#define SC_C4_(t, n, u, m, v, o, w, p) (t)a0, (u)a1, (v)a2, (w)a3
#define SC_C5_(t, n, u, m, v, o, w, p, x, q) (t)a0, (u)a1, (v)a2, (w)a3, (x)a4
#define SC_C6_(t, n, u, m, v, o, w, p, x, q, y, r) (t)a0, (u)a1, (v)a2, (w)a3, (x)a4, (y)a5
#define SC_T1_(t, n)	  #t
#define SC_T2_(t, n, ...) #t, SC_T1_(__VA_ARGS__)
#define SC_T3_(t, n, ...) #t, SC_T2_(__VA_ARGS__)
#define SC_T4_(t, n, ...) #t, SC_T3_(__VA_ARGS__)
#define SC_T5_(t, n, ...) #t, SC_T4_(__VA_ARGS__)
#define SC_T6_(t, n, ...) #t, SC_T5_(__VA_ARGS__)
#define SC_N1_(t, n)	  #n
#define SC_N2_(t, n, ...) #n, SC_N1_(__VA_ARGS__)
#define SC_N3_(t, n, ...) #n, SC_N2_(__VA_ARGS__)
#define SC_N4_(t, n, ...) #n, SC_N3_(__VA_ARGS__)
#define SC_N5_(t, n, ...) #n, SC_N4_(__VA_ARGS__)
#define SC_N6_(t, n, ...) #n, SC_N5_(__VA_ARGS__)

#define SYSCALL_DEFINEn_(N, nm, ...)                                                                                 \
	static inline long syscall_##nm##_(SC_P##N##_(__VA_ARGS__));                                                 \
	long sys_##nm(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);                                               \
	long sys_##nm(u64 a0 __maybe_unused, u64 a1 __maybe_unused, u64 a2 __maybe_unused, u64 a3 __maybe_unused, u64 a4 __maybe_unused,           \
		      u64 a5 __maybe_unused)                                                                               \
	{                                                                                                            \
		return syscall_##nm##_(SC_C##N##_(__VA_ARGS__));                                                     \
	}                                                                                                            \
	const struct syscall_desc sysdesc_##nm = {#nm, N, {SC_T##N##_(__VA_ARGS__)}, {SC_N##N##_(__VA_ARGS__)}};     \
	static inline long syscall_##nm##_(SC_P##N##_(__VA_ARGS__))

#define SYSCALL_DEFINE0(nm)                                                                                          \
	static inline long syscall_##nm##_(void);                                                                    \
	long sys_##nm(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);                                               \
	long sys_##nm(u64 a0 __maybe_unused, u64 a1 __maybe_unused, u64 a2 __maybe_unused, u64 a3 __maybe_unused, u64 a4 __maybe_unused,           \
		      u64 a5 __maybe_unused)                                                                               \
	{                                                                                                            \
		return syscall_##nm##_();                                                                            \
	}                                                                                                            \
	const struct syscall_desc sysdesc_##nm = {#nm, 0, {0}, {0}};                                                 \
	static inline long syscall_##nm##_(void)
#define SYSCALL_DEFINE1(nm, ...) SYSCALL_DEFINEn_(1, nm, __VA_ARGS__)
#define SYSCALL_DEFINE2(nm, ...) SYSCALL_DEFINEn_(2, nm, __VA_ARGS__)
#define SYSCALL_DEFINE3(nm, ...) SYSCALL_DEFINEn_(3, nm, __VA_ARGS__)
#define SYSCALL_DEFINE4(nm, ...) SYSCALL_DEFINEn_(4, nm, __VA_ARGS__)
#define SYSCALL_DEFINE5(nm, ...) SYSCALL_DEFINEn_(5, nm, __VA_ARGS__)
#define SYSCALL_DEFINE6(nm, ...) SYSCALL_DEFINEn_(6, nm, __VA_ARGS__)
