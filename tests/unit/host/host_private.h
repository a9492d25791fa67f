/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the shim's own files. */
#pragma once

#include "host.h"

extern _Atomic u64 host_now;
/* When the next timer is due, ~0 for never. */
u64 host_next_timer(void);
void host_timers_reset(void);
bool host_threads_alone(void); /* only the caller is left */
