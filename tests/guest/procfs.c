// SPDX-License-Identifier: BSD-2-Clause
// /proc and /sys: the files that runtimes and tools really read, and whether their figures make sense.
#include "check.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

static char text[1 << 16];

// Read the whole file in small pieces, as a careless reader would. Its length, or -1.
static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r = -1;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while (n < sizeof text - 1 &&
	       (r = read(fd, text + n, n + 100 < sizeof text ? 100 : sizeof text - 1 - n)) > 0)
		n += r;
	text[n] = 0;
	close(fd);
	return r < 0 ? -1 : (long)n;
}

static long long field(const char *name)
{
	char *at = strstr(text, name);

	return at ? atoll(at + strlen(name)) : -1;
}

TEST(self_links)
{
	char b[512] = "";

	EXPECT(readlink("/proc/self/exe", b, sizeof b - 1) > 0);
	EXPECT(strstr(b, "procfs"));
	memset(b, 0, sizeof b);
	EXPECT(readlink("/proc/self", b, sizeof b - 1) > 0);
	EXPECT_EQ(atoi(b), getpid());
	EXPECT(readlink("/proc/thread-self", b, sizeof b - 1) > 0);
	EXPECT_EQ(chdir("/usr"), 0);
	memset(b, 0, sizeof b);
	EXPECT(readlink("/proc/self/cwd", b, sizeof b - 1) > 0);
	EXPECT(!strcmp(b, "/usr"));
	EXPECT_EQ(chdir("/"), 0);
	int fd = open("/proc/self/exe", O_RDONLY), p[2];

	EXPECT(fd >= 0);
	EXPECT_EQ(read(fd, b, 4), 4);
	EXPECT(!memcmp(b, "\177ELF", 4));
	close(fd);
	EXPECT_EQ(pipe(p), 0);
	char name[64];

	snprintf(name, sizeof name, "/proc/self/fd/%d", p[0]);
	memset(b, 0, sizeof b);
	EXPECT(readlink(name, b, sizeof b - 1) > 0);
	EXPECT(!strncmp(b, "pipe:[", 6));
	snprintf(name, sizeof name, "/dev/fd/%d", p[1]);
	fd = open(name, O_WRONLY); // opening the link opens the pipe again
	EXPECT(fd >= 0);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_EQ(read(p[0], b, 4), 1);
	close(fd), close(p[0]), close(p[1]);
}

TEST(stat_of_self)
{
	EXPECT(slurp("/proc/self/stat") > 50);
	EXPECT_EQ(atoi(text), getpid());
	char *rest = strrchr(text, ')');
	int fields = 0;

	EXPECT(strchr(text, '(') && rest && rest[2] == 'R');
	for (char *p = strtok(rest + 2, " \n"); p; p = strtok(NULL, " \n")) {
		fields++;
		if (fields == 18)
			EXPECT_EQ(atoi(p), 1); // threads
		if (fields == 21)
			EXPECT(strtoull(p, NULL, 10) > 100000); // virtual size
		if (fields == 22)
			EXPECT(atol(p) >= 0); // resident pages: batched per CPU, so 0 for a small program
	}
	EXPECT_EQ(fields, 50);
	EXPECT(slurp("/proc/self/statm") > 5);
	EXPECT(slurp("/proc/self/status") > 100);
	EXPECT_EQ(field("\nPid:\t"), getpid());
	EXPECT_EQ(field("\nThreads:\t"), 1);
	EXPECT(field("\nVmRSS:") > 0);
	EXPECT(strstr(text, "\nSigBlk:\t") && strstr(text, "\nUid:\t0\t0\t0\t0"));
	EXPECT(slurp("/proc/self/cmdline") > 0);
	EXPECT(strstr(text, "procfs"));
	EXPECT(slurp("/proc/self/comm") > 0);
	EXPECT(!strcmp(text, "procfs\n"));
	EXPECT(slurp("/proc/self/environ") >= 0);
	EXPECT(slurp("/proc/self/limits") > 100);
	EXPECT(strstr(text, "Max open files"));
	EXPECT(slurp("/proc/self/mountinfo") > 10);
	EXPECT(strstr(text, " /proc "));
	EXPECT(slurp("/proc/self/cgroup") > 0);
	EXPECT(strstr(text, "0::/"));
	EXPECT(slurp("/proc/self/smaps") > 100);
	EXPECT(strstr(text, "Rss:"));
}

