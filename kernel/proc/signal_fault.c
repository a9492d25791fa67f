// SPDX-License-Identifier: BSD-2-Clause
/* Faults of the current thread that become signals, and the line that tells of a fatal one. A fault's siginfo
 * is kept in the thread itself, not queued: HotSpot's null checks need no allocation and cannot lose it. */
#include "arch/syscall.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "ptrace.h"

DEFINE_COUNTER(faults_to_signals, "faults of applications that became a signal");
DEFINE_COUNTER(faults_fatal, "faults that ended a process");

static struct spinlock last_fault_lock = SPINLOCK_INIT; /* guards writers of the two below */
static char last_fault[256];
static u32 last_fault_pid;

const char *process_last_fault(void)
{
	return last_fault_pid == current->proc->pid ? last_fault : "";
}

static const char *code_name(int sig, int code)
{
	static const char *const segv[] = {"SEGV_MAPERR", "SEGV_ACCERR"};
	static const char *const bus[] = {"BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR"};
	static const char *const fpe[] = {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF",
					  "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB"};
	static const char *const ill[] = {"ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP",
					  "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"};
	static const char *const trap[] = {"TRAP_BRKPT", "TRAP_TRACE"};
	static const struct {
		int sig;
		unsigned n;
		const char *const *names;
	} tables[] = {{SIGSEGV, ARRAY_SIZE(segv), segv},
		      {SIGBUS, ARRAY_SIZE(bus), bus},
		      {SIGFPE, ARRAY_SIZE(fpe), fpe},
		      {SIGILL, ARRAY_SIZE(ill), ill},
		      {SIGTRAP, ARRAY_SIZE(trap), trap}};

	if (code == SI_KERNEL)
		return "SI_KERNEL";
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
		if (tables[i].sig == sig && code >= 1 && (unsigned)code <= tables[i].n)
			return tables[i].names[code - 1];
	return "?";
}

/* " (program+0x1139)": the mapped file that holds PC, and the offset in it. */
static void describe_pc(char *buf, size_t size, u64 pc)
{
	struct vmspace *vm = current->vm;
	char path[128];
	struct vma *vma;

	buf[0] = 0;
	if (!vm)
		return;
	rwlock_read_lock(&vm->lock);
	vma = vma_find(vm, pc);
	if (vma && vma->start <= pc && vma->file) {
		char *text = path_text(&vma->file->path, path, sizeof(path));
		const char *base = IS_ERR(text) ? "?" : strrchr(text, '/');

		base = base && *base == '/' ? base + 1 : base ? base : text;
		snprintf(buf, size, " (%s+0x%lx)", base, pc - vma->start + (vma->pgoff << PAGE_SHIFT));
	}
	rwlock_read_unlock(&vm->lock);
}

void fault_line(int sig, int code, u64 addr)
{
	u64 pc = regs_pc(current_regs());
	char where[160], line[sizeof(last_fault)];

	counter_inc(&faults_fatal);
	describe_pc(where, sizeof(where), pc);
	snprintf(line, sizeof(line), "%s[%u]: SIG%s at address 0x%lx (%s), rip 0x%lx%s", current->name,
		 current->proc->pid, signal_name(sig), addr, code_name(sig, code), pc, where);
	log_warn("%s", line);
	spin_lock(&last_fault_lock);
	memcpy(last_fault, line, sizeof(line));
	last_fault_pid = current->proc->pid;
	spin_unlock(&last_fault_lock);
}

void signal_fault_fatal(int sig, int code, u64 addr)
{
	struct process *p = current->proc;
	u64 flags;

	fault_line(sig, code, addr);
	flags = spin_lock_irqsave(&p->lock);
	process_kill_locked(p, sig);
	spin_unlock_irqrestore(&p->lock, flags);
}

void signal_force_fault(int sig, int code, u64 addr)
{
	struct thread *t = current;
	struct process *p = t->proc;
	struct signal_action *a;
	bool fatal;
	u64 flags;

	counter_inc(&faults_to_signals);
	flags = spin_lock_irqsave(&p->lock);
	a = &p->sighand->action[sig - 1];
	spin_lock(&p->sighand->lock);
	if (a->handler == SIG_HANDLER_IGNORE || (t->sig.blocked & SIGMASK(sig)))
		a->handler = SIG_HANDLER_DEFAULT;
	fatal = a->handler == SIG_HANDLER_DEFAULT && !ptrace_traced(t) && !p->rlim[RLIMIT_CORE].rlim_cur;
	spin_unlock(&p->sighand->lock);
	if (!fatal) {
		t->sig.fault_signal = sig;
		t->sig.fault_code = code;
		t->sig.fault_addr = addr;
		thread_set_flag(t, THREAD_SIGPENDING);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (fatal)
		signal_fault_fatal(sig, code, addr);
}

const char *signal_name(int sig)
{
	static const char *const names[] = {
		"0",	"HUP",	"INT",	"QUIT", "ILL",	  "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
		"SEGV", "USR2", "PIPE", "ALRM", "TERM",	  "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
		"TTOU", "URG",	"XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
	};

	return sig >= 0 && sig < (int)ARRAY_SIZE(names) ? names[sig] : sig == 32 ? "RTMIN" : "RT";
}
