/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/app/logs?stream=stdout|stderr|all&tail=N&follow=true: text as it was written. A follower's connection is suspended
 * while there is nothing new, and resumed when the store grows. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "http.h"
#include "logs.h"

#define BLOCK 16384

struct follower {
	struct MHD_Connection *connection;
	const struct log_store *logs;
	unsigned streams;
	uint64_t pos;
	bool follow, suspended;
	struct follower *next, **link;
};

static struct follower *followers;

static void wake_followers(void *unused)
{
	(void)unused;
	for (struct follower *f = followers; f; f = f->next)
		if (f->suspended) {
			f->suspended = false;
			http_resume(f->connection);
		}
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
	f->pos = tail ? logs_tail(f->logs, f->streams, (unsigned)lines) : 0;
	if (f->next)
		f->next->link = &f->next;
	followers = f;
	logs_on_add(r->agent->logs, wake_followers, NULL);
	r->status = 200;
	r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_logs, f, follower_free);
	if (!r->response)
		follower_free(f);
	else
		MHD_add_response_header(r->response, "Content-Type", "text/plain; charset=utf-8");
}
