// SPDX-License-Identifier: BSD-2-Clause
/* Two trees side by side (diff.h): names, attributes, folders, and who asks. */
#include "tests/unit/fs/diff.h"

void op_names(void)
{
	const char *p = path(), *q = path();
	u32 mode = rnd() & 07777, f;
	/* No FIFOs: Linux would wait for their other end. */
	static const u32 types[] = {S_IFSOCK, S_IFSOCK, S_IFREG, 0, S_IFDIR, S_IFCHR, S_IFLNK};

	choose_dirfd();
	switch (rnd() % 9) {
	case 0:
	case 1:
		note("mkdirat(%ld, %s, %o)", dirfd_ours, p, mode);
		same("mkdir", SYS(mkdirat, dirfd_ours, p, mode), LINUX(mkdirat, dirfd_theirs, p, mode));
		break;
	case 2:
		f = rnd() % 20 ? (rnd() % 2 ? AT_REMOVEDIR : 0) : 1;
		note("unlinkat(%ld, %s, %#x)", dirfd_ours, p, f);
		same("unlink", SYS(unlinkat, dirfd_ours, p, f), LINUX(unlinkat, dirfd_theirs, p, f));
		break;
	case 3:
	case 4:
		f = rnd() % 3 ? 0 : rnd() % 4;
		note("renameat2(%s, %s, %u)", p, q, f);
		same("rename", SYS(renameat2, AT_FDCWD, p, AT_FDCWD, q, f),
		     LINUX(renameat2, AT_FDCWD, p, AT_FDCWD, q, f));
		break;
	case 5:
		if (current_cred()->euid)
			break; /* sysctl fs.protected_hardlinks of the host */
		f = rnd() % 2 ? AT_SYMLINK_FOLLOW : rnd() % 20 ? 0 : 1;
		note("linkat(%ld, %s, %s, %#x)", dirfd_ours, p, q, f);
		same("link", SYS(linkat, dirfd_ours, p, AT_FDCWD, q, f),
		     LINUX(linkat, dirfd_theirs, p, AT_FDCWD, q, f));
		break;
	case 6:
		note("symlinkat(%s, %ld, %s)", p, dirfd_ours, q);
		same("symlink", SYS(symlinkat, p, dirfd_ours, q), LINUX(symlinkat, p, dirfd_theirs, q));
		break;
	case 7:
		f = types[rnd() % 7];
		note("mknod(%s, %o)", p, f | mode);
		same("mknod", SYS(mknod, p, f | mode, makedev(77, 77)),
		     LINUX(mknod, p, f | mode, makedev(77, 77)));
		break;
	default:
		note("rmdir(%s)", p);
		same("rmdir", SYS(rmdir, p), LINUX(rmdir, p));
	}
}

void op_ask(void)
{
	const char *p = path();
	char a[300] = "", b[300] = "";
	struct statx x, y;
	u32 f = rnd() % 2 ? AT_SYMLINK_NOFOLLOW : 0, mode = rnd() % 9;
	long r;

	if (rnd() % 10 == 0)
		f |= AT_EMPTY_PATH;
	choose_dirfd();
	switch (rnd() % 3) {
	case 0:
		note("statx(%ld, %s, %#x)", dirfd_ours, p, f);
		r = SYS(statx, dirfd_ours, p, f, STATX_ALL, &x);
		same("statx", r, LINUX(statx, dirfd_theirs, p, f, STATX_ALL, &y));
		if (!r)
			compare_statx(&x, &y);
		break;
	case 1:
		note("readlinkat(%ld, %s)", dirfd_ours, p);
		r = SYS(readlinkat, dirfd_ours, p, a, mode * 20);
		same("readlink", r, LINUX(readlinkat, dirfd_theirs, p, b, mode * 20));
		if (memcmp(a, b, sizeof a))
			differ("readlink: other text", 0, 0);
		break;
	default:
		f |= rnd() % 3 == 0 ? AT_EACCESS : 0;
		note("faccessat2(%ld, %s, %u, %#x)", dirfd_ours, p, mode, f);
		same("access", SYS(faccessat2, dirfd_ours, p, mode, f),
		     LINUX(faccessat2, dirfd_theirs, p, mode, f));
	}
}

void op_attr(void)
{
	const char *p = path();
	u32 mode = rnd() & 07777, f = rnd() % 3 ? 0 : AT_SYMLINK_NOFOLLOW;
	u32 uid = rnd() % 3 ? 1000 + rnd() % 2 : ~0u, gid = rnd() % 3 ? 1000 + rnd() % 2 : ~0u;
	s64 t[4] = {rnd(), rnd() % 2 ? (1l << 30) - 1 - rnd() % 2 : rnd() % 1000000000, rnd(), 5};
	int s = any_slot();

	choose_dirfd();
	switch (rnd() % 5) {
	case 0:
		note("fchmodat(%ld, %s, %o)", dirfd_ours, p, mode);
		same("chmod", SYS(fchmodat, dirfd_ours, p, mode), LINUX(fchmodat, dirfd_theirs, p, mode));
		break;
	case 1:
		note("fchmod(%ld, %o)", slot[s].ours, mode);
		same("fchmod", SYS(fchmod, slot[s].ours, mode), LINUX(fchmod, slot[s].theirs, mode));
		break;
	case 2:
		note("fchownat(%ld, %s, %d, %d, %#x)", dirfd_ours, p, (int)uid, (int)gid, f);
		same("chown", SYS(fchownat, dirfd_ours, p, uid, gid, f),
		     LINUX(fchownat, dirfd_theirs, p, uid, gid, f));
		break;
	case 3:
		note("utimensat(%ld, %s, %lx, %#x)", dirfd_ours, p, (long)t[1], f);
		same("utimensat", SYS(utimensat, dirfd_ours, p, t, f),
		     LINUX(utimensat, dirfd_theirs, p, t, f));
		break;
	default:
		note("futimens(%ld, %lx)", slot[s].ours, (long)t[1]);
		same("futimens", SYS(utimensat, slot[s].ours, 0, t, 0),
		     LINUX(utimensat, slot[s].theirs, 0, t, 0));
	}
}

