/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables. Kernel and application share ring 0, so the processor never changes stacks by itself: since
 * applications keep data in the 128-byte red zone below RSP, every vector has an IST stack (DESIGN D2). Double fault,
 * NMI and machine check run to their end there; the others leave it in entry.S before anything can nest. */

#include "arch/asm.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

enum { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_DEBUG, IST_EXCEPTION, IST_INTERRUPT };

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* IST 1..7 */
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
} __packed;

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

#define IST_LONG  4096 /* handlers that finish on the stack */
#define IST_SHORT 512  /* only the frame and a few scratch words */

struct cpu_tables {
	u64 gdt[5];
	struct tss tss;
	u8 ist_long[3][IST_LONG] __aligned(16);
	u8 ist_short[3][IST_SHORT] __aligned(16);
};

static struct cpu_tables boot_tables;
static struct gate idt[256];
extern const u8 vector_stubs[]; /* entry.S: 256 stubs, VECTOR_STUB_SIZE bytes apart */
#define VECTOR_STUB_SIZE 16
extern void syscall_entry(void);

static u8 vector_ist(unsigned v)
{
	switch (v) {
	case 1:
	case 3:
		return IST_DEBUG;
	case 2:
		return IST_NMI;
	case 8:
		return IST_DOUBLE_FAULT;
	case 18:
		return IST_MACHINE_CHECK;
	default:
		return v < 32 ? IST_EXCEPTION : IST_INTERRUPT;
	}
}

static void idt_fill(void)
{
	for (unsigned v = 0; v < 256; v++) {
		u64 stub = (u64)vector_stubs + v * VECTOR_STUB_SIZE;

		idt[v] = (struct gate){
			.offset_low = (u16)stub,
			.offset_mid = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
			.selector = KERNEL_CS,
			.ist = vector_ist(v),
			.type = 0x8e, /* present, DPL 0, interrupt gate */
		};
	}
}

static void tables_load(struct cpu_tables *t)
{
	u64 tss = (u64)&t->tss;

	t->gdt[1] = 0x00af9b000000ffff; /* KERNEL_CS: 64-bit code, DPL 0 */
	t->gdt[2] = 0x00cf93000000ffff; /* KERNEL_SS */
	t->gdt[3] = 0x0000890000000000 | (sizeof t->tss - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	t->gdt[4] = tss >> 32;
	t->tss.iomap = sizeof t->tss;
	for (int i = 0; i < 3; i++) {
		t->tss.ist[i] = (u64)(t->ist_long[i] + IST_LONG);
		t->tss.ist[3 + i] = (u64)(t->ist_short[i] + IST_SHORT);
	}

	struct table_pointer gdtr = {sizeof t->gdt - 1, (u64)t->gdt};
	struct table_pointer idtr = {sizeof idt - 1, (u64)idt};
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %2\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %3, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "lidt %1\n\t"
			 "movl %4, %%eax\n\t"
			 "ltr %%ax"
			 :
			 : "m"(gdtr), "m"(idtr), "i"(KERNEL_CS), "i"(KERNEL_SS), "i"(TSS_SEL)
			 : "rax", "memory");
}

/* CPU 0 comes before there is an allocator, the others after (they panic without memory: it is boot). */
void cpu_init_tables(unsigned cpu)
{
	struct cpu_tables *t = &boot_tables;

	if (cpu == 0)
		idt_fill();
	else if (!(t = kzalloc(sizeof *t)))
		panic("cpu %u: no memory for its descriptor tables", cpu);
	tables_load(t);
	wrmsr(MSR_STAR, (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_FMASK, RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
}
