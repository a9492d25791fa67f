// SPDX-License-Identifier: BSD-2-Clause
/* ptrace(2): the tracer's requests. */
#include "arch/fpu.h"
#include "arch/syscall.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/syscall.h"
#include "ptrace.h"
#include <linux/elf.h>
#include <linux/uio.h>

#define OPTIONS                                                                                      \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |    \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | \
	 PTRACE_O_EXITKILL)
#define PTRACE_GETREGS	   12 /* x86's own */
#define PTRACE_SETREGS	   13
#define PTRACE_GETFPREGS   14
#define PTRACE_SETFPREGS   15
#define PTRACE_ARCH_PRCTL_ 30
#define PTRACE_SYSEMU_	   31
#define PTRACE_SYSEMU_STEP 32
#define FPREGS_SIZE	   512

/* ---- going on ---- */

/* Let T, which is stopped, go on with signal SIG. STEP, and FLAGS of THREAD_SYSCALL_*. */
static long resume(struct thread *t, u64 sig, bool step, u32 set)
{
	u64 flags;

	if (sig > SIG_MAX)
		return -EIO;
	arch_ptrace_step(t, step);
	flags = spin_lock_irqsave(&t->proc->lock);
	thread_clear_flag(t, THREAD_SYSCALL_STOP | THREAD_SYSCALL_EMULATE | THREAD_STEP);
	thread_set_flag(t, set | (step ? THREAD_STEP : 0));
	t->ptrace.resume_signal = (int)sig;
	t->ptrace.stopped = t->ptrace.report = false;
	thread_wake_state(t, 1u << THREAD_STOPPED);
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return 0;
}

static long detach(struct thread *t, u64 sig)
{
	if (sig > SIG_MAX)
		return -EIO;
	arch_ptrace_step(t, false);
	t->ptrace.resume_signal = (int)sig;
	spin_lock(&process_tree_lock);
	if (t->ptrace.tracer == current->proc)
		ptrace_unlink(t);
	spin_unlock(&process_tree_lock);
	return 0;
}

/* A seized tracee stops soon, without a signal; one that listens shows its stop again. */
static long interrupt(struct thread *t)
{
	u64 flags;

	if (!t->ptrace.seized)
		return -EIO;
	flags = spin_lock_irqsave(&t->proc->lock);
	if (!t->ptrace.stopped || t->ptrace.listening) {
		t->ptrace.trap_pending = true;
		if (t->ptrace.listening)
			t->ptrace.stopped = t->ptrace.listening = false;
		signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_INTERRUPTIBLE | 1u << THREAD_STOPPED);
	}
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return 0;
}

static long listen(struct thread *t)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);
	long ret = -EIO;

	if (t->ptrace.seized && t->ptrace.stop_code >> 8 == PTRACE_EVENT_STOP) {
		t->ptrace.listening = true;
		t->ptrace.report = false;
		/* The group went on meanwhile: show that at once. */
		if (!t->proc->stop_signal) {
			t->ptrace.trap_pending = true;
			t->ptrace.stopped = t->ptrace.listening = false;
			signal_kick(t, THREAD_SIGPENDING, 1u << THREAD_STOPPED);
		}
		ret = 0;
	}
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return ret;
}

/* ---- registers ---- */

static long set_regs(struct thread *t, const u64 *regs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = arch_ptrace_set_reg(t, (unsigned)i, regs[i]);

		if (err)
			return err;
	}
	return 0;
}

/* One register set: copied to or from *BUF, at most *LEN bytes; *LEN becomes what there was. */
static long regset(struct thread *t, u64 type, void __app *buf, size_t *len, bool set)
{
	u64 regs[ARCH_USER_REGS];
	size_t size;
	void *fpu;
	long err;

	if (type == NT_PRSTATUS) {
		if (set && *len % sizeof(u64))
			return -EINVAL;
		*len = min(*len, sizeof(regs));
		if (set)
			return copy_from_app(regs, buf, *len) ? -EFAULT
							      : set_regs(t, regs, *len / sizeof(u64));
		arch_ptrace_get_regs(t, regs);
		return copy_to_app(buf, regs, *len);
	}
	if (type != NT_PRFPREG && (type != NT_X86_XSTATE || !fpu_regset_extended()))
		return type == NT_X86_XSTATE ? -ENODEV : -EINVAL;
	size = type == NT_PRFPREG ? FPREGS_SIZE : fpu_regset_size();
	if (set && *len < size)
		return type == NT_PRFPREG ? -EINVAL : -EFAULT;
	fpu = kmalloc(fpu_regset_size());
	if (!fpu)
		return -ENOMEM;
	*len = min(*len, size);
	if (set) {
		err = copy_from_app(fpu, buf, *len);
		if (!err)
			fpu_regset_set(t, fpu, type == NT_PRFPREG);
	} else {
		fpu_regset_get(t, fpu);
		err = copy_to_app(buf, fpu, *len);
	}
	kfree(fpu);
	return err;
}

