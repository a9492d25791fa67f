// SPDX-License-Identifier: BSD-2-Clause
/* /proc/sys: values of the kernel as files, most of them numbers.
 *
 * A number is described by struct sys_number: where it lives, how wide it is, and its bounds (equal bounds:
 * read-only by mode). Some are settings that Linux has and programs or init scripts write; those without a
 * meaning here are kept and read back, and the table says so. Other subsystems add files with
 * proc_sys_register(). */
#include "fs/pagecache.h"
#include "kernel/ipc.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/random.h"
#include "kernel/sched.h"
#include "kernel/vm.h"
#include "proc.h"
#include <linux/capability.h>

struct sys_number {
	void *value;
	u8 width; /* 4 or 8 bytes */
	u64 lo, hi;
};

static int number_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	const struct sys_number *n = ctx->arg;

	seq_printf(s, "%llu\n",
		   n->width == 8 ? (unsigned long long)READ_ONCE(*(u64 *)n->value)
				 : READ_ONCE(*(u32 *)n->value));
	return 0;
}

static int number_store(const struct pseudo_ctx *ctx, const char *text, size_t len __maybe_unused)
{
	const struct sys_number *n = ctx->arg;
	s64 v;
	int err = proc_parse(text, (s64)n->lo, (s64)min(n->hi, 0x7fffffffffffffffull), &v);

	if (err)
		return -EINVAL;
	if (n->width == 8)
		WRITE_ONCE(*(u64 *)n->value, (u64)v);
	else
		WRITE_ONCE(*(u32 *)n->value, (u32)v);
	return 0;
}

#define NUMBER(n, m, var, low, high)                                                       \
	{                                                                                  \
		.name = n, .mode = S_IFREG | (m), .show = number_show,                     \
		.store = (m)&0222 ? number_store : NULL, .arg = &(const struct sys_number) \
		{                                                                          \
			(void *)(uintptr_t) & (var), sizeof(var), low, high                \
		}                                                                          \
	}

static int sched_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	seq_printf(s, "%d\n", READ_ONCE(*(const s32 *)ctx->arg));
	return 0;
}

static int sched_store(const struct pseudo_ctx *ctx, const char *text, size_t len __maybe_unused)
{
	s64 v;

	if (proc_parse(text, -0x7fffffff - 1, 0x7fffffff, &v))
		return -EINVAL;
	return sched_set((enum sched_setting)((const s32 *)ctx->arg - sched_settings), (s32)v);
}

#define SCHED(n, which)                                                                      \
	{                                                                                    \
		.name = n, .mode = S_IFREG | 0644, .show = sched_show, .store = sched_store, \
		.arg = &sched_settings[which]                                                \
	}

/* Settings that are only remembered. */
static u32 kept_randomize = 2, kept_panic, kept_perf_paranoid = 2, kept_kptr_restrict, kept_sysrq = 16,
	   kept_swappiness = 60, kept_dirty_ratio = 20, kept_dirty_background = 10, kept_cache_pressure = 100,
	   kept_panic_on_oom, kept_oom_allocating, kept_hugetlb_group, kept_compact, kept_zone_reclaim,
	   kept_dirty_expire = 3000, kept_dirty_writeback = 500;
static u64 kept_file_max = 0x7fffffffffffffff, kept_pipe_soft = 16384, kept_pipe_hard;
static const u32 pid_max = PID_MAX, ngroups_max = 65536, cap_last_cap = CAP_LAST_CAP, overflow_id = 65534,
		 nr_open = 1048576, threads_max = PID_MAX, poolsize = 256;
static const u32 zero;
static u32 kept_panic_on_oops, kept_ctrl_alt_del, kept_fatal_signals, kept_child_first, kept_shm_rmid,
	kept_oom_dump = 1, kept_laptop, kept_page_cluster = 3, kept_stat_interval = 1, kept_extfrag = 500,
	kept_legacy_layout;
static u64 kept_dirty_bytes, kept_dirty_background_bytes, kept_user_reserve = 131072,
							  kept_admin_reserve = 8192;

