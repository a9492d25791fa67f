// SPDX-License-Identifier: BSD-2-Clause
/* The tracer's lines, word for word as strace prints them. */
// sources: kernel/syscall/trace_format.c kernel/syscall/trace_tables.c
#include "unit.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>

#include "base/err.h"
#include "kernel/syscall/trace_format.h"

#define INT	 SYSCALL_INT
#define UNSIGNED SYSCALL_UNSIGNED
#define WORD	 SYSCALL_WORD
#define STRING	 SYSCALL_STRING
#define POINTER	 SYSCALL_POINTER

static const struct syscall_desc openat_desc = {__NR_openat, {INT, STRING, INT, UNSIGNED}};
static const struct syscall_desc read_desc = {__NR_read, {INT, POINTER, WORD}};
static const struct syscall_desc write_desc = {__NR_write, {INT, POINTER, WORD}};
static const struct syscall_desc mmap_desc = {__NR_mmap, {WORD, WORD, INT, INT, INT, WORD}};
static const struct syscall_desc futex_desc = {__NR_futex, {POINTER, INT, UNSIGNED, WORD, POINTER, UNSIGNED}};
static const struct syscall_desc pipe2_desc = {__NR_pipe2, {POINTER, INT}};
static const struct syscall_desc mask_desc = {__NR_rt_sigprocmask, {INT, POINTER, POINTER, WORD}};
static const struct syscall_desc execve_desc = {__NR_execve, {STRING, POINTER, POINTER}};
static const struct syscall_desc madvise_desc = {__NR_madvise, {WORD, WORD, INT}};
static const struct syscall_desc wait4_desc = {__NR_wait4, {INT, POINTER, INT, POINTER}};

/* The kernel's is generated. */
const char *syscall_name(u64 nr)
{
	static const char *const names[] = {
		[__NR_openat] = "openat",
		[__NR_read] = "read",
		[__NR_write] = "write",
		[__NR_mmap] = "mmap",
		[__NR_futex] = "futex",
		[__NR_pipe2] = "pipe2",
		[__NR_execve] = "execve",
		[__NR_madvise] = "madvise",
		[__NR_rt_sigprocmask] = "rt_sigprocmask",
		[__NR_wait4] = "wait4",
	};

	return names[nr];
}

static struct trace_text text;

static const char *line(const struct syscall_desc *d, long ret, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4,
			u64 a5)
{
	const u64 args[6] = {a0, a1, a2, a3, a4, a5};
	unsigned first;

	text.len = 0;
	first = trace_begin(&text, d, args);
	trace_end(&text, d, args, first, ret);
	return text.buf;
}

static void test_openat(void **state)
{
	u64 path = (u64) "/etc/ld.so.cache", at = (u32)AT_FDCWD;

	assert_string_equal(line(&openat_desc, 3, at, path, O_RDONLY | O_CLOEXEC, 0, 0, 0),
			    "openat(AT_FDCWD, \"/etc/ld.so.cache\", O_RDONLY|O_CLOEXEC) = 3");
	assert_string_equal(
		line(&openat_desc, -ENOENT, at, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, 0, 0),
		"openat(AT_FDCWD, \"/etc/ld.so.cache\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such "
		"file or directory)");
	assert_string_equal(line(&openat_desc, -EFAULT, 5, 16, O_RDWR, 0, 0, 0),
			    "openat(5, 0x10, O_RDWR) = -1 EFAULT (Bad address)");
}

static void test_buffers(void **state)
{
	char elf[64] = "\177ELF\2\1\1";

	assert_string_equal(line(&read_desc, 7, 3, (u64)elf, 832, 0, 0, 0),
			    "read(3, \"\\177ELF\\2\\1\\1\", 832) = 7");
	assert_string_equal(line(&read_desc, 64, 3, (u64)elf, 832, 0, 0, 0),
			    "read(3, "
			    "\"\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"
			    "\\0\\0\\0\\0\\0\"..., "
			    "832) = 64");
	assert_string_equal(line(&read_desc, 0, 3, (u64)elf, 832, 0, 0, 0), "read(3, \"\", 832) = 0");
	assert_string_equal(line(&write_desc, 6, 1, (u64) "a\"b\\\n\0017", 7, 0, 0, 0),
			    "write(1, \"a\\\"b\\\\\\n\\0017\", 7) = 6");
}

