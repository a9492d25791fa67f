/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU variables. A variable's own address is its template (and CPU 0's copy at boot); each CPU's GS base holds the
 * distance to its own copy. this_cpu() needs a context that cannot migrate: kernel code is not preempted, so any code
 * that does not sleep in between. */
#pragma once

#include "arch/percpu.h" /* DEFINE_PER_CPU, DECLARE_PER_CPU, this_cpu(var) (an lvalue), per_cpu_ptr(&var, cpu) */

size_t percpu_size(void);	       /* of one CPU's variables, in bytes */
extern unsigned cpu_count;	       /* CPUs that are up; ids are 0 .. cpu_count-1 */
DECLARE_PER_CPU(unsigned, cpu_number);
#define cpu_id() this_cpu(cpu_number)
