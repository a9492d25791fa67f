// SPDX-License-Identifier: BSD-2-Clause
/* The same random calls on our tmpfs and on the tmpfs of the Linux that this test runs on: every result,
 * error number and byte must be the same. Needs root and a tmpfs on /dev/shm; skipped elsewhere. DIFF_SEED
 * and DIFF_ROUNDS in the environment repeat or lengthen a run. */
// sources: fs/vfs/*.c fs/tmpfs/*.c fs/overlay/*.c kernel/drivers/block.c
// sources: tests/unit/fs/diff*.c
// sources: kernel/lib/iter.c kernel/lib/rbtree.c
#include "tests/unit/fs/diff.h"

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
	for (const char *end = DIFF_FLOOR; *end;) {
		end = strchr(end + 1, '/') ? strchr(end + 1, '/') : end + strlen(end);
		snprintf(dir, sizeof dir, "%s%.*s", sandbox, (int)(end - DIFF_FLOOR), DIFF_FLOOR);
		assert_int_equal(mkdir(dir, 0755), 0);
		snprintf(dir, sizeof dir, "/diff%.*s", (int)(end - DIFF_FLOOR), DIFF_FLOOR);
		assert_int_equal(SYS(mkdir, dir, 0755), 0);
	}
	snprintf(dir, sizeof dir, "%s" DIFF_FLOOR, sandbox);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(SYS(chdir, "/diff" DIFF_FLOOR), 0);
	assert_int_equal(LINUX(chmod, ".", 0777), 0);
	assert_int_equal(SYS(chmod, ".", 0777), 0);
	for (int s = 0; s < DIFF_SLOTS; s++)
		slot[s].ours = slot[s].theirs = -1;
}

static void leave(void)
{
	char cmd[160];

	if (seteuid(0) || setegid(0))
		fail_msg("seteuid");
	fs_host_user(0, 0);
	for (int s = 0; s < DIFF_SLOTS; s++)
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
		diff_seed(k);
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