static void test_flags(void **state)
{
	assert_string_equal(
		line(&mmap_desc, 0x7f0000001000, 0, 8192, 3, 0x22, (u32)-1, 0),
		"mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000");
	assert_string_equal(line(&mmap_desc, -ENOMEM, 0, 1, 0, 0x4022 | 0x80000000, (u32)-1, 0x1000),
			    "mmap(NULL, 1, 0, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE|0x80000000, -1, "
			    "0x1000) = -1 ENOMEM "
			    "(Cannot allocate memory)");
	assert_string_equal(line(&madvise_desc, 0, 4096, 4096, 4, 0, 0, 0),
			    "madvise(0x1000, 4096, MADV_DONTNEED) = 0");
	assert_string_equal(line(&wait4_desc, 12, (u32)-1, 0, 1 | 0x40000000, 0, 0, 0),
			    "wait4(-1, NULL, WNOHANG|__WALL, NULL) = 12");
}

static void test_futex(void **state)
{
	struct {
		s64 sec, nsec;
	} ts = {1, 500};
	char want[160];
	u32 word = 0;

	snprintf(want, sizeof(want),
		 "futex(0x%lx, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, {tv_sec=1, tv_nsec=500}) = -1 ETIMEDOUT "
		 "(Connection timed out)",
		 (u64)&word);
	assert_string_equal(line(&futex_desc, -ETIMEDOUT, (u64)&word, 128, 2, (u64)&ts, 0, 0), want);
	snprintf(want, sizeof(want), "futex(0x%lx, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 1) = 1", (u64)&word);
	assert_string_equal(line(&futex_desc, 1, (u64)&word, 129, 1, 0, 0, 0), want);
}

static void test_results_filled_by_the_call(void **state)
{
	int fds[2] = {4, 5};
	char want[80];

	assert_string_equal(line(&pipe2_desc, 0, (u64)fds, O_CLOEXEC, 0, 0, 0, 0),
			    "pipe2([4, 5], O_CLOEXEC) = 0");
	snprintf(want, sizeof(want), "pipe2(0x%lx, 0) = -1 EMFILE (Too many open files)", (u64)fds);
	assert_string_equal(line(&pipe2_desc, -EMFILE, (u64)fds, 0, 0, 0, 0, 0), want);
}

static void test_signal_sets(void **state)
{
	u64 some = 1ull << 0 | 1ull << 14 | 1ull << 33, most = ~(1ull << 8);

	assert_string_equal(line(&mask_desc, 0, 0, (u64)&some, 0, 8, 0, 0),
			    "rt_sigprocmask(SIG_BLOCK, [SIGHUP SIGTERM SIGRT_2], NULL, 8) = 0");
	assert_string_equal(line(&mask_desc, 0, 2, (u64)&most, 0, 8, 0, 0),
			    "rt_sigprocmask(SIG_SETMASK, ~[SIGKILL], NULL, 8) = 0");
}

static void test_execve(void **state)
{
	const char *argv[] = {"ls", "-l", NULL};
	char want[120];

	snprintf(want, sizeof(want), "execve(\"/bin/ls\", [\"ls\", \"-l\"], 0x%lx) = 0", (u64)argv);
	assert_string_equal(line(&execve_desc, 0, (u64) "/bin/ls", (u64)argv, (u64)argv, 0, 0, 0), want);
}

static void test_restart_results(void **state)
{
	assert_string_equal(line(&read_desc, -ERESTARTSYS, 0, 0, 1, 0, 0, 0),
			    "read(0, NULL, 1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
}

static void test_long_lines_are_cut(void **state)
{
	const char *argv[20];
	char word[200];

	memset(word, 'w', sizeof(word));
	word[199] = 0;
	for (int i = 0; i < 19; i++)
		argv[i] = word;
	argv[19] = NULL;
	line(&execve_desc, 0, (u64)word, (u64)argv, 0, 0, 0, 0);
	assert_int_equal(strlen(text.buf), TRACE_LINE - 1);
}

UNIT_TESTS(test_openat, test_buffers, test_flags, test_futex, test_results_filled_by_the_call,
	   test_signal_sets, test_execve, test_restart_results, test_long_lines_are_cut)
