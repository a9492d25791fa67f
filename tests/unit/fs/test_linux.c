// SPDX-License-Identifier: BSD-2-Clause
/* The same random calls on our tmpfs and on the tmpfs of the Linux that this test runs on: every result,
 * error number and byte must be the same. Needs root and a tmpfs on /dev/shm; skipped elsewhere. DIFF_SEED
 * and DIFF_ROUNDS in the environment repeat or lengthen a run. */
// cflags: -Wno-format-truncation
// sources: fs/vfs/*.c fs/tmpfs/*.c fs/overlay/*.c kernel/drivers/block.c
// sources: kernel/lib/iter.c kernel/lib/rbtree.c
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <asm/statfs.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "base/iter.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

/* libc's <sys/stat.h> does not go along with the kernel's headers. */
extern int chmod(const char *path, unsigned mode);
extern int mkdir(const char *path, unsigned mode);
extern unsigned umask(unsigned mask);

#define SLOTS 6

static u64 seed;
static struct {
	long ours, theirs;
} slot[SLOTS];
static char trail[400][256]; /* the last calls, for a report */
static unsigned ncalls;
static u64 round_seed;
/* Space was allocated: to us it is data, to Linux it depends on how often it was allocated. */
static bool allocated;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

static long linux_ret(long r)
{
	return r < 0 ? -errno : r;
}

#define LINUX(name, ...) linux_ret(syscall(SYS_##name, ##__VA_ARGS__))

static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trail[ncalls++ % 400], sizeof trail[0], fmt, ap);
	va_end(ap);
}

static void differ(const char *what, long ours, long theirs)
{
	for (unsigned n = ncalls > 400 ? ncalls - 400 : 0; n < ncalls; n++)
		fprintf(stderr, "  %s\n", trail[n % 400]);
	fail_msg("seed %lu: %s: ours %ld, Linux %ld", (unsigned long)round_seed, what, ours, theirs);
}

static void same(const char *what, long ours, long theirs)
{
	if (ours != theirs)
		differ(what, ours, theirs);
}

static const char *path(void)
{
	static char bufs[4][128];
	static unsigned next;
	static const char *const words[] = {"a", "b", "c", "a", "b", "c", "l", "m", ".", "..", "a"};
	char *p = bufs[next++ % 4];
	unsigned depth = 1 + rnd() % 3, n;

	if (rnd() % 200 == 0)
		return "";
	*p = 0;
	for (n = 0; n < depth; n++) {
		strcat(p, n ? (rnd() % 12 ? "/" : "//") : "");
		strcat(p, words[rnd() % 11]);
	}
	if (rnd() % 12 == 0)
		strcat(p, "/");
	return p;
}

static int any_slot(void)
{
	return (int)(rnd() % SLOTS);
}

/* A directory descriptor for the *at calls: mostly the current folder. */
static long dirfd_ours, dirfd_theirs;

static void choose_dirfd(void)
{
	int s = any_slot();

	dirfd_ours = dirfd_theirs = AT_FDCWD;
	if (rnd() % 4 == 0) {
		dirfd_ours = slot[s].ours;
		dirfd_theirs = slot[s].theirs;
	}
}

#define NEST  "/p/q/r/s/t/u/v/w"	/* what calls may reach by ".." */
#define FLOOR NEST "/a1/b1/c1/d1/e1/f1" /* where they start */

/* A directory so far up that ".." from there could leave what both sides share. */
static bool too_high(long fd)
{
	struct file *f = fd_get_raw((int)fd);
	char buf[512], *text;
	bool high;

	if (!f)
		return false;
	text = path_text(&f->path, buf, sizeof buf);
	high = S_ISDIR(f->inode->mode) && strncmp(text, "/diff" NEST, sizeof "/diff" NEST - 1);
	file_put(f);
	return high;
}

