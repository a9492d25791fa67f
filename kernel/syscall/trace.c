// SPDX-License-Identifier: BSD-2-Clause
/* The system-call tracer: see trace.h. A call is one line, printed when it returns; calls that do not return
 * (exit, exit_group) are printed when they are made. The text is built in a buffer from the heap, not on the
 * kernel stack. */
#include "trace.h"
#include "arch/syscall.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/log.h"
#include "kernel/syscall_table.h"
#include "kernel/signal.h"
#include "kernel/thread.h"
#include "trace_format.h"

void trace_follow(struct thread *t)
{
	const char *word = cmdline_get("strace");

	if (!word)
		return;
	if (!*word || !strncmp(word, t->name, sizeof(t->name) - 1))
		thread_set_flag(t, THREAD_TRACE);
	else
		thread_clear_flag(t, THREAD_TRACE);
}

static void print(const struct trace_text *t)
{
	log_warn("[pid %u] %s", current->tid, t->buf);
}

static bool never_returns(u32 nr)
{
	return nr == __NR_exit || nr == __NR_exit_group;
}

static const struct syscall_desc *desc_find(u32 nr)
{
	const struct syscall_desc *d = __start_syscall_descs;

	while (d < __stop_syscall_descs && d->nr != nr)
		d++;
	return d < __stop_syscall_descs ? d : NULL;
}

void trace_syscall(u32 nr, syscall_fn fn, struct regs *regs)
{
	const u64 args[6] = {SYSCALL_ARGS(regs)};
	const struct syscall_desc *d = desc_find(nr);
	struct trace_text *t = d ? kmalloc(sizeof(*t)) : NULL;
	unsigned shown;
	long ret;

	if (!t) {
		regs_set_result(regs, fn(args[0], args[1], args[2], args[3], args[4], args[5]));
		return;
	}
	t->len = 0;
	shown = trace_begin(t, d, args);
	if (never_returns(nr)) {
		trace_printf(t, ") = ?");
		print(t);
		kfree(t);
		fn(args[0], args[1], args[2], args[3], args[4], args[5]);
		return;
	}
	ret = fn(args[0], args[1], args[2], args[3], args[4], args[5]);
	regs_set_result(regs, ret);
	trace_end(t, d, args, shown, ret);
	print(t);
	kfree(t);
}

void trace_missing(u32 nr, struct regs *regs)
{
	const u64 args[6] = {SYSCALL_ARGS(regs)};

	log_warn("[pid %u] %s(0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx) = -1 ENOSYS (Function not "
		 "implemented)",
		 current->tid, syscall_name(nr) ?: "syscall", args[0], args[1], args[2], args[3], args[4],
		 args[5]);
}

void trace_signal(const siginfo_t *info)
{
	struct trace_text *t = kmalloc(sizeof(*t));

	if (!t)
		return;
	t->len = 0;
	trace_printf(t, "--- ");
	trace_put_signal_info(t, info->si_signo, info->si_code, info->si_pid, info->si_uid, info->si_status,
			      (u64)info->si_addr);
	trace_printf(t, " ---");
	print(t);
	kfree(t);
}

void trace_exit(int status)
{
	int sig = status & 0x7f;

	if (sig)
		log_warn("[pid %u] +++ killed by SIG%s +++", current->tid, signal_name(sig));
	else
		log_warn("[pid %u] +++ exited with %d +++", current->tid, status >> 8 & 0xff);
}
