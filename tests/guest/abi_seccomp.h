// SPDX-License-Identifier: BSD-2-Clause
// What the tests of seccomp share: filters, and how one is installed.
#pragma once

#include "abi.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define FILTER(...)                                                                                     \
	(&(struct sock_fprog){sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter), \
			      (struct sock_filter[]){__VA_ARGS__}})
// ACTION for call NR, everything else passes.
#define ANSWER(nr_, action)                                                              \
	FILTER(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr_, 0, 1), RETURN(action), \
	       RETURN(SECCOMP_RET_ALLOW))

static long install(unsigned flags, const struct sock_fprog *f)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, f);
}

static int promise(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
