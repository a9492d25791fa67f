/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fs/proc share. A file of a process finds it anew at each use, by number and start time; a
 * process that is gone gives ESRCH. Formats: proc(5), and what Linux 6.1 prints. */
#pragma once

#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/process.h"

/* The process, or a thread of it: with a reference, NULL when it is gone. A context without tid means the
 * leader. */
struct process *proc_process(const struct pseudo_ctx *ctx);
struct thread *proc_thread(const struct pseudo_ctx *ctx);
/* The process when the caller may look into it: ERR_PTR(-ESRCH, -EACCES). */
struct process *proc_inspect(const struct pseudo_ctx *ctx);
/* Its address space, with a reference; NULL: it has none (a zombie, a kernel process). ERR_PTR(-ESRCH,
 * -EACCES). */
struct vmspace *proc_vm(const struct pseudo_ctx *ctx);

/* root.c */
extern const struct pseudo_entry proc_root;
/* pid.c: directories /proc/PID and /proc/PID/task/TID */
extern const struct pseudo_entry proc_pid_dir;
/* fd.c */
extern const struct pseudo_dir proc_fd_dir, proc_fdinfo_dir;
/* net.c */
extern const struct pseudo_dir proc_net_dir;
/* cortado.c */
extern const struct pseudo_dir proc_cortado_dir;
/* system.c, memory.c: files about the whole system */
/* sys.c */
extern const struct pseudo_dir proc_sys_dir;

typedef int show_fn(struct seq *s, const struct pseudo_ctx *ctx);
typedef int store_fn(const struct pseudo_ctx *ctx, const char *text, size_t n);

/* status.c */
show_fn proc_stat, proc_status, proc_statm, proc_comm;
store_fn proc_comm_store;
/* maps.c */
show_fn proc_maps, proc_smaps, proc_smaps_rollup, proc_numa_maps;
store_fn proc_clear_refs_store;
/* mem.c */
show_fn proc_cmdline, proc_environ, proc_auxv;
int proc_mem_open(const struct pseudo_ctx *ctx, struct file *f);
/* pagemap.c */
int proc_pagemap_open(const struct pseudo_ctx *ctx, struct file *f);
/* misc.c */
show_fn proc_limits, proc_io, proc_cgroup, proc_oom_score, proc_oom_score_adj, proc_oom_adj, proc_sched,
	proc_schedstat, proc_personality, proc_coredump_filter, proc_loginuid, proc_sessionid,
	proc_timerslack, proc_wchan, proc_id_map, proc_setgroups, proc_children, proc_stack, proc_syscall;
store_fn proc_oom_score_adj_store, proc_oom_adj_store, proc_coredump_filter_store, proc_loginuid_store,
	proc_timerslack_store;
/* mounts.c */
show_fn proc_mounts, proc_mountinfo, proc_mountstats;
u32 proc_mounts_poll(const struct pseudo_ctx *ctx, struct file *f, struct poll_table *pt);

/* Numbers written to a file: decimal (or 0x), surrounding white space allowed. 0, -EINVAL, -ERANGE outside
 * [LO, HI]. */
int proc_parse(const char *text, s64 lo, s64 hi, s64 *out);

/* SHOW with A: for entry tables. */
#define PROC_FILE(n, m, s)                                  \
	{                                                   \
		.name = n, .mode = S_IFREG | (m), .show = s \
	}
#define PROC_RW(n, m, s, w)                                             \
	{                                                               \
		.name = n, .mode = S_IFREG | (m), .show = s, .store = w \
	}
#define PROC_POLL(n, s, p)                                                                   \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0444, .show = s, .kind = PSEUDO_POLL, .poll = p \
	}
#define PROC_DIR(n, m, d)                                  \
	{                                                  \
		.name = n, .mode = S_IFDIR | (m), .dir = d \
	}
#define PROC_LINK(n, fn)                                          \
	{                                                         \
		.name = n, .mode = S_IFLNK | 0777, .readlink = fn \
	}
#define PROC_JUMP(n, m, fn, j)                                              \
	{                                                                   \
		.name = n, .mode = S_IFLNK | (m), .readlink = fn, .jump = j \
	}

/* As uname(2) tells them: kernel/proc/system.c. */
#define KERNEL_RELEASE "6.1.0-cortado"
#define KERNEL_VERSION "#1 SMP Cortado"

#define CLOCK_TICKS 100 /* USER_HZ */
static inline u64 to_ticks(u64 ns)
{
	return ns / (NSEC_PER_SEC / CLOCK_TICKS);
}
