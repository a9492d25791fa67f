/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory files without a name: memfd_create(2), shared anonymous mappings, SysV shared memory. They live in
 * an internal tmpfs without limits, mounted nowhere. */
#include "tmpfs.h"
#include "base/string.h"
#include "../vfs/internal.h"
#include "kernel/syscall.h"
#include <linux/memfd.h>

static DEFINE_MUTEX(shmem_lock);
static struct mount
	*shmem_mounts[2]; /* [huge], each made at first use; guarded by shmem_lock, then constant */

static struct mount *shmem_mount_get(bool huge)
{
	struct mount *m = rcu_dereference(shmem_mounts[huge]);
	struct super *s;

	if (likely(m))
		return m;
	mutex_lock(&shmem_lock);
	m = shmem_mounts[huge];
	if (!m) {
		s = tmpfs_super_make(huge ? &hugetlbfs_type : &tmpfs_type, "", true);
		if (!IS_ERR(s)) {
			m = mount_internal(s);
			super_put(s);
			rcu_assign_pointer(shmem_mounts[huge], m);
		}
	}
	mutex_unlock(&shmem_lock);
	return m;
}

static struct file *nameless_file(const char *name, u64 size, u32 flags, bool huge)
{
	struct mount *m = shmem_mount_get(huge);
	struct inode *i;
	struct file *f;

	if (!m)
		return ERR_PTR(-ENOMEM);
	i = tmpfs_inode_new(m->super, NULL, S_IFREG | 0777, 0);
	if (IS_ERR(i))
		return (struct file *)i;
	i->nlink = 0;
	i->size = size;
	i->flags |= INODE_SHMEM;
	f = file_alloc((flags & (u32)O_ACCMODE ? flags : flags | O_RDWR) | O_LARGEFILE);
	if (!f)
		goto fail;
	f->ops = i->fops;
	if (path_set_nameless(&f->path, m, name, i)) {
		f->ops = NULL;
		file_put(f);
		goto fail;
	}
	f->inode = i;
	return f;
fail:
	inode_put(i);
	return ERR_PTR(-ENOMEM);
}

struct file *shmem_file_create(const char *name, u64 size, u32 flags)
{
	return nameless_file(name, size, flags, false);
}

struct file *hugetlb_file_create(const char *name, u64 size)
{
	return nameless_file(name, size, O_RDWR, true);
}

#define MEMFD_NAME_MAX 249 /* what Linux leaves beside its prefix */

SYSCALL_DEFINE2(memfd_create, const char __app *, uname, unsigned, flags)
{
	static const char prefix[] = "memfd:";
	char name[sizeof prefix + MEMFD_NAME_MAX + 1];
	bool huge = flags & MFD_HUGETLB;
	unsigned shift = 0;
	struct file *f;
	ssize_t n;
	int fd;

	if (huge) {
		shift = flags >> MFD_HUGE_SHIFT & MFD_HUGE_MASK;
		flags &= ~(unsigned)(MFD_HUGETLB | MFD_HUGE_MASK << MFD_HUGE_SHIFT);
	}
	if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	memcpy(name, prefix, sizeof prefix);
	n = string_from_app(name + sizeof prefix - 1, uname, MEMFD_NAME_MAX + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	if (shift && shift != HUGE_SHIFT)
		return -ENODEV;
	f = nameless_file(name, 0, O_RDWR, huge);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (flags & MFD_ALLOW_SEALING)
		f->inode->cache->seals = 0;
	fd = fd_install_new(f, flags & MFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}