static void put_slot(long ours, long theirs, const char *what)
{
	int s = any_slot();

	if ((ours < 0) != (theirs < 0) || (ours < 0 && ours != theirs))
		differ(what, ours, theirs);
	if (ours < 0)
		return;
	if (too_high(ours)) {
		SYS(close, ours);
		close((int)theirs);
		return;
	}
	if (slot[s].ours >= 0) {
		SYS(close, slot[s].ours);
		close((int)slot[s].theirs);
	}
	slot[s].ours = ours;
	slot[s].theirs = theirs;
}

static void op_open(void)
{
	static const u32 extra[] = {O_CREAT,	O_CREAT, O_CREAT | O_EXCL, O_TRUNC,    O_APPEND, O_DIRECTORY,
				    O_NOFOLLOW, O_PATH,	 O_NOATIME,	   O_NONBLOCK, O_TMPFILE};
	const char *p = path();
	u32 flags = rnd() % 3, mode = rnd() & 07777;

	for (u32 n = rnd() % 4; n; n--)
		flags |= extra[rnd() % ARRAY_SIZE(extra)];
	if (rnd() % 40 == 0)
		flags |= 3;
	choose_dirfd();
	note("openat(%ld, %s, %#o, %o)", dirfd_ours, p, flags, mode);
	put_slot(SYS(openat, dirfd_ours, p, flags, mode), LINUX(openat, dirfd_theirs, p, flags, mode),
		 "openat");
}

static void op_openat2(void)
{
	struct open_how h = {.flags = rnd() % 3, .resolve = rnd() % 32};
	const char *p = path();

	if (rnd() % 3 == 0) {
		h.flags |= O_CREAT;
		h.mode = 0644;
	}
	choose_dirfd();
	note("openat2(%ld, %s, %#llx, %#llx)", dirfd_ours, p, h.flags, h.resolve);
	put_slot(SYS(openat2, dirfd_ours, p, &h, sizeof h), LINUX(openat2, dirfd_theirs, p, &h, sizeof h),
		 "openat2");
}

static void op_close(void)
{
	int s = any_slot();

	note("close(%ld)", slot[s].ours);
	same("close", SYS(close, slot[s].ours), LINUX(close, slot[s].theirs));
	slot[s].ours = slot[s].theirs = -1;
}

static void op_dup(void)
{
	int s = any_slot();

	note("dup(%ld)", slot[s].ours);
	put_slot(SYS(dup, slot[s].ours), LINUX(dup, slot[s].theirs), "dup");
}

static u64 offset(void)
{
	static const u64 edges[] = {0, 1, 4095, 4096, 4097, 8192, 20000, 65536};

	return rnd() % 3 ? rnd() % 20000 : edges[rnd() % 8];
}

static void op_read(void)
{
	static u8 a[9000], b[9000];
	int s = any_slot();
	size_t n = offset() % 9000;
	s64 pos = rnd() % 50 ? (s64)offset() : -1;
	long x, y;

	memset(a, 0xaa, sizeof a);
	memset(b, 0xaa, sizeof b);
	if (rnd() % 2) {
		note("read(%ld, %zu)", slot[s].ours, n);
		x = SYS(read, slot[s].ours, a, n);
		y = LINUX(read, slot[s].theirs, b, n);
	} else {
		note("pread(%ld, %zu, %ld)", slot[s].ours, n, (long)pos);
		x = SYS(pread64, slot[s].ours, a, n, pos);
		y = LINUX(pread64, slot[s].theirs, b, n, pos);
	}
	same("read", x, y);
	if (memcmp(a, b, sizeof a))
		differ("read: other bytes", x, y);
}

static void op_write(void)
{
	static u8 a[9000];
	int s = any_slot();
	size_t n = offset() % 9000;
	u64 pos = offset();

	for (size_t k = 0; k < n; k++)
		a[k] = (u8)rnd();
	if (rnd() % 2) {
		note("write(%ld, %zu)", slot[s].ours, n);
		same("write", SYS(write, slot[s].ours, a, n), LINUX(write, slot[s].theirs, a, n));
	} else {
		note("pwrite(%ld, %zu, %lu)", slot[s].ours, n, (unsigned long)pos);
		same("pwrite", SYS(pwrite64, slot[s].ours, a, n, pos),
		     LINUX(pwrite64, slot[s].theirs, a, n, pos));
	}
}

