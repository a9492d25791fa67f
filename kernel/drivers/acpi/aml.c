/* SPDX-License-Identifier: BSD-2-Clause */
/* What we need from definition blocks (DSDT, SSDTs) without running AML: objects whose encoding is fixed once
 * their name or hardware id is found. Hypervisors write them as constants. ACPI 6.5, chapters 20 (encoding)
 * and 6.4 (resources). */

#include "internal.h"
#include "base/bits.h"
#include "base/string.h"

enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_QWORD = 0x0e,
	AML_PACKAGE = 0x12,
	AML_RETURN = 0xa4,
	AML_EXT = 0x5b,
	AML_EXT_REGION = 0x80,
	AML_EXT_DEVICE = 0x82,
};
enum { /* large resource descriptors, with their lengths */
       RES_MEMORY32_FIXED = 0x86,
       RES_MEMORY32_FIXED_LEN = 9,
       RES_INTERRUPT = 0x89,
       RES_INTERRUPT_LEN = 6, /* with one interrupt */
};
/* A device's resources follow its hardware id closely. */
#define RESOURCE_REACH 128

/* An integer constant. Returns its encoded length, 0 when it is none. */
static size_t aml_integer(const u8 *p, size_t n, u64 *v)
{
	size_t bytes;

	*v = 0;
	if (!n)
		return 0;
	switch (*p) {
	case AML_ZERO:
	case AML_ONE:
		*v = *p;
		return 1;
	case AML_BYTE:
		bytes = 1;
		break;
	case AML_WORD:
		bytes = 2;
		break;
	case AML_DWORD:
		bytes = 4;
		break;
	case AML_QWORD:
		bytes = 8;
		break;
	default:
		return 0;
	}
	if (n < 1 + bytes)
		return 0;
	memcpy(v, p + 1, bytes);
	return 1 + bytes;
}

/* Name (_S5_, Package (n) {a, b, ...}) */
bool aml_s5_in(const u8 *aml, size_t n, u8 *typ_a, u8 *typ_b)
{
	for (size_t i = 0; i + 8 < n; i++) {
		const u8 *p = aml + i + 6;
		size_t left = n - i - 6, used;
		u64 a, b;

		if (aml[i] != AML_NAME || memcmp(aml + i, "\x08_S5_\x12", 6))
			continue;
		/* The top two bits of the package length say how many bytes follow it; then the element
		 * count. */
		used = 1u + (p[0] >> 6) + 1;
		if (used >= left || p[used - 1] < 2)
			continue;
		p += used;
		left -= used;
		used = aml_integer(p, left, &a);
		if (!used || !aml_integer(p + used, left - used, &b))
			continue;
		*typ_a = a & 7;
		*typ_b = b & 7;
		return true;
	}
	return false;
}

static bool read_interrupt(const u8 *p, size_t n, struct acpi_window *out)
{
	if (n < 3 + RES_INTERRUPT_LEN || p[0] != RES_INTERRUPT || le16_get(p + 1) != RES_INTERRUPT_LEN ||
	    p[4] != 1)
		return false;
	out->level = !(p[3] & 2);
	out->active_low = p[3] & 4;
	out->gsi = le32_get(p + 5);
	return true;
}

static bool read_memory(const u8 *p, size_t n, struct acpi_window *out)
{
	if (n < 3 + RES_MEMORY32_FIXED_LEN || p[0] != RES_MEMORY32_FIXED ||
	    le16_get(p + 1) != RES_MEMORY32_FIXED_LEN)
		return false;
	out->base = le32_get(p + 4);
	out->size = le32_get(p + 8);
	return out->size != 0;
}

/* The next HID string at or after *AT; *AT becomes the place behind it. */
static bool next_hid(const u8 *aml, size_t n, const char *hid, size_t *at)
{
	size_t len = strlen(hid);

	for (size_t i = *at; i + len <= n; i++)
		if (aml[i] == (u8)hid[0] && !memcmp(aml + i, hid, len)) {
			*at = i + len;
			return true;
		}
	return false;
}

bool aml_window_in(const u8 *aml, size_t n, const char *hid, unsigned *index, struct acpi_window *out)
{
	size_t at = 0;

	while (next_hid(aml, n, hid, &at)) {
		struct acpi_window w = {0};
		bool memory = false, irq = false;

		for (size_t i = at; i < n && i < at + RESOURCE_REACH && !(memory && irq); i++) {
			memory = memory || read_memory(aml + i, n - i, &w);
			irq = memory && read_interrupt(aml + i, n - i, &w);
		}
		if (memory && irq && !(*index)--) {
			*out = w;
			return true;
		}
	}
	return false;
}

/* Definition block number I, as its code; NULL at the end. */
static const u8 *block(unsigned i, size_t *n)
{
	const struct acpi_header *h = i ? acpi_find_table("SSDT", i - 1) : acpi_find_table("DSDT", 0);

	if (!h)
		return NULL;
	*n = h->length - sizeof *h;
	return (const u8 *)(h + 1);
}

bool aml_find_s5(u8 *typ_a, u8 *typ_b)
{
	const u8 *aml;
	size_t n;

	for (unsigned i = 0; (aml = block(i, &n)) || !i; i++)
		if (aml && aml_s5_in(aml, n, typ_a, typ_b))
			return true;
	return false;
}

bool acpi_find_window(const char *hid, unsigned index, struct acpi_window *out)
{
	const u8 *aml;
	size_t n;

	for (unsigned i = 0; (aml = block(i, &n)) || !i; i++)
		if (aml && aml_window_in(aml, n, hid, &index, out))
			return true;
	return false;
}

bool aml_ecam_in(const u8 *aml, size_t n, u64 *base)
{
	for (size_t i = 0; i + 6 < n; i++) {
		const u8 *p = aml + i + 4;
		size_t left = n - i - 4;

		if (memcmp(aml + i, "_CBA", 4))
			continue;
		if (p[1] == AML_RETURN) { /* Method (_CBA, flags) {Return (base)}, else Name (_CBA, base) */
			p += 2;
			left -= 2;
		}
		if (aml_integer(p, left, base) && *base)
			return true;
	}
	return false;
}

bool aml_find_ecam(u64 *base)
{
	const u8 *aml;
	size_t n;

	for (unsigned i = 0; (aml = block(i, &n)) || !i; i++)
		if (aml && aml_ecam_in(aml, n, base))
			return true;
	return false;
}

/* The event device's interrupt comes first, then OperationRegion (..., SystemMemory, address, length). */
bool aml_find_ged(u64 *selector, struct acpi_window *irq)
{
	size_t n, at = 0;
	const u8 *aml = block(0, &n);

	if (!aml || !next_hid(aml, n, "ACPI0013", &at))
		return false;
	for (size_t i = at, seen = 0; i + 8 < n && i < at + RESOURCE_REACH; i++) {
		seen = seen || read_interrupt(aml + i, n - i, irq);
		/* ExtOp, OpRegion, 4 bytes of name, space 0 */
		if (seen && aml[i] == AML_EXT && aml[i + 1] == AML_EXT_REGION && aml[i + 6] == 0)
			return aml_integer(aml + i + 7, n - i - 7, selector) && *selector;
	}
	return false;
}
