/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic BPF as seccomp uses it: programs over struct seccomp_data. seccomp(2). */
#pragma once

#include "base/types.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

/* Is this a program that ends, reads only what is there, and never divides by a constant zero? 0, -EINVAL,
 * -ENOMEM. LEN is 1 to BPF_MAXINSNS. */
int seccomp_bpf_check(const struct sock_filter *insns, unsigned len);
/* What a checked program returns for DATA. */
u32 seccomp_bpf_run(const struct sock_filter *insns, const struct seccomp_data *data);
