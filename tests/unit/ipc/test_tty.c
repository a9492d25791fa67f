// SPDX-License-Identifier: BSD-2-Clause
/* Terminals: canonical editing, control characters, output processing, raw mode with MIN and TIME, flow control. */
// sources: fs/devfs/tty.c fs/devfs/tty_input.c kernel/lib/iter.c
// cflags: -Ifs/devfs
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "tty.h"

static char out[1000];
static size_t nout, room = sizeof out;
static int signals[8], nsignals;
static bool gone;
static struct tty tty;

static size_t fake_write(struct tty *t, const void *buf, size_t n)
{
	n = n < room - nout ? n : room - nout;
	memcpy(out + nout, buf, n);
	nout += n;
	return n;
}

static size_t fake_room(struct tty *t)
{
	return room - nout;
}

static bool fake_hung_up(struct tty *t)
{
	return gone;
}

static const struct tty_ops ops = {.write = fake_write, .room = fake_room, .hung_up = fake_hung_up};

/* What tty_ioctl.c provides in the kernel. */
void tty_signal_group(struct tty *t, int sig)
{
	signals[nsignals++] = sig;
}

int tty_job_control(struct tty *t, int sig)
{
	return 0;
}

long tty_ioctl(struct file *f, struct tty *t, unsigned cmd, unsigned long arg)
{
	return -ENOTTY;
}

static void fresh(void)
{
	tty_init(&tty, &ops, NULL, 0);
	nout = 0;
	room = sizeof out;
	nsignals = 0;
	gone = false;
}

static void type(const char *s)
{
	mutex_lock(&tty.lock);
	tty_receive(&tty, (const u8 *)s, strlen(s));
	mutex_unlock(&tty.lock);
}

static void shown(const char *want)
{
	assert_int_equal(nout, strlen(want));
	assert_memory_equal(out, want, nout);
	nout = 0;
}

static struct file *file(u32 flags)
{
	static struct file f;

	f = (struct file){.priv = &tty, .flags = flags};
	return &f;
}

static ssize_t get(char *buf, size_t n, u32 flags)
{
	struct iter it;
	u64 pos = 0;

	iter_init_kernel(&it, buf, n);
	return tty_file_read(file(O_RDWR | flags), &it, &pos);
}

static void reads(const char *want)
{
	char buf[300];
	ssize_t n = get(buf, sizeof buf, O_NONBLOCK);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, (size_t)n);
}

static ssize_t put(const char *s, u32 flags)
{
	struct iter it;
	u64 pos = 0;

	iter_init_kernel(&it, (void *)(uintptr_t)s, strlen(s));
	return tty_file_write(file(O_RDWR | flags), &it, &pos);
}

static void test_lines(void **state)
{
	char buf[10];

	fresh();
	assert_int_equal(get(buf, sizeof buf, O_NONBLOCK), -EAGAIN);
	type("ab");
	shown("ab");
	assert_int_equal(get(buf, sizeof buf, O_NONBLOCK), -EAGAIN); /* not a line yet */
	type("c\rde\n");
	shown("c\r\nde\r\n");
	assert_int_equal(get(buf, 2, O_NONBLOCK), 2);
	reads("c\n");
	reads("de\n");
}

static void test_editing(void **state)
{
	fresh();
	type("helxx\177\177lo\n");
	shown("helxx\b \b\b \blo\r\n");
	reads("hello\n");
	type("one two\027three\n");
	nout = 0;
	reads("one three\n");
	type("gone\025kept\n");
	nout = 0;
	reads("kept\n");
	type("\026\003x\n"); /* a literal interrupt character */
	nout = 0;
	assert_int_equal(nsignals, 0);
	reads("\003x\n");
	tty.termios.c_iflag |= IUTF8;
	type("a\303\251\177b\n"); /* one character of two bytes is erased as a whole */
	nout = 0;
	reads("ab\n");
	type("\001\177ok\n"); /* shown as ^A, erased as two columns */
	shown("^A\b \b\b \bok\r\n");
	reads("ok\n");
}

