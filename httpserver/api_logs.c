/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/app/logs?stream=stdout|stderr|all&tail=N&follow=true: text as it was written. A follower's
 * connection is suspended while there is nothing new, and resumed when the store grows or its client goes
 * away. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "api.h"
#include "http.h"
#include "logs.h"
#include "loop.h"

#define BLOCK 16384
/* Connections that stay open for as long as the client likes must leave some for everybody else. */
#define FOLLOWERS_MAX (HTTP_CONNECTION_LIMIT / 2)

struct follower {
	struct MHD_Connection *connection;
	const struct log_store *logs;
	unsigned streams;
	uint64_t pos;
	bool follow, suspended;
	struct loop_source *hangup;
	struct follower *next, **link;
};

static struct follower *followers;

static unsigned count_followers(void)
{
	unsigned n = 0;

	for (const struct follower *f = followers; f; f = f->next)
		n += f->follow;
	return n;
}

static void wake(struct follower *f)
{
	if (!f->suspended)
		return;
	f->suspended = false;
	http_resume(f->connection);
}

static void wake_followers(void *unused)
{
	(void)unused;
	for (struct follower *f = followers; f; f = f->next)
		wake(f);
}

/* Nobody reads a suspended connection, so nobody else would see the client go. */
static void client_gone(void *arg, uint32_t events)
{
	struct follower *f = arg;

	(void)events;
	loop_unwatch(f->hangup);
	f->hangup = NULL;
	f->follow = false;
	wake(f);
}

static ssize_t read_logs(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct follower *f = cls;
	size_t n = logs_read(f->logs, f->streams, &f->pos, buf, max);

	(void)pos;
	if (n)
		return (ssize_t)n;
	if (!f->follow)
		return MHD_CONTENT_READER_END_OF_STREAM;
	f->suspended = true;
	MHD_suspend_connection(f->connection);
	return 0;
}

static void follower_free(void *cls)
{
	struct follower *f = cls;

	loop_unwatch(f->hangup);
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	free(f);
}

static int parse_stream(const char *s)
{
	if (!s || !strcmp(s, "all"))
		return LOG_STDOUT | LOG_STDERR;
	return !strcmp(s, "stdout") ? LOG_STDOUT : !strcmp(s, "stderr") ? LOG_STDERR : 0;
}

void api_app_logs(struct http_request *r)
{
	const char *tail = http_query(r, "tail"), *follow = http_query(r, "follow");
	int streams = parse_stream(http_query(r, "stream"));
	char *end = "";
	unsigned long lines = tail ? strtoul(tail, &end, 10) : 0;
	struct follower *f;

	if (!streams) {
		http_problem(r, 400, "invalid_argument", "stream must be stdout, stderr or all.");
		return;
	}
	if (tail && (*end || !*tail || *tail == '-' || lines > 1000000)) {
		http_problem(r, 400, "invalid_argument", "tail must be a number of lines, 0 to 1000000.");
		return;
	}
	if (follow && strcmp(follow, "true") && strcmp(follow, "false")) {
		http_problem(r, 400, "invalid_argument", "follow must be true or false.");
		return;
	}
	if (follow && !strcmp(follow, "true") && count_followers() >= FOLLOWERS_MAX) {
		http_problem(r, 503, "too_many_followers", "At most %u clients can follow the log.",
			     FOLLOWERS_MAX);
		return;
	}
	f = calloc(1, sizeof *f);
	if (!f)
		return;
	*f = (struct follower){
		.connection = r->connection,
		.logs = r->agent->logs,
		.streams = (unsigned)streams,
		.follow = follow && !strcmp(follow, "true"),
		.next = followers,
		.link = &followers,
	};
	if (f->follow)
		f->hangup = loop_watch(
			MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
			EPOLLRDHUP, client_gone, f);
	f->pos = tail ? logs_tail(f->logs, f->streams, (unsigned)lines) : 0;
	if (f->next)
		f->next->link = &f->next;
	followers = f;
	logs_on_add(r->agent->logs, wake_followers, NULL);
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_logs, f, follower_free);
	if (!response) {
		follower_free(f);
		return;
	}
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	http_reply(r, 200, response);
}
