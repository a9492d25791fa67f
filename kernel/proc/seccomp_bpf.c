// SPDX-License-Identifier: BSD-2-Clause
/* The machine that seccomp's filters are written for: classic BPF (base/bpf.h) whose data is one struct
 * seccomp_data, read by aligned words in the machine's own byte order. */
#include "base/bpf.h"
#include "base/string.h"
#include "seccomp.h"

static bool allowed(const struct sock_filter *i)
{
	return i->code == (BPF_LD | BPF_W | BPF_ABS) && i->k < sizeof(struct seccomp_data) && !(i->k & 3);
}

static bool load(const void *data, const struct sock_filter *i, u32 *a, u32 *x)
{
	memcpy(a, (const char *)data + i->k, sizeof(*a));
	return true;
}

int seccomp_bpf_check(const struct sock_filter *insns, unsigned len)
{
	return bpf_check(insns, len, allowed);
}

u32 seccomp_bpf_run(const struct sock_filter *insns, const struct seccomp_data *data)
{
	return bpf_run(insns, data, sizeof(*data), load);
}
