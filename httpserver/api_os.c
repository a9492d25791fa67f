/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as the kernel's own files show it; on a plain Linux host the same files tell of that host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api.h"
#include "http.h"
#include "memory.h"
#include "shutdown.h"
#include "util.h"

#define FILE_LIMIT  (1u << 20)
#define DMESG_LIMIT (256u << 10)

void api_os(struct http_request *r)
{
	struct utsname u;
	char *uptime = read_file("/proc/uptime", FILE_LIMIT, NULL),
	     *load = read_file("/proc/loadavg", FILE_LIMIT, NULL);
	double up = uptime ? strtod(uptime, NULL) : 0, l[3] = {0};

	uname(&u);
	if (load)
		sscanf(load, "%lf %lf %lf", &l[0], &l[1], &l[2]);
	free(uptime);
	free(load);
	http_reply_json(r, 200,
			json_pack("{s:s,s:s,s:s,s:s,s:s,s:f,s:i,s:[f,f,f]}", "name", "Cortado", "kernel",
				  u.sysname, "release", u.release, "hostname", u.nodename, "machine",
				  u.machine, "uptime_seconds", up, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN),
				  "load_average", l[0], l[1], l[2]));
}

void api_os_memory(struct http_request *r)
{
	struct memory m;

	if (!memory_read(&m)) {
		http_problem(r, 500, "unavailable", "/proc/meminfo cannot be read.");
		return;
	}
	http_reply_json(r, 200,
			json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "total_bytes", (json_int_t)m.total,
				  "free_bytes", (json_int_t)m.free, "available_bytes",
				  (json_int_t)m.available, "cached_bytes", (json_int_t)m.cached,
				  "shared_bytes", (json_int_t)m.shared, "balloon_bytes",
				  (json_int_t)m.ballooned));
}

void api_balloon(struct http_request *r)
{
	struct balloon b;

	if (!balloon_read(&b)) {
		http_problem(r, 404, "no_balloon", "This VM has no balloon device.");
		return;
	}
	http_reply_json(r, 200,
			json_pack("{s:I,s:I,s:I}", "boot_bytes", (json_int_t)b.boot, "target_bytes",
				  (json_int_t)b.target, "actual_bytes", (json_int_t)b.actual));
}

/* TEXT as JSON takes it: a thread's name may end in half a character. */
static json_t *any_text(char *text)
{
	json_t *j = json_string(text);

	for (char *p = text; !j && *p; p++)
		if (*p & 0x80)
			*p = '?';
	return j ? j : json_string(text);
}

/* One thread from its stat line: "tid (name) state ppid ... utime(14) stime(15)". */
static json_t *thread_json(long pid, const char *tid)
{
	char path[320], state = '?', *text, *open, *close;
	unsigned long utime = 0, stime = 0;
	json_t *j = NULL;

	snprintf(path, sizeof path, "/proc/%ld/task/%s/stat", pid, tid);
	text = read_file(path, 4096, NULL);
	open = text ? strchr(text, '(') : NULL;
	close = text ? strrchr(text, ')') : NULL;
	if (open && close) {
		double hz = (double)sysconf(_SC_CLK_TCK);

		*close = '\0';
		sscanf(close + 2, "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state, &utime,
		       &stime);
		j = json_pack("{s:I,s:I,s:o,s:s#,s:f,s:f}", "pid", (json_int_t)pid, "tid",
			      (json_int_t)atol(tid), "name", any_text(open + 1), "state", &state, 1,
			      "user_seconds", (double)utime / hz, "system_seconds", (double)stime / hz);
	}
	free(text);
	return j;
}

static void add_threads(json_t *list, long pid)
{
	char path[64];
	struct dirent *e;

	snprintf(path, sizeof path, "/proc/%ld/task", pid);
	DIR *d = opendir(path);
	while (d && (e = readdir(d))) {
		json_t *j = e->d_name[0] == '.' ? NULL : thread_json(pid, e->d_name);

		if (j)
			json_array_append_new(list, j);
	}
	if (d)
		closedir(d);
}

void api_os_threads(struct http_request *r)
{
	json_t *list = json_array();
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (atol(e->d_name) > 0)
			add_threads(list, atol(e->d_name));
	if (d)
		closedir(d);
	http_reply_json(r, 200, json_pack("{s:i,s:o}", "count", (int)json_array_size(list), "threads", list));
}

void api_os_cmdline(struct http_request *r)
{
	char *line = read_file("/proc/cmdline", FILE_LIMIT, NULL);

	if (line)
		line[strcspn(line, "\n")] = '\0';
	http_reply_json(r, 200, json_pack("{s:o}", "cmdline", any_text(line ? line : (char[]){""})));
	free(line);
}

/* /dev/kmsg gives one record a read: "level,seq,usec,-;text\n". Shown as dmesg shows it. */
void api_os_dmesg(struct http_request *r)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[2048], *out = malloc(DMESG_LIMIT);
	size_t n = 0;
	ssize_t k;

	if (fd < 0 || !out) {
		http_problem(r, 404, "no_log", "/dev/kmsg: %s.", strerror(errno));
		goto out;
	}
	while ((k = read(fd, record, sizeof record - 1)) > 0 || (k < 0 && errno == EPIPE)) {
		unsigned long long usec;
		char *text;

		if (k < 0)
			continue; /* records fell out of the ring meanwhile */
		record[k] = '\0';
		text = strchr(record, ';');
		if (!text || sscanf(record, "%*u,%*u,%llu", &usec) != 1)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		if (n + strlen(text) + 32 > DMESG_LIMIT)
			break;
		n += (size_t)sprintf(out + n, "[%5llu.%06llu] %s\n", usec / 1000000, usec % 1000000, text);
	}
	http_reply_text(r, 200, "text/plain; charset=utf-8", out, n);
out:
	free(out);
	if (fd >= 0)
		close(fd);
}

void api_os_poweroff(struct http_request *r)
{
	http_reply_json(r, 202, json_pack("{s:s}", "state", "stopping"));
	shutdown_begin(SHUTDOWN_POWEROFF);
}

void api_os_reboot(struct http_request *r)
{
	http_reply_json(r, 202, json_pack("{s:s}", "state", "stopping"));
	shutdown_begin(SHUTDOWN_REBOOT);
}