static void op_seek(void)
{
	int s = any_slot(), whence = (int)(rnd() % 6);
	s64 off = (s64)offset() - (rnd() % 4 == 0 ? 10000 : 0);
	struct statx x;

	/* Positions of directories are each system's own. */
	if (!SYS(statx, slot[s].ours, "", AT_EMPTY_PATH, STATX_ALL, &x) && S_ISDIR(x.stx_mode)) {
		off = 0;
		whence = 0;
	}
	if (allocated && (whence == SEEK_DATA || whence == SEEK_HOLE))
		return;
	note("lseek(%ld, %ld, %d)", slot[s].ours, (long)off, whence);
	same("lseek", SYS(lseek, slot[s].ours, off, whence), LINUX(lseek, slot[s].theirs, off, whence));
}

static void op_size(void)
{
	static const int modes[] = {0,
				    FALLOC_FL_KEEP_SIZE,
				    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				    FALLOC_FL_PUNCH_HOLE,
				    FALLOC_FL_COLLAPSE_RANGE,
				    0x1000};
	int s = any_slot(), mode = modes[rnd() % 6];
	s64 off = (s64)offset(), len = (s64)offset() - (rnd() % 20 == 0);
	const char *p = path();

	switch (rnd() % 3) {
	case 0:
		note("ftruncate(%ld, %ld)", slot[s].ours, (long)off);
		same("ftruncate", SYS(ftruncate, slot[s].ours, off), LINUX(ftruncate, slot[s].theirs, off));
		break;
	case 1:
		note("truncate(%s, %ld)", p, (long)off);
		same("truncate", SYS(truncate, p, off), LINUX(truncate, p, off));
		break;
	default:
		note("fallocate(%ld, %#x, %ld, %ld)", slot[s].ours, mode, (long)off, (long)len);
		same("fallocate", SYS(fallocate, slot[s].ours, mode, off, len),
		     LINUX(fallocate, slot[s].theirs, mode, off, len));
		allocated |= !(mode & FALLOC_FL_PUNCH_HOLE);
	}
}

/* Do both slots lead to one file? What a copy within a file reads of what it has just written is undefined.
 */
static bool same_file(int a, int b)
{
	struct statx x, y;

	return a == b ||
	       (!SYS(statx, slot[a].ours, "", AT_EMPTY_PATH, STATX_ALL, &x) &&
		!SYS(statx, slot[b].ours, "", AT_EMPTY_PATH, STATX_ALL, &y) && x.stx_ino == y.stx_ino);
}

static void op_copy(void)
{
	int a = any_slot(), b = any_slot();
	s64 in = (s64)offset(), out = (s64)offset(), in2 = in, out2 = out;
	size_t n = offset();

	if (rnd() % 2) {
		bool own = rnd() % 2;

		if (same_file(a, b))
			return;

		note("sendfile(%ld, %ld, %ld, %zu)", slot[a].ours, slot[b].ours, own ? -1 : (long)in, n);
		same("sendfile", SYS(sendfile, slot[a].ours, slot[b].ours, own ? NULL : &in, n),
		     LINUX(sendfile, slot[a].theirs, slot[b].theirs, own ? NULL : &in2, n));
	} else {
		note("copy_file_range(%ld, %ld, %ld, %ld, %zu)", slot[a].ours, (long)in, slot[b].ours,
		     (long)out, n);
		same("copy_file_range", SYS(copy_file_range, slot[a].ours, &in, slot[b].ours, &out, n, 0),
		     LINUX(copy_file_range, slot[a].theirs, &in2, slot[b].theirs, &out2, n, 0));
		same("offset out", out, out2);
	}
	same("offset in", in, in2);
}

