/* SPDX-License-Identifier: BSD-2-Clause */
/* Pseudo file systems: trees whose files are text made when somebody reads it (proc, sysfs, cgroup2). Owner:
 * fs/pseudo/.
 *
 * A tree is described by constant tables: struct pseudo_entry is a file, link or directory; a directory has a
 * table of entries and may add generated ones (PIDs, descriptors, interfaces). What distinguishes two
 * instances of one entry (which process?) is the context, handed down from directory to child. Nothing is
 * kept in memory but the tables and the inodes that are in use. A file's text is made whole at its first read
 * and again whenever somebody reads at offset 0, so that one pass over a file is consistent; it may be of any
 * size. */
#pragma once

#include "base/types.h"
#include "fs/vfs.h"
#include "kernel/psi.h"

/* Text that grows. A failed allocation is remembered, and the read gives -ENOMEM. */
struct seq {
	char *buf;
	size_t len, cap;
	bool failed;
};

void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_puts(struct seq *s, const char *text);
void seq_putc(struct seq *s, char c);
void seq_write(struct seq *s, const void *data, size_t n);
/* Append what an snprintf-like function writes: it returns the length that the whole text has. */
void seq_text(struct seq *s, size_t (*show)(char *buf, size_t size));
/* TEXT with white space, backslashes and the characters in ESC as octal escapes (mount tables). */
void seq_escape(struct seq *s, const char *text, const char *esc);
/* Pad with spaces up to column WIDTH counted from START. */
void seq_pad(struct seq *s, size_t start, size_t width);
/* A bit mask as "3" or "00000003,00000000", most significant first, and a list as "0-3". */
void seq_cpumask(struct seq *s, unsigned count);
void seq_cpulist(struct seq *s, unsigned count);
void seq_free(struct seq *s);

struct pseudo_ctx {
	u32 pid, tid;	 /* proc: the process, and the thread below task/ (else 0) */
	u64 since;	 /* proc: start time of the process: a number that is used again is somebody else */
	u64 num;	 /* a descriptor, a CPU, an index */
	const void *arg; /* of the entry, or of what generated it */
	bool strict;	 /* below an entry that says so */
};

struct pseudo_dir;

/* What the second function of a regular file is. */
enum pseudo_kind {
	PSEUDO_STORE, /* none, or text can be written */
	PSEUDO_POLL,  /* text that can be waited for */
	PSEUDO_SIZE,  /* text whose length is known beforehand */
	PSEUDO_OPEN,  /* no text: the function makes the file */
} __packed;

/* There are hundreds of these: what excludes each other shares a place. */
struct pseudo_entry {
	const char *name; /* NULL for generated ones */
	const void *arg;  /* becomes ctx.arg, when not NULL */
	union {		  /* by the type in mode */
		/* 0 or -errno. NULL: the file is only written. */
		int (*show)(struct seq *s, const struct pseudo_ctx *ctx);
		ssize_t (*readlink)(const struct pseudo_ctx *ctx, char *buf, size_t size);
		const struct pseudo_dir *dir;
	};
	union { /* by kind; links: a place to jump to besides the text, or NULL */
		/* One write, NUL-terminated; 0 or -errno. */
		int (*store)(const struct pseudo_ctx *ctx, const char *text, size_t n);
		/* Without it the file is always ready. */
		u32 (*poll)(const struct pseudo_ctx *ctx, struct file *f, struct poll_table *pt);
		/* No sleep. Without it st_size is the file system's default, and SEEK_END fails. */
		u64 (*size)(const struct pseudo_ctx *ctx);
		int (*open)(const struct pseudo_ctx *ctx, struct file *f); /* sets f->ops and f->priv */
		int (*jump)(const struct pseudo_ctx *ctx, struct path *out);
	};
	u16 mode; /* S_IFREG, S_IFDIR, S_IFLNK and permissions */
	enum pseudo_kind kind;
	bool strict; /* from here down even root cannot open for writing what has no store (proc: /proc/sys)
		      */
};

/* For tables of entries: a file with the text T, and one that FN opens. */
#define PSEUDO_TEXT(n, t)                                                        \
	{                                                                        \
		.name = n, .mode = S_IFREG | 0444, .show = pseudo_text, .arg = t \
	}
#define PSEUDO_OPENED(n, m, fn, a)                                                            \
	{                                                                                     \
		.name = n, .mode = S_IFREG | (m), .kind = PSEUDO_OPEN, .open = fn, .arg = (a) \
	}
