// SPDX-License-Identifier: BSD-2-Clause
// Credentials are a thread's: raw system calls change one, the C library's all of them.
#include "abi.h"
#include <linux/capability.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define USER 4711

// A thread that does what it is told: SEND(fn) runs FN there and gives its result.
static struct {
	pthread_t thread;
	pthread_barrier_t start, done;
	long (*volatile fn)(void);
	volatile long result;
	volatile pid_t tid;
} helper;

static void *helper_main(void *arg)
{
	helper.tid = (pid_t)syscall(SYS_gettid);
	for (;;) {
		pthread_barrier_wait(&helper.start);
		if (!helper.fn)
			return NULL;
		errno = 0;
		helper.result = helper.fn();
		if (helper.result == -1)
			helper.result = -errno;
		pthread_barrier_wait(&helper.done);
	}
}

static long in_helper(long (*fn)(void))
{
	helper.fn = fn;
	pthread_barrier_wait(&helper.start);
	if (!fn)
		return pthread_join(helper.thread, NULL);
	pthread_barrier_wait(&helper.done);
	return helper.result;
}

static long nothing(void)
{
	return 0;
}

static int helper_begin(void)
{
	pthread_barrier_init(&helper.start, NULL, 2);
	pthread_barrier_init(&helper.done, NULL, 2);
	return pthread_create(&helper.thread, NULL, helper_main, NULL) || in_helper(nothing);
}

static long raw_becomes_user(void)
{
	return syscall(SYS_setresgid, USER, USER, USER) | syscall(SYS_setresuid, USER, USER, USER);
}

static long raw_euid_user(void)
{
	return syscall(SYS_setresuid, -1, USER, -1);
}

static long raw_euid_root(void)
{
	return syscall(SYS_setresuid, -1, 0, -1);
}

static long its_uid(void)
{
	return (long)syscall(SYS_getuid) << 32 | syscall(SYS_geteuid);
}

static long its_groups(void)
{
	return syscall(SYS_getgroups, 0, NULL);
}

static const char *path = "secret";

static long opens(void)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -1 : close(fd);
}

static long may_read(void)
{
	return access(path, R_OK);
}

static long drops_groups(void)
{
	gid_t g[] = {1, 2, 3};

	return syscall(SYS_setgroups, 3, g);
}

// The value of FIELD in FILE, up to the end of the line.
static int status_field(const char *file, const char *field, char *out, size_t size)
{
	FILE *f = fopen(file, "r");
	char line[500];
	int found = -1;

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':') {
			snprintf(out, size, "%s", line + strlen(field) + 1);
			out[strcspn(out, "\n")] = 0;
			found = 0;
		}
	if (f)
		fclose(f);
	return found;
}

TEST(raw_calls_change_one_thread)
{
	char file[64], text[200], want[64];

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("secret", 0600));
		NEED(!helper_begin() && !in_helper(raw_becomes_user));
		NEED_EQ(in_helper(its_uid), (long)USER << 32 | USER);
		NEED_EQ(its_uid(), 0);
		NEED_EQ(in_helper(opens), -EACCES);
		NEED_EQ(in_helper(may_read), -EACCES);
		NEED(!opens() && !may_read());
		NEED(!drops_groups());
		NEED_EQ(in_helper(drops_groups), -EPERM);
		NEED(its_groups() == 3 && in_helper(its_groups) != 3);
		snprintf(file, sizeof file, "/proc/self/task/%d/status", helper.tid);
		snprintf(want, sizeof want, "\t%d\t%d\t%d\t%d", USER, USER, USER, USER);
		NEED(!status_field(file, "Uid", text, sizeof text) && !strcmp(text, want));
		NEED(!status_field(file, "CapEff", text, sizeof text) && !strcmp(text, "\t0000000000000000"));
		NEED(!status_field("/proc/self/status", "Uid", text, sizeof text) &&
		     !strcmp(text, "\t0\t0\t0\t0"));
		in_helper(NULL);
	END_CHILD;
}

TEST(access_uses_real_ids)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("secret", 0600));
		NEED(!helper_begin() && !in_helper(raw_euid_user));
		NEED_EQ(in_helper(opens), -EACCES);
		NEED(!in_helper(may_read)); // the real user is root
		NEED(!in_helper(raw_euid_root) && !in_helper(opens));
		in_helper(NULL);
	END_CHILD;
}

