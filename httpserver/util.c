/* SPDX-License-Identifier: BSD-2-Clause */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *fmt, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "cortado-agent: ");

	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, 0) <= 0)
		return; /* a host that takes nothing must not hold up the agent */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain to */
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	exit(1);
}

char *read_file(const char *path, size_t limit, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = NULL, *more;
	size_t n = 0, room = 0;
	ssize_t k;

	if (fd < 0)
		return NULL;
	do {
		if (room - n < 2) {
			room = room ? 2 * room : 4096;
			more = realloc(buf, room);
			if (!more)
				goto fail;
			buf = more;
		}
		k = read(fd, buf + n, room - n - 1);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			goto fail;
		n += (size_t)k;
		if (n > limit) {
			errno = EFBIG;
			goto fail;
		}
	} while (k);
	close(fd);
	buf[n] = '\0';
	if (len)
		*len = n;
	return buf;
fail:
	free(buf);
	close(fd);
	return NULL;
}

uint64_t field(const char *text, const char *key, uint64_t fallback)
{
	size_t n = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, n) && (p[n] == ':' || p[n] == ' ' || p[n] == '\t'))
			return strtoull(p + n + 1, NULL, 10);
	return fallback;
}

void format_time(char out[RFC3339_SIZE], const struct timespec *ts)
{
	struct tm tm;
	size_t n;

	gmtime_r(&ts->tv_sec, &tm);
	n = strftime(out, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, RFC3339_SIZE - n, ".%03dZ", (int)(ts->tv_nsec / 1000000 % 1000));
}
