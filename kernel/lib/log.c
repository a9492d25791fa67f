/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel log (kernel/log.h): a ring of complete lines in their final form, so that readers only copy. Positions count
 * bytes since boot; text older than the ring's size is gone. The spin lock guards ring and positions; a panic takes it by
 * force after a while, since its holder may be the one that died. */

#include "kernel/log.h"
#include "arch/cpu.h"
#include "arch/platform.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "kernel/main.h"
#include "kernel/power.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"

#define RING_SIZE (32u << 10)
#define LINE_MAX  512

enum log_level log_console_level = LOG_NOTICE;
DEFINE_WAITQ(log_waitq);

static char ring[RING_SIZE];
static u64 head; /* position behind the newest line */
static u64 tail; /* position of the oldest whole line */
static struct spinlock lock = SPINLOCK_INIT;
static _Atomic bool panicking;

void log_init(void)
{
	if (cmdline_flag("quiet"))
		log_console_level = cmdline_get("strace") ? LOG_WARNING : LOG_ERR; /* who asks for a trace wants to see it */
	if (cmdline_flag("debug"))
		log_console_level = LOG_DEBUG;
	log_console_level = (enum log_level)cmdline_u64("loglevel", log_console_level);
}

static void ring_put(const char *s, size_t n)
{
	while (head + n - tail > RING_SIZE) { /* drop whole lines from the front */
		while (ring[tail++ % RING_SIZE] != '\n')
			;
	}
	for (size_t i = 0; i < n; i++)
		ring[(head + i) % RING_SIZE] = s[i];
	head += n;
}

static u64 lock_patiently(void)
{
	u64 flags = arch_irq_save();

	for (int i = 0; !spin_trylock(&lock); i++) {
		if (atomic_load(&panicking) && i > 1000000)
			break;
		cpu_relax();
	}
	return flags;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX];
	u64 now = clock_monotonic() / NSEC_PER_USEC;
	int n = scnprintf(line, sizeof line, "<%d>[%5lu.%06lu] ", (int)level, now / 1000000, now % 1000000);

	n += vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	n = min(n, LINE_MAX - 2);
	while (n > 0 && line[n - 1] == '\n')
		n--;
	for (int i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[n++] = '\n';

	u64 flags = lock_patiently();
	ring_put(line, (size_t)n);
	if (level <= log_console_level)
		console_write(line + 3, (size_t)n - 3);
	spin_unlock(&lock);
	arch_irq_restore(flags);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
	/* Waking needs a scheduler; there is one as soon as anybody can have started to wait. */
	if (!atomic_load_explicit(&panicking, memory_order_relaxed) && !list_empty(&log_waitq.entries))
		waitq_wake_all(&log_waitq);
}

u64 log_end(void)
{
	return __atomic_load_n(&head, __ATOMIC_ACQUIRE);
}

size_t log_read(u64 *seq, char *buf, size_t size)
{
	size_t n = 0;
	u64 flags = lock_patiently();

	if (*seq < tail)
		*seq = tail;
	while (*seq < head) {
		size_t len = 0;

		while (ring[(*seq + len) % RING_SIZE] != '\n')
			len++;
		len++;
		if (n + len > size)
			break;
		for (size_t i = 0; i < len; i++)
			buf[n + i] = ring[(*seq + i) % RING_SIZE];
		n += len;
		*seq += len;
	}
	spin_unlock(&lock);
	arch_irq_restore(flags);
	return n;
}

void panic(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	arch_irq_disable();
	if (atomic_exchange(&panicking, true))
		for (;;)
			cpu_relax(); /* another CPU is at it, or the panic itself failed */
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	smp_stop_others();
	log_printf(LOG_EMERG, "panic: %s", text);
	backtrace_print((u64)__builtin_frame_address(0), (u64)__builtin_return_address(0));
	kernel_panicked(text);
}
