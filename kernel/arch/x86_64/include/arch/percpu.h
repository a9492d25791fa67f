/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU variables over GS. GS base = own area - template, so that %gs:symbol(%rip) reaches the CPU's own copy; CPU 0
 * uses the template itself with GS base 0 and needs no set-up. */
#pragma once

#include "base/types.h"

#define DEFINE_PER_CPU(type, name)  __section(".percpu") __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __section(".percpu") __typeof__(type) name

/* For reading and writing plain scalars and members of structures. GCC drops the segment, silently, when the address of
 * this_cpu(x) is taken, which atomic operations, _Atomic variables and arrays do: use per_cpu_ptr(&x, cpu_id()) there.
 * scripts/check_percpu.py finds offenders in the machine code. */
#define this_cpu(name) (*(__typeof__(name) __seg_gs *)(uintptr_t)&(name))

extern u64 *percpu_offset; /* by CPU: own area - template */
#define per_cpu_ptr(ptr, cpu) ((__typeof__(ptr))((uintptr_t)(ptr) + percpu_offset[cpu]))