/* kernel/ */

static int hostname_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	char name[80];

	system_hostname(name, sizeof name);
	seq_printf(s, "%s\n", name);
	return 0;
}

static int hostname_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);

	return system_set_hostname(text, end ? (size_t)(end - text) : n);
}

static int domainname_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	char name[80];

	system_domainname(name, sizeof name);
	seq_printf(s, "%s\n", name);
	return 0;
}

static int domainname_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);

	return system_set_domainname(text, end ? (size_t)(end - text) : n);
}

static int core_pattern_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%s\n", core_pattern);
	return 0;
}

static int core_pattern_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text, size_t n)
{
	n = min(n, sizeof core_pattern - 1);
	while (n && text[n - 1] == '\n')
		n--;
	memcpy(core_pattern, text, n);
	core_pattern[n] = '\0';
	return 0;
}

static int printk_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%d\t4\t1\t7\n", (int)log_console_level + 1);
	return 0;
}

static int printk_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			size_t n __maybe_unused)
{
	const char *end;
	u64 v = str_to_u64(text, &end);

	if (end == text || v < 1 || v > 8)
		return -EINVAL;
	log_console_level = (enum log_level)(v - 1);
	return 0;
}

/* random/ */

static void uuid_text(struct seq *s, u8 id[16])
{
	id[6] = (u8)((id[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
	id[8] = (u8)((id[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++)
		seq_printf(s, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	seq_putc(s, '\n');
}

static int boot_id_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	static DEFINE_MUTEX(lock);
	static bool made;
	static u8 id[16];
	u8 copy[16];

	mutex_lock(&lock);
	if (!made)
		random_bytes(id, sizeof id);
	made = true;
	memcpy(copy, id, sizeof copy);
	mutex_unlock(&lock);
	uuid_text(s, copy);
	return 0;
}

static int uuid_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u8 id[16];

	random_bytes(id, sizeof id);
	uuid_text(s, id);
	return 0;
}

static int entropy_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, random_ready() ? "256\n" : "0\n");
	return 0;
}

static struct pseudo_extra *random_extra, *kernel_extra, *vm_extra, *fs_extra, *inotify_extra, *epoll_extra,
	*mqueue_extra, *sys_extra;

static const struct pseudo_entry random_entries[] = {
	PROC_FILE("boot_id", 0444, boot_id_show),
	PROC_FILE("uuid", 0444, uuid_show),
	PROC_FILE("entropy_avail", 0444, entropy_show),
	NUMBER("poolsize", 0444, poolsize, 0, 0),
	NUMBER("write_wakeup_threshold", 0444, poolsize, 0, 0),
	{0},
};
static const struct pseudo_dir random_dir = {.entries = random_entries, .extra = &random_extra};

static const struct pseudo_entry kernel_entries[] = {
	PSEUDO_TEXT("ostype", "Linux\n"),
	PSEUDO_TEXT("osrelease", KERNEL_RELEASE "\n"),
	PSEUDO_TEXT("version", KERNEL_VERSION "\n"),
	PROC_RW("hostname", 0644, hostname_show, hostname_store),
	PROC_RW("domainname", 0644, domainname_show, domainname_store),
	NUMBER("panic_on_oops", 0644, kept_panic_on_oops, 0, 1),
	NUMBER("ctrl-alt-del", 0644, kept_ctrl_alt_del, 0, 1),
	NUMBER("print-fatal-signals", 0644, kept_fatal_signals, 0, 1),
	SCHED("sched_rt_period_us", SCHED_SET_RT_PERIOD),
	SCHED("sched_rt_runtime_us", SCHED_SET_RT_RUNTIME),
	SCHED("sched_rr_timeslice_ms", SCHED_SET_RR_QUANTUM),
	NUMBER("sched_child_runs_first", 0644, kept_child_first, 0, 1),
	NUMBER("shm_rmid_forced", 0644, kept_shm_rmid, 0, 1),
	NUMBER("pid_max", 0444, pid_max, 0, 0),
	NUMBER("threads-max", 0444, threads_max, 0, 0),
	NUMBER("ngroups_max", 0444, ngroups_max, 0, 0),
	NUMBER("cap_last_cap", 0444, cap_last_cap, 0, 0),
	NUMBER("overflowuid", 0444, overflow_id, 0, 0),
	NUMBER("overflowgid", 0444, overflow_id, 0, 0),
	NUMBER("tainted", 0444, zero, 0, 0),
	NUMBER("randomize_va_space", 0644, kept_randomize, 0, 2),
	NUMBER("panic", 0644, kept_panic, 0, 0x7fffffff),
	NUMBER("perf_event_paranoid", 0644, kept_perf_paranoid, 0, 4),
	NUMBER("dmesg_restrict", 0644, log_restricted, 0, 1),
	NUMBER("kptr_restrict", 0644, kept_kptr_restrict, 0, 2),
	NUMBER("sysrq", 0644, kept_sysrq, 0, 511),
	NUMBER("core_uses_pid", 0644, core_uses_pid, 0, 1),
	/* System V IPC's limits are fixed: kernel/ipc/sysv_*.c. */
	PSEUDO_TEXT("shmmax", "18446744073692774399\n"),
	PSEUDO_TEXT("shmall", "18446744073692774399\n"),
	PSEUDO_TEXT("shmmni", "4096\n"),
	PSEUDO_TEXT("sem", "32000\t1024000000\t500\t32000\n"),
	PSEUDO_TEXT("msgmax", "8192\n"),
	PSEUDO_TEXT("msgmnb", "16384\n"),
	PSEUDO_TEXT("msgmni", "32000\n"),
	PROC_RW("core_pattern", 0644, core_pattern_show, core_pattern_store),
	PROC_RW("printk", 0644, printk_show, printk_store),
	PROC_DIR("random", 0555, &random_dir),
	{0},
};
static const struct pseudo_dir kernel_dir = {.entries = kernel_entries, .extra = &kernel_extra};

/* vm/ */

static int min_addr_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "65536\n");
	return 0;
}

