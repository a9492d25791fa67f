/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the kernel up, from a machine with memory and one CPU to pid 1.
 *
 * Order: scheduler on the boot CPU; INIT_CORE (no sleeping yet); then a kernel thread runs the rest, which
 * may sleep: buses (they register the other CPUs), those CPUs, devices, file systems, network, late calls,
 * mounts, init. */

#include "kernel/main.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "arch/memory.h"
#include "fs/file.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"
#include "start_init.h"
#include "volumes.h"

extern const struct initcall __start_initcalls[], __stop_initcalls[];
int vfs_boot_mounts(void);
int initrd_register(void *base, u64 size);

const struct boot_info *kernel_boot_info;

#define CHART_LEAST_US 20 /* shorter steps are not worth a line */

static bool chart_wanted;
static u64 chart_last;

/* The kernel word bootchart: a line for each step of bring-up, with its time and the time since the clock
 * started. */
static void chart(const char *step)
{
	u64 now, took;

	if (!chart_wanted)
		return;
	now = clock_monotonic();
	took = (now - chart_last) / NSEC_PER_USEC;
	if (took >= CHART_LEAST_US)
		log_warn("bootchart: %6lu us at %7lu us  %s", took, (u64)(now / NSEC_PER_USEC), step);
	chart_last = clock_monotonic(); /* printing is not part of the next step */
}

static void run_initcalls(enum init_phase phase)
{
	for (const struct initcall *c = __start_initcalls; c < __stop_initcalls; c++) {
		if (c->phase != phase)
			continue;
		int err = c->fn();

		if (err)
			log_err("init: %s failed: error %d", c->name, err);
		chart(c->name);
	}
}

static void bring_up(void *arg)
{
	run_initcalls(INIT_BUS);
	smp_start_others();
	chart("smp_start_others");
	run_initcalls(INIT_DEVICE);
	run_initcalls(INIT_FS);
	run_initcalls(INIT_NET);
	run_initcalls(INIT_LATE);
	if (kernel_boot_info->initrd_size) {
		int err = initrd_register(phys_to_virt(kernel_boot_info->initrd_start),
					  kernel_boot_info->initrd_size);

		if (err)
			log_err("init: the initrd cannot be used: error %d", err);
	}
	int err = vfs_boot_mounts();
	if (err)
		panic("init: no root file system: error %d", err);
	mount_volumes();
	chart("vfs_boot_mounts");
	start_init();
}

void kernel_main(const struct boot_info *bi)
{
	kernel_boot_info = bi;
	irq_init();
	sched_init_boot();
	chart_wanted = cmdline_flag("bootchart");
	chart("what comes before the first initcall");
	run_initcalls(INIT_CORE);
	struct thread *t = kthread_start(bring_up, NULL, "init");
	if (IS_ERR(t))
		panic("init: no memory for the first thread");
	arch_irq_enable();
	sched_idle();
}
