/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: callbacks on descriptors and one-shot timers, all on one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop_source;
struct loop_timer;

/* Call FN(ARG, EVENTS) when FD has EVENTS (EPOLLIN ...), level-triggered. NULL on no memory or a bad descriptor. */
struct loop_source *loop_watch(int fd, uint32_t events, void (*fn)(void *arg, uint32_t events), void *arg);
/* Stop watching; FD stays open. Safe inside any callback, its own included. NULL is fine. */
void loop_unwatch(struct loop_source *s);
/* Call FN(ARG) once, SECONDS from now. NULL on no memory. The timer is gone when FN runs. */
struct loop_timer *loop_after(double seconds, void (*fn)(void *arg), void *arg);
void loop_cancel(struct loop_timer *t);

void loop_init(void);
/* Run until loop_stop(). */
void loop_run(void);
void loop_stop(void);
