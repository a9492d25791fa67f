/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd without threads of its own: its epoll descriptor is a source of the agent's loop. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "config.h"
#include "loop.h"
#include "util.h"

#define CONNECTION_MEMORY (32u << 10)
#define CONNECTION_LIMIT  64
#define IDLE_SECONDS	  30
#define REQUEST_SECONDS	  10

static struct MHD_Daemon *daemon_;
static struct loop_timer *mhd_timer;

/* A connection may send a byte now and then, but a whole request has to come in REQUEST_SECONDS: otherwise a few clients
 * that never finish keep everybody else out. */
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

static void reply(struct http_request *r, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return;
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	r->status = status;
	r->response = response;
	if (r->suspended) {
		r->suspended = false;
		http_resume(r->connection);
	}
}

void http_reply_text(struct http_request *r, unsigned status, const char *type, const char *text, size_t n)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Content-Type", type);
	reply(r, status, response);
}

static void reply_dump(struct http_request *r, unsigned status, const char *type, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12));

	json_decref(body);
	if (!text) {
		reply(r, 500, MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT));
		return;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (response)
		MHD_add_response_header(response, "Content-Type", type);
	reply(r, status, response);
}

void http_reply_json(struct http_request *r, unsigned status, json_t *body)
{
	reply_dump(r, status, "application/json", body);
}

void http_problem(struct http_request *r, unsigned status, const char *code, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	reply_dump(r, status, "application/problem+json",
		   json_pack("{s:s,s:s,s:i,s:s,s:s}", "type", "about:blank", "title", MHD_get_reason_phrase_for(status),
			     "status", (int)status, "code", code, "detail", detail));
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

/* ---- admission ---- */

static enum MHD_Result count_framing(void *counts, enum MHD_ValueKind kind, const char *name, const char *value)
{
	static const char *const names[] = {"Host", "Content-Length", "Transfer-Encoding"};

	(void)kind, (void)value;
	for (unsigned i = 0; i < 3; i++)
		((unsigned *)counts)[i] += !strcasecmp(name, names[i]);
	return MHD_YES;
}

/* RFC 9112: what could be read in two ways, by us and by somebody on the way, is not read at all. */
static bool ambiguous(struct MHD_Connection *connection)
{
	unsigned n[3] = {0};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, n);
	return n[0] > 1 || n[1] + n[2] > 1;
}

/* The host part of "host:port" or "[v6]:port" in NAME, lower-cased text compared. */
static bool host_known(const struct config *c, const char *host)
{
	char name[256];
	struct in_addr v4;
	struct in6_addr v6;
	size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (n >= sizeof name)
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	if (host[0] == '[') {
		name[n - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &v6) == 1;
	}
	if (inet_pton(AF_INET, name, &v4) == 1 || !strcasecmp(name, "localhost"))
		return true;
	for (char **h = c->api_hosts; h && *h; h++)
		if (!strcasecmp(name, *h))
			return true;
	return false;
}

/* A page of another origin may not use the API through a browser, and a name that is not ours is DNS rebinding. */
static bool admitted(struct http_request *r)
{
	const char *host = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Host");
	const char *origin = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Origin");

	if (ambiguous(r->connection)) {
		http_problem(r, 400, "ambiguous_request", "There may be one Host, and one length of the body.");
		return false;
	}
	if (!host || !host_known(r->agent->config, host)) {
		http_problem(r, 421, "unknown_host", "The Host header names no host that this API serves.");
		return false;
	}
	if (origin) {
		const char *authority = strstr(origin, "://");

		if (!authority || strcmp(authority + 3, host)) {
			http_problem(r, 403, "foreign_origin", "Requests from pages of another origin are refused.");
			return false;
		}
	}
	return true;
}

/* ---- routing ---- */

static void route(struct http_request *r)
{
	bool found = false;
	char allow[64] = "";

	for (const struct http_route *t = http_routes; t->method; t++) {
		if (strcmp(t->path, r->path))
			continue;
		found = true;
		if (strcmp(t->method, r->method) && !(!strcmp(t->method, "GET") && !strcmp(r->method, "HEAD"))) {
			snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s", *allow ? ", " : "", t->method);
			continue;
		}
		if (t->changes && r->agent->config->api_access != API_FULL)
			http_problem(r, 403, "read_only", "This API was started read-only.");
		else if (r->too_large)
			http_problem(r, 413, "body_too_large", "A body has at most %u bytes.", HTTP_BODY_LIMIT);
		else if (r->malformed)
			http_problem(r, 400, "malformed_json", "The body is not JSON.");
		else
			t->handler(r);
		return;
	}
	if (!found) {
		http_problem(r, 404, "not_found", "There is no resource %s.", r->path);
		return;
	}
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
	enum MHD_Result ok = MHD_queue_response(r->connection, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return ok;
}

static struct deadline *deadline_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void deadline_passed(void *arg)
{
	struct deadline *d = arg;

	d->timer = NULL;
	shutdown(d->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes */
}

static void deadline_set(struct deadline *d, bool on)
{
	if (!d)
		return;
	loop_cancel(d->timer);
	d->timer = on ? loop_after(REQUEST_SECONDS, deadline_passed, d) : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct deadline *d = *context;

	(void)cls;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = d = calloc(1, sizeof *d);
		if (!d)
			return;
		d->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		deadline_set(d, true);
	} else if (d) {
		deadline_set(d, false);
		free(d);
	}
}

/* %00 stays as it is: a path or argument that holds it is none of ours, and not the one that stands before it. */
static size_t unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	(void)cls, (void)connection;
	return strstr(s, "%00") ? strlen(s) : MHD_http_unescape(s);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
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
	deadline_set(deadline_of(connection), false);
	r->method = method;
	r->path = url;
	if (!r->response && admitted(r)) {
		if (r->raw_len && !(r->body = json_loadb(r->raw, r->raw_len, 0, NULL)))
			r->malformed = true;
		route(r);
	}
	if (r->suspended)
		return MHD_YES;
	return r->response ? send_reply(r) : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	struct http_request *r = *state;

	(void)cls, (void)why;
	deadline_set(deadline_of(connection), true);
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
	mhd_timer = MHD_get_timeout(daemon_, &ms) == MHD_YES ? loop_after((double)ms / 1000, run_mhd, NULL) : NULL;
}

static void run_mhd(void *unused)
{
	(void)unused;
	mhd_timer = NULL;
	MHD_run(daemon_);
	arm_timer();
}

static void mhd_event(void *unused, uint32_t events)
{
	(void)unused, (void)events;
	MHD_run(daemon_);
	arm_timer();
}

bool http_start(const struct agent *agent)
{
	const union MHD_DaemonInfo *info;

	daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, (uint16_t)agent->config->api_port,
				   NULL, NULL, on_request, (void *)(uintptr_t)agent, MHD_OPTION_NOTIFY_COMPLETED,
				   on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
				   MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTION_LIMIT,
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
