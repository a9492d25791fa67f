// SPDX-License-Identifier: BSD-2-Clause
/* adjtimex(2), clock_adjtime(2). The host disciplines the clock of a virtual machine, so frequency and slew
 * stay as they are (EOPNOTSUPP to other values); reading, stepping (ADJ_SETOFFSET) and the TAI offset work.
 * The clock counts as not synchronised. */
#include "time_internal.h"
#include <linux/timex.h>

#define TOLERANCE_PPM16 (500l << 16)
#define MAX_ERROR_US	16000000l
#define TICK_US		(1000000 / (long)USER_HZ)
#define CHANGES		(ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS | ADJ_TIMECONST)
/* adjtime(3)'s modes are three bits: what it is, that it has an offset, and that it only reads. */
#define ADJTIME		 (ADJ_OFFSET_SINGLESHOT & ~ADJ_OFFSET)
#define ADJTIME_READONLY (ADJ_OFFSET_SS_READ & ~ADJ_OFFSET_SINGLESHOT)

static int step_by(const struct __kernel_timex *tx, bool nano)
{
	s64 unit = nano ? 1 : NSEC_PER_USEC, limit = NSEC_PER_SEC / (u64)unit, ns;

	if (tx->time.tv_usec < 0 || tx->time.tv_usec >= limit)
		return -EINVAL;
	if (tx->time.tv_sec > (s64)(TIME_MAX_NS / NSEC_PER_SEC) ||
	    tx->time.tv_sec < -(s64)(TIME_MAX_NS / NSEC_PER_SEC))
		return -EINVAL;
	ns = tx->time.tv_sec * (s64)NSEC_PER_SEC + tx->time.tv_usec * unit + (s64)clock_realtime();
	return ns < 0 ? -EINVAL : clock_step((u64)ns);
}

/* Would the clock have to run otherwise than it does? An offset without STA_PLL is not acted upon. */
static bool disciplines(const struct __kernel_timex *tx)
{
	if (tx->modes & ADJTIME)
		return !(tx->modes & ADJTIME_READONLY) && tx->offset;
	return tx->modes & CHANGES || (tx->modes & ADJ_FREQUENCY && tx->freq) ||
	       (tx->modes & ADJ_TICK && tx->tick != TICK_US);
}

static int check_modes(const struct __kernel_timex *tx)
{
	u32 modes = tx->modes;

	if (modes & ADJTIME && !(modes & ADJ_OFFSET))
		return -EINVAL;
	if ((modes & ADJTIME ? !(modes & ADJTIME_READONLY) || modes & ADJ_SETOFFSET : modes) &&
	    !process_capable(CAP_SYS_TIME))
		return -EPERM;
	if (!(modes & ADJTIME) && modes & ADJ_TICK &&
	    (tx->tick < TICK_US * 9 / 10 || tx->tick > TICK_US * 11 / 10))
		return -EINVAL;
	return disciplines(tx) ? -EOPNOTSUPP : 0;
}

static long adjust(struct __kernel_timex __app *app)
{
	struct __kernel_timex tx;
	bool nano;
	u64 now;
	int err;

	if (copy_from_app(&tx, app, sizeof tx))
		return -EFAULT;
	nano = tx.modes & ADJ_NANO;
	err = check_modes(&tx);
	if (err)
		return err;
	if (tx.modes & ADJ_SETOFFSET) {
		err = step_by(&tx, nano);
		if (err)
			return err;
	}
	if (tx.modes & ADJTIME)
		nano = false; /* the bit says something else there */
	else if (tx.modes & ADJ_TAI && tx.constant >= 0)
		WRITE_ONCE(clock_tai_offset, (int)min(tx.constant, 1000ll));
	now = clock_realtime();
	tx = (struct __kernel_timex){
		.modes = tx.modes,
		.maxerror = MAX_ERROR_US,
		.esterror = MAX_ERROR_US,
		.status = STA_UNSYNC | (nano ? STA_NANO : 0),
		.constant = 2,
		.precision = 1,
		.tolerance = TOLERANCE_PPM16,
		.tick = TICK_US,
		.tai = READ_ONCE(clock_tai_offset),
	};
	tx.time.tv_sec = (s64)(now / NSEC_PER_SEC);
	tx.time.tv_usec = (s64)(now % NSEC_PER_SEC / (nano ? 1 : NSEC_PER_USEC));
	if (copy_to_app(app, &tx, sizeof tx))
		return -EFAULT;
	return TIME_ERROR;
}

SYSCALL_DEFINE1(adjtimex, struct __kernel_timex __app *, tx)
{
	return adjust(tx);
}

SYSCALL_DEFINE2(clock_adjtime, int, id, struct __kernel_timex __app *, tx)
{
	struct __kernel_timex probe;
	struct clock c;
	int err;

	if (copy_from_app(&probe, tx, sizeof probe)) /* before the clock is looked at */
		return -EFAULT;
	err = clock_get(id, &c);
	if (err)
		return err;
	clock_put(&c);
	return id == CLOCK_REALTIME ? adjust(tx) : -EOPNOTSUPP;
}
