/* SPDX-License-Identifier: BSD-2-Clause */
/* What threads used, as getrusage(2), wait4(2) and /proc/PID tell it. A thread counts for itself, so without
 * atomics; others read single items. An interrupt counts for whom it hit. */
#pragma once

#include "base/types.h"

enum usage_item {
	USAGE_MIN_FAULTS, /* page faults */
	USAGE_MAJ_FAULTS,
	USAGE_VOLUNTARY, /* context switches */
	USAGE_INVOLUNTARY,
	/* As /proc/PID/io lists them: bytes by read(2) and write(2) and their relatives, and how many of
	 * these calls; bytes that block devices were asked for, and given. */
	USAGE_RCHAR,
	USAGE_WCHAR,
	USAGE_SYSCR,
	USAGE_SYSCW,
	USAGE_READ_BYTES,
	USAGE_WRITE_BYTES,
	USAGE_ITEMS
};

struct usage {
	u64 n[USAGE_ITEMS];
};

static inline void usage_count(struct usage *u, enum usage_item i, u64 n)
{
	WRITE_ONCE(u->n[i], u->n[i] + n);
}

static inline void usage_sum(struct usage *sum, const struct usage *u)
{
	for (unsigned i = 0; i < USAGE_ITEMS; i++)
		sum->n[i] += READ_ONCE(u->n[i]);
}
