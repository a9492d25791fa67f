/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of block devices, and synchronous transfers for callers that have a buffer and can wait. The list
 * only grows: readers walk it without the lock, which guards additions. */

#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/blockdev.h"
#include "kernel/clock.h"
#include "kernel/page.h"
#include "kernel/thread.h"
#include "kernel/wait.h"

#define SECTOR	 512u
#define MAX_SEGS 32u
/* Devices may limit the length of one segment: 1 MiB is within every limit that the drivers accept. */
#define SEG_MAX (1u << 20)

static LIST_HEAD(devices);
static struct spinlock lock;
static unsigned count;
static DEFINE_WAITQ(sync_wait); /* all synchronous callers; requests are few */

struct sync_request {
	struct block_request r;
	_Atomic bool finished;
	int err;
};

struct block_device *block_next(struct block_device *prev)
{
	struct list_head *next = __atomic_load_n(prev ? &prev->node.next : &devices.next, __ATOMIC_ACQUIRE);

	return next == &devices ? NULL : list_entry(next, struct block_device, node);
}

struct block_device *block_find(const char *name)
{
	for (struct block_device *bd = block_next(NULL); bd; bd = block_next(bd))
		if (!strcmp(bd->name, name))
			return bd;
	return NULL;
}

/* vda .. vdz, vdaa ..: bijective base 26. */
static void name_device(char *name, size_t size, unsigned n)
{
	char letters[8];
	unsigned at = sizeof letters - 1;

	letters[at] = 0;
	for (n++; n && at; n /= 26)
		letters[--at] = (char)('a' + --n % 26);
	snprintf(name, size, "vd%s", &letters[at]);
}

int block_register(struct block_device *bd)
{
	u64 flags = spin_lock_irqsave(&lock);

	name_device(bd->name, sizeof bd->name, count++);
	bd->node.next = &devices;
	bd->node.prev = devices.prev;
	__atomic_store_n(&devices.prev->next, &bd->node, __ATOMIC_RELEASE);
	devices.prev = &bd->node;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static void count_busy(struct block_stats *s, u64 now)
{
	for (unsigned op = 0; op < BLOCK_OPS; op++)
		if (s->in_flight[op]) {
			s->busy_ns += now - s->since;
			break;
		}
	s->since = now;
}

static u64 request_sectors(const struct block_request *r)
{
	u64 bytes = 0;

	for (unsigned i = 0; i < r->nsegs; i++)
		bytes += r->segs[i].len;
	return bytes / SECTOR;
}

int block_submit(struct block_device *bd, struct block_request *r)
{
	static const u8 items[BLOCK_OPS] = {
		[BLOCK_READ] = USAGE_READ_BYTES, [BLOCK_WRITE] = USAGE_WRITE_BYTES};
	u64 bytes = request_sectors(r) * SECTOR, flags = spin_lock_irqsave(&bd->stats.lock);
	enum block_op op = r->op;
	int err;

	r->since = clock_monotonic();
	count_busy(&bd->stats, r->since);
	bd->stats.in_flight[op]++;
	spin_unlock_irqrestore(&bd->stats.lock, flags);
	err = bd->ops->submit(bd, r); /* R may be gone */
	if (err) {
		flags = spin_lock_irqsave(&bd->stats.lock);
		bd->stats.in_flight[op]--;
		spin_unlock_irqrestore(&bd->stats.lock, flags);
	} else if (items[op]) {
		usage_count(&current->used, items[op], bytes);
	}
	return err;
}

void block_done(struct block_device *bd, struct block_request *r, int err)
{
	struct block_stats *s = &bd->stats;
	u64 flags = spin_lock_irqsave(&s->lock), now = clock_monotonic();

	count_busy(s, now);
	s->in_flight[r->op]--;
	s->done[r->op]++;
	s->sectors[r->op] += request_sectors(r);
	s->ns[r->op] += now - r->since;
	spin_unlock_irqrestore(&s->lock, flags);
	r->done(r, err);
}

void block_stat(struct block_device *bd, u64 out[BLOCK_STAT_FIELDS])
{
	static const struct {
		u8 op, at;
	} groups[] = {{BLOCK_READ, 0}, {BLOCK_WRITE, 4}, {BLOCK_DISCARD, 11}};
	struct block_stats *s = &bd->stats;
	u64 flags = spin_lock_irqsave(&s->lock), ns = 0;

	count_busy(s, clock_monotonic());
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		unsigned op = groups[i].op, at = groups[i].at;

		out[at] = s->done[op];
		out[at + 1] = 0; /* nothing is merged */
		out[at + 2] = s->sectors[op];
		out[at + 3] = s->ns[op] / NSEC_PER_MSEC;
	}
	out[15] = s->done[BLOCK_FLUSH];
	out[16] = s->ns[BLOCK_FLUSH] / NSEC_PER_MSEC;
	out[8] = 0;
	for (unsigned op = 0; op < BLOCK_OPS; op++) {
		out[8] += s->in_flight[op];
		ns += s->ns[op];
	}
	out[9] = s->busy_ns / NSEC_PER_MSEC;
	out[10] = ns / NSEC_PER_MSEC;
	spin_unlock_irqrestore(&s->lock, flags);
}

