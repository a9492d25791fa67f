// SPDX-License-Identifier: BSD-2-Clause
/* A model of a file system below /model: random operations, each answer compared, and the whole tree on
 * demand. */
#include "unit.h"

#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "base/err.h"
#include "tests/unit/fs/fs_host.h"
#include "tests/unit/fs/model.h"

bool model_overlay, model_remote;
static u64 seed;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

/* Nodes by number, directories as tables of names. */
#define NAMES	 4 /* "a" .. "d" */
#define NODES	 200
#define MAX_DATA 20000

struct node {
	char kind; /* 0 free, 'd', 'f', 'l' */
	int links;
	int entry[NAMES]; /* directories: node numbers, 0 none */
	int parent;
	bool below; /* overlay: the directory has a lower part */
	u8 *data;
	u32 size;
};

static struct node nodes[NODES];

static int node_new(char kind)
{
	for (int n = 1; n < NODES; n++)
		if (!nodes[n].kind) {
			memset(&nodes[n], 0, sizeof nodes[n]);
			nodes[n].kind = kind;
			nodes[n].links = 1;
			nodes[n].data = kind == 'f' ? calloc(1, MAX_DATA) : NULL;
			return n;
		}
	return 0;
}

static void node_drop(int n)
{
	if (--nodes[n].links == 0 || nodes[n].kind == 'd') {
		free(nodes[n].data);
		memset(&nodes[n], 0, sizeof nodes[n]);
	}
}

static bool node_empty(int n)
{
	for (int k = 0; k < NAMES; k++)
		if (nodes[n].entry[k])
			return false;
	return true;
}

/* A random path of 1 to 3 components below /model: its text, the directory's node (or -errno) and the last
 * name. */
struct place {
	char text[40];
	int dir, err, name;
};

static struct place random_place(void)
{
	struct place p = {.dir = 1};
	int depth = 1 + (int)(rnd() % 3);

	strcpy(p.text, "/model");
	for (int k = 0; k < depth; k++) {
		if (k) {
			int next = p.err ? 0 : nodes[p.dir].entry[p.name];

			if (!p.err && !next)
				p.err = -ENOENT;
			else if (!p.err && nodes[next].kind == 'l')
				p.err = -ENOENT; /* links of the model dangle */
			else if (!p.err && nodes[next].kind != 'd')
				p.err = -ENOTDIR;
			if (!p.err)
				p.dir = next;
		}
		p.name = (int)(rnd() % NAMES);
		sprintf(p.text + strlen(p.text), "/%c", 'a' + p.name);
	}
	return p;
}

static int at(const struct place *p)
{
	return p->err ? 0 : nodes[p->dir].entry[p->name];
}

static bool below(int dir, int top)
{
	for (; dir; dir = nodes[dir].parent)
		if (dir == top)
			return true;
	return false;
}

static void check_equal(long got, long want, const char *op, const struct place *p)
{
	if (got != want)
		fail_msg("%s %s: got %ld, want %ld", op, p->text, got, want);
}

static void op_create(void)
{
	struct place p = random_place();
	long fd = SYS(open, p.text, O_CREAT | O_EXCL | O_RDWR, 0644);
	long want = p.err ? p.err : at(&p) ? -EEXIST : 0;

	check_equal(fd < 0 ? fd : 0, want, "create", &p);
	if (!want)
		nodes[p.dir].entry[p.name] = node_new('f');
	if (fd >= 0)
		SYS(close, fd);
}

static void op_mkdir(void)
{
	struct place p = random_place();
	long want = p.err ? p.err : at(&p) ? -EEXIST : 0;

	check_equal(SYS(mkdir, p.text, 0755), want, "mkdir", &p);
	if (!want) {
		int n = node_new('d');

		nodes[n].parent = p.dir;
		nodes[p.dir].entry[p.name] = n;
	}
}

static void op_symlink(void)
{
	struct place p = random_place();
	long want = p.err ? p.err : at(&p) ? -EEXIST : 0;

	check_equal(SYS(symlink, "nowhere", p.text), want, "symlink", &p);
	if (!want)
		nodes[p.dir].entry[p.name] = node_new('l');
}