static void op_names(void)
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

static void compare_statx(const struct statx *x, const struct statx *y)
{
	same("mode", x->stx_mode, y->stx_mode);
	same("nlink", x->stx_nlink, y->stx_nlink);
	same("uid", x->stx_uid, y->stx_uid);
	same("gid", x->stx_gid, y->stx_gid);
	same("size", (long)x->stx_size, (long)y->stx_size);
	same("rdev", x->stx_rdev_major, y->stx_rdev_major);
	if (S_ISREG(x->stx_mode))
		same("blocks", (long)x->stx_blocks, (long)y->stx_blocks);
}

static void op_ask(void)
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

static void op_attr(void)
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

static void op_xattr(void)
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

static void op_fcntl(void)
{
	struct flock a = {.l_type = (short)(rnd() % 4),
			  .l_start = (s64)offset(),
			  .l_len = (s64)(offset() % 5000)},
		     b;
	int s = any_slot(), cmd = (int)(rnd() % 3);
	u32 flags = (rnd() % 2 ? O_APPEND : 0) | (rnd() % 2 ? O_NONBLOCK : 0) | (rnd() % 8 ? 0 : O_NOATIME);
	long r;

	switch (rnd() % 6) {
	case 0:
		note("fcntl(%ld, F_GETFL)", slot[s].ours);
		same("F_GETFL", SYS(fcntl, slot[s].ours, F_GETFL, 0),
		     LINUX(fcntl, slot[s].theirs, F_GETFL, 0));
		break;
	case 1:
		note("fcntl(%ld, F_SETFL, %#o)", slot[s].ours, flags);
		same("F_SETFL", SYS(fcntl, slot[s].ours, F_SETFL, flags),
		     LINUX(fcntl, slot[s].theirs, F_SETFL, flags));
		break;
	case 2:
		a.l_whence = (short)(rnd() % 4);
		if (rnd() % 4 == 0)
			a.l_len = -a.l_len;
		b = a;
		/* Positions of directories are each system's own. */
		if (a.l_whence == 1)
			a.l_whence = b.l_whence = 0;
		note("fcntl(%ld, OFD %d, type %d, %ld+%ld)", slot[s].ours, cmd, a.l_type, (long)a.l_start,
		     (long)a.l_len);
		cmd = cmd == 0 ? F_OFD_GETLK : F_OFD_SETLK;
		r = SYS(fcntl, slot[s].ours, cmd, &a);
		same("OFD lock", r, LINUX(fcntl, slot[s].theirs, cmd, &b));
		same("lock type", a.l_type, b.l_type);
		same("lock start", (long)a.l_start, (long)b.l_start);
		same("lock len", (long)a.l_len, (long)b.l_len);
		break;
	case 3:
		note("flock(%ld, %d)", slot[s].ours, cmd);
		cmd = (cmd == 0 ? 1 : cmd == 1 ? 2 : 8) | 4;
		same("flock", SYS(flock, slot[s].ours, cmd), LINUX(flock, slot[s].theirs, cmd));
		break;
	case 4:
		note("fsync(%ld)", slot[s].ours);
		same("fsync", SYS(fsync, slot[s].ours), LINUX(fsync, slot[s].theirs));
		break;
	default:
		cmd = (int)(rnd() % 7);
		note("fadvise(%ld, %d)", slot[s].ours, cmd);
		same("fadvise", SYS(fadvise64, slot[s].ours, 0, 5000, cmd),
		     LINUX(fadvise64, slot[s].theirs, 0, 5000, cmd));
	}
}

