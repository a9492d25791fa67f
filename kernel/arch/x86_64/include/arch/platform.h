/* SPDX-License-Identifier: BSD-2-Clause */
/* How this architecture's parts call each other. Generic code uses arch/{cpu,memory,percpu,thread,fpu}.h only. */
#pragma once

#include "base/types.h"

struct regs;
struct thread;

/* cpu/ */
void cpu_init_tables(unsigned cpu); /* GDT, TSS, IDT: traps work from here on */
void cpu_init_boot(void);	    /* features, SYSCALL, FPU, local APIC, clock */
void cpu_init_local(void);	    /* the part that each CPU does for itself */
void cpu_set_kstack(void *stack_low); /* entry stack of the thread that is about to run */
bool cpu_has_tsc_deadline(void);
bool cpu_has_x2apic(void);
bool cpu_has_rdtscp(void);
bool cpu_has_fsgsbase(void);
extern char hypervisor_id[13];	    /* CPUID 0x40000000 signature, "" on bare metal */

/* irq/ */
void apic_init_local(void);
void apic_eoi(void);
u32 apic_id(void);
void apic_send_ipi(u32 apic_id, u8 vector);
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u8 page);
/* Let the timer count, so that apic_timer_calibrate() can compare it with the clock once that runs. */
void apic_timer_begin(void);
void apic_timer_calibrate(void);
void irq_init(void);
void irq_dispatch(u8 vector);
extern u32 *cpu_apic_id; /* by CPU number */

enum {
	VECTOR_DEVICE_FIRST = 0x30,
	VECTOR_DEVICE_LAST = 0xef,
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_CALL = 0xf2,
	VECTOR_HALT = 0xf3,
	VECTOR_SPURIOUS = 0xff,
};

/* smp */
void smp_start_others(void);
void smp_call_interrupt(void);
void smp_stop_others(void); /* panic, power off */

/* time/ */
void clock_init(void);
void steal_time_init_cpu(void); /* have the host tell what it takes from this CPU */
u64 clock_tsc_khz(void);
u64 clock_tsc_from_ns(u64 deadline); /* CLOCK_MONOTONIC ns to a TSC value, for the deadline timer */

/* traps */
void exit_to_app(struct regs *regs); /* pending work, then return with interrupts off */
void syscall_dispatch(struct regs *regs); /* kernel/syscall/ */
u64 kstack_low_of_cpu(void);
void app_first_run(struct regs *regs);
void trap_dispatch(struct regs *regs);
void interrupt_dispatch(struct regs *regs);
void nmi_dispatch(struct regs *regs);
void double_fault(struct regs *regs) __attribute__((noreturn));
bool extable_fixup(struct regs *regs); /* kernel/arch/x86_64/mm */
void backtrace_print(u64 rbp, u64 rip);
