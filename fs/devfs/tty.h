/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminals. tty.c: the object, reading, writing, polling; tty_input.c: the line discipline; tty_ioctl.c:
 * settings and job control; pty.c: pseudo-terminal pairs. Sources: POSIX.1-2017 chapter 11, termios(3),
 * ioctl_tty(2). */
#pragma once

#include "base/iter.h"
#include "fs/file.h"
#include "fs/pseudo.h"
#include "kernel/mutex.h"
#include "kernel/wait.h"
#include <asm/termbits.h>
#include <asm/termios.h>

struct chardev;
struct pty;
struct tty;

#define TTY_BUFFER 4096 /* input that waits to be read; a line is at most one less, as on Linux */

struct tty_ops {
	/* Queue output; the bytes taken. Called with the tty's lock held; must not sleep. */
	size_t (*write)(struct tty *, const void *buf, size_t n);
	size_t (*room)(struct tty *);
	bool (*hung_up)(struct tty *);
	size_t (*pending)(struct tty *);  /* output that has not left yet: TIOCOUTQ. NULL: 0 */
	void (*drain)(struct tty *);	  /* wait until it has. NULL: nothing to do */
	void (*flush)(struct tty *);	  /* throw it away. NULL: nothing to do */
	void (*unthrottle)(struct tty *); /* there is room for input again. NULL: nothing to do */
};

struct tty {
	struct mutex lock; /* guards all but waitq; never held across a sleep for input or room */
	const struct tty_ops *ops;
	void *priv;
	struct ktermios termios;
	struct ktermios locked; /* bits and characters that settings cannot change: TIOCSLCKTRMIOS */
	struct winsize winsize;
	/* Input ring. [tail, canon) are complete lines (all there is when not canonical), [canon, head) the
	 * line being edited. */
	u32 tail, canon, head;
	u8 buf[TTY_BUFFER];
	u8 eol[TTY_BUFFER /
	       8];    /* bit set: this character ends a line; a NUL there is VEOF, which is not delivered */
	bool literal; /* VLNEXT: take the next character as it is */
	bool stopped; /* IXON: output is held */
	bool exclusive; /* TIOCEXCL: nobody but root opens it any more */
	u32 column;   /* of the cursor, for tabs and erasing them */
	u32 canon_column; /* where the line being edited began */
	u32 sid, pgid;	  /* session and its foreground group; 0: nobody's controlling terminal */
	u64 rdev;
	struct list_head node; /* all terminals; guarded by ttys_lock */
	struct waitq waitq;    /* EPOLLIN: input; EPOLLOUT: room or output resumed; EPOLLHUP */
};

/* INIT once, then REGISTER; RESET gives the settings and the empty buffers of a fresh terminal, with the lock
 * held. */
void tty_init(struct tty *t, const struct tty_ops *ops, void *priv, u64 rdev);
void tty_register(struct tty *t);
void tty_reset(struct tty *t);
/* Characters arrive. Thread context, lock held; wakes readers. */
void tty_receive(struct tty *t, const u8 *buf, size_t n);
/* How many of N characters could be taken now. Lock held. */
size_t tty_receive_room(struct tty *t);
/* Is there something to read: a line, or VMIN characters. Lock held or as a hint. */
bool tty_can_read(struct tty *t);
/* Take characters for a reader of up to N. Lock held. 0 with *EOF set for end of file. */
size_t tty_take(struct tty *t, u8 *buf, size_t n, bool *eof);
size_t tty_input_available(struct tty *t); /* FIONREAD */
/* Output one character through OPOST. False: no room. Lock held. */
bool tty_output(struct tty *t, u8 c);
void tty_echo(struct tty *t, u8 c);
void tty_flush_input(struct tty *t);
void tty_canon_changed(struct tty *t, bool was_canonical);
void tty_signal_group(struct tty *t, int sig);
long tty_ioctl(struct file *f, struct tty *t, unsigned cmd, unsigned long arg);
/* F has just opened T: a session leader without a terminal gets one, unless O_NOCTTY. */
void tty_opened(struct file *f, struct tty *t);
/* May the caller read (SIGTTIN) or change (SIGTTOU) T as far as job control goes? 0, -ERESTARTSYS (a signal
 * was sent), -EIO. */
int tty_job_control(struct tty *t, int sig);
bool tty_is_hung_up(struct tty *t);

ssize_t tty_file_read(struct file *f, struct iter *to, u64 *pos);
ssize_t tty_file_write(struct file *f, struct iter *from, u64 *pos);
u32 tty_file_poll(struct file *f, struct poll_table *pt);

extern const struct file_ops tty_file_ops; /* f->priv: the terminal */
int tty_open_chardev(struct file *f, struct chardev *cd);
int tty_open_controlling(struct file *f); /* /dev/tty */
struct tty *tty_of_session(u32 sid);	  /* no reference: terminals are never freed */

int pty_open_master(struct file *f);
int pty_open_slave(struct file *f, const struct inode *node);
/* devpts.c: the folder that PTMX, a node for masters, is about: *ROOT with references; -ENOENT, -ENODEV. */
int devpts_find(const struct path *ptmx, struct path *root);
u32 devpts_max(const struct super *s); /* how many pairs it may have */
/* The node INDEX, which stands for P, comes and goes. */
int devpts_add(struct super *s, u32 index, struct pty *p);
void devpts_remove(struct super *s, u32 index);
struct pty *devpts_pty(const struct inode *i); /* NULL: closed already, or no such node at all */

/* kernel/proc/session.c */
struct process;
bool session_orphaned_group(struct process *p);