void op_xattr(void)
{
	static const char *const names[] = {"user.a", "user.bb", "trusted.t", "user.", "other", "security.x"};
	const char *p = path(), *name = names[rnd() % 6];
	int flags = (int)(rnd() % 3);
	char a[64] = "", b[64] = "";
	size_t size = rnd() % 40;
	long r;

	switch (rnd() % 4) {
	case 0:
	case 1:
		note("lsetxattr(%s, %s, %zu, %d)", p, name, size, flags);
		same("setxattr", SYS(lsetxattr, p, name, p, strlen(p), flags),
		     LINUX(lsetxattr, p, name, p, strlen(p), flags));
		break;
	case 2:
		note("getxattr(%s, %s, %zu)", p, name, size);
		r = SYS(getxattr, p, name, a, size);
		same("getxattr", r, LINUX(getxattr, p, name, b, size));
		if (memcmp(a, b, sizeof a))
			differ("getxattr: other value", 0, 0);
		break;
	default:
		note("removexattr(%s, %s)", p, name);
		same("removexattr", SYS(removexattr, p, name), LINUX(removexattr, p, name));
	}
}

/* Names at the limits of length. */
void op_long(void)
{
	static char p[5000], t[5000];
	size_t n = 250 + rnd() % 10;

	memset(p, 'x', n);
	p[n] = 0;
	if (rnd() % 2) {
		/* Up to PATH_MAX by slashes and dots. */
		size_t at = 4080 + rnd() % 20;

		for (size_t k = 0; k < at; k++)
			p[k] = k % 2 ? '/' : '.';
		strcpy(p + at, rnd() % 2 ? "a" : "/a");
	}
	memset(t, 'y', 4090 + rnd() % 10);
	t[4090 + rnd() % 10] = 0;
	note("long names %zu", n);
	switch (rnd() % 5) {
	case 0:
		same("mkdir", SYS(mkdir, p, 0755), LINUX(mkdir, p, 0755));
		break;
	case 1:
		same("rmdir", SYS(rmdir, p), LINUX(rmdir, p));
		break;
	case 2:
		same("symlink", SYS(symlink, t, p), LINUX(symlink, t, p));
		break;
	case 3:
		same("unlink", SYS(unlink, p), LINUX(unlink, p));
		break;
	default:
		same("access", SYS(access, p, 0), LINUX(access, p, 0));
	}
}

void op_cwd(void)
{
	char a[500] = "", b[500] = "", *x, *y;
	long n = SYS(getcwd, a, sizeof a), m = LINUX(getcwd, b, sizeof b);

	note("getcwd");
	if (n < 0 || m < 0) {
		same("getcwd", n, m);
		return;
	}
	x = strstr(a, "/p/q");
	y = strstr(b, "/p/q");
	if (!x != !y || (x && strcmp(x, y)))
		differ("getcwd: other text", n, m);
}

void op_list(void)
{
	static char a[64][24], b[64][24];
	int s = any_slot();
	long n, m;

	note("list(%ld)", slot[s].ours);
	memset(a, 0, sizeof a);
	memset(b, 0, sizeof b);
	SYS(lseek, slot[s].ours, 0, 0);
	lseek((int)slot[s].theirs, 0, 0);
	n = list_names(slot[s].ours, true, a);
	m = list_names(slot[s].theirs, false, b);
	same("getdents", n, m);
	if (memcmp(a, b, sizeof a))
		differ("other names", n, m);
	SYS(lseek, slot[s].ours, 0, 0);
	lseek((int)slot[s].theirs, 0, 0);
}

void op_user(void)
{
	u32 uid = rnd() % 2 ? 1000 : 0;
	struct cred *c = current->cred;

	note("euid %u", uid);
	if (setegid(0) || seteuid(0) || setegid(uid) || seteuid(uid))
		fail_msg("seteuid");
	c->euid = c->fsuid = c->egid = c->fsgid = uid;
	c->cap_effective = uid ? 0 : ~0ull;
}

void op_chdir(void)
{
	int s = any_slot();

	if (rnd() % 8)
		return;
	note("fchdir(%ld)", slot[s].ours);
	same("fchdir", SYS(fchdir, slot[s].ours), LINUX(fchdir, slot[s].theirs));
}
