/* SPDX-License-Identifier: BSD-2-Clause */
/* Defining system calls.
 *
 *	SYSCALL_DEFINE3(read, int, fd, void __app *, buf, size_t, count) { ...return bytes or -errno; }
 *
 * defines sys_read() and its description for the tracer. The dispatch table is generated from the ABI's numbers
 * (asm/unistd_64.h) with weak references: a call that nobody defines is ENOSYS, counted, and named once on the
 * console. Arguments arrive as 64-bit registers and are cast to the declared types. Handlers run in thread context
 * with interrupts on; current_regs() gives the saved registers. */
#pragma once

#include "base/err.h"
#include "base/types.h"
#include "kernel/app.h"
#include <asm/unistd.h>

/* What the tracer knows of an argument by its type. */
enum syscall_type {
	SYSCALL_NONE, /* behind the last argument */
	SYSCALL_INT,
	SYSCALL_UNSIGNED,
	SYSCALL_LONG,
	SYSCALL_WORD, /* 64 bits without a sign */
	SYSCALL_STRING,
	SYSCALL_POINTER,
} __packed;

struct syscall_desc {
	u16 nr;
	enum syscall_type types[6];
};
/* What SYSCALL_DEFINE leaves for the tracer: a linker section, in no order. */
extern const struct syscall_desc __start_syscall_descs[], __stop_syscall_descs[];

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

struct regs;
/* From entry code: run the call that REGS describe and store its result in them. Interrupts on. */
void syscall_dispatch(struct regs *regs);
/* How often call NR was made since boot, and whether there is a handler; for /proc/cortado/syscalls. */
#define SYSCALL_SLOTS 512
u64 syscall_calls_total(unsigned nr);
/* The ABI's name of call NR; NULL: it has none. */
const char *syscall_name(u64 nr);
/* ENOSYS is the answer on purpose: not worth a line on the console (rseq, modify_ldt ...). */
bool syscall_absent_by_design(unsigned nr);

#define SC_TYPE_(t)                                 \
	_Generic((t)0,                              \
		int: SYSCALL_INT,                   \
		unsigned: SYSCALL_UNSIGNED,         \
		long: SYSCALL_LONG,                 \
		long long: SYSCALL_LONG,            \
		unsigned long: SYSCALL_WORD,        \
		unsigned long long: SYSCALL_WORD,   \
		const char __app *: SYSCALL_STRING, \
		default: SYSCALL_POINTER)

/* Of N pairs of type and name: the parameters, the registers cast to them, what the tracer knows of them. */
#define SC_P0_()	  void
#define SC_P1_(t, n)	  t n
#define SC_P2_(t, n, ...) t n, SC_P1_(__VA_ARGS__)
#define SC_P3_(t, n, ...) t n, SC_P2_(__VA_ARGS__)
#define SC_P4_(t, n, ...) t n, SC_P3_(__VA_ARGS__)
#define SC_P5_(t, n, ...) t n, SC_P4_(__VA_ARGS__)
#define SC_P6_(t, n, ...) t n, SC_P5_(__VA_ARGS__)
#define SC_C0_()
#define SC_C1_(t, n)				   (t)a0
#define SC_C2_(t, n, u, m)			   (t)a0, (u)a1
#define SC_C3_(t, n, u, m, v, o)		   (t)a0, (u)a1, (v)a2
#define SC_C4_(t, n, u, m, v, o, w, p)		   (t)a0, (u)a1, (v)a2, (w)a3
#define SC_C5_(t, n, u, m, v, o, w, p, x, q)	   (t)a0, (u)a1, (v)a2, (w)a3, (x)a4
#define SC_C6_(t, n, u, m, v, o, w, p, x, q, y, r) (t)a0, (u)a1, (v)a2, (w)a3, (x)a4, (y)a5
#define SC_T0_()
#define SC_T1_(t, n)	  SC_TYPE_(t)
#define SC_T2_(t, n, ...) SC_TYPE_(t), SC_T1_(__VA_ARGS__)
#define SC_T3_(t, n, ...) SC_TYPE_(t), SC_T2_(__VA_ARGS__)
#define SC_T4_(t, n, ...) SC_TYPE_(t), SC_T3_(__VA_ARGS__)
#define SC_T5_(t, n, ...) SC_TYPE_(t), SC_T4_(__VA_ARGS__)
#define SC_T6_(t, n, ...) SC_TYPE_(t), SC_T5_(__VA_ARGS__)

#define SYSCALL_DEFINEn_(N, nm, ...)                                                        \
	static inline long syscall_##nm##_(SC_P##N##_(__VA_ARGS__));                        \
	long sys_##nm(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);                      \
	long sys_##nm(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)                       \
	{                                                                                   \
		return syscall_##nm##_(SC_C##N##_(__VA_ARGS__));                            \
	}                                                                                   \
	static const struct syscall_desc sysdesc_##nm __section("syscall_descs") __used = { \
		__NR_##nm, {SC_T##N##_(__VA_ARGS__)}};                                      \
	static inline long syscall_##nm##_(SC_P##N##_(__VA_ARGS__))

#define SYSCALL_DEFINE0(nm)	 SYSCALL_DEFINEn_(0, nm)
#define SYSCALL_DEFINE1(nm, ...) SYSCALL_DEFINEn_(1, nm, __VA_ARGS__)
#define SYSCALL_DEFINE2(nm, ...) SYSCALL_DEFINEn_(2, nm, __VA_ARGS__)
#define SYSCALL_DEFINE3(nm, ...) SYSCALL_DEFINEn_(3, nm, __VA_ARGS__)
#define SYSCALL_DEFINE4(nm, ...) SYSCALL_DEFINEn_(4, nm, __VA_ARGS__)
#define SYSCALL_DEFINE5(nm, ...) SYSCALL_DEFINEn_(5, nm, __VA_ARGS__)
#define SYSCALL_DEFINE6(nm, ...) SYSCALL_DEFINEn_(6, nm, __VA_ARGS__)