static void op_unlink(void)
{
	struct place p = random_place();
	int n = at(&p);
	long want = p.err ? p.err : !n ? -ENOENT : nodes[n].kind == 'd' ? -EISDIR : 0;

	check_equal(SYS(unlink, p.text), want, "unlink", &p);
	if (!want) {
		nodes[p.dir].entry[p.name] = 0;
		node_drop(n);
	}
}

static void op_rmdir(void)
{
	struct place p = random_place();
	int n = at(&p);
	long want = p.err		   ? p.err
		    : !n		   ? -ENOENT
		    : nodes[n].kind != 'd' ? -ENOTDIR
		    : !node_empty(n)	   ? -ENOTEMPTY
					   : 0;

	check_equal(SYS(rmdir, p.text), want, "rmdir", &p);
	if (!want) {
		nodes[p.dir].entry[p.name] = 0;
		node_drop(n);
	}
}

static void op_link(void)
{
	struct place p = random_place(), q = random_place();
	int n = at(&p);
	long want = p.err		   ? p.err
		    : !n		   ? -ENOENT
		    : q.err		   ? q.err
		    : at(&q)		   ? -EEXIST
		    : nodes[n].kind == 'd' ? -EPERM
					   : 0;

	check_equal(SYS(link, p.text, q.text), want, "link", &p);
	if (!want) {
		nodes[q.dir].entry[q.name] = n;
		nodes[n].links++;
	}
}

static long rename_answer(const struct place *p, const struct place *q, u32 flags)
{
	int s = at(p), t = at(q);
	bool sdir = s && nodes[s].kind == 'd', tdir = t && nodes[t].kind == 'd';

	if (p->err || q->err)
		return p->err ? p->err : q->err;
	if (!s)
		return -ENOENT;
	if (flags & RENAME_NOREPLACE && t)
		return -EEXIST;
	if (flags & RENAME_EXCHANGE && !t)
		return -ENOENT;
	if (sdir && below(q->dir, s))
		return -EINVAL;
	if (t && tdir && below(p->dir, t))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (s == t || flags & RENAME_EXCHANGE)
		return 0;
	if (t && sdir && !tdir)
		return -ENOTDIR;
	if (t && !sdir && tdir)
		return -EISDIR;
	return t && tdir && !node_empty(t) ? -ENOTEMPTY : 0;
}

static void op_rename(void)
{
	struct place p = random_place(), q = random_place();
	u32 flags = rnd() % 4 == 0 ? RENAME_NOREPLACE : rnd() % 4 == 0 ? RENAME_EXCHANGE : 0;
	int s = at(&p), t = at(&q);
	long want;

	if (model_remote)
		flags = 0;
	want = rename_answer(&p, &q, flags);

	if (!want && s != t && (nodes[s].below || (flags & RENAME_EXCHANGE && nodes[t].below)))
		want = -EXDEV; /* before anything that only the move itself would find */
	else if (want == -ENOTEMPTY && nodes[s].below && t && !below(p.dir, t))
		want = -EXDEV;
	check_equal(SYS(renameat2, AT_FDCWD, p.text, AT_FDCWD, q.text, flags), want, "rename", &p);
	if (want || s == t)
		return;
	nodes[q.dir].entry[q.name] = s;
	nodes[p.dir].entry[p.name] = flags & RENAME_EXCHANGE ? t : 0;
	if (nodes[s].kind == 'd')
		nodes[s].parent = q.dir;
	if (flags & RENAME_EXCHANGE && nodes[t].kind == 'd')
		nodes[t].parent = p.dir;
	if (t && !(flags & RENAME_EXCHANGE))
		node_drop(t);
}

