// SPDX-License-Identifier: BSD-2-Clause
/* select(2) and pselect6(2): bit sets become poll slots, one for each descriptor that is in any set, in
 * rising order. */
#include "ipc.h"
#include "fs/file.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include <asm/poll.h>

#define IN_BITS	 (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLNVAL)
#define OUT_BITS (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR | EPOLLNVAL)
#define EX_BITS	 (EPOLLPRI | EPOLLNVAL)

#define INLINE_WORDS 2 /* 128 descriptors */
#define INLINE_SLOTS 20

enum { SET_IN, SET_OUT, SET_EX, NSETS };
static const u32 set_bits[NSETS] = {IN_BITS, OUT_BITS, EX_BITS};

struct select_sets {
	size_t words;
	u64 *bits[NSETS];
	u64 __app *app[NSETS];
};

static u64 sets_union(const struct select_sets *s, size_t word)
{
	return s->bits[SET_IN][word] | s->bits[SET_OUT][word] | s->bits[SET_EX][word];
}

static int sets_load(struct select_sets *s, unsigned nfds)
{
	for (int k = 0; k < NSETS; k++) {
		if (!s->app[k])
			memset(s->bits[k], 0, s->words * sizeof(u64));
		else if (copy_from_app(s->bits[k], s->app[k], s->words * sizeof(u64)))
			return -EFAULT;
		if (nfds % 64)
			s->bits[k][s->words - 1] &= BIT(nfds % 64) - 1;
	}
	return 0;
}

static int sets_store(struct select_sets *s)
{
	for (int k = 0; k < NSETS; k++)
		if (s->app[k] && copy_to_app(s->app[k], s->bits[k], s->words * sizeof(u64)))
			return -EFAULT;
	return 0;
}

static int slots_fill(const struct select_sets *s, struct poll_slot *slots, size_t *filled)
{
	for (size_t w = 0; w < s->words; w++) {
		for (u64 left = sets_union(s, w); left; left &= left - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(left);
			struct poll_slot *slot = &slots[*filled];
			int fd = (int)(w * 64 + bit);

			*slot = (struct poll_slot){.file = fd_get(fd)};
			for (int k = 0; k < NSETS; k++)
				if (s->bits[k][w] & BIT(bit))
					slot->want |= set_bits[k];
			if (!slot->file) {
				struct file *path_only = fd_get_raw(fd);

				if (!path_only)
					return -EBADF;
				file_put(path_only);
				slot->got = EPOLLNVAL & slot->want;
			}
			++*filled;
		}
	}
	return 0;
}

/* Replace the sets by the results. Returns the number of bits set in them. */
static long slots_collect(struct select_sets *s, const struct poll_slot *slot)
{
	long count = 0;

	for (size_t w = 0; w < s->words; w++)
		for (u64 left = sets_union(s, w); left; left &= left - 1, slot++) {
			u64 bit = left & -left;

			for (int k = 0; k < NSETS; k++) {
				if (!(s->bits[k][w] & bit))
					continue;
				if (slot->got & set_bits[k])
					count++;
				else
					s->bits[k][w] &= ~bit;
			}
		}
	return count;
}

static long select_slots(struct select_sets *s, struct poll_slot *slots, u64 deadline)
{
	size_t filled = 0;
	long ret = slots_fill(s, slots, &filled);

	if (!ret)
		ret = poll_slots(slots, filled, deadline);
	if (ret >= 0)
		ret = slots_collect(s, slots);
	for (size_t i = 0; i < filled; i++)
		if (slots[i].file)
			file_put(slots[i].file);
	if (ret >= 0 && sets_store(s))
		ret = -EFAULT;
	return ret;
}

static long select_sized(struct select_sets *s, u64 deadline)
{
	struct poll_slot inline_slots[INLINE_SLOTS], *slots = inline_slots;
	size_t n = 0, size;
	long ret;

	for (size_t w = 0; w < s->words; w++)
		n += (size_t)__builtin_popcountll(sets_union(s, w));
	size = n * sizeof *slots;
	if (n > INLINE_SLOTS)
		slots = scratch_alloc(size);
	if (!slots)
		return -ENOMEM;
	ret = select_slots(s, slots, deadline);
	if (slots != inline_slots)
		scratch_free(slots, size);
	return ret;
}

/* -ERESTARTNOHAND when a signal came. */
static long select_common(int nfds, u64 __app *in, u64 __app *out, u64 __app *ex, u64 deadline)
{
	u64 inline_bits[NSETS * INLINE_WORDS], *bits = inline_bits;
	struct select_sets s = {.app = {in, out, ex}};
	unsigned n, room;
	size_t size;
	long ret;

	if (nfds < 0)
		return -EINVAL;
	fdtable_count(current->files, &room);
	n = min((unsigned)nfds, room);
	s.words = DIV_ROUND_UP(n, 64);
	size = NSETS * s.words * sizeof(u64);
	if (s.words > INLINE_WORDS)
		bits = scratch_alloc(size);
	if (!bits)
		return -ENOMEM;
	for (size_t k = 0; k < NSETS; k++)
		s.bits[k] = bits + k * s.words;
	ret = sets_load(&s, n);
	if (!ret)
		ret = select_sized(&s, deadline);
	if (bits != inline_bits)
		scratch_free(bits, size);
	return ret;
}

SYSCALL_DEFINE5(select, int, nfds, u64 __app *, in, u64 __app *, out, u64 __app *, ex,
		struct __kernel_old_timeval __app *, timeout)
{
	struct __kernel_old_timeval tv;
	u64 deadline = NO_TIMEOUT;
	long ret;

	if (timeout) {
		struct __kernel_timespec ts;

		if (get_app(tv, timeout))
			return -EFAULT;
		ts.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
		ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = deadline_after(timespec_to_ns(&ts));
	}
	ret = select_common(nfds, in, out, ex, deadline);
	if (timeout && deadline) {
		u64 left = time_left(deadline);

		tv.tv_sec = (long)(left / NSEC_PER_SEC);
		tv.tv_usec = (long)(left % NSEC_PER_SEC / NSEC_PER_USEC);
		if (copy_to_app(timeout, &tv, sizeof tv) && ret == -ERESTARTNOHAND)
			ret = -EINTR;
	}
	return ret;
}

SYSCALL_DEFINE6(pselect6, int, nfds, u64 __app *, in, u64 __app *, out, u64 __app *, ex,
		struct __kernel_timespec __app *, timeout, const void __app *, mask_arg)
{
	struct {
		const sigset __app *mask;
		size_t size;
	} arg = {0};
	struct __kernel_timespec ts;
	u64 deadline = NO_TIMEOUT;
	long ret;

	if (mask_arg && copy_from_app(&arg, mask_arg, sizeof arg))
		return -EFAULT;
	if (timeout) {
		if (get_app(ts, timeout))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		deadline = deadline_after(timespec_to_ns(&ts));
	}
	if (arg.mask) {
		ret = signal_set_temporary_mask(arg.mask, arg.size);
		if (ret)
			return ret;
	}
	ret = select_common(nfds, in, out, ex, deadline);
	signal_mask_restore(ret == -ERESTARTNOHAND);
	if (timeout && deadline) {
		ts = ns_to_timespec(time_left(deadline));
		if (copy_to_app(timeout, &ts, sizeof ts) && ret == -ERESTARTNOHAND)
			ret = -EINTR;
	}
	return ret;
}
