/* SPDX-License-Identifier: BSD-2-Clause */
/* Moving data between descriptors inside the kernel: sendfile(2), copy_file_range(2), splice(2), tee(2),
 * vmsplice(2).
 *
 * From a file with a page cache, the pages themselves are the source of the other side's write: one copy.
 * Everything else goes through a kernel buffer. Nothing read is ever lost: from positions, only what was
 * written counts as read; out of a pipe goes only what the other side took (kernel/ipc/pipe_splice.c). */
#include "syscalls.h"
#include "pagecache_internal.h"
#include "base/string.h"
#include "kernel/ipc.h"
#include "kernel/sched.h"
#include <linux/fs.h>

#define CHUNK_PAGES	16
#define CHUNK		(CHUNK_PAGES * PAGE_SIZE)
#define SPLICE_NONBLOCK 2 /* SPLICE_F_*: not in the UAPI headers */
#define SPLICE_FLAGS	15

/* A page of zeros for holes; made at first use. NULL on no memory. */
static struct page *zero_page(void)
{
	static DEFINE_MUTEX(lock);
	static struct page *page;

	if (unlikely(!rcu_dereference(page))) {
		mutex_lock(&lock);
		if (!page)
			rcu_assign_pointer(page, page_alloc(0, PAGE_ZERO));
		mutex_unlock(&lock);
	}
	return page;
}

static struct page *source_page(struct file *f, u64 index, u64 want)
{
	struct page_cache *c = f->inode->cache;
	struct page *p = c->unevictable ? pagecache_find(c, index) : readahead_get(f, c, index, want);

	if (p)
		return p;
	p = zero_page();
	if (!p)
		return ERR_PTR(-ENOMEM);
	page_get(p);
	return p;
}

/* Write up to N bytes of IN from *POS to OUT at *OUT_POS, straight from the page cache. Both positions move
 * by what was written. */
static ssize_t send_pages(struct file *in, u64 *pos, struct file *out, u64 *out_pos, size_t n)
{
	struct page *pages[CHUNK_PAGES];
	struct iter_vec vec[CHUNK_PAGES];
	u64 at = *pos, size = READ_ONCE(in->inode->size);
	unsigned count = 0;
	ssize_t done = 0;
	struct iter it;

	if (at >= size)
		return 0;
	n = min(n, size - at);
	while (n && count < CHUNK_PAGES) {
		size_t off = at % PAGE_SIZE, len = min(n, PAGE_SIZE - off);
		struct page *p = source_page(in, at >> PAGE_SHIFT, DIV_ROUND_UP(off + n, PAGE_SIZE));

		if (IS_ERR(p)) {
			done = PTR_ERR(p);
			break;
		}
		pages[count] = p;
		vec[count++] = (struct iter_vec){(char *)page_to_virt(p) + off, len};
		at += len;
		n -= len;
	}
	if (count) {
		done = iter_init_vec(&it, vec, count, false);
		if (!done)
			done = file_write_iter(out, &it, out_pos);
	}
	while (count)
		page_put(pages[--count]);
	if (done > 0)
		*pos += (u64)done;
	return done;
}

/* The same through a buffer, for files without a page cache. */
static ssize_t send_buffer(struct file *in, u64 *pos, struct file *out, u64 *out_pos, size_t n, void *buf)
{
	u64 at = *pos;
	ssize_t got = file_read(in, buf, min(n, CHUNK), &at), put;

	if (got <= 0)
		return got;
	put = file_write(out, buf, (size_t)got, out_pos);
	if (put > 0)
		*pos += (u64)put;
	return put;
}

