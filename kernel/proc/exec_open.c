// SPDX-License-Identifier: BSD-2-Clause
/* From a path to a validated program: opening for execution, #! lines, ELF headers, PT_INTERP. */
#include "base/string.h"
#include "exec.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include <linux/mount.h>

DEFINE_COUNTER(exec_refused, "files that execve refused as no program");

int exe_deny_write(struct file *exe)
{
	return inode_deny_write(exe->path.dentry->inode);
}

void exe_get(struct file *exe)
{
	/* Cannot fail: somebody runs it, so nobody writes it. */
	(void)inode_deny_write(exe->path.dentry->inode);
}

void exe_put(struct file *exe)
{
	inode_allow_write(exe->path.dentry->inode);
	file_put(exe);
}

struct file *exec_open(int dirfd, const char *path, u32 at_flags)
{
	struct file *f;
	struct path p;
	int err;

	err = vfs_lookup_at(dirfd, path, at_flags, &p);
	if (err)
		return ERR_PTR(err);
	err = -ELOOP;
	if (S_ISLNK(p.dentry->inode->mode))
		goto fail;
	err = -EACCES;
	if (!S_ISREG(p.dentry->inode->mode) || path_mount_flags(&p) & MS_NOEXEC)
		goto fail;
	f = vfs_open_exec(&p);
	path_put(&p);
	if (IS_ERR(f))
		return f;
	err = exe_deny_write(f);
	if (!err)
		return f;
	file_put(f);
	return ERR_PTR(err);
fail:
	path_put(&p);
	return ERR_PTR(err);
}

/* Exactly N bytes at OFF, or less at the end of the file. */
static ssize_t read_at(struct file *f, void *buf, size_t n, u64 off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = file_read(f, (char *)buf + done, n - done, &off);

		if (got < 0)
			return got;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

#define SMALL_PROGRAM MIB(1)

/* Nearly all of a small program is used at once: bring its segments in with one request, not with one for
 * each clump. */
static void read_ahead(struct file *f, const struct elf64_hdr *h, const struct elf64_phdr *ph)
{
	u64 end = 0;

	for (unsigned i = 0; i < h->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			end = max(end, ph[i].p_offset + ph[i].p_filesz);
	if (end <= SMALL_PROGRAM && f->inode->cache)
		pagecache_readahead(f->inode->cache, 0, DIV_ROUND_UP(end, PAGE_SIZE));
}

/* The program headers of F, validated. SHORT is the error for a file that ends too early. */
static int read_segments(struct file *f, const struct elf64_hdr *h, struct elf64_phdr **ph,
			 struct elf_layout *layout, int short_error)
{
	size_t size = h->e_phnum * sizeof(**ph);
	ssize_t got;

	*ph = kmalloc(size);
	if (!*ph)
		return -ENOMEM;
	got = read_at(f, *ph, size, h->e_phoff);
	if (got != (ssize_t)size)
		return got < 0 ? (int)got : short_error;
	int err = elf_check_segments(h, *ph, APP_LIMIT, layout);

	if (!err)
		read_ahead(f, h, *ph);
	return err;
}

static int identify_interp(struct exec *x)
{
	u32 size = x->layout.interp_size;
	char head[sizeof(struct elf64_hdr)];
	char *name = kmalloc(size);
	ssize_t got;
	int err;

	if (!name)
		return -ENOMEM;
	got = read_at(x->file, name, size, x->layout.interp_offset);
	err = got < 0 ? (int)got : got != (ssize_t)size ? -EIO : name[size - 1] ? -ENOEXEC : 0;
	if (!err) {
		struct file *f = exec_open(AT_FDCWD, name, 0);

		if (IS_ERR(f))
			err = (int)PTR_ERR(f);
		else
			x->interp = f;
	}
	kfree(name);
	if (err)
		return err;
	got = read_at(x->interp, head, sizeof(head), 0);
	if (got != (ssize_t)sizeof(head))
		return got < 0 ? (int)got : -EIO;
	if (elf_check_header(head, sizeof(head), &x->interp_hdr))
		return -ELIBBAD;
	return read_segments(x->interp, &x->interp_hdr, &x->interp_ph, &x->interp_layout, -ELIBBAD);
}

static int identify_elf(struct exec *x)
{
	int err = elf_check_header(x->head, sizeof(x->head), &x->hdr);

	if (!err)
		err = read_segments(x->file, &x->hdr, &x->ph, &x->layout, -ENOEXEC);
	if (!err && x->layout.interp_size)
		err = identify_interp(x);
	return err;
}

/* X->file is a script: its interpreter takes its place, and argv grows at the front. */
static int follow_script(struct exec *x, const struct script_line *line, const char *script)
{
	const char *strings[3];
	struct file *f;
	unsigned n = 0;
	int err;

	if (x->name_dies)
		return -ENOENT;
	strings[n++] = line->interp;
	if (line->arg[0])
		strings[n++] = line->arg;
	strings[n++] = script;
	err = exec_args_replace_first(&x->args, strings, n);
	if (err)
		return err;
	f = exec_open(AT_FDCWD, line->interp, 0);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	exe_put(x->file);
	x->file = f;
	return 0;
}

static int identify(struct exec *x, struct script_line *line, char *script)
{
	const char *name = x->filename;

	for (int depth = 0;; depth++) {
		ssize_t got;
		int err;

		memset(x->head, 0, sizeof(x->head));
		got = read_at(x->file, x->head, sizeof(x->head), 0);
		if (got < 0)
			return (int)got;
		if (script_parse(x->head, line))
			return identify_elf(x);
		if (depth == EXEC_SCRIPT_DEPTH)
			return -ELOOP;
		err = follow_script(x, line, name);
		if (err)
			return err;
		str_copy(script, line->interp, SCRIPT_HEAD_SIZE);
		name = script;
	}
}

int exec_identify(struct exec *x)
{
	struct script_line *line = kmalloc(sizeof(*line) + SCRIPT_HEAD_SIZE);
	int err;

	if (!line)
		return -ENOMEM;
	err = identify(x, line, (char *)(line + 1));
	kfree(line);
	if (err == -ENOEXEC)
		counter_inc(&exec_refused);
	return err;
}
