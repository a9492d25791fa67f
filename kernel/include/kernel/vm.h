/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces of applications. Owner: kernel/mm/. */
#pragma once

#include "base/list.h"
#include "base/rbtree.h"
#include "base/refcount.h"
#include "kernel/mutex.h"
#include "kernel/page.h"
#include "kernel/rcu.h"

struct file;
struct vma;
struct vmspace;
struct page_cache;

enum vma_flag {
	VMA_READ = 1 << 0,
	VMA_WRITE = 1 << 1,
	VMA_EXEC = 1 << 2,
	VMA_SHARED = 1 << 3,
	VMA_STACK = 1 << 4,	 /* MAP_STACK / MAP_GROWSDOWN: no huge pages */
	VMA_GROWSDOWN = 1 << 5,
	VMA_NORESERVE = 1 << 6,
	VMA_HUGEPAGE = 1 << 7,	 /* madvise(MADV_HUGEPAGE) */
	VMA_NOHUGEPAGE = 1 << 8,
	VMA_HUGETLB = 1 << 9,
	VMA_DONTFORK = 1 << 10,
	VMA_WIPEONFORK = 1 << 11,
	VMA_LOCKED = 1 << 12,
	VMA_DONTDUMP = 1 << 13,
	VMA_MAYWRITE = 1 << 14,	 /* a shared file mapping of a descriptor open for writing: mprotect may add WRITE */
	VMA_SPECIAL = 1 << 15,	 /* vDSO and vvar: named by ops, never merged */
	VMA_IO = 1 << 16,
	VMA_LOCKONFAULT = 1 << 17, /* mlock2(MLOCK_ONFAULT): with LOCKED, pages are not brought in ahead */
	VMA_BRK = 1 << 18,	 /* the heap of brk(2) */
	VMA_SEQUENTIAL = 1 << 19, /* madvise: how it will be touched. Neither: as usual */
	VMA_RANDOM = 1 << 20,
};

struct vm_fault {
	struct vma *vma;
	u64 addr;	/* page-aligned */
	u64 pgoff;	/* page offset in the file */
	bool write;
	struct page *page; /* out: with a reference for the mapping */
};

struct vm_ops {
	/* Find the page for F->pgoff. May sleep. 0 with f->page set; -EFAULT beyond the end (SIGBUS); -ENOMEM; -EIO (SIGBUS).
	 * The page must still be in its cache (page->cache) when mm has mapped it, or mm undoes the mapping: truncation clears
	 * page->cache first and calls vm_unmap_cache() after. */
	int (*fault)(struct vm_fault *f);
	/* A shared page is about to become writable (dirty tracking). NULL: nothing to do. */
	int (*page_mkwrite)(struct vm_fault *f);
	void (*open)(struct vma *);  /* a copy came into being: split, fork */
	void (*close)(struct vma *);
	const char *(*name)(struct vma *); /* for /proc/PID/maps, when there is no file */
};

struct vma {
	u64 start, end;		/* page-aligned, [start, end) */
	u32 flags;
	u64 pgoff;		/* of start, in pages; anonymous: start >> PAGE_SHIFT */
	struct file *file;	/* reference held; NULL for anonymous */
	const struct vm_ops *ops;
	void *priv;
	struct vmspace *vm;
	struct rb_node node;
	u64 max_gap;		/* augmented: largest free gap below within the subtree */
	u64 gap;		/* free bytes between the VMA below (or 0) and start */
	struct list_head cache_node; /* on file->inode->cache's list of mappings, guarded by its map_lock; mm keeps it */
	struct rwlock lock;	/* faults read, changes of the fields above and removal write (with vm->lock written) */
	struct rcu_head rcu;
	u16 policy;		/* mbind(2)'s MPOL_* with flags; 0 by default. One node: kept only to be read back */
	u8 policy_nodes;	/* its node mask */
	bool detached;		/* no longer in the tree; guarded by lock */
	u8 batch;		/* pages of the last fault's population; a hint, racy */
	u64 fault_next;		/* where a sequential toucher would fault next; a hint, racy */
	struct vma *next_dead;	/* on munmap's list */
};

/* Something that belongs to an address space and goes with it. */
struct vm_attachment {
	void (*free)(struct vm_attachment *);
};

