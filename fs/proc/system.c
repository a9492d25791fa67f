// SPDX-License-Identifier: BSD-2-Clause
/* Files at the top of /proc about CPUs, time and devices. */
#include "system.h"
#include "kernel/blockdev.h"
#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"
#include "kernel/softirq.h"

typedef unsigned long long ull;

/* The numbers of a CPU line, in ticks: user nice system idle iowait irq softirq steal guest guest_nice. */
static void cpu_line(struct seq *s, const struct cpu_times *t)
{
	seq_printf(s, "%llu 0 %llu %llu 0 %llu 0 %llu 0 0\n", (ull)to_ticks(t->user),
		   (ull)to_ticks(t->system), (ull)to_ticks(t->idle), (ull)to_ticks(t->irq),
		   (ull)to_ticks(t->steal));
}

static void times_sum(struct cpu_times *sum)
{
	*sum = (struct cpu_times){0};
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu_times t;

		cpu_times(i, &t);
		sum->user += t.user;
		sum->system += t.system;
		sum->idle += t.idle;
		sum->irq += t.irq;
		sum->steal += t.steal;
		sum->switches += t.switches;
	}
}

static u64 interrupts_total(void)
{
	struct irq_info info;
	u64 total = 0;

	for (unsigned v = irq_next(0, &info); v; v = irq_next(v, &info))
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			total += irq_count(v, cpu);
	return total;
}

/* The latest number given out, as far as /proc has seen: numbers rise until they wrap. It also serves as the
 * count of forks, since every process and thread takes one. */
static u32 last_pid(void)
{
	static _Atomic u32 highest;
	struct process *p;
	u32 last = 0, seen = highest;

	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		last = p->pid;
		pid = last + 1;
	}
	while (seen < last && !atomic_compare_exchange_weak(&highest, &seen, last))
		;
	return max(last, seen);
}

int proc_system_stat(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u64 sums[SOFTIRQ_KINDS], all = 0;
	struct cpu_times t;

	times_sum(&t);
	seq_puts(s, "cpu  ");
	cpu_line(s, &t);
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu_times one;

		cpu_times(i, &one);
		seq_printf(s, "cpu%u ", i);
		cpu_line(s, &one);
	}
	seq_printf(s,
		   "intr %llu\nctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running %u\nprocs_blocked %u\n",
		   (ull)interrupts_total(), (ull)t.switches,
		   (ull)((clock_realtime() - clock_boottime()) / NSEC_PER_SEC), (ull)forks_total(),
		   sched_runnable(), sched_blocked());
	for (unsigned n = 0; n < SOFTIRQ_KINDS; n++) {
		sums[n] = 0;
		for (unsigned i = 0; i < cpu_count; i++)
			sums[n] += READ_ONCE(per_cpu_ptr(&softirq_counts, i)->n[n]);
		all += sums[n];
	}
	seq_printf(s, "softirq %llu", (ull)all);
	for (unsigned n = 0; n < SOFTIRQ_KINDS; n++)
		seq_printf(s, " %llu", (ull)sums[n]);
	seq_putc(s, '\n');
	return 0;
}

int proc_softirqs(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	static const char *const names[] = {"HI",	"TIMER",   "NET_TX", "NET_RX",	"BLOCK",
					    "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

	seq_puts(s, "                    ");
	for (unsigned i = 0; i < cpu_count; i++)
		seq_printf(s, "CPU%-8u", i);
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		seq_printf(s, "\n%12s:", names[n]);
		for (unsigned i = 0; i < cpu_count; i++)
			seq_printf(s, " %10llu", (ull)READ_ONCE(per_cpu_ptr(&softirq_counts, i)->n[n]));
	}
	seq_putc(s, '\n');
	return 0;
}

/* Of each CPU: how long it ran threads, how long they waited (which nobody counts), and their turns. */
int proc_system_schedstat(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "version 15\ntimestamp %llu\n", (ull)to_ticks(clock_boottime()));
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu_times t;

		cpu_times(i, &t);
		seq_printf(s, "cpu%u 0 0 0 0 0 0 %llu 0 %llu\n", i, (ull)(t.user + t.system),
			   (ull)t.switches);
	}
	return 0;
}

int proc_tty_drivers(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		    "/dev/console         /dev/console    5       1 system:console\n"
		    "/dev/ptmx            /dev/ptmx       5       2 system\n"
		    "serial               /dev/ttyS       4 64-67 serial\n"
		    "hvc                  /dev/hvc      229 0-7 system\n"
		    "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
		    "pty_master           /dev/ptm      128 0-1048575 pty:master\n");
	return 0;
}

int proc_tty_ldiscs(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "n_tty       0\n");
	return 0;
}

int proc_uptime(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u64 up = clock_boottime() / (NSEC_PER_SEC / 100), idle;
	struct cpu_times t;

	times_sum(&t);
	idle = t.idle / (NSEC_PER_SEC / 100);
	seq_printf(s, "%llu.%02llu %llu.%02llu\n", (ull)(up / 100), (ull)(up % 100), (ull)(idle / 100),
		   (ull)(idle % 100));
	return 0;
}

