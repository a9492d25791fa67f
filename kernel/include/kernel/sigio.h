/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners of open files, and the signals they get: fcntl(2), F_SETOWN to F_SETSIG. A file takes part by
 * file_ops.async. Owner: kernel/ipc/sigio.c. */
#pragma once

#include "base/types.h"

struct file;

/* Bits of file_ops.async. */
#define FILE_ASYNC 1 /* O_ASYNC has an effect: wake-ups of the queues that its poll names are signals too */
#define FILE_ASYNC_URGENT \
	2 /* a wake-up with EPOLLRDBAND announces urgent data: SIGURG to the owner, always */

/* O_ASYNC of F, called FD, goes on or off. 0, -ENOMEM. Thread context. */
int sigio_enable(struct file *f, int fd, bool on);
/* TYPE: F_OWNER_TID, F_OWNER_PID or F_OWNER_PGRP; ID 0: none. 0, -ESRCH, -ENOMEM. */
int sigio_set_owner(struct file *f, int type, u32 id);
/* The owner's id with its *TYPE; 0 when there is none or it has ended. */
u32 sigio_owner(struct file *f, int *type);
/* The signal instead of SIGIO; 0: SIGIO, without siginfo. 0, -EINVAL, -ENOMEM. */
int sigio_set_signal(struct file *f, u64 sig);
int sigio_signal(struct file *f);
/* Tell the owner that EVENTS (poll bits) happened to F, called FD, O_ASYNC or not. Any context. */
void sigio_send(struct file *f, int fd, u32 events);
/* F_NOTIFY: MASK of DN_*. 0, -EINVAL, -ENOTDIR, -ENOMEM. */
int dnotify_fcntl(int fd, struct file *f, u32 mask);
extern u32 dnotify_enable; /* /proc/sys/fs/dir-notify-enable */
/* F's last reference went: before its release operation. */
void sigio_released(struct file *f);
