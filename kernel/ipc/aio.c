// SPDX-License-Identifier: BSD-2-Clause
/* Native AIO: contexts, their rings of completions, and waiting. See aio.h. */
#include "aio.h"
#include "ipc.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscall.h"
#include "kernel/vm.h"
#include <linux/mman.h>
#include <linux/time.h>

#define RING_MIN 8u
#define BATCH	 16 /* completions copied at a time */

u64 aio_max_nr = 65536;
_Atomic u64 aio_nr;

/* The contexts of one address space. */
struct aio_table {
	struct vm_attachment base;
	struct spinlock lock;
	struct list_head contexts;
};

void aio_context_put(struct aio_context *c)
{
	if (!refcount_put(&c->ref))
		return;
	atomic_fetch_sub(&aio_nr, c->size);
	vfree(c->ring);
	kfree(c);
}

/* C is in no table any more: nobody new finds it. */
static void context_kill(struct aio_context *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	c->dead = true;
	spin_unlock_irqrestore(&c->lock, flags);
	aio_polls_end(c);
	waitq_wake_all(&c->waitq);
	aio_context_put(c);
}

static void table_free(struct vm_attachment *base)
{
	struct aio_table *t = container_of(base, struct aio_table, base);

	while (!list_empty(&t->contexts)) {
		struct aio_context *c = list_first_entry(&t->contexts, struct aio_context, node);

		list_del(&c->node);
		context_kill(c);
	}
	kfree(t);
}

static struct aio_table *table_get(bool create)
{
	struct vm_attachment *base = atomic_load_explicit(&current->vm->aio, memory_order_acquire),
			     *none = NULL;
	struct aio_table *t;

	if (base || !create)
		return base ? container_of(base, struct aio_table, base) : NULL;
	t = kzalloc(sizeof *t);
	if (!t)
		return NULL;
	t->base.free = table_free;
	spin_init(&t->lock);
	list_init(&t->contexts);
	if (atomic_compare_exchange_strong(&current->vm->aio, &none, &t->base))
		return t;
	kfree(t);
	return container_of(none, struct aio_table, base);
}

static struct aio_context *find(struct aio_table *t, u64 id)
{
	struct aio_context *c;

	list_for_each_entry (c, &t->contexts, node)
		if (c->id == id)
			return c;
	return NULL;
}

struct aio_context *aio_context_get(u64 id)
{
	struct aio_table *t = table_get(false);
	struct aio_context *c;

	if (!t)
		return NULL;
	spin_lock(&t->lock);
	c = find(t, id);
	if (c)
		refcount_get(&c->ref);
	spin_unlock(&t->lock);
	return c;
}

static struct aio_context *context_create(unsigned size)
{
	struct aio_context *c = kzalloc(sizeof *c);

	if (!c)
		return NULL;
	c->ring = vmalloc(size * sizeof *c->ring);
	if (!c->ring) {
		kfree(c);
		return NULL;
	}
	refcount_set(&c->ref, 1);
	c->size = size;
	mutex_init(&c->reader);
	waitq_init(&c->waitq);
	spin_init(&c->lock);
	list_init(&c->polls);
	return c;
}

static bool count_take(u64 n)
{
	u64 now = atomic_load(&aio_nr);

	do {
		if (n > aio_max_nr || now > aio_max_nr - n)
			return false;
	} while (!atomic_compare_exchange_weak(&aio_nr, &now, now + n));
	return true;
}