static _Atomic int stop;

static void *stay(void *arg)
{
	while (!stop)
		pause_ms(2);
	return arg;
}

TEST(threads_are_listed)
{
	pthread_t t[3];
	int n = 0;

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, stay, NULL);
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	EXPECT(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	slurp("/proc/self/status");
	long threads = field("\nThreads:\t");

	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(n, 4);
	EXPECT_EQ(threads, 4);
}

// A name that was looked up before tells what holds now.
TEST(names_of_a_child)
{
	char dir[32], file[48];
	struct stat st;
	int go[2], done[2];
	char c;
	pid_t pid;

	EXPECT_EQ(pipe(go) | pipe(done), 0);
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1 || (!geteuid() && seteuid(1234)) || prctl(PR_SET_DUMPABLE, 1) ||
		    write(done[1], "", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) != 1);
	}
	snprintf(dir, sizeof dir, "/proc/%d", pid);
	snprintf(file, sizeof file, "%s/stat", dir);
	EXPECT(slurp(file) > 0 && atoi(text) == pid);
	EXPECT(stat(file, &st) == 0 && st.st_uid == geteuid());
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(done[0], &c, 1), 1);
	EXPECT(stat(dir, &st) == 0 && st.st_uid == (geteuid() ? geteuid() : 1234));
	EXPECT(stat(file, &st) == 0 && st.st_uid == (geteuid() ? geteuid() : 1234));
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	EXPECT(stat(file, &st) < 0 && errno == ENOENT);
	EXPECT(stat(dir, &st) < 0 && errno == ENOENT);
	close(go[0]), close(go[1]), close(done[0]), close(done[1]);
}

TEST(system_figures)
{
	struct sysinfo s;

	EXPECT(slurp("/proc/meminfo") > 100);
	long long total = field("MemTotal:"), available = field("MemAvailable:");

	EXPECT(total > 4096 && available > 0 && available < total);
	EXPECT(field("MemFree:") > 0 && field("Buffers:") >= 0 && field("Cached:") >= 0 &&
	       field("SwapTotal:") >= 0);
	EXPECT_EQ(sysinfo(&s), 0);
	EXPECT_EQ((long long)s.totalram * s.mem_unit / 1024, total);
	EXPECT(slurp("/proc/cpuinfo") > 50);
	EXPECT(strstr(text, "processor\t: 0") && strstr(text, "model name\t:") && strstr(text, "flags\t\t:"));
	int cpus = 0;

	for (char *p = text; (p = strstr(p, "processor\t:")); p++)
		cpus++;
	EXPECT_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT(slurp("/proc/stat") > 50);
	EXPECT(!strncmp(text, "cpu  ", 5) && strstr(text, "\ncpu0 ") && field("\nbtime ") > 1000000);
	EXPECT(slurp("/proc/uptime") > 3);
	EXPECT(atof(text) > 0);
	EXPECT(slurp("/proc/loadavg") > 10);
	EXPECT(slurp("/proc/version") > 5);
	EXPECT(!strncmp(text, "Linux version ", 14));
	EXPECT(slurp("/proc/cmdline") >= 1);
	EXPECT(slurp("/proc/filesystems") > 0);
	EXPECT(strstr(text, "tmpfs"));
	EXPECT(slurp("/proc/mounts") > 0);
	EXPECT(slurp("/proc/net/dev") > 0);
	EXPECT(strstr(text, "lo:"));
	EXPECT(slurp("/proc/sys/vm/max_map_count") > 0);
	EXPECT(slurp("/proc/sys/vm/overcommit_memory") > 0);
	EXPECT(slurp("/proc/sys/kernel/pid_max") > 0);
	EXPECT(slurp("/proc/sys/kernel/random/boot_id") == 37);
	EXPECT(slurp("/proc/sys/net/core/somaxconn") > 0);
	EXPECT(slurp("/proc/sys/kernel/osrelease") > 0);
}

