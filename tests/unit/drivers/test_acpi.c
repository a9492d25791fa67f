// SPDX-License-Identifier: BSD-2-Clause
/* Firmware tables, sound and corrupt: RSDP, XSDT and RSDT, MADT, MCFG, FADT, AML patterns, MP table. */
// sources: kernel/drivers/acpi/tables.c kernel/drivers/acpi/madt.c kernel/drivers/acpi/mptable.c
// sources: kernel/drivers/acpi/irq_override.c kernel/drivers/acpi/aml.c kernel/drivers/acpi/fadt.c
#include "unit.h"

#include "base/err.h"
#include "kernel/drivers/acpi/internal.h"
#include "kernel/ioapic.h"
#include "kernel/irq.h"
#include "kernel/page.h"
#include "kernel/power.h"
#include "kernel/random.h"

/* What the parsers report. */
static u32 cpus[512], ncpus, ioapics[16], ioapic_gsi[16], nioapics;
static void (*off)(void), (*reset_machine)(void);
static irq_handler button_handler;
static unsigned button_gsi, presses;

void cpu_register(u32 id)
{
	cpus[ncpus++ % 512] = id;
}

int ioapic_register(u64 phys, unsigned gsi)
{
	ioapics[nioapics % 16] = (u32)phys;
	ioapic_gsi[nioapics++ % 16] = gsi;
	return 0;
}

void power_register(void (*o)(void), void (*r)(void))
{
	off = o;
	reset_machine = r;
}

void power_button_pressed(void)
{
	presses++;
}

int irq_request_gsi(unsigned gsi, bool level, bool low, irq_handler fn, void *arg, const char *name)
{
	button_gsi = gsi;
	button_handler = fn;
	return 1;
}

/* Memory for tables; a pointer at its end faults under the sanitizer. */
static u8 *mem;
static size_t used;

static void *place(const void *data, size_t n)
{
	u8 *p = mem + used;

	used = ALIGN_UP(used + n, (size_t)16);
	assert_true(used <= 64 * PAGE_SIZE);
	if (data)
		memcpy(p, data, n);
	else
		memset(p, 0, n);
	return p;
}

static void fix_sum(u8 *p, size_t n, size_t at)
{
	p[at] = 0;
	p[at] = (u8)-firmware_checksum(p, n);
}

static u8 *table(const char *signature, const void *body, size_t n)
{
	u8 *p = place(NULL, 36 + n);

	memcpy(p, signature, 4);
	*(u32 *)(p + 4) = (u32)(36 + n);
	if (body)
		memcpy(p + 36, body, n);
	fix_sum(p, 36 + n, 9);
	return p;
}

static u64 rsdp_for(u8 **tables, size_t n, bool extended)
{
	u8 *root = table(extended ? "XSDT" : "RSDT", NULL, n * (extended ? 8 : 4)), *p = place(NULL, 36);

	for (size_t i = 0; i < n; i++) {
		if (extended)
			memcpy(root + 36 + 8 * i, &(u64){virt_to_phys(tables[i])}, 8);
		else
			memcpy(root + 36 + 4 * i, &(u32){(u32)virt_to_phys(tables[i])}, 4);
	}
	fix_sum(root, 36 + n * (extended ? 8 : 4), 9);
	memcpy(p, "RSD PTR ", 8);
	p[15] = extended ? 2 : 0;
	if (extended) {
		memcpy(p + 20, &(u32){36}, 4);
		memcpy(p + 24, &(u64){virt_to_phys(root)}, 8);
	} else {
		memcpy(p + 16, &(u32){(u32)virt_to_phys(root)}, 4);
	}
	fix_sum(p, 20, 8);
	fix_sum(p, 36, 32);
	return virt_to_phys(p);
}

static void begin(void)
{
	if (!mem) {
		struct page *p = page_alloc(6, PAGE_ZERO);

		mem = page_to_virt(p);
	}
	used = ncpus = nioapics = presses = 0;
	off = reset_machine = NULL;
	button_handler = NULL;
}

