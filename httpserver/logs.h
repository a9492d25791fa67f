/* SPDX-License-Identifier: BSD-2-Clause */
/* The application's output: the last bytes of standard output and standard error, in the order in which they arrived. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 };

struct log_store;

/* CAPACITY bytes of text are kept. */
struct log_store *logs_create(size_t capacity);
void logs_add(struct log_store *l, enum log_stream stream, const char *text, size_t n);
/* Copy text of the STREAMS (mask) from position *POS on, at most SIZE bytes; advances *POS past what was looked at. Text that
 * is no longer kept is skipped. Returns the bytes stored; 0: nothing new. */
size_t logs_read(const struct log_store *l, unsigned streams, uint64_t *pos, char *buf, size_t size);
/* Position of the last K lines of STREAMS. */
uint64_t logs_tail(const struct log_store *l, unsigned streams, unsigned lines);
uint64_t logs_end(const struct log_store *l);
/* Called after each addition: one listener (the API's followers). */
void logs_on_add(struct log_store *l, void (*fn)(void *), void *arg);
