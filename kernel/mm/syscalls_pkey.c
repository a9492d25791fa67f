// SPDX-License-Identifier: BSD-2-Clause
/* Protection keys: absent, and refused as Linux does on a processor without them. man-pages pkeys(7). */
#include "kernel/syscall.h"
#include "kernel/thread.h"
#include "vm_internal.h"

SYSCALL_DEFINE2(pkey_alloc, u64, flags, u64, rights)
{
	return -EINVAL; /* for bad arguments and for want of the feature alike */
}

SYSCALL_DEFINE1(pkey_free, int, key)
{
	return -EINVAL;
}

SYSCALL_DEFINE4(pkey_mprotect, u64, addr, u64, len, u64, prot, int, key)
{
	return key == -1 ? vm_mprotect(current->vm, addr, len, (u32)prot) : -EINVAL;
}
