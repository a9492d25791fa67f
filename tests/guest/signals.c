// SPDX-License-Identifier: BSD-2-Clause
// Signals: delivery, masks, siginfo of faults, contexts that handlers change, alternate stacks, restarts,
// waiting for them.
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

static volatile sig_atomic_t seen, order[16], order_count;
static siginfo_t info; // written by handlers that jump out
static sigjmp_buf out;

static void note(int n)
{
	seen = n;
	if (order_count < 16)
		order[order_count++] = n;
}

static void set(int n, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	sigaction(n, &sa, NULL);
}

static void set_info(int n, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	sigaction(n, &sa, NULL);
}

static void mask(int how, int n)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, n);
	sigprocmask(how, &s, NULL);
}

TEST(raise_and_default)
{
	seen = 0;
	set(SIGUSR1, note, 0);
	EXPECT_EQ(raise(SIGUSR1), 0);
	EXPECT_EQ(seen, SIGUSR1);
	set(SIGUSR1, SIG_IGN, 0);
	EXPECT_EQ(raise(SIGUSR1), 0);
	EXPECT_ERR(kill(getpid(), 65), EINVAL);
	EXPECT_ERR(kill(99999999, 0), ESRCH);
	EXPECT_EQ(kill(getpid(), 0), 0);
	struct sigaction sa = {.sa_handler = note};

	EXPECT_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
}

TEST(blocked_until_unblocked)
{
	sigset_t pending;

	set(SIGUSR1, note, 0);
	mask(SIG_BLOCK, SIGUSR1);
	seen = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	order_count = 0;
	EXPECT_EQ(seen, 0);
	sigpending(&pending);
	EXPECT(sigismember(&pending, SIGUSR1));
	mask(SIG_UNBLOCK, SIGUSR1);
	EXPECT_EQ(seen, SIGUSR1);
	EXPECT_EQ(order_count, 1); // standard signals do not queue
}

static volatile int values[8], value_count; // volatile: the C library marks its calls as never calling back

static void note_value(int n, siginfo_t *i, void *c)
{
	if (value_count < 8)
		values[value_count++] = i->si_value.sival_int;
}

TEST(real_time_queue)
{
	set_info(SIGRTMIN + 1, note_value, 0);
	mask(SIG_BLOCK, SIGRTMIN + 1);
	value_count = 0;
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i * 10}), 0);
	mask(SIG_UNBLOCK, SIGRTMIN + 1);
	EXPECT_EQ(value_count, 4);
	EXPECT(values[0] == 0 && values[1] == 10 && values[2] == 20 && values[3] == 30);
}

static void jump_out(int n, siginfo_t *i, void *c)
{
	info = *i;
	siglongjmp(out, 1);
}

static int fault(int n, void (*cause)(void))
{
	struct sigaction old, sa = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO};

	memset(&info, 0, sizeof info);
	sigaction(n, &sa, &old);
	if (!sigsetjmp(out, 1))
		cause();
	sigaction(n, &old, NULL);
	return info.si_signo;
}

static char *page;

static void read_null(void)
{
	(void)*(volatile char *)(uintptr_t)8;
}

static void write_page(void)
{
	*(volatile char *)(page + 100) = 1;
}

static void read_noncanonical(void)
{
	(void)*(volatile char *)0x8000000000000000ull;
}

static volatile int zero;

static void divide(void)
{
	int quotient = 1;

	__asm__ volatile("cltd\n idivl %1" : "+a"(quotient) : "m"(zero) : "edx");
}

