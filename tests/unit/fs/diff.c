// SPDX-License-Identifier: BSD-2-Clause
/* Two trees side by side (diff.h): the dice, the paths, the open files, and the report of a difference. */
#include "tests/unit/fs/diff.h"

static u64 seed, round_seed;
struct diff_slot slot[DIFF_SLOTS];
static char trail[400][256]; /* the last calls, for a report */
static unsigned ncalls;
bool allocated;

void diff_seed(u64 s)
{
	seed = round_seed = s;
	ncalls = 0;
	allocated = false;
	note("seed %lu", (unsigned long)s);
}

u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

long linux_ret(long r)
{
	return r < 0 ? -errno : r;
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trail[ncalls++ % 400], sizeof trail[0], fmt, ap);
	va_end(ap);
}

void differ(const char *what, long ours, long theirs)
{
	for (unsigned n = ncalls > 400 ? ncalls - 400 : 0; n < ncalls; n++)
		fprintf(stderr, "  %s\n", trail[n % 400]);
	fail_msg("seed %lu: %s: ours %ld, Linux %ld", (unsigned long)round_seed, what, ours, theirs);
}

void same(const char *what, long ours, long theirs)
{
	if (ours != theirs)
		differ(what, ours, theirs);
}

const char *path(void)
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

int any_slot(void)
{
	return (int)(rnd() % DIFF_SLOTS);
}

long dirfd_ours, dirfd_theirs;

void choose_dirfd(void)
{
	int s = any_slot();

	dirfd_ours = dirfd_theirs = AT_FDCWD;
	if (rnd() % 4 == 0) {
		dirfd_ours = slot[s].ours;
		dirfd_theirs = slot[s].theirs;
	}
}

/* A directory so far up that ".." from there could leave what both sides share. */
static bool too_high(long fd)
{
	struct file *f = fd_get_raw((int)fd);
	char buf[512], *text;
	bool high;

	if (!f)
		return false;
	text = path_text(&f->path, buf, sizeof buf);
	high = S_ISDIR(f->inode->mode) && strncmp(text, "/diff" DIFF_NEST, sizeof "/diff" DIFF_NEST - 1);
	file_put(f);
	return high;
}

void put_slot(long ours, long theirs, const char *what)
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

void compare_statx(const struct statx *x, const struct statx *y)
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

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

long list_names(long fd, bool ours, char out[64][24])
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
