/* SPDX-License-Identifier: BSD-2-Clause */
/* One state machine:
 *
 *	            start                    ports listen
 *	 EXITED ---------------> STARTING ----------------> RUNNING
 *	 FAILED                      |                         |  stop -> STOPPING
 *	   ^   ended, no restart     |   ended by itself       |
 *	   +-------------------------+<------------------------+
 *	   |                         | policy restarts
 *	   +--- too often --- BACKOFF (delay doubles: 1, 2, 4 ... 60 s; a run of 60 s forgives)
 *
 * The process is the leader of a group of its own, so that what it leaves behind is ended with it. */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "config.h"
#include "console.h"
#include "listening.h"
#include "logs.h"
#include "loop.h"
#include "notify.h"
#include "util.h"

#define BACKOFF_FIRST	1.0
#define BACKOFF_MAX	60.0
#define FORGIVEN_AFTER	60.0 /* a run this long resets the back-off */
#define READY_POLL	0.05 /* seconds at first; a fiftieth of what the start took so far; at most: */
#define READY_POLL_MAX	1.0
#define ANSWER_SECONDS	0.05 /* for an answer to leave */

struct output {
	struct app *app;
	struct loop_source *source;
	int fd;
	enum log_stream stream;
};

struct app {
	const struct config *config;
	struct log_store *logs;
	void (*finished)(int status);
	enum app_state state;
	pid_t pid;
	bool restart_wanted; /* app_restart: start again once the present run has ended */
	unsigned restarts, failures;
	double started, backoff;
	struct timespec started_at;
	struct output out[2];
	struct loop_timer *kill_timer, *restart_timer, *ready_timer;
	bool has_exit;
	int exit_status; /* wait status of the last run */
	const char *exit_reason;
	json_t *exit_memory; /* what it held when memory ran out; NULL: it did not */
	bool stop_asked;     /* this run is ending because somebody wanted it to */
};

struct app *app_create(const struct config *c, struct log_store *logs, void (*finished)(int))
{
	struct app *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	*a = (struct app){.config = c, .logs = logs, .finished = finished, .state = APP_EXITED};
	a->out[0].fd = a->out[1].fd = -1;
	return a;
}

/* ---- output ---- */

static void output_close(struct output *o)
{
	loop_unwatch(o->source);
	o->source = NULL;
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

/* Returns false at the end of the pipe. */
static bool output_read(struct output *o)
{
	char buf[16384];
	ssize_t n = read(o->fd, buf, sizeof buf);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	logs_add(o->app->logs, o->stream, buf, (size_t)n);
	if (!console_write(o->stream, buf, (size_t)n)) {
		/* The host is behind: leave the rest in the pipe, where it makes the application wait. */
		loop_unwatch(o->source);
		o->source = NULL;
	}
	return true;
}

static void output_event(void *arg, uint32_t events)
{
	struct output *o = arg;

	(void)events;
	if (!output_read(o))
		output_close(o);
}

static void output_resume(void *arg)
{
	struct output *o = arg;

	if (o->fd >= 0 && !o->source)
		o->source = loop_watch(o->fd, EPOLLIN, output_event, o);
}

/* The process is gone: take what is left in the pipes, but do not wait for grandchildren that hold them open.
 */
static void output_drain(struct output *o)
{
	for (int i = 0; i < 64 && o->fd >= 0; i++)
		if (!output_read(o))
			output_close(o);
}

/* ---- readiness ---- */

static void check_ready(void *arg)
{
	struct app *a = arg;

	a->ready_timer = NULL;
	if (a->state != APP_STARTING)
		return;
	if (listening_all(a->config->ports, a->config->nports)) {
		a->state = APP_RUNNING;
		notify_host("ready", -1);
		return; /* from now on app_ready() looks when somebody asks: an idle machine stays idle */
	}
	a->ready_timer =
	    loop_after(fmin(fmax((now_seconds() - a->started) / 50, READY_POLL), READY_POLL_MAX), check_ready, a);
}

/* ---- the end, as the host sees it ---- */

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* No further run follows by itself. */
static void settle(struct app *a, enum app_state state)
{
	a->state = state;
	notify_host(state == APP_FAILED ? "failed" : "exited", shell_status(a->exit_status));
	a->finished(shell_status(a->exit_status));
}

/* ---- starting ---- */

static int open_pipe(struct output *o, int *child_end)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	o->fd = p[0];
	o->source = loop_watch(p[0], EPOLLIN, output_event, o);
	console_on_drained(o->stream, output_resume, o);
	*child_end = p[1];
	if (!o->source) {
		output_close(o);
		close(p[1]);
		return -ENOMEM;
	}
	return 0;
}

