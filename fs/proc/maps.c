// SPDX-License-Identifier: BSD-2-Clause
/* /proc/PID/{maps,smaps,smaps_rollup,numa_maps,clear_refs}: the address space, with its lock held for reading
 * while the text is made. */
#include "kernel/vm.h"
#include "proc.h"
#include <linux/mempolicy.h>

#define PATH_SIZE   4096
#define NAME_COLUMN 73 /* where the name of a mapping begins */

static void path_out(struct seq *s, struct file *f, char *buf)
{
	char *text = f->path.dentry ? path_text(&f->path, buf, PATH_SIZE) : (char *)(uintptr_t)f->anon_name;

	if (!text || IS_ERR(text))
		return;
	for (; *text; text++) {
		if (*text == '\n')
			seq_puts(s, "\\012");
		else
			seq_putc(s, *text);
	}
}

static void map_line(struct seq *s, struct vma *v, char *buf)
{
	/* The inode that stat(2) shows: in an overlay not the one that holds the data. */
	struct inode *i = !v->file		 ? NULL
			  : v->file->path.dentry ? v->file->path.dentry->inode
						 : v->file->inode;
	u64 dev = i ? i->super->dev : 0;
	const char *name;
	size_t start = s->len;

	seq_printf(s, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)v->start,
		   (unsigned long long)v->end, v->flags & VMA_READ ? 'r' : '-',
		   v->flags & VMA_WRITE ? 'w' : '-', v->flags & VMA_EXEC ? 'x' : '-',
		   v->flags & VMA_SHARED ? 's' : 'p',
		   v->file ? (unsigned long long)v->pgoff << PAGE_SHIFT : 0ull, (unsigned)(dev >> 8 & 0xfff),
		   (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)), i ? (unsigned long long)i->ino : 0ull);
	name = v->file ? NULL : vma_name(v);
	if (v->file || (name && *name)) {
		seq_pad(s, start, NAME_COLUMN);
		if (v->file)
			path_out(s, v->file, buf);
		else
			seq_puts(s, name);
	}
	seq_putc(s, '\n');
}

static void kb(struct seq *s, const char *name, u64 bytes)
{
	size_t start = s->len;

	seq_printf(s, "%s:", name);
	seq_pad(s, start, 16);
	seq_printf(s, "%8llu kB\n", (unsigned long long)(bytes >> 10));
}

static void usage_lines(struct seq *s, const struct vma_usage *u, bool rollup)
{
	kb(s, "Rss", u->rss);
	kb(s, "Pss", u->pss);
	kb(s, "Pss_Dirty", u->pss_dirty);
	if (rollup) {
		kb(s, "Pss_Anon", u->pss_anon);
		kb(s, "Pss_File", u->pss_file);
		kb(s, "Pss_Shmem", u->pss_shmem);
	}
	kb(s, "Shared_Clean", u->shared_clean);
	kb(s, "Shared_Dirty", u->shared_dirty);
	kb(s, "Private_Clean", u->private_clean);
	kb(s, "Private_Dirty", u->private_dirty);
	kb(s, "Referenced", u->referenced);
	kb(s, "Anonymous", u->anonymous);
	kb(s, "LazyFree", 0);
	kb(s, "AnonHugePages", u->huge);
	kb(s, "ShmemPmdMapped", 0);
	kb(s, "FilePmdMapped", 0);
	kb(s, "Shared_Hugetlb", u->hugetlb_shared);
	kb(s, "Private_Hugetlb", u->hugetlb_private);
	kb(s, "Swap", 0);
	kb(s, "SwapPss", 0);
	kb(s, "Locked", u->locked);
}

/* In Linux's order. Whoever may read a mapping now may have any right that its file allows; all are
 * soft-dirty. */
