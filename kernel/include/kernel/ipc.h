/* SPDX-License-Identifier: BSD-2-Clause */
/* What kernel/ipc/ offers to other subsystems beyond system calls and file operations. */
#pragma once

#include "base/types.h"

struct file;
struct iter;
struct process;

/* The wall clock was stepped: timers on CLOCK_REALTIME move, those with TFD_TIMER_CANCEL_ON_SET end. Called
 * by whoever implements clock_set_realtime(). Any context. */
void timerfd_clock_was_set(void);

/* Tables of /proc/sysvipc, like snprintf. */
size_t sysv_shm_text(char *buf, size_t size);
size_t sysv_sem_text(char *buf, size_t size);
size_t sysv_msg_text(char *buf, size_t size);

/* The current process ends or calls execve: apply its semaphore adjustments (SEM_UNDO). Thread context. */
void sysv_sem_exit(struct process *p);

bool eventfd_is(const struct file *f);
/* Add N to the counter, as far as it goes, and wake who waits. Any context. */
void eventfd_signal(struct file *f, u64 n);

/* Pipes, for splice(2) and its relatives. */
bool pipe_is(const struct file *f);
/* The ends behave as read(2) and write(2) on the pipe, but for NONBLOCK, which overrides the file's flag. */
ssize_t pipe_read_iter(struct file *f, struct iter *to, bool nonblock);
ssize_t pipe_write_iter(struct file *f, struct iter *from, bool nonblock);
/* Wait until the pipe can be read (or all writers are gone); 0, -EAGAIN, -ERESTARTSYS. */
int pipe_wait_readable(struct file *f, bool nonblock);
/* Wait until the pipe can be written; 0, -EAGAIN, -ERESTARTSYS, -EPIPE (with SIGPIPE sent). */
int pipe_wait_writable(struct file *f, bool nonblock);
/* Copy up to N bytes from IN to OUT without consuming them: tee(2). */
ssize_t pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock);

extern u64 aio_max_nr;		  /* /proc/sys/fs/aio-max-nr */
extern _Atomic u64 aio_nr;	  /* slots of all contexts: /proc/sys/fs/aio-nr */
extern u32 pipe_max_size;	  /* /proc/sys/fs/pipe-max-size */
extern u32 inotify_max_queued;	  /* /proc/sys/fs/inotify/max_queued_events */
extern u32 inotify_max_instances; /* ... max_user_instances */
extern u32 inotify_max_watches;	  /* ... max_user_watches */
extern u32 mq_msg_max, mq_msgsize_max, mq_queues_max, mq_msg_default, mq_msgsize_default; /* /proc/sys/fs/mqueue */
extern u64 epoll_max_watches;	  /* /proc/sys/fs/epoll/max_user_watches */
