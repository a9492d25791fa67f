/* SPDX-License-Identifier: BSD-2-Clause */
/* The agent's end of the control protocol (runtime-glue/proto/README.md): one connection, requests one at a time. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct glue;

/* Answer to a request: RESULT, or NULL with the reason in ERROR. Both are borrowed. */
typedef void (*glue_reply)(void *arg, json_t *result, const char *error);

/* Listen on PATH (replaced if it exists). NULL after complaining. */
struct glue *glue_listen(const char *path);
bool glue_connected(const struct glue *g);
/* "java" or "node" as the glue introduced itself; "" before. */
const char *glue_runtime(const struct glue *g);
/* Queue a request; PARAMS is taken over (NULL: none). FN is called exactly once, later: with the answer, "timeout" after
 * SECONDS, "not connected" or "disconnected". A request's handle is good until FN is called. NULL on no memory (FN not called). */
struct glue_request;
struct glue_request *glue_call(struct glue *g, const char *method, json_t *params, double seconds, glue_reply fn, void *arg);
/* FN will not be called. */
void glue_cancel(struct glue_request *r);
/* Called when a runtime has introduced itself. */
void glue_on_hello(struct glue *g, void (*fn)(void *), void *arg);
