/* SPDX-License-Identifier: BSD-2-Clause */
/* Work on other CPUs. */
#pragma once

#include "base/types.h"

/* Make CPU take an interrupt, run its message list and reschedule if needed. Any context. */
void smp_send_reschedule(unsigned cpu);
/* Run FN(ARG) on every CPU whose bit is set in MASK (cpu_count bits), the caller's own included when set, and wait until
 * all are done. FN runs in interrupt context. Caller: interrupts on, no spin lock that FN or an interrupt takes. */
void smp_call(const u64 *mask, void (*fn)(void *), void *arg);
void smp_call_all(void (*fn)(void *), void *arg);
