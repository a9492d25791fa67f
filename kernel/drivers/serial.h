/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550 behind console_write(). */
#pragma once

#include "base/types.h"

/* Write S polled, each newline as CR LF, after whatever is queued. From the first instruction on; any
 * context. */
void serial_write_polled(const char *s, size_t n);
bool serial_present(void);
