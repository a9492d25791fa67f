// SPDX-License-Identifier: BSD-2-Clause
/* The iterator of base/iter.h: one loop over segments, with the transfer of a stretch as its only variable
 * part. Works on application memory through kernel/app.h (may fault and sleep) or on kernel memory (any
 * context). */
#include "base/err.h"
#include "base/iter.h"
#include "base/string.h"
#include "kernel/app.h"

enum iter_op { ITER_OUT, ITER_IN, ITER_ZERO };

void iter_init_app(struct iter *it, void __app *base, size_t len)
{
	it->one = (struct iter_vec){(__force void *)base, len};
	it->vec = &it->one;
	it->nvec = 1;
	it->off = 0;
	it->left = len;
	it->app = true;
}

void iter_init_kernel(struct iter *it, void *base, size_t len)
{
	iter_init_app(it, (__force void __app *)base, len);
	it->app = false;
}

int iter_init_vec(struct iter *it, const struct iter_vec *vec, size_t nvec, bool app)
{
	size_t sum = 0;

	for (size_t i = 0; i < nvec; i++) {
		if (vec[i].len > (size_t)INT64_MAX - sum)
			return -EINVAL;
		sum += vec[i].len;
	}
	it->vec = vec;
	it->nvec = nvec;
	it->off = 0;
	it->left = sum;
	it->app = app;
	return 0;
}

void iter_advance(struct iter *it, size_t n)
{
	n = min(n, it->left);
	it->left -= n;
	while (n) {
		size_t room = it->vec->len - it->off;

		if (n < room) {
			it->off += n;
			return;
		}
		n -= room;
		/* Rest at the end of the last segment, so that iter_revert() has one to step back in. */
		if (it->nvec == 1) {
			it->off = it->vec->len;
			return;
		}
		it->vec++;
		it->nvec--;
		it->off = 0;
	}
}

void iter_revert(struct iter *it, size_t n)
{
	it->left += n;
	while (n > it->off) {
		n -= it->off;
		it->vec--;
		it->nvec++;
		it->off = it->vec->len;
	}
	it->off -= n;
}

/* Zero application memory; returns the bytes zeroed, exactly up to a fault. */
static size_t zero_stretch(void __app *at, size_t len)
{
	static const char zeros[64];
	size_t done = 0;

	if (!zero_app(at, len))
		return len;
	while (done < len) {
		size_t n = min(len - done, sizeof zeros);
		size_t left = copy_to_app_partial((char __app *)at + done, zeros, n);

		done += n - left;
		if (left)
			break;
	}
	return done;
}

/* Move LEN bytes between BUF and one stretch of a segment; returns the bytes moved. */
static inline size_t transfer(const struct iter *it, void *at, void *buf, size_t len, enum iter_op op)
{
	if (!it->app) {
		if (op == ITER_OUT)
			memcpy(at, buf, len);
		else if (op == ITER_IN)
			memcpy(buf, at, len);
		else
			memset(at, 0, len);
		return len;
	}
	if (op == ITER_OUT)
		return len - copy_to_app_partial((__force void __app *)at, buf, len);
	if (op == ITER_IN)
		return len - copy_from_app_partial(buf, (__force const void __app *)at, len);
	return zero_stretch((__force void __app *)at, len);
}

static size_t iter_run(struct iter *it, void *buf, size_t n, enum iter_op op)
{
	size_t done = 0;

	n = min(n, it->left);
	while (done < n) {
		size_t room = it->vec->len - it->off;
		size_t len = min(room, n - done), moved;

		if (len) {
			moved = transfer(it, (char *)it->vec->base + it->off, buf ? (char *)buf + done : NULL,
					 len, op);
			iter_advance(it, moved);
			done += moved;
			if (moved < len)
				break;
		} else { /* an empty or used-up segment; more follow, since bytes are left */
			it->vec++;
			it->nvec--;
			it->off = 0;
		}
	}
	return done;
}

/* Nearly every call: one segment, which holds all that is left. */
static inline size_t iter_one(struct iter *it, void *buf, size_t n, enum iter_op op)
{
	n = transfer(it, (char *)it->vec->base + it->off, buf, min(n, it->left), op);
	it->off += n;
	it->left -= n;
	return n;
}

size_t iter_copy_out(struct iter *it, const void *src, size_t n)
{
	if (likely(it->nvec == 1))
		return iter_one(it, (void *)(uintptr_t)src, n, ITER_OUT);
	return iter_run(it, (void *)(uintptr_t)src, n, ITER_OUT);
}

size_t iter_copy_in(struct iter *it, void *dst, size_t n)
{
	if (likely(it->nvec == 1))
		return iter_one(it, dst, n, ITER_IN);
	return iter_run(it, dst, n, ITER_IN);
}

size_t iter_zero(struct iter *it, size_t n)
{
	return iter_run(it, NULL, n, ITER_ZERO);
}
