/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-balloon (virtio 1.2, 5.5): the host asks for memory back by raising num_pages; one kernel thread
 * takes pages from the allocator and names them to the host (inflation), or names them again and returns them
 * (deflation). The thread sleeps until the configuration changes, statistics are asked for, or a report of
 * free pages is due.
 *
 * Pages are named in 4 KiB units whatever block they came in, BALLOON_PFNS a request. Deflation always tells
 * the host first and waits, which MUST_TELL_HOST asks for and others do not mind; nothing here touches the
 * contents of a page, so a returned page costs the host nothing until somebody uses it.
 *
 * When the allocator runs dry it calls deflate_on_oom() in whatever thread is short, which polls for the
 * answer; the balloon then holds off from inflating for a while, or the two would fight. */

#include "balloon.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/balloon_pages.h"
#include "kernel/boot_info.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include "kernel/kthread.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include <linux/eventpoll.h>

#define QUEUE_SIZE     64u
#define SHORT_RETRY    (500 * NSEC_PER_MSEC) /* nothing to take: look again after */
#define OOM_HOLD_OFF   (2 * NSEC_PER_SEC)
#define REPORT_DELAY   (2 * NSEC_PER_SEC) /* memory that is in use again by then need not go to the host */
#define ANSWER_WAIT_NS (5 * NSEC_PER_SEC)
#define TAKE_ORDER     9u /* 2 MiB blocks first */

DEFINE_WAITQ(balloon_waitq);
static struct virtio_balloon *balloon; /* the one device; published when set up */
static _Atomic u32 sequence;

DEFINE_COUNTER(balloon_inflated_pages, "4 KiB pages given to the host");
DEFINE_COUNTER(balloon_deflated_pages, "4 KiB pages taken back from the host");
DEFINE_COUNTER(balloon_oom_deflations, "times that the balloon gave memory back because the guest ran out");
DEFINE_COUNTER(balloon_short, "times that the balloon could not move towards its target");

static u64 boot_bytes(void)
{
	static u64 bytes; /* the same for every racing first caller */
	struct boot_mem_range r;
	u64 sum = 0;

	if (bytes)
		return bytes;
	for (unsigned i = 0; boot_mem_range(i, &r); i++)
		if (r.type == BOOT_MEM_RAM)
			sum += r.size;
	/* Firmware keeps some hundred KiB of what the VM was given. */
	bytes = ALIGN_UP(sum, MIB(1));
	return bytes;
}

void balloon_state(struct balloon_state *out)
{
	struct virtio_balloon *vb = __atomic_load_n(&balloon, __ATOMIC_ACQUIRE);
	u64 boot = boot_bytes(), target = vb ? vb->target << PAGE_SHIFT : 0,
	    actual = vb ? vb->actual << PAGE_SHIFT : 0;

	*out = (struct balloon_state){
		.boot_bytes = boot,
		.target_bytes = boot - min(boot, target),
		.actual_bytes = boot - min(boot, actual),
		.reported_bytes = balloon_reported_bytes,
		.sequence = sequence,
		.present = vb != NULL,
	};
}

