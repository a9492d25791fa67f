// SPDX-License-Identifier: BSD-2-Clause
// Large pages: transparent ones by advice, split and put together again, and those of the pool, private and
// shared, by mmap, memfd and System V. What this system lets nobody set is skipped.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define HUGE (2ul << 20)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#define THP  "/sys/kernel/mm/transparent_hugepage/"

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static long figure(const char *path, const char *name)
{
	char line[200];
	long n = -1;
	FILE *f = fopen(path, "r");

	while (f && n < 0 && fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)))
			n = atol(line + strlen(name));
	if (f)
		fclose(f);
	return n;
}

static long pool(const char *name)
{
	return figure("/proc/meminfo", name);
}

// KiB of P's mapping that large entries map.
static long huge_kib(void *p)
{
	char line[300], want[32];
	long n = -1;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool in = false;

	snprintf(want, sizeof want, "%lx-", (unsigned long)p);
	while (f && n < 0 && fgets(line, sizeof line, f)) {
		if (!strncmp(line, want, strlen(want)))
			in = true;
		if (in && !strncmp(line, "AnonHugePages:", 14))
			n = atol(line + 14);
	}
	if (f)
		fclose(f);
	return n;
}

// N large-aligned large pages of address space, that no neighbour merges with.
static char *area(unsigned n)
{
	char *p = mmap(NULL, (n + 2) * HUGE, PROT_NONE, ANON, -1, 0), *a;

	if (p == MAP_FAILED)
		return NULL;
	a = (char *)(((unsigned long)p + HUGE) & ~(HUGE - 1));
	return mmap(a, n * HUGE, RW, ANON | MAP_FIXED, -1, 0);
}

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 512)
		p[i] = (char)(i / 512 * 7 + 1);
}

static bool filled(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 512)
		if (p[i] != (char)(i / 512 * 7 + 1))
			return false;
	return true;
}

