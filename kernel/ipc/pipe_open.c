// SPDX-License-Identifier: BSD-2-Clause
/* Pipes: making them (pipe2), opening FIFOs, and their size.
 *
 * A pipe belongs to an inode while any file of it is open: inode->special, guarded by fifo_lock together with
 * the count of files. That holds for pipe(2) as well, so that /proc/PID/fd/N can be opened again. */
#include "pipe.h"
#include "base/bits.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <linux/capability.h>

#define PIPE_SLOTS_LIMIT (1u << 19) /* 2 GiB */

u32 pipe_max_size = 1u << 20;

static struct spinlock fifo_lock; /* guards inode->special of FIFOs and pipe.files */

static struct pipe *pipe_create(void)
{
	struct pipe *p = kzalloc(sizeof *p);

	if (!p)
		return NULL;
	p->slots = kcalloc(PIPE_DEFAULT_SLOTS, sizeof *p->slots);
	if (!p->slots) {
		kfree(p);
		return NULL;
	}
	p->nslots = PIPE_DEFAULT_SLOTS;
	mutex_init(&p->lock);
	lock_may_nest(&p->lock); /* by address: pipe_splice.c */
	waitq_init(&p->read_wait);
	waitq_init(&p->write_wait);
	return p;
}

/* The inode's pipe, made at need, with one more file counted. NULL on no memory. */
static struct pipe *pipe_attach(struct inode *inode)
{
	struct pipe *p, *fresh = NULL;

	for (;;) {
		spin_lock(&fifo_lock);
		p = inode->special;
		if (!p && fresh) {
			inode->special = p = fresh;
			fresh = NULL;
		}
		if (p)
			p->files++;
		spin_unlock(&fifo_lock);
		if (p)
			break;
		fresh = pipe_create();
		if (!fresh)
			return NULL;
	}
	if (fresh)
		pipe_free(fresh);
	return p;
}

static void pipe_detach(struct inode *inode, struct pipe *p)
{
	bool last;

	spin_lock(&fifo_lock);
	last = !--p->files;
	if (last)
		inode->special = NULL;
	spin_unlock(&fifo_lock);
	if (last)
		pipe_free(p);
}

/* With the lock held: F is an end no more. */
static void pipe_leave(struct pipe *p, struct file *f)
{
	if (file_readable(f))
		WRITE_ONCE(p->readers, p->readers - 1);
	if (file_writable(f))
		WRITE_ONCE(p->writers, p->writers - 1);
	/* Only when one side is left without the other does anybody have to know. */
	if (!p->readers != !p->writers) {
		waitq_wake_all(&p->read_wait);
		waitq_wake_all(&p->write_wait);
	}
}

void pipe_file_release(struct file *f)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->lock);
	pipe_leave(p, f);
	mutex_unlock(&p->lock);
	pipe_detach(f->inode, p);
}

/* Wait until the other side has opened once more than SEEN. With the lock held, dropped meanwhile. */
static int fifo_wait_partner(struct pipe *p, const u32 *opens, u32 seen)
{
	int err;

	mutex_unlock(&p->lock);
	err = wait_event_interruptible(&p->read_wait, READ_ONCE(*opens) != seen);
	mutex_lock(&p->lock);
	return *opens != seen ? 0 : err;
}

static int fifo_open_locked(struct pipe *p, struct file *f)
{
	bool reads = file_readable(f), writes = file_writable(f);
	u32 write_opens = p->write_opens, read_opens = p->read_opens;

	if (writes && !reads && file_nonblock(f) && !p->readers)
		return -ENXIO;
	if (reads) {
		p->readers++;
		WRITE_ONCE(p->read_opens, read_opens + 1);
	}
	if (writes) {
		p->writers++;
		WRITE_ONCE(p->write_opens, write_opens + 1);
	}
	if ((reads && p->readers == 1) || (writes && p->writers == 1))
		waitq_wake_all(&p->read_wait);
	/* An end of pipe(2), opened again by /proc/PID/fd: the other side may have come and gone. */
	if (p->nameless)
		return 0;
	if (reads && !p->writers) {
		if (!file_nonblock(f))
			return fifo_wait_partner(p, &p->write_opens, write_opens);
		f->version = write_opens; /* poll: no hang-up before a writer came */
	} else if (writes && !p->readers) {
		return fifo_wait_partner(p, &p->read_opens, read_opens);
	}
	return 0;
}

