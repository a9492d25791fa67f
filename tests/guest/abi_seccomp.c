// SPDX-License-Identifier: BSD-2-Clause
// seccomp(2): what may be installed and by whom, and what the answers of a filter do.
#include "abi_seccomp.h"
#include <linux/audit.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>

static long status_of(const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			value = atol(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return value;
}

TEST(refused)
{
	static const struct sock_filter ends[] = {RETURN(SECCOMP_RET_ALLOW)};
	unsigned action = SECCOMP_RET_ALLOW;

	CHILD
		{
			NEED_ERR(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &action), EINVAL);
			NEED_ERR(install(1u << 20, ANSWER(1, 0)), EINVAL);
			NEED_ERR(install(0, NULL), EFAULT);
			NEED_ERR(install(0, (void *)8), EFAULT);
			NEED_ERR(install(0, &(struct sock_fprog){0, (void *)ends}), EINVAL);
			NEED_ERR(install(0, &(struct sock_fprog){BPF_MAXINSNS + 1, (void *)ends}), EINVAL);
			NEED_EQ(promise(), 0);
			NEED_ERR(install(0, &(struct sock_fprog){1, (void *)8}), EFAULT);
			NEED_ERR(prctl(PR_SET_SECCOMP, 3, NULL), EINVAL);
			NEED_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 8), EFAULT);
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
			NEED_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
			action = 0x12340000;
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
			NEED_EQ(prctl(PR_GET_SECCOMP), 0);
			NEED_EQ(status_of("Seccomp"), 0);
		}
	END_CHILD;
}

TEST(bad_programs)
{
	CHILD
		{
			NEED_EQ(promise(), 0);
			NEED_ERR(install(0, FILTER(LOAD(nr))), EINVAL); // runs off the end
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, 0), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_ST, BPF_MEMWORDS), RETURN(0))), EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(0))),
				 EINVAL); // never stored
			NEED_ERR(install(0, FILTER(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
						   BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3),
						   RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0))), EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_JMP | BPF_JA, ~0u), RETURN(0))), EINVAL);
			NEED_ERR(install(0, FILTER(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN(0))),
				 EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(BPF_RET | BPF_X, 0))), EINVAL);
			NEED_ERR(install(0, FILTER(BPF_STMT(0x100, 0), RETURN(0))), EINVAL);
		}
	END_CHILD;
}

TEST(rights)
{
	NEEDS_ROOT;
	CHILD
		{
			NEED_EQ(become(NOBODY), 0);
			NEED_ERR(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO)), EACCES);
			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | EXDEV)), 0);
			NEED_ERR(syscall(SYS_getpgrp), EXDEV);
		}
	END_CHILD;
}

TEST(errno_answers)
{
	CHILD
		{
			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | 95)), 0);
			NEED_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
			NEED_EQ(status_of("Seccomp"), 2);
			NEED_EQ(status_of("Seccomp_filters"), 1);
			NEED_ERR(syscall(SYS_getpgrp), 95);
			NEED_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
			NEED_EQ(install(0, ANSWER(SYS_getppid, SECCOMP_RET_ERRNO)), 0); // 0 is an answer, too
			NEED_EQ(syscall(SYS_getppid), 0);
			NEED_EQ(install(0, ANSWER(SYS_getuid, SECCOMP_RET_ERRNO | 0xffff)), 0);
			NEED_EQ(install(SECCOMP_FILTER_FLAG_LOG, ANSWER(1000, SECCOMP_RET_ERRNO | EPERM)), 0);
			NEED_ERR(syscall(1000), EPERM); // a number that nobody has
			NEED_ERR(syscall(SYS_getuid), 4095);
			NEED_EQ(status_of("Seccomp_filters"), 4);
			NEED_EQ(install(0, ANSWER(SYS_gettid, SECCOMP_RET_LOG)), 0);
			NEED_EQ(syscall(SYS_gettid), getpid());
			NEED_EQ(install(0, ANSWER(SYS_gettid, SECCOMP_RET_TRACE)), 0); // nobody traces
			NEED_ERR(syscall(SYS_gettid), ENOSYS);
		}
	END_CHILD;
}

