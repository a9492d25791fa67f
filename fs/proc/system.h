/* SPDX-License-Identifier: BSD-2-Clause */
/* Files about the whole system: memory.c and system.c, listed in root.c. */
#pragma once

#include "proc.h"

show_fn proc_meminfo, proc_vmstat, proc_zoneinfo, proc_slabinfo, proc_buddyinfo, proc_pagetypeinfo;
show_fn proc_system_stat, proc_uptime, proc_loadavg, proc_version, proc_command_line, proc_cpuinfo,
	proc_filesystems, proc_interrupts, proc_cgroups, proc_devices, proc_partitions, proc_diskstats,
	proc_softirqs, proc_system_schedstat, proc_tty_drivers, proc_tty_ldiscs, proc_swaps, proc_locks,
	proc_modules, proc_consoles, proc_misc, proc_execdomains;
int proc_kmsg_open(const struct pseudo_ctx *ctx, struct file *f);
