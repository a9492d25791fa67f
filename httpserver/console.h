/* SPDX-License-Identifier: BSD-2-Clause */
/* The agent's own stdout and stderr, to which it passes the application's output on. A host that takes
 * nothing must not hold up the loop: what cannot be written now is kept and written when there is room. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "logs.h"

/* Pass N bytes on. False: they are not all out yet, and the callback comes when they are; more is taken all
 * the same. */
bool console_write(enum log_stream stream, const char *text, size_t n);
void console_on_drained(enum log_stream stream, void (*fn)(void *), void *arg);
/* The end: wait until everything is out, or nothing was taken for PATIENCE milliseconds (-1: however long it
 * takes). */
void console_flush(int patience);
