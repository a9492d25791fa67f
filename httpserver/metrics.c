/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /metrics: Prometheus text format 0.0.4. Kernel figures and counters are read on the spot; the runtime's come from the glue
 * under Micrometer's names (Java) or prom-client's (Node). Without the glue the rest is still served. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "app.h"
#include "config.h"
#include "glue.h"
#include "http.h"
#include "memory.h"
#include "util.h"

#define GLUE_SECONDS 5.0

struct scrape {
	struct http_request *request; /* NULL: the client went away */
	FILE *out;
	char *text;
	size_t size;
};

static void gauge(FILE *f, const char *name, const char *help, double v)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, v);
}

static void put_label(FILE *f, const char *s)
{
	for (; s && *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s == '\n' ? ' ' : *s, f);
	}
}

static void put_system(FILE *f, const struct agent *agent)
{
	struct memory m;
	struct balloon b;
	char *uptime = read_file("/proc/uptime", 4096, NULL);

	gauge(f, "cortado_app_ready", "1 while the declared ports listen.", app_ready(agent->app));
	fprintf(f, "# HELP cortado_app_restarts_total Restarts by policy or request.\n"
		   "# TYPE cortado_app_restarts_total counter\ncortado_app_restarts_total %u\n",
		app_restarts(agent->app));
	if (uptime)
		gauge(f, "cortado_uptime_seconds", "Seconds since the VM started.", strtod(uptime, NULL));
	free(uptime);
	gauge(f, "system_cpu_count", "CPUs of the VM.", (double)sysconf(_SC_NPROCESSORS_ONLN));
	if (memory_read(&m)) {
		gauge(f, "cortado_memory_total_bytes", "RAM of the VM.", (double)m.total);
		gauge(f, "cortado_memory_free_bytes", "RAM that nothing uses.", (double)m.free);
		gauge(f, "cortado_memory_available_bytes", "RAM that an application could get.", (double)m.available);
	}
	if (balloon_read(&b)) {
		gauge(f, "cortado_balloon_target_bytes", "What the host wants the VM to keep.", (double)b.target);
		gauge(f, "cortado_balloon_actual_bytes", "What the VM keeps.", (double)b.actual);
	}
}

/* The kernel's own event counters: "name value" lines. */
static void put_counters(FILE *f)
{
	char *text = read_file("/proc/cortado/counters", 1u << 20, NULL), *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char name[96];
		unsigned long long v;

		if (sscanf(line, "%95s %llu", name, &v) == 2)
			fprintf(f, "# TYPE cortado_%s_total counter\ncortado_%s_total %llu\n", name, name, v);
	}
	free(text);
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void jvm_series(FILE *f, const char *what, const json_t *pools)
{
	size_t i;
	json_t *p;
	char key[32];

	snprintf(key, sizeof key, "%s_bytes", what);
	fprintf(f, "# TYPE jvm_memory_%s_bytes gauge\n", what);
	json_array_foreach((json_t *)pools, i, p) {
		const char *type = json_string_value(json_object_get(p, "type"));

		fprintf(f, "jvm_memory_%s_bytes{area=\"%s\",id=\"", what, type && !strcmp(type, "heap") ? "heap" : "nonheap");
		put_label(f, json_string_value(json_object_get(p, "name")));
		fprintf(f, "\"} %.17g\n", number(p, key));
	}
}

static void jvm_buffers(FILE *f, const char *metric, const char *key, const json_t *buffers)
{
	size_t i;
	json_t *b;

	fprintf(f, "# TYPE %s gauge\n", metric);
	json_array_foreach((json_t *)buffers, i, b) {
		fprintf(f, "%s{id=\"", metric);
		put_label(f, json_string_value(json_object_get(b, "name")));
		fprintf(f, "\"} %.17g\n", number(b, key));
	}
}

static void put_java(FILE *f, const json_t *memory)
{
	const json_t *pools = json_object_get(memory, "pools"), *buffers = json_object_get(memory, "buffers");

	jvm_series(f, "used", pools);
	jvm_series(f, "committed", pools);
	jvm_series(f, "max", pools);
	jvm_buffers(f, "jvm_buffer_count_buffers", "count", buffers);
	jvm_buffers(f, "jvm_buffer_memory_used_bytes", "used_bytes", buffers);
	jvm_buffers(f, "jvm_buffer_total_capacity_bytes", "capacity_bytes", buffers);
}

static void put_node(FILE *f, const json_t *memory)
{
	const json_t *heap = json_object_get(memory, "heap");

	gauge(f, "nodejs_heap_size_used_bytes", "V8 heap in use.", number(heap, "used_bytes"));
	gauge(f, "nodejs_heap_size_total_bytes", "V8 heap size.", number(heap, "committed_bytes"));
	gauge(f, "nodejs_external_memory_bytes", "Memory outside V8's heap.",
	      number(json_object_get(memory, "non_heap"), "used_bytes"));
}

static void put_collectors(FILE *f, const json_t *gc)
{
	size_t i;
	json_t *c;

	fprintf(f, "# TYPE jvm_gc_pause_seconds summary\n");
	json_array_foreach(json_object_get(gc, "collectors"), i, c) {
		for (int sum = 0; sum < 2; sum++) {
			fprintf(f, "jvm_gc_pause_seconds_%s{gc=\"", sum ? "sum" : "count");
			put_label(f, json_string_value(json_object_get(c, "name")));
			fprintf(f, "\"} %.17g\n", number(c, sum ? "time_seconds" : "count"));
		}
	}
}

static void finish(struct scrape *s)
{
	fclose(s->out);
	if (s->request)
		http_reply_text(s->request, 200, "text/plain; version=0.0.4; charset=utf-8", s->text, s->size);
	free(s->text);
	free(s);
}

static void on_gc(void *arg, json_t *result, const char *error)
{
	struct scrape *s = arg;

	(void)error;
	if (result)
		put_collectors(s->out, result);
	finish(s);
}

static void on_memory(void *arg, json_t *result, const char *error)
{
	struct scrape *s = arg;
	bool java = s->request && !strcmp(glue_runtime(s->request->agent->glue), "java");

	(void)error;
	if (result && java)
		put_java(s->out, result);
	else if (result)
		put_node(s->out, result);
	if (!java || !result || !glue_call(s->request->agent->glue, "gc", NULL, GLUE_SECONDS, on_gc, s))
		finish(s);
}

/* The requests under way finish by themselves; there is just nobody to answer. */
static void on_abort(struct http_request *r)
{
	struct scrape *s = r->on_abort_arg;

	s->request = NULL;
}

void api_metrics(struct http_request *r)
{
	struct scrape *s = calloc(1, sizeof *s);

	if (!s || !(s->out = open_memstream(&s->text, &s->size))) {
		free(s);
		http_problem(r, 500, "no_memory", "The agent is out of memory.");
		return;
	}
	s->request = r;
	put_system(s->out, r->agent);
	put_counters(s->out);
	if (!glue_connected(r->agent->glue)) {
		finish(s);
		return;
	}
	http_suspend(r, on_abort, s);
	if (!glue_call(r->agent->glue, "memory", NULL, GLUE_SECONDS, on_memory, s))
		finish(s);
}
