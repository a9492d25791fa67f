/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files that implement address spaces (the theory is in vmspace.c). Not for other folders.
 *
 * Lock order: vm->lock, vma->lock, page_cache.map_lock, vm->pt_lock, lock of a lowest-level table, lock of a
 * compound page. The last four are spin locks that no interrupt handler takes: they are taken with interrupts
 * on, and translations may be flushed on other CPUs while they are held. */
#pragma once

#include "arch/pgtable.h"
#include "base/err.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/app.h"
#include "kernel/vm.h"

#define MMAP_MIN_ADDR	KIB(64) /* the first 64 KiB are never mapped */
#define STACK_GUARD_GAP MIB(1)	/* kept free below a VMA that grows down */
/* Fields that look-ups and hints touch without the lock of their writer. */
#define vm_load(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define vm_store(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define PAGES(bytes)   ((bytes) >> PAGE_SHIFT)
#define HUGE_PAGES     (HUGE_SIZE / PAGE_SIZE)
#define VMA_RIGHTS     (VMA_READ | VMA_WRITE | VMA_EXEC)

static inline bool vma_accessible(const struct vma *v)
{
	return v->flags & VMA_RIGHTS;
}

/* Anonymous and private: its pages belong to this mapping alone (or are shared copy-on-write). */
static inline bool vma_anonymous(const struct vma *v)
{
	return !v->file && !v->ops;
}

/* The page cache that V maps; NULL for everything else. */
static inline struct page_cache *vma_page_cache(const struct vma *v)
{
	return v->file && v->file->inode ? v->file->inode->cache : NULL;
}

/* Room for others below V: a VMA that grows down keeps a guard gap for itself. */
static inline u64 vma_usable_gap(const struct vma *v)
{
	u64 guard = v->flags & VMA_GROWSDOWN ? STACK_GUARD_GAP : 0;

	return v->gap > guard ? v->gap - guard : 0;
}

/* SLOT, the lowest-level entry for A, is empty: how many of those after it, below END, surely are, too.
 * Stacks and arenas leave most of their tables empty, so entries are looked at in rows. */
static inline u64 pt_more_empty(const pte_t *slot, u64 a, u64 end)
{
	const pte_t *e = slot;

	for (; a % (8 * PAGE_SIZE) == 0 && end - a >= 8 * PAGE_SIZE; a += 8 * PAGE_SIZE, e += 8)
		if (e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7])
			break;
	return e == slot ? 0 : (u64)(e - slot) - 1;
}

static inline u64 vma_pages(const struct vma *v)
{
	return PAGES(v->end - v->start);
}

/* vma.c: the tree. Changes need vm->lock written. */
void vma_init(void);
struct vma *vma_alloc(struct vmspace *vm);
void vma_free(struct vma *v);	 /* never linked, no file reference */
void vma_release(struct vma *v); /* unlinked: drop its file and free it after a grace period */
void vma_link(struct vmspace *vm, struct vma *v);
/* Take V out: waits for its faults, marks it detached. The caller accounts and releases. */
void vma_unlink(struct vmspace *vm, struct vma *v);
void vma_forget_mapping(struct vma *v); /* off the page cache's list, once its pages are unmapped */
/* Change the bounds (and PGOFF); V's lock is held for writing, and no other VMA is in the way. */
void vma_set_bounds(struct vma *v, u64 start, u64 end, u64 pgoff);
/* Split V at ADDR: V keeps the lower part, the upper part is returned. ERR_PTR(-ENOMEM). */
struct vma *vma_split(struct vma *v, u64 addr);
/* Split so that VMAs begin at START and end at END; returns the first one in the range (NULL: the range is
 * empty). ERR_PTR. */
