/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory statistics for the host (virtio 1.2, 5.5.6.4). The device holds a buffer of (tag, value) pairs and
 * returns it when it wants fresh figures; we fill it again and give it back. */

#include "balloon.h"
#include "base/err.h"
#include "kernel/alloc.h"
#include "kernel/counter.h"
#include "kernel/page.h"

/* Tags of virtio 1.3, which the header may not know yet; a host that does not know them passes them over. */
enum {
	STAT_OOM_KILL = VIRTIO_BALLOON_S_HTLB_PGFAIL + 1,
	STAT_ALLOC_STALL,
	STAT_ASYNC_SCAN,
	STAT_DIRECT_SCAN,
	STAT_ASYNC_RECLAIM,
	STAT_DIRECT_RECLAIM,
	STATS
};

DECLARE_COUNTER(vm_minor_faults);
DECLARE_COUNTER(vm_major_faults);
DECLARE_COUNTER(oom_kills);
DECLARE_COUNTER(page_reclaim_runs);
DECLARE_COUNTER(pagecache_scanned);
DECLARE_COUNTER(pagecache_reclaimed);
DECLARE_COUNTER(pagecache_scanned_background);
DECLARE_COUNTER(pagecache_reclaimed_background);
DECLARE_COUNTER(hugetlb_allocs);
DECLARE_COUNTER(hugetlb_failures);

static struct virtio_balloon_stat *stats; /* the one buffer */

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
	STAT(VIRTIO_BALLOON_S_HTLB_PGALLOC, counter_read(&hugetlb_allocs));
	STAT(VIRTIO_BALLOON_S_HTLB_PGFAIL, counter_read(&hugetlb_failures));
	STAT(STAT_OOM_KILL, counter_read(&oom_kills));
	STAT(STAT_ALLOC_STALL, counter_read(&page_reclaim_runs));
	STAT(STAT_ASYNC_SCAN, counter_read(&pagecache_scanned_background));
	STAT(STAT_DIRECT_SCAN, counter_read(&pagecache_scanned));
	STAT(STAT_ASYNC_RECLAIM, counter_read(&pagecache_reclaimed_background));
	STAT(STAT_DIRECT_RECLAIM, counter_read(&pagecache_reclaimed));
#undef STAT
	seg = (struct vq_segment){virt_to_phys(stats), n * (u32)sizeof *stats};
	if (!vq_add(vb->stats, &seg, 1, 0, stats))
		vq_kick(vb->stats);
}

int balloon_stats_init(struct virtio_balloon *vb)
{
	stats = kcalloc(STATS, sizeof *stats);
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