static void op_memory(void)
{
	int s = any_slot();
	u32 flags = rnd() % 4, seals = rnd() % 4 ? 1u << rnd() % 5 : rnd() % 64;
	long r;

	switch (rnd() % 4) {
	case 0:
		note("memfd_create(%u)", flags);
		put_slot(SYS(memfd_create, "name", flags), LINUX(memfd_create, "name", flags),
			 "memfd_create");
		break;
	case 1:
		note("fcntl(%ld, F_ADD_SEALS, %#x)", slot[s].ours, seals);
		r = SYS(fcntl, slot[s].ours, F_ADD_SEALS, seals);
		/* F_SEAL_EXEC came with Linux 6.3: not ours. */
		if (!(seals & 0x20))
			same("F_ADD_SEALS", r, LINUX(fcntl, slot[s].theirs, F_ADD_SEALS, seals));
		break;
	default:
		note("fcntl(%ld, F_GET_SEALS)", slot[s].ours);
		same("F_GET_SEALS", SYS(fcntl, slot[s].ours, F_GET_SEALS, 0),
		     LINUX(fcntl, slot[s].theirs, F_GET_SEALS, 0));
	}
}

static void op_vector(void)
{
	static u8 a[6000], b[6000];
	u32 flags = rnd() % 3 ? 0 : 1u << rnd() % 6;
	size_t one = rnd() % 3000, two = rnd() % 3000;
	struct iter_vec v[3] = {{a, one}, {NULL, 0}, {a + one, two}},
			w[3] = {{b, one}, {NULL, 0}, {b + one, two}};
	s64 pos = rnd() % 5 ? (s64)offset() : -1;
	int s = any_slot();
	long x, y;

	/* What a read without waiting finds ready is each system's own; RWF_NOAPPEND and later are not ours.
	 */
	if (flags & ~0x17u)
		flags = 0;
	memset(a, 0x55, sizeof a);
	memset(b, 0x55, sizeof b);
	note("p%sv2(%ld, %zu+%zu, %ld, %#x)", pos & 1 ? "read" : "write", slot[s].ours, one, two, (long)pos,
	     flags);
	if (pos & 1) {
		x = SYS(preadv2, slot[s].ours, v, 3, pos, 0, flags);
		y = LINUX(preadv2, slot[s].theirs, w, 3, pos, 0, flags);
		/* Linux refuses RWF_APPEND when reading from 6.9 on. */
		if (!(flags & 0x10))
			same("preadv2", x, y);
		if (!(flags & 0x10) && memcmp(a, b, sizeof a))
			differ("preadv2: other bytes", x, y);
	} else {
		same("pwritev2", SYS(pwritev2, slot[s].ours, v, 3, pos, 0, flags),
		     LINUX(pwritev2, slot[s].theirs, w, 3, pos, 0, flags));
	}
}

static void op_control(void)
{
	static const u32 cmds[] = {
		0x541B /* FIONREAD */, 2 /* FIGETBSZ */, 0x5421 /* FIONBIO */, 0x5451, 0x5450, 0x5401, 99};
	u32 cmd = cmds[rnd() % 7];
	int s = any_slot(), a = (int)(rnd() % 2), b = a;
	struct statx x;
	long r;

	/* The position of a directory is each system's own. */
	if (!SYS(statx, slot[s].ours, "", AT_EMPTY_PATH, STATX_ALL, &x) && !S_ISREG(x.stx_mode) &&
	    cmd < 0x5421)
		return;
	note("ioctl(%ld, %#x)", slot[s].ours, cmd);
	r = SYS(ioctl, slot[s].ours, cmd, &a);
	same("ioctl", r, LINUX(ioctl, slot[s].theirs, cmd, &b));
	same("ioctl result", a, b);
}

/* Names at the limits of length. */
static void op_long(void)
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

static void op_cwd(void)
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

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names and types, sorted: the order is each system's own. */
static long list_names(long fd, bool ours, char out[64][24])
{
	char buf[2048];
	long n, count = 0;

	for (;;) {
		n = ours ? SYS(getdents64, fd, buf, sizeof buf) : LINUX(getdents64, fd, buf, sizeof buf);
		if (n <= 0)
			break;
		for (long at = 0; at < n && count < 64; at += *(u16 *)(buf + at + 16))
			snprintf(out[count++], 24, "%s %d", buf + at + 19, (u8)buf[at + 18]);
	}
	qsort(out, (size_t)count, 24, by_text);
	return n < 0 ? n : count;
}

