/* SPDX-License-Identifier: BSD-2-Clause */
/* The 9p client: a session with one server, its fids and requests, and a function for each message. Nothing
 * here knows inodes. Functions that exchange messages sleep (unless said otherwise) and return 0 or a count,
 * or -errno: the server's, -ENOMEM, -EIO when the device is gone or answers nonsense, -EINTR when the thread
 * is killed while it waits. */
#pragma once

#include "base/refcount.h"
#include "fs/p9_transport.h"
#include "kernel/page.h"
#include "kernel/spinlock.h"
#include "kernel/wait.h"
#include "proto.h"

#define P9_TAGS 128u /* requests under way; more wait */

struct p9_req;

struct p9_client {
	struct p9_transport *transport;
	u32 msize;	      /* negotiated: largest message */
	u32 payload;	      /* most data bytes of one read or write: whole pages */
	struct spinlock lock; /* guards all below; taken by interrupts */
	struct p9_req *tags[P9_TAGS];
	unsigned next_tag;
	struct list_head waiting;   /* p9_req.queue: no tag was free */
	struct list_head free_fids; /* p9_fid.node: numbers that the server has given up */
	u32 next_fid;
	u32 live_fids; /* numbers that the server may know */
	u32 requests;  /* not yet answered */
	struct waitq idle;
};

/* A name for a file at the server. Path fids stand for a name; after lopen or lcreate they stand for an open
 * file. */
struct p9_fid {
	struct p9_client *client;
	u32 num;
	struct refcount ref;
	bool opened, append; /* the server writes at the end, whatever the offset says */
	bool doubtful;	     /* the server may learn of it late: the number is not used again */
	struct list_head node;
	struct p9_req *clunk; /* made beforehand, so that letting go cannot fail */
};

/* A request and its answer. Freed with its last reference; the memory that the device may still write is its
 * own. */
struct p9_req {
	struct p9_io io;
	struct p9_client *client;
	struct refcount ref; /* the caller's, and the transport's */
	struct p9_buf t, r;  /* being written; being read, after p9_call */
	u32 extra;	     /* data bytes behind T, in pages */
	u32 rx_cap;
	u8 *rx;
	u8 type;
	u16 tag;
	bool answered;		/* with client->lock, or after `done` */
	bool flushing;		/* a Tflush for it is under way: its tag stays; client->lock */
	struct p9_req *flushed; /* Tflush: the request that it is about, with a reference */
	_Atomic bool done;
	int err;
	u32 written;
	struct waitq wait;
	void (*complete)(struct p9_req *); /* instead of waking somebody; any context */
	void *priv;
	struct p9_fid *fid, *fid2; /* used by it; references held, may be NULL */
	struct page **pages;	   /* data, references held */
	unsigned npages;
	bool lazy;
	struct list_head queue;
	struct p9_segment *segs;
};

/* rpc.c. A request of TYPE with room for TX bytes, an answer of RX bytes, and NPAGES pages of data. NULL: no
 * memory. */
struct p9_req *p9_req_new(struct p9_client *c, u8 type, size_t tx, size_t rx, unsigned npages) __must_check;
void p9_req_put(struct p9_req *q);
/* Send and wait. On 0 q->r is ready to read. Q stays the caller's. KILLABLE: give up when a fatal signal
 * comes. */
int p9_call(struct p9_req *q, bool killable);
/* Send; q->complete runs when it is answered (q->err, q->written; then p9_req_reply), or at once. Takes over
 * Q. Any context. */
void p9_send(struct p9_req *q);
int p9_req_reply(struct p9_req *q); /* after completion: check the answer's header; q->r is behind it */
void p9_req_use(struct p9_req *q, struct p9_fid *fid); /* put FID's number, and hold it until Q goes */
/* Pages of data: LEN bytes beginning at OFF of the first page. WRITE: the server reads them. Takes references
 * over. */
void p9_req_set_data(struct p9_req *q, unsigned off, u32 len, bool write);

/* client.c */
struct p9_client *p9_client_create(struct p9_transport *t, u32 msize); /* negotiates; ERR_PTR */
void p9_client_destroy(struct p9_client *c); /* waits for what is under way. All fids are put */

