// SPDX-License-Identifier: BSD-2-Clause
/* The directories of a process and of its threads, and finding the process that a file is about. */
#include "kernel/ptrace.h"
#include "kernel/vm.h"
#include "proc.h"

#define PATH_SIZE 4096

struct process *proc_process(const struct pseudo_ctx *ctx)
{
	struct process *p = process_find(ctx->pid);

	if (p && p->start_time != ctx->since) {
		process_put(p);
		p = NULL;
	}
	return p;
}

struct thread *proc_thread(const struct pseudo_ctx *ctx)
{
	struct thread *t = thread_find(ctx->tid ? ctx->tid : ctx->pid);

	if (t && t->proc->pid != ctx->pid) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

struct process *proc_inspect(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);

	if (!p)
		return ERR_PTR(-ESRCH);
	if (!ptrace_may_access(p, PTRACE_BY_FSIDS)) {
		process_put(p);
		return ERR_PTR(-EACCES);
	}
	return p;
}

struct vmspace *proc_vm(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);
	struct vmspace *vm;

	if (IS_ERR(p))
		return (struct vmspace *)p;
	vm = process_get_vm(p);
	process_put(p);
	return vm;
}

/* Links */

static int exe_jump(const struct pseudo_ctx *ctx, struct path *out)
{
	struct process *p = proc_inspect(ctx);
	struct file *f;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	f = process_get_exe(p);
	process_put(p);
	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static int context_jump(const struct pseudo_ctx *ctx, struct path *out,
			int (*get)(struct fs_context *, struct path *))
{
	struct process *p = proc_inspect(ctx);
	struct fs_context *fs = NULL;
	struct thread *t;
	int err;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	t = proc_thread(ctx);
	if (t) {
		fs = thread_get_fs(t);
		thread_put(t);
	}
	process_put(p);
	if (!fs)
		return -ENOENT;
	err = get(fs, out);
	fs_context_put(fs);
	return err;
}

static int cwd_jump(const struct pseudo_ctx *ctx, struct path *out)
{
	return context_jump(ctx, out, fs_context_cwd);
}

static int root_jump(const struct pseudo_ctx *ctx, struct path *out)
{
	return context_jump(ctx, out, fs_context_root);
}

static ssize_t jump_text(const struct pseudo_ctx *ctx, char *buf, size_t size,
			 int (*jump)(const struct pseudo_ctx *, struct path *))
{
	char *text = kmalloc(PATH_SIZE), *path;
	struct path p;
	ssize_t n = -ENOMEM;

	if (!text)
		return -ENOMEM;
	n = jump(ctx, &p);
	if (!n) {
		path = path_text(&p, text, PATH_SIZE);
		n = IS_ERR(path) ? PTR_ERR(path) : scnprintf(buf, size, "%s", path);
		path_put(&p);
	}
	kfree(text);
	return n;
}

static ssize_t exe_readlink(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	return jump_text(ctx, buf, size, exe_jump);
}

static ssize_t cwd_readlink(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	return jump_text(ctx, buf, size, cwd_jump);
}

static ssize_t root_readlink(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	return jump_text(ctx, buf, size, root_jump);
}

/* Is the process, or the thread, still there? */
static int thread_check(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);
	struct thread *t;

	if (!p)
		return -ESRCH;
	process_put(p);
	if (!ctx->tid)
		return 0;
	t = proc_thread(ctx);
	if (!t)
		return -ESRCH;
	thread_put(t);
	return 0;
}

/* Name spaces: there is one of each kind, with the numbers that Linux gives to the first. */
struct name_space {
	const char *name;
	u32 number;
};

static ssize_t ns_readlink(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	const struct name_space *ns = ctx->arg;

	return scnprintf(buf, size, "%s:[%u]", ns->name, ns->number);
}

static int ns_jump(const struct pseudo_ctx *ctx, struct path *out)
{
	struct process *p = proc_inspect(ctx);
	const struct name_space *ns = ctx->arg;
	char name[40];

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	process_put(p);
	snprintf(name, sizeof name, "%s:[%u]", ns->name, ns->number);
	return ns_path(out, name, ns->number);
}

#define NS(n, kind, nr)                                                                      \
	{                                                                                    \
		.name = n, .mode = S_IFLNK | 0777, .readlink = ns_readlink, .jump = ns_jump, \
		.arg = &(const struct name_space)                                            \
		{                                                                            \
			kind, nr                                                             \
		}                                                                            \
	}

static const struct pseudo_entry ns_entries[] = {
	NS("cgroup", "cgroup", 4026531835u), NS("ipc", "ipc", 4026531839u),
	NS("mnt", "mnt", 4026531841u),	     NS("net", "net", 4026531840u),
	NS("pid", "pid", 4026531836u),	     NS("pid_for_children", "pid", 4026531836u),
	NS("time", "time", 4026531834u),     NS("user", "user", 4026531837u),
	NS("uts", "uts", 4026531838u),	     {0},
};
static const struct pseudo_dir ns_dir = {.entries = ns_entries, .check = thread_check};

/* Threads */