/* Shows the text that arg is. */
int pseudo_text(struct seq *s, const struct pseudo_ctx *ctx);

/* An entry that a directory generates. NAME need not be terminated beyond name_len. */
struct pseudo_found {
	const struct pseudo_entry *entry;
	struct pseudo_ctx ctx;
	char name[80];
};

/* Entries that are registered while the kernel runs; never taken away. */
struct pseudo_extra {
	struct pseudo_extra *next;
	struct pseudo_entry entry;
};

struct pseudo_dir {
	const struct pseudo_entry *entries; /* fixed part, ended by a NULL name; NULL: none */
	struct pseudo_extra *const *extra;  /* registered part; NULL: none */
	/* The generated part. find: NAME's entry, 0 or -ENOENT; OUT->ctx starts as the directory's. next: the
	 * first entry at or after *CURSOR (0 at first), which it advances beyond; false at the end. CTX is
	 * the directory's. */
	int (*find)(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out);
	bool (*next)(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out);
	bool find_sleeps; /* what it found is asked for anew each time */
	/* Is the directory still there (-ENOENT, -ESRCH)? NULL: always. No sleep. */
	int (*check)(const struct pseudo_ctx *ctx);
	u32 (*nlink)(const struct pseudo_ctx *ctx); /* NULL: 2 */
};

struct pseudo_fs {
	struct fs_type type; /* name, nodev; mount is filled in by pseudo_register */
	u64 magic;
	u64 file_size;			 /* st_size of regular files */
	const struct pseudo_entry *root; /* a directory */
	/* Owner of an inode; NULL: root. */
	void (*owner)(const struct pseudo_ctx *ctx, u32 *uid, u32 *gid);
	bool fixed_modes; /* chmod and chown are refused (proc) */
};

int pseudo_register(struct pseudo_fs *fs);
/* The context of an inode of a pseudo file system. */
const struct pseudo_ctx *pseudo_inode_ctx(const struct inode *i);
/* Is this inode an instance of directory ENTRY? Any inode. */
bool pseudo_inode_is(const struct inode *i, const struct pseudo_entry *entry);
/* The process whose directory /proc/PID F is, with a reference: for pidfd_send_signal. ERR_PTR(-EBADF,
 * -ESRCH). */
struct process *proc_file_process(struct file *f);

/* The open function of a pressure file; its entry's argument is one of the constants. */
int pressure_open(const struct pseudo_ctx *ctx, struct file *f);
extern const enum psi_resource pressure_io, pressure_memory, pressure_cpu;

/* Run-time registration: files below /proc/net and /proc/sys, read-only, or writable when STORE is given.
 * PATH is relative to them, as "tcp" or "net/ipv4/tcp_fin_timeout"; kept, not copied. SHOW writes like
 * snprintf and returns the whole length; it is called again with a larger buffer when that was too small. 0,
 * -ENOMEM, -ENOENT (no such directory). Thread context. */
int proc_net_register(const char *name, size_t (*show)(char *buf, size_t size));
/* The same, and the file has a size: for programs that measure before they read. SHOW must not sleep. */
int proc_net_register_sized(const char *name, size_t (*show)(char *buf, size_t size));
int proc_sys_register(const char *path, unsigned mode, size_t (*show)(char *buf, size_t size),
		      int (*store)(const char *text, size_t n));

/* The text of /proc/cpuinfo for one CPU, a blank line at the end; like snprintf. Provided by kernel/arch/. */
size_t arch_cpuinfo(unsigned cpu, char *buf, size_t size);

/* The INDEXth cache of a CPU, as the CPU describes it; false at the end. Provided by kernel/arch/. */
struct cpu_cache {
	u32 type; /* 1 data, 2 instructions, 3 both */
	u32 level, line, partitions, ways, sets;
};
bool arch_cpu_cache(unsigned index, struct cpu_cache *out);

/* fs/devfs. A character device as an open file, for init's descriptors: ERR_PTR(-ENOENT, -ENOMEM). */
struct file *chardev_file_open(const char *name, u32 flags);
/* Device number and foreground group of a session's controlling terminal, for /proc/PID/stat: 0 and -1
 * without one. */
u64 tty_session_terminal(u32 sid, int *pgid);
/* The leader of session SID has ended: its terminal is free again, the foreground group gets SIGHUP. Called
 * by kernel/proc/. */
void tty_session_ended(u32 sid);
