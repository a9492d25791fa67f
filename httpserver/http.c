/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd without threads of its own: its epoll descriptor is a source of the agent's loop. */
#include "http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "admission.h"
#include "config.h"
#include "library.h"
#include "loop.h"
#include "util.h"

#define CONNECTION_MEMORY (32u << 10)
#define IDLE_SECONDS	  30
#define REQUEST_SECONDS	  10
#define FULL_SECONDS	  0.25 /* for another request on a connection that others wait for */

static struct MHD_Daemon *daemon_;
static unsigned connections;
static struct loop_timer *mhd_timer;

/* A connection may send a byte now and then, but a whole request has to come in REQUEST_SECONDS: otherwise a
 * few clients that never finish keep everybody else out. */
struct deadline {
	struct loop_timer *timer; /* NULL while a request is being answered */
	int fd;
};

static void run_mhd(void *unused);

/* libmicrohttpd looks at resumed connections only when it runs, and nothing else would wake the loop. */
void http_resume(struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	loop_cancel(mhd_timer);
	mhd_timer = loop_after(0, run_mhd, NULL);
}

/* ---- replies ---- */

void http_reply(struct http_request *r, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return;
	r->status = status;
	r->response = response;
	if (r->suspended) {
		r->suspended = false;
		http_resume(r->connection);
	}
}

void http_reply_text(struct http_request *r, unsigned status, const char *type, const char *text, size_t n)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Content-Type", type);
	http_reply(r, status, response);
}

static void reply_dump(struct http_request *r, unsigned status, const char *type, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12));

	json_decref(body);
	if (!text) {
		http_reply(r, 500, MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT));
		return;
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response)
		MHD_add_response_header(response, "Content-Type", type);
	http_reply(r, status, response);
}

void http_reply_json(struct http_request *r, unsigned status, json_t *body)
{
	reply_dump(r, status, "application/json", body);
}

json_t *http_problem_json(unsigned status, const char *code, const char *detail)
{
	return json_pack("{s:s,s:s,s:i,s:s,s:s}", "type", "about:blank", "title",
			 MHD_get_reason_phrase_for(status), "status", (int)status, "code", code, "detail",
			 detail);
}

void http_problem(struct http_request *r, unsigned status, const char *code, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	for (char *p = detail; *p; p++) /* what it quotes may be no UTF-8, which JSON has to be */
		if (*p < ' ' || *p > '~')
			*p = '?';
	reply_dump(r, status, HTTP_PROBLEM_TYPE, http_problem_json(status, code, detail));
}

void http_suspend(struct http_request *r, void (*abort)(struct http_request *), void *arg)
{
	r->suspended = true;
	r->on_abort = abort;
	r->on_abort_arg = arg;
	MHD_suspend_connection(r->connection);
}

const char *http_query(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- routing ---- */

/* The methods of PATH into ALLOW; "*" is the server as a whole. False when there is no such resource. */
static bool allowed_methods(const char *path, char allow[64])
{
	bool all = !strcmp(path, "*"), found = all;

	strcpy(allow, "OPTIONS");
	for (const struct http_route *t = http_routes; t->method; t++) {
		if (!all && strcmp(t->path, path))
			continue;
		found = true;
		if (!strstr(allow, t->method))
			strcat(strcat(allow, ", "), t->method);
		if (!strcmp(t->method, "GET") && !strstr(allow, "HEAD"))
			strcat(allow, ", HEAD");
	}
	return found;
}

static const struct http_route *find_route(const char *method, const char *path)
{
	const char *wanted = strcmp(method, "HEAD") ? method : "GET"; /* the library leaves the body out */

	for (const struct http_route *t = http_routes; t->method; t++)
		if (!strcmp(t->path, path) && !strcmp(t->method, wanted))
			return t;
	return NULL;
}

static void answer(struct http_request *r, const struct http_route *t)
{
	if (t->changes && r->agent->config->api_access != API_FULL)
		http_problem(r, 403, "read_only", "This API was started read-only.");
	else if (r->too_large)
		http_problem(r, 413, "body_too_large", "A body has at most %u bytes.", HTTP_BODY_LIMIT);
	else if (!http_negotiated(r, t))
		return;
	else if (r->malformed)
		http_problem(r, 400, "malformed_json", "The body is not JSON.");
	else
		t->handler(r);
}

static void route(struct http_request *r)
{
	const struct http_route *t = find_route(r->method, r->path);
	char allow[64];

	if (t) {
		answer(r, t);
		return;
	}
	if (!allowed_methods(r->path, allow)) {
		http_problem(r, 404, "not_found", "There is no resource %s.", r->path);
		return;
	}
	if (!strcmp(r->method, "OPTIONS"))
		http_reply(r, 204, MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT));
	else
		http_problem(r, 405, "method_not_allowed", "Use %s.", allow);
	if (r->response)
		MHD_add_response_header(r->response, "Allow", allow);
}

