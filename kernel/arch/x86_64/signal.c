// SPDX-License-Identifier: BSD-2-Clause
/* The signal frame of x86-64 Linux, built and taken back.
 *
 * From high to low addresses: the 128-byte red zone of the interrupted code (or the top of the alternate
 * stack); the vector state in standard XSAVE format, 64-byte aligned; struct frame, placed so that the
 * handler sees the alignment of a called function. The context shows CS 0x33 and SS 0x2b, and a page fault's
 * error code with the user bit, as programs know them, although the application runs in ring 0. What
 * rt_sigreturn takes back is checked here and in fpu.h: an application can break only itself. System V ABI
 * x86-64 3.4.1; sigreturn(2), sigaltstack(2); asm/sigcontext.h. */
#include "arch/fpu.h"
#include "arch/syscall.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/counter.h"
#include "kernel/signal.h"
#include "kernel/syscall.h"
#include "kernel/thread.h"
#include <asm/sigcontext.h>
#include <linux/signal.h>
#include <asm/ucontext.h> /* needs the two above */

#define RED_ZONE	 128
#define SHOWN_CS	 0x33
#define SHOWN_SS	 0x2b
#define VECTOR_PF	 14
#define PF_ERROR_USER	 4
#define SA_RESTORER_FLAG 0x04000000ul

#define RFLAGS_STATUS 0xcd5ul /* CF PF AF ZF SF DF OF */
#define RFLAGS_TF     (1ul << 8)
#define RFLAGS_DF     (1ul << 10)
#define RFLAGS_RF     (1ul << 16)
#define RFLAGS_AC     (1ul << 18)
#define RFLAGS_ONE    (1ul << 1) /* always set in hardware */
#define RFLAGS_APP    (RFLAGS_STATUS | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF)

struct frame {
	u64 return_address; /* the restorer */
	struct ucontext uc;
	siginfo_t info;
};

DEFINE_COUNTER(sigreturn_bad_frame, "rt_sigreturn found a frame that it cannot take");

static bool on_altstack(const struct thread_signals *s, u64 sp)
{
	return s->altstack_size && sp > s->altstack_sp && sp - s->altstack_sp <= s->altstack_size;
}

size_t signal_minstack(void)
{
	/* Not below MINSIGSTKSZ, which C libraries take for a lower bound. */
	return max(ALIGN_UP(sizeof(struct frame) + fpu_frame_size() + 63, 16ul), 2048ul);
}

/* Where the frame goes, and where its vector state: *FPU. 0 when it would leave the alternate stack or wrap.
 */
static u64 place_frame(const struct regs *regs, const struct signal_action *action, u64 *fpu)
{
	const struct thread_signals *s = &current->sig;
	u64 sp = regs_sp(regs) - RED_ZONE;
	bool nested = on_altstack(s, regs_sp(regs)) && !(s->altstack_flags & SS_AUTODISARM);
	bool entering = (action->flags & SA_ONSTACK) && s->altstack_size && !nested;
	u64 frame;

	if (entering)
		sp = s->altstack_sp + s->altstack_size;
	*fpu = ALIGN_DOWN(sp - fpu_frame_size(), 64ul);
	frame = ALIGN_DOWN(*fpu - sizeof(struct frame), 16ul) - 8;
	if (frame > sp || !app_range_ok((void __app *)frame, sp - frame))
		return 0;
	if ((entering || nested) && !on_altstack(s, frame))
		return 0;
	return frame;
}

static void fill_context(struct sigcontext *c, const struct regs *r, sigset oldmask, u64 fpu)
{
	const struct arch_thread *a = &current->arch;

	*c = (struct sigcontext){
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.rdx = r->rdx,
		.rax = r->rax,
		.rcx = r->rcx,
		.rsp = r->rsp,
		.rip = r->rip,
		.eflags = (r->rflags & RFLAGS_APP) | RFLAGS_IF | RFLAGS_ONE,
		.cs = SHOWN_CS,
		.ss = SHOWN_SS,
		.err = a->fault_error | (a->fault_vector == VECTOR_PF ? PF_ERROR_USER : 0),
		.trapno = a->fault_vector,
		.cr2 = a->fault_addr,
		.oldmask = oldmask,
		.fpstate = (void *)fpu,
	};
}

