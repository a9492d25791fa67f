// SPDX-License-Identifier: BSD-2-Clause
// Identities: what execve makes of them.
#include "abi_cred.h"
#include <linux/securebits.h>
#include <sys/xattr.h>

static int copy_self(const char *to, mode_t mode)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_EXCL | O_WRONLY, 0700);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -1;
	return close(in) | fchmod(out, mode) | close(out) | (int)n;
}

// Run PATH as user UID and compare what it reports. -errno when it could not be run.
static int run_as(const char *path, uid_t uid, int (*before)(void), const char *want, char *got)
{
	int fds[2], status, n = 0, r;
	pid_t p;

	if (pipe(fds))
		return -1;
	p = fork();
	if (!p) {
		dup2(fds[1], 1);
		close(fds[0]);
		if ((uid && become(uid)) || (before && before()))
			_exit(99);
		execl(path, path, "report", NULL);
		_exit(errno);
	}
	close(fds[1]);
	while ((r = (int)read(fds[0], got + n, (size_t)(199 - n))) > 0)
		n += r;
	got[n] = 0;
	close(fds[0]);
	waitpid(p, &status, 0);
	if (status)
		return -WEXITSTATUS(status);
	return !strncmp(got, want, strlen(want)) ? 0 : 1;
}

static int no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int drop_bounding(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0);
}

#define NEED_RUN(path, uid, before, want)                                                                   \
	do {                                                                                                \
		char got_[200] = "";                                                                        \
		int r_ = run_as(path, uid, before, want, got_);                                             \
		if (r_) {                                                                                   \
			snprintf(child_why, 500, "line %d: %s is %d: %s, not %s", __LINE__, path, r_, got_, \
				 want);                                                                     \
			_exit(1);                                                                           \
		}                                                                                           \
	} while (0)

TEST(exec_set_id)
{
	char want[100];

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter());
		NEED(!copy_self("plain", 0755));
		NEED(!copy_self("suid", 04755) && !copy_self("sgid", 02755) && !copy_self("sgid-nox", 02745));
		NEED(!copy_self("other", 0755) && !chown("other", 77, 78) && !chmod("other", 06755));
		NEED(!copy_self("hidden", 0711));
		NEED_RUN("./plain", NOBODY, NULL, "65534 65534 65534 65534 65534 65534 0 1 0 0");
		NEED_RUN("./hidden", NOBODY, NULL, "65534 65534 65534 65534 65534 65534 0 0 0 0");
		NEED_RUN("./suid", NOBODY, NULL, "65534 0 0 65534 65534 65534 1 0 ");
		NEED_RUN("./sgid", NOBODY, NULL, "65534 65534 65534 65534 0 0 1 0 0 0");
		NEED_RUN("./sgid-nox", 0, NULL, "0 0 0 0 0 0 0 1 ");
		NEED_RUN("./other", 0, NULL, "0 77 77 0 78 78 1 0 0 ");
		NEED_RUN("./suid", NOBODY, no_new_privs, "65534 65534 65534 65534 65534 65534 0 1 0 0");
		snprintf(want, sizeof want, "0 0 0 0 0 0 0 1 %llx ",
			 (unsigned long long)full & ~CAP(CAP_SYS_BOOT));
		NEED_RUN("./plain", 0, drop_bounding, want);
	END_CHILD;
}

TEST(exec_mount_flags)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter());
		NEED(!copy_self("prog", 04755) && !mkdir("script", 0755));
		NEED(!mkdir("m", 0755) && !mount(".", "m", NULL, MS_BIND, NULL));
		NEED_RUN("m/prog", NOBODY, NULL, "65534 0 0 ");
		NEED(!mount(NULL, "m", NULL, MS_BIND | MS_REMOUNT | MS_NOSUID, NULL));
		NEED_RUN("m/prog", NOBODY, NULL, "65534 65534 65534 65534 65534 65534 0 1 0 0");
		NEED(!mount(NULL, "m", NULL, MS_BIND | MS_REMOUNT | MS_NOEXEC, NULL));
		NEED_ERR(execl("m/prog", "prog", "report", NULL), EACCES);
		NEED_ERR(access("m/prog", X_OK), EACCES);
		NEED(!access("prog", X_OK));
		int fd = open("m/prog", O_RDONLY);
		NEED(fd >= 0);
		NEED_ERR(syscall(SYS_execveat, fd, "", (char *[]){"prog", NULL}, NULL, AT_EMPTY_PATH),
			 EACCES);
		NEED(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED &&
		     errno == EPERM);
		void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		NEED(p != MAP_FAILED);
		NEED_ERR(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
		munmap(p, 4096);
		close(fd);
		NEED(!umount("m"));
	END_CHILD;
}

TEST(file_capabilities)
{
	struct vfs_cap_data d = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
				 .data[0].permitted = CAP(CAP_NET_RAW)};

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !copy_self("capable", 0755));
		if (setxattr("capable", "security.capability", &d, sizeof d, 0) && errno == EOPNOTSUPP)
			_exit(0);
		NEED_RUN("./capable", NOBODY, NULL, "65534 65534 65534 65534 65534 65534 1 0 2000 2000");
		NEED_RUN("./capable", NOBODY, no_new_privs, "65534 65534 65534 65534 65534 65534 1 1 0 0");
		d.magic_etc = VFS_CAP_REVISION_2;
		NEED(!setxattr("capable", "security.capability", &d, sizeof d, 0));
		NEED_RUN("./capable", NOBODY, NULL, "65534 65534 65534 65534 65534 65534 1 0 0 2000");
		NEED(!become(NOBODY));
		NEED_ERR(setxattr("capable", "security.capability", &d, sizeof d, 0), EPERM);
	END_CHILD;
}

TEST(ambient_capabilities)
{
	struct caps c;

	NEEDS_ROOT;
	CHILD
		NEED_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
		NEED(!caps_set(full, full, CAP(CAP_KILL)));
		NEED(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
		NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 1);
		NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 0);
		NEED_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 64, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 1, 0), EINVAL);
		NEED_ERR(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
		NEED(!caps_set(full, full, 0)); // no longer inheritable: not ambient either
		NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 0);
		NEED(!caps_set(full, full, CAP(CAP_KILL)));
		NEED(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
		NEED(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
		NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 0);
		NEED(!prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
		NEED_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
		NEED(!prctl(PR_SET_SECUREBITS, 0));
		NEED(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
		NEED(!prctl(PR_SET_KEEPCAPS, 1) &&
		     !syscall(SYS_setuid, 1000)); // kept, but not the ambient ones
		NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) == 0);
		NEED(!prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
		NEED(!scratch_enter() || errno);
		char got[200];
		int r = run_as("/proc/self/exe", 0, NULL, "1000 1000 1000 0 0 0 0 1 20 20", got);
		NEED_EQ(r, 0);
		NEED(!caps_get(&c));
	END_CHILD;
}
