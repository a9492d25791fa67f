/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a thread that is stopped, or of the current one, for ptrace(2) and core files. */
#pragma once

#include "base/types.h"

struct thread;

#define ARCH_USER_REGS 27 /* words of struct user_regs_struct */
void arch_ptrace_get_regs(struct thread *t, u64 out[ARCH_USER_REGS]);
int arch_ptrace_set_reg(struct thread *t, unsigned index, u64 value); /* -EIO */
u64 arch_ptrace_user_word(struct thread *t, u64 offset, int *err); /* of struct user, beyond the registers */
int arch_ptrace_set_user_word(struct thread *t, u64 offset, u64 value);
void arch_ptrace_step(struct thread *t, bool on);
/* CHILD has got PARENT's registers: it does not step because its parent does. */
void arch_ptrace_child(struct thread *child, const struct thread *parent);
u64 arch_ptrace_syscall_number(struct thread *t);
void arch_ptrace_syscall_args(struct thread *t, u64 args[6]);