/* Copy N bytes from a file with positions to any file. */
static ssize_t send_file(struct file *in, u64 *pos, struct file *out, u64 *out_pos, size_t n)
{
	/* Within one file a page could be its own source: there a buffer stands between. */
	bool cached = in->inode && in->inode->cache && in->inode != out->inode;
	void *buf = cached ? NULL : kmalloc(CHUNK);
	ssize_t done = 0, got;

	if (!cached && !buf)
		return -ENOMEM;
	while (n) {
		got = cached ? send_pages(in, pos, out, out_pos, min(n, CHUNK))
			     : send_buffer(in, pos, out, out_pos, n, buf);
		if (got <= 0) {
			done = done ? done : got;
			break;
		}
		done += got;
		n -= (size_t)got;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	kfree(buf);
	rw_count(done, false);
	rw_count(done, true);
	return done;
}

/* The position to use: *OFF of the application, or the file's own with its lock held. */
struct position {
	struct file *f;
	u64 pos, start;
	s64 __app *uoff;
	bool own, locked;
};

static int position_get(struct position *p, struct file *f, s64 __app *uoff)
{
	s64 off;

	*p = (struct position){.f = f, .uoff = uoff};
	if (uoff) {
		if (!f->ops->seek)
			return -ESPIPE;
		if (get_app(off, uoff))
			return -EFAULT;
		if (off < 0)
			return -EINVAL;
		p->pos = (u64)off;
	} else if (f->ops->seek) {
		p->own = true;
		p->locked = file_pos_atomic(f);
		if (p->locked)
			mutex_lock(&f->pos_lock);
		p->pos = f->pos;
	}
	p->start = p->pos;
	return 0;
}

/* Store the position back. -EFAULT only when nothing else went wrong. */
static void position_put(struct position *p, ssize_t *ret)
{
	if (p->own) {
		p->f->pos = p->pos;
		if (p->locked)
			mutex_unlock(&p->f->pos_lock);
	} else if (p->uoff && p->pos != p->start && put_app((s64)p->pos, p->uoff) && *ret > 0) {
		*ret = -EFAULT;
	}
}

/* Both positions of a call. Two locks are taken in order of address; one file on both sides must not need
 * two. */
static int positions_get(struct position *a, struct file *fa, s64 __app *ua, struct position *b,
			 struct file *fb, s64 __app *ub)
{
	bool swap = (uintptr_t)fb < (uintptr_t)fa;
	ssize_t none = 0;
	int err;

	if (fa == fb && !ua && !ub) {
		err = position_get(a, fa, NULL);
		*b = (struct position){.f = fb, .pos = a->pos};
		return err;
	}

	err = swap ? position_get(b, fb, ub) : position_get(a, fa, ua);
	if (err)
		return err;
	err = swap ? position_get(a, fa, ua) : position_get(b, fb, ub);
	if (err)
		position_put(swap ? b : a, &none);
	return err;
}

static ssize_t sendfile_files(struct file *out, struct file *in, s64 __app *uoff, size_t n)
{
	struct position ip, op;
	ssize_t ret;

	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (!in->ops->seek)
		return uoff ? -ESPIPE : -EINVAL;
	if (out->flags & O_APPEND)
		return -EINVAL;
	if (!n)
		return 0;
	if (!in->ops->read || !out->ops->write)
		return -EINVAL;
	ret = positions_get(&ip, in, uoff, &op, out, NULL);
	if (ret)
		return ret;
	ret = send_file(in, &ip.pos, out, &op.pos, n);
	position_put(&op, &ret);
	position_put(&ip, &ret);
	return ret;
}

SYSCALL_DEFINE4(sendfile, int, out_fd, int, in_fd, s64 __app *, uoff, size_t, count)
{
	struct file *in = fd_get(in_fd), *out;
	ssize_t ret = -EBADF;

	if (!in)
		return -EBADF;
	out = fd_get(out_fd);
	if (out) {
		ret = (ssize_t)count < 0 ? -EINVAL : sendfile_files(out, in, uoff, min(count, MAX_RW_COUNT));
		file_put(out);
	}
	file_put(in);
	return ret;
}

/* Bytes to copy, which end with the source, or -errno. */
static ssize_t copy_range_check(struct file *in, struct file *out, u64 ipos, u64 opos, size_t n)
{
	u64 size;

	if (!in->inode || !out->inode)
		return -EINVAL;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || out->flags & O_APPEND)
		return -EBADF;
	if (file_named_inode(in)->super != file_named_inode(out)->super)
		return -EXDEV; /* as Linux answers where the file systems cannot do it themselves */
	if (ipos + n < ipos || opos + n < opos)
		return -EOVERFLOW;
	size = READ_ONCE(in->inode->size);
	n = ipos < size ? min((u64)n, size - ipos) : 0;
	if (n && in->inode == out->inode && ipos < opos + n && opos < ipos + n)
		return -EINVAL;
	if (n && opos >= MAX_FILE_SIZE)
		return -EFBIG;
	return (ssize_t)min(n, MAX_RW_COUNT);
}

static ssize_t copy_range(struct file *in, s64 __app *uin, struct file *out, s64 __app *uout, size_t n)
{
	struct position ip, op;
	ssize_t ret;

	if (!in->ops->seek || !out->ops->seek)
		return -EINVAL;
	if (in == out && !uin && !uout) /* the ranges are the same */
		return n ? -EINVAL : 0;
	ret = positions_get(&ip, in, uin, &op, out, uout);
	if (ret)
		return ret;
	ret = copy_range_check(in, out, ip.pos, op.pos, n);
	if (ret > 0)
		ret = send_file(in, &ip.pos, out, &op.pos, (size_t)ret);
	position_put(&op, &ret);
	position_put(&ip, &ret);
	return ret;
}

SYSCALL_DEFINE6(copy_file_range, int, in_fd, s64 __app *, uin, int, out_fd, s64 __app *, uout, size_t, len,
		unsigned, flags)
{
	struct file *in, *out;
	ssize_t ret = -EBADF;

	if (flags)
		return -EINVAL;
	in = fd_get(in_fd);
	if (!in)
		return -EBADF;
	out = fd_get(out_fd);
	if (out) {
		ret = copy_range(in, uin, out, uout, len);
		file_put(out);
	}
	file_put(in);
	return ret;
}

/* ---- splice ---- */

