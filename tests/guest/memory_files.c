// SPDX-License-Identifier: BSD-2-Clause
// Files that show memory: pagemap, smaps and its sum, statm, buddyinfo, meminfo, vmstat; whether they agree
// with what a program did and with each other.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE	4096ul
#define PRESENT (1ull << 63)
#define FILE_	(1ull << 61)
#define ALONE	(1ull << 56)

static char text[1 << 18];

static bool slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r = 0;

	while (fd >= 0 && n < sizeof text - 1 && (r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = 0;
	close(fd);
	return n > 0 && !r;
}

// The number behind NAME at the beginning of a line, from FROM on; -1.
static long long figure(const char *from, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = from; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, name, n) && (at[n] == ':' || at[n] == ' '))
			return atoll(at + n + 1);
	}
	return -1;
}

static uint64_t entry(int fd, const void *at)
{
	uint64_t e = 0;

	return pread(fd, &e, sizeof e, (off_t)((uintptr_t)at / PAGE * sizeof e)) == sizeof e ? e : ~0ull;
}

TEST(pagemap)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), exe = open("/proc/self/exe", O_RDONLY), status;
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *f = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, exe, 0);
	uint64_t many[8];
	pid_t child;

	EXPECT(fd >= 0 && exe >= 0);
	madvise(p, 8 * PAGE, MADV_NOHUGEPAGE);
	p[0] = p[3 * PAGE] = 1;
	s[0] = 1;
	EXPECT(*(volatile char *)f == 0x7f);
	EXPECT_EQ(entry(fd, p) & (PRESENT | FILE_ | ALONE), PRESENT | ALONE);
	EXPECT_EQ(entry(fd, p + PAGE) & (PRESENT | FILE_ | ALONE), 0);
	EXPECT_EQ(entry(fd, s) & (PRESENT | FILE_), PRESENT | FILE_);
	EXPECT_EQ(entry(fd, f) & (PRESENT | FILE_), PRESENT | FILE_);
	EXPECT_EQ(pread(fd, many, sizeof many, (off_t)((uintptr_t)p / PAGE * 8)), sizeof many);
	EXPECT_EQ(many[3] & (PRESENT | FILE_), PRESENT);
	EXPECT_EQ(many[2] & PRESENT, 0);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(entry(fd, p) & (PRESENT | FILE_ | ALONE), PRESENT); // somebody else maps it, too
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	EXPECT_EQ(entry(fd, p) & ALONE, ALONE);
	munmap(p, 8 * PAGE);
	EXPECT_EQ(entry(fd, p), 0);
	EXPECT_ERR(pread(fd, many, 8, 4), EINVAL);
	EXPECT_ERR(pread(fd, many, 12, 0), EINVAL);
	EXPECT_EQ(pread(fd, many, 8, (off_t)((1ull << 52) / PAGE * 8)), 0);
	munmap(s, PAGE), munmap(f, PAGE), close(exe), close(fd);
}

TEST(smaps)
{
	static const char *const names[] = {
		"Size",
		"KernelPageSize",
		"MMUPageSize",
		"Rss",
		"Pss",
		"Shared_Clean",
		"Shared_Dirty",
		"Private_Clean",
		"Private_Dirty",
		"Referenced",
		"Anonymous",
		"LazyFree",
		"AnonHugePages",
		"ShmemPmdMapped",
		"FilePmdMapped",
		"Shared_Hugetlb",
		"Private_Hugetlb",
		"Swap",
		"SwapPss",
		"Locked",
		"THPeligible",
	};
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     start[32];
	const char *at;

	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	mprotect(p + 15 * PAGE, PAGE, PROT_NONE); // no neighbour joins it
	mprotect(p, PAGE, PROT_NONE);
	for (int i = 5; i; i--)
		p[i * PAGE] = 1; // downwards: nothing is brought in ahead
	EXPECT(slurp("/proc/self/smaps"));
	snprintf(start, sizeof start, "%08lx-", (unsigned long)(uintptr_t)(p + PAGE));
	at = strstr(text, start);
	EXPECT(at);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		EXPECT(figure(at, names[i]) >= 0);
	EXPECT_EQ(figure(at, "Size"), 14 * 4);
	EXPECT_EQ(figure(at, "Rss"), 5 * 4);
	EXPECT_EQ(figure(at, "Pss"), 5 * 4);
	EXPECT_EQ(figure(at, "Private_Dirty"), 5 * 4);
	EXPECT_EQ(figure(at, "Anonymous"), 5 * 4);
	at = strstr(at, "VmFlags: ");
	EXPECT(at && !strncmp(at, "VmFlags: rd wr mr mw me ", 24) && strstr(at, " ac "));
	munmap(p, 16 * PAGE);
}

