/* SPDX-License-Identifier: BSD-2-Clause */
/* Free page reporting (virtio 1.2, 5.5.6.7): free 2 MiB blocks are lent to the host, which drops their
 * memory, and come back to the allocator as unbacked, to be handed out last. A block is out of the allocator
 * while it is being reported, so only a few are at a time. */

#include "balloon.h"
#include "kernel/balloon_pages.h"
#include "kernel/counter.h"
#include "kernel/sched.h"

#define BLOCK_ORDER 9u
#define BLOCKS	    16u /* a request */

_Atomic u64 balloon_reported_bytes;

DEFINE_COUNTER(balloon_report_requests, "reports of free memory to the host");

unsigned balloon_report_pass(struct virtio_balloon *vb)
{
	unsigned total = 0, n;

	do {
		struct page *block[BLOCKS];
		struct vq_segment seg[BLOCKS];
		int err;

		for (n = 0; n < BLOCKS && (block[n] = page_take_unreported(BLOCK_ORDER)); n++)
			seg[n] = (struct vq_segment){page_to_phys(block[n]), (u32)HUGE_SIZE};
		if (!n)
			break;
		counter_inc(&balloon_report_requests);
		err = balloon_request(vb, vb->report, seg, 0, n, false);
		for (unsigned i = 0; i < n; i++) {
			if (err)
				page_return_unreported(block[i], BLOCK_ORDER);
			else
				page_return_reported(block[i], BLOCK_ORDER);
		}
		if (err)
			break;
		total += n;
		atomic_fetch_add(&balloon_reported_bytes, n * HUGE_SIZE);
		cond_resched();
	} while (n == BLOCKS);
	return total;
}
