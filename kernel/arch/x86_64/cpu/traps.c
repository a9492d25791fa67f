/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions: page faults to kernel/mm/, application errors to signals, kernel errors to the exception table or a panic.
 * Entered from entry.S on a kernel stack with interrupts off; the frame tells where from. */

#include "arch/asm.h"
#include "arch/debug.h"
#include "arch/fpu.h"
#include "arch/platform.h"
#include "arch/thread.h"
#include "kernel/app.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/vm.h"

#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER	   BIT(2)
#define PF_INSTR   BIT(4)

DEFINE_COUNTER(trap_nmi, "non-maskable interrupts taken");

static bool from_app(const struct regs *r)
{
	return !(r->rip >> 63);
}

static const char *const trap_names[32] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode",
	"device not available", "double fault", "9", "invalid TSS", "segment not present", "stack segment",
	"general protection", "page fault", "15", "x87 error", "alignment check", "machine check", "SIMD error",
	"virtualization", "control protection",
};

static void __noreturn kernel_trap_panic(struct regs *r, u64 cr2)
{
	log_err("rip %016lx rsp %016lx rflags %lx", r->rip, r->rsp, r->rflags);
	log_err("rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
	log_err("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
	log_err("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r->r9, r->r10, r->r11, r->r12);
	log_err("r13 %016lx r14 %016lx r15 %016lx cr2 %016lx", r->r13, r->r14, r->r15, cr2);
	backtrace_print(r->rbp, r->rip);
	panic("%s in the kernel, error %lx", r->vector < 32 ? trap_names[r->vector] : "trap", r->error);
}

struct trap_signal {
	int sig, code;
};

static struct trap_signal trap_to_signal(struct regs *r)
{
	switch (r->vector) {
	case 0:
		return (struct trap_signal){SIGFPE, FPE_INTDIV};
	case 1:
		return (struct trap_signal){SIGTRAP, debug_exception(r)};
	case 3:
		return (struct trap_signal){SIGTRAP, SI_KERNEL};
	case 4:
		return (struct trap_signal){SIGSEGV, SI_KERNEL};
	case 6:
		return (struct trap_signal){SIGILL, ILL_ILLOPN};
	case 16:
	case 19:
		return (struct trap_signal){SIGFPE, fpu_exception_code(r->vector == 19)};
	case 17:
		return (struct trap_signal){SIGBUS, BUS_ADRALN};
	case 11:
	case 12:
		return (struct trap_signal){SIGBUS, SI_KERNEL};
	default:
		return (struct trap_signal){SIGSEGV, SI_KERNEL};
	}
}

static void app_signal(struct regs *r, int sig, int code, u64 addr)
{
	struct arch_thread *a = &current->arch;

	a->fault_vector = r->vector;
	a->fault_error = r->error | (r->vector == 14 ? PF_USER : 0); /* as ring 3 would show it */
	if (r->vector == 14)
		a->fault_addr = addr;
	signal_force_fault(sig, code, addr);
}

static void page_fault(struct regs *r, u64 cr2)
{
	bool app = from_app(r);
	int sig, code;

	/* A non-canonical or upper-half address of an application, or any the kernel did not mean to touch. */
	if (cr2 >= APP_LIMIT || !current || !current->vm) {
		if (app) {
			arch_irq_enable();
			app_signal(r, SIGSEGV, SEGV_MAPERR, cr2);
			return;
		}
		if (extable_fixup(r))
			return;
		kernel_trap_panic(r, cr2);
	}
	/* A kernel copy that must not sleep (futex words), or with interrupts off, takes its fix-up at once. */
	if (!app && (current->nofault || !(r->rflags & RFLAGS_IF))) {
		if (extable_fixup(r))
			return;
		kernel_trap_panic(r, cr2);
	}
	arch_irq_enable();
	int err = vm_handle_fault(current->vm, cr2, r->error & PF_WRITE, r->error & PF_INSTR, app, &sig, &code);
	if (!err)
		return;
	if (app)
		app_signal(r, sig, code, cr2);
	else if (!extable_fixup(r))
		kernel_trap_panic(r, cr2);
}

static void enter_from_app(void)
{
	sched_account_enter_kernel(current);
	thread_set_flag(current, THREAD_INTERRUPTED);
}

void trap_dispatch(struct regs *r)
{
	u64 cr2 = r->vector == 14 ? read_cr2() : 0;
	bool app = from_app(r);

	/* A kernel thread that left the kernel's half has called what is no function. */
	if (unlikely(app && thread_test_flag(current, THREAD_KERNEL)))
		kernel_trap_panic(r, cr2);
	if (app)
		enter_from_app();
	if (r->vector == 14) {
		page_fault(r, cr2);
	} else if (r->vector == 7 && app && fpu_trap()) {
		/* goes on with its vector registers loaded */
	} else if (!app) {
		if (!(r->vector == 1 && debug_exception_in_kernel()) && !extable_fixup(r))
			kernel_trap_panic(r, cr2);
	} else {
		struct trap_signal s = trap_to_signal(r);

		arch_irq_enable();
		/* SI_KERNEL faults carry no address; the others name the instruction. */
		app_signal(r, s.sig, s.code, s.code == SI_KERNEL ? 0 : r->rip);
	}
	arch_irq_disable();
	if (app)
		exit_to_app(r);
}

void interrupt_dispatch(struct regs *r)
{
	bool app = from_app(r);

	sched_irq_enter();
	if (app)
		enter_from_app();
	irq_dispatch((u8)r->vector);
	if (app)
		exit_to_app(r);
}

/* What the way out of a system call in entry.S relies on. */
_Static_assert(offsetof(struct thread, flags) == 0, "entry.S");
_Static_assert((THREAD_WORK_MASK | THREAD_REGS_CHANGED) == 0x417, "entry.S");
_Static_assert(offsetof(struct regs, r10) == 7 * 8 && offsetof(struct regs, rdi) == 14 * 8, "entry.S");
_Static_assert(offsetof(struct regs, orig_rax) == 15 * 8 && offsetof(struct regs, rsp) == 21 * 8, "entry.S");

/* Interrupts off on entry and return. The loop sees to it that nothing is pending at the moment of return. */
void exit_to_app(struct regs *r)
{
	struct thread *t = current;

	while (unlikely(thread_test_flag(t, THREAD_WORK_MASK))) {
		arch_irq_enable();
		if (thread_test_flag(t, THREAD_NEED_RESCHED))
			schedule();
		if (thread_test_flag(t, THREAD_SIGPENDING | THREAD_EXITING | THREAD_RESTORE_MASK))
			signal_deliver(r);
		arch_irq_disable();
	}
	if (unlikely(thread_test_flag(t, THREAD_INTERRUPTED | THREAD_REGS_CHANGED)))
		thread_clear_flag(t, THREAD_INTERRUPTED | THREAD_REGS_CHANGED);
	sched_account_leave_kernel(t);
}

/* A new application thread's first code, on its kernel stack under its frame, interrupts on. */
void app_first_run(struct regs *r)
{
	process_thread_begin();
	arch_irq_disable();
	exit_to_app(r);
}

void nmi_dispatch(struct regs *r)
{
	counter_inc(&trap_nmi);
}

void double_fault(struct regs *r)
{
	u64 low = kstack_low_of_cpu();

	if (r->rsp < low + 1024 && r->rsp > low - PAGE_SIZE)
		log_err("kernel stack overflow: stack from %lx", low);
	kernel_trap_panic(r, read_cr2());
}