static void flag_line(struct seq *s, u32 flags)
{
	bool private = !(flags & VMA_SHARED);
	const struct {
		bool set;
		char name[4];
	} names[] = {
		{flags & VMA_READ, "rd"},
		{flags & VMA_WRITE, "wr"},
		{flags & VMA_EXEC, "ex"},
		{flags & VMA_SHARED, "sh"},
		{true, "mr"},
		{flags & VMA_MAYWRITE || private, "mw"},
		{true, "me"},
		{flags & VMA_SHARED, "ms"},
		{flags & VMA_GROWSDOWN, "gd"},
		{flags & VMA_LOCKED, "lo"},
		{flags & VMA_LOCKONFAULT, "lf"},
		{flags & VMA_IO, "io"},
		{flags & VMA_SEQUENTIAL, "sr"},
		{flags & VMA_RANDOM, "rr"},
		{flags & VMA_DONTFORK, "dc"},
		{flags & VMA_WRITE && private && !(flags & (VMA_NORESERVE | VMA_HUGETLB)), "ac"},
		{flags & VMA_NORESERVE, "nr"},
		{flags & VMA_HUGETLB, "ht"},
		{flags & VMA_WIPEONFORK, "wf"},
		{flags & VMA_DONTDUMP, "dd"},
		{true, "sd"},
		{flags & VMA_HUGEPAGE, "hg"},
		{flags & VMA_NOHUGEPAGE, "nh"},
	};

	seq_puts(s, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].set)
			seq_printf(s, "%s ", names[i].name);
	seq_putc(s, '\n');
}

static bool thp_eligible(const struct vma *v)
{
	enum thp_policy policy = thp_policy_get();

	if (v->file || v->flags & (VMA_NOHUGEPAGE | VMA_STACK | VMA_SPECIAL | VMA_IO) || policy == THP_NEVER)
		return false;
	if (ALIGN_UP(v->start, HUGE_SIZE) + HUGE_SIZE > v->end)
		return false;
	return policy == THP_ALWAYS || v->flags & VMA_HUGEPAGE;
}

static void smap(struct seq *s, struct vma *v, char *buf)
{
	u64 page = v->flags & VMA_HUGETLB ? HUGE_SIZE : PAGE_SIZE;
	struct vma_usage u = {0};

	vma_usage(v, &u);
	map_line(s, v, buf);
	kb(s, "Size", v->end - v->start);
	kb(s, "KernelPageSize", page);
	kb(s, "MMUPageSize", page);
	usage_lines(s, &u, false);
	seq_printf(s, "THPeligible:    %d\n", thp_eligible(v));
	flag_line(s, v->flags);
}

static int show_all(struct seq *s, const struct pseudo_ctx *ctx,
		    void (*show)(struct seq *, struct vma *, char *))
{
	struct vmspace *vm = proc_vm(ctx);
	char *buf;

	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	if (!vm)
		return 0;
	buf = kmalloc(PATH_SIZE);
	if (buf) {
		rwlock_read_lock(&vm->lock);
		for (struct vma *v = vma_find(vm, 0); v && !s->failed; v = vma_next(v))
			show(s, v, buf);
		rwlock_read_unlock(&vm->lock);
		kfree(buf);
	}
	vmspace_put(vm);
	return buf ? 0 : -ENOMEM;
}

int proc_maps(struct seq *s, const struct pseudo_ctx *ctx)
{
	return show_all(s, ctx, map_line);
}

int proc_smaps(struct seq *s, const struct pseudo_ctx *ctx)
{
	return show_all(s, ctx, smap);
}

static void policy_out(struct seq *s, const struct vma *v)
{
	static const char *const names[] = {"default",	  "prefer", "bind",
					    "interleave", "local",  "prefer (many)"};
	u32 all = atomic_load_explicit(&v->vm->policy, memory_order_relaxed);
	u32 policy = v->policy ? v->policy : all & 0xffff, nodes = v->policy ? v->policy_nodes : all >> 16;
	u32 mode = policy & ~(u32)MPOL_MODE_FLAGS;

	seq_puts(s, mode < ARRAY_SIZE(names) ? names[mode] : "unknown");
	if (policy & MPOL_F_STATIC_NODES)
		seq_puts(s, "=static");
	else if (policy & MPOL_F_RELATIVE_NODES)
		seq_puts(s, "=relative");
	if (nodes)
		seq_puts(s, ":0");
}

