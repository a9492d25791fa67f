/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of the VM and the balloon in it, as the kernel shows them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct memory { /* bytes */
	uint64_t total, free, available, cached, shared, ballooned;
};

struct balloon { /* bytes; actual and target are what the guest keeps */
	uint64_t boot, target, actual;
};

bool memory_read(struct memory *m);
bool balloon_read(struct balloon *b);
/* A descriptor that polls EPOLLPRI when the target changes, or -1. */
int balloon_watch_fd(void);
