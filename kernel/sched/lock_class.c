// SPDX-License-Identifier: BSD-2-Clause
/* DEBUG builds: the order in which sleeping locks are taken, kernel/mutex.h.
 *
 * Locks that the same call initialised are one class. after[a] are the classes of which a lock was taken
 * while one of A was held; a way in that graph from the lock that is taken to one that is held is a deadlock
 * that waits for its moment, whether or not the locks are the same ones. Each CPU stores its edge before it
 * looks for the way back, so of two that close a circle together at least one sees it. */
#include "kernel/mutex.h"
#include "sched_internal.h"

#ifdef DEBUG
#define CLASSES 128
#define WORDS	(CLASSES / 64)

static const void *_Atomic sites[CLASSES];
static _Atomic u64 after[CLASSES][WORDS];

static const void *site_of(const struct lock_class *c)
{
	return c->site ? c->site : c;
}

/* The number of C's class; CLASSES when there are too many. */
static unsigned class_of(const struct lock_class *c)
{
	const void *site = site_of(c);

	for (unsigned i = 0; i < CLASSES; i++) {
		const void *known = NULL;

		if (atomic_compare_exchange_strong(&sites[i], &known, site) || known == site)
			return i;
	}
	return CLASSES;
}

static bool leads_to(unsigned from, unsigned to)
{
	u64 seen[WORDS] = {0}, todo[WORDS] = {0};

	todo[from / 64] = BIT(from % 64);
	for (unsigned w = 0; w < WORDS; w++)
		while (todo[w]) {
			unsigned c = w * 64 + (unsigned)__builtin_ctzll(todo[w]);

			if (c == to)
				return true;
			seen[w] |= BIT(c % 64);
			for (unsigned i = 0; i < WORDS; i++)
				todo[i] = (todo[i] | atomic_load(&after[c][i])) & ~seen[i];
			w = 0;
		}
	return false;
}

static void check(const struct lock_class *held, const struct lock_class *c)
{
	unsigned a = class_of(held), b = class_of(c);

	if (a == b && !c->nests)
		panic("lock order: two locks of %p are taken", site_of(c));
	if (a == b || a == CLASSES || b == CLASSES)
		return;
	if (atomic_fetch_or(&after[a][b / 64], BIT(b % 64)) & BIT(b % 64))
		return;
	if (leads_to(b, a))
		panic("lock order: a lock of %p is held and one of %p taken, which was the other way round "
		      "before",
		      site_of(held), site_of(c));
}

#define HELD_MAX ARRAY_SIZE(((struct thread *)NULL)->sleeping_locks.lock)

/* The first of them are in the array, without gaps; n counts them all. */
static unsigned recorded(struct thread *t)
{
	unsigned i = 0;

	while (i < HELD_MAX && t->sleeping_locks.lock[i])
		i++;
	return i;
}

void lock_class_take(const struct lock_class *c, bool tried)
{
	struct thread *t = current;
	unsigned n = recorded(t);

	for (unsigned i = 0; !tried && i < n; i++)
		check(t->sleeping_locks.lock[i], c);
	if (n < HELD_MAX)
		t->sleeping_locks.lock[n] = c;
	t->sleeping_locks.n++;
}

void lock_class_drop(const struct lock_class *c)
{
	struct thread *t = current;
	unsigned n = recorded(t), i = n;

	while (i && t->sleeping_locks.lock[i - 1] != c)
		i--;
	if (!i && t->sleeping_locks.n == n)
		return; /* another thread took it */
	t->sleeping_locks.n--;
	if (!i)
		return;
	for (; i < n; i++)
		t->sleeping_locks.lock[i - 1] = t->sleeping_locks.lock[i];
	t->sleeping_locks.lock[n - 1] = NULL;
}
#endif
