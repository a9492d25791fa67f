/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel log: a ring that /dev/kmsg, syslog(2) and the agent read, echoed to the console by level.
 * Any context, interrupts and panics included. Never on a fast path. One line a call, no trailing newline needed. */
#pragma once

#include "base/types.h"

enum log_level { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

void log_printf(enum log_level level, const char *fmt, ...) __printf(2, 3);
#define log_err(...)   log_printf(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_printf(LOG_WARNING, __VA_ARGS__)
#define log_info(...)  log_printf(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)

/* Lines up to this level reach the console (kernel words: quiet = LOG_ERR, with a trace LOG_WARNING, loglevel=N, debug). */
extern enum log_level log_console_level;
extern u32 log_restricted; /* /proc/sys/kernel/dmesg_restrict: reading it takes CAP_SYSLOG */

/* Read the ring from sequence *SEQ (a byte position; older text that is gone is skipped) as "<level>[ssssss.uuuuuu] text\n".
 * Whole lines only. Returns the bytes stored and advances *SEQ; 0 at the end. */
size_t log_read(u64 *seq, char *buf, size_t size);
u64 log_end(void);
struct waitq;
extern struct waitq log_waitq; /* woken after each line */

/* "function: reason", a back trace, then halt or power off. Never returns. */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);

#ifdef DEBUG
#define ASSERT(cond)                                                                                                 \
	do {                                                                                                         \
		if (unlikely(!(cond)))                                                                               \
			panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #cond);              \
	} while (0)
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif
