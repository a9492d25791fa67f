/* SPDX-License-Identifier: BSD-2-Clause */
/* One step a second while the balloon is away from its boot size or moving; otherwise only when the target changes. A step:
 * memory figures, the heap's figures from the glue, the governor's decision, and the calls that carry it out. */
#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent.h"
#include "glue.h"
#include "governor.h"
#include "loop.h"
#include "memory.h"
#include "util.h"

#define STEP_SECONDS 0.5
#define CALL_SECONDS 60.0
/* HotSpot's own defaults, and what makes a collection give back nearly all that is free. */
#define RATIO_MIN_DEFAULT 40
#define RATIO_MAX_DEFAULT 70
#define RATIO_MIN_TIGHT	  5
#define RATIO_MAX_TIGHT	  10

static const struct agent *agent;
static struct governor governor;
static struct loop_timer *step_timer;
static bool busy; /* a call to the runtime is under way */
static char collector[16];

static void step(void *unused);

static void schedule(void)
{
	struct balloon b;

	if (!step_timer && balloon_read(&b) && (b.target != b.boot || b.actual != b.target || governor.tight))
		step_timer = loop_after(STEP_SECONDS, step, NULL);
}

static void call(const char *method, json_t *params, glue_reply fn)
{
	busy = glue_call(agent->glue, method, params, CALL_SECONDS, fn, NULL) != NULL;
	if (!busy)
		schedule();
}

static void on_done(void *arg, json_t *result, const char *error)
{
	(void)arg, (void)result;
	busy = false;
	if (error && strcmp(error, "disconnected"))
		complain("heap: the runtime refused: %s", error);
	schedule();
}

static void on_tight(void *arg, json_t *result, const char *error)
{
	(void)arg, (void)result, (void)error;
	call("gc.run", NULL, on_done); /* also when the ratios were refused: a collection alone may help */
}

static bool soft_limit(void)
{
	return !strcmp(collector, "z") || !strcmp(collector, "shenandoah");
}

static void shrink(const struct governor_input *in)
{
	if (!strcmp(glue_runtime(agent->glue), "node")) {
		call("gc.run", NULL, on_done);
	} else if (soft_limit()) {
		char value[24];

		snprintf(value, sizeof value, "%llu", (unsigned long long)(in->heap_used + in->heap_used / 8));
		call("flag.set", json_pack("{s:s,s:s}", "name", "SoftMaxHeapSize", "value", value), on_tight);
	} else {
		call("heap.free_ratio", json_pack("{s:i,s:i}", "min", RATIO_MIN_TIGHT, "max", RATIO_MAX_TIGHT), on_tight);
	}
}

static void relax(void)
{
	if (!strcmp(glue_runtime(agent->glue), "node"))
		schedule();
	else if (soft_limit())
		call("flag.set", json_pack("{s:s,s:s}", "name", "SoftMaxHeapSize", "value", "0"), on_done);
	else
		call("heap.free_ratio", json_pack("{s:i,s:i}", "min", RATIO_MIN_DEFAULT, "max", RATIO_MAX_DEFAULT), on_done);
}

static void on_memory(void *arg, json_t *result, const char *error)
{
	json_t *heap = json_object_get(result, "heap");
	struct governor_input in = {.now = now_seconds()};
	struct memory m;
	struct balloon b;

	(void)arg, (void)error;
	busy = false;
	if (!heap || !memory_read(&m) || !balloon_read(&b)) {
		schedule();
		return;
	}
	in.boot = b.boot, in.target = b.target, in.actual = b.actual;
	in.free = m.free, in.available = m.available;
	in.heap_used = (uint64_t)json_integer_value(json_object_get(heap, "used_bytes"));
	in.heap_committed = (uint64_t)json_integer_value(json_object_get(heap, "committed_bytes"));
	switch (governor_decide(&governor, &in)) {
	case GOVERN_SHRINK:
		shrink(&in);
		break;
	case GOVERN_RELAX:
		relax();
		break;
	case GOVERN_NOTHING:
		schedule();
	}
}

static void step(void *unused)
{
	(void)unused;
	step_timer = NULL;
	if (busy || !glue_connected(agent->glue))
		return schedule();
	call("memory", NULL, on_memory);
}

static void on_balloon(void *fd, uint32_t events)
{
	char buf[256];

	(void)events;
	/* Reading from the start again re-arms the notification. */
	if (pread((int)(intptr_t)fd, buf, sizeof buf, 0) > 0 && !busy && !step_timer)
		step(NULL);
}

static void on_info(void *arg, json_t *result, const char *error)
{
	const char *c = json_string_value(json_object_get(result, "collector"));

	(void)arg, (void)error;
	snprintf(collector, sizeof collector, "%s", c ? c : "");
	schedule();
}

static void on_hello(void *unused)
{
	(void)unused;
	governor_init(&governor); /* a new runtime starts with its own limits */
	busy = false;
	glue_call(agent->glue, "info", NULL, CALL_SECONDS, on_info, NULL);
}

void heap_control_start(const struct agent *a)
{
	char buf[256];
	int fd = balloon_watch_fd();

	agent = a;
	governor_init(&governor);
	if (fd < 0 || !a->glue)
		return;
	glue_on_hello(a->glue, on_hello, NULL);
	if (pread(fd, buf, sizeof buf, 0) < 0 || !loop_watch(fd, EPOLLPRI, on_balloon, (void *)(intptr_t)fd))
		complain("heap: the balloon cannot be watched");
}
