/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU variables on the host: each host thread takes a CPU number of its own the first time it asks
 * (host/sched.c), and reaches its copy by an offset, as in the kernel. CPU 0 (the main thread) uses the
 * template itself. */
#pragma once

#include "base/types.h"

#define DEFINE_PER_CPU(type, name)  __section("percpu") __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __section("percpu") __typeof__(type) name

/* Offset of the calling thread's copies from the templates. */
uintptr_t host_percpu_offset(void);

#define this_cpu(name) (*(__typeof__(name) *)((uintptr_t) & (name) + host_percpu_offset()))

extern u64 *percpu_offset;
#define per_cpu_ptr(ptr, cpu) ((__typeof__(ptr))((uintptr_t)(ptr) + percpu_offset[cpu]))
