/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll for descriptors, a sorted list for the few timers. Sources that a callback removes are freed after the round, so
 * that an event already fetched for one of them finds it marked dead instead of gone. */
#include "loop.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent.h"
#include "util.h"

#define ROUND 32

struct loop_source {
	int fd;
	void (*fn)(void *, uint32_t);
	void *arg;
	bool dead;
	struct loop_source *next_dead;
};

struct loop_timer {
	double at;
	void (*fn)(void *);
	void *arg;
	struct loop_timer *next;
};

static int epoll_fd = -1;
static bool running = true;
static struct loop_source *graveyard;
static struct loop_timer *timers;

void loop_init(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		fatal("epoll_create1: %s", strerror(errno));
}

struct loop_source *loop_watch(int fd, uint32_t events, void (*fn)(void *, uint32_t), void *arg)
{
	struct loop_source *s = malloc(sizeof *s);

	if (!s)
		return NULL;
	*s = (struct loop_source){.fd = fd, .fn = fn, .arg = arg};
	struct epoll_event ev = {.events = events, .data.ptr = s};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
		free(s);
		return NULL;
	}
	return s;
}

void loop_unwatch(struct loop_source *s)
{
	if (!s || s->dead)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	s->dead = true;
	s->next_dead = graveyard;
	graveyard = s;
}

struct loop_timer *loop_after(double seconds, void (*fn)(void *), void *arg)
{
	struct loop_timer *t = malloc(sizeof *t), **p = &timers;

	if (!t)
		return NULL;
	*t = (struct loop_timer){.at = now_seconds() + seconds, .fn = fn, .arg = arg};
	while (*p && (*p)->at <= t->at)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	return t;
}

void loop_cancel(struct loop_timer *t)
{
	for (struct loop_timer **p = &timers; *p; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			free(t);
			return;
		}
}

static void run_timers(void)
{
	double now = now_seconds();

	while (timers && timers->at <= now) {
		struct loop_timer t = *timers;

		free(timers);
		timers = t.next;
		t.fn(t.arg);
	}
}

static int timeout_ms(void)
{
	if (!timers)
		return -1;
	double left = timers->at - now_seconds();
	return left <= 0 ? 0 : left > 3600 ? 3600000 : (int)ceil(left * 1000);
}

void loop_run(void)
{
	struct epoll_event ev[ROUND];

	while (running) {
		int n = epoll_wait(epoll_fd, ev, ROUND, timeout_ms());

		for (int i = 0; i < n && running; i++) {
			struct loop_source *s = ev[i].data.ptr;

			if (!s->dead)
				s->fn(s->arg, ev[i].events);
		}
		run_timers();
		while (graveyard) {
			struct loop_source *s = graveyard;

			graveyard = s->next_dead;
			free(s);
		}
	}
}

void loop_stop(void)
{
	running = false;
}
