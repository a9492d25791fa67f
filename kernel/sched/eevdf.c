// SPDX-License-Identifier: BSD-2-Clause
/* EEVDF: see eevdf.h. Every function is called by the queue's own CPU with interrupts off (or by a test).
 * O(log n). */
#include "eevdf.h"
#include "base/bits.h"
#include "kernel/log.h"

/* A nice level is worth about 25 % of the CPU against an equal: 1024 / 1.25^nice. */
static const u32 weights[40] = {
	88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, /* -20 */
	9537,  7629,  6104,  4883,  3906,  3125,  2500,	 2000,	1600,  1280,  /* -10 */
	1024,  819,   655,   524,   419,   336,	  268,	 215,	172,   137,   /*   0 */
	110,   88,    70,    56,    45,	   36,	  29,	 23,	18,    15,    /*  10 */
};

u32 eevdf_weight(int nice)
{
	return weights[clamp(nice, -20, 19) + 20];
}

static u64 to_virtual(const struct eevdf_entity *e, u64 ns)
{
	if (likely(e->weight == EEVDF_WEIGHT_0))
		return ns;
	return (u64)((unsigned __int128)ns * e->inverse_weight >> 32);
}

void eevdf_init(struct eevdf *q)
{
	*q = (struct eevdf){.tree = RB_ROOT};
}

void eevdf_entity_init(struct eevdf_entity *e, u32 weight)
{
	*e = (struct eevdf_entity){.slice = EEVDF_SLICE_DEFAULT};
	eevdf_set_weight(e, weight);
}

void eevdf_set_weight(struct eevdf_entity *e, u32 weight)
{
	if (e->weight)
		e->vlag = e->vlag * (s64)e->weight / (s64)weight;
	e->weight = weight;
	e->inverse_weight = ((u64)EEVDF_WEIGHT_0 << 32) / weight;
}

static struct eevdf_entity *entity(struct rb_node *n)
{
	return rb_entry(n, struct eevdf_entity, node);
}

static void update_min(struct rb_node *n)
{
	struct eevdf_entity *e = entity(n);
	u64 least = e->vruntime;

	/* Virtual times are compared by difference, so that they may wrap. */
	if (n->left && (s64)(entity(n->left)->min_vruntime - least) < 0)
		least = entity(n->left)->min_vruntime;
	if (n->right && (s64)(entity(n->right)->min_vruntime - least) < 0)
		least = entity(n->right)->min_vruntime;
	e->min_vruntime = least;
}

static void tree_insert(struct eevdf *q, struct eevdf_entity *e)
{
	struct rb_node **link = &q->tree.node, *parent = NULL;

	e->min_vruntime = e->vruntime;
	if (!*link) {
		rb_insert_only(&q->tree, &e->node);
		return;
	}
	while (*link) {
		parent = *link;
		link = (s64)(e->deadline - entity(parent)->deadline) < 0 ? &parent->left : &parent->right;
	}
	rb_insert(&q->tree, &e->node, parent, link, update_min);
}

static void tree_remove(struct eevdf *q, struct eevdf_entity *e)
{
	if (!rb_erase_only(&q->tree, &e->node))
		rb_erase(&q->tree, &e->node, update_min);
}

/* Keep base near the smallest v: it bounds the products in `weighted`. Only running makes any v grow far, so
 * it is enough to do it when that is charged. */
static void advance_base(struct eevdf *q)
{
	u64 least;
	s64 step;

	if (q->curr) {
		least = q->curr->vruntime;
		if (q->tree.node && (s64)(entity(q->tree.node)->min_vruntime - least) < 0)
			least = entity(q->tree.node)->min_vruntime;
	} else if (q->tree.node) {
		least = entity(q->tree.node)->min_vruntime;
	} else {
		return;
	}
	step = (s64)(least - q->base);
	if (step > 0) {
		q->base = least;
		q->weighted -= step * (s64)q->load;
	}
}

static void sums_add(struct eevdf *q, const struct eevdf_entity *e)
{
	q->weighted += (s64)(e->vruntime - q->base) * (s64)e->weight;
	q->load += e->weight;
	q->nr++;
}

static void sums_remove(struct eevdf *q, const struct eevdf_entity *e)
{
	q->weighted -= (s64)(e->vruntime - q->base) * (s64)e->weight;
	q->load -= e->weight;
	q->nr--;
}

/* N / LOAD, rounded down. */
static s64 by_load(s64 n, s64 load)
{
	if (!(load & (load - 1))) /* two threads of nice 0, say; dividing is slow */
		return n >> log2_floor((u64)load);
	return (n < 0 ? n - (load - 1) : n) / load;
}

/* The average, rounded down, so that whoever has the average's v or less is eligible. */
static u64 average(const struct eevdf *q)
{
	return q->load ? q->base + (u64)by_load(q->weighted, (s64)q->load) : q->base;
}

bool eevdf_eligible(const struct eevdf *q, const struct eevdf_entity *e)
{
	return (s64)(e->vruntime - q->base) * (s64)q->load <= q->weighted;
}

s64 eevdf_lag(const struct eevdf *q, const struct eevdf_entity *e)
{
	/* Two slices bound what a sleeper may claim or owe. */
	s64 limit = (s64)to_virtual(e, 2ull * e->slice);

	return clamp((s64)(average(q) - e->vruntime), -limit, limit);
}

