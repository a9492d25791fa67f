// SPDX-License-Identifier: BSD-2-Clause
// What the tests of identities share: capabilities, and what a program sees of itself.
#pragma once

#include "abi.h"
#include <linux/capability.h>
#include <sys/auxv.h>

static uint64_t full; // what root has here: all of them, or less in a container

struct caps {
	uint64_t e, p, i;
};

static int caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	c->e = d[0].effective | (uint64_t)d[1].effective << 32;
	c->p = d[0].permitted | (uint64_t)d[1].permitted << 32;
	c->i = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static int caps_set(uint64_t e, uint64_t p, uint64_t i)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {
		{(uint32_t)e, (uint32_t)p, (uint32_t)i},
		{(uint32_t)(e >> 32), (uint32_t)(p >> 32), (uint32_t)(i >> 32)}};

	return (int)syscall(SYS_capset, &h, d);
}

#define CAP(n) (1ull << (n))

// What a program sees of itself, for the tests that execute this one: "uid euid suid gid egid sgid secure
// dumpable e p"
BEFORE_TESTS(int argc, char **argv)
{
	uid_t r, e, s, rg, eg, sg;
	struct caps c;

	caps_get(&c);
	full = c.p;
	if (argc < 2 || strcmp(argv[1], "report"))
		return;
	syscall(SYS_getresuid, &r, &e, &s);
	syscall(SYS_getresgid, &rg, &eg, &sg);
	printf("%u %u %u %u %u %u %lu %d %llx %llx", r, e, s, rg, eg, sg, getauxval(AT_SECURE),
	       prctl(PR_GET_DUMPABLE), (unsigned long long)c.e, (unsigned long long)c.p);
	exit(0);
}