int proc_loadavg(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	u64 load[3];

	load_average(load);
	for (int i = 0; i < 3; i++) {
		u64 v = load[i] + 10; /* half of a hundredth, in eleven-bit fixed point */

		seq_printf(s, "%llu.%02llu ", (ull)(v >> 11), (ull)((v & 2047) * 100 >> 11));
	}
	seq_printf(s, "%u/%u %u\n", sched_runnable(), thread_count(), last_pid());
	return 0;
}

int proc_version(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "Linux version " KERNEL_RELEASE " (cortado) (" __VERSION__ ") " KERNEL_VERSION "\n");
	return 0;
}

int proc_command_line(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_printf(s, "%s\n", cmdline_raw());
	return 0;
}

int proc_cpuinfo(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	size_t size = 4096, n;
	char *buf = kmalloc(size);

	for (unsigned i = 0; buf && i < cpu_count; i++) {
		n = arch_cpuinfo(i, buf, size);
		if (n >= size) {
			kfree(buf);
			size = n + 1;
			buf = kmalloc(size);
			n = buf ? arch_cpuinfo(i, buf, size) : 0;
		}
		if (buf)
			seq_write(s, buf, min(n, size - 1));
	}
	if (!buf)
		return -ENOMEM;
	kfree(buf);
	return 0;
}

int proc_filesystems(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_text(s, vfs_filesystems_text);
	return 0;
}

int proc_locks(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_text(s, vfs_locks_text);
	return 0;
}

/* Interrupts are counted for all CPUs together: one column. */
int proc_interrupts(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct irq_info info;

	seq_printf(s, "%11s", "");
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		seq_printf(s, "CPU%-8u", cpu);
	seq_puts(s, "\n");
	for (unsigned v = irq_next(0, &info); v; v = irq_next(v, &info)) {
		if (info.label)
			seq_printf(s, "%3s:", info.label);
		else
			seq_printf(s, "%3u:", v);
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			seq_printf(s, " %10u", irq_count(v, cpu));
		seq_printf(s, "  %s%s\n", info.chip, info.names);
	}
	return 0;
}

/* With only the unified hierarchy, number 0 stands for it. */
int proc_cgroups(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	static const char *const controllers[] = {"cpuset", "cpu", "cpuacct", "blkio", "memory", "pids"};

	seq_puts(s, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		seq_printf(s, "%s\t0\t1\t1\n", controllers[i]);
	return 0;
}

int proc_devices(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 "
		    "/dev/ptmx\n136 pts\n229 hvc\n"
		    "245 virtio-portsdev\n\nBlock devices:\n254 virtblk\n");
	return 0;
}

int proc_partitions(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	unsigned minor = 0;

	seq_puts(s, "major minor  #blocks  name\n\n");
	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd), minor += 16)
		seq_printf(s, " 254 %8u %10llu %s\n", minor, (ull)(bd->sectors / 2), bd->name);
	return 0;
}

int proc_diskstats(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	unsigned minor = 0;

	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd), minor += 16) {
		u64 n[BLOCK_STAT_FIELDS];

		block_stat(bd, n);
		seq_printf(s, " 254 %7u %s", minor, bd->name);
		for (unsigned i = 0; i < BLOCK_STAT_FIELDS; i++)
			seq_printf(s, " %llu", (ull)n[i]);
		seq_putc(s, '\n');
	}
	return 0;
}

int proc_swaps(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

int proc_modules(struct seq *s __maybe_unused, const struct pseudo_ctx *ctx __maybe_unused)
{
	return 0;
}

int proc_misc(struct seq *s __maybe_unused, const struct pseudo_ctx *ctx __maybe_unused)
{
	return 0;
}

int proc_execdomains(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	seq_puts(s, "0-0\tLinux           \t[kernel]\n");
	return 0;
}

int proc_consoles(struct seq *s, const struct pseudo_ctx *ctx __maybe_unused)
{
	struct chardev *cd = console_chardev();

	if (cd)
		seq_printf(s, "%-21s-W- (EC  p  )\n", cd->name);
	return 0;
}

/* /proc/kmsg: the log as a stream of "<level>[time] text" lines; readers share nothing, each begins with the
 * oldest. */

static ssize_t kmsg_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	size_t room = min(to->left, (size_t)4096), n;
	char *buf;
	int err;

	while (log_end() == f->rx_ready) {
		if (file_nonblock(f))
			return -EAGAIN;
		err = wait_event_interruptible(&log_waitq, log_end() != f->rx_ready);
		if (err)
			return err;
	}
	buf = kmalloc(max(room, (size_t)512));
	if (!buf)
		return -ENOMEM;
	n = log_read(&f->rx_ready, buf, room);
	n = iter_copy_out(to, buf, n);
	kfree(buf);
	return (ssize_t)n;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &log_waitq, pt);
	return log_end() != f->rx_ready ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_ops kmsg_fops = {.read = kmsg_read, .poll = kmsg_poll, .seek = noop_seek};

int proc_kmsg_open(const struct pseudo_ctx *ctx __maybe_unused, struct file *f)
{
	f->ops = &kmsg_fops;
	return 0;
}
