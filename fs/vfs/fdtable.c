/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables.
 *
 * A table points at an array of slots with two bitmaps: OPEN (also set while a descriptor is only reserved)
 * and CLOEXEC. Look-ups read the array under RCU and take a reference unless the count is zero; changes hold
 * the table's lock. An array that is outgrown is copied and freed after a grace period. NEXT: every
 * descriptor below it is in use, so the search for the lowest free one starts there. */
#include "base/bits.h"
#include "base/string.h"
#include "internal.h"
#include <linux/close_range.h>

#define FD_INITIAL 64u
#define FD_MAX	   1048576u /* fs.nr_open */

struct fdarray {
	struct rcu_head rcu;
	u32 max; /* a multiple of 64 */
	struct file **file;
	u64 *open, *cloexec;
};

struct fdtable {
	struct rcu_head rcu; /* first: rcu_kfree */
	struct refcount ref; /* users, and who looks into it for a moment */
	_Atomic u32 users;   /* threads that have it as theirs */
	struct spinlock lock; /* guards all changes */
	struct fdarray *arr;  /* read under RCU */
	u32 next;
};

struct fdtable *current_fdtable(void)
{
	return current->files;
}

static struct fdarray *fdarray_alloc(u32 max)
{
	size_t size = sizeof(struct fdarray) + (size_t)max * sizeof(struct file *) + max / 8 * 2;
	struct fdarray *a = size > KIB(64) ? vmalloc(size) : kmalloc(size);

	if (!a)
		return NULL;
	memset(a, 0, size);
	a->max = max;
	a->file = (struct file **)(a + 1);
	a->open = (u64 *)(a->file + max);
	a->cloexec = a->open + max / 64;
	return a;
}

static void fdarray_free(struct fdarray *a)
{
	size_t size = sizeof(struct fdarray) + (size_t)a->max * sizeof(struct file *) + a->max / 8 * 2;

	if (size > KIB(64))
		vfree(a);
	else
		kfree(a);
}

static void fdarray_free_rcu(struct rcu_head *head)
{
	fdarray_free(container_of(head, struct fdarray, rcu));
}

static bool bit_get(const u64 *map, u32 n)
{
	return map[n / 64] >> (n % 64) & 1;
}

static void bit_set(u64 *map, u32 n, bool on)
{
	if (on)
		map[n / 64] |= BIT(n % 64);
	else
		map[n / 64] &= ~BIT(n % 64);
}

static struct fdtable *fdtable_alloc(u32 max)
{
	struct fdtable *t = kzalloc(sizeof *t);

	if (!t)
		return NULL;
	t->arr = fdarray_alloc(max);
	if (!t->arr) {
		kfree(t);
		return NULL;
	}
	refcount_set(&t->ref, 1);
	t->users = 1;
	spin_init(&t->lock);
	return t;
}

struct fdtable *fdtable_create(void)
{
	return fdtable_alloc(FD_INITIAL);
}

/* Make room for descriptor FD. The lock is held, and is dropped and taken again around the allocation. */
static int fdtable_grow(struct fdtable *t, u32 fd)
{
	while (fd >= t->arr->max) {
		u32 max = min((u32)1 << log2_ceil((u64)fd + 1), FD_MAX);
		struct fdarray *a, *old;

		spin_unlock(&t->lock);
		a = fdarray_alloc(max(max, FD_INITIAL));
		spin_lock(&t->lock);
		if (!a)
			return -ENOMEM;
		old = t->arr;
		if (fd < old->max || a->max <= old->max) {
			fdarray_free(a);
			continue;
		}
		memcpy(a->file, old->file, old->max * sizeof *a->file);
		memcpy(a->open, old->open, old->max / 8);
		memcpy(a->cloexec, old->cloexec, old->max / 8);
		rcu_assign_pointer(t->arr, a);
		rcu_call(&old->rcu, fdarray_free_rcu);
	}
	return 0;
}

/* The lowest free descriptor at or above MIN; the array's size when all are taken. */
static u32 fd_lowest_free(const struct fdarray *a, u32 min)
{
	u32 w = min / 64;
	u64 used;

	if (min >= a->max)
		return min;
	used = a->open[w] | (BIT(min % 64) - 1);
	while (!~used) {
		if (++w == a->max / 64)
			return a->max;
		used = a->open[w];
	}
	return w * 64 + (u32)__builtin_ctzll(~used);
}

static u32 fd_limit(void)
{
	return (u32)min(current_process()->rlim[RLIMIT_NOFILE].rlim_cur, (u64)FD_MAX);
}

