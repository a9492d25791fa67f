/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware break points and watch points, which a tracer sets in a thread's debug registers (ptrace(2),
 * u_debugreg). The processor's are loaded while such a thread runs; nobody else has any. Owner: cpu/debug.c.
 */
#pragma once

#include "base/types.h"

struct thread;
struct regs;
struct debug_regs;

/* Registers 0 to 7 of a thread that is stopped. Setting: -EIO, -EINVAL for what may not be watched, -ENOMEM.
 */
u64 debug_get(const struct thread *t, unsigned index);
int debug_set(struct thread *t, unsigned index, u64 value);
/* The processor gets D's, or none. Interrupts off. */
void debug_load(const struct debug_regs *d);
/* T has none any more. It is the current thread, or does not run. */
void debug_forget(struct thread *t);
/* A debug exception of an application; returns its SIGTRAP's code. */
int debug_exception(struct regs *r);
/* True for one of the kernel, which touched a watched word: nothing follows from it. */
bool debug_exception_in_kernel(void);