// Where touches are said to come at random nothing is brought in ahead of them, also if they come in order.
TEST(advice_on_order)
{
	char *p = mmap(NULL, 66 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     start[32];
	static const int advices[] = {MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL};
	static const char *const shown[] = {" rr ", " sr ", NULL};

	madvise(p, 66 * PAGE, MADV_NOHUGEPAGE);
	mprotect(p + 65 * PAGE, PAGE, PROT_NONE); // no neighbour joins it
	mprotect(p, PAGE, PROT_NONE);
	snprintf(start, sizeof start, "%08lx-", (unsigned long)(uintptr_t)(p + PAGE));
	for (int i = 0; i < 3; i++) {
		char *at, *end;

		EXPECT_EQ(madvise(p + PAGE, 64 * PAGE, advices[i]), 0);
		for (int k = 1; k <= 20 && !i; k++)
			p[k * PAGE] = 1;
		EXPECT(slurp("/proc/self/smaps") && (at = strstr(text, start)));
		if (!i)
			EXPECT_EQ(figure(at, "Rss"), 20 * 4);
		EXPECT((at = strstr(at, "VmFlags: ")) && (end = strchr(at, '\n')));
		*end = '\0';
		for (int k = 0; k < 2; k++)
			EXPECT_EQ(strstr(at, shown[k]) != NULL, k == i);
	}
	munmap(p, 66 * PAGE);
	EXPECT_ERR(madvise(p, PAGE, MADV_RANDOM), ENOMEM);
}

// What is declared cold counts as unused until it is used again.
TEST(cold)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     start[32];
	long long referenced[3];

	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	mprotect(p + 15 * PAGE, PAGE, PROT_NONE);
	mprotect(p, PAGE, PROT_NONE);
	snprintf(start, sizeof start, "%08lx-", (unsigned long)(uintptr_t)(p + PAGE));
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			EXPECT_EQ(madvise(p + PAGE, 14 * PAGE, MADV_COLD), 0);
		else
			for (int i = 14; i; i--)
				p[i * PAGE]++;
		EXPECT(slurp("/proc/self/smaps") && strstr(text, start));
		referenced[round] = figure(strstr(text, start), "Referenced");
	}
	EXPECT_EQ(referenced[0], 14 * 4);
	EXPECT_EQ(referenced[1], 0);
	EXPECT_EQ(referenced[2], 14 * 4);
	for (int i = 14; i; i--)
		EXPECT_EQ(p[i * PAGE], 2);
	EXPECT_EQ(mlock(p + PAGE, PAGE), 0);
	EXPECT_ERR(madvise(p + PAGE, PAGE, MADV_COLD), EINVAL);
	munmap(p, 16 * PAGE);
}

TEST(smaps_rollup)
{
	long long rss = 0, pss = 0, r, parts;

	EXPECT(slurp("/proc/self/smaps"));
	EXPECT(slurp("/proc/self/smaps")); // all that reading it touches is there by now
	for (const char *at = text; (at = strstr(at, "\nRss:")); at++) {
		rss += figure(at, "Rss");
		pss += figure(at, "Pss");
	}
	EXPECT(slurp("/proc/self/smaps_rollup"));
	EXPECT(strstr(text, "[rollup]"));
	r = figure(text, "Rss");
	EXPECT(r >= rss && r <= rss + 64);
	parts = figure(text, "Pss_Anon") + figure(text, "Pss_File") + figure(text, "Pss_Shmem");
	EXPECT(parts <= figure(text, "Pss") && parts + 3 >= figure(text, "Pss"));
	EXPECT(pss <= figure(text, "Pss") + 64);
}

TEST(statm)
{
	unsigned long before[7], after[7];
	char *p;

	EXPECT(slurp("/proc/self/statm"));
	EXPECT_EQ(sscanf(text, "%lu %lu %lu %lu %lu %lu %lu\n", &before[0], &before[1], &before[2],
			 &before[3], &before[4], &before[5], &before[6]),
		  7);
	EXPECT(before[3] > 0 && before[3] < 4096 && !before[4] && !before[6]); // the program's own code
	p = mmap(NULL, 1024 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 1024 * PAGE);
	EXPECT(slurp("/proc/self/statm"));
	sscanf(text, "%lu %lu %lu %lu %lu %lu", &after[0], &after[1], &after[2], &after[3], &after[4],
	       &after[5]);
	EXPECT_EQ(after[0], before[0] + 1024);
	EXPECT(after[1] + 64 >= before[1] + 1024);
	EXPECT_EQ(after[5], before[5] + 1024);
	munmap(p, 1024 * PAGE);
}

