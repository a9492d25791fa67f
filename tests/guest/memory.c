// SPDX-License-Identifier: BSD-2-Clause
// Address space: mmap and its flags, protection, remapping, advice, sharing, the break, what /proc/self/maps
// says of it.
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ // musl's headers
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#define MIB  (1ul << 20)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static sigjmp_buf out;

static void jump(int n)
{
	siglongjmp(out, n);
}

// The signal that touching P raises, 0 for none.
static int touch(volatile char *p, bool write)
{
	struct sigaction sa = {.sa_handler = jump}, segv, bus;

	sigaction(SIGSEGV, &sa, &segv);
	sigaction(SIGBUS, &sa, &bus);
	int n = sigsetjmp(out, 1);

	if (!n) {
		char c = *p;

		if (write)
			*p = c;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return n;
}

TEST(anonymous_is_zero)
{
	char *p = mmap(NULL, 4 * MIB, RW, ANON, -1, 0);
	size_t sum = 0;

	EXPECT(p != MAP_FAILED);
	for (size_t i = 0; i < 4 * MIB; i += 512)
		sum += p[i];
	EXPECT_EQ(sum, 0);
	memset(p, 1, 4 * MIB);
	EXPECT_EQ(munmap(p, 4 * MIB), 0);
	EXPECT_EQ(touch(p, false), SIGSEGV);
	EXPECT_EQ(munmap(p, 4096), 0); // nothing there is no error
}

TEST(bad_arguments)
{
	EXPECT(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
	EXPECT(mmap(NULL, 4096, RW, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	EXPECT(mmap(NULL, 4096, RW, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
	EXPECT(mmap((void *)123, 4096, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	EXPECT(mmap((void *)(1ul << 60), 4096, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == ENOMEM);
	EXPECT(mmap(NULL, 1ul << 50, RW, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED && errno == ENOMEM);
	EXPECT_ERR(munmap((void *)1, 4096), EINVAL);
	EXPECT_ERR(munmap((void *)4096, 0), EINVAL);
	EXPECT_ERR(mprotect((void *)0x10000000000, 4096, RW), ENOMEM);
	int fd = open("/etc/passwd", O_RDONLY);

	EXPECT(mmap(NULL, 4096, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL);
	EXPECT(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000) == MAP_FAILED &&
	       errno == EOVERFLOW);
	EXPECT(mmap(NULL, 4096, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	       errno == EINVAL);
	char *p = mmap(NULL, 4096, RW, MAP_PRIVATE, fd, 0);

	EXPECT(p != MAP_FAILED);
	EXPECT_EQ(touch(p, true), 0);
	munmap(p, 4096);
	close(fd);
}

TEST(fixed_places)
{
	char *p = mmap(NULL, 16 * 4096, RW, ANON, -1, 0);

	p[4096] = 1;
	EXPECT(mmap(p + 4096, 4096, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
	EXPECT(mmap(p + 4096, 4096, RW, ANON | MAP_FIXED, -1, 0) == p + 4096);
	EXPECT_EQ(p[4096], 0);
	EXPECT_EQ(munmap(p + 8 * 4096, 4096), 0);
	char *q = mmap(p + 8 * 4096, 4096, RW, ANON, -1, 0); // a free place that is asked for is given

	EXPECT(q == p + 8 * 4096);
	munmap(p, 16 * 4096);
	p = mmap(NULL, 4096, RW, ANON | MAP_32BIT, -1, 0);
	EXPECT((uintptr_t)p < 1ul << 31);
	munmap(p, 4096);
}

TEST(protection)
{
	char *p = mmap(NULL, 8 * 4096, RW, ANON, -1, 0);

	memset(p, 3, 8 * 4096);
	EXPECT_EQ(mprotect(p + 4096, 2 * 4096, PROT_NONE), 0);
	EXPECT_EQ(touch(p + 4096, false), SIGSEGV);
	EXPECT_EQ(touch(p + 3 * 4096, true), 0);
	EXPECT_EQ(mprotect(p + 4096, 2 * 4096, PROT_READ), 0);
	EXPECT_EQ(touch(p + 4096, false), 0);
	EXPECT_EQ(touch(p + 4096, true), SIGSEGV);
	EXPECT_EQ(p[4096], 3);
	EXPECT_EQ(mprotect(p, 8 * 4096, RW), 0);
	EXPECT_EQ(touch(p + 4096, true), 0);
	EXPECT_ERR(syscall(SYS_mprotect, p + 1, 4096, RW), EINVAL);
	munmap(p + 3 * 4096, 4096);
	EXPECT_ERR(mprotect(p, 8 * 4096, PROT_READ), ENOMEM); // a hole
	munmap(p, 8 * 4096);
}

TEST(code_in_memory)
{
	unsigned char *p = mmap(NULL, 4096, RW, ANON, -1, 0);

	memcpy(p, "\xb8\x2a\x00\x00\x00\xc3", 6); // mov $42,%eax; ret
	EXPECT_EQ(mprotect(p, 4096, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(((int (*)(void))p)(), 42);
	EXPECT_EQ(mprotect(p, 4096, RW), 0);
	memcpy(p, "\xb8\x2b", 2);
	EXPECT_EQ(mprotect(p, 4096, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(((int (*)(void))p)(), 43);
	munmap(p, 4096);
}

TEST(huge_reservation)
{
	double start = now();
	char *p = mmap(NULL, 4ul << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	EXPECT(p != MAP_FAILED);
	EXPECT_EQ(mprotect(p + (1ul << 40), MIB, RW), 0);
	p[1ul << 40] = 5;
	EXPECT_EQ(madvise(p + (1ul << 40), MIB, MADV_DONTNEED), 0);
	EXPECT_EQ(p[1ul << 40], 0);
	EXPECT_EQ(munmap(p, 4ul << 40), 0);
	EXPECT(now() - start < 2);
}

TEST(remapping)
{
	char *p = mmap(NULL, 4 * 4096, RW, ANON, -1, 0);

	for (int i = 0; i < 4; i++)
		p[i * 4096] = i + 1;
	char *q = mremap(p, 4 * 4096, 4096 * 64, MREMAP_MAYMOVE);

	EXPECT(q != MAP_FAILED);
	EXPECT(q[0] == 1 && q[3 * 4096] == 4 && q[5 * 4096] == 0);
	EXPECT(mremap(q, 64 * 4096, 2 * 4096, 0) == q);
	EXPECT_EQ(touch(q + 2 * 4096, false), SIGSEGV);
	char *place = mmap(NULL, 8 * 4096, PROT_NONE, ANON, -1, 0);

	EXPECT(mremap(q, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	EXPECT(place[0] == 1 && place[4096] == 2);
	EXPECT_EQ(touch(q, false), SIGSEGV);
	EXPECT(mremap((void *)0x10000000000, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	munmap(place, 8 * 4096);
}

static char *remap_to(void *p, void *wish)
{
	return (char *)syscall(SYS_mremap, p, 4096, 4096, MREMAP_MAYMOVE | 4, wish); // MREMAP_DONTUNMAP
}

// MREMAP_DONTUNMAP takes the new address for a wish, and the old range stays, empty.
TEST(remapping_to_a_wish)
{
	char *p = mmap(NULL, 4096, RW, ANON, -1, 0), *place = mmap(NULL, 64 * 4096, RW, ANON, -1, 0);

	p[0] = 7;
	munmap(place, 64 * 4096);
	EXPECT(remap_to(p, place + 1) == MAP_FAILED && errno == EINVAL);
	EXPECT(remap_to(p, p) == MAP_FAILED && errno == EINVAL);
	EXPECT(remap_to(p, place) == place);
	EXPECT(place[0] == 7 && p[0] == 0);
	char *other = remap_to(p, place); // taken

	EXPECT(other != MAP_FAILED && other != place && place[0] == 7);
	munmap(p, 4096), munmap(place, 4096), munmap(other, 4096);
}

TEST(advice)
{
	char *p = mmap(NULL, 4 * MIB, RW, ANON, -1, 0);
	unsigned char in[1024];

	memset(p, 9, 4 * MIB);
	EXPECT_EQ(mincore(p, 4 * MIB, in), 0);
	EXPECT(in[0] & 1);
	EXPECT_EQ(madvise(p, 2 * MIB, MADV_DONTNEED), 0);
	EXPECT_EQ(p[0] + p[2 * MIB - 1], 0);
	EXPECT_EQ(p[2 * MIB], 9);
	EXPECT_EQ(madvise(p, 4 * MIB, MADV_FREE), 0);
	EXPECT_EQ(madvise(p, 4 * MIB, MADV_HUGEPAGE), 0);
	EXPECT_EQ(madvise(p, 4 * MIB, MADV_NOHUGEPAGE), 0);
	EXPECT_EQ(madvise(p, 4 * MIB, MADV_WILLNEED), 0);
	EXPECT_ERR(madvise(p + 1, 4096, MADV_DONTNEED), EINVAL);
	EXPECT_ERR(madvise(p, 4096, 999), EINVAL);
	munmap(p, 4 * MIB);
	EXPECT_ERR(madvise(p, 4096, MADV_DONTNEED), ENOMEM);
}

TEST(advice_refused)
{
	char *none = mmap(NULL, 4096, PROT_NONE, ANON, -1, 0), *ro = mmap(NULL, 4096, PROT_READ, ANON, -1, 0);

	EXPECT_ERR(madvise(none, 4096, MADV_POPULATE_READ), EINVAL);
	EXPECT_ERR(madvise(ro, 4096, MADV_POPULATE_WRITE), EINVAL);
	EXPECT_EQ(madvise(ro, 4096, MADV_POPULATE_READ), 0);
	EXPECT_ERR(mlock(none, 4096), ENOMEM); // locked all the same, but not there
	EXPECT_EQ(munlock(none, 4096), 0);
	munmap(none, 4096), munmap(ro, 4096);
}

// Pages sent away come back as they were: from the file, or, where they were written to, from memory.
TEST(paged_out)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char was[4 * 4096], *p = mmap(NULL, sizeof was, RW, MAP_PRIVATE, fd, 0);

	EXPECT(p != MAP_FAILED && pread(fd, was, sizeof was, 0) == sizeof was);
	memcpy(p + 4096, "changed", 7);
	EXPECT_EQ(memcmp(p, was, 4096), 0);
	EXPECT_EQ(madvise(p, sizeof was, MADV_PAGEOUT), 0);
	EXPECT_EQ(madvise(p, sizeof was, MADV_COLD), 0);
	EXPECT(!memcmp(p, was, 4096) && !memcmp(p + 2 * 4096, was + 2 * 4096, 2 * 4096));
	EXPECT_EQ(memcmp(p + 4096, "changed", 7), 0);
	EXPECT_EQ(memcmp(p + 4096 + 7, was + 4096 + 7, 4096 - 7), 0);
	EXPECT(!mlock(p, 4096) && madvise(p, 4096, MADV_PAGEOUT) == -1 && errno == EINVAL);
	munmap(p, sizeof was), close(fd);
}

TEST(refused_removal)
{
	char path[] = "/tmp/remove-XXXXXX", *private, *anonymous;
	int fd = mkstemp(path);

	ftruncate(fd, 16384);
	unlink(path);
	private = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	anonymous = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(private != MAP_FAILED && anonymous != MAP_FAILED);
	EXPECT_ERR(madvise(private, 4096, MADV_REMOVE), EACCES);
	EXPECT_ERR(madvise(anonymous, 4096, MADV_REMOVE), EINVAL);
	// What was refused leaves nothing locked behind.
	EXPECT_EQ(mprotect(private + 4096, 4096, PROT_NONE), 0);
	EXPECT_EQ(mprotect(anonymous + 4096, 4096, PROT_NONE), 0);
	EXPECT_EQ(munmap(private, 16384), 0);
	EXPECT_EQ(munmap(anonymous, 16384), 0);
	close(fd);
}

TEST(shared_file)
{
	char name[] = "/tmp/map-XXXXXX", b[8] = "";
	int fd = mkstemp(name);

	EXPECT(fd >= 0);
	EXPECT_EQ(ftruncate(fd, 3 * 4096), 0);
	char *s = mmap(NULL, 3 * 4096, RW, MAP_SHARED, fd, 0),
	     *p = mmap(NULL, 3 * 4096, RW, MAP_PRIVATE, fd, 0);

	EXPECT(s != MAP_FAILED && p != MAP_FAILED);
	strcpy(s + 4096, "shared");
	EXPECT(!strcmp(p + 4096, "shared"));
	EXPECT_EQ(pread(fd, b, 6, 4096), 6);
	EXPECT(!strcmp(b, "shared"));
	strcpy(p + 4096, "private");
	EXPECT(!strcmp(s + 4096, "shared"));
	EXPECT_EQ(pwrite(fd, "FILE", 4, 0), 4);
	EXPECT(!memcmp(s, "FILE", 4) && !memcmp(p, "FILE", 4));
	EXPECT_EQ(msync(s, 4096, MS_SYNC), 0);
	EXPECT_ERR(msync(s, 4096, MS_SYNC | MS_ASYNC), EINVAL);
	EXPECT_ERR(msync(s, (size_t)-8192, MS_SYNC), ENOMEM);
	EXPECT_EQ(ftruncate(fd, 4096), 0);
	EXPECT_EQ(touch(s + 4096, false), SIGBUS);
	EXPECT_EQ(touch(s, true), 0);
	close(fd);
	unlink(name);
	EXPECT(!memcmp(s, "FILE", 4)); // the mapping keeps the file
	munmap(s, 3 * 4096), munmap(p, 3 * 4096);
}

static long remap_pages(void *p, size_t size, int prot, size_t page)
{
	return syscall(SYS_remap_file_pages, p, size, prot, page, 0);
}

// The pages of a shared mapping in another order.
TEST(nonlinear)
{
	int fd = memfd_create("pages", 0);
	char *p = mmap(NULL, 4 * 4096, RW, MAP_SHARED, fd, 0), *anon = mmap(NULL, 4096, RW, ANON, -1, 0);

	EXPECT(!ftruncate(fd, 4 * 4096) && p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		p[i * 4096] = 'a' + i;
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(remap_pages(p + i * 4096, 4096, 0, 3 - i), 0);
	EXPECT(p[0] == 'd' && p[4096] == 'c' && p[2 * 4096] == 'b' && p[3 * 4096] == 'a');
	p[0] = 'D';
	EXPECT(pread(fd, anon, 1, 3 * 4096) == 1 && *anon == 'D');
	EXPECT_EQ(remap_pages(p + 5, 4096, 0, 0), 0); // the address is rounded down
	EXPECT_EQ(p[0], 'a');
	EXPECT_ERR(remap_pages(p, 4096, PROT_READ, 0), EINVAL);
	EXPECT_ERR(remap_pages(p, 0, 0, 0), EINVAL);
	EXPECT_ERR(remap_pages(p, 8 * 4096, 0, 0), EINVAL);
	EXPECT_ERR(remap_pages(p, 4096, 0, -1ul), EINVAL);
	EXPECT_ERR(remap_pages(p, 4096, 0, 1ul << 52), EOVERFLOW);
	EXPECT_ERR(remap_pages(anon, 4096, 0, 0), EINVAL);
	munmap(p, 4 * 4096), munmap(anon, 4096), close(fd);
}

// Mapping counts as reading; the first store through a shared mapping as writing.
TEST(mapping_changes_times)
{
	const struct timespec old[2] = {{1000, 0}, {1000, 0}};
	char name[] = "/tmp/mem.XXXXXX";
	int fd = mkstemp(name);
	struct stat st;

	EXPECT(fd >= 0 && !unlink(name) && write(fd, "x", 1) == 1);
	EXPECT_EQ(futimens(fd, old), 0);
	volatile char *p = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);

	EXPECT(p != MAP_FAILED && !fstat(fd, &st));
	EXPECT(st.st_atim.tv_sec > 1000 && st.st_mtim.tv_sec == 1000);
	*p = 'y';
	EXPECT(!msync((void *)p, 4096, MS_SYNC) && !fstat(fd, &st));
	EXPECT(st.st_mtim.tv_sec > 1000);
	EXPECT(st.st_ctim.tv_sec > 1000);
	EXPECT_EQ(munmap((void *)p, 4096), 0);
	close(fd);
}

TEST(shared_with_child)
{
	volatile int *s = mmap(NULL, MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	int status;

	if (!child) {
		for (int i = 0; i < 256; i++)
			s[i * 1024] = i;
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	for (int i = 0; i < 256; i++)
		EXPECT_EQ(s[i * 1024], i);
	munmap((void *)s, MIB);
}

TEST(many_areas)
{
	char *p = mmap(NULL, 4000 * 4096, RW, ANON, -1, 0);

	for (int i = 0; i < 4000; i += 2)
		EXPECT_EQ(mprotect(p + i * 4096l, 4096, PROT_READ), 0);
	for (int i = 1; i < 4000; i += 2)
		p[i * 4096l] = 1;
	EXPECT_EQ(touch(p, true), SIGSEGV);
	EXPECT_EQ(munmap(p, 4000 * 4096), 0);
}

// Lines of /proc/self/maps, the page that Linux shows for old programs' vsyscalls apart. No allocation.
static long areas(void)
{
	static char text[65536 + 32];
	int fd = open("/proc/self/maps", O_RDONLY);
	long n = 0;
	ssize_t got;

	while ((got = read(fd, text + 32, 65536)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			n += text[32 + i] == '\n';
		memcpy(text, text + got, 32); // the end of it, before the next piece
	}
	close(fd);
	return n - !!memmem(text, 32, "[vsyscall]", 10);
}

static bool is_ours(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.release, "cortado");
}

static long map_limit(long set)
{
	int fd = open("/proc/sys/vm/max_map_count", set ? O_RDWR : O_RDONLY);
	char text[32];
	ssize_t n;

	if (set && dprintf(fd, "%ld\n", set) < 0)
		set = 0;
	n = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return atol(text);
}

// Room for N pages, and N areas in it as far as they can be had: no two neighbours are alike, the first of
// each pair may be written. *GOT: how many.
static char *map_alternating(long n, long *got)
{
	char *base = mmap(NULL, n * 4096, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	for (*got = 0; base != MAP_FAILED && *got < n; ++*got)
		if (mmap(base + *got * 4096, 4096, *got & 1 ? PROT_READ : RW,
			 ANON | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
	return base;
}

// 200,000 areas, where the system allows them: each operation still takes its usual time, or this takes for
// ever.
TEST(very_many_areas)
{
	long limit = map_limit(0), n = limit - 1000 < 200000 ? limit - 1000 : 200000, before = areas(), got;
	char *p = map_alternating(n, &got), *at = p + n / 2 / 2 * 2 * 4096;
	int status;
	pid_t pid;

	EXPECT_EQ(got, n);
	EXPECT(areas() >= before + n);
	for (int i = 0; i < 1000; i++)
		at[i * 8192l] = (char)i;
	pid = fork();
	if (!pid) {
		bool good = true;

		for (int i = 0; i < 1000; i++) {
			good &= at[i * 8192l] == (char)i;
			at[i * 8192l] = 1;
		}
		_exit(!good);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	for (int i = 0; i < 1000; i++)
		EXPECT_EQ(at[i * 8192l], (char)i);
	EXPECT_EQ(munmap(p, n * 4096l), 0);
	EXPECT_EQ(areas(), before);
}

static long counter(const char *name)
{
	char line[128];
	long n = -1;
	FILE *f = fopen("/proc/cortado/counters", "r");

	while (f && n < 0 && fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			n = atol(line + strlen(name));
	if (f)
		fclose(f);
	return n;
}

// An idle CPU clears pages that were freed; whoever touches memory next gets those.
TEST(cleared_ahead)
{
	char *p = mmap(NULL, 8 * MIB, RW, ANON, -1, 0);
	long used;

	if (counter("pages_cleared_used") < 0)
		SKIP("not this kernel");
	do {
		memset(p, 0x55, 8 * MIB);
		for (size_t i = 0; i < 8 * MIB; i += 8192) // what is free in between stays in single pages
			EXPECT_EQ(madvise(p + i, 4096, MADV_DONTNEED), 0);
		usleep(1000);
		used = counter("pages_cleared_used");
		for (size_t i = 0; i < 8 * MIB; i += 512)
			EXPECT_EQ(p[i], i & 4096 ? 0x55 : 0);
	} while (counter("pages_cleared_used") == used);
	EXPECT_EQ(munmap(p, 8 * MIB), 0);
}

// As many areas as the limit says, and one, as on Linux; then nothing that needs another.
TEST(area_limit)
{
	long limit = map_limit(0), old = limit, n, count;
	char *three = mmap(NULL, 3 * 4096, PROT_READ, ANON, -1, 0), *p;

	if (is_ours())
		limit = map_limit(2000);
	p = map_alternating(limit + 10, &n);
	EXPECT(p != MAP_FAILED && n < limit);
	count = areas();
	EXPECT(count == limit + 1 || (!is_ours() && count == limit));
	EXPECT_ERR(mprotect(three + 4096, 4096, PROT_NONE), ENOMEM);
	EXPECT_ERR(madvise(three + 4096, 4096, MADV_DONTFORK), EAGAIN);
	EXPECT(mremap(three, 4096, 2 * 4096, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	EXPECT_ERR(munmap(three + 4096, 4096), ENOMEM);
	EXPECT_EQ(munmap(three + 2 * 4096, 4096), 0);
	EXPECT_EQ(munmap(p, 100 * 4096l), 0);
	EXPECT_EQ(mprotect(three, 4096, PROT_NONE), 0);
	EXPECT_EQ(munmap(p, (limit + 10) * 4096l), 0);
	EXPECT_EQ(munmap(three, 2 * 4096), 0);
	if (is_ours())
		EXPECT_EQ(map_limit(old), old);
}

// Reservations cost nothing, however large.
TEST(reservation_of_16_tib)
{
	size_t size = 16ul << 40;

	for (int i = 0; i < 1000; i++) {
		char *p = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED && !is_ours())
			SKIP("this system counts reservations, or has less room");
		EXPECT(p != MAP_FAILED);
		p[size / 2] = 1;
		EXPECT_EQ(madvise(p, size, MADV_DONTNEED), 0);
		EXPECT_EQ(p[size / 2], 0);
		EXPECT_EQ(mprotect(p, size, PROT_NONE), 0);
		EXPECT_EQ(munmap(p, size), 0);
	}
}

TEST(program_break)
{
	char *start = (void *)syscall(SYS_brk, 0), *more = (void *)syscall(SYS_brk, start + 3 * MIB + 100);

	EXPECT(more == start + 3 * MIB + 100);
	memset(start, 1, 3 * MIB);
	EXPECT((char *)syscall(SYS_brk, start) == start);
	EXPECT((char *)syscall(SYS_brk, 1) == start); // refused: the old one comes back
}

TEST(stack_grows)
{
	volatile char deep[1 << 20];

	for (size_t i = sizeof deep; i >= 4096; i -= 4096)
		deep[i - 1] = 1;
	EXPECT_EQ(deep[4095], 1);
}

TEST(maps_file)
{
	static char text[1 << 18];
	char *p = mmap(NULL, 5 * 4096, PROT_READ, ANON, -1, 0), line[64];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	ssize_t r;

	EXPECT(fd >= 0);
	while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += r;
	close(fd);
	EXPECT(strstr(text, "[stack]"));
	EXPECT(strstr(text, "[vdso]"));
	EXPECT(strstr(text, "/memory")); // this program
	snprintf(line, sizeof line, "%lx", (unsigned long)p + 5 * 4096);
	EXPECT(strstr(text, line));
	munmap(p, 5 * 4096);
}

TEST(locking)
{
	struct rlimit l;
	char *p = mmap(NULL, 4 * 4096, RW, ANON, -1, 0);

	EXPECT_EQ(getrlimit(RLIMIT_MEMLOCK, &l), 0);
	EXPECT_EQ(mlock(p, 4 * 4096), 0);
	EXPECT_EQ(munlock(p, 4 * 4096), 0);
	munmap(p, 4 * 4096);
}

static bool overcommit(const char *mode)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_WRONLY);
	bool ok = fd >= 0 && write(fd, mode, 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

// Only where this program is the whole system: it changes a setting of all.
TEST(overcommit_modes)
{
	void *p;

	if (access("/proc/cortado", F_OK))
		SKIP("not on a shared system");
	EXPECT(overcommit("1"));
	p = mmap(NULL, 1ul << 44, RW, ANON, -1, 0);
	EXPECT(p != MAP_FAILED && !munmap(p, 1ul << 44));
	EXPECT(overcommit("2"));
	EXPECT(mmap(NULL, 1ul << 33, RW, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED && errno == ENOMEM);
	p = mmap(NULL, 1ul << 33, PROT_NONE, ANON, -1, 0);
	EXPECT(p != MAP_FAILED);
	EXPECT_ERR(mprotect(p, 1ul << 33, RW), ENOMEM);
	EXPECT_EQ(mprotect(p, MIB, RW), 0);
	EXPECT_EQ(munmap(p, 1ul << 33), 0);
	EXPECT(overcommit("0"));
	EXPECT(mmap(NULL, 1ul << 44, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	p = mmap(NULL, 1ul << 44, RW, ANON | MAP_NORESERVE, -1, 0);
	EXPECT(p != MAP_FAILED && !munmap(p, 1ul << 44));
}

// Where a unikernel's direct map has its code at the latest, whatever the system: not to be written.
TEST(kernel_code_is_read_only)
{
	for (unsigned long at = 0xffff800000100000; at < 0xffff8000001a0000; at += 0x10000)
		EXPECT_EQ(touch((char *)at, true), SIGSEGV);
}

// One allocation that cannot be met fails; it neither hangs nor ends the program.
TEST(out_of_memory)
{
	size_t size = 1ul << 46;
	char mode = '0';
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY);

	if (fd >= 0)
		read(fd, &mode, 1), close(fd);
	if (mode == '1')
		SKIP("this system promises any amount");
	EXPECT(mmap(NULL, size, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	EXPECT(malloc(1ul << 46) == NULL);
}
