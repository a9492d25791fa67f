// SPDX-License-Identifier: BSD-2-Clause
/* Running averages and windows of stall times: see psi_average.h. */
#include "psi_average.h"

#define ONE (1u << PSI_SHIFT)

static const u32 decay[PSI_AVERAGES] = {1677, 1981, 2034}; /* ONE * e^(-2/10), e^(-2/60), e^(-2/300) */

/* LOAD after one period of ACTIVE. Rounded up on the way up, so that a steady value is reached. */
static u32 step(u32 load, u32 keep, u32 active)
{
	u64 sum = (u64)load * keep + (u64)active * (ONE - keep);

	return (u32)((sum + (active >= load ? ONE - 1 : 0)) >> PSI_SHIFT);
}

/* KEEP to the power of N. */
static u32 power(u32 keep, u64 n)
{
	u64 r = ONE, base = keep;

	for (; n; n >>= 1) {
		if (n & 1)
			r = (r * base + ONE / 2) >> PSI_SHIFT;
		base = (base * base + ONE / 2) >> PSI_SHIFT;
	}
	return (u32)r;
}

void psi_averages_update(struct psi_averages *a, const u64 total[PSI_STATES], u64 now)
{
	u64 missed, period;

	if (now < a->next)
		return;
	missed = (now - a->next) / PSI_PERIOD;
	period = now - (a->last + missed * PSI_PERIOD);
	a->next += (missed + 1) * PSI_PERIOD;
	a->last = now;
	for (unsigned s = 0; s < PSI_STATES; s++) {
		u64 sample = min(total[s] - a->sampled[s], period);
		u32 percent = period ? (u32)(sample * 100 / period) << PSI_SHIFT : 0;

		a->sampled[s] += sample;
		for (unsigned i = 0; i < PSI_AVERAGES; i++) {
			if (missed)
				a->value[s][i] = step(a->value[s][i], power(decay[i], missed), 0);
			a->value[s][i] = step(a->value[s][i], decay[i], percent);
		}
	}
}

void psi_window_reset(struct psi_window *w, u64 now, u64 value, u64 previous)
{
	w->start = now;
	w->start_value = value;
	w->previous = previous;
}

u64 psi_window_growth(struct psi_window *w, u64 now, u64 value)
{
	u64 elapsed = now - w->start, growth = value - w->start_value;

	if (elapsed > w->size)
		psi_window_reset(w, now, value, growth);
	else /* in us: the product fits for every window that there may be */
		growth += w->previous / NSEC_PER_USEC * ((w->size - elapsed) / NSEC_PER_USEC) /
			  (w->size / NSEC_PER_USEC) * NSEC_PER_USEC;
	return growth;
}