struct vmspace {
	struct refcount ref;
	struct rwlock lock;	/* write: change the tree. read: walk it. RCU look-ups need neither */
	struct rb_root tree;
	u32 nvmas;
	phys_t root;		/* page-table root (CR3) */
	struct spinlock pt_lock; /* page-table entries above the lowest level; each lowest table has a lock of its own */
	_Atomic u64 *cpus;	/* mask of CPUs that may hold its translations (cpu_count bits) */
	_Atomic u64 cpus_inline; /* the mask, when 64 bits are enough */
	_Atomic u64 tlb_gen;	/* counts flushes: a CPU that was left out (idle) catches up by it */
	u64 brk_start, brk_end;
	u64 code_start, code_end, data_start, data_end; /* of the program, as exec found it; for /proc */
	u64 mmap_base;		/* top-down search starts below */
	_Atomic s64 rss_anon, rss_file, rss_shmem, pt_pages; /* in pages */
	_Atomic s64 hugetlb_pages; /* 4 KiB pages of pool pages mapped; not part of the resident set */
	_Atomic s64 huge_pages;	/* 4 KiB pages mapped by large anonymous entries; part of rss_anon */
	u64 total_vm, locked_vm, data_vm, stack_vm, exec_vm; /* in pages; guarded by lock */
	_Atomic u64 peak_rss, peak_vm; /* noted when rss falls: read it with vm_peak_rss() */
	u64 vdso;		/* base of the vDSO, 0 if none */
	u64 id;			/* no other space had it or will */
	u32 lock_future;	/* VMA_LOCKED | VMA_LOCKONFAULT that new mappings get: mlockall(MCL_FUTURE) */
	_Atomic u32 policy;	/* set_mempolicy(2): nodes << 16 | MPOL_* with flags; of all threads alike */
	_Atomic u32 membarrier;	/* commands registered for: kernel/mm/syscalls_membarrier.c */
	struct list_head all_node; /* on the list of all address spaces: kernel/mm/reclaim.c */
	_Atomic u32 pins;	/* reclaim is looking at it */
	u64 reclaim_at;		/* where reclaim goes on; a hint, racy */
	_Atomic(struct vm_attachment *) aio; /* contexts of native AIO: kernel/ipc/aio.c; NULL until one is made */
};

/* Resident pages now, and at most so far. Any context; a snapshot. */
static inline u64 vm_rss(struct vmspace *vm)
{
	s64 n = atomic_load_explicit(&vm->rss_anon, memory_order_relaxed) +
		atomic_load_explicit(&vm->rss_file, memory_order_relaxed) +
		atomic_load_explicit(&vm->rss_shmem, memory_order_relaxed);

	return n > 0 ? (u64)n : 0;
}
static inline u64 vm_peak_rss(struct vmspace *vm)
{
	u64 now = vm_rss(vm), peak = atomic_load_explicit(&vm->peak_rss, memory_order_relaxed);

	return now > peak ? now : peak;
}

struct vmspace *vmspace_create(void) __must_check;		    /* empty; NULL on no memory */
struct vmspace *vmspace_fork(struct vmspace *parent) __must_check; /* copy on write; ERR_PTR */
void vmspace_get(struct vmspace *vm);
void vmspace_put(struct vmspace *vm); /* the last one unmaps everything. Thread context */
void vmspace_activate(struct vmspace *vm); /* load on this CPU; NULL: the kernel's own. Called by context switch, irqs off */

/* mmap(2)'s semantics with PROT_* and MAP_*; OFF in bytes. Returns the address or -errno. FILE may be NULL. */
long vm_mmap(struct vmspace *vm, u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off);
int vm_munmap(struct vmspace *vm, u64 addr, u64 len);
int vm_mprotect(struct vmspace *vm, u64 addr, u64 len, u32 prot);
/* Map kernel-provided pages (vDSO) at a free place below HINT: returns the address or -errno. */
long vm_map_special(struct vmspace *vm, u64 hint, u64 len, u32 vma_flags, const struct vm_ops *ops, void *priv);
/* mremap(2) with MREMAP_*: the new address or -errno. */
long vm_mremap(struct vmspace *vm, u64 addr, u64 old_len, u64 new_len, u32 flags, u64 new_addr);
int vm_madvise(struct vmspace *vm, u64 addr, u64 len, int advice);
/* Set up [brk_start, brk_start): exec does. */
void vm_set_brk(struct vmspace *vm, u64 start);

/* Resolve a fault at ADDR for the current thread's vmspace: 0 mapped, else the signal in *SIG with *CODE. May sleep. */
int vm_handle_fault(struct vmspace *vm, u64 addr, bool write, bool exec, bool from_app, int *sig, int *code);
/* What the current thread needs to go on could not be had, for the ROUNDth time in a row: make room, if need be by ending a
 * process. False: give up, for the current one is dying. Sleeps; no lock may be held that a dying process needs. */