static void op_write(void)
{
	struct place p = random_place();
	int n = at(&p);
	static u8 buf[9000];
	u32 pos = rnd() % 11000, len = rnd() % 9000;
	long fd, want = p.err		       ? p.err
			: !n		       ? -ENOENT
			: nodes[n].kind == 'd' ? -EISDIR
			: nodes[n].kind == 'l' ? -ENOENT
					       : 0;

	fd = SYS(open, p.text, O_RDWR);
	check_equal(fd < 0 ? fd : 0, want, "open", &p);
	if (fd < 0)
		return;
	for (u32 k = 0; k < len; k++)
		buf[k] = (u8)rnd();
	switch (rnd() % 5) {
	case 0:
		len = pos; /* truncate to POS */
		check_equal(SYS(ftruncate, fd, pos), 0, "ftruncate", &p);
		if (pos < nodes[n].size)
			memset(nodes[n].data + pos, 0, nodes[n].size - pos);
		nodes[n].size = pos;
		break;
	case 1:
		if (model_remote)
			break;
		check_equal(SYS(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, len + 1), 0,
			    "punch", &p);
		if (pos < nodes[n].size)
			memset(nodes[n].data + pos, 0, min(len + 1, nodes[n].size - pos));
		break;
	default:
		check_equal(SYS(pwrite64, fd, buf, len, pos), len, "pwrite", &p);
		memcpy(nodes[n].data + pos, buf, len);
		if (len)
			nodes[n].size = max(nodes[n].size, pos + len);
	}
	SYS(close, fd);
}

static void check_file(const char *path, int n)
{
	static u8 buf[MAX_DATA + 1];
	struct statx x;
	long fd = SYS(open, path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(SYS(read, fd, buf, sizeof buf), nodes[n].size);
	assert_memory_equal(buf, nodes[n].data, nodes[n].size);
	assert_int_equal(SYS(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &x), 0);
	assert_int_equal(x.stx_size, nodes[n].size);
	assert_int_equal(x.stx_nlink, nodes[n].links);
	SYS(close, fd);
}

static void check_dir(const char *path, int n)
{
	char buf[600], sub[128];
	bool seen[NAMES] = {0};
	struct statx x;
	int subdirs = 0, count = 0;
	long fd = SYS(open, path, O_RDONLY), got;

	assert_true(fd >= 0);
	while ((got = SYS(getdents64, fd, buf, 80)) > 0)
		for (long o = 0; o < got; o += *(u16 *)(buf + o + 16)) {
			const char *name = buf + o + 19;

			if (name[0] == '.')
				continue;
			assert_true(name[0] >= 'a' && name[0] < 'a' + NAMES && !name[1]);
			assert_false(seen[name[0] - 'a']);
			seen[name[0] - 'a'] = true;
		}
	assert_int_equal(got, 0);
	SYS(close, fd);
	for (int k = 0; k < NAMES; k++) {
		int e = nodes[n].entry[k];

		assert_int_equal(seen[k], e != 0);
		if (!e)
			continue;
		count++;
		snprintf(sub, sizeof sub, "%s/%c", path, 'a' + k);
		if (nodes[e].kind == 'd') {
			subdirs++;
			check_dir(sub, e);
		} else if (nodes[e].kind == 'f') {
			check_file(sub, e);
		} else {
			assert_int_equal(SYS(readlink, sub, buf, sizeof buf), 7);
		}
	}
	assert_int_equal(SYS(statx, AT_FDCWD, path, 0, STATX_ALL, &x), 0);
	if (model_overlay || model_remote)
		return;
	assert_int_equal(x.stx_nlink, 2 + subdirs);
	assert_int_equal(x.stx_size, 40 + 20 * count);
}

void model_reset(u64 new_seed)
{
	for (int n = 0; n < NODES; n++)
		free(nodes[n].data);
	memset(nodes, 0, sizeof nodes);
	nodes[1].kind = 'd';
	seed = new_seed;
	model_overlay = model_remote = false;
}

void model_step(void)
{
	static void (*const ops[])(void) = {op_create, op_create, op_mkdir,  op_mkdir,	op_symlink, op_unlink,
					    op_rmdir,  op_link,	  op_rename, op_rename, op_write,   op_write};

	ops[rnd() % ARRAY_SIZE(ops)]();
}

void model_check(void)
{
	check_dir("/model", 1);
}

void model_now_overlay(void)
{
	model_overlay = true;
	for (int n = 2; n < NODES; n++)
		nodes[n].below = nodes[n].kind == 'd';
}

void model_is_remote(void)
{
	model_remote = true;
}
