// SPDX-License-Identifier: BSD-2-Clause
/* Two trees side by side (diff.h): opening, and calls on what is open. */
#include "tests/unit/fs/diff.h"

void op_open(void)
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

void op_openat2(void)
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

void op_close(void)
{
	int s = any_slot();

	note("close(%ld)", slot[s].ours);
	same("close", SYS(close, slot[s].ours), LINUX(close, slot[s].theirs));
	slot[s].ours = slot[s].theirs = -1;
}

void op_dup(void)
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

void op_read(void)
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

void op_write(void)
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

void op_seek(void)
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

void op_size(void)
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

void op_copy(void)
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

void op_fcntl(void)
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

void op_memory(void)
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

void op_vector(void)
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

void op_control(void)
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
