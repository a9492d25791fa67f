// SPDX-License-Identifier: BSD-2-Clause
// What the tests of ptrace share: the call, children that are traced, and their stops.
#pragma once

#include "abi.h"
#include <linux/ptrace.h>
#ifndef PTRACE_GETREGS
#define PTRACE_GETREGS	 12
#define PTRACE_SETREGS	 13
#define PTRACE_GETFPREGS 14
#define PTRACE_SETFPREGS 15
#endif

static long pt(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static volatile long word = 0x1234;

#define WAIT(p)                                        \
	({                                             \
		int st_ = -1;                          \
		NEED(waitpid(p, &st_, __WALL) == (p)); \
		st_;                                   \
	})
#define STOPPED(sig, event) ((sig) << 8 | (event) << 16 | 0x7f)
static void sleep_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

// A child that asks to be traced, stops, then does what BODY says. The parent has seen its stop.
static pid_t traced(void (*body)(void))
{
	pid_t p = fork();
	int status;

	if (!p) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pt(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		syscall(SYS_kill, getpid(), SIGSTOP); // raise() may make other calls after it
		body();
		_exit(0);
	}
	if (waitpid(p, &status, 0) != p || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		return -1;
	return p;
}
