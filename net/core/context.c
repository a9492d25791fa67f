/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections and the work that runs in them: see net/context.h.
 *
 * Work arrives on the lists of the CPU where it arose, under net_cpu.lock with interrupts off. Whoever finds
 * the CPU outside a section runs it: the interrupt itself, the outermost net_leave(), or the fallback thread,
 * which takes what a burst left over. `pending` belongs to the CPU; a list that is not empty implies pending,
 * work or a runner on its way. */
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/kthread.h"
#include "kernel/sched.h"
#include "kernel/softirq.h"
#include "net/stack.h"

#define BURST_PACKETS 256 /* loopback packets of one run */
#define BURST_POLL    32  /* device packets of one poll */
#define BURST_ROUNDS  4

DEFINE_PER_CPU(struct net_cpu, net_cpu);
static DEFINE_COUNTER(net_burst_overruns, "bursts handed to the fallback thread");
static DEFINE_COUNTER(net_loopback_drops, "loopback packets dropped because the queue was full");

#define LOOPBACK_QUEUE_MAX 16384

static struct net_cpu *this_net_cpu(void)
{
	return per_cpu_ptr(&net_cpu, cpu_id());
}

void *net_alloc(size_t size)
{
	u64 flags = arch_irq_save();
	void *p = kmalloc(size);

	arch_irq_restore(flags);
	return p;
}

void *net_zalloc(size_t size)
{
	u64 flags = arch_irq_save();
	void *p = kzalloc(size);

	arch_irq_restore(flags);
	return p;
}

static void run_loopback(struct net_cpu *c)
{
	for (unsigned n = 0; n < BURST_PACKETS; n++) {
		u64 flags = spin_lock_irqsave(&c->lock);
		struct packet *p = c->loop_first;

		if (p) {
			c->loop_first = (struct packet *)p->node.next;
			c->loop_len--;
		}
		spin_unlock_irqrestore(&c->lock, flags);
		if (!p)
			return;
		c->processed++;
		net_ip_input(p);
	}
}

static void run_timers(struct net_cpu *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	struct net_timer *t = c->timer_first;

	c->timer_first = NULL;
	spin_unlock_irqrestore(&c->lock, flags);
	while (t) {
		struct net_timer *next = t->next;

		atomic_store_explicit(&t->timer.mark, false, memory_order_release);
		t->fn(t);
		t = next;
	}
}

static void run_polls(struct net_cpu *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	struct net_poll *np = c->poll_first;

	if (np)
		softirq_count(SOFTIRQ_NET_RX);
	c->poll_first = NULL;
	spin_unlock_irqrestore(&c->lock, flags);
	while (np) {
		struct net_poll *next = np->next;
		struct netdev *dev = np->nif->dev;
		u32 running = 1;

		if (dev->ops->poll(dev, np->queue, BURST_POLL) >= BURST_POLL ||
		    !atomic_compare_exchange_strong(&np->state, &running, 0)) {
			atomic_store(&np->state, 0); /* more to do, or an interrupt came while it ran */
			net_poll_schedule(np);
		}
		np = next;
	}
}

/* Returns true when the lists were emptied. Inside a section of the caller's. */
static bool run_lists(struct net_cpu *c)
{
	for (unsigned round = 0; round < BURST_ROUNDS; round++) {
		bool idle;
		u64 flags;

		if (c->loop_first)
			softirq_count(SOFTIRQ_NET_RX); /* as where the loopback device is a backlog */
		run_loopback(c);
		run_timers(c);
		run_polls(c);
		flags = spin_lock_irqsave(&c->lock);
		idle = !c->loop_first && !c->timer_first && !c->poll_first;
		spin_unlock_irqrestore(&c->lock, flags);
		if (idle)
			return true;
	}
	return false;
}

/* Clears pending, runs the lists, leaves the section; work that an interrupt adds meanwhile makes pending
 * true again. */