static int nr_hugepages_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct hugetlb_stats h;

	hugetlb_stats(&h);
	seq_printf(s, "%llu\n", (unsigned long long)h.total);
	return 0;
}

static int nr_hugepages_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			      size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, 0, 1ll << 40, &v);

	if (!err)
		hugetlb_resize((u64)v);
	return err;
}

/* 1: page cache, 2: names and inodes, 3: both. */
static int drop_caches_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			     size_t n __maybe_unused)
{
	s64 v;
	int err = proc_parse(text, 1, 4, &v);

	if (err)
		return -EINVAL;
	if (v & 1)
		pagecache_reclaim(~0ull);
	if (v & 2)
		vfs_drop_names();
	return 0;
}

static int drop_caches_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "0\n");
	return 0;
}

static u32 min_free_kb; /* as it was written, before it became pages */

static int min_free_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%u\n", min_free_kb ? min_free_kb : (u32)(page_reserve << (PAGE_SHIFT - 10)));
	return 0;
}

static int min_free_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			  size_t n __maybe_unused)
{
	s64 kb;

	if (proc_parse(text, 0, 0x7fffffff, &kb))
		return -EINVAL;
	min_free_kb = (u32)kb;
	page_set_watermarks(max((u64)kb >> (PAGE_SHIFT - 10), 8ull), page_scale_factor);
	return 0;
}

static int scale_factor_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			      size_t n __maybe_unused)
{
	s64 v;

	if (proc_parse(text, 1, 3000, &v))
		return -EINVAL;
	page_set_watermarks(READ_ONCE(page_reserve), (u32)v);
	return 0;
}

static int scale_factor_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%u\n", page_scale_factor);
	return 0;
}

