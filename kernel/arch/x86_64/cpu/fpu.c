/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector state (see arch/fpu.h). Saved with XSAVEOPT, XSAVE or FXSAVE, whichever the CPU has; always in the standard
 * format, whose layout signal frames and debuggers know (Intel SDM vol. 1, 13.4; Linux's uapi asm/sigcontext.h).
 *
 * Saving and loading is the dearest part of a switch, and many threads wake up, make a few calls and sleep again without
 * touching a vector register. So a thread starts its turn with CR0.TS set; its first vector instruction traps (#NM) and
 * loads the state. One that trapped in FPU_LAZY_TURNS turns in a row is a user of vectors: it gets its state at the switch,
 * and no trap, for the next EAGER_TURNS turns, after which its habits are looked at anew. A new program is taken for one
 * (its C library is), also since an emulator translates whatever runs under both states of TS twice: a quarter of a boot.
 *
 * Invariants, for the thread T that runs on a CPU (T->arch.fpu not NULL): TS clear: the registers are T's, and T is
 * fpu_owner. TS set: T's state is in its area, whole. A thread that is not running has its state in its area; the
 * registers hold the same if it is fpu_owner of the CPU that it names. Kernel threads leave TS and registers alone. */

#include "arch/asm.h"
#include "arch/fpu.h"
#include "arch/thread.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/app.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/thread.h"
#include <asm/sigcontext.h>
#include <asm/siginfo.h>

#define LEGACY_SIZE	512
#define XSAVE_MIN	(LEGACY_SIZE + 64)
#define XCR0_X87_SSE	3
/* x87, SSE, AVX, and the three parts of AVX-512: what an application may use without asking. Not AMX, not PKRU. */
#define XCR0_WANTED	(XCR0_X87_SSE | 1 << 2 | 7 << 5)
#define MXCSR_OFFSET	24
#define MXCSR_MASK_OFF	28
#define MXCSR_INITIAL	0x1f80
#define SW_RESERVED_OFF 464

static enum { FPU_FXSAVE, FPU_XSAVE, FPU_XSAVEOPT } method;
static u64 xcr0;
static u32 area_size = LEGACY_SIZE;
static u32 mxcsr_mask = 0xffbf;
static struct slab_cache *area_cache;
static u8 *initial; /* image of the initial state */
static u8 probe[LEGACY_SIZE] __aligned(64);
/* The thread whose state this CPU's registers hold (perhaps no longer running). */
DEFINE_PER_CPU(struct thread *, fpu_owner);
static DEFINE_PER_CPU(bool, fpu_off); /* CR0.TS is set */
static u64 cr0;			      /* of all CPUs, TS clear */

#define EAGER_TURNS 100

static void xsetbv(u64 v)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((u32)v), "d"((u32)(v >> 32)));
}

void fpu_init_cpu(void)
{
	cr0 = (read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE;
	write_cr0(cr0);
	this_cpu(fpu_off) = false;
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (method != FPU_FXSAVE ? CR4_OSXSAVE : 0));
	if (method != FPU_FXSAVE)
		xsetbv(xcr0);
	__asm__ volatile("fninit");
	u32 mxcsr = MXCSR_INITIAL;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	this_cpu(fpu_owner) = NULL;
}

void fpu_init_boot(void)
{
	if (cpuid(1, 0).ecx & BIT(26)) { /* XSAVE */
		struct cpuid d = cpuid(13, 0);

		xcr0 = (d.eax | (u64)d.edx << 32) & XCR0_WANTED;
		if ((xcr0 & (7 << 5)) != (7 << 5))
			xcr0 &= ~(u64)(7 << 5);
		method = cpuid(13, 1).eax & 1 ? FPU_XSAVEOPT : FPU_XSAVE;
	}
	fpu_init_cpu();
	if (method != FPU_FXSAVE)
		area_size = max(cpuid(13, 0).ebx, (u32)XSAVE_MIN); /* for the enabled components */
	__asm__ volatile("fxsave %0" : "=m"(probe));
	u32 mask = le32_get(probe + MXCSR_MASK_OFF);
	if (mask)
		mxcsr_mask = mask;
}

void fpu_init_areas(void)
{
	area_cache = slab_cache_create("fpu", area_size, 64);
	initial = area_cache ? slab_zalloc(area_cache) : NULL;
	if (!initial)
		panic("fpu: no memory for the initial state");
	memcpy(initial, probe, 32);				    /* FCW, MXCSR and its mask; no register contents */
	memset(initial + MXCSR_OFFSET + 8, 0, LEGACY_SIZE - 32);
}