TEST(absent_files)
{
	EXPECT_ERR(open("/proc/no-such", O_RDONLY), ENOENT);
	EXPECT_ERR(open("/proc/99999999/stat", O_RDONLY), ENOENT);
	EXPECT(open("/proc/new", O_CREAT | O_WRONLY, 0600) == -1 &&
	       (errno == ENOENT || errno == EACCES || errno == EPERM));
	EXPECT_EQ(slurp("/proc/1/stat") > 0, 1);
}

TEST(sys_files)
{
	char expected[32];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	snprintf(expected, sizeof expected, cpus == 1 ? "0\n" : "0-%ld\n", cpus - 1);
	EXPECT(slurp("/sys/devices/system/cpu/online") > 0);
	EXPECT(!strcmp(text, expected));
	EXPECT(slurp("/sys/kernel/mm/transparent_hugepage/enabled") > 0);
	EXPECT(strchr(text, '[') && strstr(text, "madvise"));
	EXPECT(slurp("/sys/devices/system/cpu/possible") > 0);
	EXPECT(slurp("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") > 0);
	EXPECT_EQ(atoi(text), 2 << 20);
}

// The numbers of a mapped file in maps are those of stat(2).
TEST(maps_and_stat_agree)
{
	unsigned long long ino;
	unsigned major, minor;
	struct stat st;
	char *line;

	EXPECT(slurp("/proc/self/maps") > 0);
	EXPECT(sscanf(text, "%*s %*s %*s %x:%x %llu", &major, &minor, &ino) == 3);
	EXPECT_EQ(stat("/proc/self/exe", &st), 0);
	EXPECT_EQ(ino, st.st_ino);
	EXPECT(major == (st.st_dev >> 8 & 0xfff) &&
	       minor == ((st.st_dev & 0xff) | (st.st_dev >> 12 & 0xfff00)));
	EXPECT((line = strstr(text, "[vdso]")) != NULL);
}

// What has been forked so far, not what there is.
TEST(forks_are_counted)
{
	EXPECT(slurp("/proc/stat") > 0);
	long long before = atoll(strstr(text, "processes ") + 10);

	for (int i = 0; i < 3; i++)
		if (!fork())
			_exit(0);
	while (wait(NULL) > 0)
		;
	EXPECT(slurp("/proc/stat") > 0);
	EXPECT(atoll(strstr(text, "processes ") + 10) >= before + 3);
}

// A column for each CPU in use; /proc/stat counts all of them.
TEST(interrupts)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), columns = 0, rows = 0;
	long long local = 0;
	char *line, *at, *end;

	EXPECT(slurp("/proc/interrupts") > 0);
	for (at = text; (at = strstr(at, "CPU")) && at < strchr(text, '\n'); at += 3)
		columns++;
	EXPECT_EQ(columns, cpus);
	for (line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1, rows++) {
		int figures = 0;

		EXPECT((at = strchr(line, ':')) != NULL);
		if (!at)
			break;
		for (at++; figures < cpus; at = end, figures++) {
			long long n = strtoll(at, &end, 10);

			if (end == at)
				break;
			local += !strncmp(line + strspn(line, " "), "LOC:", 4) ? n : 0;
		}
		EXPECT(figures == cpus || !isdigit(line[strspn(line, " ")]));
	}
	EXPECT(rows > 2 && local > 0);
	EXPECT(slurp("/proc/stat") > 0 && atoll(strstr(text, "\nintr ") + 6) >= local);
}

