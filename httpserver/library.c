/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd has no hook for its own error pages, which are HTML. It queues them by its public
 * MHD_queue_response, as a dynamic library through its symbol table, where this program's definition comes
 * first; tests/test_http.py would notice if that changed. */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

#include "http.h"

static enum MHD_Result (*queue)(struct MHD_Connection *, unsigned, struct MHD_Response *);

enum MHD_Result library_queue_response(struct MHD_Connection *connection, unsigned status,
				       struct MHD_Response *response)
{
	if (!queue) {
		void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");

		if (!symbol)
			return MHD_NO;
		memcpy(&queue, &symbol, sizeof queue);
	}
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	return queue(connection, status, response);
}

static const struct error {
	unsigned status;
	const char *code, *detail;
} errors[] = {
	{400, "malformed_request", "The request is not HTTP/1.1 as RFC 9112 has it."},
	{413, "body_too_large", "The body is too large."},
	{414, "uri_too_long", "The request's target is too long."},
	{431, "headers_too_large", "The request's header fields are too large."},
	{501, "not_implemented", "The request needs a transfer coding that is not known here."},
	{505, "version_not_supported", "Use HTTP/1.1."},
	{0, "internal_error", "The request cannot be answered."},
};

static struct MHD_Response *problem(unsigned status)
{
	const struct error *e = errors;
	json_t *body;
	char *text;

	while (e->status && e->status != status)
		e++;
	body = http_problem_json(status, e->code, e->detail);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return NULL;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response)
		MHD_add_response_header(response, "Content-Type", HTTP_PROBLEM_TYPE);
	return response;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
				   struct MHD_Response *response)
{
	struct MHD_Response *ours = problem(status);
	enum MHD_Result ok = library_queue_response(connection, status, ours ? ours : response);

	if (ours)
		MHD_destroy_response(ours);
	return ok;
}
