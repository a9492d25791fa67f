// SPDX-License-Identifier: BSD-2-Clause
/* A machine without fw_cfg: ports read as ones, once and for all. */
// sources: kernel/drivers/fwcfg.c
#include "unit.h"

#include "base/err.h"
#include "kernel/fwcfg.h"

static unsigned reads;
static u32 ones(u16 port, unsigned size)
{
	reads++;
	return 0xff;
}

static void drop(u16 port, u32 v, unsigned size)
{
}

static void test_absent(void **state)
{
	char name[8];
	u8 buf[4];
	unsigned after_probe;

	host_ports = (struct host_port_ops){ones, drop};
	assert_int_equal(fwcfg_size("x"), -ENOENT);
	after_probe = reads;
	assert_int_equal(fwcfg_read("x", buf, 4, 0), -ENOENT);
	assert_int_equal(fwcfg_name(0, name, sizeof name), -ENOENT);
	assert_int_equal(reads, after_probe);
}

UNIT_TESTS(test_absent)
