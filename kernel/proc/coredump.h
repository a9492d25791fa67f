/* SPDX-License-Identifier: BSD-2-Clause */
/* Core files. coredump.c: when and where; coredump_elf.c: what is in one. core(5). */
#pragma once

#include "ptrace.h"

struct file;

/* While one thread of a process writes its core, the others wait in coredump_park() with their registers
 * still there. */
struct core_state {
	struct thread *dumper;
	struct waitq waitq;
	u32 parked; /* guarded by the process's lock */
	bool done;
};

/* A growing file: zeros that are skipped become holes. LIMIT: RLIMIT_CORE. */
struct core_writer {
	struct file *file;
	u64 pos, limit;
	bool failed;
};

void core_write(struct core_writer *w, const void *data, size_t n);
void core_skip(struct core_writer *w, u64 n);
/* Write the image of the current process, which died of INFO. Its other threads are parked. */
void coredump_write_elf(struct core_writer *w, const siginfo_t *info);
/* The current thread is about to die of SIG: dump core, if that is wanted. True when it was done; the process
 * is ending then. */
bool coredump(int sig, const siginfo_t *info);
/* The current thread ends: wait here while another one dumps. */
void coredump_park(void);
