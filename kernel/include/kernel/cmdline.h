/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel command line: words before "--" are the kernel's, the rest are init's arguments. Double quotes group.
 * A word K=V that no part of the kernel knows goes to init's environment, as on Linux. */
#pragma once

#include "base/types.h"

/* Value of the last KEY=VALUE word, "" for a bare KEY, NULL when absent. Valid for ever. Any context. */
const char *cmdline_get(const char *key);
bool cmdline_flag(const char *key); /* present, and not 0/n/off */
u64 cmdline_u64(const char *key, u64 fallback);
const char *cmdline_raw(void); /* the whole line, for /proc/cmdline */
/* The INDEXth word that equals KEY or starts with KEY=, for words that repeat (virtio_mmio.device=). NULL at the end. */
const char *cmdline_get_nth(const char *key, unsigned index);