static void take_body(struct http_request *r, const char *data, size_t n)
{
	if (r->raw_len + n > HTTP_BODY_LIMIT) {
		r->too_large = true;
		return;
	}
	char *more = realloc(r->raw, r->raw_len + n);
	if (!more) {
		r->too_large = true;
		return;
	}
	r->raw = more;
	memcpy(r->raw + r->raw_len, data, n);
	r->raw_len += n;
}

/* A client that asks first (Expect: 100-continue) need not send what will not be read. */
static bool announces_too_much(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	return length && MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Expect") &&
	       strtoull(length, NULL, 10) > HTTP_BODY_LIMIT;
}

static enum MHD_Result send_reply(struct http_request *r)
{
	enum MHD_Result ok = library_queue_response(r->connection, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

static struct deadline *deadline_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void deadline_passed(void *arg)
{
	struct deadline *d = arg;

	d->timer = NULL;
	shutdown(d->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes */
}

/* SECONDS from now, or none for 0. */
static void deadline_set(struct deadline *d, double seconds)
{
	if (!d)
		return;
	loop_cancel(d->timer);
	d->timer = seconds > 0 ? loop_after(seconds, deadline_passed, d) : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct deadline *d = *context;

	(void)cls;
	connections += what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = d = calloc(1, sizeof *d);
		if (!d)
			return;
		d->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		deadline_set(d, REQUEST_SECONDS);
	} else if (d) {
		deadline_set(d, 0);
		free(d);
	}
}

/* %00 stays as it is: a path or argument that holds it is none of ours, and not the one that stands before
 * it. */
static size_t unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	(void)cls, (void)connection;
	return strstr(s, "%00") ? strlen(s) : MHD_http_unescape(s);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct http_request *r = *state;

	(void)version;
	if (!r) {
		*state = r = calloc(1, sizeof *r);
		if (!r)
			return MHD_NO;
		*r = (struct http_request){.connection = connection, .agent = cls};
		if (!announces_too_much(connection))
			return MHD_YES;
		http_problem(r, 413, "body_too_large", "A body has at most %u bytes.", HTTP_BODY_LIMIT);
		return r->response ? send_reply(r) : MHD_NO;
	}
	if (*upload_size) {
		take_body(r, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	deadline_set(deadline_of(connection), 0);
	r->method = method;
	r->path = url;
	if (!r->response && http_admitted(r)) {
		if (r->raw_len && !(r->body = json_loadb(r->raw, r->raw_len, 0, NULL)))
			r->malformed = true;
		route(r);
	}
	if (r->suspended)
		return MHD_YES;
	return r->response ? send_reply(r) : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct http_request *r = *state;

	(void)cls, (void)why;
	deadline_set(deadline_of(connection),
		     connections == HTTP_CONNECTION_LIMIT ? FULL_SECONDS : REQUEST_SECONDS);
	if (!r)
		return;
	if (r->suspended && r->on_abort)
		r->on_abort(r);
	if (r->response)
		MHD_destroy_response(r->response);
	json_decref(r->body);
	free(r->raw);
	free(r);
}

/* ---- the loop ---- */

static void arm_timer(void)
{
	MHD_UNSIGNED_LONG_LONG ms;

	loop_cancel(mhd_timer);
	mhd_timer = MHD_get_timeout(daemon_, &ms) == MHD_YES ? loop_after((double)ms / 1000, run_mhd, NULL)
							     : NULL;
}

/* At its limit libmicrohttpd does not watch the listening socket, and only the beginning of a run takes it back:
 * after a run that ended many connections at once nothing else would begin another. */
static void run(void)
{
	bool full = connections == HTTP_CONNECTION_LIMIT;

	MHD_run(daemon_);
	if (full && connections < HTTP_CONNECTION_LIMIT)
		MHD_run(daemon_);
	arm_timer();
}

static void run_mhd(void *unused)
{
	(void)unused;
	mhd_timer = NULL;
	run();
}

static void mhd_event(void *unused, uint32_t events)
{
	(void)unused, (void)events;
	run();
}

bool http_start(const struct agent *agent)
{
	const union MHD_DaemonInfo *info;

	daemon_ = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, (uint16_t)agent->config->api_port,
		NULL, NULL, on_request, (void *)(uintptr_t)agent, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
		unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTION_LIMIT,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	if (!daemon_) {
		complain("api: cannot listen on port %d: %s", agent->config->api_port, strerror(errno));
		return false;
	}
	info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || !loop_watch(info->epoll_fd, EPOLLIN, mhd_event, NULL)) {
		complain("api: cannot watch its connections");
		return false;
	}
	arm_timer();
	return true;
}
