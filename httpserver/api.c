/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of resources. docs/rest.md and GET /openapi.json are made from it. */
#include "api.h"

#include <string.h>

#include "app.h"
#include "http.h"

static void livez(struct http_request *r)
{
	if (app_failed_for_good(r->agent->app))
		http_problem(r, 503, "app_failed", "The application has failed and is not restarted.");
	else
		http_reply_text(r, 200, "text/plain", "ok\n", 3);
}

static void readyz(struct http_request *r)
{
	if (!app_ready(r->agent->app))
		http_problem(r, 503, "not_ready", "The application's declared ports do not all listen yet.");
	else
		http_reply_text(r, 200, "text/plain", "ok\n", 3);
}

static void openapi(struct http_request *r);

const struct http_route http_routes[] = {
	{"GET", "/livez", livez, "200 unless the application has failed for good", false},
	{"GET", "/readyz", readyz, "200 while the application's declared ports listen", false},
	{"GET", "/metrics", api_metrics, "Metrics in Prometheus' text format", false},
	{"GET", "/openapi.json", openapi, "This interface, as OpenAPI 3.1", false},
	{"GET", "/v1/app", api_app, "State of the application", false},
	{"POST", "/v1/app/start", api_app_start, "Start the application", true},
	{"POST", "/v1/app/stop", api_app_stop, "Stop the application (body: grace_seconds)", true},
	{"POST", "/v1/app/restart", api_app_restart, "Restart the application (body: grace_seconds)", true},
	{"GET", "/v1/app/logs", api_app_logs, "Output of the application (query: stream, tail, follow)", false},
	{"GET", "/v1/os", api_os, "System name, version, uptime, load", false},
	{"GET", "/v1/os/memory", api_os_memory, "Memory of the VM", false},
	{"GET", "/v1/os/threads", api_os_threads, "Threads of all processes", false},
	{"GET", "/v1/os/cmdline", api_os_cmdline, "Kernel command line", false},
	{"GET", "/v1/os/dmesg", api_os_dmesg, "Kernel log", false},
	{"POST", "/v1/os/poweroff", api_os_poweroff, "Stop the application, then power off", true},
	{"POST", "/v1/os/reboot", api_os_reboot, "Stop the application, then restart the VM", true},
	{"GET", "/v1/balloon", api_balloon, "Balloon: size at boot, target, actual", false},
	{"GET", "/v1/jvm", api_jvm, "The Java virtual machine", false},
	{"GET", "/v1/jvm/memory", api_jvm_memory, "Heap, pools and buffers", false},
	{"GET", "/v1/jvm/gc", api_jvm_gc, "Collectors", false},
	{"POST", "/v1/jvm/gc", api_jvm_gc_run, "Run a full collection", true},
	{"GET", "/v1/jvm/threads", api_jvm_threads, "Java threads with their stacks", false},
	{0},
};

static void openapi(struct http_request *r)
{
	json_t *paths = json_object();

	for (const struct http_route *t = http_routes; t->method; t++) {
		json_t *item = json_object_get(paths, t->path);
		char verb[8] = "";

		if (!item) {
			item = json_object();
			json_object_set_new(paths, t->path, item);
		}
		for (size_t i = 0; t->method[i] && i < sizeof verb - 1; i++)
			verb[i] = (char)(t->method[i] | 32);
		json_object_set_new(item, verb,
				    json_pack("{s:s,s:{s:{s:s},s:{s:s}}}", "summary", t->summary, "responses", "200",
					      "description", "success", "default", "description",
					      "problem details (RFC 9457)"));
	}
	http_reply_json(r, 200,
			json_pack("{s:s,s:{s:s,s:s},s:o}", "openapi", "3.1.0", "info", "title", "Cortado", "version", "1",
				  "paths", paths));
}
