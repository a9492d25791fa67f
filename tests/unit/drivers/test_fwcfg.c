// SPDX-License-Identifier: BSD-2-Clause
/* fw_cfg against a model of the device, with and without DMA, absent, with errors, and short of memory. */
// sources: kernel/drivers/fwcfg.c
#include "unit.h"

#include "base/bits.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/fwcfg.h"
#include "kernel/page.h"

#define BIG_SIZE 10000
static u8 big[BIG_SIZE];
static u8 directory[4 + 2 * 64];
static u16 selected;
static u32 offset, dma_high, id_flags, dma_fails;
static bool absent;

static const u8 *item(u16 key, u32 *size)
{
	static u8 id[4];

	switch (key) {
	case 0:
		*size = 4;
		return (const u8 *)"QEMU";
	case 1:
		memcpy(id, &id_flags, 4);
		*size = 4;
		return id;
	case 0x19:
		*size = sizeof directory;
		return directory;
	case 0x20:
		*size = 5;
		return (const u8 *)"hello";
	case 0x21:
		*size = BIG_SIZE;
		return big;
	}
	*size = 0;
	return NULL;
}

static u8 next_byte(void)
{
	u32 size;
	const u8 *p = item(selected, &size);

	return offset < size ? p[offset++] : 0;
}

static void run_dma(u64 at)
{
	u8 *c = phys_to_virt(at);
	u32 control = be32(le32_get(c)), len = be32(le32_get(c + 4));
	u8 *to = phys_to_virt(be64(le64_get(c + 8)));

	if (control & 8) {
		selected = (u16)(control >> 16);
		offset = 0;
	}
	if (control & 4)
		offset += len;
	else if (control & 2)
		for (u32 i = 0; i < len; i++)
			to[i] = next_byte();
	*(u32 *)c = dma_fails && !--dma_fails ? be32(1) : 0;
}

static u32 port_in(u16 port, unsigned size)
{
	assert_true(port == 0x511 && size == 1);
	return absent ? 0xff : next_byte();
}

static void port_out(u16 port, u32 v, unsigned size)
{
	if (port == 0x510) {
		assert_int_equal(size, 2);
		selected = (u16)v;
		offset = 0;
	} else if (port == 0x514) {
		dma_high = be32(v);
	} else if (port == 0x518) {
		run_dma((u64)dma_high << 32 | be32(v));
	}
}

static void entry(unsigned i, u32 size, u16 key, const char *name)
{
	u8 *e = directory + 4 + 64 * i;

	memcpy(e, &(u32){be32(size)}, 4);
	memcpy(e + 4, &(u16){be16(key)}, 2);
	memset(e + 8, 0, 56);
	memcpy(e + 8, name, strlen(name));
}

static int setup(void **state)
{
	host_ports = (struct host_port_ops){port_in, port_out};
	memcpy(directory, &(u32){be32(2)}, 4);
	entry(0, 5, 0x20, "opt/org.cortado/x");
	entry(1, BIG_SIZE, 0x21, "opt/big");
	for (int i = 0; i < BIG_SIZE; i++)
		big[i] = (u8)(i * 7 + i / 256);
	return 0;
}

static void check_contents(void)
{
	u8 buf[BIG_SIZE + 8];
	char name[56];

	assert_int_equal(fwcfg_size("opt/org.cortado/x"), 5);
	assert_int_equal(fwcfg_size("none"), -ENOENT);
	assert_int_equal(fwcfg_read("opt/org.cortado/x", buf, 100, 0), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fwcfg_read("opt/org.cortado/x", buf, 2, 3), 2);
	assert_memory_equal(buf, "lo", 2);
	assert_int_equal(fwcfg_read("opt/org.cortado/x", buf, 2, 5), 0);
	assert_int_equal(fwcfg_read("opt/org.cortado/x", buf, 2, ~0ul), 0);
	assert_int_equal(fwcfg_read("opt/big", buf, sizeof buf, 0), BIG_SIZE);
	assert_memory_equal(buf, big, BIG_SIZE);
	assert_int_equal(fwcfg_read("opt/big", buf, 5000, 4097), 5000);
	assert_memory_equal(buf, big + 4097, 5000);
	assert_int_equal(fwcfg_name(1, name, sizeof name), 0);
	assert_string_equal(name, "opt/big");
	assert_int_equal(fwcfg_name(1, name, 3), -E2BIG);
	assert_int_equal(fwcfg_name(2, name, sizeof name), -ENOENT);
}

/* The driver keeps what it found, so the order of these matters: memory that is short is looked for again. */
static void test_no_memory_is_not_absence(void **state)
{
	host_alloc_fail_after(0);
	assert_int_equal(fwcfg_size("opt/org.cortado/x"), -ENOENT);
	host_alloc_fail_never();
	assert_true(host_heap_live() == 0);
}

static void test_dma(void **state)
{
	id_flags = 3;
	check_contents();
}

static void test_dma_error(void **state)
{
	u8 buf[16];

	dma_fails = 2;
	assert_int_equal(fwcfg_read("opt/big", buf, sizeof buf, 0), -EIO);
	assert_int_equal(fwcfg_read("opt/big", buf, sizeof buf, 0), sizeof buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_is_not_absence),
					   cmocka_unit_test(test_dma), cmocka_unit_test(test_dma_error)};

	return cmocka_run_group_tests(tests, setup, NULL);
}