struct vma *vma_isolate(struct vmspace *vm, u64 start, u64 end);
/* Merge V with its neighbours if they are alike; returns what holds V's range now. */
struct vma *vma_merge(struct vma *v);
/* Would a new mapping of these properties extend the VMA that ends at START? Returns that VMA. */
struct vma *vma_extendable(struct vmspace *vm, u64 start, u32 flags, struct file *file, u64 pgoff);
/* The VMA with ADDR, locked for reading (faults). NULL: none. */
struct vma *vma_lock_read(struct vmspace *vm, u64 addr);
/* The same, for a fault; *STACK_ABOVE: there is none, but the next one above grows down. */
struct vma *vma_lock_fault(struct vmspace *vm, u64 addr, bool *stack_above);
void vma_unlock_read(struct vma *v);
struct vma *vma_find_exact(struct vmspace *vm, u64 addr); /* contains ADDR, or NULL */
struct vma *vma_prev(struct vma *v);
/* The highest free place of LEN bytes in [LOW, HIGH), aligned to ALIGN; 0: none. */
u64 vm_find_gap(struct vmspace *vm, u64 len, u64 low, u64 high, u64 align);
/* Accounting of a change by DELTA pages in mappings with FLAGS. */
void vm_account(struct vmspace *vm, u32 flags, s64 delta);

/* pagetable.c */
/* The entry of ADDR at LEVEL (0 or 1); NULL when a table on the way is missing (or, for 0, a large page maps
 * it). */
pte_t *pt_lookup(struct vmspace *vm, u64 addr, unsigned level);
/* The same, making tables on the way down to those of LEVEL. NULL: no memory (or, for level 0, a large page
 * is there). */
pte_t *pt_make(struct vmspace *vm, u64 addr, unsigned level);
/* Lock of the lowest-level table that holds the entries of a level 1 entry E. */
struct spinlock *pt_table_lock(pte_t e);
/* The level 1 entry of ADDR, or NULL; *NEXT becomes the end of what that entry, or the missing table, covers.
 */
pte_t *pt_next(struct vmspace *vm, u64 addr, u64 *next);
u64 pt_table_alloc(struct vmspace *vm); /* physical address of an empty table; 0: no memory */
void pt_table_free(struct vmspace *vm, u64 phys);

/* tlb.c: translations, and what may be freed only once they are gone. */
#define TLB_BATCH_MAX 56
struct tlb_batch {
	struct vmspace *vm;
	u64 start, end; /* range whose entries changed; empty: start >= end */
	bool tables;	/* table pages are among those to free: idle CPUs must flush too */
	unsigned n, max;
	struct page **pages; /* `small`, or a page's worth */
	struct page *store;
	struct page *tables_list;	      /* through priv */
	s64 anon, file, shmem, huge, hugetlb; /* pages unmapped, to be taken off the counts */
	struct page *small[TLB_BATCH_MAX];
};
/* EXPECT: pages that may come; a hint. */
void tlb_batch_begin(struct tlb_batch *b, struct vmspace *vm, u64 expect);
static inline void tlb_batch_range(struct tlb_batch *b, u64 start, u64 end)
{
	b->start = min(b->start, start);
	b->end = max(b->end, end);
}
/* P lost a mapping: its reference is dropped after the flush. Returns true when the batch is full: flush
 * before going on. */
static inline bool tlb_batch_page(struct tlb_batch *b, struct page *p)
{
	b->pages[b->n++] = p;
	return b->n == b->max;
}
bool tlb_batch_large(struct tlb_batch *b, struct page *head); /* a large entry's page: thp_put() */
void tlb_batch_table(struct tlb_batch *b, u64 phys);
void tlb_batch_flush(struct tlb_batch *b); /* interrupts on */
void tlb_batch_end(struct tlb_batch *b);
/* Flush [START, END) on every CPU that uses VM. TABLES: also on idle ones. */
void tlb_flush_range(struct vmspace *vm, u64 start, u64 end, bool tables);
void tlb_flush_all(struct vmspace *vm);
/* Run FN on the other CPUs where a thread of VM runs now, between full fences. Returns 0. */
long vm_run_on_cpus(struct vmspace *vm, void (*fn)(void *));
/* No CPU keeps VM loaded when this returns. */
void tlb_leave_all(struct vmspace *vm);

/* zap.c */
enum zap_flags {
	ZAP_FILE_ONLY = 1, /* leave private copies */
};
/* Drop the pages of [START, END), all inside V. Large pages at the edges are split; -ENOMEM when that fails.
 */
