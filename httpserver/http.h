/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP: libmicrohttpd driven by the agent's loop, admission (Host, Origin, access), routing, problem details
 * (RFC 9457). */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "agent.h"

#define HTTP_BODY_LIMIT	      (64u << 10)
#define HTTP_CONNECTION_LIMIT 64u
#define HTTP_PROBLEM_TYPE     "application/problem+json"

struct http_request {
	struct MHD_Connection *connection;
	const struct agent *agent;
	const char *method, *path;
	json_t *body; /* parsed; NULL when there was none */
	/* of http.c */
	char *raw;
	size_t raw_len;
	bool too_large, malformed, suspended;
	struct MHD_Response *response; /* ready after a suspension */
	unsigned status;
	void (*on_abort)(struct http_request *); /* the client went away while suspended */
	void *on_abort_arg;
};

/* A handler answers now by one of the http_reply calls, or suspends and answers later (exactly once). */
typedef void (*http_handler)(struct http_request *);

struct http_route {
	const char *method, *path;
	http_handler handler;
	const char *summary;  /* for openapi.json and docs/rest.md */
	bool changes;	      /* needs full access */
	const char *produces; /* media type of the answer; NULL: application/json */
	/* Schemas for openapi.json, as api_openapi.c reads them; NULL: none. */
	const char *answer, *query, *body;
};
extern const struct http_route http_routes[]; /* api.c; ends with method NULL */

/* Each takes RESPONSE or BODY over. */
void http_reply(struct http_request *r, unsigned status, struct MHD_Response *response);
void http_reply_json(struct http_request *r, unsigned status, json_t *body);
void http_reply_text(struct http_request *r, unsigned status, const char *type, const char *text, size_t n);
/* CODE is stable and machine-readable; DETAIL says what to do. */
void http_problem(struct http_request *r, unsigned status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
json_t *http_problem_json(unsigned status, const char *code, const char *detail);
/* The answer comes later, from the loop; ABORT is called instead if the client goes away. */
void http_suspend(struct http_request *r, void (*abort)(struct http_request *), void *arg);
/* Go on with a suspended connection, soon. From the loop. */
void http_resume(struct MHD_Connection *connection);
/* Query argument NAME or NULL. */
const char *http_query(const struct http_request *r, const char *name);

/* Listen on CONFIG's port. False after complaining. */
bool http_start(const struct agent *agent);
