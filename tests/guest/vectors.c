// SPDX-License-Identifier: BSD-2-Clause
// Floating-point and vector state belongs to a thread: through switches, system calls, signals, fork and new
// threads.
#include "check.h"
#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static bool have_avx;

BEFORE_TESTS(int argc, char **argv)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE && c & bit_AVX) {
		unsigned low, high;

		__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		have_avx = (low & 6) == 6;
	}
}

// All sixteen registers hold SEED through ROUNDS of yields; returns how often one did not.
#define KEEP(mov, width)                                                                                   \
	do {                                                                                               \
		for (long i = 0; i < 300; i++) {                                                           \
			unsigned char in[16][32], out[16][32];                                             \
			for (int r = 0; r < 16; r++)                                                       \
				memset(in[r], (int)(seed * 16 + r + i), 32);                               \
			long number = 24; /* sched_yield */                                                \
			__asm__ volatile(mov " (%1), %%" width "0\n" mov " 32(%1), %%" width "1\n" mov     \
					     " 64(%1), %%" width "2\n" mov " 96(%1), %%" width "3\n" mov   \
					     " 128(%1), %%" width "4\n" mov " 160(%1), %%" width "5\n" mov \
					     " 192(%1), %%" width "6\n" mov " 224(%1), %%" width "7\n" mov \
					     " 256(%1), %%" width "8\n" mov " 480(%1), %%" width "15\n"    \
					     "syscall\n" mov " %%" width "0, (%2)\n" mov " %%" width       \
					     "1, 32(%2)\n" mov " %%" width "2, 64(%2)\n" mov " %%" width   \
					     "3, 96(%2)\n" mov " %%" width "4, 128(%2)\n" mov " %%" width  \
					     "5, 160(%2)\n" mov " %%" width "6, 192(%2)\n" mov " %%" width \
					     "7, 224(%2)\n" mov " %%" width "8, 256(%2)\n" mov " %%" width \
					     "15, 480(%2)\n"                                               \
					 : "+a"(number)                                                    \
					 : "r"(in), "r"(out)                                               \
					 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", \
					   "xmm5", "xmm6", "xmm7", "xmm8", "xmm15");                       \
			for (int r = 0; r < 16; r = r == 8 ? 15 : r + 1)                                   \
				bad += memcmp(in[r], out[r], size) != 0;                                   \
		}                                                                                          \
	} while (0)

static void *keep(void *arg)
{
	long seed = (long)arg, bad = 0;
	size_t size = 16;

	KEEP("movups", "xmm");
	if (have_avx) {
		size = 32;
		KEEP("vmovups", "ymm");
	}
	return (void *)bad;
}

TEST(across_switches)
{
	pthread_t t[6];
	void *bad;

	for (long i = 0; i < 6; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, keep, (void *)(i + 1)), 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &bad);
		EXPECT_EQ((long)bad, 0);
	}
}

static double series(double x)
{
	double sum = 0;

	for (int i = 1; i < 300000; i++)
		sum += x / ((double)i * i);
	return sum;
}

static void *compute(void *arg)
{
	double first = series((double)(long)arg);

	for (int i = 0; i < 10; i++)
		if (series((double)(long)arg) != first)
			return (void *)1;
	return NULL;
}

TEST(results_do_not_depend_on_switches)
{
	pthread_t t[5];
	void *bad;

	for (long i = 0; i < 5; i++)
		pthread_create(&t[i], NULL, compute, (void *)(i + 3));
	for (int i = 0; i < 5; i++) {
		pthread_join(t[i], &bad);
		EXPECT(!bad);
	}
}

static volatile sig_atomic_t handled, handler_state_ok = 1;

static void handler(int n)
{
	unsigned mxcsr = _mm_getcsr();
	unsigned short control;

	__asm__ volatile("fnstcw %0" : "=m"(control));
	if ((mxcsr & 0x7f80) != 0x1f80 || (control & 0x3f) != 0x3f)
		handler_state_ok = 0;
	_mm_setcsr(0x1f80 | 0x6000); // another rounding, which must not leak out
	for (int i = 0; i < 16; i++)
		__asm__ volatile("pcmpeqb %%xmm0, %%xmm0\n movaps %%xmm0, %%xmm5\n movaps %%xmm0, %%xmm9"
				 :
				 :
				 : "xmm0", "xmm5", "xmm9");
	handled++;
}

TEST(across_signals)
{
	struct sigaction sa = {.sa_handler = handler};
	struct itimerval fast = {{0, 700}, {0, 700}}, off = {{0, 0}, {0, 0}};
	double end = now() + 0.3;
	long bad = 0;

	sigaction(SIGALRM, &sa, NULL);
	handled = 0;
	fesetround(FE_UPWARD);
	setitimer(ITIMER_REAL, &fast, NULL);
	while (now() < end) {
		volatile double one = 1, three = 3;
		double expected = one / three;

		for (int i = 0; i < 20000; i++)
			bad += one / three != expected;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	int rounding = fegetround();

	fesetround(FE_TONEAREST);
	EXPECT(handled > 3);
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(rounding, FE_UPWARD);
	EXPECT(handler_state_ok);
}

static void *rounding_of_thread(void *arg)
{
	return (void *)(long)fegetround();
}

TEST(inherited)
{
	pthread_t t;
	void *rounding;
	int status;

	fesetround(FE_DOWNWARD);
	pthread_create(&t, NULL, rounding_of_thread, NULL);
	pthread_join(t, &rounding);
	pid_t child = fork();

	if (!child)
		_exit(fegetround() == FE_DOWNWARD ? 0 : 1);
	waitpid(child, &status, 0);
	fesetround(FE_TONEAREST);
	EXPECT_EQ((long)rounding, FE_DOWNWARD);
	EXPECT_EQ(status, 0);
}

static sig_atomic_t volatile code;

static void on_fault(int n, siginfo_t *i, void *c)
{
	code = i->si_code;
	_mm_setcsr(0x1f80);
	// The context is what returns: mask everything there too.
	((ucontext_t *)c)->uc_mcontext.fpregs->mxcsr = 0x1f80;
}

TEST(exceptions)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	volatile double one = 1, zero = 0, r;

	sigaction(SIGFPE, &sa, NULL);
	_mm_setcsr(0x1f80 & ~0x200); // division by zero unmasked
	r = one / zero;
	signal(SIGFPE, SIG_DFL);
	_mm_setcsr(0x1f80);
	if (!code)
		SKIP("this CPU (an emulator) raises no vector exceptions");
	EXPECT_EQ(code, FPE_FLTDIV);
	EXPECT(r > 1e300);
}
