// SPDX-License-Identifier: BSD-2-Clause
// Identities: user and group ids and capabilities, and what they let one do.
#include "abi_cred.h"
#include <linux/securebits.h>
#include <netinet/in.h>
#include <sys/resource.h>

TEST(uids_and_capabilities)
{
	struct caps c;

	NEEDS_ROOT;
	CHILD // setuid by root gives all up
		NEED(!caps_get(&c) && c.e == full && c.p == full);
		NEED(!syscall(SYS_setuid, 1000) && !caps_get(&c) && !c.e && !c.p);
		NEED_ERR(syscall(SYS_setuid, 0), EPERM);
		NEED_ERR(syscall(SYS_setreuid, 0, -1), EPERM);
		NEED_ERR(syscall(SYS_setresuid, -1, -1, 0), EPERM);
		NEED_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
		NEED_ERR(syscall(SYS_setuid, -1), EINVAL);
	END_CHILD;
	CHILD // the effective id comes and goes
		NEED(!syscall(SYS_setresuid, -1, 1000, -1) && !caps_get(&c) && !c.e && c.p == full);
		NEED(prctl(PR_GET_DUMPABLE) == 0);
		NEED(!syscall(SYS_setresuid, -1, 0, -1) && !caps_get(&c) && c.e == full);
	END_CHILD;
	CHILD // kept across setuid, but not effective
		NEED(!prctl(PR_SET_KEEPCAPS, 1) && prctl(PR_GET_KEEPCAPS) == 1);
		NEED_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
		NEED(!syscall(SYS_setuid, 1000) && !caps_get(&c) && !c.e && c.p == full);
		NEED(!caps_set(CAP(CAP_SETUID), full, 0) && !syscall(SYS_setuid, 1234));
		NEED(!caps_get(&c) && c.e == CAP(CAP_SETUID));
	END_CHILD;
	CHILD // no fixup at all
		NEED(!prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
		NEED(!syscall(SYS_setuid, 1000) && !caps_get(&c) && c.e == full);
	END_CHILD;
	CHILD // the file system id takes the capabilities of files
		uint64_t fs = CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) |
			      CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_LINUX_IMMUTABLE) | CAP(CAP_MKNOD) |
			      CAP(CAP_MAC_OVERRIDE);
		NEED(syscall(SYS_setfsuid, 1000) == 0 && syscall(SYS_setfsuid, -1) == 1000);
		NEED(!caps_get(&c) && c.e == (full & ~fs) && c.p == full);
		NEED(syscall(SYS_setfsuid, 0) == 1000 && !caps_get(&c) && c.e == full);
		NEED(syscall(SYS_setfsgid, 5) == 0 && syscall(SYS_setfsgid, -1) == 5);
	END_CHILD;
	CHILD // saved ids
		uid_t r, e, s;
		NEED(!syscall(SYS_setreuid, 1000, 2000) && !syscall(SYS_getresuid, &r, &e, &s));
		NEED(r == 1000 && e == 2000 && s == 2000);
		NEED(!syscall(SYS_setreuid, 2000, 1000) && !syscall(SYS_getresuid, &r, &e, &s));
		NEED(r == 2000 && e == 1000 && s == 1000);
		NEED(!syscall(SYS_setreuid, -1, -1) && !syscall(SYS_setresuid, -1, 2000, -1));
		NEED_ERR(syscall(SYS_setresuid, 3000, -1, -1), EPERM);
		NEED_ERR(syscall(SYS_getresuid, &r, &e, 8), EFAULT);
	END_CHILD;
}

