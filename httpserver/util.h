/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, files and times. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* One line on standard error, "cortado-agent: ...". */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* complain, then exit with status 1. Only before the loop runs. */
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The whole of a (pseudo) file, NUL-terminated, at most LIMIT bytes; the caller frees. NULL with errno. *LEN may be NULL. */
char *read_file(const char *path, size_t limit, size_t *len);
/* A number after KEY in the text of a "key value" file such as /proc/meminfo; FALLBACK when it is not there. */
uint64_t field(const char *text, const char *key, uint64_t fallback);
/* RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.123Z" and a NUL. */
#define RFC3339_SIZE 25
void format_time(char out[RFC3339_SIZE], const struct timespec *ts);
