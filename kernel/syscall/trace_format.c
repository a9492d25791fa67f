// SPDX-License-Identifier: BSD-2-Clause
/* One call as strace would print it: see trace_format.h. An argument is shown by its entry in the tables,
 * else by its declared type: `const char *` is a string, other pointers are addresses, numbers are
 * signed or not as declared. Lines have a fixed room; what does not fit is cut. */
#include "trace_format.h"
#include "base/format.h"
#include "base/string.h"
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/time_types.h>

#define STRING_SHOWN 32 /* as strace's -s */

void trace_printf(struct trace_text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->buf) - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	t->len += n < 0 ? 0 : min((size_t)n, room - 1);
}

/* N bytes in quotes, with C escapes; MORE: there are others behind. */
static void put_bytes(struct trace_text *t, const char *s, size_t n, bool more)
{
	static const char special[] = "\n\t\r\v\f\"\\", letter[] = "ntrvf\"\\";

	trace_printf(t, "\"");
	for (size_t i = 0; i < n; i++) {
		u8 c = (u8)s[i];
		const char *e = c ? strchr(special, c) : NULL;
		bool digit_next = i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9';

		if (e)
			trace_printf(t, "\\%c", letter[e - special]);
		else if (c >= ' ' && c < 0x7f)
			trace_printf(t, "%c", c);
		else
			trace_printf(t, digit_next ? "\\%03o" : "\\%o", c);
	}
	trace_printf(t, more ? "\"..." : "\"");
}

static void put_address(struct trace_text *t, u64 v)
{
	if (v)
		trace_printf(t, "0x%lx", v);
	else
		trace_printf(t, "NULL");
}

static void put_buffer(struct trace_text *t, u64 addr, size_t len)
{
	char buf[STRING_SHOWN];
	size_t n = min(len, sizeof(buf));

	if (!addr || copy_from_app(buf, (const void __app *)addr, n))
		put_address(t, addr);
	else
		put_bytes(t, buf, n, len > n);
}

static void put_string(struct trace_text *t, u64 addr)
{
	char buf[256]; /* whole paths matter more than whole lines */
	ssize_t n = addr ? string_from_app(buf, (const char __app *)addr, sizeof(buf)) : -EFAULT;

	if (n >= 0)
		put_bytes(t, buf, (size_t)n, false);
	else if (n == -ENAMETOOLONG)
		put_buffer(t, addr, STRING_SHOWN + 1);
	else
		put_address(t, addr);
}

static void put_strings(struct trace_text *t, u64 addr)
{
	const u64 __app *v = (const u64 __app *)addr;
	u64 s;

	if (!addr || get_app(s, v)) {
		put_address(t, addr);
		return;
	}
	trace_printf(t, "[");
	for (unsigned i = 0; s; i++) {
		if (i)
			trace_printf(t, ", ");
		if (i == 16) {
			trace_printf(t, "...");
			break;
		}
		put_string(t, s);
		if (get_app(s, ++v))
			break;
	}
	trace_printf(t, "]");
}

static const char *value_name(const struct trace_table *tab, u64 v)
{
	for (unsigned i = 0; i < tab->n; i++)
		if (tab->names[i].value == v)
			return tab->names[i].name;
	return NULL;
}

static void put_value(struct trace_text *t, const struct trace_table *tab, u64 v)
{
	const char *name = value_name(tab, (u32)v);

	if (!name)
		name = value_name(tab, (u64)(s32)v);
	if (name)
		trace_printf(t, "%s", name);
	else
		trace_printf(t, "%#lx", v);
}

/* Named bits; the part of V inside tab->mask is one value. */
static void put_flags(struct trace_text *t, const struct trace_table *tab, u64 v, bool low)
{
	const char *sep = "", *name;
	u64 left = v;

	if (low) {
		u64 part = v & tab->mask;

		name = value_name(tab, part);
		left = v & ~tab->mask;
		if (name) {
			trace_printf(t, "%s", name);
			sep = "|";
		} else if (part) {
			trace_printf(t, "%#lx", part);
			sep = "|";
		}
	} else if (!v) {
		name = value_name(tab, 0);
		trace_printf(t, "%s", name ? name : "0");
		return;
	}
	for (unsigned i = 0; i < tab->n && left; i++) {
		u64 bit = tab->names[i].value;

		if (!bit || (low && !(bit & ~tab->mask)) || (left & bit) != bit)
			continue;
		trace_printf(t, "%s%s", sep, tab->names[i].name);
		sep = "|";
		left &= ~bit;
	}
	if (left || !*sep)
		trace_printf(t, "%s%#lx", sep, left);
}

