/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory statistics for the host (virtio 1.2, 5.5.6.4). The device holds a buffer of (tag, value) pairs and
 * returns it when it wants fresh figures; we fill it again and give it back. */

#include "balloon.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/page.h"

/* The fault counters are the memory manager's. */
extern struct counter vm_minor_faults __weak, vm_major_faults __weak;

static struct virtio_balloon_stat *stats; /* the one buffer */

static u64 counter_read(struct counter *c)
{
	return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

static void give(struct virtio_balloon *vb)
{
	struct memory_stats m;
	unsigned n = 0;
	struct vq_segment seg;

	memory_stats(&m);
#define STAT(tag_, value) stats[n++] = (struct virtio_balloon_stat){.tag = (tag_), .val = (value)}
	STAT(VIRTIO_BALLOON_S_SWAP_IN, 0);
	STAT(VIRTIO_BALLOON_S_SWAP_OUT, 0);
	STAT(VIRTIO_BALLOON_S_MAJFLT, counter_read(&vm_major_faults));
	STAT(VIRTIO_BALLOON_S_MINFLT, counter_read(&vm_minor_faults));
	STAT(VIRTIO_BALLOON_S_MEMFREE, m.free << PAGE_SHIFT);
	STAT(VIRTIO_BALLOON_S_MEMTOT, m.total << PAGE_SHIFT);
	STAT(VIRTIO_BALLOON_S_AVAIL, (m.free + m.reclaimable) << PAGE_SHIFT);
	STAT(VIRTIO_BALLOON_S_CACHES, m.page_cache << PAGE_SHIFT);
	STAT(VIRTIO_BALLOON_S_HTLB_PGALLOC, 0);
	STAT(VIRTIO_BALLOON_S_HTLB_PGFAIL, 0);
#undef STAT
	seg = (struct vq_segment){virt_to_phys(stats), n * (u32)sizeof *stats};
	if (!vq_add(vb->stats, &seg, 1, 0, stats))
		vq_kick(vb->stats);
}

int balloon_stats_init(struct virtio_balloon *vb)
{
	stats = kcalloc(VIRTIO_BALLOON_S_NR, sizeof *stats);
	if (!stats)
		return -ENOMEM;
	give(vb);
	return 0;
}

void balloon_stats_answer(struct virtio_balloon *vb)
{
	if (vq_get(vb->stats, NULL))
		give(vb);
}