static long regset_iov(struct thread *t, u64 type, struct iovec __app *uiov, bool set)
{
	struct iovec iov;
	size_t len;
	long err;

	if (get_app(iov, uiov))
		return -EFAULT;
	len = iov.iov_len;
	err = regset(t, type, (void __app *)iov.iov_base, &len, set);
	return err ? err : put_app(len, &uiov->iov_len);
}

static long regset_whole(struct thread *t, u64 type, void __app *buf, size_t len, bool set)
{
	return regset(t, type, buf, &len, set);
}

/* ---- memory and struct user ---- */

static long memory_word(struct thread *t, u64 addr, u64 *word, bool write)
{
	struct vmspace *vm = process_get_vm(t->proc);
	size_t n;

	if (!vm)
		return -ESRCH;
	n = ptrace_access(vm, addr, word, sizeof(*word), write);
	vmspace_put(vm);
	return n == sizeof(*word) ? 0 : -EIO;
}

static long peek_memory(struct thread *t, u64 addr, u64 __app *out)
{
	u64 word;
	long err = memory_word(t, addr, &word, false);

	return err ? err : put_app(word, out);
}

static long peek_user(struct thread *t, u64 offset, u64 __app *out)
{
	int err;
	u64 word = arch_ptrace_user_word(t, offset, &err);

	return err ? err : put_app(word, out);
}

/* ---- what happened ---- */

static long get_siginfo(struct thread *t, siginfo_t __app *out)
{
	return t->ptrace.group ? -EINVAL : copy_to_app(out, &t->ptrace.info, sizeof(siginfo_t));
}

static long set_siginfo(struct thread *t, const siginfo_t __app *in)
{
	siginfo_t info;

	if (copy_from_app(&info, in, sizeof(info)))
		return -EFAULT;
	if (t->ptrace.group)
		return -EINVAL;
	t->ptrace.info = info;
	return 0;
}

static long sigmask(struct thread *t, u64 size, sigset __app *mask, bool set)
{
	sigset m;
	u64 flags;

	if (size != sizeof(sigset))
		return -EINVAL;
	if (!set)
		return put_app(t->sig.blocked, mask);
	if (get_app(m, mask))
		return -EFAULT;
	flags = spin_lock_irqsave(&t->proc->lock);
	t->sig.blocked = m & ~SIGMASK_UNBLOCKABLE;
	thread_set_flag(t, THREAD_SIGPENDING); /* it sees for itself */
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return 0;
}

static long syscall_info(struct thread *t, u64 size, void __app *out)
{
	struct ptrace_syscall_info i;
	size_t n = offsetof(struct ptrace_syscall_info, entry);
	u64 regs[ARCH_USER_REGS], args[6];
	long result;

	memset(&i, 0, sizeof(i));
	arch_ptrace_get_regs(t, regs);
	i.op = t->ptrace.phase;
	i.arch = AUDIT_ARCH_NATIVE;
	i.instruction_pointer = regs_pc(thread_regs(t));
	i.stack_pointer = regs_sp(thread_regs(t));
	switch (i.op) {
	case PTRACE_SYSCALL_INFO_ENTRY:
	case PTRACE_SYSCALL_INFO_SECCOMP: /* the same fields, and one more */
		i.entry.nr = arch_ptrace_syscall_number(t);
		arch_ptrace_syscall_args(t, args);
		memcpy(i.entry.args, args, sizeof(args));
		n = offsetof(struct ptrace_syscall_info, entry) + sizeof(i.entry);
		if (i.op == PTRACE_SYSCALL_INFO_SECCOMP) {
			i.seccomp.ret_data = (u32)t->ptrace.message;
			n = offsetof(struct ptrace_syscall_info, seccomp.ret_data) +
			    sizeof(i.seccomp.ret_data);
		}
		break;
	case PTRACE_SYSCALL_INFO_EXIT:
		result = regs_result(thread_regs(t));
		i.exit.rval = result;
		i.exit.is_error = result < 0 && result >= -4095;
		n = offsetof(struct ptrace_syscall_info, exit) + offsetof(typeof(i.exit), is_error) + 1;
		break;
	}
	return copy_to_app(out, &i, min(size, (u64)n)) ? -EFAULT : (long)n;
}

