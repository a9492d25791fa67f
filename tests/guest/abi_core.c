// SPDX-License-Identifier: BSD-2-Clause
// Core files: who gets one, its name, and what a debugger finds in it.
#include "abi.h"
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/procfs.h>
#include <sys/resource.h>

static volatile long marker = 0x600df00d;
static char *mapped;

static void limit_core(rlim_t n)
{
	struct rlimit r = {n, RLIM_INFINITY};

	setrlimit(RLIMIT_CORE, &r);
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

// End by SIG in a child that has a core limit of N, and two threads. The wait status.
static int crash(int sig, rlim_t n)
{
	int status;
	pid_t p = fork();

	if (!p) {
		pthread_t t;

		limit_core(n);
		marker = 0x12345678;
		mapped = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		strcpy(mapped + 40000, "needle");
		pthread_create(&t, NULL, idle, NULL);
		pause_ms(20);
		if (sig == SIGSEGV)
			*(volatile int *)8 = 1;
		raise(sig);
		_exit(0);
	}
	return waitpid(p, &status, 0) == p ? status : -1;
}

static int pattern_is_core(void)
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);

	read(fd, text, sizeof text - 1);
	close(fd);
	fd = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);
	read(fd, text + 40, 1);
	close(fd);
	return !strcmp(text, "core\n") && text[40] == '0';
}

// The file's bytes at ADDR of the process, or NULL.
static const char *core_memory(const char *core, unsigned long addr)
{
	const Elf64_Ehdr *e = (void *)core;
	const Elf64_Phdr *p = (void *)(core + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && addr >= p[i].p_vaddr && addr - p[i].p_vaddr < p[i].p_filesz)
			return core + p[i].p_offset + (addr - p[i].p_vaddr);
	return NULL;
}

TEST(image)
{
	struct stat st;
	int status, threads = 0, seen = 0;

	if (!pattern_is_core())
		SKIP("cores go elsewhere here");
	CHILD
		NEED(!scratch_enter());
		status = crash(SIGSEGV, RLIM_INFINITY);
		NEED(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
		NEED(!stat("core", &st) && st.st_size > 4096 && (st.st_mode & 0777) == 0600);
		int fd = open("core", O_RDONLY);
		char *core = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		const Elf64_Ehdr *e = (void *)core;
		NEED(!memcmp(core, ELFMAG, 4) && e->e_type == ET_CORE && e->e_machine == EM_X86_64 &&
		     e->e_phnum > 3);
		const Elf64_Phdr *p = (void *)(core + e->e_phoff);
		NEED(p->p_type == PT_NOTE);
		for (char *n = core + p->p_offset, *end = n + p->p_filesz; n < end;) {
			const Elf64_Nhdr *h = (void *)n;
			char *data = n + sizeof *h + ((h->n_namesz + 3) & ~3u);
			if (h->n_type == NT_PRSTATUS) {
				const struct elf_prstatus *s = (void *)data;
				NEED(h->n_descsz == sizeof *s && s->pr_pid > 0);
				if (!threads++)
					NEED(s->pr_cursig == SIGSEGV);
			}
			if (h->n_type == NT_PRPSINFO)
				NEED(h->n_descsz == sizeof(struct elf_prpsinfo));
			if (h->n_type == NT_SIGINFO)
				NEED(((siginfo_t *)data)->si_addr == (void *)8);
			seen |= h->n_type == NT_AUXV	   ? 1
				: h->n_type == NT_FILE	   ? 2
				: h->n_type == NT_SIGINFO  ? 4
				: h->n_type == NT_FPREGSET ? 8
							   : 0;
			n = data + ((h->n_descsz + 3) & ~3u);
		}
		NEED(threads == 2 && seen == 15);
		const long *m = (void *)core_memory(core, (unsigned long)&marker);
		NEED(m && *m == 0x12345678);
		int found = 0;
		for (int i = 1; i < e->e_phnum; i++)
			found |= p[i].p_filesz &&
				 memmem(core + p[i].p_offset, p[i].p_filesz, "needle", 7) != NULL;
		NEED(found);
	END_CHILD;
}

TEST(who_gets_one)
{
	struct stat st;
	int status;

	if (!pattern_is_core())
		SKIP("cores go elsewhere here");
	CHILD
		NEED(!scratch_enter());
		status = crash(SIGABRT, 0);
		NEED(WTERMSIG(status) == SIGABRT && !WCOREDUMP(status) && stat("core", &st));
		status = crash(SIGTERM, RLIM_INFINITY);
		NEED(WTERMSIG(status) == SIGTERM && !WCOREDUMP(status) && stat("core", &st));
		status = crash(SIGKILL, RLIM_INFINITY);
		NEED(WTERMSIG(status) == SIGKILL && !WCOREDUMP(status) && stat("core", &st));
		status = crash(SIGQUIT, RLIM_INFINITY);
		NEED(WTERMSIG(status) == SIGQUIT && WCOREDUMP(status) && !stat("core", &st));
		unlink("core");
		status = crash(SIGXCPU, 8192);
		NEED(WTERMSIG(status) == SIGXCPU && WCOREDUMP(status) && !stat("core", &st) &&
		     st.st_size <= 8192);
		unlink("core");
		NEED(!mkdir("core", 0755));
		status = crash(SIGABRT, RLIM_INFINITY);
		NEED(WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
		rmdir("core");
		siginfo_t info;
		pid_t p = fork();
		if (!p) {
			limit_core(RLIM_INFINITY);
			abort();
		}
		NEED(!waitid(P_PID, (id_t)p, &info, WEXITED) && info.si_code == CLD_DUMPED &&
		     info.si_status == SIGABRT);
		p = fork();
		if (!p) {
			limit_core(RLIM_INFINITY);
			prctl(PR_SET_DUMPABLE, 0);
			abort();
		}
		NEED(!waitid(P_PID, (id_t)p, &info, WEXITED) && info.si_code == CLD_KILLED);
	END_CHILD;
}

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC), err = fd < 0 || write(fd, text, strlen(text)) < 0;

	close(fd);
	return err;
}

