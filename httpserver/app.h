/* SPDX-License-Identifier: BSD-2-Clause */
/* The application: starting, watching, restarting and stopping one process, and what became of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct app;
struct config;
struct log_store;

enum app_state { APP_STARTING, APP_RUNNING, APP_STOPPING, APP_BACKOFF, APP_EXITED, APP_FAILED };

/* Output goes to LOGS and through to the agent's own descriptors 1 and 2. FINISHED is called when the application has ended for
 * good: STATUS is 0 or its exit status (128 + N for a signal). NULL on no memory. */
struct app *app_create(const struct config *c, struct log_store *logs, void (*finished)(int status));
/* 0 or -errno: -EALREADY when it runs. A start by hand forgives earlier failures. */
int app_start(struct app *a);
/* SIGTERM, after GRACE seconds SIGKILL; it is not restarted. -ESRCH when nothing runs. Returns at once. */
int app_stop(struct app *a, double grace);
int app_restart(struct app *a, double grace);
/* A child of the agent ended; true when it was the application. */
bool app_reaped(struct app *a, pid_t pid, int status);
/* The kernel (or the agent's user) says that the last kill was for want of memory. */
enum app_state app_state(const struct app *a);
bool app_ready(const struct app *a);	    /* running and all declared ports listen */
bool app_failed_for_good(const struct app *a);
pid_t app_pid(const struct app *a);
unsigned app_restarts(const struct app *a);
json_t *app_json(const struct app *a);	    /* the body of GET /v1/app; new reference */
