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
#define GRACE "{grace_seconds~:n}"
#define APP                                                                                           \
	"{name:s runtime:s=java|node|program state:s=starting|running|stopping|backoff|exited|failed" \
	" ready:b pid:i? restarts:i started_at:s? exit:{code:i? signal:i? reason:s=exit|signal|oom|"  \
	"stopped memory~:{total_vm_bytes:i anon_bytes:i file_bytes:i shmem_bytes:i"                   \
	" page_tables_bytes:i limit_bytes:i free_bytes:i}}?}"
#define USAGE "{init_bytes:i used_bytes:i committed_bytes:i max_bytes:i}"

const struct http_route http_routes[] = {
	{"GET", "/livez", livez, "200 unless the application has failed for good", .changes = false,
	 .produces = TEXT},
	{"GET", "/readyz", readyz, "200 while the application's declared ports listen", .changes = false,
	 .produces = TEXT},
	{"GET", "/metrics", api_metrics, "Metrics in Prometheus' text format", .changes = false,
	 .produces = TEXT},
	{"GET", "/openapi.json", api_openapi, "This interface, as OpenAPI 3.1", .changes = false,
	 .answer = "{openapi:s}"},
	{"GET", "/v1/app", api_app, "State of the application", .changes = false, .answer = APP},
	{"POST", "/v1/app/start", api_app_start, "Start the application", .changes = true, .answer = APP},
	{"POST", "/v1/app/stop", api_app_stop, "Stop the application (body: grace_seconds)", .changes = true,
	 .body = GRACE, .answer = APP},
	{"POST", "/v1/app/restart", api_app_restart, "Restart the application (body: grace_seconds)",
	 .changes = true, .body = GRACE, .answer = APP},
	{"GET", "/v1/app/logs", api_app_logs, "Output of the application (query: stream, tail, follow)",
	 .changes = false, .produces = TEXT, .query = "{stream~:s=stdout|stderr|all tail~:i follow~:b}"},
	{"GET", "/v1/os", api_os, "System name, version, uptime, load", .changes = false,
	 .answer =
		 "{name:s kernel:s release:s hostname:s machine:s uptime_seconds:n cpus:i load_average:[n]}"},
	{"GET", "/v1/os/memory", api_os_memory, "Memory of the VM", .changes = false,
	 .answer = "{total_bytes:i free_bytes:i available_bytes:i cached_bytes:i shared_bytes:i "
		   "balloon_bytes:i}"},
	{"GET", "/v1/os/threads", api_os_threads, "Threads of all processes", .changes = false,
	 .answer = "{count:i threads:[{pid:i tid:i name:s state:s user_seconds:n system_seconds:n}]}"},
	{"GET", "/v1/os/cmdline", api_os_cmdline, "Kernel command line", .changes = false,
	 .answer = "{cmdline:s}"},
	{"GET", "/v1/os/dmesg", api_os_dmesg, "Kernel log", .changes = false, .produces = TEXT},
	{"POST", "/v1/os/poweroff", api_os_poweroff, "Stop the application, then power off", .changes = true,
	 .answer = "{state:s=stopping}"},
	{"POST", "/v1/os/reboot", api_os_reboot, "Stop the application, then restart the VM", .changes = true,
	 .answer = "{state:s=stopping}"},
	{"GET", "/v1/balloon", api_balloon, "Balloon: size at boot, target, actual", .changes = false,
	 .answer = "{boot_bytes:i target_bytes:i actual_bytes:i}"},
	{"GET", "/v1/jvm", api_jvm, "The Java virtual machine", .changes = false,
	 .answer = "{name:s vendor:s version:s vm:s vm_version:s uptime_seconds:n start_time:s options:[s] "
		   "processors:i collector:s}"},
	{"GET", "/v1/jvm/memory", api_jvm_memory, "Heap, pools and buffers", .changes = false,
	 .answer = "{heap:" USAGE " non_heap:" USAGE
		   " pools:[{name:s type:s used_bytes:i committed_bytes:i max_bytes:i}] buffers:[{name:s "
		   "count:i used_bytes:i capacity_bytes:i}]}"},
	{"GET", "/v1/jvm/gc", api_jvm_gc, "Collectors", .changes = false,
	 .answer = "{collectors:[{name:s count:i time_seconds:n}]}"},
	{"POST", "/v1/jvm/gc", api_jvm_gc_run, "Run a full collection", .changes = true,
	 .answer = "{before_bytes:i after_bytes:i committed_bytes:i}"},
	{"GET", "/v1/jvm/threads", api_jvm_threads, "Java threads with their stacks", .changes = false,
	 .answer = "{count:i daemon:i peak:i started:i threads:[{id:i name:s state:s daemon:b cpu_seconds:n "
		   "stack:[s]}]}"},
	{0},
};