int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p = pipe_attach(inode);
	int err;

	if (!p)
		return -ENOMEM;
	f->version = ~0ull;
	f->priv = p;
	mutex_lock(&p->lock);
	err = fifo_open_locked(p, f);
	if (err && err != -ENXIO)
		pipe_leave(p, f);
	mutex_unlock(&p->lock);
	if (err) {
		f->priv = NULL;
		pipe_detach(inode, p);
		return err;
	}
	f->ops = &pipe_ops;
	return 0;
}

/* Make F an end of P, which counts it already. */
static void pipe_end_init(struct file *f, struct pipe *p)
{
	f->priv = p;
	f->version = ~0ull;
	f->ops = &pipe_ops;
}

/* Both ends of a new pipe, on one inode. Until they are joined with the pipe they have no operations. */
static int pipe_make(struct file **reader, struct file **writer, u32 flags)
{
	struct pipe *p = pipe_create();
	struct file *r, *w;
	int err;

	if (!p)
		return -ENOMEM;
	r = file_create_anon("pipe", NULL, NULL, O_RDONLY | flags);
	err = (int)PTR_ERR(r);
	if (IS_ERR(r))
		goto free_pipe;
	w = file_create_anon("pipe", NULL, NULL, O_WRONLY | flags);
	err = (int)PTR_ERR(w);
	if (IS_ERR(w))
		goto put_reader;
	err = file_set_anon_inode(r, S_IFIFO | 0600);
	if (err)
		goto put_writer;
	w->path = r->path;
	path_get(&w->path);
	w->inode = r->inode;
	w->anon_id = r->anon_id;
	r->inode->special = p;
	p->nameless = true;
	p->files = 2;
	p->readers = p->writers = p->read_opens = p->write_opens = 1;
	pipe_end_init(r, p);
	pipe_end_init(w, p);
	*reader = r;
	*writer = w;
	return 0;
put_writer:
	file_put(w);
put_reader:
	file_put(r);
free_pipe:
	pipe_free(p);
	return err;
}

static long pipe_common(int __app *fds, u32 flags)
{
	struct file *reader = NULL, *writer = NULL;
	int fd[2];
	long ret;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	ret = pipe_make(&reader, &writer, flags & (u32)(O_NONBLOCK | O_DIRECT));
	if (ret)
		return ret;
	fd[0] = fd_reserve(0, flags & O_CLOEXEC);
	ret = fd[0];
	if (ret < 0)
		goto put_files;
	fd[1] = fd_reserve(0, flags & O_CLOEXEC);
	ret = fd[1];
	if (ret < 0)
		goto release_first;
	ret = copy_to_app(fds, fd, sizeof fd);
	if (ret)
		goto release_second;
	fd_install(fd[0], reader);
	fd_install(fd[1], writer);
	return 0;
release_second:
	fd_release(fd[1]);
release_first:
	fd_release(fd[0]);
put_files:
	file_put(writer);
	file_put(reader);
	return ret;
}

SYSCALL_DEFINE1(pipe, int __app *, fds)
{
	return pipe_common(fds, 0);
}

SYSCALL_DEFINE2(pipe2, int __app *, fds, int, flags)
{
	return pipe_common(fds, (u32)flags);
}

/* With the lock held. */
static long pipe_resize(struct pipe *p, u32 nslots)
{
	struct pipe_slot *slots;

	if (nslots == p->nslots)
		return (long)nslots << PAGE_SHIFT;
	if (nslots > p->nslots && (u64)nslots << PAGE_SHIFT > pipe_max_size &&
	    !process_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (pipe_used(p) > nslots)
		return -EBUSY;
	slots = kcalloc(nslots, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	for (u32 i = p->tail; i != p->head; i++)
		slots[i & (nslots - 1)] = *pipe_slot(p, i);
	kfree(p->slots);
	p->slots = slots;
	WRITE_ONCE(p->nslots, nslots);
	waitq_wake(&p->write_wait, 1, EPOLLOUT | EPOLLWRNORM);
	return (long)nslots << PAGE_SHIFT;
}

long pipe_file_fcntl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->priv;
	u32 size = (u32)arg;
	long ret;

	switch (cmd) {
	case F_GETPIPE_SZ:
		return (long)READ_ONCE(p->nslots) << PAGE_SHIFT;
	case F_SETPIPE_SZ:
		if (size > PIPE_SLOTS_LIMIT << PAGE_SHIFT)
			return -EINVAL;
		mutex_lock(&p->lock);
		ret = pipe_resize(p, size <= PAGE_SIZE ? 1 : 1u << (log2_ceil(size) - PAGE_SHIFT));
		mutex_unlock(&p->lock);
		return ret;
	default:
		return -EINVAL;
	}
}

bool pipe_is(const struct file *f)
{
	return f->ops == &pipe_ops;
}