void eevdf_enqueue(struct eevdf *q, struct eevdf_entity *e, bool fresh)
{
	s64 lag = e->vlag;

	/* Joining moves the average by -lag * w / (W + w): start with more, so that the lag afterwards is the
	 * one kept. */
	if (q->load)
		lag = by_load(lag * (s64)(q->load + e->weight), (s64)q->load);
	else
		lag = 0;
	e->vruntime = average(q) - (u64)lag;
	e->deadline = e->vruntime + to_virtual(e, fresh ? e->slice / 2 : e->slice);
	sums_add(q, e);
	tree_insert(q, e);
}

void eevdf_dequeue(struct eevdf *q, struct eevdf_entity *e)
{
	e->vlag = eevdf_lag(q, e);
	if (q->curr == e)
		q->curr = NULL;
	else
		tree_remove(q, e);
	sums_remove(q, e);
	if (!q->nr) {
		/* Remember the virtual time, drop the rounding. */
		q->base = e->vruntime;
		q->weighted = 0;
	}
}

struct eevdf_entity *eevdf_pick(const struct eevdf *q)
{
	struct eevdf_entity *best = NULL, *curr = q->curr;
	struct rb_node *n = q->tree.node;

	while (n) {
		struct eevdf_entity *e = entity(n), *left = n->left ? entity(n->left) : NULL;

		if (left && (s64)(left->min_vruntime - q->base) * (s64)q->load <= q->weighted) {
			n = n->left; /* somebody eligible there, and all there are due earlier */
		} else if (eevdf_eligible(q, e)) {
			best = e;
			break;
		} else {
			n = n->right;
		}
	}
	if (!best)
		return curr ? curr : (q->tree.node ? entity(rb_first(&q->tree)) : NULL);
	if (curr && eevdf_eligible(q, curr) && (s64)(curr->deadline - best->deadline) <= 0)
		return curr;
	return best;
}

void eevdf_set_curr(struct eevdf *q, struct eevdf_entity *e)
{
	if (q->curr == e)
		return;
	if (q->curr)
		tree_insert(q, q->curr);
	if (e)
		tree_remove(q, e);
	q->curr = e;
}

bool eevdf_charge(struct eevdf *q, u64 ns)
{
	struct eevdf_entity *e = q->curr;
	u64 v = to_virtual(e, ns);
	bool done;

	e->vruntime += v;
	q->weighted += (s64)v * (s64)e->weight;
	done = (s64)(e->vruntime - e->deadline) >= 0;
	if (done)
		e->deadline = e->vruntime + to_virtual(e, e->slice);
	advance_base(q);
	return done;
}

u64 eevdf_slice_left(const struct eevdf *q)
{
	s64 v = (s64)(q->curr->deadline - q->curr->vruntime);

	if (v <= 0)
		return 0;
	return q->curr->weight == EEVDF_WEIGHT_0 ? (u64)v : (u64)v * q->curr->weight / EEVDF_WEIGHT_0 + 1;
}

void eevdf_yield(struct eevdf *q)
{
	struct eevdf_entity *e = q->curr;

	/* Forfeit what is left of the request, as if it had been used: the average rises, others become
	 * eligible. */
	if (eevdf_eligible(q, e)) {
		s64 v = (s64)(e->deadline - e->vruntime);

		if (v > 0) {
			e->vruntime += (u64)v;
			q->weighted += v * (s64)e->weight;
		}
	}
	e->deadline += to_virtual(e, e->slice);
	advance_base(q);
}

bool eevdf_preempts(const struct eevdf *q, const struct eevdf_entity *e)
{
	return !q->curr || (eevdf_eligible(q, e) &&
			    (!eevdf_eligible(q, q->curr) || (s64)(e->deadline - q->curr->deadline) < 0));
}

struct eevdf_entity *eevdf_last(const struct eevdf *q)
{
	struct rb_node *n = rb_last(&q->tree);

	return n ? entity(n) : NULL;
}

struct eevdf_entity *eevdf_prev(const struct eevdf_entity *e)
{
	struct rb_node *n = rb_prev(&e->node);

	return n ? entity(n) : NULL;
}

void eevdf_check(const struct eevdf *q)
{
	s64 weighted = 0;
	u64 load = 0, last = 0;
	unsigned nr = 0;

	for (struct rb_node *n = rb_first(&q->tree); n; n = rb_next(n)) {
		struct eevdf_entity *e = entity(n);
		u64 least = e->min_vruntime;

		if (nr && (s64)(e->deadline - last) < 0)
			panic("eevdf_check: deadlines out of order");
		update_min(n);
		if (e->min_vruntime != least)
			panic("eevdf_check: stale minimum");
		last = e->deadline;
		weighted += (s64)(e->vruntime - q->base) * (s64)e->weight;
		load += e->weight;
		nr++;
	}
	if (q->curr) {
		weighted += (s64)(q->curr->vruntime - q->base) * (s64)q->curr->weight;
		load += q->curr->weight;
		nr++;
	}
	if (weighted != q->weighted || load != q->load || nr != q->nr)
		panic("eevdf_check: sums are off");
}
