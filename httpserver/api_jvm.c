/* SPDX-License-Identifier: BSD-2-Clause */
/* Resources that the runtime itself answers, through the glue: the connection waits, suspended, for the reply. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "config.h"
#include "glue.h"
#include "http.h"

#define QUICK_SECONDS 10.0
#define GC_SECONDS    120.0

static void on_reply(void *arg, json_t *result, const char *error)
{
	struct http_request *r = arg;

	r->on_abort = NULL;
	if (result)
		http_reply_json(r, 200, json_incref(result));
	else if (!strcmp(error, "timeout"))
		http_problem(r, 504, "runtime_timeout", "The runtime did not answer in time.");
	else
		http_problem(r, 503, "runtime_unavailable", "The runtime did not answer: %s.", error);
}

static void on_abort(struct http_request *r)
{
	glue_cancel(r->on_abort_arg);
}

static void forward(struct http_request *r, const char *method, json_t *params, double seconds)
{
	struct glue_request *q;

	if (strcmp(r->agent->config->runtime, "java")) {
		json_decref(params);
		http_problem(r, 404, "not_java", "The application's runtime is \"%s\".", r->agent->config->runtime);
		return;
	}
	if (!glue_connected(r->agent->glue)) {
		json_decref(params);
		http_problem(r, 503, "runtime_unavailable", "The Java virtual machine is not up.");
		return;
	}
	http_suspend(r, on_abort, NULL);
	q = glue_call(r->agent->glue, method, params, seconds, on_reply, r);
	if (q)
		r->on_abort_arg = q;
	else
		http_problem(r, 500, "no_memory", "The agent is out of memory.");
}

void api_jvm(struct http_request *r)
{
	forward(r, "info", NULL, QUICK_SECONDS);
}

void api_jvm_memory(struct http_request *r)
{
	forward(r, "memory", NULL, QUICK_SECONDS);
}

void api_jvm_gc(struct http_request *r)
{
	forward(r, "gc", NULL, QUICK_SECONDS);
}

void api_jvm_gc_run(struct http_request *r)
{
	forward(r, "gc.run", NULL, GC_SECONDS);
}

void api_jvm_threads(struct http_request *r)
{
	forward(r, "threads", json_pack("{s:b}", "stacks", 1), QUICK_SECONDS);
}