static int spawn_with(struct app *a, int out, int err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int e;

	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, err, 2);
	posix_spawn_file_actions_addchdir_np(&fa, a->config->cwd);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	e = posix_spawnp(&a->pid, a->config->argv[0], &fa, &attr, a->config->argv, a->config->envp);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	return -e;
}

static int app_spawn(struct app *a)
{
	int ends[2] = {-1, -1}, err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		output_close(&a->out[i]);
		a->out[i] = (struct output){.app = a, .fd = -1, .stream = i ? LOG_STDERR : LOG_STDOUT};
		err = open_pipe(&a->out[i], &ends[i]);
	}
	if (!err)
		err = spawn_with(a, ends[0], ends[1]);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	if (err) {
		output_close(&a->out[0]);
		output_close(&a->out[1]);
		complain("cannot start %s: %s", a->config->argv[0], strerror(-err));
		return err;
	}
	a->state = APP_STARTING;
	a->started = now_seconds();
	clock_gettime(CLOCK_REALTIME, &a->started_at);
	check_ready(a);
	return 0;
}

/* ---- stopping ---- */

static void kill_now(void *arg)
{
	struct app *a = arg;

	a->kill_timer = NULL;
	if (a->pid > 0)
		kill(-a->pid, SIGKILL);
}

static void cancel(struct loop_timer **t)
{
	loop_cancel(*t);
	*t = NULL;
}

static void give_up(void *arg)
{
	struct app *a = arg;

	a->restart_timer = NULL;
	settle(a, APP_EXITED);
}

int app_stop(struct app *a, double grace)
{
	a->restart_wanted = false;
	if (a->state == APP_BACKOFF) { /* which may be the end of all: later, once this was answered */
		cancel(&a->restart_timer);
		a->state = APP_STOPPING;
		a->restart_timer = loop_after(ANSWER_SECONDS, give_up, a);
		return 0;
	}
	if (a->pid <= 0)
		return -ESRCH;
	a->stop_asked = true;
	if (a->state != APP_STOPPING) {
		a->state = APP_STOPPING;
		kill(a->pid, SIGTERM);
	}
	cancel(&a->kill_timer);
	a->kill_timer = loop_after(grace, kill_now, a);
	return 0;
}

/* What a shell says of a program that cannot be started. */
static int start_or_fail(struct app *a)
{
	int err;

	a->stop_asked = false;
	err = app_spawn(a);
	if (err) {
		a->has_exit = true;
		a->exit_status = W_EXITCODE(err == -ENOENT ? 127 : 126, 0);
		a->exit_reason = "exit";
		json_decref(a->exit_memory);
		a->exit_memory = NULL;
		settle(a, APP_FAILED);
	}
	return err;
}

int app_start(struct app *a)
{
	if (a->pid > 0)
		return -EALREADY;
	cancel(&a->restart_timer);
	a->failures = 0;
	a->backoff = 0;
	return start_or_fail(a);
}

int app_restart(struct app *a, double grace)
{
	if (a->pid <= 0)
		return app_start(a);
	int err = app_stop(a, grace);
	a->restart_wanted = !err;
	return err;
}

/* ---- the end of a run ---- */

static void restart_now(void *arg)
{
	struct app *a = arg;

	a->restart_timer = NULL;
	a->restarts++;
	start_or_fail(a);
}