static void test_roots(void **state)
{
	for (int extended = 0; extended < 2; extended++) {
		u8 *t[3];

		begin();
		t[0] = table("AAAA", "x", 1);
		t[1] = table("BBBB", "y", 1);
		t[2] = table("AAAA", "z", 1);
		t[1][36] ^= 1; /* spoils its sum */
		assert_int_equal(acpi_tables_init(rsdp_for(t, 3, extended)), 0);
		assert_non_null(acpi_find_table("AAAA", 0));
		assert_int_equal(((u8 *)acpi_find_table("AAAA", 1))[36], 'z');
		assert_null(acpi_find_table("AAAA", 2));
		assert_null(acpi_find_table("BBBB", 0));
	}
}

static void test_bad_roots(void **state)
{
	u8 *t[1], *p;

	begin();
	t[0] = table("AAAA", "x", 1);
	p = phys_to_virt(rsdp_for(t, 1, true));
	p[8] ^= 1;
	assert_int_equal(acpi_tables_init(virt_to_phys(p)), -ENOENT);
	p[8] ^= 1;
	p[24] ^= 16; /* the extended sum fails and there is no RSDT */
	assert_int_equal(acpi_tables_init(virt_to_phys(p)), -ENOENT);
	/* A table whose length is impossible. */
	begin();
	t[0] = table("AAAA", "x", 1);
	*(u32 *)(t[0] + 4) = 8;
	assert_int_equal(acpi_tables_init(rsdp_for(t, 1, true)), 0);
	assert_null(acpi_find_table("AAAA", 0));
	*(u32 *)(t[0] + 4) = 0xffffffff;
	assert_int_equal(acpi_tables_init(rsdp_for(t, 1, true)), 0);
	assert_null(acpi_find_table("AAAA", 0));
}

static const u8 madt_body[] = {
	0,    0,  0xe0, 0xfe, 1,    0,	  0,	0,				  /* local APIC, flags */
	0,    8,  0,	0,    1,    0,	  0,	0,				  /* CPU 0 */
	0,    8,  1,	7,    1,    0,	  0,	0,				  /* CPU with id 7 */
	0,    8,  2,	9,    0,    0,	  0,	0,				  /* not enabled */
	9,    16, 0,	0,    0x34, 0x12, 0,	0,    1,    0, 0, 0, 3, 0,  0, 0, /* x2APIC id 0x1234 */
	1,    12, 0,	0,    0,    0,	  0xc0, 0xfe, 0,    0, 0, 0,		  /* I/O APIC */
	1,    12, 1,	0,    0,    0x10, 0xc0, 0xfe, 24,   0, 0, 0, 2, 10, 0, 0,
	2,    0,  0,	0,    0,    0,			       /* IRQ 0 is GSI 2 */
	2,    10, 0,	9,    9,    0,	  0,	0,    0x0d, 0, /* IRQ 9: level, high */
	2,    10, 0,	5,    5,    0,	  0,	0,    0x0f, 0, /* IRQ 5: level, low */
	0xff, 6,  0,	0,    0,    0,			       /* nobody knows */
};

static void test_madt(void **state)
{
	unsigned gsi;
	bool level, low;

	begin();
	assert_int_equal(madt_parse((void *)table("APIC", madt_body, sizeof madt_body)), 3);
	assert_int_equal(ncpus, 3);
	assert_int_equal(cpus[1], 7);
	assert_int_equal(cpus[2], 0x1234);
	assert_int_equal(nioapics, 2);
	assert_int_equal(ioapics[1], 0xfec01000);
	assert_int_equal(ioapic_gsi[1], 24);
	firmware_isa_irq(0, &gsi, &level, &low);
	assert_true(gsi == 2 && !level && !low);
	firmware_isa_irq(9, &gsi, &level, &low);
	assert_true(gsi == 9 && level && !low);
	firmware_isa_irq(5, &gsi, &level, &low);
	assert_true(gsi == 5 && level && low);
	firmware_isa_irq(4, &gsi, &level, &low);
	assert_true(gsi == 4 && !level && !low);
	firmware_isa_irq(200, &gsi, &level, &low);
	assert_true(gsi == 200);
}