TEST(buddyinfo)
{
	unsigned long long pages = 0;
	char zone[32];
	int node, used;

	EXPECT(slurp("/proc/buddyinfo"));
	for (char *at = text; *at; at++) {
		EXPECT_EQ(sscanf(at, "Node %d, zone %31s%n", &node, zone, &used), 2);
		at += used;
		for (unsigned order = 0; *at && *at != '\n'; order++) {
			char *end;

			pages += strtoull(at, &end, 10) << order;
			at = end + (*end == ' ');
			EXPECT(order < 20);
		}
	}
	EXPECT(slurp("/proc/meminfo"));
	EXPECT(pages > 0 && pages * 4 <= (unsigned long long)figure(text, "MemTotal"));
}

TEST(pagetypeinfo)
{
	if (geteuid())
		SKIP("not root");
	EXPECT(slurp("/proc/pagetypeinfo"));
	EXPECT(strstr(text, "Page block order: ") && strstr(text, "Pages per block:  "));
	EXPECT(strstr(text, "Free pages count per migrate type at order"));
	EXPECT(strstr(text, "type    Unmovable ") && strstr(text, "type      Movable "));
	EXPECT(strstr(text, "Number of blocks type"));
}

TEST(meminfo)
{
	static const char *const names[] = {
		"MemTotal",	"MemFree",	  "MemAvailable",  "Buffers",	   "Cached",
		"SwapCached",	"Active",	  "Inactive",	   "Active(anon)", "Inactive(anon)",
		"Active(file)", "Inactive(file)", "Unevictable",   "Mlocked",	   "SwapTotal",
		"SwapFree",	"Dirty",	  "Writeback",	   "AnonPages",	   "Mapped",
		"Shmem",	"KReclaimable",	  "Slab",	   "SReclaimable", "SUnreclaim",
		"KernelStack",	"PageTables",	  "SecPageTables", "CommitLimit",  "Committed_AS",
		"VmallocTotal", "VmallocUsed",	  "VmallocChunk",  "Percpu",
	};
	enum { LOCKED_KB = 4096 };
	char *p = mmap(NULL, LOCKED_KB << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(slurp("/proc/meminfo"));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		EXPECT(figure(text, names[i]) >= 0);
	EXPECT(figure(text, "SReclaimable") > 0);
	EXPECT(figure(text, "KReclaimable") >= figure(text, "SReclaimable"));
	EXPECT_EQ(figure(text, "Slab"), figure(text, "SReclaimable") + figure(text, "SUnreclaim"));
	EXPECT(figure(text, "Percpu") > 0 && figure(text, "VmallocUsed") > 0 && figure(text, "Mapped") > 0);
	EXPECT(figure(text, "MemAvailable") > 0 && figure(text, "MemFree") <= figure(text, "MemTotal"));
	if (mlock(p, LOCKED_KB << 10))
		SKIP("nothing may be locked");
	/* Linux gathers its CPUs' counts once a second. What others locked or unlock cannot hide ours. */
	for (int i = 0; i < 250 && figure(text, "Mlocked") < LOCKED_KB; i++) {
		pause_ms(20);
		EXPECT(slurp("/proc/meminfo"));
	}
	EXPECT(figure(text, "Mlocked") >= LOCKED_KB);
	munmap(p, LOCKED_KB << 10);
}

TEST(vmstat)
{
	static const char *const names[] = {
		"nr_free_pages",
		"nr_inactive_anon",
		"nr_active_anon",
		"nr_inactive_file",
		"nr_active_file",
		"nr_unevictable",
		"nr_mlock",
		"nr_anon_pages",
		"nr_mapped",
		"nr_file_pages",
		"nr_dirty",
		"nr_writeback",
		"nr_shmem",
		"nr_kernel_stack",
		"nr_page_table_pages",
		"pgpgin",
		"pgpgout",
		"pswpin",
		"pswpout",
		"pgfault",
		"pgmajfault",
		"pgsteal_kswapd",
		"pgsteal_direct",
		"pgscan_kswapd",
		"pgscan_direct",
		"workingset_refault_file",
		"workingset_activate_file",
		"workingset_restore_file",
		"pageoutrun",
		"oom_kill",
		"nr_slab_reclaimable",
		"nr_slab_unreclaimable",
		"pgfree",
		"pgalloc_normal",
	};
	unsigned long long faults, freed;
	char *p;

	EXPECT(slurp("/proc/vmstat"));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (figure(text, names[i]) < 0)
			FAIL("no %s", names[i]);
	faults = figure(text, "pgfault");
	freed = figure(text, "pgfree");
	for (int i = 0; i < 100; i++) {
		p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, 64 * PAGE);
		munmap(p, 64 * PAGE);
	}
	EXPECT(slurp("/proc/vmstat"));
	EXPECT((unsigned long long)figure(text, "pgfault") >= faults + 100);
	EXPECT((unsigned long long)figure(text, "pgfree") >=
	       freed + 3200); // Linux adds CPUs' counts up now and then
}