static bool failed(int status)
{
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool wants_restart(const struct app *a)
{
	const struct config *c = a->config;

	if (a->stop_asked)
		return false;
	if (c->restart == RESTART_ALWAYS)
		return true;
	return c->restart == RESTART_ON_FAILURE && failed(a->exit_status) &&
	       (!c->restart_limit || a->failures <= (unsigned)c->restart_limit);
}

/* cgroup v2: the kernel counts the processes that it killed for want of memory. */
static bool killed_for_memory(int status)
{
	static uint64_t seen;

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return false;
	char *text = read_file("/sys/fs/cgroup/memory.events", 4096, NULL);
	uint64_t kills = field(text, "oom_kill", 0);
	bool more = kills > seen;

	free(text);
	seen = kills;
	return more;
}

/* What the kernel says of its last victim; NULL when that was not PID. */
static json_t *victim_memory(pid_t pid)
{
	static const char *const names[] = {"total_vm_bytes",	 "anon_bytes",	"file_bytes", "shmem_bytes",
					    "page_tables_bytes", "limit_bytes", "free_bytes"};
	char *text = read_file("/proc/cortado/oom", 4096, NULL);
	json_t *o = NULL;

	if (field(text, "pid", 0) == (uint64_t)pid && (o = json_object()))
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			json_object_set_new(o, names[i], json_integer((json_int_t)field(text, names[i], 0)));
	free(text);
	return o;
}

bool app_reaped(struct app *a, pid_t pid, int status)
{
	if (pid != a->pid)
		return false;
	kill(-pid, SIGKILL); /* what it left behind in its group */
	output_drain(&a->out[0]);
	output_drain(&a->out[1]);
	cancel(&a->kill_timer);
	cancel(&a->ready_timer);
	a->pid = 0;
	a->has_exit = true;
	a->exit_status = status;
	a->exit_reason = killed_for_memory(status) ? "oom"
			 : a->stop_asked	   ? "stopped"
			 : WIFSIGNALED(status)	   ? "signal"
						   : "exit";
	json_decref(a->exit_memory);
	a->exit_memory = !strcmp(a->exit_reason, "oom") ? victim_memory(pid) : NULL;
	if (now_seconds() - a->started > FORGIVEN_AFTER)
		a->failures = 0, a->backoff = 0;
	a->failures += failed(status);

	if (a->restart_wanted) {
		a->restart_wanted = false;
		a->failures = 0;
		restart_now(a);
	} else if (wants_restart(a)) {
		a->backoff = a->backoff ? 2 * a->backoff : BACKOFF_FIRST;
		if (a->backoff > BACKOFF_MAX)
			a->backoff = BACKOFF_MAX;
		a->state = APP_BACKOFF;
		notify_host("backoff", shell_status(status));
		a->restart_timer = loop_after(a->backoff, restart_now, a);
	} else {
		settle(a, failed(status) && !a->stop_asked ? APP_FAILED : APP_EXITED);
	}
	return true;
}

/* ---- looking ---- */

enum app_state app_state(const struct app *a)
{
	return a->state;
}

bool app_ready(const struct app *a)
{
	return a->state == APP_RUNNING && listening_all(a->config->ports, a->config->nports);
}

bool app_failed_for_good(const struct app *a)
{
	return a->state == APP_FAILED;
}

pid_t app_pid(const struct app *a)
{
	return a->pid;
}

unsigned app_restarts(const struct app *a)
{
	return a->restarts;
}

static json_t *exit_json(const struct app *a)
{
	bool sig = WIFSIGNALED(a->exit_status);

	if (!a->has_exit)
		return json_null();
	return json_pack("{s:o,s:o,s:s,s:O*}", "code",
			 sig ? json_null() : json_integer(WEXITSTATUS(a->exit_status)), "signal",
			 sig ? json_integer(WTERMSIG(a->exit_status)) : json_null(), "reason", a->exit_reason,
			 "memory", a->exit_memory);
}

json_t *app_json(const struct app *a)
{
	static const char *const states[] = {"starting", "running", "stopping",
					     "backoff",	 "exited",  "failed"};
	char started[RFC3339_SIZE];

	format_time(started, &a->started_at);
	return json_pack("{s:s,s:s,s:s,s:b,s:o,s:i,s:o,s:o}", "name", a->config->name, "runtime",
			 a->config->runtime, "state", states[a->state], "ready", app_ready(a), "pid",
			 a->pid > 0 ? json_integer(a->pid) : json_null(), "restarts", (int)a->restarts,
			 "started_at", a->started_at.tv_sec ? json_string(started) : json_null(), "exit",
			 exit_json(a));
}