TEST(more_figures)
{
	EXPECT(slurp("/proc/softirqs") > 0 && strstr(text, "NET_RX:"));
	EXPECT(slurp("/proc/stat") > 0);
	char *at = strstr(text, "\nsoftirq ");
	long long sum, n = 0, kinds = 0;
	int used = 0;

	EXPECT(at && sscanf(at + 9, "%lld%n", &sum, &used) == 1 && sum > 0);
	for (at += 9 + used; sscanf(at, " %lld%n", &n, &used) == 1; at += used, kinds++)
		sum -= n;
	EXPECT_EQ(sum, 0);
	EXPECT_EQ(kinds, 10);
	EXPECT(slurp("/proc/tty/drivers") > 0 && strstr(text, "/dev/pts"));
	if (!access("/proc/schedstat", F_OK)) // a kernel may do without
		EXPECT(slurp("/proc/schedstat") > 0 && !strncmp(text, "version 1", 9) &&
		       strstr(text, "cpu0 "));
	EXPECT(slurp("/proc/sys/kernel/domainname") > 0);
	EXPECT(slurp("/proc/sys/fs/inode-nr") > 0 && atoll(text) > 0);
	EXPECT(slurp("/proc/sys/fs/leases-enable") > 0 && atoi(text) == 1);
}

static long cache_value(int index, const char *name)
{
	char path[100], text[32] = "";
	int fd;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	read(fd, text, sizeof text - 1);
	close(fd);
	return atol(text);
}

TEST(cpu_caches)
{
	int n = 0;

	for (; cache_value(n, "level") > 0; n++) {
		EXPECT(cache_value(n, "level") <= 4);
		EXPECT_EQ(cache_value(n, "size") * 1024, cache_value(n, "coherency_line_size") *
								 cache_value(n, "ways_of_associativity") *
								 cache_value(n, "number_of_sets") *
								 cache_value(n, "physical_line_partition"));
	}
	if (!n)
		SKIP("the CPU tells nothing of its caches");
	EXPECT_EQ(cache_value(0, "level"), 1);
}

// What /proc/self/smaps says in KiB of the mapping that begins at P.
static long smaps_kib(const void *p, const char *what)
{
	char line[512], begin[32];
	FILE *f = fopen("/proc/self/smaps", "r");
	bool in = false;
	long n = -1;

	snprintf(begin, sizeof begin, "%lx-", (unsigned long)p);
	while (f && n < 0 && fgets(line, sizeof line, f)) {
		if (!strncmp(line, begin, strlen(begin)))
			in = true;
		else if (in && !strncmp(line, what, strlen(what)))
			n = atol(line + strlen(what));
	}
	if (f)
		fclose(f);
	return n;
}

TEST(clear_refs)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	volatile char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(fd >= 0 && p != MAP_FAILED);
	madvise((void *)p, 16384, MADV_DONTDUMP); // so that it is a mapping of its own
	for (int i = 0; i < 4; i++)
		p[i * 4096] = 1;
	EXPECT_EQ(smaps_kib((void *)p, "Referenced:"), 16);
	EXPECT_EQ(write(fd, "3", 1), 1); // files only
	EXPECT_EQ(smaps_kib((void *)p, "Referenced:"), 16);
	EXPECT_EQ(write(fd, "1\n", 2), 2);
	EXPECT_EQ(smaps_kib((void *)p, "Referenced:"), 0);
	EXPECT_EQ(smaps_kib((void *)p, "Rss:"), 16);
	EXPECT_EQ(write(fd, "5", 1), 1);
	EXPECT_ERR(write(fd, "6", 1), EINVAL);
	EXPECT_ERR(write(fd, "0", 1), EINVAL);
	EXPECT_ERR(write(fd, "x", 1), EINVAL);
	close(fd);
	munmap((void *)p, 16384);
}

TEST(numa_maps)
{
	char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[512],
	     begin[32];
	FILE *f = fopen("/proc/self/numa_maps", "r");
	bool found = false;

	if (!f)
		SKIP("a kernel without memory policy");
	madvise(p, 16384, MADV_DONTDUMP);
	memset(p, 1, 16384);
	snprintf(begin, sizeof begin, "%lx default ", (unsigned long)p);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, begin, strlen(begin)))
			found = strstr(line, " anon=4 ") && strstr(line, " N0=4 ") &&
				strstr(line, " kernelpagesize_kB=4\n");
	EXPECT(found);
	fclose(f);
	munmap(p, 16384);
}