int zap_range(struct tlb_batch *b, struct vma *v, u64 start, u64 end, u32 flags);
/* Free the tables for [START, END), given that nothing is mapped in [FLOOR, CEILING). */
void free_tables(struct tlb_batch *b, u64 start, u64 end, u64 floor, u64 ceiling);
/* Split large pages that START or END cut. */
int split_edges(struct vmspace *vm, u64 start, u64 end);
/* Drop the mapping of page P by a lowest-level entry E of V: counts, dirty bit. The reference stays. */
void page_unmapped(struct tlb_batch *b, const struct vma *v, struct page *p, pte_t e);

/* thp.c */
extern u32 thp_enabled; /* some policy other than never */
bool thp_suitable(const struct vma *v, u64 haddr);
int thp_fault(struct vma *v, u64 haddr, pte_t *pmd); /* 0; -EAGAIN: use small pages */
int thp_write_fault(struct vma *v, u64 haddr, pte_t *pmd, pte_t old);
int thp_split(struct vmspace *vm, u64 haddr, pte_t *pmd);
void thp_get(struct page *head); /* one more large entry maps it */
void thp_put(struct page *head); /* one less */
/* v->lock written, vm->lock held. FLAGS for the allocation. 0; -EINVAL, -ENOMEM, -EAGAIN */
int thp_collapse(struct vma *v, u64 haddr, u32 flags);
void thp_missed(void); /* khugepaged.c: small pages came where a large one was wanted. Any context */

/* fault.c */
enum fault_flags { FAULT_WRITE = 1, FAULT_EXEC = 2 };
/* Resolve one fault in V, locked for reading. 0, -EAGAIN (look again), -ENOMEM, -EFAULT (beyond the end),
 * -EIO, -EACCES. */
int vma_fault(struct vma *v, u64 addr, u32 flags);
void fault_count_major(void); /* the fault under way had to wait for a device */
extern u32 fault_batch_max;
/* Bring in [START, END), as far as mapped: mlock, MAP_POPULATE, MADV_POPULATE. 0, -ENOMEM (a hole), -EFAULT
 * (no access), -EINVAL (not the one asked for), -EAGAIN ... */
int vm_populate(struct vmspace *vm, u64 start, u64 end, bool write, bool read);
int vma_fault_file(struct vma *v, u64 addr, u32 flags, pte_t *pmd);
void vma_forget_copied(struct vma *v, u64 addr); /* V has a copy of its file's page at ADDR: let go of that */
int vma_write_fault_small(struct vma *v, u64 addr, pte_t *pte, struct spinlock *lock, pte_t old);

/* reclaim.c */
void reclaim_add_space(struct vmspace *vm);
void reclaim_remove_space(
	struct vmspace *vm); /* the space is going: reclaim leaves it alone when this returns */

/* hugetlb.c */
int hugetlb_fault(struct vma *v, u64 haddr, u32 flags, pte_t *pmd);
bool hugetlb_free(struct page *head); /* a pool page with no mapping left: true when it was one */

/* mmap.c, munmap.c, mprotect.c */
u32 prot_to_vma(u32 prot);
/* commit.c: PAGES more are promised (or fewer) in mappings with FLAGS; may they be? 0, -ENOMEM */
void vm_commit(u32 flags, s64 pages);
int vm_check_commit(u32 flags, u64 pages);
int vm_check_limits(struct vmspace *vm, u32 flags, u64 pages);
/* With vm->lock written. Dead VMAs go onto *DEAD: vm_release_dead() once the lock is released. */
int vm_unmap_locked(struct vmspace *vm, u64 start, u64 end, struct vma **dead);
void vm_release_dead(struct vma *dead);
bool vm_range_ok(u64 addr, u64 len);
bool vm_range_free(struct vmspace *vm, u64 start, u64 len); /* nothing is mapped there, guard gaps included */
bool vm_may_lock(void);					    /* this process may lock memory, some at least */
int vm_mlock_flags(struct vmspace *vm, u64 start, u64 end, u32 set);
u64 vm_brk(struct vmspace *vm, u64 want); /* brk(2): the new or, on failure, the old end */