static void area_save(void *area)
{
	u32 lo = (u32)xcr0, hi = (u32)(xcr0 >> 32);

	switch (method) {
	case FPU_XSAVEOPT:
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	case FPU_XSAVE:
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	case FPU_FXSAVE:
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
		break;
	}
}

static void area_restore(const void *area)
{
	if (method == FPU_FXSAVE)
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)xcr0), "d"((u32)(xcr0 >> 32)) : "memory");
}

/* Without the short cuts of XSAVEOPT, which leaves out what an area holds already. */
static void area_save_whole(void *area)
{
	if (method == FPU_FXSAVE)
		area_save(area);
	else
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)xcr0), "d"((u32)(xcr0 >> 32)) : "memory");
}

static void fpu_on(void)
{
	if (this_cpu(fpu_off)) {
		__asm__ volatile("clts");
		this_cpu(fpu_off) = false;
	}
}

/* The registers become T's, the running thread's. Interrupts off. */
static void claim(struct thread *t)
{
	fpu_on();
	if (this_cpu(fpu_owner) == t && t->arch.fpu_cpu == cpu_id())
		return;
	area_restore(t->arch.fpu);
	this_cpu(fpu_owner) = t;
	t->arch.fpu_cpu = cpu_id();
}

/* The running thread's state becomes AREA's. */
static void load(const void *area)
{
	u64 flags = arch_irq_save();

	fpu_on();
	area_restore(area);
	this_cpu(fpu_owner) = current;
	current->arch.fpu_cpu = cpu_id();
	arch_irq_restore(flags);
}

bool fpu_trap(void)
{
	if (!this_cpu(fpu_off) || !current->arch.fpu)
		return false;
	claim(current);
	return true;
}

void *fpu_area_create(bool inherit_live)
{
	u8 *area = slab_zalloc(area_cache);
	u64 flags;

	if (!area)
		return NULL;
	if (!inherit_live) {
		memcpy(area, initial, area_size);
		return area;
	}
	flags = arch_irq_save();
	if (this_cpu(fpu_off))
		memcpy(area, current->arch.fpu, area_size);
	else
		area_save_whole(area);
	arch_irq_restore(flags);
	return area;
}

void fpu_area_free(void *area)
{
	if (area)
		slab_free(area_cache, area);
}

/* Called with interrupts off. */
void fpu_switch(struct thread *prev, struct thread *next)
{
	struct arch_thread *p = &prev->arch, *n = &next->arch;

	if (p->fpu) {
		if (this_cpu(fpu_off)) {
			p->fpu_turns = 0;
		} else {
			area_save(p->fpu);
			if (++p->fpu_turns > EAGER_TURNS)
				p->fpu_turns = 0;
		}
	}
	if (!n->fpu)
		return;
	if (n->fpu_turns >= FPU_LAZY_TURNS) {
		claim(next);
	} else if (!this_cpu(fpu_off)) {
		write_cr0(cr0 | CR0_TS);
		this_cpu(fpu_off) = true;
	}
}

void fpu_reset(void)
{
	load(initial);
}

size_t fpu_frame_size(void)
{
	return area_size + (method == FPU_FXSAVE ? 0 : FP_XSTATE_MAGIC2_SIZE);
}

/* The live state goes to a kernel buffer first: an XSAVE straight into the frame could fault half-way with part of it
 * already there, and the application could change what was checked. */
int fpu_save_app(void __app *frame)
{
	u8 *area = slab_zalloc(area_cache);
	int err;

	if (!area)
		return -EFAULT;
	u64 flags = arch_irq_save();
	claim(current);
	area_save_whole(area);
	arch_irq_restore(flags);

	if (method != FPU_FXSAVE) {
		struct _fpx_sw_bytes sw = {
			.magic1 = FP_XSTATE_MAGIC1,
			.extended_size = area_size + FP_XSTATE_MAGIC2_SIZE,
			.xfeatures = xcr0,
			.xstate_size = area_size,
		};
		u32 magic2 = FP_XSTATE_MAGIC2;

		memcpy(area + SW_RESERVED_OFF, &sw, sizeof sw);
		*(u64 *)(area + LEGACY_SIZE) |= XCR0_X87_SSE; /* a debugger may write those without setting the bits */
		err = copy_to_app((char __app *)frame + area_size, &magic2, sizeof magic2);
		if (err)
			goto out;
	}
	err = copy_to_app(frame, area, area_size);
out:
	slab_free(area_cache, area);
	return err;
}

