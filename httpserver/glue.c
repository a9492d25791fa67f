/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of requests; the head is the one on the wire. A late answer to a request that timed out is known by its id and
 * dropped. A newer connection replaces an older one: the runtime was restarted. */
#include "glue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"
#include "util.h"

#define LINE_LIMIT (8u << 20) /* thread dumps of thousands of threads are long */

struct glue_request {
	struct glue *glue;
	struct glue_request *next;
	json_int_t id;
	char *line; /* what to send; NULL once sent */
	glue_reply fn;
	void *arg;
	struct loop_timer *timer;
};

struct glue {
	int listen_fd, fd;
	struct loop_source *listen_source, *source;
	char *in;
	size_t in_len, in_room;
	char *out;
	size_t out_len, out_done;
	bool watching_out, hello;
	char runtime[16];
	json_int_t last_id;
	struct glue_request *head, **tail;
	void (*on_hello)(void *);
	void *on_hello_arg;
};

static void connection_event(void *arg, uint32_t events);
static void send_next(struct glue *g);

/* Take R off the queue and report. */
static void finish(struct glue_request *r, json_t *result, const char *error)
{
	struct glue *g = r->glue;

	for (struct glue_request **p = &g->head; *p; p = &(*p)->next)
		if (*p == r) {
			*p = r->next;
			if (!r->next)
				g->tail = p;
			break;
		}
	loop_cancel(r->timer);
	if (r->fn)
		r->fn(r->arg, result, error);
	free(r->line);
	free(r);
}

static void disconnect(struct glue *g)
{
	struct glue_request *r;

	if (g->fd < 0)
		return;
	loop_unwatch(g->source);
	close(g->fd);
	g->fd = -1;
	g->source = NULL;
	g->hello = false;
	g->runtime[0] = '\0';
	g->in_len = 0;
	free(g->out);
	g->out = NULL;
	while ((r = g->head))
		finish(r, NULL, "disconnected");
}

static void watch(struct glue *g, bool out)
{
	if (g->source && g->watching_out == out)
		return;
	loop_unwatch(g->source);
	g->watching_out = out;
	g->source = loop_watch(g->fd, EPOLLIN | (out ? EPOLLOUT : 0u), connection_event, g);
}

