// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/{cmdline,environ,auxv,mem}: the memory of a process as bytes. */
#include "kernel/ptrace.h"
#include "kernel/app.h"
#include "kernel/vm.h"
#include "proc.h"

#define CHUNK	  1024
#define TITLE_MAX (128u << 10)

/* Append [FROM, TO) of VM; stops where it cannot be read. */
static void copy_range(struct seq *s, struct vmspace *vm, u64 from, u64 to)
{
	char chunk[CHUNK];

	while (from < to && !s->failed) {
		size_t want = (size_t)min(to - from, (u64)sizeof chunk),
		       n = vm_access(vm, from, chunk, want, false);

		seq_write(s, chunk, n);
		from += n;
		if (n < want)
			break;
	}
}

/* A program that overwrites its arguments with a longer title runs over into the environment, which then
 * counts as well up to the first NUL. */
int proc_cmdline(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_process(ctx);
	struct vmspace *vm;

	if (!p)
		return -ESRCH;
	vm = process_get_vm(p);
	if (vm) {
		copy_range(s, vm, p->arg_start, min(p->arg_end, p->arg_start + TITLE_MAX));
		if (s->len && s->buf[s->len - 1] && p->env_start == p->arg_end) {
			char *end = memchr(s->buf, 0, s->len);

			if (end) {
				s->len = (size_t)(end - s->buf) + 1;
			} else {
				copy_range(s, vm, p->env_start, min(p->env_end, p->env_start + TITLE_MAX));
				end = memchr(s->buf, 0, s->len);
				s->len = end ? (size_t)(end - s->buf) + 1 : s->len;
			}
		}
		vmspace_put(vm);
	}
	process_put(p);
	return 0;
}

int proc_environ(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);
	struct vmspace *vm;

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	vm = process_get_vm(p);
	if (vm) {
		copy_range(s, vm, p->env_start, p->env_end);
		vmspace_put(vm);
	}
	process_put(p);
	return 0;
}

int proc_auxv(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct process *p = proc_inspect(ctx);

	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	seq_write(s, p->auxv, min((size_t)p->auxv_len, ARRAY_SIZE(p->auxv)) * sizeof p->auxv[0]);
	process_put(p);
	return 0;
}

/* mem: the position is the address. The file belongs to the address space it was opened for. */
static ssize_t mem_transfer(struct vmspace *vm, struct iter *it, u64 *pos, bool write)
{
	u8 chunk[CHUNK];
	ssize_t total = 0;

	while (it->left && *pos < APP_LIMIT) {
		size_t want = (size_t)min((u64)min(it->left, sizeof chunk), APP_LIMIT - *pos), n;

		if (write) {
			n = iter_copy_in(it, chunk, want);
			if (!n)
				return total ? total : -EFAULT;
			want = n;
			n = ptrace_access(vm, *pos, chunk, want, true);
		} else {
			n = ptrace_access(vm, *pos, chunk, want, false);
			if (n && iter_copy_out(it, chunk, n) != n)
				return total ? total : -EFAULT;
		}
		*pos += n;
		total += (ssize_t)n;
		if (n < want)
			break;
	}
	return total || !it->left ? total : -EIO;
}

static ssize_t mem_read(struct file *f, struct iter *to, u64 *pos)
{
	return f->priv ? mem_transfer(f->priv, to, pos, false) : 0;
}

static ssize_t mem_write(struct file *f, struct iter *from, u64 *pos)
{
	return f->priv ? mem_transfer(f->priv, from, pos, true) : 0;
}

static s64 mem_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static void mem_release(struct file *f)
{
	if (f->priv)
		vmspace_put(f->priv);
}

static const struct file_ops mem_fops = {
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
	.release = mem_release,
};

int proc_mem_open(const struct pseudo_ctx *ctx, struct file *f)
{
	struct vmspace *vm = proc_vm(ctx);

	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	f->priv = vm;
	f->ops = &mem_fops;
	return 0;
}