// At the end, whatever that is: they are the whole machine's.
static void restore(void)
{
	put_text("/proc/sys/fs/suid_dumpable", "0");
	put_text("/proc/sys/kernel/core_pattern", "core");
}

// The status of a child that gives up being root and crashes.
static int crash_as_nobody(void)
{
	int status = -1;
	pid_t p = fork();

	if (!p)
		_exit(become(NOBODY) ? 1 : WCOREDUMP(crash(SIGABRT, RLIM_INFINITY)) ? 3 : 2);
	waitpid(p, &status, 0);
	return WEXITSTATUS(status);
}

// fs.suid_dumpable: a program that has changed its rights leaves a core for root, or none.
TEST(changed_rights)
{
	struct stat st;

	NEEDS_ROOT;
	if (!pattern_is_core())
		SKIP("cores go elsewhere here");
	if (put_text("/proc/sys/fs/suid_dumpable", "0"))
		SKIP("may not set suid_dumpable");
	atexit(restore);
	CHILD
		NEED(!scratch_enter() && !chmod(".", 0777));
		NEED_EQ(crash_as_nobody(), 2); // 0, as it is at first
		NEED(!put_text("/proc/sys/fs/suid_dumpable", "2"));
		NEED_EQ(crash_as_nobody(), 2); // a relative name is up to the program
		char pattern[64];	       // seen from init's root
		snprintf(pattern, sizeof pattern, "/tmp/abi-core-%d", getpid());
		NEED(!put_text("/proc/sys/kernel/core_pattern", pattern));
		NEED_EQ(crash_as_nobody(), 3);
		NEED(!stat(pattern, &st) && !st.st_uid && (st.st_mode & 0777) == 0600);
		NEED_EQ(crash_as_nobody(), 2); // nothing is overwritten
		NEED(!put_text("/proc/sys/fs/suid_dumpable", "1") && !unlink(pattern));
		NEED_EQ(crash_as_nobody(), 3);
		NEED(!stat(pattern, &st) && st.st_uid == NOBODY && !unlink(pattern));
	END_CHILD;
}