SYSCALL_DEFINE2(io_setup, unsigned, nr, u64 __app *, out)
{
	struct aio_context *c;
	struct aio_table *t;
	long at;
	u64 id;

	if (get_app(id, out))
		return -EFAULT;
	if (id || !nr || nr > 0x10000000 / sizeof(struct io_event))
		return -EINVAL;
	nr = max(nr, RING_MIN);
	if (!count_take(nr))
		return -EAGAIN;
	t = table_get(true);
	c = t ? context_create(nr) : NULL;
	if (!c) {
		atomic_fetch_sub(&aio_nr, nr);
		return -ENOMEM;
	}
	/* A page of zeros: no ring that the library could read without asking. */
	at = vm_mmap(current->vm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (at < 0 || put_app((u64)at, out)) {
		if (at >= 0)
			vm_munmap(current->vm, (u64)at, PAGE_SIZE);
		aio_context_put(c);
		return at < 0 ? at : -EFAULT;
	}
	c->id = (u64)at;
	spin_lock(&t->lock);
	list_add(&c->node, &t->contexts);
	spin_unlock(&t->lock);
	return 0;
}

SYSCALL_DEFINE1(io_destroy, u64, id)
{
	struct aio_table *t = table_get(false);
	struct aio_context *c;

	if (!t)
		return -EINVAL;
	spin_lock(&t->lock);
	c = find(t, id);
	if (c)
		list_del(&c->node);
	spin_unlock(&t->lock);
	if (!c)
		return -EINVAL;
	vm_munmap(current->vm, id, PAGE_SIZE);
	context_kill(c);
	return 0;
}

/* ---- completions ---- */

bool aio_slot_take(struct aio_context *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	bool room = c->used < c->size;

	c->used += room;
	spin_unlock_irqrestore(&c->lock, flags);
	return room;
}

void aio_slot_give_back(struct aio_context *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	c->used--;
	spin_unlock_irqrestore(&c->lock, flags);
}

void aio_complete(struct aio_context *c, const struct iocb *request, u64 address, s64 result)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	c->ring[(c->head + c->count++) % c->size] =
		(struct io_event){.data = request->aio_data, .obj = address, .res = result};
	spin_unlock_irqrestore(&c->lock, flags);
	waitq_wake_all(&c->waitq);
}

static unsigned peek(struct aio_context *c, struct io_event *events, unsigned n)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	n = min(n, c->count);
	for (unsigned i = 0; i < n; i++)
		events[i] = c->ring[(c->head + i) % c->size];
	spin_unlock_irqrestore(&c->lock, flags);
	return n;
}

static void drop(struct aio_context *c, unsigned n)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	c->head = (c->head + n) % c->size;
	c->count -= n;
	c->used -= n;
	spin_unlock_irqrestore(&c->lock, flags);
}

/* Move up to N completions to OUT. What could not be stored stays. */
static long take(struct aio_context *c, struct io_event __app *out, long n)
{
	struct io_event events[BATCH];
	long done = 0, err = 0;

	mutex_lock(&c->reader);
	while (done < n) {
		unsigned got = peek(c, events, (unsigned)min(n - done, (long)BATCH));

		if (!got)
			break;
		err = copy_to_app(out + done, events, got * sizeof *events);
		if (err)
			break;
		drop(c, got);
		done += got;
	}
	mutex_unlock(&c->reader);
	return done ? done : err;
}

static long wait_for(struct aio_context *c, long least, long most, struct io_event __app *out, u64 deadline)
{
	long done = 0, got;
	int err;

	for (;;) {
		got = take(c, out + done, most - done);
		if (got < 0)
			return done ? done : got;
		done += got;
		if (done >= least)
			return done;
		if (READ_ONCE(c->dead))
			return done ? done : -EINVAL;
		err = wait_event_interruptible_until(&c->waitq, READ_ONCE(c->count) || READ_ONCE(c->dead),
						     deadline);
		if (err)
			return done ? done : err == -ETIMEDOUT ? 0 : -EINTR;
	}
}

static long getevents(u64 id, long least, long most, struct io_event __app *out,
		      const struct __kernel_timespec __app *timeout)
{
	struct __kernel_timespec ts;
	u64 deadline = WAIT_FOREVER;
	struct aio_context *c;
	long ret;

	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		deadline = timespec_valid(&ts) ? deadline_after(timespec_to_ns(&ts)) : 0;
	}
	c = aio_context_get(id);
	if (!c)
		return -EINVAL;
	ret = least < 0 || least > most ? -EINVAL : wait_for(c, least, most, out, deadline);
	aio_context_put(c);
	return ret;
}

SYSCALL_DEFINE5(io_getevents, u64, id, long, least, long, most, struct io_event __app *, out,
		const struct __kernel_timespec __app *, timeout)
{
	return getevents(id, least, most, out, timeout);
}

SYSCALL_DEFINE6(io_pgetevents, u64, id, long, least, long, most, struct io_event __app *, out,
		const struct __kernel_timespec __app *, timeout, const void __app *, usig)
{
	struct {
		const sigset __app *mask;
		size_t size;
	} sig = {0};
	long ret;

	if (usig && get_app(sig, (typeof(sig) __app *)usig))
		return -EFAULT;
	if (sig.mask) {
		ret = signal_set_temporary_mask(sig.mask, sig.size);
		if (ret)
			return ret;
	}
	ret = getevents(id, least, most, out, timeout);
	if (sig.mask)
		signal_mask_restore(ret == -EINTR);
	return ret;
}