/* fid.c */
struct p9_fid *
p9_fid_new(struct p9_client *c) __must_check; /* a number that the server does not know; NULL */
void p9_fid_get(struct p9_fid *f);
void p9_fid_put(struct p9_fid *f);    /* the last one clunks, without waiting. Any context. NULL is fine */
void p9_fid_forget(struct p9_fid *f); /* the same for a fid that the server never took */
int p9_fid_clunk(struct p9_fid *f);   /* for the server's answer: only reference, taken over */

/* May the server have done what a call that ended in ERR asked for? */
static inline bool p9_fate_unknown(int err)
{
	return err == -EINTR || err == -EIO;
}

struct p9_attr {
	u64 valid;
	struct p9_qid qid;
	u32 mode, uid, gid;
	u64 nlink, rdev, size, blksize, blocks;
	s64 atime, mtime, ctime, btime; /* ns */
	u64 gen;
};
#define P9_GETATTR_BASIC 0x000007ffull
#define P9_GETATTR_ALL	 0x00003fffull
#define P9_GETATTR_BTIME 0x00000800ull

struct p9_setattr {
	u32 valid; /* P9_SET_* */
#define P9_SET_MODE	 1
#define P9_SET_UID	 2
#define P9_SET_GID	 4
#define P9_SET_SIZE	 8
#define P9_SET_ATIME	 16
#define P9_SET_MTIME	 32
#define P9_SET_CTIME	 64
#define P9_SET_ATIME_VAL 128
#define P9_SET_MTIME_VAL 256
	u32 mode, uid, gid;
	u64 size;
	u64 atime, mtime; /* ns */
};

struct p9_statfs {
	u32 type, bsize;
	u64 blocks, bfree, bavail, files, ffree, fsid;
	u32 namelen;
};

/* calls_name.c. Names are not terminated. New fids come with one reference. */
int p9_attach(struct p9_client *c, const char *uname, const char *aname, u32 uid, struct p9_fid **out);
int p9_walk(struct p9_fid *from, const char *name, size_t len, struct p9_fid **out, struct p9_qid *qid);
int p9_clone(struct p9_fid *from, struct p9_fid **out);
int p9_open(struct p9_fid *f, u32 flags);
int p9_create(struct p9_fid *dir, const char *name, size_t len, u32 flags, u32 mode,
	      u32 gid); /* DIR becomes the file */
int p9_mkdir(struct p9_fid *dir, const char *name, size_t len, u32 mode, u32 gid);
int p9_symlink(struct p9_fid *dir, const char *name, size_t len, const char *target, u32 gid);
int p9_mknod(struct p9_fid *dir, const char *name, size_t len, u32 mode, u32 major, u32 minor, u32 gid);
int p9_link(struct p9_fid *dir, struct p9_fid *target, const char *name, size_t len);
int p9_rename(struct p9_fid *from, const char *name, size_t len, struct p9_fid *to, const char *name2,
	      size_t len2);
int p9_unlink(struct p9_fid *dir, const char *name, size_t len, bool rmdir);

/* calls_attr.c */
int p9_getattr(struct p9_fid *f, struct p9_attr *out);
int p9_setattr(struct p9_fid *f, const struct p9_setattr *a);
int p9_statfs(struct p9_fid *f, struct p9_statfs *out);
ssize_t p9_readlink(struct p9_fid *f, char *buf, size_t size); /* terminated; -ENAMETOOLONG */
int p9_xattr_walk(struct p9_fid *f, const char *name, struct p9_fid **out, u64 *size); /* NAME "": the list */
int p9_xattr_create(struct p9_fid *f, const char *name, u64 size, u32 flags); /* F then takes the value */

/* calls_data.c. At most client->payload bytes; short when the server says so. Kernel buffers go through pages
 * of the request's own, so a killed caller leaves nothing behind that the device could write to. */
ssize_t p9_read(struct p9_fid *f, u64 off, void *buf, u32 n);
ssize_t p9_write(struct p9_fid *f, u64 off, const void *buf, u32 n);
ssize_t p9_readdir(struct p9_fid *f, u64 off, void *buf, u32 n);
int p9_fsync(struct p9_fid *f, bool data_only);
/* The same with the data in the pages of a request that p9_data_new made: its pages are then the caller's to
 * fill or copy. */
struct p9_req *p9_data_new(struct p9_fid *f, u8 type, u64 off, unsigned first, u32 n); /* fresh pages; NULL */
ssize_t p9_data_call(struct p9_req *q, bool killable);				       /* bytes */
ssize_t p9_data_result(struct p9_req *q); /* the same after p9_send */