int fd_reserve(int min, bool cloexec)
{
	struct fdtable *t = current_fdtable();
	u32 limit = fd_limit(), start, fd;
	int err;

	spin_lock(&t->lock);
	for (;;) {
		start = max((u32)min, t->next);
		fd = fd_lowest_free(t->arr, start);
		err = -EMFILE;
		if (fd >= limit)
			goto out;
		if (fd < t->arr->max)
			break;
		err = fdtable_grow(t, fd);
		if (err)
			goto out;
	}
	bit_set(t->arr->open, fd, true);
	bit_set(t->arr->cloexec, fd, cloexec);
	if ((u32)min <= t->next)
		t->next = fd + 1;
	err = (int)fd;
out:
	spin_unlock(&t->lock);
	return err;
}

void fd_install(int fd, struct file *f)
{
	struct fdtable *t = current_fdtable();

	spin_lock(&t->lock);
	ASSERT((u32)fd < t->arr->max && !t->arr->file[fd]);
	rcu_assign_pointer(t->arr->file[fd], f);
	spin_unlock(&t->lock);
}

/* The lock is held. */
static void fd_clear(struct fdtable *t, u32 fd)
{
	bit_set(t->arr->open, fd, false);
	bit_set(t->arr->cloexec, fd, false);
	if (fd < t->next)
		t->next = fd;
}

void fd_release(int fd)
{
	struct fdtable *t = current_fdtable();

	spin_lock(&t->lock);
	fd_clear(t, (u32)fd);
	spin_unlock(&t->lock);
}

int fd_install_new(struct file *f, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd >= 0)
		fd_install(fd, f);
	return fd;
}

static inline struct file *lookup(struct fdtable *t, int fd)
{
	struct fdarray *a;
	struct file *f = NULL;

	rcu_read_lock();
	a = rcu_dereference(t->arr);
	if ((u32)fd < a->max) {
		f = rcu_dereference(a->file[fd]);
		if (f && !refcount_get_unless_zero(&f->ref))
			f = NULL;
	}
	rcu_read_unlock();
	return f;
}

struct file *fdtable_lookup(struct fdtable *t, int fd)
{
	return lookup(t, fd);
}

struct file *fd_get_raw(int fd)
{
	struct fdtable *t = current_fdtable();

	return t ? lookup(t, fd) : NULL;
}

struct file *fd_get(int fd)
{
	struct fdtable *t = current_fdtable();
	struct file *f = t ? lookup(t, fd) : NULL;

