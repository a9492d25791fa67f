// SPDX-License-Identifier: BSD-2-Clause
/* Sending and delivering signals, with threads that are only structures: who is told, what is dropped, what
 * becomes of an interrupted call, which mask a handler and what follows it run with. */
// sources: kernel/proc/signal_queue.c kernel/proc/signal_send.c kernel/proc/signal_deliver.c
// sources: kernel/proc/signal_stop.c kernel/proc/sighand.c
#include "unit.h"

#define sigset_t uapi_sigset_t /* libc has its own */
#include <asm/unistd.h>

#include "base/err.h"
#include "kernel/proc/proc.h"

/* ---- what is around: recorded, not done ---- */

static struct {
	int frames, fatal_faults, forced;
	int sig, code, exit_status, notified;
	sigset oldmask;
	bool frame_fails;
	jmp_buf ended;
} seen;

int arch_signal_frame(struct regs *regs, int sig, const struct signal_action *action, const siginfo_t *info,
		      sigset oldmask)
{
	if (seen.frame_fails)
		return -EFAULT;
	seen.frames++;
	seen.sig = sig;
	seen.code = info->si_code;
	seen.oldmask = oldmask;
	return 0;
}

void thread_exit(int code)
{
	seen.exit_status = code;
	longjmp(seen.ended, 1);
}

void process_exit_group(int status)
{
	thread_exit(status);
}

void fault_line(int sig, int code, u64 addr)
{
}

bool coredump(int sig, const siginfo_t *info)
{
	return false;
}

/* Nobody traces here. */
void ptrace_event(int event, u64 message)
{
}

int ptrace_signal(int sig, siginfo_t *info)
{
	return sig;
}

void ptrace_handler_entered(void)
{
}

void arch_ptrace_step(struct thread *t, bool on)
{
}

bool ptrace_trap_stop(void)
{
	return false;
}

bool ptrace_group_stop(int sig)
{
	return true;
}

void signal_fault_fatal(int sig, int code, u64 addr)
{
	seen.fatal_faults++;
	process_kill_locked(current->proc, sig);
}

void signal_force_fault(int sig, int code, u64 addr)
{
	seen.forced++;
	current->sig.fault_signal = sig;
	current->sig.fault_code = code;
	thread_set_flag(current, THREAD_SIGPENDING);
}

void notify_parent(struct process *child, int code, int status)
{
	seen.notified = code;
}

bool session_orphaned_group(struct process *p)
{
	return false;
}

void posix_timer_signal_taken(siginfo_t *info)
{
}

void trace_signal(const siginfo_t *info)
{
}

void smp_send_reschedule(unsigned cpu);
void smp_send_reschedule(unsigned cpu)
{
}

struct spinlock process_tree_lock;

/* ---- a process with three threads, the first of which is the current one ---- */

static struct process proc;
static struct thread threads[3];
static struct sighand *sighand;
static struct regs regs;

static void setup(void)
{
	memset(&proc, 0, sizeof(proc));
	memset(&threads, 0, sizeof(threads));
	memset(&seen, 0, sizeof(seen));
	memset(&regs, 0, sizeof(regs));
	list_init(&proc.threads);
	waitq_init(&proc.signalfd_wait);
	sigqueue_init(&proc.shared_pending);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		proc.rlim[i].rlim_cur = RLIM64_INFINITY;
	proc.pid = 7;
	proc.sighand = sighand = sighand_create();
	for (int i = 0; i < 3; i++) {
		threads[i].proc = &proc;
		threads[i].cred = &kernel_cred;
		threads[i].tid = 7 + (u32)i;
		sigqueue_init(&threads[i].sig.pending);
		list_add_tail(&threads[i].proc_node, &proc.threads);
	}
	proc.nthreads = 3;
	proc.leader = &threads[0];
	proc.cred = &kernel_cred;
	regs.orig_rax = ~0ull;
	this_cpu(current_thread) = &threads[0];
}