/* Every truncation and thousands of corruptions: no access outside the table, an error or a count. */
static void test_madt_corrupt(void **state)
{
	for (size_t n = 0; n <= sizeof madt_body; n++) {
		u8 *exact = malloc(36 + n);
		int r;

		begin();
		memcpy(exact, table("APIC", madt_body, n), 36 + n);
		r = madt_parse((void *)exact);
		assert_true(r >= -EINVAL && r <= 3);
		free(exact);
	}
	for (int i = 0; i < 20000; i++) {
		size_t n = sizeof madt_body;
		u8 *exact = malloc(36 + n);

		begin();
		memcpy(exact, table("APIC", madt_body, n), 36 + n);
		exact[44 + random_u64() % (n - 8)] = (u8)random_u64();
		exact[44 + random_u64() % (n - 8)] = (u8)random_u64();
		(void)madt_parse((void *)exact);
		free(exact);
	}
}

static void test_mcfg(void **state)
{
	u8 body[8 + 32] = {0}, *t[1], first, last;
	u64 base;

	begin();
	memcpy(body + 8, &(u64){0x1000}, 8); /* segment 1: not ours */
	body[8 + 8] = 1;
	memcpy(body + 24, &(u64){0xb0000000}, 8);
	body[24 + 10] = 0;
	body[24 + 11] = 255;
	t[0] = table("MCFG", body, sizeof body);
	acpi_tables_init(rsdp_for(t, 1, true));
	assert_true(acpi_ecam(&base, &first, &last));
	assert_true(base == 0xb0000000 && first == 0 && last == 255);
	/* Cut in the middle of the allocation that counts. */
	begin();
	t[0] = table("MCFG", body, sizeof body - 1);
	acpi_tables_init(rsdp_for(t, 1, true));
	assert_false(acpi_ecam(&base, &first, &last));
}

static const u8 s5_zero[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0, 0, 0, 0};
static const u8 s5_bytes[] = {0x10, 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 5, 0x0a, 6, 0, 0};
static const u8 virtio_aml[] = {0x0d, 'L',  'N',  'R',	'O',  '0',  '0',  '0',	'5',  0,    8,
				'_',  'C',  'R',  'S',	0x11, 0x1a, 0x0a, 0x17, 0x86, 9,    0,
				1,    0x00, 0x2e, 0xb0, 0xfe, 0,    2,	  0,	0,    0x89, 6,
				0,    1,    1,	  47,	0,    0,    0,	  0x79, 0,    0x0d, 'L',
				'N',  'R',  'O',  '0',	'0',  '0',  '5',  0, /* without resources in reach */
				0x0d, 'L',  'N',  'R',	'O',  '0',  '0',  '0',	'5',  0,    0x86,
				9,    0,    1,	  0x00, 0x2c, 0xb0, 0xfe, 0,	2,    0,    0,
				0x89, 6,    0,	  3,	1,    46,   0,	  0,	0,    0x79, 0};

static const u8 cba_method[] = {0x14, 0x0b, '_', 'C', 'B', 'A', 0x00, 0xa4, 0x0c, 0, 0, 0, 0xe0};
static const u8 cba_name[] = {0x08, '_', 'C', 'B', 'A', 0x0e, 0, 0, 0, 0, 1, 0, 0, 0};

