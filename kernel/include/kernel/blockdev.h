/* SPDX-License-Identifier: BSD-2-Clause */
/* Block devices, as file systems see them: byte ranges in units of 512-byte sectors. Drivers register. */
#pragma once

#include "base/list.h"
#include "base/types.h"
#include "kernel/spinlock.h"

struct page;
struct block_device;

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_OPS };

/* One request over physically scattered memory. Owned by the submitter until DONE ran. */
struct block_request {
	enum block_op op;
	u64 sector;
	unsigned nsegs;
	/* LEN in bytes; their sum is a multiple of 512. BLOCK_DISCARD: one segment, whose phys means nothing. */
	struct block_segment {
		u64 phys;
		u32 len;
	} *segs;
	void (*done)(struct block_request *, int err); /* interrupt context; err 0 or -EIO */
	void *priv;
	struct list_head node; /* the driver's */
	u64 since;	       /* block_submit()'s: ns */
};

struct block_device_ops {
	/* What block_submit() calls. Queue R. Any context. Returns 0: block_done() will be called for it
	 * (perhaps before submit returns), however many requests are under way; or -errno when it was not
	 * queued: -EINVAL, -EROFS, -EIO (beyond the end, or the device is gone), -EOPNOTSUPP. */
	int (*submit)(struct block_device *, struct block_request *r);
};

/* Guarded by `lock`, taken with interrupts off. By block_op: */
struct block_stats {
	struct spinlock lock;
	u32 in_flight[BLOCK_OPS];
	u64 done[BLOCK_OPS], sectors[BLOCK_OPS], ns[BLOCK_OPS];
	u64 busy_ns, since; /* time with something in flight, up to `since` */
};

struct block_device {
	char name[16];
	u64 sectors;
	u32 sector_size; /* logical, bytes */
	u32 max_segs;
	u32 max_discard; /* sectors a request; 0: no discard */
	bool read_only;
	char serial[24];
	const struct block_device_ops *ops;
	void *priv;
	struct block_stats stats;
	struct list_head node;
};

int block_register(struct block_device *bd);
struct block_device *block_find(const char *name);	    /* "vda"; NULL when absent */
struct block_device *block_next(struct block_device *prev); /* NULL starts; NULL ends */
/* Submit R as ops->submit says, and count it. */
int block_submit(struct block_device *bd, struct block_request *r);
/* By the driver, for each request that it took: counts it and calls DONE. */
void block_done(struct block_device *bd, struct block_request *r, int err);
/* The numbers of /sys/block/NAME/stat and /proc/diskstats, as Linux's Documentation/admin-guide/iostats.rst
 * orders them. */
#define BLOCK_STAT_FIELDS 17
void block_stat(struct block_device *bd, u64 out[BLOCK_STAT_FIELDS]);
/* Synchronous transfer between the device and contiguous kernel memory (direct map). Thread context. 0 or
 * -EIO. */
int block_read(struct block_device *bd, u64 byte_off, void *buf, size_t len);
int block_write(struct block_device *bd, u64 byte_off, const void *buf, size_t len);
