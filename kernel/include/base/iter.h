/* SPDX-License-Identifier: BSD-2-Clause */
/* A cursor over scattered memory, in the application or in the kernel: what read, write, send and receive copy through.
 * Neither fs/ nor net/ knows which side the memory is on. */
#pragma once

#include "base/types.h"

struct iter_vec { /* laid out as struct iovec of the ABI */
	void *base;
	size_t len;
};

struct iter {
	const struct iter_vec *vec; /* current segment; owned by the caller for the iterator's life */
	size_t nvec;		    /* segments left, the current one included */
	size_t off;		    /* bytes of the current segment already used */
	size_t left;		    /* bytes left in all */
	bool app;		    /* segments are application addresses */
	struct iter_vec one;	    /* the segment of a single-buffer iterator */
};

/* Single buffers. An application range is checked when it is copied, not here. */
void iter_init_app(struct iter *it, void __app *base, size_t len);
void iter_init_kernel(struct iter *it, void *base, size_t len);
/* Segments: VEC is a kernel copy of the vector; LEFT is summed here. -EINVAL when the sum exceeds SSIZE_MAX. */
int iter_init_vec(struct iter *it, const struct iter_vec *vec, size_t nvec, bool app);

/* Copy up to N bytes out to (into the iterator's memory) or in from it, and advance. Returns the bytes copied, less
 * than min(n, left) only on a fault: 0 then means -EFAULT to the caller. May sleep (page faults) when app. */
size_t iter_copy_out(struct iter *it, const void *src, size_t n);
size_t iter_copy_in(struct iter *it, void *dst, size_t n);
size_t iter_zero(struct iter *it, size_t n);
/* Where the next N bytes lie, if that is one stretch of application memory; NULL. Copy there, then iter_took(). */
static inline void __app *iter_stretch(const struct iter *it, size_t n)
{
	return it->nvec == 1 && it->app && n <= it->left ? (__force char __app *)it->vec->base + it->off : NULL;
}
static inline void iter_took(struct iter *it, size_t n)
{
	it->off += n;
	it->left -= n;
}
void iter_advance(struct iter *it, size_t n);
/* Step back over the last N bytes that were copied (N at most what was advanced in this iterator). */
void iter_revert(struct iter *it, size_t n);