static void fill_altstack(stack_t *ss)
{
	const struct thread_signals *s = &current->sig;

	memset(ss, 0, sizeof(*ss));
	ss->ss_sp = (void *)s->altstack_sp;
	ss->ss_size = s->altstack_size;
	ss->ss_flags = (int)s->altstack_flags;
	if (!s->altstack_size)
		ss->ss_flags |= SS_DISABLE;
	else if (!(s->altstack_flags & SS_AUTODISARM) && on_altstack(s, regs_sp(current_regs())))
		ss->ss_flags |= SS_ONSTACK;
}

int arch_signal_frame(struct regs *regs, int sig, const struct signal_action *action, const siginfo_t *info,
		      sigset oldmask)
{
	struct thread_signals *s = &current->sig;
	u64 fpu, at = place_frame(regs, action, &fpu);
	struct frame __app *frame = (struct frame __app *)at;
	struct frame f;

	if (!at || !(action->flags & SA_RESTORER_FLAG))
		return -EFAULT;
	memset(&f, 0, offsetof(struct frame, info));
	f.return_address = action->restorer;
	f.uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	fill_altstack(&f.uc.uc_stack);
	fill_context(&f.uc.uc_mcontext, regs, oldmask, fpu);
	f.uc.uc_sigmask = oldmask;
	f.info = *info;
	if (copy_to_app(frame, &f, sizeof(f)) || fpu_save_app((void __app *)fpu))
		return -EFAULT;

	if (s->altstack_flags & SS_AUTODISARM) {
		s->altstack_sp = 0;
		s->altstack_size = 0;
		s->altstack_flags = SS_DISABLE;
	}
	fpu_reset();
	regs->rdi = (u64)sig;
	regs->rsi = at + offsetof(struct frame, info);
	regs->rdx = at + offsetof(struct frame, uc);
	regs->rax = 0;
	regs->rip = action->handler;
	regs->rsp = at;
	regs->rflags &= ~(RFLAGS_DF | RFLAGS_TF | RFLAGS_RF);
	return 0;
}

/* The registers of a context, as far as an application may choose them. */
static void take_context(struct regs *r, const struct sigcontext *c)
{
	r->r8 = c->r8;
	r->r9 = c->r9;
	r->r10 = c->r10;
	r->r11 = c->r11;
	r->r12 = c->r12;
	r->r13 = c->r13;
	r->r14 = c->r14;
	r->r15 = c->r15;
	r->rdi = c->rdi;
	r->rsi = c->rsi;
	r->rbp = c->rbp;
	r->rbx = c->rbx;
	r->rdx = c->rdx;
	r->rax = c->rax;
	r->rcx = c->rcx;
	r->rsp = c->rsp;
	r->rip = c->rip;
	r->rflags = (c->eflags & RFLAGS_APP) | RFLAGS_IF |
		    RFLAGS_ONE; /* IOPL 0, NT clear; cs and ss stay the kernel's */
	regs_leave_syscall(r);
}

SYSCALL_DEFINE0(rt_sigreturn)
{
	struct regs *regs = current_regs();
	u64 at = regs_sp(regs) - offsetof(struct frame, uc);
	const struct frame __app *frame = (const struct frame __app *)at;
	struct ucontext uc;

	if (copy_from_app(&uc, &frame->uc, sizeof(uc)) || uc.uc_mcontext.rip >= APP_LIMIT)
		goto bad;
	if (fpu_restore_app((const void __app *)uc.uc_mcontext.fpstate))
		goto bad;
	signal_set_blocked(uc.uc_sigmask);
	take_context(regs, &uc.uc_mcontext);
	signal_restore_altstack(&uc.uc_stack);
	return regs_result(regs);
bad:
	counter_inc(&sigreturn_bad_frame);
	current->arch.fault_error = 0;
	current->arch.fault_vector = 0;
	signal_force_fault(SIGSEGV, SI_KERNEL, 0);
	return 0;
}