static void op_list(void)
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

/* DIFF_DEEP: compare everything after each call, to find where two trees part. Both start at absolute paths.
 */
static char sandbox[80];

static void compare_trees(const char *ours, const char *theirs)
{
	char a[64][24] = {0}, b[64][24] = {0}, x[600], y[600];
	struct statx sx, sy;
	long fa = SYS(open, ours, O_RDONLY | O_DIRECTORY), fb = LINUX(open, theirs, O_RDONLY | O_DIRECTORY),
	     n;

	n = list_names(fa, true, a);
	same("deep: entries", n, list_names(fb, false, b));
	SYS(close, fa);
	close((int)fb);
	if (memcmp(a, b, sizeof a))
		differ("deep: names", 0, 0);
	for (long k = 0; k < n; k++) {
		if (strlen(a[k]) > 20)
			continue; /* cut off */
		*strrchr(a[k], ' ') = 0;
		if (!strcmp(a[k], ".") || !strcmp(a[k], ".."))
			continue;
		snprintf(x, sizeof x, "%s/%s", ours, a[k]);
		snprintf(y, sizeof y, "%s/%s", theirs, a[k]);
		if (SYS(statx, AT_FDCWD, x, AT_SYMLINK_NOFOLLOW, STATX_ALL, &sx) ||
		    LINUX(statx, AT_FDCWD, y, AT_SYMLINK_NOFOLLOW, STATX_ALL, &sy))
			differ("deep: statx", 0, 0);
		compare_statx(&sx, &sy);
		if (S_ISDIR(sx.stx_mode))
			compare_trees(x, y);
	}
}

static void compare_deep(void)
{
	struct cred *c = current->cred;
	u32 uid = c->euid;
	char top[100];

	if (setegid(0) || seteuid(0))
		fail_msg("seteuid");
	c->fsuid = 0;
	c->cap_effective = ~0ull;
	snprintf(top, sizeof top, "%s/p", sandbox);
	compare_trees("/diff/p", top);
	c->fsuid = uid;
	c->cap_effective = uid ? 0 : ~0ull;
	if (seteuid(0) || setegid(uid) || seteuid(uid))
		fail_msg("seteuid");
}

static void op_user(void)
{
	u32 uid = rnd() % 2 ? 1000 : 0;
	struct cred *c = current->cred;

	note("euid %u", uid);
	if (setegid(0) || seteuid(0) || setegid(uid) || seteuid(uid))
		fail_msg("seteuid");
	c->euid = c->fsuid = c->egid = c->fsgid = uid;
	c->cap_effective = uid ? 0 : ~0ull;
}

static void op_chdir(void)
{
	int s = any_slot();

	if (rnd() % 8)
		return;
	note("fchdir(%ld)", slot[s].ours);
	same("fchdir", SYS(fchdir, slot[s].ours), LINUX(fchdir, slot[s].theirs));
}

static bool on_overlay;

/* What Linux protects from others' files here is protected in ours. */
static void protect_alike(void)
{
	static const struct {
		const char *name;
		u32 *value;
	} settings[] = {{"hardlinks", &vfs_protected_hardlinks},
			{"symlinks", &vfs_protected_symlinks},
			{"fifos", &vfs_protected_fifos},
			{"regular", &vfs_protected_regular}};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		char path[64], digit = '0';
		long fd;

		snprintf(path, sizeof path, "/proc/sys/fs/protected_%s", settings[i].name);
		fd = LINUX(open, path, O_RDONLY);
		if (fd >= 0 && LINUX(read, fd, &digit, 1) == 1)
			*settings[i].value = (u32)(digit - '0');
		close((int)fd);
	}
}

