// SPDX-License-Identifier: BSD-2-Clause
/* NUMA policy on a machine of one node: arguments are checked as on Linux and policies kept to be read back;
 * they change nothing, for all memory is node 0's. man-pages set_mempolicy(2), get_mempolicy(2), mbind(2),
 * migrate_pages(2), move_pages(2). A policy is kept for the whole address space rather than for each thread.
 */
#include "base/string.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/syscall.h"
#include "vm_internal.h"
#include <linux/mempolicy.h>
#include <linux/capability.h>

#define MAX_NODES 1024 /* node numbers that a mask may name, as Debian's kernel has them */
#define MODE_MAX  (MPOL_PREFERRED_MANY + 1)

struct policy {
	u32 mode;  /* MPOL_* with mode flags */
	u32 nodes; /* bit 0 or nothing */
};

/* Node masks come as "one more than the number of bits". FOREIGN: bits of nodes that do not exist are set. */
static int get_nodes(u32 *nodes, bool *foreign, const u64 __app *mask, u64 maxnode)
{
	*nodes = 0;
	*foreign = false;
	if (!maxnode || !--maxnode || !mask)
		return 0;
	if (maxnode > PAGE_SIZE * 8)
		return -EINVAL;
	for (u64 i = 0; i < DIV_ROUND_UP(maxnode, 64); i++) {
		u64 word;

		if (get_app(word, mask + i))
			return -EFAULT;
		if (maxnode - i * 64 < 64)
			word &= (1ull << (maxnode % 64)) - 1;
		if (i * 64 >= MAX_NODES && word)
			return -EINVAL;
		if (!i)
			*nodes = word & 1;
		if (word & ~(u64)(i ? 0 : 1))
			*foreign = true;
	}
	return 0;
}