static bool flush(struct glue *g)
{
	while (g->out && g->out_done < g->out_len) {
		ssize_t n = send(g->fd, g->out + g->out_done, g->out_len - g->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		g->out_done += (size_t)n;
	}
	if (g->out && g->out_done == g->out_len) {
		free(g->out);
		g->out = NULL;
	}
	watch(g, g->out != NULL);
	return g->source != NULL;
}

/* Put the head on the wire, unless it is there already. */
static void send_next(struct glue *g)
{
	if (g->fd < 0 || !g->hello || g->out || !g->head || !g->head->line)
		return;
	g->out = g->head->line;
	g->out_len = strlen(g->out);
	g->out_done = 0;
	g->head->line = NULL;
	if (!flush(g))
		disconnect(g);
}

static void take_hello(struct glue *g, json_t *params)
{
	const char *runtime = json_string_value(json_object_get(params, "runtime"));

	snprintf(g->runtime, sizeof g->runtime, "%s", runtime ? runtime : "");
	g->hello = true;
	if (g->on_hello)
		g->on_hello(g->on_hello_arg);
	send_next(g);
}

static void take_answer(struct glue *g, json_t *m)
{
	json_t *id = json_object_get(m, "id");
	json_t *error = json_object_get(m, "error");
	const char *text = json_string_value(json_object_get(error, "message"));

	if (!g->head || g->head->line || json_integer_value(id) != g->head->id)
		return;
	finish(g->head, error ? NULL : json_object_get(m, "result"), error ? (text ? text : "failed") : NULL);
	send_next(g);
}

static bool take_line(struct glue *g, const char *line, size_t n)
{
	json_t *m = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
	const char *method = json_string_value(json_object_get(m, "method"));

	if (!json_is_object(m)) {
		json_decref(m);
		return false;
	}
	if (method && !strcmp(method, "hello"))
		take_hello(g, json_object_get(m, "params"));
	else
		take_answer(g, m);
	json_decref(m);
	return true;
}

static bool receive(struct glue *g)
{
	if (g->in_room - g->in_len < 65536) {
		char *more = realloc(g->in, g->in_room + 131072);

		if (!more)
			return false;
		g->in = more;
		g->in_room += 131072;
	}
	ssize_t n = recv(g->fd, g->in + g->in_len, g->in_room - g->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	g->in_len += (size_t)n;
	char *start = g->in, *nl;
	while ((nl = memchr(start, '\n', g->in_len - (size_t)(start - g->in)))) {
		if (!take_line(g, start, (size_t)(nl - start)))
			return false;
		if (g->fd < 0)
			return true; /* a callback ended the connection */
		start = nl + 1;
	}
	g->in_len -= (size_t)(start - g->in);
	memmove(g->in, start, g->in_len);
	return g->in_len <= LINE_LIMIT;
}

static void connection_event(void *arg, uint32_t events)
{
	struct glue *g = arg;

	if ((events & EPOLLOUT && !flush(g)) || (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !receive(g)))
		disconnect(g);
}

static void accept_event(void *arg, uint32_t events)
{
	struct glue *g = arg;
	int fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	disconnect(g);
	g->fd = fd;
	watch(g, false);
	if (!g->source)
		disconnect(g);
}

struct glue *glue_listen(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct glue *g = calloc(1, sizeof *g);

	if (!g || strlen(path) >= sizeof sa.sun_path)
		return NULL;
	strcpy(sa.sun_path, path);
	g->fd = -1;
	g->tail = &g->head;
	g->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	if (g->listen_fd < 0 || bind(g->listen_fd, (struct sockaddr *)&sa, sizeof sa) || chmod(path, 0600) ||
	    listen(g->listen_fd, 4) ||
	    !(g->listen_source = loop_watch(g->listen_fd, EPOLLIN, accept_event, g))) {
		complain("%s: %s: the runtime cannot be controlled", path, strerror(errno));
		if (g->listen_fd >= 0)
			close(g->listen_fd);
		free(g);
		return NULL;
	}
	return g;
}

bool glue_connected(const struct glue *g)
{
	return g && g->hello;
}

const char *glue_runtime(const struct glue *g)
{
	return g ? g->runtime : "";
}

void glue_on_hello(struct glue *g, void (*fn)(void *), void *arg)
{
	g->on_hello = fn;
	g->on_hello_arg = arg;
}

static void expired(void *arg)
{
	struct glue_request *r = arg;

	r->timer = NULL;
	struct glue *g = r->glue;
	finish(r, NULL, "timeout");
	send_next(g);
}

struct glue_request *glue_call(struct glue *g, const char *method, json_t *params, double seconds, glue_reply fn, void *arg)
{
	struct glue_request *r = calloc(1, sizeof *r);
	json_t *m = json_pack("{s:s,s:I,s:s,s:o}", "jsonrpc", "2.0", "id", ++g->last_id, "method", method, "params",
			      params ? params : json_object());
	char *text = m ? json_dumps(m, JSON_COMPACT) : NULL;

	json_decref(m);
	if (!r || !text || asprintf(&r->line, "%s\n", text) < 0) {
		free(text);
		free(r);
		return NULL;
	}
	free(text);
	r->glue = g;
	r->id = g->last_id;
	r->fn = fn;
	r->arg = arg;
	r->timer = loop_after(g->hello ? seconds : 0, expired, r); /* not connected: the answer comes from the loop at once */
	*g->tail = r;
	g->tail = &r->next;
	send_next(g);
	return r;
}

void glue_cancel(struct glue_request *r)
{
	r->fn = NULL;
}