TEST(strictest_answer_and_newest_data)
{
	CHILD
		{
			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | 11)), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_ERRNO | 12)), 0);
			NEED_ERR(syscall(SYS_getpgrp), 12);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_TRACE)), 0);
			NEED_ERR(syscall(SYS_getpgrp), 12);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_LOG)), 0);
			NEED_ERR(syscall(SYS_getpgrp), 12);
		}
	END_CHILD;
}

// getpriority(which, who): errno = ((which * 6 - who) / 2 ^ 5) | len >> 4, through memory and X
static struct sock_filter arithmetic[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	LOAD(args[1]),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_STX, 15),
	LOAD(args[0]),
	BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 6),
	BPF_STMT(BPF_LDX | BPF_MEM, 15),
	BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
	BPF_STMT(BPF_LDX | BPF_IMM, 2),
	BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
	BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 5),
	BPF_STMT(BPF_ST, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
	BPF_STMT(BPF_LDX | BPF_MEM, 0),
	BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),
	BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
	BPF_STMT(BPF_RET | BPF_A, 0),
};

static struct sock_filter halves[] = {
	LOAD(nr),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 5),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x100, 0, 1),
	RETURN(SECCOMP_RET_ERRNO | 41),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 7, 0, 1),
	RETURN(SECCOMP_RET_ERRNO | 42),
	RETURN(SECCOMP_RET_ALLOW),
};

TEST(the_machine)
{
	CHILD
		{
			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, &(struct sock_fprog){sizeof arithmetic / sizeof *arithmetic,
								arithmetic}),
				0);
			NEED_ERR(syscall(SYS_getpriority, 10, 20), ((10 * 6 - 20) / 2 ^ 5) | 4);
			NEED_ERR(syscall(SYS_getpriority, 3, 2), ((3 * 6 - 2) / 2 ^ 5) | 4);
			// Arguments have two halves; JSET and JGE.
			NEED_EQ(install(0, &(struct sock_fprog){sizeof halves / sizeof *halves, halves}), 0);
			NEED_ERR(syscall(SYS_getsid, 0x10000000000), 41);
			NEED_ERR(syscall(SYS_getsid, 0x700000000), 42);
			NEED(syscall(SYS_getsid, 0x600000000) >= 0);
			// A division by zero ends the program, with 0: the thread is killed.
			NEED_EQ(install(0, FILTER(LOAD(nr),
						  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getegid, 0, 2),
						  BPF_STMT(BPF_LDX | BPF_IMM, 0),
						  BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
						  RETURN(SECCOMP_RET_ALLOW))),
				0);
			pid_t pid = fork();
			int status;

			if (!pid) {
				syscall(SYS_getegid);
				_exit(0);
			}
			NEED_EQ(waitpid(pid, &status, 0), pid);
			NEED(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
		}
	END_CHILD;
}

static siginfo_t trapped;
static long result_at_trap;

static void on_sys(int sig, siginfo_t *info, void *context)
{
	trapped = *info;
	result_at_trap = ((ucontext_t *)context)->uc_mcontext.gregs[13]; // REG_RAX
	((ucontext_t *)context)->uc_mcontext.gregs[13] = 77;
}

TEST(traps)
{
	CHILD
		{
			struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};

			NEED_EQ(sigaction(SIGSYS, &a, NULL), 0);
			NEED_EQ(promise(), 0);
			NEED_EQ(install(0, ANSWER(SYS_getpgrp, SECCOMP_RET_TRAP | 321)), 0);
			NEED_EQ(syscall(SYS_getpgrp), 77);
			NEED_EQ(result_at_trap, SYS_getpgrp);
			NEED_EQ(trapped.si_signo, SIGSYS);
			NEED_EQ(trapped.si_code, 1); // SYS_SECCOMP
			NEED_EQ(trapped.si_errno, 321);
			NEED_EQ(trapped.si_syscall, SYS_getpgrp);
			NEED_EQ(trapped.si_arch, AUDIT_ARCH_X86_64);
			NEED(trapped.si_call_addr);
		}
	END_CHILD;
}

BEFORE_TESTS(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "filtered_program"))
		_exit(syscall(SYS_getpgrp) == -1 && errno == 33 ? 0 : 3);
}