bool vm_wait_for_memory(unsigned round);
/* Make the page at ADDR present (and writable) as a fault would. 0 or -EFAULT. */
int vm_fault_in(struct vmspace *vm, u64 addr, bool write);
/* Read or write another address space's memory (process_vm_readv, /proc/PID/{cmdline,environ,mem}). Bytes copied. */
size_t vm_access(struct vmspace *vm, u64 addr, void *buf, size_t len, bool write);
/* Copy what is mapped now, without bringing anything in: as many bytes as lie in pages that are there. */
size_t vm_read_present(struct vmspace *vm, u64 addr, void *buf, size_t len);
/* The futex key of ADDR: private mappings give (vm, addr), shared ones (page cache, offset), with a reference. */
struct futex_key {
	u64 object; /* struct vmspace * or struct inode * */
	u64 offset; /* address or byte offset in the file */
	bool shared;
};
int vm_futex_key(struct vmspace *vm, u64 addr, bool private, struct futex_key *key);
void vm_futex_key_put(struct futex_key *key);

/* Page cache's view (see vm_ops.fault for the order): drop page-table entries that map [FIRST, LAST] page indexes of CACHE (truncate, punch hole).
 * EVEN_COWED also drops private copies (truncate). */
void vm_unmap_cache(struct page_cache *cache, u64 first, u64 last, bool even_cowed);

/* /proc/sys/vm/overcommit_*: mode 0 refuses what can never be had, 1 nothing, 2 what exceeds the limit. */
extern u32 vm_overcommit_memory, vm_overcommit_ratio;
extern u64 vm_overcommit_kbytes; /* the limit, unless 0: then vm_overcommit_ratio percent of RAM */
u64 vm_commit_limit(void);	 /* in pages */
u64 vm_committed(void);		 /* pages promised: private writable mappings and memory files. A snapshot */
extern u32 vm_max_map_count; /* /proc/sys/vm/max_map_count */

/* Walk for /proc/PID/maps: the VMA with the smallest end > ADDR; the caller holds vm->lock for reading. */
struct vma *vma_find(struct vmspace *vm, u64 addr);
struct vma *vma_next(struct vma *vma); /* NULL after the last */
/* What /proc/PID/maps shows for a VMA without a file: "[heap]", "[stack]", "[vdso]" or "". */
const char *vma_name(struct vma *vma);

/* What one VMA holds, in bytes, for /proc/PID/smaps; the caller holds vm->lock for reading. */
struct vma_usage {
	u64 rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, referenced, anonymous, huge, locked;
	u64 pss_dirty, pss_anon, pss_file, pss_shmem, hugetlb_shared, hugetlb_private;
};
void vma_usage(struct vma *vma, struct vma_usage *out);

/* Forget that pages of VM were used, as /proc/PID/clear_refs wants it. */
enum vm_clear { VM_CLEAR_ALL = 1, VM_CLEAR_ANON, VM_CLEAR_MAPPED, VM_CLEAR_SOFT_DIRTY, VM_CLEAR_PEAK };
void vm_clear_refs(struct vmspace *vm, int what);

/* What /proc/PID/pagemap says of N pages from ADDR on; 0 where nothing is mapped. Thread context. */
#define PAGEMAP_PRESENT BIT(63)
#define PAGEMAP_FILE	BIT(61) /* of a file or shared memory */
#define PAGEMAP_ALONE	BIT(56) /* nothing else maps it */
#define PAGEMAP_DIRTY	BIT(55) /* "soft-dirty": was written to since that was cleared, which nobody can */
#define PAGEMAP_FRAME	(BIT(55) - 1)
void vm_pagemap(struct vmspace *vm, u64 addr, u64 *out, size_t n);

/* Transparent huge pages: /sys/kernel/mm/transparent_hugepage/enabled. Any context. */
enum thp_policy { THP_ALWAYS, THP_MADVISE, THP_NEVER };
enum thp_policy thp_policy_get(void);
void thp_policy_set(enum thp_policy p);

/* Background collapsing: .../transparent_hugepage/khugepaged. Plain stores. */
struct thp_tunables {
	u32 pages_to_scan, scan_sleep_ms, alloc_sleep_ms, max_ptes_none;
};
extern struct thp_tunables thp_tunables;
void thp_rescan(void); /* policy or tunables changed: look again. Thread context */

/* The MAP_HUGETLB pool, in 2 MiB pages: /proc/meminfo and /proc/sys/vm/nr_hugepages. */
struct hugetlb_stats {
	u64 total, free, reserved;
};
void hugetlb_stats(struct hugetlb_stats *out);
/* For files whose pages come from the pool. Set 2 MiB pages aside (0, -ENOMEM) or give them up. */
int hugetlb_reserve(u64 pages);
void hugetlb_unreserve(u64 pages);
/* A page with one reference, its contents undefined; RESERVED: one of those set aside. NULL: none. */
struct page *hugetlb_take(bool reserved) __must_check;
void hugetlb_clear(struct page *p); /* thread context */
void hugetlb_put(struct page *p);   /* to the pool with the last reference */
/* Grow or shrink the pool towards N pages; returns the new size. Thread context. */
u64 hugetlb_resize(u64 n);