static void sync_done(struct block_request *r, int err)
{
	struct sync_request *s = container_of(r, struct sync_request, r);

	s->err = err;
	atomic_store_explicit(&s->finished, true,
			      memory_order_release); /* the sleeper's frame may go away now */
	waitq_wake_all(&sync_wait);
}

/* One request of at most MAX_SEGS segments of SEG_MAX bytes; a multiple of the sector size. */
static int submit_and_wait(struct block_device *bd, enum block_op op, u64 off, u8 *buf, size_t len)
{
	struct block_segment segs[MAX_SEGS];
	struct sync_request s = {
		.r = {.op = op, .sector = off / SECTOR, .segs = segs, .done = sync_done},
	};
	int err;

	while (len) {
		u32 n = (u32)min(len, (size_t)SEG_MAX);

		segs[s.r.nsegs++] = (struct block_segment){.phys = virt_to_phys(buf), .len = n};
		buf += n;
		len -= n;
	}
	err = block_submit(bd, &s.r);
	if (err)
		return err;
	wait_event_io(&sync_wait, atomic_load_explicit(&s.finished, memory_order_acquire));
	return s.err;
}

/* The part of a sector, or of a few, that a range begins or ends with. */
static int read_through_bounce(struct block_device *bd, u64 off, void *buf, size_t len, size_t unit)
{
	u64 start = ALIGN_DOWN(off, unit);
	size_t span = ALIGN_UP(off + len, unit) - start;
	u8 *bounce = kmalloc(span);
	int err = -ENOMEM;

	if (bounce)
		err = submit_and_wait(bd, BLOCK_READ, start, bounce, span);
	if (!err)
		memcpy(buf, bounce + (off - start), len);
	kfree(bounce);
	return err;
}

static int transfer(struct block_device *bd, enum block_op op, u64 off, u8 *buf, size_t len)
{
	size_t unit = max(bd->sector_size, SECTOR), most = (size_t)SEG_MAX * min(bd->max_segs, MAX_SEGS);
	u64 size = bd->sectors * SECTOR;
	int err = 0;

	if (off > size || len > size - off)
		return -EIO;
	while (len && !err) {
		size_t n = min(len, most);

		if (off % unit || len < unit) {
			if (op != BLOCK_READ)
				return -EINVAL;
			n = min(len, unit - off % unit);
			err = read_through_bounce(bd, off, buf, n, unit);
		} else {
			n = ALIGN_DOWN(n, unit);
			err = submit_and_wait(bd, op, off, buf, n);
		}
		off += n;
		buf += n;
		len -= n;
	}
	return err;
}

int block_read(struct block_device *bd, u64 byte_off, void *buf, size_t len)
{
	return transfer(bd, BLOCK_READ, byte_off, buf, len);
}

int block_write(struct block_device *bd, u64 byte_off, const void *buf, size_t len)
{
	return transfer(bd, BLOCK_WRITE, byte_off, (u8 *)buf, len);
}
