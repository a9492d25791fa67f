/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatting one call in strace's notation: pure but for reading the application's strings; also built for
 * the host. */
#pragma once

#include "kernel/syscall.h"

#define TRACE_LINE 480

struct trace_text {
	char buf[TRACE_LINE];
	size_t len;
};

void trace_printf(struct trace_text *t, const char *fmt, ...) __printf(2, 3);
/* "call(" and the arguments that can be shown before the call is made. Returns the first argument that waits
 * for the result (a buffer that the call fills), or the number of arguments. */
unsigned trace_begin(struct trace_text *t, const struct syscall_desc *d, const u64 args[6]);
/* The arguments from FIRST on, now that the call gave RET, the closing parenthesis, and the result. */
void trace_end(struct trace_text *t, const struct syscall_desc *d, const u64 args[6], unsigned first,
	       long ret);

/* The signal of INFO as the tracer shows it: SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} */
void trace_put_signal_info(struct trace_text *t, int sig, int code, int pid, u32 uid, int status, u64 addr);
void trace_put_signal(struct trace_text *t, int sig);

/* How to show one argument. */
enum trace_kind {
	TRACE_DEFAULT,	 /* by its declared type */
	TRACE_FLAGS,	 /* bits with names */
	TRACE_VALUE,	 /* one of several named values */
	TRACE_FLAGS_LOW, /* a value in the bits below `mask` of the first entry, flags above:
			    O_RDONLY|O_CLOEXEC */
	TRACE_FD_AT,	 /* a descriptor or AT_FDCWD */
	TRACE_OCTAL,
	TRACE_SIGNAL,
	TRACE_SIGSET,
	TRACE_BUF_IN,  /* bytes given, as many as the next argument says */
	TRACE_BUF_OUT, /* bytes received, as many as the result says */
	TRACE_STRINGS, /* argv, envp */
	TRACE_HEX,
	TRACE_ADDRESS, /* a pointer whatever its type says */
	TRACE_TIMESPEC,
	TRACE_INTS_OUT, /* two ints: pipe, socketpair */
	TRACE_FUTEX,
	TRACE_CLOCK,
};

struct trace_name {
	u64 value;
	const char *name;
};

struct trace_table {
	u64 mask; /* TRACE_FLAGS_LOW: bits of the value part */
	unsigned n;
	const struct trace_name *names;
};

struct trace_arg {
	u16 nr;
	u8 index;
	u8 kind; /* enum trace_kind */
	const struct trace_table *table;
};

/* trace_tables.c: what is known of argument INDEX of call NR, or NULL. */
const struct trace_arg *trace_arg_find(u32 nr, unsigned index);
bool trace_returns_address(u32 nr);
/* "ENOENT (No such file or directory)", or NULL. */
const char *trace_errno(int err);
