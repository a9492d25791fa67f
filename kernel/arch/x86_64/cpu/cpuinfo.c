/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/cpuinfo: the CPU as CPUID describes it, with the flag names that Linux uses (programs search for them). */

#include "arch/asm.h"
#include "arch/cpuinfo.h"
#include "arch/platform.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/percpu.h"

struct flag_word {
	u32 leaf, sub;
	enum { EAX, EBX, ECX, EDX } reg;
	const char *names[32]; /* by bit; NULL: not shown */
};

static const struct flag_word words[] = {
	{1, 0, EDX, {"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr", "pge",
		     "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL, "dts", "acpi", "mmx", "fxsr", "sse", "sse2",
		     "ss", "ht", "tm", "ia64", "pbe"}},
	{0x80000001, 0, EDX, {[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb",
			      [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow"}},
	{1, 0, ECX, {"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid",
		     "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe",
		     "popcnt", "tsc_deadline_timer", "aes", "xsave", NULL, "avx", "f16c", "rdrand", "hypervisor"}},
	{0x80000001, 0, ECX, {"lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse",
			      "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL, "lwp", "fma4", "tce", NULL,
			      "nodeid_msr", NULL, "tbm", "topoext"}},
	{7, 0, EBX, {"fsgsbase", "tsc_adjust", NULL, "bmi1", "hle", "avx2", NULL, "smep", "bmi2", "erms", "invpcid", "rtm",
		     "cqm", NULL, "mpx", "rdt_a", "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", NULL,
		     "clflushopt", "clwb", "intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl"}},
	{13, 1, EAX, {"xsaveopt", "xsavec", "xgetbv1", "xsaves"}},
	{7, 0, ECX, {[1] = "avx512vbmi", [2] = "umip", [3] = "pku", [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes",
		     [10] = "vpclmulqdq", [11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq",
		     [22] = "rdpid"}},
	{7, 0, EDX, {[4] = "fsrm", [8] = "avx512_vp2intersect", [10] = "md_clear", [14] = "serialize"}},
};

static u32 flag_register(const struct flag_word *w)
{
	u32 base = w->leaf & 0x80000000;

	if (cpuid(base, 0).eax < w->leaf)
		return 0;
	struct cpuid r = cpuid(w->leaf, w->sub);
	return w->reg == EAX ? r.eax : w->reg == EBX ? r.ebx : w->reg == ECX ? r.ecx : r.edx;
}

static size_t put_flags(char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		u32 bits = flag_register(&words[i]);

		for (unsigned b = 0; b < 32; b++)
			if (bits & BIT(b) && words[i].names[b])
				n += (size_t)scnprintf(buf + n, size - n, " %s", words[i].names[b]);
	}
	return n;
}

static void brand_string(char out[49])
{
	memset(out, 0, 49);
	if (cpuid(0x80000000, 0).eax >= 0x80000004)
		for (u32 i = 0; i < 3; i++) {
			struct cpuid r = cpuid(0x80000002 + i, 0);

			memcpy(out + 16 * i, &r, 16);
		}
}

size_t arch_cpuinfo(unsigned cpu, char *buf, size_t size)
{
	struct cpuid v = cpuid(0, 0), f = cpuid(1, 0);
	char vendor[13] = "", brand[49];
	u32 family = f.eax >> 8 & 15, model = f.eax >> 4 & 15;
	u32 ext = cpuid(0x80000000, 0).eax;
	u32 widths = ext >= 0x80000008 ? cpuid(0x80000008, 0).eax : 0x3024;
	u64 khz = clock_tsc_khz();

	memcpy(vendor, &v.ebx, 4);
	memcpy(vendor + 4, &v.edx, 4);
	memcpy(vendor + 8, &v.ecx, 4);
	if (family >= 6)
		model |= f.eax >> 12 & 0xf0;
	if (family == 15)
		family += f.eax >> 20 & 0xff;
	brand_string(brand);
	size_t n = (size_t)scnprintf(
		buf, size,
		"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n"
		"cpu MHz\t\t: %lu.%03lu\ncache size\t: 512 KB\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
		"cpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
		"cpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
		cpu, vendor, family, model, brand, f.eax & 15, khz / 1000, khz % 1000, cpu_count, cpu, cpu_count,
		cpu_apic_id[cpu], cpu_apic_id[cpu], v.eax);
	n += put_flags(buf + n, size - n);
	return n + (size_t)scnprintf(buf + n, size - n,
				     "\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: 64\ncache_alignment\t: 64\n"
				     "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
				     khz * 2 / 1000, khz * 2 % 1000 / 10, widths & 0xff, widths >> 8 & 0xff);
}

u64 arch_hwcap(void)
{
	return cpuid(1, 0).edx;
}

u64 arch_hwcap2(void)
{
	return cpu_has_fsgsbase() ? 2 : 0;
}

/* The caches of an AMD CPU that lacks the newer leaf: data, instructions, second and third level. */
static bool old_amd_cache(unsigned index, struct cpu_cache *out)
{
	static const u8 ways[16] = {0, 1, 2, 3, 4, 6, 8, 0, 16, 0, 32, 48, 64, 96, 128};
	struct cpuid r;
	u32 w, kib;

	if (index > 3 || cpuid(0x80000000, 0).eax < 0x80000006)
		return false;
	r = cpuid(index < 2 ? 0x80000005 : 0x80000006, 0);
	w = index & 1 ? r.edx : r.ecx;
	kib = index < 2 ? w >> 24 : index == 2 ? w >> 16 : (w >> 18) * 512;
	*out = (struct cpu_cache){
		.type = index < 2 ? index + 1 : 3,
		.level = max(index, 1u),
		.line = w & 0xff,
		.partitions = 1,
		.ways = index < 2 ? w >> 16 & 0xff : ways[w >> 12 & 15],
	};
	if (!kib || !out->line || !out->ways)
		return false;
	out->sets = kib * 1024 / out->line / out->ways;
	return true;
}

/* Intel's leaf 4, or AMD's of the same form. */
bool arch_cpu_cache(unsigned index, struct cpu_cache *out)
{
	u32 leaf = cpuid(0, 0).eax >= 4 && cpuid(4, 0).eax & 31 ? 4 : 0x8000001d;
	struct cpuid r;

	if (cpuid(leaf & 0x80000000, 0).eax < leaf || !(cpuid(leaf, 0).eax & 31))
		return old_amd_cache(index, out);
	r = cpuid(leaf, index);
	*out = (struct cpu_cache){
		.type = r.eax & 31,
		.level = r.eax >> 5 & 7,
		.line = (r.ebx & 0xfff) + 1,
		.partitions = (r.ebx >> 12 & 0x3ff) + 1,
		.ways = (r.ebx >> 22) + 1,
		.sets = r.ecx + 1,
	};
	return out->type;
}