static void enter(void)
{
	char dir[256];

	protect_alike();
	strcpy(sandbox, "/dev/shm/diff-XXXXXX");
	assert_non_null(mkdtemp(sandbox));
	assert_int_equal(chmod(sandbox, 0755), 0);
	assert_int_equal(SYS(mkdir, "/diff", 0755), 0);
	assert_int_equal(SYS(mount, "d", "/diff", "tmpfs", 0, "mode=755"), 0);
	if (on_overlay)
		assert_int_equal(SYS(mount, "d", "/diff", "overlay", 0, "lowerdir=/diff"), 0);
	for (const char *end = FLOOR; *end;) {
		end = strchr(end + 1, '/') ? strchr(end + 1, '/') : end + strlen(end);
		snprintf(dir, sizeof dir, "%s%.*s", sandbox, (int)(end - FLOOR), FLOOR);
		assert_int_equal(mkdir(dir, 0755), 0);
		snprintf(dir, sizeof dir, "/diff%.*s", (int)(end - FLOOR), FLOOR);
		assert_int_equal(SYS(mkdir, dir, 0755), 0);
	}
	snprintf(dir, sizeof dir, "%s" FLOOR, sandbox);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(SYS(chdir, "/diff" FLOOR), 0);
	assert_int_equal(LINUX(chmod, ".", 0777), 0);
	assert_int_equal(SYS(chmod, ".", 0777), 0);
	for (int s = 0; s < SLOTS; s++)
		slot[s].ours = slot[s].theirs = -1;
}

static void leave(void)
{
	char cmd[160];

	if (seteuid(0) || setegid(0))
		fail_msg("seteuid");
	fs_host_user(0, 0);
	for (int s = 0; s < SLOTS; s++)
		if (slot[s].ours >= 0) {
			SYS(close, slot[s].ours);
			close((int)slot[s].theirs);
		}
	SYS(chdir, "/");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(SYS(umount2, "/diff", 0), 0);
	if (on_overlay)
		assert_int_equal(SYS(umount2, "/diff", 0), 0);
	assert_int_equal(SYS(rmdir, "/diff"), 0);
	snprintf(cmd, sizeof cmd, "rm -rf %s", sandbox);
	assert_int_equal(system(cmd), 0);
	host_rcu_quiesce();
}

static bool usable(void)
{
	struct statfs st;

	return !geteuid() && !syscall(SYS_statfs, "/dev/shm", &st) && st.f_type == TMPFS_MAGIC;
}

static void run(void)
{
	static void (*const ops[])(void) = {op_open,  op_open,	 op_open,   op_openat2, op_close, op_dup,
					    op_read,  op_read,	 op_write,  op_write,	op_seek,  op_size,
					    op_copy,  op_names,	 op_names,  op_names,	op_names, op_ask,
					    op_ask,   op_attr,	 op_xattr,  op_fcntl,	op_list,  op_user,
					    op_chdir, op_memory, op_vector, op_control, op_long,  op_cwd};
	const char *s = getenv("DIFF_SEED"), *r = getenv("DIFF_ROUNDS");
	bool deep = getenv("DIFF_DEEP");
	u64 first = s ? strtoull(s, NULL, 0) : 1, rounds = r ? strtoull(r, NULL, 0) : 25;

	if (!usable()) {
		skip();
		return;
	}
	fs_host_start("tmpfs", "tmpfs");
	umask(022);
	if (setgroups(0, NULL))
		skip();
	for (u64 k = first; k < first + rounds; k++) {
		seed = round_seed = k;
		ncalls = 0;
		allocated = false;
		note("seed %lu", (unsigned long)k);
		enter();
		for (int n = 0; n < 1200; n++) {
			ops[rnd() % ARRAY_SIZE(ops)]();
			if (deep)
				compare_deep();
		}
		leave();
	}
}

static void test_tmpfs(void **state)
{
	on_overlay = false;
	run();
}

/* An overlay over nothing must be no different. */
static void test_overlay(void **state)
{
	on_overlay = true;
	run();
}

UNIT_TESTS(test_tmpfs, test_overlay)