static const struct pseudo_entry vm_entries[] = {
	NUMBER("overcommit_memory", 0644, vm_overcommit_memory, 0, 2),
	NUMBER("overcommit_ratio", 0644, vm_overcommit_ratio, 0, 0x7fffffff),
	NUMBER("overcommit_kbytes", 0644, vm_overcommit_kbytes, 0, 1ull << 50),
	NUMBER("max_map_count", 0644, vm_max_map_count, 0, 0x7fffffff),
	PROC_FILE("mmap_min_addr", 0444, min_addr_show),
	PROC_RW("nr_hugepages", 0644, nr_hugepages_show, nr_hugepages_store),
	NUMBER("nr_overcommit_hugepages", 0444, zero, 0, 0),
	NUMBER("hugetlb_shm_group", 0644, kept_hugetlb_group, 0, 0x7fffffff),
	NUMBER("swappiness", 0644, kept_swappiness, 0, 200),
	PROC_RW("drop_caches", 0200, drop_caches_show, drop_caches_store),
	PROC_RW("min_free_kbytes", 0644, min_free_show, min_free_store),
	PROC_RW("watermark_scale_factor", 0644, scale_factor_show, scale_factor_store),
	NUMBER("dirty_ratio", 0644, kept_dirty_ratio, 0, 100),
	NUMBER("dirty_background_ratio", 0644, kept_dirty_background, 0, 100),
	NUMBER("dirty_expire_centisecs", 0644, kept_dirty_expire, 0, 0x7fffffff),
	NUMBER("dirty_writeback_centisecs", 0644, kept_dirty_writeback, 0, 0x7fffffff),
	NUMBER("vfs_cache_pressure", 0644, kept_cache_pressure, 0, 0x7fffffff),
	NUMBER("panic_on_oom", 0644, kept_panic_on_oom, 0, 2),
	NUMBER("oom_kill_allocating_task", 0644, kept_oom_allocating, 0, 1),
	NUMBER("compact_memory", 0200, kept_compact, 0, 1),
	NUMBER("zone_reclaim_mode", 0644, kept_zone_reclaim, 0, 7),
	NUMBER("oom_dump_tasks", 0644, kept_oom_dump, 0, 1),
	NUMBER("laptop_mode", 0644, kept_laptop, 0, 0x7fffffff),
	NUMBER("page-cluster", 0644, kept_page_cluster, 0, 31),
	NUMBER("stat_interval", 0644, kept_stat_interval, 0, 0x7fffffff),
	NUMBER("extfrag_threshold", 0644, kept_extfrag, 0, 1000),
	NUMBER("legacy_va_layout", 0644, kept_legacy_layout, 0, 1),
	NUMBER("dirty_bytes", 0644, kept_dirty_bytes, 0, ~0ull),
	NUMBER("dirty_background_bytes", 0644, kept_dirty_background_bytes, 0, ~0ull),
	NUMBER("user_reserve_kbytes", 0644, kept_user_reserve, 0, ~0ull),
	NUMBER("admin_reserve_kbytes", 0644, kept_admin_reserve, 0, ~0ull),
	{0},
};
static const struct pseudo_dir vm_dir = {.entries = vm_entries, .extra = &vm_extra};

/* fs/ */

static int file_nr_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%llu\t0\t%llu\n", (unsigned long long)vfs_files_total(),
		   (unsigned long long)kept_file_max);
	return 0;
}

static int dentry_state_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u64 n = vfs_dentries_total();

	seq_printf(s, "%llu\t%llu\t45\t0\t0\t0\n", (unsigned long long)n, (unsigned long long)n);
	return 0;
}

static u64 inodes_total(void)
{
	struct slab_info c;

	for (u32 i = 0; slab_info(i, &c); i++)
		if (!strcmp(c.name, "inode"))
			return c.used;
	return 0;
}

static int inode_nr_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%llu\t0\n", (unsigned long long)inodes_total());
	return 0;
}

static int inode_state_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%llu\t0\t0\t0\t0\t0\t0\n", (unsigned long long)inodes_total());
	return 0;
}

static int pipe_max_store(const struct pseudo_ctx *ctx __maybe_unused, const char *text,
			  size_t n __maybe_unused)
{
	s64 v;
	u32 size = PAGE_SIZE;

	if (proc_parse(text, (s64)PAGE_SIZE, 1 << 30, &v))
		return -EINVAL;
	while (size < v)
		size *= 2;
	pipe_max_size = size;
	return 0;
}

