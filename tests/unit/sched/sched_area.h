/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/host/sched_area.c: what the tests of kernel/sched/ share. */
#pragma once

#include "base/types.h"

struct thread;
void sched_area_add_thread(struct thread *t); /* thread_find() knows it; not a kernel thread to futexes */
void sched_area_remove_thread(struct thread *t);
extern _Atomic unsigned sched_area_faults; /* calls of vm_fault_in() */
