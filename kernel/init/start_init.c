/* SPDX-License-Identifier: BSD-2-Clause */
/* Pid 1: which program, with which arguments, environment and descriptors; and what happens when it ends.
 *
 * The program is the word init=, else the agent. Arguments: fw_cfg opt/org.cortado/argv (NUL-terminated strings, argv[0]
 * first), else the program's name and the words after "--". Environment: fw_cfg opt/org.cortado/env, then K=V words.
 * Descriptors 0-2 are the virtio-console ports org.cortado.{stdin,stdout,stderr} when the host offers them, else the console.
 * When pid 1 ends its status goes, as a line of JSON, to the port org.cortado.control, and the VM powers off. */

#include "start_init.h"
#include "arch/cpu.h"
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "kernel/fwcfg.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/power.h"
#include "kernel/process.h"

#define DEFAULT_INIT	"/usr/lib/cortado/agent"
#define STRINGS_MAX	(1u << 20) /* bytes of arguments or environment from fw_cfg */
#define CONTROL_PORT	"org.cortado.control"

struct file *chardev_file_open(const char *name, u32 flags); /* fs/devfs */
const char *process_last_fault(void);			     /* kernel/proc */

struct strings {
	const char **v; /* NULL-terminated */
	size_t n, room;
};

static void strings_add(struct strings *s, const char *str)
{
	if (s->n + 1 >= s->room) {
		s->room = s->room ? 2 * s->room : 32;
		s->v = krealloc(s->v, s->room * sizeof *s->v);
		if (!s->v)
			panic("init: no memory for its arguments");
	}
	s->v[s->n++] = str;
	s->v[s->n] = NULL;
}

/* Append the strings of a fw_cfg file; it stays in memory. Returns false when there is no such file. */
static bool strings_from_fwcfg(struct strings *s, const char *name)
{
	ssize_t size = fwcfg_size(name);

	if (size < 0)
		return false;
	if (size > (ssize_t)STRINGS_MAX)
		panic("init: %s is larger than %u bytes", name, STRINGS_MAX);
	char *text = kmalloc((size_t)size + 1);
	if (!text || fwcfg_read(name, text, (size_t)size, 0) != size)
		panic("init: cannot read %s", name);
	text[size] = '\0';
	for (char *p = text; p < text + size; p += strlen(p) + 1)
		strings_add(s, p);
	return true;
}

static struct file *open_stdio(int fd)
{
	static const char *const ports[3] = {"org.cortado.stdin", "org.cortado.stdout", "org.cortado.stderr"};
	const char *const names[] = {ports[fd], "hvc0", "ttyS0"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct file *f = chardev_file_open(names[i], fd == 0 && i == 0 ? O_RDONLY : O_RDWR);

		if (!IS_ERR(f))
			return f;
	}
	return NULL;
}

void start_init(void)
{
	struct strings argv = {0}, envp = {0};
	struct file *stdio[3];
	const char *path = cmdline_get("init");

	if (!strings_from_fwcfg(&argv, "opt/org.cortado/argv")) {
		strings_add(&argv, path && *path ? path : DEFAULT_INIT);
		for (unsigned i = 0; cmdline_init_arg(i); i++)
			strings_add(&argv, cmdline_init_arg(i));
	}
	if (!path || !*path)
		path = DEFAULT_INIT;
	if (!argv.n)
		panic("init: opt/org.cortado/argv holds no string");
	strings_from_fwcfg(&envp, "opt/org.cortado/env");
	for (unsigned i = 0; cmdline_env(i); i++)
		strings_add(&envp, cmdline_env(i));
	if (!envp.n) {
		strings_add(&envp, "HOME=/root");
		strings_add(&envp, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	}
	for (int fd = 0; fd < 3; fd++)
		stdio[fd] = open_stdio(fd);

	int err = process_start_init(path, argv.v, envp.v, stdio);
	if (err)
		panic("init: cannot start %s: error %d", path, -err);
	for (int fd = 0; fd < 3; fd++)
		if (stdio[fd])
			file_put(stdio[fd]);
}

/* ---- the end ---- */

/* JSON string body: quotes, backslashes and control characters escaped. */
static size_t json_text(char *buf, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s && n + 7 < size; s++) {
		if (*s == '"' || *s == '\\')
			n += (size_t)scnprintf(buf + n, size - n, "\\%c", *s);
		else if ((u8)*s < 0x20)
			n += (size_t)scnprintf(buf + n, size - n, "\\u%04x", (u8)*s);
		else
			buf[n++] = *s;
	}
	buf[n] = '\0';
	return n;
}

static void control_send(const char *line)
{
	struct chardev *cd = chardev_find(CONTROL_PORT);

	if (!cd)
		return;
	cd->ops->write(cd, line, strlen(line));
	if (cd->ops->drain)
		cd->ops->drain(cd);
}

void init_exited(int status)
{
	char line[512], text[400] = "";
	int sig = status & 0x7f;

	if (sig) {
		if (process_last_fault())
			json_text(text, sizeof text, process_last_fault());
		snprintf(line, sizeof line, "{\"event\":\"exit\",\"signal\":%d,\"text\":\"%s\"}\n", sig, text);
	} else {
		snprintf(line, sizeof line, "{\"event\":\"exit\",\"code\":%d}\n", status >> 8 & 0xff);
	}
	vfs_sync();
	log_info("init ended with status %#x", (unsigned)status);
	control_send(line);
	power_off();
}

void kernel_panicked(const char *text)
{
	char line[512], escaped[400];
	const char *action = cmdline_get("panic");

	json_text(escaped, sizeof escaped, text);
	snprintf(line, sizeof line, "{\"event\":\"panic\",\"text\":\"%s\"}\n", escaped);
	control_send(line);
	/* panic=0 keeps the VM for a debugger; panic=reboot restarts it. */
	if (action && !strcmp(action, "0"))
		power_halt();
	if (action && !strcmp(action, "reboot"))
		power_reset();
	power_off();
}
