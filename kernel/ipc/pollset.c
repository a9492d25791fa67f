// SPDX-License-Identifier: BSD-2-Clause
/* Waiting for several files at once: the engine of poll(2) and select(2).
 *
 * The first scan leaves a wait entry on every queue that the files name; an entry whose event fits sets
 * `triggered` and wakes the thread. Sampling a file may itself sleep (and so lose the thread's state), which
 * is why the decision to sleep hangs on `triggered` and not on the state set before the scan. Entries beyond
 * the inline ones come from the heap, a page at a time. The caller holds references on the files for the
 * whole time. */
#include "ipc.h"
#include "fs/file.h"
#include "kernel/sched.h"

#define INLINE_ENTRIES 10

struct poll_entry {
	struct wait_entry wait;
	struct waitq *queue;
	struct poll_set *set;
	u32 want;
};

struct poll_chunk {
	struct poll_chunk *next;
	size_t used;
	struct poll_entry entries[];
};
#define CHUNK_ENTRIES ((PAGE_SIZE - sizeof(struct poll_chunk)) / sizeof(struct poll_entry))

struct poll_set {
	struct poll_table table;
	struct thread *thread;
	_Atomic bool triggered; /* an event came since the last scan began */
	int error;
	size_t used;
	struct poll_chunk *chunks; /* newest first */
	struct poll_entry entries[INLINE_ENTRIES];
};

static bool pollset_wake(struct wait_entry *w, u32 events)
{
	struct poll_entry *e = container_of(w, struct poll_entry, wait);

	if (events && !(events & e->want))
		return false;
	atomic_store_explicit(&e->set->triggered, true, memory_order_release);
	thread_wake(e->set->thread);
	return true;
}

static struct poll_entry *pollset_entry(struct poll_set *set)
{
	struct poll_chunk *c = set->chunks;

	if (set->used < INLINE_ENTRIES)
		return &set->entries[set->used++];
	if (!c || c->used == CHUNK_ENTRIES) {
		c = kmalloc(PAGE_SIZE);
		if (!c)
			return NULL;
		c->used = 0;
		c->next = set->chunks;
		set->chunks = c;
	}
	return &c->entries[c->used++];
}

static void pollset_queue(struct poll_table *pt, struct file *f __maybe_unused, struct waitq *q)
{
	struct poll_set *set = container_of(pt, struct poll_set, table);
	struct poll_entry *e = pollset_entry(set);

	if (!e) {
		set->error = -ENOMEM;
		return;
	}
	e->queue = q;
	e->set = set;
	e->want = pt->want;
	wait_entry_init_fn(&e->wait, pollset_wake, e, false);
	waitq_add(q, &e->wait);
}

static void pollset_end(struct poll_set *set)
{
	struct poll_chunk *c, *next;

	for (size_t i = 0; i < set->used; i++)
		waitq_remove(set->entries[i].queue, &set->entries[i].wait);
	for (c = set->chunks; c; c = next) {
		next = c->next;
		for (size_t i = 0; i < c->used; i++)
			waitq_remove(c->entries[i].queue, &c->entries[i].wait);
		kfree(c);
	}
}

/* Sleep until an event or DEADLINE; false when the deadline passed. */
static bool pollset_sleep(struct poll_set *set, u64 deadline)
{
	bool in_time = true;

	thread_set_state(THREAD_INTERRUPTIBLE);
	if (!atomic_load_explicit(&set->triggered, memory_order_relaxed) &&
	    !thread_signal_interrupts(THREAD_INTERRUPTIBLE))
		in_time = schedule_until_poll(deadline);
	thread_set_state(THREAD_RUNNING);
	/* Before the next scan samples anything: an event from here on sets it again. */
	atomic_exchange(&set->triggered, false);
	return in_time;
}

static size_t pollset_scan(struct poll_set *set, struct poll_slot *slots, size_t n)
{
	size_t ready = 0;

	for (size_t i = 0; i < n; i++) {
		if (slots[i].file) {
			set->table.want = slots[i].want;
			slots[i].got = file_poll(slots[i].file, &set->table) & slots[i].want;
		}
		if (slots[i].got) {
			ready++;
			set->table.queue = NULL; /* there will be no sleep */
		}
	}
	set->table.queue = NULL; /* all are queued */
	return ready;
}

long poll_slots(struct poll_slot *slots, size_t n, u64 deadline)
{
	struct poll_set set;
	bool timed_out = !deadline;
	long ret;

	set.table.queue = timed_out ? NULL : pollset_queue;
	set.thread = current;
	set.triggered = false;
	set.error = 0;
	set.used = 0;
	set.chunks = NULL;
	for (;;) {
		ret = (long)pollset_scan(&set, slots, n);
		if (!ret)
			ret = signal_pending(current) ? -ERESTARTNOHAND : set.error;
		if (ret || timed_out)
			break;
		timed_out = !pollset_sleep(&set, deadline);
	}
	pollset_end(&set);
	return ret;
}