int fpu_restore_app(const void __app *frame)
{
	u8 *area;
	int err;

	if (!frame) {
		fpu_reset();
		return 0;
	}
	area = slab_zalloc(area_cache);
	if (!area)
		return -EFAULT;
	err = copy_from_app(area, frame, LEGACY_SIZE);
	if (err)
		goto out;
	u64 *header = (u64 *)(area + LEGACY_SIZE);
	if (method != FPU_FXSAVE) {
		const struct _fpx_sw_bytes *sw = (const void *)(area + SW_RESERVED_OFF);
		u32 magic2 = 0;
		bool extended = sw->magic1 == FP_XSTATE_MAGIC1 && sw->xstate_size >= XSAVE_MIN &&
				sw->xstate_size <= area_size &&
				sw->extended_size == sw->xstate_size + FP_XSTATE_MAGIC2_SIZE &&
				!copy_from_app(&magic2, (const char __app *)frame + sw->xstate_size, 4) &&
				magic2 == FP_XSTATE_MAGIC2;

		if (extended) {
			u64 features = sw->xfeatures;

			err = copy_from_app(header, (const char __app *)frame + LEGACY_SIZE,
					    sw->xstate_size - LEGACY_SIZE);
			if (err)
				goto out;
			header[0] &= xcr0 & features;
		} else {
			header[0] = XCR0_X87_SSE; /* an old-style frame: the rest goes to its initial state */
		}
		memset(header + 1, 0, 56); /* XCOMP_BV and reserved words must be zero or XRSTOR faults */
	}
	*(u32 *)(area + MXCSR_OFFSET) &= mxcsr_mask;
	load(area);
out:
	slab_free(area_cache, area);
	return err;
}

/* si_code of #MF (x87) or #XM (SSE), from the live status: the unmasked cause of highest priority. */
int fpu_exception_code(bool simd)
{
	u32 cause;

	if (simd) {
		u32 mxcsr;

		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		cause = mxcsr & ~(mxcsr >> 7);
	} else {
		u16 cwd, swd;

		__asm__ volatile("fnstcw %0\n\tfnstsw %1" : "=m"(cwd), "=m"(swd));
		cause = swd & ~cwd;
	}
	if (cause & 1)
		return FPE_FLTINV;
	if (cause & 4)
		return FPE_FLTDIV;
	if (cause & 8)
		return FPE_FLTOVF;
	if (cause & 0x12)
		return FPE_FLTUND;
	return cause & 0x20 ? FPE_FLTRES : 0;
}

/* ---- debuggers and core files ---- */

size_t fpu_regset_size(void)
{
	return area_size;
}

bool fpu_regset_extended(void)
{
	return method != FPU_FXSAVE;
}

/* The state of T, which is stopped or the current thread, in BUF (fpu_regset_size() bytes). Parts that the
 * header says are in their initial state are not written by the CPU: the legacy ones are filled in. */
void fpu_regset_get(struct thread *t, void *buf)
{
	u8 *out = buf;
	u64 flags, have;

	if (t == current) {
		flags = arch_irq_save();
		if (!this_cpu(fpu_off))
			area_save_whole(t->arch.fpu);
		arch_irq_restore(flags);
	}
	memcpy(out, t->arch.fpu, area_size);
	if (method == FPU_FXSAVE)
		return;
	have = *(const u64 *)(out + LEGACY_SIZE);
	if (!(have & 1)) {
		memcpy(out, initial, MXCSR_OFFSET);
		memcpy(out + 32, initial + 32, 128);
	}
	if (!(have & 2))
		memcpy(out + 160, initial + 160, 256);
	memset(out + SW_RESERVED_OFF, 0, LEGACY_SIZE - SW_RESERVED_OFF);
	*(u64 *)(out + SW_RESERVED_OFF) = xcr0; /* where debuggers look for what there is */
}

/* Give T, which is stopped, the state in BUF: LEGACY the first 512 bytes of it, else all. */
void fpu_regset_set(struct thread *t, const void *buf, bool legacy)
{
	u8 *area = t->arch.fpu;
	u64 *header = (u64 *)(area + LEGACY_SIZE);

	memcpy(area, buf, legacy ? LEGACY_SIZE : area_size);
	*(u32 *)(area + MXCSR_OFFSET) &= mxcsr_mask;
	if (method != FPU_FXSAVE) {
		header[0] = (header[0] & xcr0) | (legacy ? XCR0_X87_SSE : 0);
		memset(header + 1, 0, 56);
	}
	t->arch.fpu_cpu = ~0u; /* whichever CPU still holds the old state must load it anew */
}