TEST(policy_file)
{
	char text[100] = "";
	int fd = open(THP "enabled", O_RDONLY);

	if (fd < 0)
		SKIP("no transparent huge pages");
	EXPECT(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	EXPECT(strstr(text, "always") && strstr(text, "madvise") && strstr(text, "never") &&
	       strchr(text, '['));
	EXPECT(!put(THP "enabled", "sometimes"));
	EXPECT_EQ(figure(THP "hpage_pmd_size", ""), HUGE);
}

TEST(fault_split_collapse)
{
	char *p = area(4);

	EXPECT(p);
	if (madvise(p, 4 * HUGE, MADV_HUGEPAGE))
		SKIP("no transparent huge pages");
	fill(p, 4 * HUGE);
	if (huge_kib(p) <= 0)
		SKIP("none were to be had");
	EXPECT_EQ(huge_kib(p), 4 * HUGE >> 10);
	EXPECT_EQ(mprotect(p + HUGE + 4096, 4096, PROT_READ), 0); // one is split
	EXPECT_EQ(huge_kib(p), HUGE >> 10);
	EXPECT_EQ(mprotect(p + HUGE + 4096, 4096, RW), 0);
	EXPECT(filled(p, 4 * HUGE));
	EXPECT_EQ(madvise(p + 2 * HUGE, 4096, MADV_DONTNEED), 0);
	EXPECT(!p[2 * HUGE] && filled(p, 2 * HUGE) &&
	       p[2 * HUGE + 4096] == (char)((2 * HUGE + 4096) / 512 * 7 + 1));
	fill(p, 4 * HUGE);
	if (!madvise(p, 4 * HUGE, MADV_COLLAPSE))
		EXPECT_EQ(huge_kib(p), 4 * HUGE >> 10);
	EXPECT(filled(p, 4 * HUGE));

	pid_t child = fork();

	if (!child) {
		bool ok = filled(p, 4 * HUGE);

		memset(p, 0, HUGE + 4096);
		_exit(ok && !p[HUGE] && p[2 * HUGE] == (char)(2 * HUGE / 512 * 7 + 1) ? 0 : 1);
	}
	int status;

	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(status == 0 && filled(p, 4 * HUGE));
	munmap(p, 4 * HUGE);
}

// Small pages that were there before the advice are put together in the background.
TEST(background_collapse)
{
	long sleep = figure(THP "khugepaged/scan_sleep_millisecs", "");
	char *p = area(2), text[20];

	EXPECT(p);
	if (sleep < 0 || !put(THP "khugepaged/scan_sleep_millisecs", "20"))
		SKIP("khugepaged cannot be told to hurry");
	EXPECT_EQ(madvise(p, 2 * HUGE, MADV_NOHUGEPAGE), 0);
	fill(p, 2 * HUGE);
	EXPECT_EQ(huge_kib(p), 0);
	EXPECT_EQ(madvise(p, 2 * HUGE, MADV_HUGEPAGE), 0);
	for (int i = 0; i < 3000 && huge_kib(p) < (long)(2 * HUGE >> 10); i++)
		pause_ms(20);
	snprintf(text, sizeof text, "%ld", sleep);
	put(THP "khugepaged/scan_sleep_millisecs", text);
	EXPECT_EQ(huge_kib(p), 2 * HUGE >> 10);
	EXPECT(filled(p, 2 * HUGE));
	EXPECT_EQ(munmap(p, 2 * HUGE), 0);
}

static long old = -1;

static void restore_pool(void)
{
	char text[20];

	snprintf(text, sizeof text, "%ld", old);
	put("/proc/sys/vm/nr_hugepages", text);
}

// A pool of at least N pages, or false.
static bool want_pool(unsigned n)
{
	char text[20];

	snprintf(text, sizeof text, "%u", n);
	if (old < 0) {
		old = pool("HugePages_Total:");
		atexit(restore_pool);
	}
	if (pool("HugePages_Total:") < n)
		put("/proc/sys/vm/nr_hugepages", text);
	return pool("HugePages_Free:") - pool("HugePages_Rsvd:") >= n;
}

TEST(pool_private)
{
	if (!want_pool(4))
		SKIP("no pool of huge pages");
	long total = pool("HugePages_Total:"), spare = pool("HugePages_Free:");
	char *p = mmap(NULL, 2 * HUGE, RW, ANON | MAP_HUGETLB, -1, 0);

	EXPECT(p != MAP_FAILED && !((unsigned long)p & (HUGE - 1)));
	EXPECT_EQ(pool("HugePages_Rsvd:"), 2);
	fill(p, 2 * HUGE);
	EXPECT(pool("HugePages_Rsvd:") == 0 && pool("HugePages_Free:") == spare - 2);
	EXPECT_ERR(munmap(p + 4096, HUGE), EINVAL);
	EXPECT_ERR(mprotect(p, 4096, PROT_READ), EINVAL);
	EXPECT_ERR(madvise(p, 4096, MADV_DONTFORK), EINVAL);
	EXPECT(mmap(NULL, (total + 1) * HUGE, RW, ANON | MAP_HUGETLB, -1, 0) == MAP_FAILED &&
	       errno == ENOMEM);
	pid_t child = fork();

	if (!child) {
		memset(p, 0, HUGE); // a copy of its own, from what is free
		_exit(p[HUGE] != (char)(HUGE / 512 * 7 + 1));
	}
	int status;

	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(status == 0 && filled(p, 2 * HUGE));
	EXPECT_EQ(munmap(p, 2 * HUGE), 0);
	EXPECT_EQ(pool("HugePages_Free:"), spare);
}

TEST(pool_shared)
{
	if (!want_pool(4))
		SKIP("no pool of huge pages");
	long spare = pool("HugePages_Free:");
	char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	EXPECT(p != MAP_FAILED);
	EXPECT_EQ(pool("HugePages_Rsvd:"), 2);
	p[0] = 1;
	pid_t child = fork();

	if (!child) {
		p[HUGE] = 2;
		_exit(p[0] != 1);
	}
	int status;

	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(status == 0 && p[HUGE] == 2);
	EXPECT(pool("HugePages_Rsvd:") == 0 && pool("HugePages_Free:") == spare - 2);
	EXPECT_EQ(munmap(p, 2 * HUGE), 0);
	EXPECT_EQ(pool("HugePages_Free:"), spare);
}

TEST(pool_file)
{
	if (!want_pool(4))
		SKIP("no pool of huge pages");
	long spare = pool("HugePages_Free:");
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING);
	struct statfs fs;
	struct stat st;
	char c[2] = "xx";

	EXPECT(fd >= 0);
	EXPECT_EQ(fstatfs(fd, &fs), 0);
	EXPECT(fs.f_type == 0x958458f6 && fs.f_bsize == (long)HUGE);
	EXPECT_ERR(ftruncate(fd, 4096), EINVAL);
	EXPECT_EQ(ftruncate(fd, 4 * HUGE), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_blksize == (long)HUGE && st.st_blocks == 0);
	EXPECT_EQ(fallocate(fd, 0, HUGE, HUGE), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, HUGE / 512);
	EXPECT(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 4096) == MAP_FAILED && errno == EINVAL);
	char *a = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, HUGE),
	     *b = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, fd, HUGE);
	char *own = mmap(NULL, HUGE, RW, MAP_PRIVATE, fd, HUGE);

	EXPECT(a != MAP_FAILED && b != MAP_FAILED && own != MAP_FAILED);
	a[5] = 7;
	EXPECT(b[5] == 7 && own[5] == 7);
	own[5] = 8;
	EXPECT(a[5] == 7 && own[5] == 8);
	EXPECT_EQ(pread(fd, c, 2, HUGE + 4), 2);
	EXPECT(c[0] == 0 && c[1] == 7);
	EXPECT_ERR(write(fd, c, 2), EINVAL);
	EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE), 0);
	EXPECT(a[5] == 0 && b[5] == 0);
	EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(a, 2 * HUGE), munmap(b, HUGE), munmap(own, HUGE);
	EXPECT_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
	EXPECT_ERR(ftruncate(fd, 0), EPERM);
	EXPECT(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	close(fd);
	EXPECT(pool("HugePages_Free:") == spare && pool("HugePages_Rsvd:") == 0);
	fd = open("/dev/null", O_RDWR);
	EXPECT(mmap(NULL, HUGE, RW, MAP_PRIVATE | MAP_HUGETLB, fd, 0) == MAP_FAILED && errno == EINVAL);
	close(fd);
}

TEST(pool_segment)
{
	if (!want_pool(4))
		SKIP("no pool of huge pages");
	long spare = pool("HugePages_Free:");
	int id = shmget(IPC_PRIVATE, 3 * HUGE - 5, SHM_HUGETLB | IPC_CREAT | 0600);

	if (id < 0 && errno == EPERM)
		SKIP("not allowed to");
	EXPECT(id >= 0);
	EXPECT_EQ(pool("HugePages_Rsvd:"), 3);
	char *p = shmat(id, NULL, 0);

	EXPECT(p != (char *)-1 && !((unsigned long)p & (HUGE - 1)));
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	fill(p, 3 * HUGE);
	EXPECT(filled(p, 3 * HUGE) && pool("HugePages_Free:") == spare - 3);
	EXPECT_EQ(shmdt(p), 0);
	EXPECT_EQ(pool("HugePages_Free:"), spare);
}