	if (f && unlikely(f->flags & O_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

/* What closing a descriptor of T does to its file, after it left the table. */
static int file_close(struct fdtable *t, struct file *f)
{
	int err = 0;

	if (!(f->flags & O_PATH)) {
		if (f->ops->flush)
			err = f->ops->flush(f);
		if (f->inode)
			locks_remove_posix(f, t);
	}
	file_put(f);
	return err;
}

/* Take the file out of slot FD; the lock is held. NULL: not open (a reserved slot is not). */
static struct file *fd_detach(struct fdtable *t, u32 fd)
{
	struct file *f;

	if (fd >= t->arr->max || !t->arr->file[fd])
		return NULL;
	f = t->arr->file[fd];
	rcu_assign_pointer(t->arr->file[fd], (struct file *)NULL);
	fd_clear(t, fd);
	return f;
}

int fd_close(int fd)
{
	struct fdtable *t = current_fdtable();
	struct file *f;

	spin_lock(&t->lock);
	f = fd_detach(t, (u32)fd);
	spin_unlock(&t->lock);
	return f ? file_close(t, f) : -EBADF;
}

int fd_dup_to(struct file *f, int newfd, bool cloexec)
{
	struct fdtable *t = current_fdtable();
	struct file *old;
	int err;

	if ((u32)newfd >= fd_limit())
		return -EBADF;
	spin_lock(&t->lock);
	err = fdtable_grow(t, (u32)newfd);
	if (err)
		goto fail;
	old = t->arr->file[newfd];
	err = -EBUSY; /* another thread is about to install a file there */
	if (!old && bit_get(t->arr->open, (u32)newfd))
		goto fail;
	file_get(f);
	bit_set(t->arr->open, (u32)newfd, true);
	bit_set(t->arr->cloexec, (u32)newfd, cloexec);
	rcu_assign_pointer(t->arr->file[newfd], f);
	spin_unlock(&t->lock);
	if (old)
		file_close(t, old);
	return newfd;
fail:
	spin_unlock(&t->lock);
	return err;
}

int fd_cloexec_get(int fd)
{
	struct fdtable *t = current_fdtable();
	int ret = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->arr->max && t->arr->file[fd])
		ret = bit_get(t->arr->cloexec, (u32)fd);
	spin_unlock(&t->lock);
	return ret;
}

int fd_cloexec_set(int fd, bool on)
{
	struct fdtable *t = current_fdtable();
	int ret = -EBADF;

	spin_lock(&t->lock);
	if ((u32)fd < t->arr->max && t->arr->file[fd]) {
		bit_set(t->arr->cloexec, (u32)fd, on);
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

bool fdtable_cloexec(struct fdtable *t, int fd)
{
	bool on;

	spin_lock(&t->lock);
	on = (u32)fd < t->arr->max && bit_get(t->arr->cloexec, (u32)fd);
	spin_unlock(&t->lock);
	return on;
}

/* The first open descriptor at or above FD; the array's size at the end. The lock is held, or T is ours
 * alone. */
static u32 fd_next_open(const struct fdarray *a, u32 fd)
{
	u32 w = fd / 64;
	u64 word;

	if (fd >= a->max)
		return a->max;
	word = a->open[w] & ~(BIT(fd % 64) - 1);
	while (!word) {
		if (++w == a->max / 64)
			return a->max;
		word = a->open[w];
	}
	return w * 64 + (u32)__builtin_ctzll(word);
}

int fd_close_range(unsigned first, unsigned last, bool cloexec_only)
{
	struct fdtable *t = current_fdtable();
	u32 fd = first;

	spin_lock(&t->lock);
	while ((fd = fd_next_open(t->arr, fd)) <= last && fd < t->arr->max) {
		struct file *f;

		if (cloexec_only) {
			bit_set(t->arr->cloexec, fd++, true);
			continue;
		}
		f = fd_detach(t, fd++);
		if (!f)
			continue;
		spin_unlock(&t->lock);
		file_close(t, f);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
	return 0;
}

struct fdtable *fdtable_copy(struct fdtable *from)
{
	struct fdtable *t;
	u32 max, fd;

	for (;;) {
		spin_lock(&from->lock);
		max = from->arr->max;
		spin_unlock(&from->lock);
		t = fdtable_alloc(max);
		if (!t)
			return ERR_PTR(-ENOMEM);
		spin_lock(&from->lock);
		if (from->arr->max <= max)
			break;
		spin_unlock(&from->lock);
		fdarray_free(t->arr);
		kfree(t);
	}
	for (fd = 0; (fd = fd_next_open(from->arr, fd)) < from->arr->max; fd++) {
		struct file *f = from->arr->file[fd];

		if (!f)
			continue; /* reserved by a thread of the other process */
		file_get(f);
		t->arr->file[fd] = f;
		bit_set(t->arr->open, fd, true);
		bit_set(t->arr->cloexec, fd, bit_get(from->arr->cloexec, fd));
	}
	spin_unlock(&from->lock);
	return t;
}

void fdtable_get(struct fdtable *t)
{
	refcount_get(&t->ref);
}

void fdtable_join(struct fdtable *t)
{
	fdtable_get(t);
	atomic_fetch_add_explicit(&t->users, 1, memory_order_relaxed);
}

void fdtable_leave(struct fdtable *t)
{
	atomic_fetch_sub_explicit(&t->users, 1, memory_order_relaxed);
	fdtable_put(t);
}

bool fdtable_shared(struct fdtable *t)
{
	return atomic_load_explicit(&t->users, memory_order_relaxed) > 1;
}

void fdtable_put(struct fdtable *t)
{
	u32 fd;

	if (!refcount_put(&t->ref))
		return;
	for (fd = 0; (fd = fd_next_open(t->arr, fd)) < t->arr->max; fd++)
		if (t->arr->file[fd])
			file_close(t, t->arr->file[fd]);
	rcu_call(&t->arr->rcu, fdarray_free_rcu);
	rcu_kfree(&t->rcu);
}

void fdtable_close_on_exec(struct fdtable *t)
{
	u32 fd = 0;

	spin_lock(&t->lock);
	while ((fd = fd_next_open(t->arr, fd)) < t->arr->max) {
		struct file *f = bit_get(t->arr->cloexec, fd) ? fd_detach(t, fd) : NULL;

		fd++;
		if (!f)
			continue;
		spin_unlock(&t->lock);
		file_close(t, f);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
}

int fdtable_next(struct fdtable *t, int fd, struct file **file)
{
	u32 n = (u32)fd;

	spin_lock(&t->lock);
	while ((n = fd_next_open(t->arr, n)) < t->arr->max) {
		struct file *f = t->arr->file[n];

		if (f) {
			file_get(f);
			spin_unlock(&t->lock);
			*file = f;
			return (int)n;
		}
		n++;
	}
	spin_unlock(&t->lock);
	return -1;
}

unsigned fdtable_count(struct fdtable *t, unsigned *size)
{
	unsigned n = 0;

	spin_lock(&t->lock);
	for (u32 w = 0; w < t->arr->max / 64; w++)
		n += (unsigned)__builtin_popcountll(t->arr->open[w]);
	if (size)
		*size = t->arr->max;
	spin_unlock(&t->lock);
	return n;
}

int fdtable_unshare(void)
{
	struct fdtable *old = current->files, *copy;
	u64 flags;

	if (!fdtable_shared(old))
		return 0;
	copy = fdtable_copy(old);
	if (IS_ERR(copy))
		return (int)PTR_ERR(copy);
	flags = spin_lock_irqsave(&current_process()->lock);
	current->files = copy;
	spin_unlock_irqrestore(&current_process()->lock, flags);
	fdtable_leave(old);
	return 0;
}
