/* SPDX-License-Identifier: BSD-2-Clause */
#include "console.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

struct console {
	int fd;
	char *text; /* what is still to be written */
	size_t len, room;
	struct loop_source *source; /* while there is such */
	void (*drained)(void *);
	void *arg;
};

static struct console consoles[] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};

static struct console *console_of(enum log_stream stream)
{
	return &consoles[stream == LOG_STDERR];
}

/* Write what fits, waiting up to PATIENCE milliseconds (-1: for ever) whenever nothing does; say how much
 * that was. The descriptors may be shared with others, so they are not made non-blocking; room for PIPE_BUF
 * bytes is what poll tells of. */
static size_t push(int fd, const char *text, size_t n, int patience)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t done = 0;

	while (done < n && poll(&p, 1, patience) > 0) {
		ssize_t k = write(fd, text + done, n - done < PIPE_BUF ? n - done : PIPE_BUF);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN)
			break;
		if (k <= 0)
			return n; /* nobody is there to take it; the log keeps it */
		done += (size_t)k;
	}
	return done;
}

static void stop_waiting(struct console *c)
{
	loop_unwatch(c->source);
	c->source = NULL;
}

static void on_room(void *arg, uint32_t events)
{
	struct console *c = arg;
	size_t done = push(c->fd, c->text, c->len, 0);

	(void)events;
	c->len -= done;
	memmove(c->text, c->text + done, c->len);
	if (c->len)
		return;
	stop_waiting(c);
	if (c->drained)
		c->drained(c->arg);
}

static bool keep(struct console *c, const char *text, size_t n)
{
	if (c->len + n > c->room) {
		char *more = realloc(c->text, c->len + n);

		if (!more)
			return false;
		c->text = more;
		c->room = c->len + n;
	}
	memcpy(c->text + c->len, text, n);
	c->len += n;
	return true;
}

bool console_write(enum log_stream stream, const char *text, size_t n)
{
	struct console *c = console_of(stream);
	size_t done = c->len ? 0 : push(c->fd, text, n, 0);

	if (done == n)
		return true;
	if (!keep(c, text + done, n - done))
		return !c->len; /* lost here; the log keeps it */
	if (!c->source)
		c->source = loop_watch(c->fd, EPOLLOUT, on_room, c);
	if (c->source)
		return false;
	c->len -= push(c->fd, c->text, c->len, -1); /* cannot be watched */
	return true;
}

void console_on_drained(enum log_stream stream, void (*fn)(void *), void *arg)
{
	console_of(stream)->drained = fn;
	console_of(stream)->arg = arg;
}

void console_flush(int patience)
{
	for (size_t i = 0; i < sizeof consoles / sizeof *consoles; i++) {
		struct console *c = &consoles[i];

		push(c->fd, c->text, c->len, patience);
		c->len = 0;
		stop_waiting(c);
	}
}
