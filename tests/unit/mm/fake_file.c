// SPDX-License-Identifier: BSD-2-Clause
/* The part of fs/ that mappings need, as small as it can be: one inode, its page cache an array. */
#include <stdlib.h>

#include "base/err.h"
#include "fake_file.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"

#define MAX_PAGES 256
static struct fake {
	struct file file;
	struct inode inode;
	struct page_cache cache;
	struct page *pages[MAX_PAGES];
	u32 count;
} fake;

static int fault(struct vm_fault *f)
{
	struct page *p;

	if (f->pgoff >= fake.count)
		return -EFAULT;
	p = fake.pages[f->pgoff];
	if (!p) {
		p = page_alloc(0, PAGE_ZERO | PAGE_MOVABLE);
		if (!p)
			return -ENOMEM;
		p->cache = &fake.cache;
		p->index = f->pgoff;
		fake.pages[f->pgoff] = p;
	}
	page_get(p);
	f->page = p;
	return 0;
}

static const struct vm_ops ops = {.fault = fault};

static int file_mmap(struct file *f, struct vma *v)
{
	v->ops = &ops;
	return 0;
}

static const struct file_ops fops = {.mmap = file_mmap};

struct page *pagecache_peek(struct page_cache *c, u64 index)
{
	struct page *p = index < fake.count ? fake.pages[index] : NULL;

	if (p)
		page_get(p);
	return p;
}

/* Nothing waits for being written. */
u64 vfs_writeback(void)
{
	return 0;
}

void pagecache_mapped_write(struct page_cache *c)
{
}

/* Clean pages that nobody but the cache has go. */
void pagecache_invalidate(struct page_cache *c, u64 start, u64 end)
{
	for (u64 i = start; i < end && i < fake.count; i++) {
		struct page *p = fake.pages[i];

		if (!p || refcount_read(&p->ref) != 1 || p->flags & PAGE_DIRTY)
			continue;
		p->cache = NULL;
		fake.pages[i] = NULL;
		page_put(p);
	}
}

struct page *fake_file_page(u32 i)
{
	return fake.pages[i];
}

void pagecache_readahead(struct page_cache *c, u64 index, u64 n)
{
}

static void drop_page(u32 i)
{
	struct page *p = fake.pages[i];

	if (!p)
		return;
	p->cache = NULL;
	fake.pages[i] = NULL;
	vm_unmap_cache(&fake.cache, i, i, true);
	ASSERT(!p->mapcount && refcount_read(&p->ref) == 1);
	page_put(p);
}

void fake_file_truncate(struct file *f, u32 pages)
{
	u32 old = fake.count;

	fake.count = pages;
	if (pages < old)
		vm_unmap_cache(&fake.cache, pages, ~0ull >> PAGE_SHIFT, true);
	for (u32 i = pages; i < old; i++)
		drop_page(i);
}

void fake_file_drop(struct file *f)
{
	ASSERT(list_empty(&fake.cache.mappings));
	for (u32 i = 0; i < fake.count; i++)
		drop_page(i);
}

struct file *fake_file_create(u32 pages)
{
	list_init(&fake.cache.mappings);
	fake.inode.cache = &fake.cache;
	fake.file.inode = &fake.inode;
	fake.file.ops = &fops;
	fake.file.flags = O_RDWR;
	fake.count = pages;
	refcount_set(&fake.file.ref, 1);
	return &fake.file;
}

void file_get(struct file *f)
{
	refcount_get(&f->ref);
}

void file_put(struct file *f)
{
	if (refcount_put(&f->ref))
		panic("file_put: the test holds a reference");
}

struct file *fd_get(int fd)
{
	return NULL;
}

void inode_get(struct inode *i)
{
}

void inode_put(struct inode *i)
{
}

struct file *shmem_file_create(const char *name, u64 size, u32 flags)
{
	return ERR_PTR(-ENOMEM);
}

struct file *hugetlb_file_create(const char *name, u64 size)
{
	return ERR_PTR(-ENOMEM);
}

struct process *process_find(u32 pid)
{
	return NULL;
}

struct thread *thread_find(u32 tid)
{
	return NULL;
}

void thread_put(struct thread *t)
{
}

bool ptrace_may_access(struct process *p, enum ptrace_mode mode)
{
	return true;
}

bool ptrace_may_access_thread(struct thread *t, enum ptrace_mode mode)
{
	return true;
}

void process_put(struct process *p)
{
}

struct vmspace *process_get_vm(struct process *p)
{
	return NULL;
}

struct process *pidfd_get(int fd, u32 *flags);
struct process *pidfd_get(int fd, u32 *flags)
{
	return ERR_PTR(-EBADF);
}