static void count_out(struct seq *s, const char *name, u64 n)
{
	if (n)
		seq_printf(s, " %s=%llu", name, (unsigned long long)n);
}

static void numa_map(struct seq *s, struct vma *v, char *buf)
{
	bool huge = v->flags & VMA_HUGETLB;
	u64 size = huge ? HUGE_SIZE : PAGE_SIZE, pages, anon, dirty;
	const char *name = v->file ? "" : vma_name(v);
	struct vma_usage u;

	vma_usage(v, &u);
	pages = (huge ? u.hugetlb_shared + u.hugetlb_private : u.rss) / size;
	anon = u.anonymous / size;
	dirty = (u.shared_dirty + u.private_dirty) / size;
	seq_printf(s, "%08llx ", (unsigned long long)v->start);
	policy_out(s, v);
	if (v->file) {
		seq_puts(s, " file=");
		path_out(s, v->file, buf);
	} else if (!strcmp(name, "[heap]")) {
		seq_puts(s, " heap");
	} else if (!strcmp(name, "[stack]")) {
		seq_puts(s, " stack");
	}
	if (huge)
		seq_puts(s, " huge");
	if (pages) {
		count_out(s, "anon", anon);
		count_out(s, "dirty", dirty);
		if (pages != anon && pages != dirty)
			count_out(s, "mapped", pages);
		if (!huge && u.referenced / size < pages)
			seq_printf(s, " active=%llu", (unsigned long long)u.referenced / size);
		count_out(s, "N0", pages);
		count_out(s, "kernelpagesize_kB", size >> 10);
	}
	seq_putc(s, '\n');
}

int proc_numa_maps(struct seq *s, const struct pseudo_ctx *ctx)
{
	return show_all(s, ctx, numa_map);
}

int proc_clear_refs_store(const struct pseudo_ctx *ctx, const char *text, size_t n __maybe_unused)
{
	struct vmspace *vm;
	s64 what;

	if (proc_parse(text, VM_CLEAR_ALL, VM_CLEAR_PEAK, &what))
		return -EINVAL;
	vm = proc_vm(ctx);
	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	if (!vm)
		return 0;
	vm_clear_refs(vm, (int)what);
	vmspace_put(vm);
	return 0;
}

static void usage_add(struct vma_usage *sum, const struct vma_usage *u)
{
	sum->rss += u->rss;
	sum->pss += u->pss;
	sum->shared_clean += u->shared_clean;
	sum->shared_dirty += u->shared_dirty;
	sum->private_clean += u->private_clean;
	sum->private_dirty += u->private_dirty;
	sum->referenced += u->referenced;
	sum->anonymous += u->anonymous;
	sum->huge += u->huge;
	sum->locked += u->locked;
	sum->pss_dirty += u->pss_dirty;
	sum->pss_anon += u->pss_anon;
	sum->pss_file += u->pss_file;
	sum->pss_shmem += u->pss_shmem;
	sum->hugetlb_shared += u->hugetlb_shared;
	sum->hugetlb_private += u->hugetlb_private;
}

int proc_smaps_rollup(struct seq *s, const struct pseudo_ctx *ctx)
{
	struct vmspace *vm = proc_vm(ctx);
	struct vma_usage sum = {0};
	u64 first = 0, last = 0;
	size_t start = s->len;

	if (IS_ERR(vm))
		return (int)PTR_ERR(vm);
	if (!vm)
		return -ESRCH;
	rwlock_read_lock(&vm->lock);
	for (struct vma *v = vma_find(vm, 0); v; v = vma_next(v)) {
		struct vma_usage u = {0};

		vma_usage(v, &u);
		usage_add(&sum, &u);
		first = first ? first : v->start;
		last = v->end;
	}
	rwlock_read_unlock(&vm->lock);
	vmspace_put(vm);
	seq_printf(s, "%08llx-%08llx ---p 00000000 00:00 0 ", (unsigned long long)first,
		   (unsigned long long)last);
	seq_pad(s, start, NAME_COLUMN);
	seq_puts(s, "[rollup]\n");
	usage_lines(s, &sum, true);
	return 0;
}
