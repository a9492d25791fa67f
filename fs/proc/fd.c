// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/fd and fdinfo: open descriptors as links to what they are, and their state. */
#include "proc.h"

#define PATH_SIZE 4096

static struct fdtable *table_of(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);
	struct fdtable *files = NULL;
	struct thread *t;

	if (IS_ERR(p))
		return (struct fdtable *)p;
	t = proc_thread(ctx);
	if (t) {
		files = thread_get_files(t);
		thread_put(t);
	}
	process_put(p);
	return files ? files : ERR_PTR(-ENOENT);
}

/* The file behind a link of fd/, with a reference. */
static struct file *file_of(const struct pseudo_ctx *ctx)
{
	struct fdtable *t = table_of(ctx);
	struct file *f;

	if (IS_ERR(t))
		return (struct file *)t;
	f = fdtable_lookup(t, (int)ctx->num);
	fdtable_put(t);
	return f ? f : ERR_PTR(-ENOENT);
}

static ssize_t fd_readlink(const struct pseudo_ctx *ctx, char *buf, size_t size)
{
	struct file *f = file_of(ctx);
	ssize_t n;

	if (IS_ERR(f))
		return PTR_ERR(f);
	if (f->anon_name && (!strcmp(f->anon_name, "pipe") || !strcmp(f->anon_name, "socket"))) {
		n = scnprintf(buf, size, "%s:[%llu]", f->anon_name, (unsigned long long)f->anon_id);
	} else if (!f->path.dentry) {
		n = scnprintf(buf, size, "%s", f->anon_name ? f->anon_name : "anon_inode:[none]");
	} else {
		char *text = kmalloc(PATH_SIZE), *path;

		n = -ENOMEM;
		if (text) {
			path = path_text(&f->path, text, PATH_SIZE);
			n = IS_ERR(path) ? PTR_ERR(path) : scnprintf(buf, size, "%s", path);
			kfree(text);
		}
	}
	file_put(f);
	return n;
}

static int fd_jump(const struct pseudo_ctx *ctx, struct path *out)
{
	struct file *f = file_of(ctx);
	int err;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	err = file_get_path(f, out);
	file_put(f);
	return err;
}

static const struct pseudo_entry fd_links[4] = {
	/* The link's own permissions tell how the file is open. */
	PROC_JUMP(NULL, 0, fd_readlink, fd_jump),
	PROC_JUMP(NULL, 0500, fd_readlink, fd_jump),
	PROC_JUMP(NULL, 0300, fd_readlink, fd_jump),
	PROC_JUMP(NULL, 0700, fd_readlink, fd_jump),
};

static int fdinfo_show(struct seq *s, const struct pseudo_ctx *ctx);
static const struct pseudo_entry fdinfo_file = PROC_FILE(NULL, 0400, fdinfo_show);

static const struct pseudo_entry *link_for(struct file *f)
{
	return &fd_links[(file_readable(f) ? 1 : 0) | (file_writable(f) ? 2 : 0)];
}

static bool parse_fd(const char *name, size_t len, u64 *fd)
{
	*fd = 0;
	if (!len || len > 10 || (len > 1 && *name == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*fd = *fd * 10 + (u64)(name[i] - '0');
	}
	return *fd <= 0x7fffffff;
}

static int fd_find_as(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out,
		      const struct pseudo_entry *entry)
{
	struct file *f;
	u64 fd;

	if (!parse_fd(name, len, &fd))
		return -ENOENT;
	out->ctx = *ctx;
	out->ctx.num = fd;
	f = file_of(&out->ctx);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	out->entry = entry ? entry : link_for(f);
	file_put(f);
	return 0;
}

static bool fd_next_as(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out,
		       const struct pseudo_entry *entry)
{
	struct fdtable *t = table_of(ctx);
	struct file *f;
	int fd;

	if (IS_ERR(t))
		return false;
	fd = fdtable_next(t, (int)*cursor, &f);
	fdtable_put(t);
	if (fd < 0)
		return false;
	out->entry = entry ? entry : link_for(f);
	out->ctx.num = (u64)fd;
	snprintf(out->name, sizeof out->name, "%d", fd);
	*cursor = (u64)fd + 1;
	file_put(f);
	return true;
}

static int fd_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	return fd_find_as(ctx, name, len, out, NULL);
}

static bool fd_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	return fd_next_as(ctx, cursor, out, NULL);
}

static int fdinfo_find(const struct pseudo_ctx *ctx, const char *name, size_t len, struct pseudo_found *out)
{
	return fd_find_as(ctx, name, len, out, &fdinfo_file);
}

static bool fdinfo_next(const struct pseudo_ctx *ctx, u64 *cursor, struct pseudo_found *out)
{
	return fd_next_as(ctx, cursor, out, &fdinfo_file);
}

/* May the directory be looked into at all? */
static int fd_check(const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);

	if (IS_ERR(p))
		return PTR_ERR(p) == -ESRCH ? -ENOENT : (int)PTR_ERR(p);
	process_put(p);
	return 0;
}

/* What a find lets go of may be the last reference to a file. */
const struct pseudo_dir proc_fd_dir = {
	.find = fd_find, .next = fd_next, .find_sleeps = true, .check = fd_check};
const struct pseudo_dir proc_fdinfo_dir = {
	.find = fdinfo_find, .next = fdinfo_next, .find_sleeps = true, .check = fd_check};

static void extra_lines(struct seq *s, struct file *f)
{
	size_t size = 1024, n;
	char *buf;

	for (;;) {
		buf = kmalloc(size);
		if (!buf)
			return;
		n = f->ops->fdinfo(f, buf, size);
		if (n < size - 1 || size >= MIB(1))
			break;
		size = max(2 * size, n + 2);
		kfree(buf);
	}
	seq_write(s, buf, min(n, size - 1));
	kfree(buf);
}

static int fdinfo_show(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct fdtable *t = table_of(ctx);
	struct statx st = {0};
	struct file *f;
	bool cloexec;

	if (IS_ERR(t))
		return (int)PTR_ERR(t);
	f = fdtable_lookup(t, (int)ctx->num);
	cloexec = f && fdtable_cloexec(t, (int)ctx->num);
	fdtable_put(t);
	if (!f)
		return -ENOENT;
	file_getattr(f, &st);
	seq_printf(s, "pos:\t%lli\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n", (long long)f->pos,
		   f->flags | (cloexec ? O_CLOEXEC : 0), (unsigned)st.stx_mnt_id,
		   (unsigned long long)st.stx_ino);
	if (f->ops && f->ops->fdinfo)
		extra_lines(s, f);
	file_put(f);
	return 0;
}
