/* SPDX-License-Identifier: BSD-2-Clause */
/* The page cache: the pages of one inode, by index. read(2) and mmap share them. Owner: fs/vfs/pagecache.c. */
#pragma once

#include "kernel/page.h"
#include "kernel/vm.h"

struct iter;
struct page_cache_ops {
	/* Fill N consecutive pages from INDEX (all locked, in the cache, not up to date); set PAGE_UPTODATE or PAGE_ERROR and
	 * unlock each with pagecache_page_done(), now or later from interrupt context; each, also when it returns an error.
	 * INDEX .. INDEX + N - 1 lie below the end of the file. */
	int (*read_pages)(struct page_cache *, u64 index, struct page **pages, unsigned n);
	int (*write_page)(struct page_cache *, struct page *); /* NULL: memory is the storage */
	/* read_pages NULL: holes read as zero pages that stay (tmpfs). Such a cache may account for its pages: charge N
	 * pages before they are added (0, -ENOSPC), give N back after they went. NULL: not accounted. */
	int (*charge)(struct page_cache *, u64 n);
	void (*uncharge)(struct page_cache *, u64 n);
};

struct page_cache {
	struct inode *inode;
	const struct page_cache_ops *ops; /* NULL or without read_pages: holes read as zero pages that stay (tmpfs) */
	struct mutex lock;		  /* insertion and removal of pages */
	void *root;			  /* radix tree of struct page *, readable under RCU */
	u64 npages;
	struct spinlock map_lock;
	struct list_head mappings;	  /* vma.cache_node, guarded by map_lock; kept by kernel/mm */
	bool unevictable;		  /* memory is the only storage: never reclaimed */
	_Atomic s32 writable_maps;	  /* shared mappings that may be written; -1: sealed against them */
	u32 seals;			  /* F_SEAL_* of a memory file; guarded by the inode's lock */
	u64 fault_next;			  /* read-ahead for faults: the index after the last window read */
	u32 fault_window;
};

/* Never fails today; the int is for file systems' unwinding. */
int pagecache_init(struct page_cache *c, struct inode *inode, const struct page_cache_ops *ops);
void pagecache_destroy(struct page_cache *c);
/* The page at INDEX, up to date, with a reference; read (with read-ahead) or made if absent. ERR_PTR(-EIO, -ENOMEM). May sleep. */
struct page *pagecache_get(struct page_cache *c, u64 index);
/* Only if it is there and up to date; NULL otherwise. Never sleeps. */
struct page *pagecache_peek(struct page_cache *c, u64 index);
/* A page of C is being stored to through a shared mapping: the file has changed now. Does not sleep. */
void pagecache_mapped_write(struct page_cache *c);
void pagecache_page_done(struct page *p, int err); /* any context */
/* Drop pages wholly inside [START, END) bytes and zero the edges; unmaps them everywhere. */
void pagecache_truncate(struct page_cache *c, u64 start, u64 end);
/* Free every page wholly inside [START, END) bytes, zero the edges, but leave the size alone: punching a hole. The caller
 * holds the inode's lock. pagecache_truncate is for a size change: it also drops private copies of the pages. */
void pagecache_punch(struct page_cache *c, u64 start, u64 end);
/* The first index >= INDEX that holds a page (or, for hole: that holds none), up to END. */
u64 pagecache_next(struct page_cache *c, u64 index, u64 end, bool hole);
/* Start reading [INDEX, INDEX + N) without waiting: readahead(2), MADV_WILLNEED. */
void pagecache_readahead(struct page_cache *c, u64 index, u64 n);
/* Drop clean unmapped pages in [START, END) page indexes: POSIX_FADV_DONTNEED. */
void pagecache_invalidate(struct page_cache *c, u64 start, u64 end);
/* Sleep until P is no longer locked. */
void pagecache_wait(struct page *p);
/* vm_ops.open and close of a mapping: the count of writable ones. file_ops.mmap counts the first. The list c->mappings is
 * kept by the memory manager. */
void pagecache_vma_open(struct vma *vma);
void pagecache_vma_close(struct vma *vma);
extern const struct vm_ops pagecache_vm_ops;
/* Generic file_ops members for inodes with a cache. */
ssize_t pagecache_file_read(struct file *f, struct iter *to, u64 *pos);
#define POS_APPEND (~0ull) /* as *POS: at the end, wherever that is once the inode is locked */
ssize_t pagecache_file_write(struct file *f, struct iter *from, u64 *pos);
int pagecache_file_mmap(struct file *f, struct vma *vma);
/* How many of N bytes at POS may be written: the limits of the process (SIGXFSZ), of file sizes and of seals. -EFBIG, -EPERM.
 * The inode's lock is held. */
ssize_t pagecache_write_limit(struct page_cache *c, u64 pos, size_t n);
/* N bytes at POS were written to the storage past the cache: make the pages that it holds say so. Thread context. */
void pagecache_update(struct page_cache *c, u64 pos, const void *data, size_t n);
/* Reclaim up to N clean unmapped pages, oldest first. Returns how many. Called by the page allocator; must not allocate. */
u64 pagecache_reclaim(u64 n);
u64 pagecache_total(void);	 /* pages in all caches */
u64 pagecache_shmem_total(void); /* of those, unevictable */

/* A new unlinked tmpfs file: memfd_create, shared anonymous mappings. NAME shows in /proc/PID/maps. ERR_PTR(-ENOMEM). */
struct file *shmem_file_create(const char *name, u64 size, u32 flags);
/* The same with pages of the pool of huge pages; SIZE is a multiple of 2 MiB, and nothing is reserved yet. */
struct file *hugetlb_file_create(const char *name, u64 size);
int hugetlb_file_reserve(struct file *f); /* all of it: 0, -ENOMEM */
extern const struct vm_ops hugetlb_vm_ops;
