/* SPDX-License-Identifier: BSD-2-Clause */
/* The management agent: pid 1 of a Cortado image, an ordinary Linux program elsewhere.
 *
 * Theory. One thread, one epoll loop (loop.h). Everything that can wait is a source in it: libmicrohttpd's own epoll descriptor,
 * signals, the application's output, the glue connection, timers. So no state is locked, and nothing here may block. An HTTP
 * request that needs the runtime's answer suspends its connection and is resumed when the glue replies. The agent reads its
 * configuration once (config.h), starts the application and the API side by side, and from then on reacts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct config;
struct app;
struct glue;
struct log_store;
struct governor;

struct agent {
	const struct config *config;
	struct app *app;
	struct log_store *logs;
	struct glue *glue;
	double started; /* now_seconds() at start */
};

/* CLOCK_MONOTONIC in seconds. */
static inline double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