void net_run_pending(void)
{
	while (this_cpu(net_cpu).pending && !this_cpu(net_cpu).depth) {
		struct net_cpu *c = this_net_cpu();
		bool done;

		c->pending = false;
		c->depth++;
		atomic_signal_fence(memory_order_seq_cst);
		done = run_lists(c);
		atomic_signal_fence(memory_order_seq_cst);
		c->depth--;
		if (!done && c->thread_wait) {
			counter_inc(&net_burst_overruns);
			c->squeezed++;
			WRITE_ONCE(c->work, true);
			waitq_wake_one(c->thread_wait);
			return;
		}
		if (!done)
			c->pending = true; /* before the threads exist: stay with it */
	}
}

static void work_arrived(struct net_cpu *c)
{
	c->pending = true;
	if (!c->depth)
		net_run_pending();
}

void net_loopback_queue(struct packet *p)
{
	struct net_cpu *c = this_net_cpu();
	u64 flags = spin_lock_irqsave(&c->lock);
	bool full = c->loop_len >= LOOPBACK_QUEUE_MAX;

	if (!full) {
		p->node.next = NULL;
		if (c->loop_first)
			c->loop_last->node.next = (struct list_head *)p;
		else
			c->loop_first = p;
		c->loop_last = p;
		c->loop_len++;
		c->pending = true;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	if (full) {
		counter_inc(&net_loopback_drops);
		packet_free(p);
	}
}

static void timer_fired(struct timer *timer)
{
	struct net_timer *t = container_of(timer, struct net_timer, timer);
	struct net_cpu *c = this_net_cpu();

	if (atomic_exchange_explicit(&t->timer.mark, true, memory_order_acquire))
		return;	     /* it is about to run */
	spin_lock(&c->lock); /* interrupts are off in timer callbacks */
	t->next = NULL;
	if (c->timer_first)
		c->timer_last->next = t;
	else
		c->timer_first = t;
	c->timer_last = t;
	spin_unlock(&c->lock);
	work_arrived(c);
}

void net_timer_init(struct net_timer *t, void (*fn)(struct net_timer *))
{
	timer_init(&t->timer, timer_fired);
	atomic_store_explicit(&t->timer.mark, false, memory_order_relaxed);
	t->fn = fn;
}

void net_timer_set(struct net_timer *t, u64 expires)
{
	timer_set(&t->timer, expires);
}

bool net_timer_cancel(struct net_timer *t)
{
	return timer_try_cancel(&t->timer) == 1;
}

void net_poll_schedule(struct net_poll *np)
{
	struct net_cpu *c;
	u32 was = 0;
	u64 flags;

	while (!atomic_compare_exchange_strong(&np->state, &was, was ? 2 : 1))
		;
	if (was)
		return;
	flags = arch_irq_save();
	c = this_net_cpu();
	spin_lock(&c->lock);
	np->next = NULL;
	if (c->poll_first)
		c->poll_last->next = np;
	else
		c->poll_first = np;
	c->poll_last = np;
	spin_unlock(&c->lock);
	work_arrived(c);
	arch_irq_restore(flags);
}

static void net_thread(void *arg)
{
	struct net_cpu *c = arg;

	for (;;) {
		wait_event_state_(c->thread_wait, READ_ONCE(c->work), THREAD_UNINTERRUPTIBLE, WAIT_FOREVER,
				  true);
		WRITE_ONCE(c->work, false);
		net_enter();
		if (!run_lists(c))
			WRITE_ONCE(c->work, true);
		net_leave();
		cond_resched();
	}
}

int net_context_start(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		struct net_cpu *c = per_cpu_ptr(&net_cpu, i);
		struct waitq *q = kmalloc(sizeof(*q));
		struct thread *t;
		char name[16] = "net/";

		if (!q)
			return -ENOMEM;
		waitq_init(q);
		if (i >= 10) {
			name[4] = (char)('0' + i / 10 % 10);
			name[5] = (char)('0' + i % 10);
		} else {
			name[4] = (char)('0' + i);
		}
		c->thread_wait = q;
		t = kthread_start(net_thread, c, name);
		if (IS_ERR(t)) {
			c->thread_wait = NULL;
			kfree(q);
			return (int)PTR_ERR(t);
		}
	}
	return 0;
}
