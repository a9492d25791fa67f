// SPDX-License-Identifier: BSD-2-Clause
/* process_vm_readv(2) and process_vm_writev(2): copies between the caller's memory and another process's,
 * through a buffer of one page. man-pages process_vm_readv(2). */
#include "base/iter.h"
#include "kernel/alloc.h"
#include "kernel/process.h"
#include "kernel/ptrace.h"
#include "kernel/syscall.h"
#include "vm_internal.h"
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/uio.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static long load_vec(struct iter_vec **out, const struct iovec __app *vec, u64 n)
{
	u64 sum = 0;

	*out = NULL;
	if (n > UIO_MAXIOV)
		return -EINVAL;
	if (!n)
		return 0;
	*out = kmalloc(n * sizeof **out);
	if (!*out)
		return -ENOMEM;
	if (copy_from_app(*out, vec, n * sizeof **out)) {
		kfree(*out);
		*out = NULL;
		return -EFAULT;
	}
	for (u64 i = 0; i < n; i++) {
		if ((*out)[i].len > (u64)INT64_MAX - sum) {
			kfree(*out);
			*out = NULL;
			return -EINVAL;
		}
		sum += (*out)[i].len;
	}
	return (long)sum;
}

/* Copy between LOCAL and the remote segments; what was done, or -EFAULT when nothing was. */
static long transfer(struct vmspace *vm, struct iter *local, const struct iter_vec *remote, u64 n, char *buf,
		     bool write)
{
	long done = 0;

	for (u64 i = 0; i < n; i++) {
		for (u64 off = 0; off < remote[i].len && local->left;) {
			u64 addr = (u64)remote[i].base + off;
			size_t want = min(min(remote[i].len - off, PAGE_SIZE - (addr & ~PAGE_MASK)),
					  local->left),
			       got;

			if (write) {
				size_t have = iter_copy_in(local, buf, want);

				got = vm_access(vm, addr, buf, have, true);
			} else {
				got = vm_access(vm, addr, buf, want, false);
				got = iter_copy_out(local, buf, got);
			}
			done += (long)got;
			off += got;
			if (got < want)
				return done ? done : -EFAULT;
			if (fatal_signal_pending(current))
				return done ? done : -EINTR;
		}
	}
	return done;
}

static long do_process_vm(int pid, const struct iovec __app *lvec, u64 ln, const struct iovec __app *rvec,
			  u64 rn, u64 flags, bool write)
{
	struct iter_vec *local = NULL, *remote = NULL;
	struct vmspace *vm = NULL;
	struct thread *t = NULL;
	struct iter it;
	char *buf = NULL;
	long result;

	if (flags)
		return -EINVAL;
	result = load_vec(&local, lvec, ln);
	if (result < 0)
		return result;
	if (!result)
		goto out;
	result = load_vec(&remote, rvec, rn);
	if (result <= 0)
		goto out;
	t = thread_find((u32)pid);
	result = -ESRCH;
	if (!t)
		goto out;
	result = -EPERM;
	if (!ptrace_may_access_thread(t, PTRACE_BY_REAL_IDS))
		goto out;
	vm = process_get_vm(t->proc);
	result = -ESRCH;
	if (!vm)
		goto out;
	buf = kmalloc(PAGE_SIZE);
	result = -ENOMEM;
	if (!buf)
		goto out;
	result = iter_init_vec(&it, local, ln, true);
	if (!result)
		result = transfer(vm, &it, remote, rn, buf, write);
out:
	kfree(buf);
	if (vm)
		vmspace_put(vm);
	if (t)
		thread_put(t);
	kfree(remote);
	kfree(local);
	return result;
}

SYSCALL_DEFINE6(process_vm_readv, int, pid, const struct iovec __app *, lvec, u64, ln,
		const struct iovec __app *, rvec, u64, rn, u64, flags)
{
	return do_process_vm(pid, lvec, ln, rvec, rn, flags, false);
}

SYSCALL_DEFINE6(process_vm_writev, int, pid, const struct iovec __app *, lvec, u64, ln,
		const struct iovec __app *, rvec, u64, rn, u64, flags)
{
	return do_process_vm(pid, lvec, ln, rvec, rn, flags, true);
}

/* kernel/proc/pidfd.c: the process behind a descriptor, with a reference; ERR_PTR(-EBADF). */
struct process *pidfd_get(int fd, u32 *flags);

SYSCALL_DEFINE5(process_madvise, int, pidfd, const struct iovec __app *, vec, u64, n, int, advice, unsigned,
		flags)
{
	struct iter_vec *ranges;
	struct vmspace *vm = NULL;
	struct process *p;
	long result, done = 0;

	if (flags)
		return -EINVAL;
	result = load_vec(&ranges, vec, n);
	if (result < 0)
		return result;
	p = pidfd_get(pidfd, NULL);
	result = IS_ERR(p) ? PTR_ERR(p) : 0;
	if (result)
		goto out;
	result = -EINVAL;
	if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED &&
	    advice != MADV_COLLAPSE)
		goto out_put;
	result = -EACCES;
	if (!ptrace_may_access(p, PTRACE_BY_FSIDS))
		goto out_put;
	result = -EPERM;
	if (!process_capable(CAP_SYS_NICE))
		goto out_put;
	vm = process_get_vm(p);
	result = -ESRCH;
	if (!vm)
		goto out_put;
	result = 0;
	for (u64 i = 0; i < n && !result; i++) {
		result = vm_madvise(vm, (u64)ranges[i].base, ranges[i].len, advice);
		if (!result)
			done += (long)ranges[i].len;
	}
	vmspace_put(vm);
	if (done)
		result = done;
out_put:
	process_put(p);
out:
	kfree(ranges);
	return result;
}