void trace_put_signal(struct trace_text *t, int sig)
{
	static const char *const names[] = {
		"0",	"HUP",	"INT",	"QUIT", "ILL",	  "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
		"SEGV", "USR2", "PIPE", "ALRM", "TERM",	  "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
		"TTOU", "URG",	"XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};

	if (sig <= 0 || sig > 64)
		trace_printf(t, "%d", sig);
	else if (sig < 32)
		trace_printf(t, "SIG%s", names[sig]);
	else if (sig == 32)
		trace_printf(t, "SIGRTMIN");
	else
		trace_printf(t, "SIGRT_%d", sig - 32);
}

void trace_put_signal_info(struct trace_text *t, int sig, int code, int pid, u32 uid, int status, u64 addr)
{
	static const char *const segv[] = {"SEGV_MAPERR", "SEGV_ACCERR"};
	static const char *const child[] = {"CLD_EXITED",  "CLD_KILLED",  "CLD_DUMPED",
					    "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"};
	const char *name = NULL;

	trace_put_signal(t, sig);
	trace_printf(t, " {si_signo=");
	trace_put_signal(t, sig);
	if (code == 0)
		name = "SI_USER";
	else if (code == 0x80)
		name = "SI_KERNEL";
	else if (code == -6)
		name = "SI_TKILL";
	else if (code == -1)
		name = "SI_QUEUE";
	else if (code == -2)
		name = "SI_TIMER";
	else if (sig == 11 && code >= 1 && code <= 2)
		name = segv[code - 1];
	else if (sig == 17 && code >= 1 && code <= 6)
		name = child[code - 1];
	if (name)
		trace_printf(t, ", si_code=%s", name);
	else
		trace_printf(t, ", si_code=%d", code);
	if (sig == 17 && code > 0) {
		trace_printf(t, ", si_pid=%d, si_uid=%u, si_status=%d}", pid, uid, status);
	} else if (code > 0 && code < 0x80) {
		trace_printf(t, ", si_addr=");
		put_address(t, addr);
		trace_printf(t, "}");
	} else {
		trace_printf(t, ", si_pid=%d, si_uid=%u}", pid, uid);
	}
}

static void put_sigset(struct trace_text *t, u64 addr)
{
	u64 set;
	bool invert;
	const char *sep = "";

	if (!addr || get_app(set, (const u64 __app *)addr)) {
		put_address(t, addr);
		return;
	}
	invert = __builtin_popcountll(set) > 32;
	trace_printf(t, invert ? "~[" : "[");
	for (int sig = 1; sig <= 64; sig++) {
		if (((set >> (sig - 1)) & 1) == invert)
			continue;
		trace_printf(t, "%s", sep);
		trace_put_signal(t, sig);
		sep = " ";
	}
	trace_printf(t, "]");
}

static void put_timespec(struct trace_text *t, u64 addr)
{
	struct __kernel_timespec ts;

	if (!addr || get_app(ts, (const struct __kernel_timespec __app *)addr))
		put_address(t, addr);
	else
		trace_printf(t, "{tv_sec=%lld, tv_nsec=%lld}", ts.tv_sec, ts.tv_nsec);
}

/* The fourth argument of futex is a timeout for the waiting operations only. */
static void put_futex_timeout(struct trace_text *t, const u64 args[6])
{
	switch (args[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		put_timespec(t, args[3]);
		break;
	default:
		trace_printf(t, "%lu", args[3]);
	}
}

static void put_ints(struct trace_text *t, u64 addr)
{
	int v[2];

	if (!addr || copy_from_app(v, (const void __app *)addr, sizeof(v)))
		put_address(t, addr);
	else
		trace_printf(t, "[%d, %d]", v[0], v[1]);
}

static void put_by_type(struct trace_text *t, enum syscall_type type, u64 v)
{
	switch (type) {
	case SYSCALL_STRING:
		put_string(t, v);
		break;
	case SYSCALL_POINTER:
		put_address(t, v);
		break;
	case SYSCALL_INT:
		trace_printf(t, "%d", (s32)v);
		break;
	case SYSCALL_LONG:
		trace_printf(t, "%ld", (s64)v);
		break;
	case SYSCALL_UNSIGNED:
		trace_printf(t, "%u", (u32)v);
		break;
	default:
		trace_printf(t, v >> 47 ? "0x%lx" : "%lu", v);
	}
}

static bool waits_for_result(const struct trace_arg *a)
{
	return a && (a->kind == TRACE_BUF_OUT || a->kind == TRACE_INTS_OUT);
}

static void put_arg(struct trace_text *t, const struct trace_arg *a, const struct syscall_desc *d,
		    const u64 args[6], unsigned i, long ret)
{
	u64 v = args[i];

	switch (a ? a->kind : TRACE_DEFAULT) {
	case TRACE_FLAGS:
		put_flags(t, a->table, (u32)v, false);
		break;
	case TRACE_FLAGS_LOW:
		put_flags(t, a->table, (u32)v, true);
		break;
	case TRACE_VALUE:
		put_value(t, a->table, v);
		break;
	case TRACE_FD_AT:
		if ((s32)v == AT_FDCWD)
			trace_printf(t, "AT_FDCWD");
		else
			trace_printf(t, "%d", (s32)v);
		break;
	case TRACE_OCTAL:
		trace_printf(t, "0%o", (u32)v);
		break;
	case TRACE_HEX:
		trace_printf(t, v ? "0x%lx" : "%lu", v);
		break;
	case TRACE_ADDRESS:
		put_address(t, v);
		break;
	case TRACE_SIGNAL:
		trace_put_signal(t, (s32)v);
		break;
	case TRACE_SIGSET:
		put_sigset(t, v);
		break;
	case TRACE_BUF_IN:
		put_buffer(t, v, args[i + 1]);
		break;
	case TRACE_BUF_OUT:
		if (ret < 0)
			put_address(t, v);
		else
			put_buffer(t, v, (size_t)ret);
		break;
	case TRACE_INTS_OUT:
		if (ret < 0)
			put_address(t, v);
		else
			put_ints(t, v);
		break;
	case TRACE_STRINGS:
		put_strings(t, v);
		break;
	case TRACE_TIMESPEC:
		put_timespec(t, v);
		break;
	case TRACE_FUTEX:
		put_futex_timeout(t, args);
		break;
	default:
		put_by_type(t, d->types[i], v);
	}
}

static bool makes_file(u64 flags)
{
	return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
}

/* Some calls' last arguments mean nothing without a flag. */
static unsigned shown_args(const struct syscall_desc *d, const u64 args[6])
{
	unsigned n = 0;

	if (d->nr == __NR_openat && !makes_file(args[2]))
		return 3;
	if (d->nr == __NR_open && !makes_file(args[1]))
		return 2;
	if (d->nr == __NR_futex)
		switch (args[1] & FUTEX_CMD_MASK) {
		case FUTEX_WAKE:
			return 3;
		case FUTEX_WAIT:
			return 4;
		}
	while (n < ARRAY_SIZE(d->types) && d->types[n] != SYSCALL_NONE)
		n++;
	return n;
}

unsigned trace_begin(struct trace_text *t, const struct syscall_desc *d, const u64 args[6])
{
	unsigned n = shown_args(d, args);

	trace_printf(t, "%s(", syscall_name(d->nr));
	for (unsigned i = 0; i < n; i++) {
		const struct trace_arg *a = trace_arg_find(d->nr, i);

		if (waits_for_result(a))
			return i;
		if (i)
			trace_printf(t, ", ");
		put_arg(t, a, d, args, i, 0);
	}
	return n;
}

static void put_result(struct trace_text *t, u32 nr, long ret)
{
	const char *error = ret < 0 && ret >= -MAX_ERRNO ? trace_errno((int)-ret) : NULL;

	if (error)
		trace_printf(t, -ret >= ERESTARTSYS ? " = ? %s" : " = -1 %s", error);
	else if (trace_returns_address(nr))
		trace_printf(t, " = 0x%lx", (u64)ret);
	else
		trace_printf(t, " = %ld", ret);
}

void trace_end(struct trace_text *t, const struct syscall_desc *d, const u64 args[6], unsigned first,
	       long ret)
{
	unsigned n = shown_args(d, args);

	for (unsigned i = first; i < n; i++) {
		if (i)
			trace_printf(t, ", ");
		put_arg(t, trace_arg_find(d->nr, i), d, args, i, ret);
	}
	trace_printf(t, ")");
	put_result(t, d->nr, ret);
}
