/* SPDX-License-Identifier: BSD-2-Clause */
/* Pressure stall information: the share of time that threads lose for want of I/O, memory or the CPU, as
 * Linux computes it (its Documentation/accounting/psi.rst). Owner: kernel/sched/psi.c, where the theory is.
 */
#pragma once

#include "base/types.h"

enum psi_resource { PSI_IO, PSI_MEMORY, PSI_CPU, PSI_RESOURCES };
enum psi_degree {
	PSI_SOME, /* a thread stalls */
	PSI_FULL, /* and nobody does anything useful meanwhile */
	PSI_DEGREES
};
#define PSI_STATES	       (PSI_RESOURCES * PSI_DEGREES)
#define PSI_STATE(res, degree) ((unsigned)(res)*PSI_DEGREES + (unsigned)(degree))
#define PSI_AVERAGES	       3  /* over 10, 60 and 300 s */
#define PSI_SHIFT	       11 /* of the averages' fixed point */

/* The current thread works, or waits, only because memory is short: until the matching leave, which gets what
 * this returned (false: an outer one counts). Thread context. */
bool psi_memstall_enter(void) __must_check;
void psi_memstall_leave(bool entered);

struct psi_report {
	u32 avg[PSI_DEGREES][PSI_AVERAGES]; /* percent, with PSI_SHIFT bits of fraction */
	u64 total[PSI_DEGREES];		    /* ns */
};
void psi_report(enum psi_resource res, struct psi_report *out);

/* Tells, at most once a WINDOW, that threads stalled for THRESHOLD in one of them. All in ns. */
struct psi_trigger;
struct file;
struct poll_table;
struct psi_trigger *psi_trigger_create(enum psi_resource res, enum psi_degree degree, u64 threshold,
				       u64 window) __must_check; /* NULL: no memory */
void psi_trigger_destroy(struct psi_trigger *t);
/* Wait for it on F's behalf; true once for each time that it has told since. */
bool psi_trigger_poll(struct psi_trigger *t, struct file *f, struct poll_table *pt);
