/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic of pressure stall information, apart from where the times come from. All times in ns. */
#pragma once

#include "kernel/clock.h"
#include "kernel/psi.h"

#define PSI_PERIOD (2 * NSEC_PER_SEC) /* between updates of the averages */

struct psi_averages {
	u64 next, last;			     /* when the present period ends; when they were updated */
	u64 sampled[PSI_STATES];	     /* how much of the totals is in them */
	u32 value[PSI_STATES][PSI_AVERAGES]; /* percent, fixed point */
};

/* Take in what the totals grew by. Nothing before the period has ended; periods that nobody looked at count
 * as free of stalls, and what does not fit into one period is left to the next. */
void psi_averages_update(struct psi_averages *a, const u64 total[PSI_STATES], u64 now);

/* How much a total grew in the last SIZE ns, taking the growth of the window before as even. */
struct psi_window {
	u64 size, start, start_value, previous;
};
void psi_window_reset(struct psi_window *w, u64 now, u64 value, u64 previous);
u64 psi_window_growth(struct psi_window *w, u64 now, u64 value);