/* Check MODE with its nodes as set_mempolicy and mbind do. */
static int make_policy(struct policy *p, int mode, const u64 __app *mask, u64 maxnode)
{
	u32 flags = (u32)mode & MPOL_MODE_FLAGS, base = (u32)mode & ~(u32)MPOL_MODE_FLAGS;
	bool foreign, empty;
	int err;

	if (base >= MODE_MAX || (flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ==
					(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	if (flags & MPOL_F_NUMA_BALANCING && base != MPOL_BIND)
		return -EINVAL;
	err = get_nodes(&p->nodes, &foreign, mask, maxnode);
	if (err)
		return err;
	empty = !p->nodes && !foreign;
	p->mode = base | flags;
	switch (base) {
	case MPOL_DEFAULT:
		p->mode = MPOL_DEFAULT;
		return empty ? 0 : -EINVAL;
	case MPOL_LOCAL:
		return empty && !(flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ? 0 : -EINVAL;
	case MPOL_PREFERRED:
		if (empty) {
			if (flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
				return -EINVAL;
			p->mode = MPOL_LOCAL;
			return 0;
		}
		break;
	default:
		if (empty)
			return -EINVAL;
	}
	if (flags & MPOL_F_RELATIVE_NODES)
		p->nodes = 1; /* numbers are taken modulo the nodes there are */
	return p->nodes ? 0 : -EINVAL;
}

SYSCALL_DEFINE3(set_mempolicy, int, mode, const u64 __app *, mask, u64, maxnode)
{
	struct policy p;
	int err = make_policy(&p, mode, mask, maxnode);

	if (!err)
		atomic_store_explicit(&current->vm->policy, p.nodes << 16 | p.mode, memory_order_relaxed);
	return err;
}

/* Store a node mask of MAXNODE - 1 bits. */
static int put_nodes(u64 __app *mask, u64 maxnode, u32 nodes)
{
	u64 bytes = ALIGN_UP(maxnode - 1, 64ul) / 8;

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (bytes > 8 && zero_app(mask + 1, bytes - 8))
		return -EFAULT;
	return bytes ? put_app((u64)nodes, mask) : 0;
}

SYSCALL_DEFINE5(get_mempolicy, int __app *, mode_out, u64 __app *, mask, u64, maxnode, u64, addr, u64, flags)
{
	struct vmspace *vm = current->vm;
	u32 pol = atomic_load_explicit(&vm->policy, memory_order_relaxed);
	int mode = pol & 0xffff, result;
	u32 nodes = pol >> 16;

	if (mask && maxnode < 1)
		return -EINVAL;
	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		mode = 0;
		nodes = 1;
	} else if (flags & MPOL_F_ADDR) {
		struct vma *v = addr < APP_LIMIT ? vma_lock_read(vm, addr) : NULL;

		if (!v)
			return -EFAULT;
		if (v->policy) {
			mode = v->policy;
			nodes = v->policy_nodes;
		}
		vma_unlock_read(v);
		if (flags & MPOL_F_NODE) {
			if (vm_fault_in(vm, addr, false))
				return -EFAULT;
			mode = 0; /* the node of the page */
		}
	} else if (addr) {
		return -EINVAL;
	} else if (flags & MPOL_F_NODE) {
		if ((mode & ~MPOL_MODE_FLAGS) != MPOL_INTERLEAVE)
			return -EINVAL;
		mode = 0; /* the next node to be used */
	}
	result = mode_out ? put_app(mode, mode_out) : 0;
	if (!result && mask)
		result = put_nodes(mask, maxnode, nodes);
	return result;
}

SYSCALL_DEFINE6(mbind, u64, start, u64, len, u64, mode, const u64 __app *, mask, u64, maxnode, unsigned,
		flags)
{
	struct vmspace *vm = current->vm;
	u64 end = start + ALIGN_UP(len, PAGE_SIZE);
	struct policy p;
	int err;

	if (flags & ~(unsigned)(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !process_capable(CAP_SYS_NICE))
		return -EPERM;
	if (start & ~PAGE_MASK)
		return -EINVAL;
	err = make_policy(&p, (int)mode, mask, maxnode);
	if (err)
		return err;
	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	if (end > APP_LIMIT)
		return -EFAULT;
	if (rwlock_write_lock_killable(&vm->lock))
		return -EINTR;
	for (u64 a = start; a < end && !err;) {
		struct vma *v = vma_find_exact(vm, a);

		if (!v) {
			err = -EFAULT;
			break;
		}
		u64 e = min(v->end, end);

		if (v->policy != p.mode || (p.mode && v->policy_nodes != p.nodes)) {
			v = vma_isolate(vm, a, e);
			if (IS_ERR(v)) {
				err = -ENOMEM;
				break;
			}
			v->policy = (u16)p.mode;
			v->policy_nodes = (u8)p.nodes;
			vma_merge(v);
		}
		a = e;
	}
	rwlock_write_unlock(&vm->lock);
	return err;
}

SYSCALL_DEFINE4(migrate_pages, int, pid, u64, maxnode, const u64 __app *, from, const u64 __app *, to)
{
	u32 old, new;
	bool foreign;
	struct process *p;
	int err = get_nodes(&old, &foreign, from, maxnode);

	if (!err)
		err = get_nodes(&new, &foreign, to, maxnode);
	if (err)
		return err;
	p = pid ? process_find((u32)pid) : NULL;
	if (pid && !p)
		return -ESRCH;
	if (p) {
		bool allowed = ptrace_may_access(p, PTRACE_BY_REAL_IDS);

		process_put(p);
		if (!allowed)
			return -EPERM;
	}
	if (foreign && !process_capable(CAP_SYS_NICE))
		return -EPERM;
	return new ? 0 : -EINVAL; /* no page is left unmoved: all are where they can be */
}

/* The node of the page at ADDR for move_pages: 0, -ENOENT when nothing is there, -EFAULT without a mapping.
 */
static int page_node(struct vmspace *vm, u64 addr)
{
	struct vma *v = addr < APP_LIMIT ? vma_lock_read(vm, addr) : NULL;
	u64 next;
	pte_t *pmd, e;

	if (!v)
		return -EFAULT;
	pmd = pt_next(vm, addr, &next);
	e = pmd ? pte_read(pmd) : 0;
	if (pte_present(e) && !pte_large(e))
		e = pte_read((pte_t *)phys_to_virt(pte_phys(e)) + pt_index(addr, 0));
	vma_unlock_read(v);
	return pte_none(e) ? -ENOENT : 0;
}

SYSCALL_DEFINE6(move_pages, int, pid, u64, count, const u64 __app *, pages, const int __app *, nodes,
		int __app *, status, int, flags)
{
	struct vmspace *vm = current->vm;
	long result = 0;

	if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !process_capable(CAP_SYS_NICE))
		return -EPERM;
	if (pid && (u32)pid != current_process()->pid) {
		struct process *p = process_find((u32)pid);

		if (!p)
			return -ESRCH;
		if (!ptrace_may_access(p, PTRACE_BY_REAL_IDS)) {
			process_put(p);
			return -EPERM;
		}
		vm = process_get_vm(p);
		process_put(p);
		if (!vm)
			return -EINVAL;
	} else {
		vmspace_get(vm);
	}
	for (u64 i = 0; i < count; i++) {
		u64 addr;
		int node = 0, st;

		if (get_app(addr, pages + i) || (nodes && get_app(node, nodes + i))) {
			result = -EFAULT;
			break;
		}
		if (node) {
			result = -ENODEV;
			break;
		}
		st = page_node(vm, addr);
		if (put_app(st, status + i)) {
			result = -EFAULT;
			break;
		}
	}
	vmspace_put(vm);
	return result;
}

SYSCALL_DEFINE4(set_mempolicy_home_node, u64, start, u64, len, u64, node, u64, flags)
{
	struct vmspace *vm = current->vm;
	u64 end = start + ALIGN_UP(len, PAGE_SIZE);
	int err = -ENOENT;

	if (flags || start & ~PAGE_MASK || node || end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	/* Only who has a policy that prefers nodes can have a home among them. */
	rwlock_read_lock(&vm->lock);
	for (struct vma *v = vma_find(vm, start); v && v->start < end; v = vma_next(v)) {
		u32 mode = v->policy & ~(u32)MPOL_MODE_FLAGS;

		if (!mode)
			continue;
		err = mode == MPOL_BIND || mode == MPOL_PREFERRED_MANY ? 0 : -EOPNOTSUPP;
		if (err)
			break;
	}
	rwlock_read_unlock(&vm->lock);
	return err;
}