static void tell_watchers(void)
{
	atomic_fetch_add(&sequence, 1);
	waitq_wake(&balloon_waitq, ~0u, EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}

int balloon_request(struct virtio_balloon *vb, struct virtqueue *vq, const struct vq_segment *seg,
		    unsigned nout, unsigned nin, bool poll)
{
	u64 start = clock_monotonic();
	int err = vq_add(vq, seg, nout, nin, vb);

	if (err)
		return err;
	vq_kick(vq);
	while (!vq_get(vq, NULL)) {
		if (vq->broken || (poll && clock_monotonic() - start > ANSWER_WAIT_NS))
			return -EIO;
		if (poll)
			cpu_relax();
		else
			wait_event(&vb->done, vq_pending(vq) || vq->broken);
	}
	return 0;
}

/* Name N pages on VQ: the host has them, or has let go of them, when this returns 0. */
static int name_pages(struct virtio_balloon *vb, struct virtqueue *vq, u32 *pfns, unsigned n, bool poll)
{
	struct vq_segment seg = {virt_to_phys(pfns), n * (u32)sizeof pfns[0]};

	return balloon_request(vb, vq, &seg, 1, 0, poll);
}

static unsigned add_pfns(u32 *pfns, unsigned at, const struct page *p, unsigned order)
{
	u32 pfn = (u32)(page_to_phys(p) >> PAGE_SHIFT);

	for (u32 i = 0; i < 1u << order; i++)
		pfns[at++] = pfn + i;
	return at;
}

/* Tell the host how much it has. */
static void publish_actual(struct virtio_balloon *vb)
{
	u64 flags = spin_lock_irqsave(&vb->lock);
	u32 held = (u32)vb->held;

	vb->actual = held;
	virtio_config_write(vb->dev, offsetof(struct virtio_balloon_config, actual), &held, sizeof held);
	spin_unlock_irqrestore(&vb->lock, flags);
	tell_watchers();
}

/* With the lock held. */
static void hold(struct virtio_balloon *vb, struct page *p, unsigned order)
{
	p->index = order;
	list_add(&p->lru, &vb->blocks);
	vb->held += 1ull << order;
}

static void hold_all(struct virtio_balloon *vb, struct list_head *batch)
{
	u64 flags = spin_lock_irqsave(&vb->lock);

	while (!list_empty(batch)) {
		struct page *p = list_first_entry(batch, struct page, lru);

		list_del(&p->lru);
		hold(vb, p, (unsigned)p->index);
	}
	spin_unlock_irqrestore(&vb->lock, flags);
}

/* Take up to WANT pages and give them to the host, one request. Returns how many. The blocks count as held
 * only once the host has them: deflation must not overtake this request. */
static u64 inflate_some(struct virtio_balloon *vb, u64 want)
{
	LIST_HEAD(batch);
	unsigned n = 0;

	want = min(want, (u64)BALLOON_PFNS);
	while (n < want) {
		unsigned order = TAKE_ORDER;
		struct page *p;

		while (1u << order > want - n)
			order--;
		p = balloon_page_take(&order);
		if (!p)
			break;
		n = add_pfns(vb->inflate_pfns, n, p, order);
		p->index = order;
		list_add_tail(&p->lru, &batch);
	}
	if (!n)
		return 0;
	/* When the device fails it may have some of them all the same: they are never used again. */
	if (name_pages(vb, vb->inflate, vb->inflate_pfns, n, false))
		log_err("balloon: the device does not answer");
	hold_all(vb, &batch);
	counter_add(&balloon_inflated_pages, n);
	return n;
}

/* A block of at most MAX pages out of the balloon; a larger one is split. NULL when it is empty. */
static struct page *unhold(struct virtio_balloon *vb, u64 max, unsigned *order)
{
	u64 flags = spin_lock_irqsave(&vb->lock);
	struct page *p = NULL;

	if (!list_empty(&vb->blocks)) {
		p = list_first_entry(&vb->blocks, struct page, lru);
		list_del(&p->lru);
		*order = (unsigned)p->index;
		vb->held -= 1ull << *order;
		while (1ull << *order > max) { /* keep the upper half */
			(*order)--;
			hold(vb, p + (1ul << *order), *order);
		}
	}
	spin_unlock_irqrestore(&vb->lock, flags);
	return p;
}

/* With deflate_mutex held: give up to WANT pages back to the allocator, one request. Returns how many. */
static u64 deflate_some(struct virtio_balloon *vb, u64 want, bool poll)
{
	LIST_HEAD(batch);
	unsigned n = 0, order;
	struct page *p;

	want = min(want, (u64)BALLOON_PFNS);
	while (n < want && (p = unhold(vb, want - n, &order))) {
		n = add_pfns(vb->deflate_pfns, n, p, order);
		p->index = order;
		list_add_tail(&p->lru, &batch);
	}
	if (!n)
		return 0;
	if (name_pages(vb, vb->deflate, vb->deflate_pfns, n, poll)) {
		hold_all(vb, &batch); /* the host may still take them for its own */
		return 0;
	}
	while (!list_empty(&batch)) {
		p = list_first_entry(&batch, struct page, lru);
		list_del(&p->lru);
		balloon_page_return(p, (unsigned)p->index);
	}
	counter_add(&balloon_deflated_pages, n);
	return n;
}

static void set_hold_off(struct virtio_balloon *vb)
{
	u64 until = clock_monotonic() + OOM_HOLD_OFF, flags = spin_lock_irqsave(&vb->lock);

	vb->hold_off = until;
	spin_unlock_irqrestore(&vb->lock, flags);
}

static u64 deflate_on_oom(u64 pages)
{
	struct virtio_balloon *vb = __atomic_load_n(&balloon, __ATOMIC_ACQUIRE);
	u64 got = 0, n;

	if (!vb || !vb->actual || !mutex_trylock(&vb->deflate_mutex))
		return 0;
	set_hold_off(vb);
	pages = max(pages,
		    (u64)BALLOON_PFNS); /* a little more than asked, or it will be asked again at once */
	while (got < pages && (n = deflate_some(vb, pages - got, true)))
		got += n;
	mutex_unlock(&vb->deflate_mutex);
	if (got) {
		counter_inc(&balloon_oom_deflations);
		publish_actual(vb);
		/* The thread goes back to the target once the hold-off has passed. */
		atomic_store(&vb->config_changed, true);
		waitq_wake_all(&vb->wake);
	}
	return got;
}

static u64 deflate_step(struct virtio_balloon *vb, u64 want)
{
	u64 n;

	mutex_lock(&vb->deflate_mutex);
	n = deflate_some(vb, want, false);
	mutex_unlock(&vb->deflate_mutex);
	return n;
}

/* One step towards the target. Returns when to look again: 0 at once, ~0 when the target is reached. */
static u64 adjust(struct virtio_balloon *vb)
{
	u64 target = virtio_config_get(vb->dev, struct virtio_balloon_config, num_pages);
	u64 now = clock_monotonic(), held, hold_off, flags;

	if (atomic_exchange(&vb->target, target) != target)
		tell_watchers();
	flags = spin_lock_irqsave(&vb->lock);
	held = vb->held;
	hold_off = vb->hold_off;
	spin_unlock_irqrestore(&vb->lock, flags);
	if (held == target)
		return ~0ull;
	if (held < target && now < hold_off)
		return hold_off;
	if (held < target ? inflate_some(vb, target - held) : deflate_step(vb, held - target)) {
		publish_actual(vb);
		return 0;
	}
	counter_inc(&balloon_short);
	return now + SHORT_RETRY;
}

/* A free 2 MiB block that the host backs came into being. Called below the allocator's lock. */
static void free_hint(void)
{
	struct virtio_balloon *vb = balloon;

	if (!atomic_load_explicit(&vb->report_hint, memory_order_relaxed) &&
	    !atomic_exchange(&vb->report_hint, true))
		waitq_wake_all(&vb->wake);
}

static bool hinted(struct virtio_balloon *vb)
{
	return vb->report && atomic_load(&vb->report_hint);
}

static void balloon_thread(void *arg)
{
	struct virtio_balloon *vb = arg;
	u64 again = 0, report_at = ~0ull;

	for (;;) {
		u64 now;

		(void)wait_event_until(&vb->wake,
				       atomic_load(&vb->config_changed) || atomic_load(&vb->stats_wanted) ||
					       (report_at == ~0ull && hinted(vb)),
				       min(again, report_at));
		if (atomic_exchange(&vb->stats_wanted, false))
			balloon_stats_answer(vb);
		now = clock_monotonic();
		if (atomic_exchange(&vb->config_changed, false) || now >= again)
			again = adjust(vb);
		if (now >= report_at) {
			atomic_store(&vb->report_hint, false);
			balloon_report_pass(vb);
			report_at = ~0ull;
		}
		if (report_at == ~0ull && hinted(vb))
			report_at = now + REPORT_DELAY;
		cond_resched();
	}
}

static void balloon_config_changed(struct virtio_device *dev)
{
	struct virtio_balloon *vb = dev->priv;

	atomic_store(&vb->config_changed, true);
	waitq_wake_all(&vb->wake);
}

static void balloon_answered(struct virtqueue *vq)
{
	struct virtio_balloon *vb = vq->dev->priv;

	if (vq_pending(vq))
		waitq_wake_all(&vb->done);
}

static void balloon_stats_interrupt(struct virtqueue *vq)
{
	struct virtio_balloon *vb = vq->dev->priv;

	if (!vq_pending(vq))
		return;
	atomic_store(&vb->stats_wanted, true);
	waitq_wake_all(&vb->wake);
}

/* Optional queues take the next number each, in this order; one that we do not use keeps its number. */
static int setup_queues(struct virtio_balloon *vb)
{
	u64 offered = vb->dev->transport->get_features(vb->dev);
	struct vq_setup setup[5] = {
		{.name = "balloon-inflate", .callback = balloon_answered, .size = QUEUE_SIZE},
		{.name = "balloon-deflate", .callback = balloon_answered, .size = QUEUE_SIZE},
	};
	unsigned n = 2, stats = 0, report = 0;
	int err;

	if (offered & BIT(VIRTIO_BALLOON_F_STATS_VQ)) {
		setup[n] = (struct vq_setup){"balloon-stats", balloon_stats_interrupt, 2, 0, false};
		stats = n++;
	}
	if (offered & BIT(VIRTIO_BALLOON_F_FREE_PAGE_HINT))
		setup[n++].skip = true;
	if (virtio_has(vb->dev, VIRTIO_BALLOON_F_REPORTING)) {
		setup[n] = (struct vq_setup){"balloon-report", balloon_answered, QUEUE_SIZE, 0, false};
		report = n++;
	}
	err = virtio_setup_queues(vb->dev, setup, n);
	if (err)
		return err;
	vb->inflate = vb->dev->queues[0];
	vb->deflate = vb->dev->queues[1];
	vb->stats = stats ? vb->dev->queues[stats] : NULL;
	vb->report = report ? vb->dev->queues[report] : NULL;
	return 0;
}

static int balloon_probe(struct virtio_device *dev)
{
	struct virtio_balloon *vb;
	struct thread *t;
	int err;

	if (balloon)
		return -EBUSY;
	vb = kzalloc(sizeof *vb);
	if (!vb)
		return -ENOMEM;
	vb->dev = dev;
	dev->priv = vb;
	waitq_init(&vb->wake);
	waitq_init(&vb->done);
	mutex_init(&vb->deflate_mutex);
	list_init(&vb->blocks);
	vb->inflate_pfns = kmalloc(BALLOON_PFNS * sizeof(u32));
	vb->deflate_pfns = kmalloc(BALLOON_PFNS * sizeof(u32));
	err = vb->inflate_pfns && vb->deflate_pfns ? setup_queues(vb) : -ENOMEM;
	if (err)
		goto fail;
	vb->report_hint = true; /* what boot has left */
#ifdef DEBUG
	if (virtio_has(dev, VIRTIO_BALLOON_F_PAGE_POISON)) {
		u32 poison = PAGE_POISON_BYTE * 0x01010101u;

		virtio_config_write(dev, offsetof(struct virtio_balloon_config, poison_val), &poison,
				    sizeof poison);
	}
#endif
	virtio_ready(dev);
	if (vb->stats)
		err = balloon_stats_init(vb);
	if (err)
		goto fail;
	t = kthread_start(balloon_thread, vb, "balloon");
	if (IS_ERR(t)) {
		err = (int)PTR_ERR(t);
		goto fail;
	}
	__atomic_store_n(&balloon, vb, __ATOMIC_RELEASE);
	if (virtio_has(dev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
		balloon_register_deflate(deflate_on_oom);
	if (vb->report)
		balloon_register_hint(free_hint);
	return 0;
fail:
	if (!virtio_device_stop(dev)) {
		kfree(vb->inflate_pfns);
		kfree(vb->deflate_pfns);
		kfree(vb);
	}
	return err;
}

/* Only the debugging kernel fills free pages, and only such a driver is to claim it. */
#ifdef DEBUG
#define POISON_FEATURE BIT(VIRTIO_BALLOON_F_PAGE_POISON)
#else
#define POISON_FEATURE 0
#endif

static const struct virtio_driver balloon_driver = {
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.features = BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST) | BIT(VIRTIO_BALLOON_F_STATS_VQ) |
		    BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | BIT(VIRTIO_BALLOON_F_REPORTING) | POISON_FEATURE,
	.probe = balloon_probe,
	.config_changed = balloon_config_changed,
};

static int balloon_init(void)
{
	return virtio_driver_register(&balloon_driver);
}
INITCALL(balloon_init, INIT_DEVICE);
