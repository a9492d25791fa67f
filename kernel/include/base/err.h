/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers (Linux's), and errors carried in pointers. */
#pragma once

#include "base/types.h"
#include <asm/errno.h>

/* Never seen by an application: the signal code turns them into EINTR or a restarted call. */
#define ERESTARTSYS	      512 /* restart if the handler has SA_RESTART, else EINTR */
#define ERESTARTNOINTR	      513 /* always restart */
#define ERESTARTNOHAND	      514 /* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall(2), with the remaining time */

#define MAX_ERRNO 4095

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR_VALUE(u64 v)
{
	return v >= (u64)-MAX_ERRNO;
}

static inline bool IS_ERR(const void *p)
{
	return IS_ERR_VALUE((u64)p);
}
