// SPDX-License-Identifier: BSD-2-Clause
/* What fs/ needs of the rest of the kernel, on the host: a process with descriptors and a tmpfs root, block
 * devices over memory or files, and silent stand-ins for pipes, inotify, signals and mappings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/file.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/blockdev.h"
#include "kernel/ipc.h"
#include "kernel/process.h"
#include "tests/unit/fs/fs_host.h"

unsigned fs_host_unmaps, fs_host_signals;
unsigned long fs_host_reads;
u64 fs_host_sectors;
struct fs_host_event fs_host_events[FS_HOST_EVENTS];
unsigned fs_host_nevents;
bool fs_host_io_fails;

/* Absent from tests of single files. */
__weak int block_register(struct block_device *bd);
__weak void block_done(struct block_device *bd, struct block_request *r, int err);
__weak struct fdtable *fdtable_create(void);
__weak struct fs_context *fs_context_create(void);
__weak int vfs_mount(const char *source, const char *path, const char *type, u32 flags, const char *options);

void fs_host_start(const char *root_type, const char *source)
{
	static bool done;
	struct process *p = current_process();

	if (!done) {
		done = true;
		host_rcu_defer(true);
		if (host_run_initcalls(INIT_CORE) || host_run_initcalls(INIT_FS) ||
		    vfs_mount(source, "/", root_type, 0, ""))
			abort();
		current->files = fdtable_create();
		current->fs = fs_context_create();
	}
	host_rcu_defer(true);
	p->rlim[RLIMIT_NOFILE].rlim_cur = 1024;
	fs_host_nevents = 0;
	fs_host_io_fails = false;
}

void fs_host_user(u32 uid, u32 gid)
{
	struct cred *c = &kernel_cred;

	c->uid = c->euid = c->suid = c->fsuid = uid;
	c->gid = c->egid = c->sgid = c->fsgid = gid;
	c->cap_effective = c->cap_permitted = uid ? 0 : ~0ull;
}

void dcache_prune(u64 n);
__weak void dcache_prune(u64 n)
{
}

void fs_host_prune(void)
{
	/* Twice: the first round only takes the marks of use. */
	dcache_prune(~0ull >> 1);
	dcache_prune(~0ull >> 1);
	host_rcu_quiesce();
}

static int disk_submit(struct block_device *bd, struct block_request *r)
{
	u64 off = r->sector * 512, size = bd->sectors * 512;
	int err = fs_host_io_fails ? -EIO : 0;

	fs_host_reads++;
	for (unsigned n = 0; !err && n < r->nsegs; n++) {
		u32 len = r->segs[n].len;

		if (off > size || len > size - off || len % 512 || r->nsegs > bd->max_segs) {
			err = -EIO;
			break;
		}
		fs_host_sectors += len / 512;
		memcpy(phys_to_virt(r->segs[n].phys), (u8 *)bd->priv + off, len);
		off += len;
	}
	block_done(bd, r, err);
	return 0;
}

static const struct block_device_ops disk_ops = {.submit = disk_submit};

struct block_device *fs_host_disk(const void *image, size_t size)
{
	struct block_device *bd = calloc(1, sizeof *bd);
	u8 *copy = calloc(1, ALIGN_UP(size, 512ul));

	memcpy(copy, image, size);
	bd->sectors = DIV_ROUND_UP(size, 512);
	bd->sector_size = 512;
	bd->max_segs = 32;
	bd->ops = &disk_ops;
	bd->priv = copy;
	block_register(bd);
	return bd;
}

void *fs_host_load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	void *p;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	p = malloc(*size + 1);
	if (fread(p, 1, *size, f) != *size)
		abort();
	fclose(f);
	return p;
}

/* The pool of huge pages is empty. */
__weak void hugetlb_stats(struct hugetlb_stats *out)
{
	*out = (struct hugetlb_stats){0};
}
__weak int hugetlb_reserve(u64 pages)
{
	return -ENOMEM;
}
__weak void hugetlb_unreserve(u64 pages)
{
}
__weak struct page *hugetlb_take(bool reserved)
{
	return NULL;
}
__weak void hugetlb_clear(struct page *p)
{
}
__weak void hugetlb_put(struct page *p)
{
}

__weak void vm_unmap_cache(struct page_cache *cache, u64 first, u64 last, bool even_cowed)
{
	fs_host_unmaps++;
}

__weak bool vm_wait_for_memory(unsigned round)
{
	return false;
}

__weak int fifo_open(struct inode *i, struct file *f)
{
	return -ENXIO;
}

__weak int chrdev_open(struct inode *i, struct file *f)
{
	return -ENXIO;
}

__weak void inotify_super_gone(struct super *s)
{
}

__weak void inotify_event(struct inode *inode, u32 mask, u32 cookie, const char *name)
{
	struct fs_host_event *e = &fs_host_events[fs_host_nevents++ % FS_HOST_EVENTS];

	*e = (struct fs_host_event){.inode = inode, .mask = mask, .cookie = cookie};
	snprintf(e->name, sizeof e->name, "%s", name ? name : "");
}

__weak void epoll_file_released(struct file *f)
{
}

__weak void sigio_released(struct file *f)
{
}

__weak int sigio_enable(struct file *f, int fd, bool on)
{
	return 0;
}

__weak void sigio_send(struct file *f, int fd, u32 events)
{
}

__weak int sigio_set_owner(struct file *f, int type, u32 id)
{
	return id ? -ESRCH : 0;
}

__weak u32 sigio_owner(struct file *f, int *type)
{
	*type = F_OWNER_TID;
	return 0;
}

__weak int sigio_set_signal(struct file *f, u64 sig)
{
	return sig > 64 ? -EINVAL : 0;
}

__weak int sigio_signal(struct file *f)
{
	return 0;
}

__weak int dnotify_fcntl(int fd, struct file *f, u32 mask)
{
	return -EINVAL;
}

struct thread;
int signal_send_thread(struct thread *t, int sig, const void *info);
__weak int signal_send_thread(struct thread *t, int sig, const void *info)
{
	fs_host_signals++;
	return 0;
}

__weak bool pipe_is(const struct file *f)
{
	return false;
}

__weak ssize_t pipe_read_iter(struct file *f, struct iter *to, bool nonblock)
{
	return -EINVAL;
}

__weak ssize_t pipe_write_iter(struct file *f, struct iter *from, bool nonblock)
{
	return -EINVAL;
}

__weak ssize_t pipe_fill(struct file *f, size_t n, bool nonblock, pipe_transfer *read, void *arg)
{
	return -EINVAL;
}

__weak ssize_t pipe_drain(struct file *f, size_t n, bool nonblock, pipe_transfer *write, void *arg)
{
	return -EINVAL;
}

__weak ssize_t pipe_to_pipe(struct file *in, struct file *out, size_t n, bool nonblock, bool keep)
{
	return -EINVAL;
}

__weak void memory_stats(struct memory_stats *out)
{
	memset(out, 0, sizeof *out);
	out->total = 65536;
}
