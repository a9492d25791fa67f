// SPDX-License-Identifier: BSD-2-Clause
/* kernel/app.h over the assembler routines of copy.S, and the exception table that makes them survive faults.
 * Source: Intel SDM vol. 3, 6.15 (#PF), ABI: none; the table is our own format: two 32-bit self-relative
 * offsets. */
#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/pgtable.h"
#include "arch/thread.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/page.h"
#include "kernel/thread.h"

DEFINE_COUNTER(app_copy_faults, "kernel accesses to application memory that failed with EFAULT");

size_t app_copy_raw(void *dst, const void *src, size_t n);
size_t app_zero_raw(void *dst, size_t n);
ssize_t app_string_raw(char *dst, const char *src, size_t n);
int app_load_u32_raw(u32 *val, const u32 *p);
int app_cmpxchg_u32_raw(u32 *p, u32 *expected, u32 desired);

/* For copy.S: string instructions rather than loops. */
u8 copy_use_rep __section(".data"), clear_use_rep __section(".data");

/* Fast short repeats or enhanced rep movsb (CPUID 7), but not under an emulator, which claims them and loops.
 * copy_measure() has the last word.
 */
void arch_copy_init(void)
{
	u32 max_leaf = cpuid(0, 0).eax;
	struct cpuid c7 = max_leaf >= 7 ? cpuid(7, 0) : (struct cpuid){0}, hv;
	bool emulated = false;

	if (cpuid(1, 0).ecx & BIT(31)) {
		hv = cpuid(0x40000000, 0);
		emulated = hv.ebx == 0x54474354 && hv.ecx == 0x43544743; /* "TCGTCGTCGTCG" */
	}
	copy_use_rep = clear_use_rep = (c7.ebx & BIT(9) || c7.edx & BIT(4)) && !emulated;
}

/* Cycles for a page, the least of five tries: only the last ones find it in the cache. */
static u64 cycles_of(bool clear, u8 *to, const u8 *from)
{
	u64 least = ~0ull;

	for (int i = 0; i < 5; i++) {
		u64 start = arch_cycles();

		if (clear)
			arch_clear_pages(to, 1);
		else
			arch_copy_pages(to, from, 1);
		least = min(least, arch_cycles() - start);
	}
	return least;
}

/* Whether FLAG's string instructions are as good as their feature bit says. */
static void settle(u8 *flag, bool clear, u8 *to, const u8 *from)
{
	u64 rep = cycles_of(clear, to, from), loop;

	*flag = false;
	loop = cycles_of(clear, to, from);
	*flag = rep <= loop;
}

static int copy_measure(void)
{
	struct page *pages = copy_use_rep ? page_alloc(1, 0) : NULL;
	u8 *at;

	if (!pages)
		return 0; /* loops do, or what the CPU says must */
	at = page_to_virt(pages);
	settle(&clear_use_rep, true, at, NULL);
	settle(&copy_use_rep, false, at, at + PAGE_SIZE);
	page_free(pages, 1);
	return 0;
}
INITCALL(copy_measure, INIT_CORE);

size_t copy_from_app_partial(void *dst, const void __app *src, size_t n)
{
	size_t left = app_range_ok(src, n) ? app_copy_raw(dst, (__force const void *)src, n) : n;

	if (unlikely(left))
		counter_inc(&app_copy_faults);
	return left;
}

size_t copy_to_app_partial(void __app *dst, const void *src, size_t n)
{
	size_t left = app_range_ok(dst, n) ? app_copy_raw((__force void *)dst, src, n) : n;

	if (unlikely(left))
		counter_inc(&app_copy_faults);
	return left;
}

static size_t zero_app_partial(void __app *dst, size_t n)
{
	size_t left = app_range_ok(dst, n) ? app_zero_raw((__force void *)dst, n) : n;

	if (unlikely(left))
		counter_inc(&app_copy_faults);
	return left;
}

int copy_from_app(void *dst, const void __app *src, size_t n)
{
	return likely(!copy_from_app_partial(dst, src, n)) ? 0 : -EFAULT;
}

int copy_to_app(void __app *dst, const void *src, size_t n)
{
	return likely(!copy_to_app_partial(dst, src, n)) ? 0 : -EFAULT;
}

int zero_app(void __app *dst, size_t n)
{
	return likely(!zero_app_partial(dst, n)) ? 0 : -EFAULT;
}

ssize_t string_from_app(char *dst, const char __app *src, size_t size)
{
	u64 a = (u64)(__force const char *)src;
	size_t max_len = a < APP_LIMIT ? min(size, (size_t)(APP_LIMIT - a)) : 0;
	ssize_t n;

	if (!size)
		return -ENAMETOOLONG;
	if (!max_len)
		return -EFAULT;
	n = app_string_raw(dst, (__force const char *)src, max_len);
	if (n < 0) {
		counter_inc(&app_copy_faults);
		return -EFAULT;
	}
	if ((size_t)n < max_len)
		return n;
	return max_len < size ? -EFAULT : -ENAMETOOLONG;
}

/* The page-fault handler does not resolve the thread's faults meanwhile but takes the fix-up. */
int app_load_u32_nofault(u32 *val, const u32 __app *p)
{
	struct thread *t = current;
	int err;

	WRITE_ONCE(t->nofault, true);
	err = app_range_ok(p, sizeof *p) ? app_load_u32_raw(val, (__force const u32 *)p) : -1;
	WRITE_ONCE(t->nofault, false);
	return err ? -EFAULT : 0;
}

int app_cmpxchg_u32_nofault(u32 __app *p, u32 *expected, u32 desired)
{
	struct thread *t = current;
	int err;

	WRITE_ONCE(t->nofault, true);
	err = app_range_ok(p, sizeof *p) ? app_cmpxchg_u32_raw((__force u32 *)p, expected, desired) : -1;
	WRITE_ONCE(t->nofault, false);
	return err ? -EFAULT : 0;
}

struct ex_entry {
	s32 insn, fixup; /* each relative to its own address */
};
extern const struct ex_entry __ex_table_start[], __ex_table_end[];

bool extable_fixup(struct regs *regs)
{
	/* A few dozen entries, and a fault that gets here has failed: no need to keep the table sorted. */
	for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
		if ((u64)&e->insn + (s64)e->insn != regs->rip)
			continue;
		regs->rip = (u64)&e->fixup + (s64)e->fixup;
		return true;
	}
	return false;
}