static int pipe_max_show(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%u\n", pipe_max_size);
	return 0;
}

static const struct pseudo_entry inotify_entries[] = {
	NUMBER("max_queued_events", 0644, inotify_max_queued, 0, 0x7fffffff),
	NUMBER("max_user_instances", 0644, inotify_max_instances, 0, 0x7fffffff),
	NUMBER("max_user_watches", 0644, inotify_max_watches, 0, 0x7fffffff),
	{0},
};
static const struct pseudo_dir inotify_dir = {.entries = inotify_entries, .extra = &inotify_extra};

static const struct pseudo_entry epoll_entries[] = {
	NUMBER("max_user_watches", 0644, epoll_max_watches, 0, ~0ull),
	{0},
};
static const struct pseudo_dir epoll_dir = {.entries = epoll_entries, .extra = &epoll_extra};

static const struct pseudo_entry mqueue_entries[] = {
	NUMBER("msg_max", 0644, mq_msg_max, 1, 65536),
	NUMBER("msgsize_max", 0644, mq_msgsize_max, 128, 1 << 24),
	NUMBER("queues_max", 0644, mq_queues_max, 0, 0x7fffffff),
	NUMBER("msg_default", 0644, mq_msg_default, 1, 65536),
	NUMBER("msgsize_default", 0644, mq_msgsize_default, 128, 1 << 24),
	{0},
};
static const struct pseudo_dir mqueue_dir = {.entries = mqueue_entries, .extra = &mqueue_extra};

static const struct pseudo_entry fs_entries[] = {
	NUMBER("file-max", 0644, kept_file_max, 0, ~0ull),
	PROC_FILE("file-nr", 0444, file_nr_show),
	NUMBER("nr_open", 0444, nr_open, 0, 0),
	PROC_FILE("dentry-state", 0444, dentry_state_show),
	NUMBER("dir-notify-enable", 0644, dnotify_enable, 0, 1),
	PROC_RW("pipe-max-size", 0644, pipe_max_show, pipe_max_store),
	NUMBER("pipe-user-pages-soft", 0644, kept_pipe_soft, 0, ~0ull),
	NUMBER("pipe-user-pages-hard", 0644, kept_pipe_hard, 0, ~0ull),
	NUMBER("aio-max-nr", 0644, aio_max_nr, 0, ~0ull),
	NUMBER("aio-nr", 0444, aio_nr, 0, 0),
	NUMBER("overflowuid", 0444, overflow_id, 0, 0),
	NUMBER("overflowgid", 0444, overflow_id, 0, 0),
	NUMBER("protected_hardlinks", 0600, vfs_protected_hardlinks, 0, 1),
	NUMBER("protected_symlinks", 0600, vfs_protected_symlinks, 0, 1),
	NUMBER("suid_dumpable", 0644, suid_dumpable, 0, 2),
	PROC_FILE("inode-nr", 0444, inode_nr_show),
	PROC_FILE("inode-state", 0444, inode_state_show),
	NUMBER("protected_fifos", 0600, vfs_protected_fifos, 0, 2),
	NUMBER("protected_regular", 0600, vfs_protected_regular, 0, 2),
	NUMBER("leases-enable", 0644, leases_enable, 0, 1),
	NUMBER("lease-break-time", 0644, lease_break_time, 0, 0x7fffffff),
	PROC_DIR("inotify", 0555, &inotify_dir),
	PROC_DIR("epoll", 0555, &epoll_dir),
	PROC_DIR("mqueue", 0555, &mqueue_dir),
	{0},
};
static const struct pseudo_dir fs_dir = {.entries = fs_entries, .extra = &fs_extra};

static const struct pseudo_entry sys_entries[] = {
	PROC_DIR("kernel", 0555, &kernel_dir),
	PROC_DIR("vm", 0555, &vm_dir),
	PROC_DIR("fs", 0555, &fs_dir),
	{0},
};
const struct pseudo_dir proc_sys_dir = {.entries = sys_entries, .extra = &sys_extra};