static void teardown(void)
{
	signal_flush(&proc, &proc.shared_pending, ~0ull);
	for (int i = 0; i < 3; i++)
		signal_flush(&proc, &threads[i].sig.pending, ~0ull);
	assert_int_equal(proc.nqueued, 0);
	sighand_put(sighand);
	assert_int_equal(host_heap_live(), 0);
	this_cpu(current_thread) = NULL;
}

static void handle(int sig, u64 flags, sigset mask)
{
	sighand->action[sig - 1] = (struct signal_action){.handler = 0x1000, .flags = flags, .mask = mask};
}

static int send_user(struct thread *t, int sig)
{
	siginfo_t info;

	siginfo_fill(&info, sig, t ? SI_TKILL : SI_USER, 99, 0);
	return t ? signal_send_thread(t, sig, &info) : signal_send_process(&proc, sig, &info);
}

static bool told(int i)
{
	return thread_test_flag(&threads[i], THREAD_SIGPENDING);
}

/* Delivery; the wait status if it ended the thread, else -1. */
static int deliver(void)
{
	if (setjmp(seen.ended))
		return seen.exit_status;
	signal_deliver(&regs);
	return -1;
}

/* Deliver after call NR returned RESULT. */
static void deliver_after(u64 nr, long result)
{
	regs.orig_rax = nr;
	regs.rax = (u64)result;
	regs.rip = 0x400002;
	assert_int_equal(deliver(), -1);
}

static void test_chooses_a_thread(void **state)
{
	setup();
	handle(SIGUSR1, 0, 0);
	threads[0].sig.blocked = SIGMASK(SIGUSR1);
	assert_int_equal(send_user(NULL, SIGUSR1), 0);
	assert_true(!told(0) && told(1) && !told(2));
	/* The second thread has enough to do: the third is told of the next one. */
	handle(SIGUSR2, 0, 0);
	threads[0].sig.blocked |= SIGMASK(SIGUSR2);
	assert_int_equal(send_user(NULL, SIGUSR2), 0);
	assert_true(!told(0) && told(2));
	/* Directed at a thread: nobody else. */
	handle(SIGTERM, 0, 0);
	threads[0].sig.blocked = ~0ull;
	assert_int_equal(send_user(&threads[0], SIGTERM), 0);
	assert_false(told(0));
	assert_true(threads[0].sig.pending.pending & SIGMASK(SIGTERM));
	teardown();
}

