/* SPDX-License-Identifier: BSD-2-Clause */
/* cortado-agent [--config FILE] [--glue PATH]: starts the application and the API side by side, then serves until the application
 * is done for or the VM is to end. As pid 1 it also reaps orphans and powers off. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "app.h"
#include "config.h"
#include "console.h"
#include "glue.h"
#include "heap.h"
#include "http.h"
#include "logs.h"
#include "loop.h"
#include "shutdown.h"
#include "util.h"

#define APP_JSON       "/etc/cortado/app.json"
#define CONFIG_JSON    "/sys/firmware/qemu_fw_cfg/by_name/opt/org.cortado/config.json/raw"
#define GLUE_DIR       "/run/cortado"
#define GLUE_PATH      GLUE_DIR "/glue.sock"
#define LOG_CAPACITY   (1u << 20)
#define GRACE_SECONDS  10.0
#define FLUSH_PATIENCE 2000 /* milliseconds that a host which asked for the end may take nothing */

static struct agent agent;
static int exit_status;
static bool ending;
static enum shutdown_kind ending_kind;

/* As pid 1 returning from main() powers the VM off, and the kernel passes the exit status on to the host. */
static void end(void)
{
	console_flush(ending ? FLUSH_PATIENCE : -1);
	if (getpid() == 1 && ending && ending_kind == SHUTDOWN_REBOOT) {
		sync();
		reboot(RB_AUTOBOOT);
	}
	loop_stop();
}

/* The application has ended and is not to be restarted. */
static void app_finished(int status)
{
	exit_status = status;
	if (ending)
		end();
	else if (agent.config->on_exit == ON_EXIT_POWEROFF || (agent.config->on_exit == ON_EXIT_AUTO && status == 0) ||
		 agent.config->api_access == API_NONE)
		end();
}

static void end_now(void *unused)
{
	(void)unused;
	end();
}

void shutdown_begin(enum shutdown_kind kind)
{
	ending = true;
	ending_kind = kind;
	/* Nothing runs: leave the loop a moment to send the answer that is under way. */
	if (app_stop(agent.app, GRACE_SECONDS) || app_pid(agent.app) <= 0)
		loop_after(0.05, end_now, NULL);
}

static void reap(void)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		app_reaped(agent.app, pid, status);
}

static void on_signal(void *fd, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	while (read((int)(intptr_t)fd, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGCHLD)
			reap();
		else
			shutdown_begin(SHUTDOWN_POWEROFF);
	}
}

static void watch_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPWR);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || !loop_watch(fd, EPOLLIN, on_signal, (void *)(intptr_t)fd))
		fatal("signalfd: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"glue", required_argument, NULL, 'g'}, {0}};
	const char *app_json = APP_JSON, *glue_path = GLUE_PATH;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'c')
			app_json = optarg;
		else if (opt == 'g')
			glue_path = optarg;
		else
			return 2;
	}
	agent.started = now_seconds();
	struct config *config = config_load(app_json, CONFIG_JSON, "/proc/cmdline");
	if (!config)
		return 1;
	agent.config = config;
	loop_init();
	watch_signals();
	if (glue_path == (const char *)GLUE_PATH)
		mkdir(GLUE_DIR, 0755);
	agent.glue = glue_listen(glue_path);
	if (agent.glue && !config_add_env(config, "CORTADO_GLUE", glue_path))
		fatal("out of memory");
	agent.logs = logs_create(LOG_CAPACITY);
	agent.app = agent.logs ? app_create(agent.config, agent.logs, app_finished) : NULL;
	if (!agent.app)
		fatal("out of memory");
	/* The application first: it takes longer to come up. A failure to start it leaves the API to say so. */
	app_start(agent.app);
	if (agent.config->api_access != API_NONE && agent.config->api_plain)
		http_start(&agent);
	heap_control_start(&agent);
	loop_run();
	return exit_status;
}