static void illegal(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

TEST(fault_information)
{
	EXPECT_EQ(fault(SIGSEGV, read_null), SIGSEGV);
	EXPECT_EQ(info.si_code, SEGV_MAPERR);
	EXPECT(info.si_addr == (void *)8);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(fault(SIGSEGV, write_page), SIGSEGV);
	EXPECT_EQ(info.si_code, SEGV_ACCERR);
	EXPECT(info.si_addr == page + 100);
	munmap(page, 4096);
	EXPECT_EQ(fault(SIGSEGV, read_noncanonical), SIGSEGV);
	EXPECT_EQ(info.si_code, SI_KERNEL);
	EXPECT_EQ(fault(SIGFPE, divide), SIGFPE);
	EXPECT_EQ(info.si_code, FPE_INTDIV);
	EXPECT_EQ(fault(SIGILL, illegal), SIGILL);
	EXPECT_EQ(info.si_code, ILL_ILLOPN);
	EXPECT_EQ(fault(SIGTRAP, breakpoint), SIGTRAP);
	EXPECT_EQ(info.si_code, SI_KERNEL);
}

static volatile int marker;
static volatile unsigned long error_code, segment;

// Step over `mov (%rax), %ecx` (2 bytes) and change a register, as virtual machines do for their null checks.
static void skip_load(int n, siginfo_t *i, void *c)
{
	ucontext_t *context = c;

	error_code = context->uc_mcontext.gregs[REG_ERR];
	segment = context->uc_mcontext.gregs[REG_CSGSFS] & 0xffff;
	context->uc_mcontext.gregs[REG_RIP] += 2;
	context->uc_mcontext.gregs[REG_RBX] = 0x5eed;
	marker++;
}

TEST(handler_edits_context)
{
	unsigned long rbx;

	set_info(SIGSEGV, skip_load, 0);
	marker = 0;
	__asm__ volatile("xor %%eax, %%eax\n mov $1, %%ebx\n .byte 0x8b, 0x08\n mov %%rbx, %0\n"
			 : "=r"(rbx)
			 :
			 : "rax", "rbx", "rcx", "memory");
	EXPECT_EQ(marker, 1);
	EXPECT_EQ(rbx, 0x5eed);
	EXPECT(error_code & 4); // the access came from the program
	EXPECT_EQ(segment, 0x33);
	set(SIGSEGV, SIG_DFL, 0);
}

static void *volatile altstack_address;
static volatile stack_t altstack_inside;

static void on_stack(int n)
{
	int here;

	altstack_address = &here;
	sigaltstack(NULL, (stack_t *)&altstack_inside);
}

TEST(alternate_stack)
{
	size_t size = 65536;
	char *memory = malloc(size);
	stack_t ss = {.ss_sp = memory, .ss_size = size}, small = {.ss_sp = memory, .ss_size = 100};

	EXPECT_ERR(sigaltstack(&small, NULL), ENOMEM);
	EXPECT_EQ(sigaltstack(&ss, NULL), 0);
	set(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	EXPECT((char *)altstack_address > memory && (char *)altstack_address < memory + size);
	EXPECT(altstack_inside.ss_flags & SS_ONSTACK);
	EXPECT_EQ(sigaltstack(NULL, &ss), 0);
	EXPECT_EQ(ss.ss_flags, 0);
	set(SIGUSR1, on_stack, 0);
	raise(SIGUSR1);
	EXPECT(!((char *)altstack_address > memory && (char *)altstack_address < memory + size));
	ss.ss_flags = SS_DISABLE;
	EXPECT_EQ(sigaltstack(&ss, NULL), 0);
	free(memory);
}

static long deep(long n)
{
	volatile char room[4096];

	room[0] = n;
	return n > 100000000 ? n : deep(n + 1) + room[0];
}

static void overflow(void)
{
	deep(0);
}

TEST(stack_overflow_is_caught)
{
	stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
	struct sigaction sa = {.sa_sigaction = jump_out, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	EXPECT_EQ(sigaltstack(&ss, NULL), 0);
	sigaction(SIGSEGV, &sa, NULL);
	info.si_signo = 0;
	if (!sigsetjmp(out, 1))
		overflow();
	EXPECT_EQ(info.si_signo, SIGSEGV);
	set(SIGSEGV, SIG_DFL, 0);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static void clobber(int n)
{
	volatile unsigned char room[512];

	memset((void *)room, 0xee, sizeof room);
	__asm__ volatile(
		"std\n cld\n pcmpeqb %%xmm0, %%xmm0\n pcmpeqb %%xmm7, %%xmm7\n pcmpeqb %%xmm15, %%xmm15"
		:
		:
		: "xmm0", "xmm7", "xmm15");
	seen = n;
}

// A signal on top of leaf code leaves its red zone, flags and vector registers as they were.
TEST(interrupted_code_is_untouched)
{
	unsigned long lost = 0;
	struct itimerval fast = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
	double end = now() + 0.3;

	set(SIGALRM, clobber, 0);
	seen = 0;
	EXPECT_EQ(setitimer(ITIMER_REAL, &fast, NULL), 0);
	while (now() < end) {
		unsigned long bad;

		__asm__ volatile("lea -512(%%rsp), %%rsp\n mov $0x1357, %%eax\n mov %%rax, -8(%%rsp)\n mov "
				 "%%rax, -128(%%rsp)\n"
				 "movq %%rax, %%xmm0\n movq %%rax, %%xmm7\n movq %%rax, %%xmm15\n stc\n mov "
				 "$20000, %%ecx\n"
				 "1: dec %%ecx\n jnz 1b\n setc %%cl\n movzx %%cl, %%ecx\n xor $1, %%ecx\n"
				 "movq %%xmm0, %%rdx\n xor %%rax, %%rdx\n or %%rdx, %%rcx\n movq %%xmm7, "
				 "%%rdx\n xor %%rax, %%rdx\n or %%rdx, %%rcx\n"
				 "movq %%xmm15, %%rdx\n xor %%rax, %%rdx\n or %%rdx, %%rcx\n mov -8(%%rsp), "
				 "%%rdx\n xor %%rax, %%rdx\n or %%rdx, %%rcx\n"
				 "mov -128(%%rsp), %%rdx\n xor %%rax, %%rdx\n or %%rdx, %%rcx\n lea "
				 "512(%%rsp), %%rsp\n mov %%rcx, %0\n"
				 : "=r"(bad)
				 :
				 : "rax", "rcx", "rdx", "xmm0", "xmm7", "xmm15", "memory", "cc");
		lost += !!bad;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	EXPECT_EQ(seen, SIGALRM);
	EXPECT_EQ(lost, 0);
}

static pthread_t main_thread;

static void *poke(void *arg)
{
	pause_ms(40);
	pthread_kill(main_thread, SIGUSR1);
	if (arg) {
		pause_ms(40);
		write(*(int *)arg, "x", 1);
	}
	return NULL;
}

TEST(restart)
{
	int p[2];
	char c;
	pthread_t t;

	main_thread = pthread_self();
	EXPECT_EQ(pipe(p), 0);
	set(SIGUSR1, note, SA_RESTART);
	pthread_create(&t, NULL, poke, &p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1); // restarted after the handler
	pthread_join(t, NULL);
	set(SIGUSR1, note, 0);
	pthread_create(&t, NULL, poke, NULL);
	EXPECT_ERR(read(p[0], &c, 1), EINTR);
	pthread_join(t, NULL);
	set(SIGUSR1, note, SA_RESTART);
	pthread_create(&t, NULL, poke, NULL);
	EXPECT_ERR(poll(NULL, 0, 5000), EINTR); // never restarted
	pthread_join(t, NULL);
	close(p[0]), close(p[1]);
}

TEST(sleep_tells_the_rest)
{
	struct timespec t = {2, 0}, rest = {0};
	pthread_t thread;

	main_thread = pthread_self();
	set(SIGUSR1, note, 0);
	pthread_create(&thread, NULL, poke, NULL);
	EXPECT_ERR(nanosleep(&t, &rest), EINTR);
	pthread_join(thread, NULL);
	EXPECT(rest.tv_sec == 1 && rest.tv_nsec > 500000000);
}

TEST(wait_for_signals)
{
	sigset_t s;
	siginfo_t i;
	struct timespec short_time = milliseconds(30), none = {0, 0};

	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	EXPECT_ERR(sigtimedwait(&s, &i, &none), EAGAIN);
	EXPECT_ERR(sigtimedwait(&s, &i, &short_time), EAGAIN);
	raise(SIGUSR2);
	EXPECT_EQ(sigwaitinfo(&s, &i), SIGUSR2);
	EXPECT_EQ(i.si_pid, getpid());
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	sigfillset(&s);
	sigdelset(&s, SIGALRM);
	set(SIGALRM, note, 0);
	struct itimerval soon = {{0, 0}, {0, 30000}};

	setitimer(ITIMER_REAL, &soon, NULL);
	EXPECT_ERR(sigsuspend(&s), EINTR);
	EXPECT_EQ(seen, SIGALRM);
}

static void mask_inside(int n)
{
	sigset_t s;

	sigprocmask(SIG_BLOCK, NULL, &s);
	seen = sigismember(&s, SIGUSR1) + 2 * sigismember(&s, SIGUSR2);
}

TEST(mask_while_handling)
{
	struct sigaction sa = {.sa_handler = mask_inside};

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	EXPECT_EQ(seen, 3);
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	EXPECT_EQ(seen, 2);
	sa.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	EXPECT(sa.sa_handler == SIG_DFL);
}

static _Atomic int thread_got;

static void note_thread(int n)
{
	thread_got = syscall(SYS_gettid);
}

static _Atomic int other_tid;

static void *idle(void *arg)
{
	other_tid = syscall(SYS_gettid);
	for (int i = 0; i < 200 && !thread_got; i++)
		pause_ms(5);
	return NULL;
}

TEST(directed_at_a_thread)
{
	siginfo_t info = {.si_code = SI_USER};
	pthread_t t;

	set(SIGUSR2, note_thread, SA_RESTART);
	thread_got = other_tid = 0;
	pthread_create(&t, NULL, idle, NULL);
	while (!other_tid)
		pause_ms(1);
	EXPECT_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), other_tid, SIGUSR2, &info), EPERM);
	EXPECT_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR2, &info), EINVAL);
	EXPECT_EQ(syscall(SYS_tgkill, getpid(), other_tid, SIGUSR2), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(thread_got, other_tid);
	EXPECT_ERR(syscall(SYS_tgkill, getpid(), 99999999, SIGUSR2), ESRCH);
}

// A process-wide signal goes to a thread that does not block it.
TEST(goes_to_an_open_thread)
{
	pthread_t t;

	set(SIGUSR2, note_thread, SA_RESTART);
	thread_got = other_tid = 0;
	pthread_create(&t, NULL, idle, NULL);
	while (!other_tid)
		pause_ms(1);
	mask(SIG_BLOCK, SIGUSR2);
	kill(getpid(), SIGUSR2);
	pthread_join(t, NULL);
	EXPECT_EQ(thread_got, other_tid);
	mask(SIG_UNBLOCK, SIGUSR2);
}

TEST(broken_pipe)
{
	int p[2];

	set(SIGPIPE, note, 0);
	seen = 0;
	EXPECT_EQ(pipe(p), 0);
	close(p[0]);
	EXPECT_ERR(write(p[1], "x", 1), EPIPE);
	EXPECT_EQ(seen, SIGPIPE);
	close(p[1]);
	set(SIGPIPE, SIG_DFL, 0);
}

static void beyond_file(void)
{
	(void)*(volatile char *)(page + 4096);
}

TEST(bus_error)
{
	char name[] = "/tmp/bus-XXXXXX";
	int fd = mkstemp(name);

	EXPECT(fd >= 0);
	EXPECT_EQ(ftruncate(fd, 10), 0);
	page = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(page != MAP_FAILED);
	EXPECT_EQ(fault(SIGBUS, beyond_file), SIGBUS);
	EXPECT_EQ(info.si_code, BUS_ADRERR);
	munmap(page, 8192);
	close(fd);
	unlink(name);
}

TEST(timers)
{
	timer_t t;
	struct sigevent e = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 77};
	struct itimerspec when = {.it_value = milliseconds(20), .it_interval = milliseconds(20)};

	value_count = 0;
	set_info(SIGRTMIN + 2, note_value, SA_RESTART);
	EXPECT_EQ(timer_create(CLOCK_MONOTONIC, &e, &t), 0);
	EXPECT_EQ(timer_settime(t, 0, &when, NULL), 0);
	for (int i = 0; i < 200 && value_count < 3; i++)
		pause_ms(5);
	EXPECT(value_count >= 3);
	EXPECT_EQ(values[0], 77);
	EXPECT_EQ(timer_gettime(t, &when), 0);
	EXPECT(when.it_interval.tv_nsec == 20000000);
	EXPECT_EQ(timer_delete(t), 0);
	EXPECT_ERR(timer_gettime(t, &when), EINVAL);
}