/* The side of a splice that is no pipe. */
struct side {
	struct file *f;
	u64 *pos;
};

static ssize_t side_read(void *arg, struct iter *to)
{
	struct side *s = arg;

	return file_read_iter(s->f, to, s->pos);
}

static ssize_t side_write(void *arg, struct iter *from)
{
	struct side *s = arg;

	return file_write_iter(s->f, from, s->pos);
}

/* As much as fits without sleeping, once there is room at all. A file without positions gives what it has. */
static ssize_t file_to_pipe(struct file *in, u64 *pos, struct file *pipe, size_t n, u32 flags)
{
	struct side s = {in, pos};
	ssize_t done = 0, got;

	if (flags & SPLICE_NONBLOCK && in->ops->splice_nowait && in->ops->splice_nowait(in) &&
	    !(file_poll(in, NULL) & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return -EAGAIN;
	do {
		got = pipe_fill(pipe, n, done || flags & SPLICE_NONBLOCK || file_nonblock(pipe), side_read,
				&s);
		if (got <= 0)
			break;
		done += got;
		n -= (size_t)got;
	} while (n && in->ops->seek);
	return done ? done : got;
}

/* The counters and queues that are descriptors of their own are read and written whole, by read(2) and
 * write(2). */
static bool splices(const struct file *f)
{
	return !f->anon_name || strncmp(f->anon_name, "anon_inode:", 11);
}

static ssize_t splice_files(struct file *in, s64 __app *uin, struct file *out, s64 __app *uout, size_t n,
			    u32 flags)
{
	bool from_pipe = pipe_is(in), to_pipe = pipe_is(out), nonblock = flags & SPLICE_NONBLOCK;
	struct position p;
	ssize_t ret;

	if ((from_pipe && uin) || (to_pipe && uout))
		return -ESPIPE;
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if ((!from_pipe && !to_pipe) || (uin && !in->ops->seek) || (uout && !out->ops->seek))
		return -EINVAL;
	if (from_pipe && to_pipe && in->inode == out->inode)
		return -EINVAL;
	if (!splices(in) || !splices(out))
		return -EINVAL;
	if (!from_pipe && (!in->ops->read || (in->inode && S_ISDIR(in->inode->mode))))
		return -EINVAL;
	if (!to_pipe && (!out->ops->write || out->flags & O_APPEND))
		return -EINVAL;
	if (from_pipe && to_pipe)
		return pipe_to_pipe(in, out, n, nonblock || file_nonblock(in) || file_nonblock(out), false);
	ret = from_pipe ? position_get(&p, out, uout) : position_get(&p, in, uin);
	if (ret)
		return ret;
	if (from_pipe)
		ret = pipe_drain(in, n, nonblock || file_nonblock(in), side_write,
				 &(struct side){out, &p.pos});
	else
		ret = file_to_pipe(in, &p.pos, out, n, flags);
	position_put(&p, &ret);
	return ret;
}

SYSCALL_DEFINE6(splice, int, in_fd, s64 __app *, uin, int, out_fd, s64 __app *, uout, size_t, len, u32, flags)
{
	struct file *in, *out;
	ssize_t ret = -EBADF;

	if (!len)
		return 0;
	if (flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	in = fd_get(in_fd);
	if (!in)
		return -EBADF;
	out = fd_get(out_fd);
	if (out) {
		ret = splice_files(in, uin, out, uout, min(len, MAX_RW_COUNT), flags);
		file_put(out);
	}
	file_put(in);
	return ret;
}

SYSCALL_DEFINE4(tee, int, in_fd, int, out_fd, size_t, len, u32, flags)
{
	struct file *in, *out;
	ssize_t ret = -EBADF;

	if (flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	in = fd_get(in_fd);
	if (!in)
		return -EBADF;
	out = fd_get(out_fd);
	if (out) {
		if (!file_readable(in) || !file_writable(out))
			ret = -EBADF;
		else if (!pipe_is(in) || !pipe_is(out) || in->inode == out->inode)
			ret = -EINVAL;
		else
			ret = pipe_to_pipe(in, out, len,
					   flags & SPLICE_NONBLOCK || file_nonblock(in) || file_nonblock(out),
					   true);
		file_put(out);
	}
	file_put(in);
	return ret;
}

/* Gifted or not, the application's pages are copied. */
SYSCALL_DEFINE4(vmsplice, int, fd, const struct iter_vec __app *, vec, u64, nvec, u32, flags)
{
	struct iov_import im;
	struct file *f;
	ssize_t ret;
	bool nonblock;

	if (flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	ret = -EBADF;
	if (!pipe_is(f))
		goto out;
	ret = iov_load(&im, vec, nvec);
	if (ret)
		goto out;
	nonblock = flags & SPLICE_NONBLOCK || file_nonblock(f);
	ret = file_writable(f) ? pipe_write_iter(f, &im.it, nonblock) : pipe_read_iter(f, &im.it, nonblock);
	iov_release(&im);
out:
	file_put(f);
	return ret;
}