TEST(capset_rules)
{
	struct __user_cap_header_struct h = {0x12345678, 0};
	struct __user_cap_data_struct d[2] = {0};
	struct caps c;

	NEEDS_ROOT;
	CHILD
		NEED_ERR(syscall(SYS_capget, &h, d), EINVAL);
		NEED(h.version == _LINUX_CAPABILITY_VERSION_3);
		h.version = 0;
		NEED(!syscall(SYS_capget, &h, NULL));
		h.pid = -1;
		NEED_ERR(syscall(SYS_capget, &h, d), EINVAL);
		h.pid = 0x7ffffff;
		NEED_ERR(syscall(SYS_capget, &h, d), ESRCH);
		h.pid = getppid();
		NEED_ERR(syscall(SYS_capset, &h, d), EPERM);
		NEED_ERR(syscall(SYS_capget, 8, d), EFAULT);
		h.pid = 0;
		NEED_ERR(syscall(SYS_capset, &h, 8), EFAULT);
		NEED(!caps_set(CAP(CAP_SETPCAP), CAP(CAP_SETPCAP) | CAP(CAP_KILL), CAP(CAP_CHOWN)));
		NEED_ERR(caps_set(CAP(CAP_KILL), CAP(CAP_SETPCAP), 0), EPERM);
		NEED_ERR(caps_set(0, CAP(CAP_CHOWN), 0), EPERM);
		NEED(!prctl(PR_CAPBSET_DROP, CAP_NET_RAW) && prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 0);
		NEED_ERR(caps_set(CAP(CAP_SETPCAP), CAP(CAP_SETPCAP), CAP(CAP_NET_RAW)), EPERM);
		NEED(!caps_set(0, CAP(CAP_KILL), CAP(CAP_CHOWN)));
		NEED_ERR(caps_set(0, CAP(CAP_KILL), CAP(CAP_CHOWN) | CAP(CAP_FOWNER)), EPERM);
		NEED(!caps_set(0, CAP(CAP_KILL), CAP(CAP_KILL)));
		NEED_ERR(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
		NEED_ERR(prctl(PR_CAPBSET_DROP, 64), EPERM);
		NEED_ERR(prctl(PR_CAPBSET_READ, 64), EINVAL);
		NEED(!caps_get(&c) && !c.e && c.p == CAP(CAP_KILL));
	END_CHILD;
}

TEST(securebits)
{
	NEEDS_ROOT;
	CHILD
		NEED(prctl(PR_GET_SECUREBITS) == 0);
		NEED_ERR(prctl(PR_SET_SECUREBITS, 0x1000), EPERM);
		NEED(!prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT));
		NEED_ERR(prctl(PR_SET_KEEPCAPS, 0), EPERM);
		NEED_ERR(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), EPERM);
		NEED(!prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED));
		NEED(!caps_set(0, full, 0));
		NEED_ERR(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT),
			 EPERM);
	END_CHILD;
}

