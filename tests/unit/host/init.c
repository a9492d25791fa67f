// SPDX-License-Identifier: BSD-2-Clause
/* Initcalls and counters of the sources under test, and host_reset(). */
#include "host_private.h"
#include "kernel/counter.h"

extern const struct initcall __start_initcalls[] __weak, __stop_initcalls[] __weak;

/* One entry each, so that the linker makes the section bounds even when a test links none of its own. */
static DEFINE_COUNTER(host_shim_resets, "times that a test reset the shim");

int host_run_initcalls(enum init_phase phase)
{
	int err = 0;

	for (const struct initcall *c = __start_initcalls; c < __stop_initcalls; c++)
		if (c->phase == phase) {
			int e = c->fn();

			err = err ? err : e;
		}
	return err;
}

void host_reset(void)
{
	counter_inc(&host_shim_resets);
	host_alloc_fail_never();
	host_rcu_quiesce();
	host_rcu_defer(false);
	host_app_clear();
	host_cmdline_set("");
	host_random_seed(1);
	if (host_threads_alone()) { /* time never steps back under a thread that sleeps */
		host_timers_reset();
		host_now = 1000000000ull;
	}
}