/* What processes and threads have in common. */
#define COMMON_FILES                                                                                      \
	PROC_FILE("stat", 0444, proc_stat), PROC_FILE("status", 0444, proc_status),                       \
		PROC_FILE("statm", 0444, proc_statm), PROC_RW("comm", 0644, proc_comm, proc_comm_store),  \
		PROC_FILE("cmdline", 0444, proc_cmdline), PROC_FILE("environ", 0400, proc_environ),       \
		PROC_FILE("auxv", 0400, proc_auxv), PROC_FILE("maps", 0444, proc_maps),                   \
		PROC_FILE("smaps", 0444, proc_smaps), PROC_FILE("smaps_rollup", 0444, proc_smaps_rollup), \
		PSEUDO_OPENED("mem", 0600, proc_mem_open, NULL),                                          \
		PSEUDO_OPENED("pagemap", 0400, proc_pagemap_open, NULL),                                  \
		PROC_FILE("numa_maps", 0444, proc_numa_maps),                                             \
		PROC_RW("clear_refs", 0200, NULL, proc_clear_refs_store),                                 \
		PROC_FILE("limits", 0444, proc_limits), PROC_FILE("io", 0400, proc_io),                   \
		PROC_FILE("cgroup", 0444, proc_cgroup), PROC_FILE("oom_score", 0444, proc_oom_score),     \
		PROC_RW("oom_score_adj", 0644, proc_oom_score_adj, proc_oom_score_adj_store),             \
		PROC_RW("oom_adj", 0644, proc_oom_adj, proc_oom_adj_store),                               \
		PROC_FILE("sched", 0444, proc_sched), PROC_FILE("schedstat", 0444, proc_schedstat),       \
		PROC_FILE("personality", 0400, proc_personality),                                         \
		PROC_RW("loginuid", 0644, proc_loginuid, proc_loginuid_store),                            \
		PROC_FILE("sessionid", 0444, proc_sessionid), PROC_FILE("wchan", 0444, proc_wchan),       \
		PROC_FILE("stack", 0400, proc_stack), PROC_FILE("syscall", 0400, proc_syscall),           \
		PROC_FILE("uid_map", 0444, proc_id_map), PROC_FILE("gid_map", 0444, proc_id_map),         \
		PROC_FILE("setgroups", 0444, proc_setgroups),                                             \
		PROC_POLL("mounts", proc_mounts, proc_mounts_poll),                                       \
		PROC_POLL("mountinfo", proc_mountinfo, proc_mounts_poll),                                 \
		PROC_DIR("fd", 0500, &proc_fd_dir), PROC_DIR("fdinfo", 0555, &proc_fdinfo_dir),           \
		PROC_DIR("ns", 0511, &ns_dir), PROC_DIR("net", 0555, &proc_net_dir),                      \
		PROC_JUMP("exe", 0777, exe_readlink, exe_jump),                                           \
		PROC_JUMP("cwd", 0777, cwd_readlink, cwd_jump),                                           \
		PROC_JUMP("root", 0777, root_readlink, root_jump)

static const struct pseudo_entry thread_entries[] = {
	COMMON_FILES,
	PROC_FILE("children", 0444, proc_children),
	{0},
};
static const struct pseudo_dir thread_dir = {.entries = thread_entries, .check = thread_check};
static const struct pseudo_entry thread_entry = PROC_DIR(NULL, 0555, &thread_dir);

static bool parse_id(const char *name, size_t len, u32 *id)
{
	*id = 0;
	if (!len || len > 7 || *name == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*id = *id * 10 + (u32)(name[i] - '0');
	}
	return true;
}

static int task_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	out->ctx = *ctx;
	out->entry = &thread_entry;
	if (!parse_id(name, len, &out->ctx.tid))
		return -ENOENT;
	return thread_check(&out->ctx) ? -ENOENT : 0;
}

static bool task_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	struct process *p = proc_process(ctx);
	struct thread *t;

	if (!p)
		return false;
	t = process_thread_next(p, (u32)*cursor);
	process_put(p);
	if (!t)
		return false;
	out->entry = &thread_entry;
	out->ctx.tid = t->tid;
	snprintf(out->name, sizeof out->name, "%u", t->tid);
	*cursor = t->tid + 1ull;
	thread_put(t);
	return true;
}

static u32 task_nlink(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);
	u32 n = 2;

	if (p) {
		n += p->nthreads;
		process_put(p);
	}
	return n;
}

static const struct pseudo_dir task_dir = {
	.find = task_find,
	.next = task_next,
	.check = thread_check,
	.nlink = task_nlink,
};

static const struct pseudo_entry pid_entries[] = {
	COMMON_FILES,
	PROC_DIR("task", 0555, &task_dir),
	PROC_FILE("mountstats", 0400, proc_mountstats),
	PROC_RW("coredump_filter", 0644, proc_coredump_filter, proc_coredump_filter_store),
	PROC_RW("timerslack_ns", 0666, proc_timerslack, proc_timerslack_store),
	{0},
};

static u32 pid_nlink(const struct pseudo_ctx *ctx __maybe_unused)
{
	return 7;
}

static const struct pseudo_dir pid_dir = {.entries = pid_entries, .check = thread_check, .nlink = pid_nlink};
const struct pseudo_entry proc_pid_dir = PROC_DIR(NULL, 0555, &pid_dir);

struct process *proc_file_process(struct file *f)
{
	struct process *p;

	if (!f->inode || !pseudo_inode_is(f->inode, &proc_pid_dir))
		return ERR_PTR(-EBADF);
	p = proc_process(pseudo_inode_ctx(f->inode));
	return p ? p : ERR_PTR(-ESRCH);
}
