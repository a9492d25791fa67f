/* SPDX-License-Identifier: BSD-2-Clause */
/* System V shared memory. sysv_shm.c: segments and attaching them; sysv_shmctl.c: shmctl and the listing. */
#pragma once

#include "sysv.h"
#include <asm/shmbuf.h>

/* linux/shm.h needs libc's headers. */
#define SHM_RDONLY     010000
#define SHM_RND	       020000
#define SHM_REMAP      040000
#define SHM_EXEC       0100000
#define SHM_HUGETLB    04000
#define SHM_HUGE_SHIFT 26
#define SHM_HUGE_MASK  0x3f
#define SHM_DEST       01000
#define SHM_LOCKED     02000
#define SHM_LOCK       11
#define SHM_UNLOCK     12
#define SHM_STAT       13
#define SHM_INFO       14
#define SHM_STAT_ANY   15
struct shm_info {
	int used_ids;
	unsigned long shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};

#define SEGMENTS_MAX 4096
#define SEGMENT_MAX  (~0ull - (1ull << 24))

struct segment {
	struct sysv_object object;
	struct mutex lock; /* guards what follows and the object's fields */
	struct file *file;
	u64 size;		 /* bytes, as asked for */
	u64 atime, dtime, ctime; /* seconds */
	u32 creator, last;	 /* processes */
	u64 attached;
	bool locked;
};

extern struct sysv_table shm_segments;
extern u64 shm_pages_total; /* of all segments; guarded by shm_segments.lock */

static inline struct segment *segment_of(struct sysv_object *o)
{
	return container_of(o, struct segment, object);
}

void segment_put(struct segment *s);
/* Take the segment out of the table. With its lock held; the caller has a reference of its own. */
void segment_destroy(struct segment *s);