static void test_aml(void **state)
{
	struct acpi_window w;
	unsigned index;
	u64 base;
	u8 a, b;

	assert_true(aml_s5_in(s5_zero, sizeof s5_zero, &a, &b));
	assert_true(a == 0 && b == 0);
	assert_true(aml_s5_in(s5_bytes, sizeof s5_bytes, &a, &b));
	assert_true(a == 5 && b == 6);
	assert_true(aml_ecam_in(cba_method, sizeof cba_method, &base) && base == 0xe0000000);
	assert_true(aml_ecam_in(cba_name, sizeof cba_name, &base) && base == 0x100000000);
	assert_false(aml_ecam_in(cba_name, sizeof cba_name - 1, &base));
	index = 0;
	assert_true(aml_window_in(virtio_aml, sizeof virtio_aml, "LNRO0005", &index, &w));
	assert_true(w.base == 0xfeb02e00 && w.size == 512 && w.gsi == 47 && w.level && !w.active_low);
	index = 2;
	assert_true(aml_window_in(virtio_aml, sizeof virtio_aml, "LNRO0005", &index, &w));
	assert_true(w.base == 0xfeb02c00 && w.gsi == 46 && !w.level);
	index = 3;
	assert_false(aml_window_in(virtio_aml, sizeof virtio_aml, "LNRO0005", &index, &w));
}

static void test_aml_cut(void **state)
{
	for (size_t n = 0; n <= sizeof virtio_aml; n++) {
		u8 *exact = malloc(n + 1), a, b;
		struct acpi_window w;
		unsigned index = 99;

		memcpy(exact + 1, virtio_aml, n); /* ends where the allocation ends */
		(void)aml_window_in(exact + 1, n, "LNRO0005", &index, &w);
		if (n <= sizeof s5_bytes) {
			memcpy(exact + 1, s5_bytes, n);
			(void)aml_s5_in(exact + 1, n, &a, &b);
		}
		free(exact);
	}
}

static u16 port_written;
static u32 value_written, pm1_status;
static u32 port_in(u16 port, unsigned size)
{
	return port == 0x600 ? pm1_status : port == 0x604 ? 1 : 0xff;
}

static void port_out(u16 port, u32 value, unsigned size)
{
	port_written = port;
	value_written = value;
	if (port == 0x600)
		pm1_status &= ~value;
}

static u8 *make_fadt(bool reduced, u8 *dsdt, size_t size)
{
	u8 body[268 - 36] = {0};

	memcpy(body + 40 - 36, &(u32){(u32)virt_to_phys(dsdt)}, 4);
	body[46 - 36] = 9;
	memcpy(body + 56 - 36, &(u32){0x600}, 4);
	memcpy(body + 64 - 36, &(u32){0x604}, 4);
	body[88 - 36] = 4;
	memcpy(body + 112 - 36, &(u32){reduced ? 1 << 20 | 1 << 10 : 1 << 10}, 4);
	body[116 - 36] = 1; /* reset register: port 0xcf9 */
	memcpy(body + 120 - 36, &(u64){0xcf9}, 8);
	body[128 - 36] = 0x0f;
	if (reduced) {
		body[244 - 36] = 1; /* sleep control at port 0x777 */
		memcpy(body + 248 - 36, &(u64){0x777}, 8);
	}
	return table("FACP", body, size - 36);
}

static void test_fadt_pm1(void **state)
{
	u8 *t[1];

	begin();
	host_ports = (struct host_port_ops){port_in, port_out};
	t[0] = make_fadt(false, table("DSDT", s5_bytes, sizeof s5_bytes), 268);
	acpi_tables_init(rsdp_for(t, 1, true));
	fadt_init();
	assert_non_null(off);
	off();
	assert_int_equal(port_written, 0x604);
	assert_int_equal(value_written, 5 << 10 | 1 << 13);
	reset_machine();
	assert_int_equal(port_written, 0xcf9);
	assert_int_equal(value_written, 0x0f);

	assert_int_equal(host_run_initcalls(INIT_BUS), 0);
	assert_int_equal(port_written, 0x602); /* the button is enabled */
	assert_int_equal(button_gsi, 9);
	button_handler(NULL);
	assert_int_equal(presses, 0);
	pm1_status = 0x100;
	button_handler(NULL);
	assert_int_equal(presses, 1);
	assert_int_equal(pm1_status, 0);
}

