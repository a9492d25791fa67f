// SPDX-License-Identifier: BSD-2-Clause
/* The root of /proc: fixed names, and a directory for each process. */
#include "kernel/init.h"
#include "kernel/ipc.h"
#include "system.h"

#define PROC_MAGIC 0x9fa0

static ssize_t self_link(const struct pseudo_ctx *ctx __maybe_unused, char *buf, size_t size)
{
	u32 pid = current_process()->pid;

	return pid ? scnprintf(buf, size, "%u", pid) : -ENOENT;
}

static ssize_t thread_self_link(const struct pseudo_ctx *ctx __maybe_unused, char *buf, size_t size)
{
	u32 pid = current_process()->pid;

	return pid ? scnprintf(buf, size, "%u/task/%u", pid, current->tid) : -ENOENT;
}

static ssize_t text_link(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s", (const char *)ctx->arg);
}

#define TEXT_LINK(n, t)                                                            \
	{                                                                          \
		.name = n, .mode = S_IFLNK | 0777, .readlink = text_link, .arg = t \
	}

static const struct pseudo_entry pressure_entries[] = {
	PSEUDO_OPENED("cpu", 0666, pressure_open, &pressure_cpu),
	PSEUDO_OPENED("io", 0666, pressure_open, &pressure_io),
	PSEUDO_OPENED("memory", 0666, pressure_open, &pressure_memory),
	{0},
};
static const struct pseudo_dir pressure_dir = {.entries = pressure_entries};

static int sysv_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_text(s, (size_t(*)(char *, size_t))(uintptr_t)ctx->arg);
	return 0;
}

#define SYSV_FILE(n, fn)                                                                      \
	{                                                                                     \
		.name = n, .mode = S_IFREG | 0444, .show = sysv_show, .arg = (const void *)fn \
	}

static const struct pseudo_entry sysv_entries[] = {
	SYSV_FILE("shm", sysv_shm_text),
	SYSV_FILE("sem", sysv_sem_text),
	SYSV_FILE("msg", sysv_msg_text),
	{0},
};
static const struct pseudo_dir sysv_dir = {.entries = sysv_entries};

static const struct pseudo_entry tty_entries[] = {
	PROC_FILE("drivers", 0444, proc_tty_drivers),
	PROC_FILE("ldiscs", 0444, proc_tty_ldiscs),
	{0},
};
static const struct pseudo_dir tty_dir = {.entries = tty_entries};

static const struct pseudo_entry root_entries[] = {
	PROC_LINK("self", self_link),
	PROC_LINK("thread-self", thread_self_link),
	TEXT_LINK("mounts", "self/mounts"),
	TEXT_LINK("net", "self/net"),
	PROC_FILE("cpuinfo", 0444, proc_cpuinfo),
	PROC_FILE("meminfo", 0444, proc_meminfo),
	PROC_FILE("stat", 0444, proc_system_stat),
	PROC_FILE("uptime", 0444, proc_uptime),
	PROC_FILE("loadavg", 0444, proc_loadavg),
	PROC_FILE("version", 0444, proc_version),
	PROC_FILE("cmdline", 0444, proc_command_line),
	PROC_FILE("filesystems", 0444, proc_filesystems),
	PROC_FILE("interrupts", 0444, proc_interrupts),
	PROC_FILE("softirqs", 0444, proc_softirqs),
	PROC_FILE("schedstat", 0444, proc_system_schedstat),
	PROC_FILE("vmstat", 0444, proc_vmstat),
	PROC_FILE("zoneinfo", 0444, proc_zoneinfo),
	PROC_FILE("slabinfo", 0400, proc_slabinfo),
	PROC_FILE("buddyinfo", 0444, proc_buddyinfo),
	PROC_FILE("pagetypeinfo", 0400, proc_pagetypeinfo),
	PROC_FILE("cgroups", 0444, proc_cgroups),
	PROC_FILE("devices", 0444, proc_devices),
	PROC_FILE("partitions", 0444, proc_partitions),
	PROC_FILE("diskstats", 0444, proc_diskstats),
	PROC_FILE("swaps", 0444, proc_swaps),
	PROC_FILE("locks", 0444, proc_locks),
	PROC_FILE("modules", 0444, proc_modules),
	PROC_FILE("misc", 0444, proc_misc),
	PROC_FILE("consoles", 0444, proc_consoles),
	PROC_FILE("execdomains", 0444, proc_execdomains),
	PSEUDO_OPENED("kmsg", 0400, proc_kmsg_open, NULL),
	PROC_DIR("pressure", 0555, &pressure_dir),
	PROC_DIR("tty", 0555, &tty_dir),
	{.name = "sys", .mode = S_IFDIR | 0555, .dir = &proc_sys_dir, .strict = true},
	PROC_DIR("sysvipc", 0555, &sysv_dir),
	PROC_DIR("cortado", 0555, &proc_cortado_dir),
	{0},
};

static void enter(struct process *p, struct pseudo_found *out)
{
	out->entry = &proc_pid_dir;
	out->ctx.pid = p->pid;
	out->ctx.since = p->start_time;
}

/* Any thread's number leads to its process, but only processes are listed. */
static int root_find(const struct pseudo_ctx *ctx __maybe_unused, const char *name, size_t len,
		     struct pseudo_found *out)
{
	struct process *p;
	struct thread *t;
	u32 id = 0;

	if (!len || len > 7 || *name == '0')
		return -ENOENT;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -ENOENT;
		id = id * 10 + (u32)(name[i] - '0');
	}
	p = process_find(id);
	if (p) {
		enter(p, out);
		process_put(p);
		return 0;
	}
	t = thread_find(id);
	if (!t || !t->proc->pid) {
		if (t)
			thread_put(t);
		return -ENOENT;
	}
	enter(t->proc, out);
	thread_put(t);
	return 0;
}

static bool root_next(const struct pseudo_ctx *ctx __maybe_unused, u64 *cursor, struct pseudo_found *out)
{
	struct process *p = process_next(max((u32)*cursor, 1u));

	if (!p)
		return false;
	enter(p, out);
	snprintf(out->name, sizeof out->name, "%u", p->pid);
	*cursor = p->pid + 1ull;
	process_put(p);
	return true;
}

static u32 root_nlink(const struct pseudo_ctx *ctx __maybe_unused)
{
	return 2 + process_count();
}

static const struct pseudo_dir root_dir = {
	.entries = root_entries,
	.find = root_find,
	.next = root_next,
	.nlink = root_nlink,
};
const struct pseudo_entry proc_root = PROC_DIR(NULL, 0555, &root_dir);

/* Files of a process belong to its user, unless it is not dumpable. */
static void owner(const struct pseudo_ctx *ctx, u32 *uid, u32 *gid)
{
	struct process *p = ctx->pid ? proc_process(ctx) : NULL;
	struct thread *t = p && ctx->tid ? proc_thread(ctx) : NULL;
	struct cred *c;

	if (!p)
		return;
	if (p->dumpable == 1) {
		c = t ? thread_cred_get(t) : process_cred_get(p);
		*uid = c->euid;
		*gid = c->egid;
		cred_put(c);
	}
	if (t)
		thread_put(t);
	process_put(p);
}

static int proc_init(void)
{
	static struct pseudo_fs proc = {
		.type.name = "proc",
		.magic = PROC_MAGIC,
		.root = &proc_root,
		.owner = owner,
		.fixed_modes = true,
	};

	return pseudo_register(&proc);
}
INITCALL(proc_init, INIT_FS);