TEST(capabilities_open_doors)
{
	struct stat st;

	NEEDS_ROOT;
	CHILD // root without capabilities is like anybody
		NEED(!scratch_enter() && !mkdir("d", 0700) && !chown("d", 1000, 1000) && !touch("f", 0600));
		NEED(!chown("f", 1000, 1000) && !touch("g", 0600) && !touch("d/in", 0644));
		NEED(!caps_set(0, full, 0));
		NEED_ERR(open("f", O_RDONLY), EACCES);
		NEED_ERR(stat("d/in", &st), EACCES);
		NEED_ERR(chmod("f", 0644), EPERM);
		NEED_ERR(chown("g", 1, 1), EPERM);
		NEED_ERR(mknod("null", S_IFCHR | 0666, 0x103), EPERM);
		NEED_ERR(chroot("."), EPERM);
		NEED_ERR(mount("x", "d", "tmpfs", 0, NULL), EPERM);
		NEED_ERR(umount2(".", MNT_DETACH), EPERM);
		NEED_ERR(sethostname("x", 1), EPERM);
		NEED(!access("f", R_OK)); // access asks for the real user, whose set is the permitted one
	END_CHILD;
	CHILD // and others with one can do what it says
		NEED(!scratch_enter() && !mkdir("d", 0700) && !touch("f", 0600) && !touch("d/in", 0600));
		NEED(!chown("f", 0, 4711));
		NEED(!prctl(PR_SET_KEEPCAPS, 1) && !syscall(SYS_setuid, 1000));
		NEED_ERR(open("f", O_RDONLY), EACCES);
		NEED(!caps_set(CAP(CAP_DAC_READ_SEARCH), full, 0));
		NEED(open("f", O_RDONLY) >= 0 && !stat("d/in", &st));
		NEED_ERR(open("f", O_WRONLY), EACCES);
		NEED_ERR(access("f", R_OK), EACCES);
		NEED(!caps_set(CAP(CAP_DAC_OVERRIDE), full, 0));
		NEED(open("f", O_RDWR) >= 0);
		NEED_ERR(execl("./f", "f", NULL), EACCES);
		NEED_ERR(chmod("f", 0644), EPERM);
		NEED(!caps_set(CAP(CAP_FOWNER), full, 0));
		NEED(!chmod("f", 06711) && !stat("f", &st));
		NEED_EQ(st.st_mode & 07777, 04711); // neither in the group nor CAP_FSETID
		NEED(!caps_set(CAP(CAP_FOWNER) | CAP(CAP_FSETID), full, 0));
		NEED(!chmod("f", 06711) && !stat("f", &st));
		NEED_EQ(st.st_mode & 07777, 06711);
		NEED_ERR(chown("f", 1000, -1), EPERM);
		NEED(!caps_set(CAP(CAP_CHOWN), full, 0));
		NEED_ERR(chown("f", 1000, 1000), EPERM); // it takes the set-ID bits, which is a chmod
		NEED(!caps_set(CAP(CAP_CHOWN) | CAP(CAP_FOWNER), full, 0));
		NEED(!chown("f", 1000, 1000) && !stat("f", &st));
		NEED_EQ(st.st_mode & 07777, 0711);
		NEED(!caps_set(CAP(CAP_MKNOD) | CAP(CAP_DAC_OVERRIDE), full, 0));
		NEED(!mknod("null", S_IFCHR | 0666, 0x103));
		NEED(!caps_set(CAP(CAP_SYS_CHROOT), full, 0));
		NEED(!chroot("."));
	END_CHILD;
}

static int down(const void *a, const void *b)
{
	return *(gid_t *)a < *(gid_t *)b ? 1 : -1;
}

TEST(groups)
{
	gid_t list[100], back[100];

	NEEDS_ROOT;
	for (int i = 0; i < 100; i++)
		list[i] = (gid_t)(i * 7919 % 1009 + 1);
	CHILD
		NEED(!syscall(SYS_setgroups, 100, list) && syscall(SYS_getgroups, 0, NULL) == 100);
		NEED(syscall(SYS_getgroups, 100, back) == 100);
		for (int i = 1; i < 100; i++)
			NEED(back[i - 1] < back[i]);
		qsort(list, 100, sizeof *list, down);
		for (int i = 0; i < 100; i++)
			NEED(list[i] == back[99 - i]);
		NEED_ERR(syscall(SYS_getgroups, 99, back), EINVAL);
		NEED_ERR(syscall(SYS_getgroups, -1, back), EINVAL);
		NEED_ERR(syscall(SYS_getgroups, 100, 8), EFAULT);
		NEED_ERR(syscall(SYS_setgroups, 65537, list), EINVAL);
		NEED_ERR(syscall(SYS_setgroups, 65536, 8), EFAULT);
		NEED_ERR(syscall(SYS_setgroups, -1, list), EINVAL);
		gid_t *many = calloc(65536, sizeof *many);
		for (int i = 0; i < 65536; i++)
			many[i] = (gid_t)(65536 - i);
		NEED(!syscall(SYS_setgroups, 65536, many) && syscall(SYS_getgroups, 65536, many) == 65536);
		NEED(many[0] == 1 && many[65535] == 65536);
		NEED(!scratch_enter() && !touch("f", 0040) && !chown("f", 0, 4711));
		NEED(!syscall(SYS_setuid, 1000) && open("f", O_RDONLY) >= 0);
		NEED_ERR(open("f", O_WRONLY), EACCES);
		NEED(!syscall(SYS_getgroups, 0, NULL) || 1);
		NEED_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
	END_CHILD;
}

