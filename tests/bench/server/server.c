/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest service worth measuring: one thread, level-triggered epoll, HTTP/1.1 on port 8080.
 *
 *	GET /mem	MemAvailable of /proc/meminfo in bytes, as text
 *	anything else	100 bytes
 *
 * Requests have no body. A connection is kept until the client asks to close it. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT	     8080
#define BACKLOG	     4096
#define ROUND	     256
#define REQUEST_SIZE 2048
#define FILES	     400000

static int epoll_fd, listener;

static long available_bytes(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && kib < 0 && fgets(line, sizeof line, f))
		sscanf(line, "MemAvailable: %ld", &kib);
	if (f)
		fclose(f);
	return kib << 10;
}

static void watch(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
		err(1, "epoll_ctl");
}

static void accept_all(void)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		watch(fd);
	}
}

/* Answer the one request in REQUEST; false when the connection is to end. */
static int answer(int fd, const char *request)
{
	static const char body[] = "0123456789012345678901234567890123456789012345678"
				   "9012345678901234567890123456789012345678901234567\n";
	int close_after = strcasestr(request, "\r\nConnection: close") != NULL;
	char text[32], reply[512];
	const char *content = body;
	int n;

	if (!strncmp(request, "GET /mem ", 9)) {
		snprintf(text, sizeof text, "%ld", available_bytes());
		content = text;
	}
	n = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s",
		     strlen(content), close_after ? "Connection: close\r\n" : "", content);
	return write(fd, reply, (size_t)n) == n && !close_after;
}

static void serve(int fd)
{
	char request[REQUEST_SIZE];
	ssize_t n = read(fd, request, sizeof request - 1);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		request[n] = '\0';
		if (answer(fd, request))
			return;
	}
	close(fd);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct rlimit files = {FILES, FILES};
	struct epoll_event ev[ROUND];
	int one = 1;

	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, BACKLOG))
		err(1, "port %d", PORT);
	watch(listener);
	for (;;) {
		int n = epoll_wait(epoll_fd, ev, ROUND, -1);

		for (int i = 0; i < n; i++)
			if (ev[i].data.fd == listener)
				accept_all();
			else
				serve(ev[i].data.fd);
	}
}