static void test_fadt_reduced(void **state)
{
	u8 *t[1];

	begin();
	t[0] = make_fadt(true, table("DSDT", s5_bytes, sizeof s5_bytes), 268);
	acpi_tables_init(rsdp_for(t, 1, true));
	fadt_init();
	off();
	assert_int_equal(port_written, 0x777);
	assert_int_equal(value_written, 5 << 2 | 1 << 5);
}

/* Without \_S5 the PM1 register is not touched; a FADT of any length is fine. */
static void test_fadt_short(void **state)
{
	for (size_t size = 36; size <= 268; size++) {
		u8 *t[1];

		begin();
		t[0] = make_fadt(false, table("DSDT", "none", 4), size);
		acpi_tables_init(rsdp_for(t, 1, true));
		fadt_init();
		assert_null(off);
	}
}

static u8 *make_mp(u64 *floating)
{
	static const u8 entries[] = {
		0,  0,	20,   3,   0,	0,   0,	   0,	0, 0, 0,  0, 0, 0, 0,	 0,    0, 0, 0, 0, 0,
		1,  20, 1,    0,   0,	0,   0,	   0,	0, 0, 0,  0, 0, 0, 0,	 0,    0, 0, 0, 0, 2,
		20, 0,	0,    0,   0,	0,   0,	   0,	0, 0, 0,  0, 0, 0, 0,	 0,    0, 0, /* disabled */
		1,  0,	'I',  'S', 'A', ' ', ' ',  ' ', 2, 2, 20, 1, 0, 0, 0xc0, 0xfe, 3, 0, 0, 0, 0,
		0,  2,	2,			      /* IRQ 0 at input 2 */
		3,  0,	0x0f, 0,   0,	6,   2,	   6, /* IRQ 6: level, low */
		4,  3,	0,    0,   0,	0,   0xff, 0,
	};
	u8 *t = place(NULL, 44 + sizeof entries), *f = place(NULL, 16);

	memcpy(t, "PCMP", 4);
	*(u16 *)(t + 4) = 44 + sizeof entries;
	memcpy(t + 44, entries, sizeof entries);
	fix_sum(t, 44 + sizeof entries, 7);
	memcpy(f, "_MP_", 4);
	memcpy(f + 4, &(u32){(u32)virt_to_phys(t)}, 4);
	f[8] = 1;
	f[9] = 4;
	fix_sum(f, 16, 10);
	*floating = virt_to_phys(f);
	return t;
}

static void test_mptable(void **state)
{
	unsigned gsi;
	bool level, low;
	u64 floating;
	u8 *t;

	begin();
	t = make_mp(&floating);
	assert_int_equal(mptable_init(floating), 2);
	assert_int_equal(ncpus, 2);
	assert_int_equal(nioapics, 1);
	firmware_isa_irq(6, &gsi, &level, &low);
	assert_true(gsi == 6 && level && low);
	t[50] ^= 1;
	assert_int_equal(mptable_init(floating), -EINVAL); /* sum */
	t[50] ^= 1;
	t[0] = 'X';
	assert_int_equal(mptable_init(floating), -ENOENT);
}

static void test_mptable_corrupt(void **state)
{
	u64 floating;

	for (int i = 0; i < 20000; i++) {
		u8 *t;
		u16 len;

		begin();
		t = make_mp(&floating);
		t[44 + random_u64() % 100] = (u8)random_u64();
		len = (u16)(44 + random_u64() % 108);
		*(u16 *)(t + 4) = len;
		fix_sum(t, len, 7);
		assert_true(mptable_init(floating) >= -EINVAL);
	}
}

UNIT_TESTS(test_roots, test_bad_roots, test_madt, test_madt_corrupt, test_mcfg, test_aml, test_aml_cut,
	   test_fadt_pm1, test_fadt_reduced, test_fadt_short, test_mptable, test_mptable_corrupt)