static long set_options(struct thread *t, u64 options)
{
	if (options & ~(u64)OPTIONS)
		return -EINVAL;
	t->ptrace.options = (u32)options;
	return 0;
}

/* ---- the call ---- */

static long request_stopped(struct thread *t, s64 request, u64 addr, u64 data)
{
	void __app *p = (void __app *)data;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek_memory(t, addr, p);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return memory_word(t, addr, &data, true);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, p);
	case PTRACE_POKEUSR:
		return arch_ptrace_set_user_word(t, addr, data);
	case PTRACE_CONT:
		return resume(t, data, false, 0);
	case PTRACE_SYSCALL:
		return resume(t, data, false, THREAD_SYSCALL_STOP);
	case PTRACE_SINGLESTEP:
		return resume(t, data, true, 0);
	case PTRACE_SYSEMU_:
		return resume(t, data, false, THREAD_SYSCALL_EMULATE);
	case PTRACE_SYSEMU_STEP:
		return resume(t, data, true, THREAD_SYSCALL_EMULATE);
	case PTRACE_DETACH:
		return detach(t, data);
	case PTRACE_LISTEN:
		return listen(t);
	case PTRACE_GETREGS:
		return regset_whole(t, NT_PRSTATUS, p, ARCH_USER_REGS * sizeof(u64), false);
	case PTRACE_SETREGS:
		return regset_whole(t, NT_PRSTATUS, p, ARCH_USER_REGS * sizeof(u64), true);
	case PTRACE_GETFPREGS:
		return regset_whole(t, NT_PRFPREG, p, FPREGS_SIZE, false);
	case PTRACE_SETFPREGS:
		return regset_whole(t, NT_PRFPREG, p, FPREGS_SIZE, true);
	case PTRACE_GETREGSET:
		return regset_iov(t, addr, p, false);
	case PTRACE_SETREGSET:
		return regset_iov(t, addr, p, true);
	case PTRACE_SETOPTIONS:
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_app(t->ptrace.message, (u64 __app *)p);
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, p);
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, p);
	case PTRACE_GETSIGMASK:
		return sigmask(t, addr, p, false);
	case PTRACE_SETSIGMASK:
		return sigmask(t, addr, p, true);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(t, addr, p);
	default:
		return -EIO;
	}
}

/* Is T stopped for us? Then wait until it has left its CPU. */
static bool wait_stopped(struct thread *t)
{
	if (!READ_ONCE(t->ptrace.stopped) || READ_ONCE(t->ptrace.listening))
		return false;
	while (atomic_load_explicit(&t->state, memory_order_relaxed) != THREAD_STOPPED ||
	       atomic_load_explicit(&t->se.on_cpu, memory_order_acquire)) {
		if (!READ_ONCE(t->ptrace.stopped))
			return false; /* it was killed */
		thread_sleep_until(clock_monotonic() + 10 * NSEC_PER_USEC);
	}
	return true;
}

static long request(struct thread *t, s64 req, u64 addr, u64 data)
{
	if (req == PTRACE_ATTACH)
		return ptrace_attach(t, false, 0);
	if (req == PTRACE_SEIZE)
		return addr || data & ~(u64)OPTIONS ? -EIO : ptrace_attach(t, true, (u32)data);
	if (t->ptrace.tracer != current->proc)
		return -ESRCH;
	if (req == PTRACE_KILL) {
		signal_send_process(t->proc, SIGKILL, NULL);
		return 0;
	}
	if (req == PTRACE_INTERRUPT)
		return interrupt(t);
	return wait_stopped(t) ? request_stopped(t, req, addr, data) : -ESRCH;
}

SYSCALL_DEFINE4(ptrace, s64, req, int, pid, u64, addr, u64, data)
{
	struct thread *t;
	long ret;

	if (req == PTRACE_TRACEME)
		return ptrace_traceme();
	t = thread_find((u32)pid);
	if (!t)
		return -ESRCH;
	ret = request(t, req, addr, data);
	thread_put(t);
	return ret;
}