static long library_setuid(void)
{
	return setuid(USER);
}

TEST(library_changes_all_threads)
{
	NEEDS_ROOT;
	CHILD
		NEED(!helper_begin());
		NEED(!setresuid(0, USER, 0));
		NEED_EQ(in_helper(its_uid), USER);
		NEED(!setresuid(0, 0, 0) && in_helper(its_uid) == 0);
		NEED(!setgroups(0, NULL));
		NEED_EQ(in_helper(its_groups), 0);
		NEED(!in_helper(library_setuid));
		NEED_EQ(its_uid(), (long)USER << 32 | USER);
		NEED(setuid(0) == -1 && errno == EPERM);
		in_helper(NULL);
	END_CHILD;
}

static long caps_effective(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) ? -1 : (long)d[0].effective;
}

static long caps_drop(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {0};

	return syscall(SYS_capset, &h, d);
}

static long no_new_privs_set(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long no_new_privs_get(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static long keep_caps_set(void)
{
	return prctl(PR_SET_KEEPCAPS, 1);
}

TEST(capabilities_and_bits_of_one_thread)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	char file[64], text[64];

	NEEDS_ROOT;
	CHILD
		NEED(!helper_begin());
		long full = caps_effective();
		NEED(full > 0 && in_helper(caps_effective) == full);
		NEED(!in_helper(keep_caps_set) && !prctl(PR_GET_KEEPCAPS));
		NEED(!in_helper(caps_drop) && !in_helper(caps_effective) && caps_effective() == full);
		h.pid = helper.tid;
		NEED(!syscall(SYS_capget, &h, d) && !d[0].effective && !d[0].permitted);
		NEED_ERR(syscall(SYS_capset, &h, d), EPERM);
		NEED(!in_helper(no_new_privs_set) && in_helper(no_new_privs_get) == 1 &&
		     no_new_privs_get() == 0);
		snprintf(file, sizeof file, "/proc/self/task/%d/status", helper.tid);
		NEED(!status_field(file, "NoNewPrivs", text, sizeof text) && !strcmp(text, "\t1"));
		NEED(!status_field("/proc/self/status", "NoNewPrivs", text, sizeof text) &&
		     !strcmp(text, "\t0"));
		in_helper(NULL);
	END_CHILD;
}

static pid_t target;

static long signals_it(void)
{
	return kill(target, 0);
}

static long limits_it(void)
{
	struct rlimit r;

	return prlimit(target, RLIMIT_NOFILE, NULL, &r);
}

static long reads_it(void)
{
	char c;
	struct iovec mine = {&c, 1}, theirs = {(void *)&target, 1};

	return process_vm_readv(target, &mine, 1, &theirs, 1, 0) == 1 ? 0 : -1;
}

static long renices_it(void)
{
	return setpriority(PRIO_PROCESS, (id_t)target, 5);
}

TEST(others_are_judged_by_the_threads)
{
	NEEDS_ROOT;
	CHILD
		target = fork();
		if (!target) {
			pause();
			_exit(0);
		}
		NEED(!helper_begin() && !in_helper(raw_becomes_user));
		NEED_EQ(in_helper(signals_it), -EPERM);
		NEED_EQ(in_helper(limits_it), -EPERM);
		NEED_EQ(in_helper(reads_it), -EPERM);
		NEED_EQ(in_helper(renices_it), -EPERM);
		NEED(!signals_it() && !limits_it() && !reads_it() && !renices_it());
		in_helper(NULL);
		kill(target, SIGKILL);
		waitpid(target, NULL, 0);
	END_CHILD;
}

TEST(dumpable_decides_who_may_look)
{
	int there[2], back[2];
	char c;

	NEEDS_ROOT;
	CHILD
		NEED(!pipe(there) && !pipe(back));
		target = fork();
		if (!target) {
			become(USER);
			for (int on = 1; on >= 0; on--)
				if (prctl(PR_SET_DUMPABLE, on) || write(back[1], "x", 1) != 1 ||
				    read(there[0], &c, 1) != 1)
					_exit(1);
			pause();
		}
		NEED(!helper_begin() && !in_helper(raw_becomes_user));
		NEED(read(back[0], &c, 1) == 1);
		NEED(!in_helper(reads_it) && !in_helper(signals_it));
		NEED(write(there[1], "x", 1) == 1 && read(back[0], &c, 1) == 1);
		NEED_EQ(in_helper(reads_it), -EPERM);
		NEED(!in_helper(signals_it));
		in_helper(NULL);
		kill(target, SIGKILL);
		waitpid(target, NULL, 0);
	END_CHILD;
}

static int sockets[2];

static long pairs(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
}

static long sends(void)
{
	return write(sockets[0], "x", 1) == 1 ? 0 : -1;
}

static long lies(void)
{
	struct ucred c = {getpid(), 0, 0};
	char control[CMSG_SPACE(sizeof c)] = {0};
	struct iovec v = {"x", 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_CREDENTIALS;
	h->cmsg_len = CMSG_LEN(sizeof c);
	memcpy(CMSG_DATA(h), &c, sizeof c);
	return sendmsg(sockets[0], &m, 0) == 1 ? 0 : -1;
}

TEST(sockets_tell_the_thread)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], c;
	struct iovec v = {&c, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct ucred cred;
	socklen_t len = sizeof cred;

	NEEDS_ROOT;
	CHILD
		NEED(!helper_begin() && !in_helper(raw_becomes_user) && !in_helper(pairs));
		NEED(!getsockopt(sockets[1], SOL_SOCKET, SO_PEERCRED, &cred, &len));
		NEED(cred.pid == getpid() && cred.uid == USER && cred.gid == USER);
		NEED(!setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
		NEED(!in_helper(sends) && recvmsg(sockets[1], &m, 0) == 1 && CMSG_FIRSTHDR(&m));
		memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof cred);
		NEED(cred.pid == getpid() && cred.uid == USER && cred.gid == USER);
		NEED_EQ(in_helper(lies), -EPERM);
		NEED(!lies());
		in_helper(NULL);
	END_CHILD;
}

static long executes(void)
{
	return execl("/proc/self/exe", "x", "whoami", NULL);
}

BEFORE_TESTS(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "whoami"))
		_exit(syscall(SYS_getuid) == USER && syscall(SYS_geteuid) == USER &&
				      syscall(SYS_gettid) == getpid() && !caps_effective()
			      ? 42
			      : 1);
}

