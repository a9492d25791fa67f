/* SPDX-License-Identifier: BSD-2-Clause */
/* What other parts of the kernel do with futexes. futex(2), get_robust_list(2). */
#pragma once

#include "base/types.h"

struct thread;
struct vmspace;

/* The current thread T leaves its address space (exit or exec): mark and wake the locks on its robust list, hand over the
 * priority-inheriting ones that it holds. Thread context, the old address space still active. */
void futex_exit_robust(struct thread *t);
/* FUTEX_WAKE, process-shared form: wake up to N waiters on ADDR of VM, the current thread's. Returns how many. */
int futex_wake_addr(struct vmspace *vm, u64 addr, int n);