static void test_end_of_file(void **state)
{
	char buf[10];

	fresh();
	type("ab\004");
	reads("ab");
	type("\004");
	assert_int_equal(get(buf, sizeof buf, O_NONBLOCK), 0);
	assert_int_equal(get(buf, sizeof buf, O_NONBLOCK), -EAGAIN);
	gone = true;
	assert_int_equal(get(buf, sizeof buf, 0), 0);
	assert_int_equal(put("x", 0), -EIO);
}

static void test_signals(void **state)
{
	fresh();
	type("lost\003");
	assert_int_equal(nsignals, 1);
	assert_int_equal(signals[0], 2);
	shown("lost^C");
	type("\034\032x\n");
	assert_int_equal(nsignals, 3);
	nout = 0;
	reads("x\n");
	tty.termios.c_lflag &= ~(u32)ISIG;
	type("\003\n");
	reads("\003\n");
}

static void test_output(void **state)
{
	fresh();
	assert_int_equal(put("a\tb\nc", 0), 5);
	shown("a\tb\r\nc");
	tty.termios.c_oflag &= ~(u32)OPOST;
	assert_int_equal(put("x\ny", 0), 3);
	shown("x\ny");
	tty.termios.c_oflag |= OPOST;
	room = 3;
	assert_int_equal(put("ab\ncd", O_NONBLOCK), 2); /* a newline takes two places */
	assert_int_equal(put("\n", O_NONBLOCK), -EAGAIN);
}

static void test_flow_control(void **state)
{
	fresh();
	type("\023");
	assert_int_equal(put("held", O_NONBLOCK), -EAGAIN);
	type("\021");
	assert_int_equal(put("sent", O_NONBLOCK), 4);
	shown("sent");
}

static void raw(u8 vmin, u8 vtime)
{
	tty.termios.c_lflag &= ~(u32)(ICANON | ECHO);
	tty.termios.c_cc[VMIN] = vmin;
	tty.termios.c_cc[VTIME] = vtime;
}

static void typist(void *arg)
{
	thread_sleep_until(clock_monotonic() + 50 * NSEC_PER_MSEC);
	type("xyz");
}

static void test_raw(void **state)
{
	u64 start = clock_monotonic();
	struct thread *t;
	char buf[10];

	fresh();
	raw(0, 0);
	assert_int_equal(get(buf, sizeof buf, 0), 0);
	type("q\r");
	assert_int_equal(get(buf, sizeof buf, 0), 2);
	raw(0, 5);
	assert_int_equal(get(buf, sizeof buf, 0), 0);
	assert_int_equal(clock_monotonic() - start, 500 * NSEC_PER_MSEC);
	raw(3, 0);
	type("a");
	t = host_thread_start(typist, NULL);
	assert_int_equal(get(buf, sizeof buf, 0), 4);
	host_thread_join(t);
	raw(5, 1); /* the time between characters runs out */
	type("ab");
	assert_int_equal(get(buf, sizeof buf, 0), 2);
	assert_int_equal(nout, 0);
}

static void test_mode_change(void **state)
{
	fresh();
	type("half");
	raw(1, 0);
	tty_canon_changed(&tty, true);
	reads("half");
	type("word");
	tty.termios.c_lflag |= ICANON;
	tty_canon_changed(&tty, false);
	reads("word");
}

/* However much comes in, a line ends, and the limit holds. */
static void test_long_line(void **state)
{
	static char buf[3 * TTY_BUFFER];

	fresh();
	tty.termios.c_lflag &= ~(u32)ECHO;
	tty.termios.c_iflag &= ~(u32)IMAXBEL;
	memset(buf, 'z', sizeof buf - 1);
	type(buf);
	type("\n");
	assert_int_equal(get(buf, sizeof buf, O_NONBLOCK), TTY_BUFFER);
	assert_int_equal(buf[TTY_BUFFER - 1], '\n');
	type("next\n");
	reads("next\n");
}

UNIT_TESTS(test_lines, test_editing, test_end_of_file, test_signals, test_output, test_flow_control, test_raw,
	   test_mode_change, test_long_line)
