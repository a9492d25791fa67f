/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/init/: from a machine with memory and one CPU to a running init. */
#pragma once

#include "base/types.h"

struct boot_info;

extern const struct boot_info *kernel_boot_info;
void kernel_main(const struct boot_info *bi) __noreturn;
void cmdline_init(const char *line); /* LINE stays valid for ever */
void log_init(void);		     /* console level from the command line */
/* The end of a panic: tell the host (control port), then halt or power off as the word `panic=` says. */
void kernel_panicked(const char *text) __noreturn;
/* Environment words (K=V that the kernel does not know) and init's arguments (after "--"), for starting init. */
const char *cmdline_env(unsigned index);
const char *cmdline_init_arg(unsigned index);
