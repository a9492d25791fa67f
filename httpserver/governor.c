/* SPDX-License-Identifier: BSD-2-Clause */
#include "governor.h"

void governor_init(struct governor *g)
{
	*g = (struct governor){.pause = GOVERNOR_PAUSE_FIRST};
}

/* How much the balloon still has to take, and memory that it cannot take without the heap's help. */
static bool pressed(const struct governor_input *in)
{
	uint64_t reserve = in->target / GOVERNOR_RESERVE_SHARE;
	uint64_t wanted = in->actual > in->target ? in->actual - in->target : 0;

	return in->available < wanted + reserve;
}

static bool may_relax(const struct governor_input *in)
{
	/* Twice the reserve and nothing left to inflate: between the two thresholds nothing changes. */
	return in->actual <= in->target && in->available > 2 * (in->target / GOVERNOR_RESERVE_SHARE) &&
	       in->target + in->boot / 64 >= in->boot;
}

enum governor_action governor_decide(struct governor *g, const struct governor_input *in)
{
	if (pressed(in)) {
		if (in->now < g->next_shrink)
			return GOVERN_NOTHING;
		if (g->tight && in->heap_committed && in->heap_committed + in->heap_committed / 16 > g->committed_before)
			g->pause = g->pause * 2 > GOVERNOR_PAUSE_MAX ? GOVERNOR_PAUSE_MAX : g->pause * 2;
		else
			g->pause = GOVERNOR_PAUSE_FIRST;
		g->tight = true;
		g->committed_before = in->heap_committed;
		g->next_shrink = in->now + g->pause;
		return GOVERN_SHRINK;
	}
	if (g->tight && may_relax(in)) {
		governor_init(g);
		return GOVERN_RELAX;
	}
	return GOVERN_NOTHING;
}