static void test_blocking_hands_on(void **state)
{
	setup();
	handle(SIGUSR1, 0, 0);
	threads[1].sig.blocked = threads[2].sig.blocked = SIGMASK(SIGUSR2);
	send_user(NULL, SIGUSR1);
	assert_true(told(0) && !told(1));
	signal_set_blocked(SIGMASK(SIGUSR1)); /* the thread that was told no longer wants it */
	assert_true(!told(0) && told(1));
	signal_set_blocked(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	assert_int_equal(threads[0].sig.blocked, 0);
	assert_true(told(0));
	teardown();
}

static void test_ignored(void **state)
{
	setup();
	sighand->action[SIGUSR1 - 1].handler = SIG_HANDLER_IGNORE;
	send_user(NULL, SIGUSR1);
	send_user(NULL, SIGCHLD); /* by default */
	send_user(NULL, SIGWINCH);
	assert_int_equal(proc.shared_pending.pending, 0);
	/* Blocked: kept, for its action may change. */
	threads[0].sig.blocked = SIGMASK(SIGUSR1);
	send_user(NULL, SIGUSR1);
	assert_int_equal(proc.shared_pending.pending, SIGMASK(SIGUSR1));
	signal_set_blocked(0);
	assert_int_equal(deliver(), -1);
	assert_int_equal(seen.frames, 0);
	assert_false(told(0));
	teardown();
}

static void test_fatal_ends_all(void **state)
{
	setup();
	threads[0].sig.blocked = SIGMASK(SIGTERM);
	send_user(NULL, SIGTERM); /* another thread is open to it */
	assert_true(proc.group_exit);
	assert_int_equal(proc.exit_code, SIGTERM);
	for (int i = 0; i < 3; i++)
		assert_true(thread_test_flag(&threads[i], THREAD_EXITING));
	assert_true(fatal_signal_pending(&threads[2]));
	assert_int_equal(deliver(), SIGTERM);
	teardown();
	setup();
	for (int i = 0; i < 3; i++)
		threads[i].sig.blocked = ~SIGMASK_UNBLOCKABLE;
	send_user(NULL, SIGTERM);
	assert_false(proc.group_exit);
	send_user(NULL, SIGKILL);
	assert_true(proc.group_exit);
	assert_int_equal(deliver(), SIGKILL);
	teardown();
}

static void test_coalescing_and_limit(void **state)
{
	siginfo_t info;

	setup();
	handle(SIGUSR1, 0, 0);
	handle(40, 0, 0);
	send_user(NULL, SIGUSR1);
	send_user(NULL, SIGUSR1);
	assert_int_equal(proc.nqueued, 1);
	proc.rlim[RLIMIT_SIGPENDING].rlim_cur = 3;
	siginfo_fill(&info, 40, SI_QUEUE, 99, 0);
	assert_int_equal(signal_send_process(&proc, 40, &info), 0);
	assert_int_equal(signal_send_process(&proc, 40, &info), 0);
	assert_int_equal(signal_send_process(&proc, 40, &info), -EAGAIN);
	host_alloc_fail_after(0);
	assert_int_equal(signal_send_process(&proc, 40, &info), -EAGAIN);
	handle(SIGUSR2, 0, 0);
	assert_int_equal(send_user(NULL, SIGUSR2), 0); /* without its siginfo, but it comes */
	host_alloc_fail_never();
	assert_true(proc.shared_pending.pending & SIGMASK(SIGUSR2));
	assert_int_equal(proc.nqueued, 3);
	teardown();
}

static void test_handler_masks(void **state)
{
	setup();
	handle(SIGUSR1, 0, SIGMASK(SIGHUP));
	signal_set_blocked(SIGMASK(SIGINT));
	send_user(NULL, SIGUSR1);
	assert_int_equal(deliver(), -1);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(seen.oldmask, SIGMASK(SIGINT));
	assert_int_equal(threads[0].sig.blocked, SIGMASK(SIGINT) | SIGMASK(SIGHUP) | SIGMASK(SIGUSR1));
	signal_set_blocked(0);
	handle(SIGUSR1, SA_NODEFER | SA_RESETHAND, 0);
	send_user(NULL, SIGUSR1);
	assert_int_equal(deliver(), -1);
	assert_int_equal(threads[0].sig.blocked, 0);
	assert_int_equal(sighand->action[SIGUSR1 - 1].handler, SIG_HANDLER_DEFAULT);
	teardown();
}

static void test_restart(void **state)
{
	static const struct {
		long result;
		u64 flags;
		bool handler;
		long rax;
		int back; /* bytes that RIP goes back */
	} cases[] = {
		{-ERESTARTSYS, 0, true, -EINTR, 0},
		{-ERESTARTSYS, SA_RESTART, true, __NR_read, 2},
		{-ERESTARTSYS, 0, false, __NR_read, 2},
		{-ERESTARTNOINTR, 0, true, __NR_read, 2},
		{-ERESTARTNOINTR, 0, false, __NR_read, 2},
		{-ERESTARTNOHAND, SA_RESTART, true, -EINTR, 0},
		{-ERESTARTNOHAND, 0, false, __NR_read, 2},
		{-ERESTART_RESTARTBLOCK, SA_RESTART, true, -EINTR, 0},
		{-ERESTART_RESTARTBLOCK, 0, false, __NR_restart_syscall, 2},
		{-EINTR, SA_RESTART, true, -EINTR, 0},
		{5, SA_RESTART, true, 5, 0},
		{-ENOENT, 0, false, -ENOENT, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup();
		handle(SIGUSR1, cases[i].flags, 0);
		if (cases[i].handler)
			send_user(NULL, SIGUSR1);
		else
			thread_set_flag(&threads[0], THREAD_SIGPENDING); /* somebody else took the signal */
		deliver_after(__NR_read, cases[i].result);
		assert_int_equal((long)regs.rax, cases[i].rax);
		assert_int_equal(regs.rip, 0x400002 - cases[i].back);
		assert_int_equal(seen.frames, cases[i].handler);
		assert_false(told(0));
		teardown();
	}
}

/* Two handlers at once: only the first decides about the call. */
static void test_restart_is_decided_once(void **state)
{
	setup();
	handle(SIGUSR1, SA_RESTART, 0);
	handle(SIGUSR2, 0, 0);
	send_user(NULL, SIGUSR1);
	send_user(NULL, SIGUSR2);
	deliver_after(__NR_read, -ERESTARTSYS);
	assert_int_equal(seen.frames, 2);
	assert_int_equal(regs.rax, __NR_read);
	assert_int_equal(regs.rip, 0x400000);
	teardown();
}

static void test_temporary_mask(void **state)
{
	sigset temporary = SIGMASK(SIGHUP);

	setup();
	handle(SIGUSR1, 0, 0);
	signal_set_blocked(SIGMASK(SIGUSR1));
	send_user(NULL, SIGUSR1);
	/* It interrupts: the handler sees the old mask in its frame. */
	assert_int_equal(signal_set_temporary_mask((const sigset __app *)&temporary, 8), 0);
	assert_true(told(0));
	deliver_after(__NR_rt_sigsuspend, -ERESTARTNOHAND);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(seen.oldmask, SIGMASK(SIGUSR1));
	assert_false(thread_test_flag(&threads[0], THREAD_RESTORE_MASK));
	/* The call succeeded all the same: the signal stays blocked. */
	signal_set_blocked(SIGMASK(SIGUSR1));
	send_user(NULL, SIGUSR1);
	assert_int_equal(signal_set_temporary_mask((const sigset __app *)&temporary, 8), 0);
	deliver_after(__NR_ppoll, 1);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(threads[0].sig.blocked, SIGMASK(SIGUSR1));
	/* Nothing came: the mask is as before. */
	assert_int_equal(signal_set_temporary_mask((const sigset __app *)&temporary, 8), 0);
	signal_flush(&proc, &proc.shared_pending, ~0ull);
	deliver_after(__NR_ppoll, -EINTR);
	assert_int_equal(threads[0].sig.blocked, SIGMASK(SIGUSR1));
	assert_int_equal(signal_set_temporary_mask((const sigset __app *)&temporary, 4), -EINVAL);
	assert_int_equal(signal_set_temporary_mask(NULL, 4), 0);
	teardown();
}

static void test_stop_and_continue(void **state)
{
	setup();
	handle(SIGCONT, 0, 0);
	threads[0].sig.blocked = threads[1].sig.blocked = threads[2].sig.blocked =
		SIGMASK(SIGTSTP) | SIGMASK(SIGCONT);
	send_user(NULL, SIGCONT);
	send_user(NULL, SIGTSTP); /* takes back the pending SIGCONT */
	assert_int_equal(proc.shared_pending.pending, SIGMASK(SIGTSTP));
	send_user(NULL, SIGCONT); /* and the other way round */
	assert_int_equal(proc.shared_pending.pending, SIGMASK(SIGCONT));
	signal_flush(&proc, &proc.shared_pending, ~0ull);

	signal_stop_begin(&proc, SIGTSTP);
	assert_true(told(0) && told(1) && told(2));
	proc.nstopped = 2;
	assert_false(signal_stop_thread_left(&proc));
	proc.nthreads = 2; /* the third thread ends instead of stopping: that completes the stop */
	assert_true(signal_stop_thread_left(&proc));
	assert_true(proc.stopped && proc.stop_report);
	send_user(NULL, SIGCONT);
	assert_true(!proc.stopped && !proc.stop_signal && proc.cont_report && proc.cont_notify);
	assert_int_equal(deliver(), -1);
	assert_int_equal(seen.notified, CLD_CONTINUED);
	teardown();
}

static void test_fault_comes_first(void **state)
{
	setup();
	handle(SIGSEGV, 0, 0);
	handle(SIGHUP, 0, 0);
	send_user(NULL, SIGHUP);
	threads[0].sig.fault_signal = SIGSEGV;
	threads[0].sig.fault_code = 2;
	assert_int_equal(deliver(), -1);
	assert_int_equal(seen.frames, 2);
	assert_int_equal(seen.sig, SIGHUP); /* set up last, so it runs first */
	teardown();
}

static void test_frame_without_room(void **state)
{
	setup();
	handle(SIGUSR1, 0, 0);
	seen.frame_fails = true;
	send_user(NULL, SIGUSR1);
	assert_int_equal(deliver(), SIGSEGV); /* no handler for it: the default */
	assert_int_equal(seen.forced, 1);
	teardown();
	setup();
	handle(SIGSEGV, 0, 0);
	seen.frame_fails = true;
	threads[0].sig.fault_signal = SIGSEGV;
	assert_int_equal(deliver(), SIGSEGV); /* its own frame fails: no second try */
	assert_int_equal(seen.fatal_faults, 1);
	teardown();
}

static void test_init_is_protected(void **state)
{
	setup();
	init_process = &proc;
	send_user(NULL, SIGKILL);
	send_user(NULL, SIGTERM);
	send_user(NULL, SIGSTOP);
	assert_false(proc.group_exit);
	assert_int_equal(proc.shared_pending.pending, 0);
	handle(SIGTERM, 0, 0);
	send_user(NULL, SIGTERM);
	assert_true(proc.shared_pending.pending & SIGMASK(SIGTERM));
	host_cmdline_set("init=/bin/program"); /* not the agent: a process like others */
	send_user(NULL, SIGKILL);
	assert_true(proc.group_exit);
	init_process = NULL;
	teardown();
}

static void test_dequeue(void **state)
{
	siginfo_t info;

	setup();
	for (int i = 0; i < 3; i++)
		threads[i].sig.blocked = SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2);
	send_user(&threads[0], SIGUSR2);
	send_user(NULL, SIGUSR1);
	assert_int_equal(signal_pending_set(), SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2));
	assert_int_equal(signal_dequeue(SIGMASK(SIGHUP), &info), 0);
	assert_int_equal(signal_dequeue(SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2), &info),
			 SIGUSR2); /* own ones first */
	assert_int_equal(info.si_code, SI_TKILL);
	assert_int_equal(signal_dequeue(~0ull, &info), SIGUSR1);
	assert_int_equal(info.si_pid, 99);
	assert_int_equal(signal_pending_set(), 0);
	/* sigtimedwait: blocked, but waited for. */
	threads[0].sig.waiting = SIGMASK(SIGUSR1);
	send_user(&threads[0], SIGUSR1);
	assert_true(told(0));
	assert_false(proc.group_exit); /* its default does not strike */
	teardown();
}

UNIT_TESTS(test_chooses_a_thread, test_blocking_hands_on, test_ignored, test_fatal_ends_all,
	   test_coalescing_and_limit, test_handler_masks, test_restart, test_restart_is_decided_once,
	   test_temporary_mask, test_stop_and_continue, test_fault_comes_first, test_frame_without_room,
	   test_init_is_protected, test_dequeue)
