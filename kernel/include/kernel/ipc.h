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

/* What the other side of splice(2) does with pages of a pipe: fill the iterator, or take from it. Bytes or -errno. */
typedef ssize_t pipe_transfer(void *arg, struct iter *it);
/* Once the pipe has room, have READ fill up to N bytes of pages, and append what it read. READ's result, or -EAGAIN,
 * -EPIPE (with SIGPIPE sent), -ERESTARTSYS, -ENOMEM. NONBLOCK is for the pipe alone. */
ssize_t pipe_fill(struct file *f, size_t n, bool nonblock, pipe_transfer *read, void *arg);
/* Have WRITE take what is in the pipe, up to N bytes; waits for the first of it unless NONBLOCK. What WRITE did not
 * take stays. Bytes, 0 at the end; -EAGAIN, -ERESTARTSYS, or WRITE's error when it took nothing. The pipe is locked
 * while WRITE runs. */
ssize_t pipe_drain(struct file *f, size_t n, bool nonblock, pipe_transfer *write, void *arg);
/* Copy up to N bytes from IN to OUT; unless KEEP they leave IN: tee(2), splice(2) between pipes. As the two above. */
ssize_t pipe_to_pipe(struct file *in, struct file *out, size_t n, bool nonblock, bool keep);

extern u64 aio_max_nr;		  /* /proc/sys/fs/aio-max-nr */
extern _Atomic u64 aio_nr;	  /* slots of all contexts: /proc/sys/fs/aio-nr */
extern u32 pipe_max_size;	  /* /proc/sys/fs/pipe-max-size */
extern u32 inotify_max_queued;	  /* /proc/sys/fs/inotify/max_queued_events */
extern u32 inotify_max_instances; /* ... max_user_instances */
extern u32 inotify_max_watches;	  /* ... max_user_watches */
extern u32 mq_msg_max, mq_msgsize_max, mq_queues_max, mq_msg_default, mq_msgsize_default; /* /proc/sys/fs/mqueue */
extern u64 epoll_max_watches;	  /* /proc/sys/fs/epoll/max_user_watches */