TEST(exec_takes_the_callers)
{
	int status;

	NEEDS_ROOT;
	CHILD
		pid_t p = fork();
		if (!p) {
			if (helper_begin() || in_helper(raw_becomes_user))
				_exit(2);
			in_helper(executes);
			_exit(3);
		}
		NEED(waitpid(p, &status, 0) == p);
		NEED_EQ(status, 42 << 8);
	END_CHILD;
}

// The leader may be gone: its credentials are still what the process is judged by.
static void *outlives(void *arg)
{
	struct timespec moment = {0, 1000000};
	char name[40], text[100], want[100];

	snprintf(name, sizeof name, "/proc/%d/status", getpid());
	for (int i = 0; i < 10000 && !status_field(name, "State", text, sizeof text) && !strchr(text, 'Z');
	     i++)
		nanosleep(&moment, NULL);
	raw_becomes_user();
	snprintf(want, sizeof want, "\t0\t0\t0\t0");
	_exit(!status_field(name, "Uid", text, sizeof text) && !strcmp(text, want) ? 0 : 1);
}

TEST(dead_leader)
{
	NEEDS_ROOT;
	CHILD
		pthread_t t;
		NEED(!pthread_create(&t, NULL, outlives, NULL));
		syscall(SYS_exit, 0);
	END_CHILD;
}

static void *churns(void *arg)
{
	for (int i = 0; i < 200; i++)
		if (syscall(SYS_setresuid, -1, i % 2 ? 0 : USER, -1))
			return (void *)1;
	return NULL;
}

TEST(many_threads_change)
{
	NEEDS_ROOT;
	CHILD
		pthread_t t[4];
		void *r;
		char text[100];

		for (int i = 0; i < 4; i++)
			NEED(!pthread_create(&t[i], NULL, churns, NULL));
		for (int i = 0; i < 20; i++)
			NEED(!status_field("/proc/thread-self/status", "Uid", text, sizeof text));
		for (int i = 0; i < 4; i++) {
			NEED(!pthread_join(t[i], &r) && !r);
		}
		NEED(!its_uid());
	END_CHILD;
}