TEST(prctl_surface)
{
	char name[16];
	int v;

	CHILD
		NEED_ERR(prctl(-1), EINVAL);
		NEED_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
		NEED(!prctl(PR_SET_PDEATHSIG, SIGUSR1) && !prctl(PR_GET_PDEATHSIG, &v) && v == SIGUSR1);
		NEED_ERR(prctl(PR_GET_PDEATHSIG, 8), EFAULT);
		NEED(prctl(PR_GET_DUMPABLE) == 1 && !prctl(PR_SET_DUMPABLE, 0) && !prctl(PR_GET_DUMPABLE));
		NEED_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
		NEED(!prctl(PR_SET_NAME, "a name that is far too long") && !prctl(PR_GET_NAME, name));
		NEED(!strcmp(name, "a name that is "));
		NEED_ERR(prctl(PR_SET_NAME, 8), EFAULT);
		NEED(prctl(PR_GET_TIMING) == PR_TIMING_STATISTICAL &&
		     !prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL));
		NEED_ERR(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
		NEED(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		NEED_ERR(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
		NEED(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
		NEED(!prctl(PR_SET_CHILD_SUBREAPER, 1) && !prctl(PR_GET_CHILD_SUBREAPER, &v) && v == 1);
		NEED(!prctl(PR_SET_TIMERSLACK, 4711) && prctl(PR_GET_TIMERSLACK) == 4711);
		NEED(!prctl(PR_SET_TIMERSLACK, 0) && prctl(PR_GET_TIMERSLACK) == 50000);
		NEED(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
		NEED_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
		NEED(!prctl(PR_TASK_PERF_EVENTS_DISABLE) && !prctl(PR_TASK_PERF_EVENTS_ENABLE));
		NEED_ERR(prctl(PR_SET_UNALIGN, 0), EINVAL);
		NEED_ERR(prctl(PR_SET_FPEMU, 0), EINVAL);
		NEED_ERR(prctl(PR_SET_FPEXC, 0), EINVAL);
		NEED_ERR(prctl(PR_SET_ENDIAN, 0), EINVAL);
		NEED(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
		NEED(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
		NEED(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
		NEED(!prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
		NEED(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
		NEED_ERR(prctl(PR_MCE_KILL, 5, 0, 0, 0), EINVAL);
		NEED_ERR(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0), EINVAL);
		NEED(!prctl(PR_GET_TSC, &v) && v == PR_TSC_ENABLE);
		NEED_ERR(prctl(PR_SET_TSC, 5), EINVAL);
		NEED_ERR(prctl(PR_SET_SECCOMP, 7), EINVAL);
		NEED(prctl(PR_GET_SECCOMP) == 0);
		if (full & CAP(CAP_SYS_RESOURCE)) {
			NEED(!prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) && !prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
			NEED(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
			NEED_ERR(prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0), EINVAL);
		}
		if (!geteuid())
			NEED(!become(NOBODY));
		NEED_ERR(prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0), EPERM);
	END_CHILD;
}

// It is the capability that counts, not the user.
TEST(root_without_capabilities)
{
	NEEDS_ROOT;
	CHILD
		NEED(!setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) && !mlock(scratch, 1));
		NEED(!caps_set(0, 0, 0) && !geteuid());
		NEED_ERR(mlock(scratch, 1), EPERM);
		NEED_ERR(mlockall(MCL_FUTURE), EPERM);
		NEED_ERR(syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1,
				 0),
			 EPERM);
		NEED_ERR(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	END_CHILD;
}
