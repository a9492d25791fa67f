/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of resources. docs/rest.md and GET /openapi.json are made from it. */
#include "api.h"

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

#define TEXT  "text/plain"
#define GRACE "grace_seconds"

const struct http_route http_routes[] = {
	{"GET", "/livez", livez, "200 unless the application has failed for good", .changes = false,
	 .produces = TEXT},
	{"GET", "/readyz", readyz, "200 while the application's declared ports listen", .changes = false,
	 .produces = TEXT},
	{"GET", "/metrics", api_metrics, "Metrics in Prometheus' text format", .changes = false,
	 .produces = TEXT},
	{"GET", "/openapi.json", api_openapi, "This interface, as OpenAPI 3.1", .changes = false},
	{"GET", "/v1/app", api_app, "State of the application", .changes = false},
	{"POST", "/v1/app/start", api_app_start, "Start the application", .changes = true},
	{"POST", "/v1/app/stop", api_app_stop, "Stop the application (body: grace_seconds)", .changes = true,
	 .body = GRACE},
	{"POST", "/v1/app/restart", api_app_restart, "Restart the application (body: grace_seconds)",
	 .changes = true, .body = GRACE},
	{"GET", "/v1/app/logs", api_app_logs, "Output of the application (query: stream, tail, follow)",
	 .changes = false, .produces = TEXT, .query = "stream tail follow"},
	{"GET", "/v1/os", api_os, "System name, version, uptime, load", .changes = false},
	{"GET", "/v1/os/memory", api_os_memory, "Memory of the VM", .changes = false},
	{"GET", "/v1/os/threads", api_os_threads, "Threads of all processes", .changes = false},
	{"GET", "/v1/os/cmdline", api_os_cmdline, "Kernel command line", .changes = false},
	{"GET", "/v1/os/dmesg", api_os_dmesg, "Kernel log", .changes = false, .produces = TEXT},
	{"POST", "/v1/os/poweroff", api_os_poweroff, "Stop the application, then power off", .changes = true},
	{"POST", "/v1/os/reboot", api_os_reboot, "Stop the application, then restart the VM",
	 .changes = true},
	{"GET", "/v1/balloon", api_balloon, "Balloon: size at boot, target, actual", .changes = false},
	{"GET", "/v1/jvm", api_jvm, "The Java virtual machine", .changes = false},
	{"GET", "/v1/jvm/memory", api_jvm_memory, "Heap, pools and buffers", .changes = false},
	{"GET", "/v1/jvm/gc", api_jvm_gc, "Collectors", .changes = false},
	{"POST", "/v1/jvm/gc", api_jvm_gc_run, "Run a full collection", .changes = true},
	{"GET", "/v1/jvm/threads", api_jvm_threads, "Java threads with their stacks", .changes = false},
	{0},
};
