/* SPDX-License-Identifier: BSD-2-Clause */
/* 9P2000.L on the wire: message numbers, and packing and unpacking with bounds. The protocol is what Linux's
 * client and the servers diod and QEMU speak: little-endian, size[4] type[1] tag[2] first, strings as len[2]
 * and bytes. */
#pragma once

#include "base/err.h"
#include "base/types.h"

enum p9_type { /* of requests; the answer's is one more, or P9_RLERROR */
	       P9_RLERROR = 7,
	       P9_TSTATFS = 8,
	       P9_TLOPEN = 12,
	       P9_TLCREATE = 14,
	       P9_TSYMLINK = 16,
	       P9_TMKNOD = 18,
	       P9_TREADLINK = 22,
	       P9_TGETATTR = 24,
	       P9_TSETATTR = 26,
	       P9_TXATTRWALK = 30,
	       P9_TXATTRCREATE = 32,
	       P9_TREADDIR = 40,
	       P9_TFSYNC = 50,
	       P9_TLOCK = 52,
	       P9_TGETLOCK = 54,
	       P9_TLINK = 70,
	       P9_TMKDIR = 72,
	       P9_TRENAMEAT = 74,
	       P9_TUNLINKAT = 76,
	       P9_TVERSION = 100,
	       P9_TATTACH = 104,
	       P9_TFLUSH = 108,
	       P9_TWALK = 110,
	       P9_TREAD = 116,
	       P9_TWRITE = 118,
	       P9_TCLUNK = 120,
};

#define P9_NOTAG	0xffff
#define P9_NOFID	0xffffffffu
#define P9_NONUNAME	0xffffffffu
#define P9_HEADER	7u  /* size, type, tag */
#define P9_DATA_HEADER	11u /* of Rread and Rreaddir, the count included; and of Rlerror */
#define P9_WRITE_HEADER 23u /* of Twrite */
#define P9_IO_OVERHEAD	24u /* what msize covers besides the data */

#define P9_QID_DIR     0x80
#define P9_QID_SYMLINK 0x02

struct p9_qid {
	u8 type;
	u32 version;
	u64 path;
};

/* A message being written or read. Once something does not fit, BAD stays set, puts are dropped and gets give
 * zeros. */
struct p9_buf {
	u8 *p;
	size_t size, at;
	bool bad;
};

void p9_begin(struct p9_buf *b, void *p, size_t size, u8 type);
void p9_put8(struct p9_buf *b, u8 v);
void p9_put16(struct p9_buf *b, u16 v);
void p9_put32(struct p9_buf *b, u32 v);
void p9_put64(struct p9_buf *b, u64 v);
void p9_put_str(struct p9_buf *b, const char *s, size_t len);
/* Fill in the size, with EXTRA bytes that follow elsewhere. 0, or -ENAMETOOLONG when it did not fit. */
int p9_end(struct p9_buf *b, u32 extra);
void p9_set_tag(u8 *message, u16 tag);

u8 p9_get8(struct p9_buf *b);
u16 p9_get16(struct p9_buf *b);
u32 p9_get32(struct p9_buf *b);
u64 p9_get64(struct p9_buf *b);
struct p9_qid p9_get_qid(struct p9_buf *b);
/* A string inside the message, not terminated; *LEN bytes. NULL when it is not all there. */
const char *p9_get_str(struct p9_buf *b, size_t *len);

/* Check an answer of WRITTEN bytes, of which the first CAP (at most) lie at P, to the request TYPE with TAG;
 * B is then ready to read behind the header. 0; the server's error, negative; -EIO for what is no answer to
 * it. */
int p9_reply(struct p9_buf *b, void *p, size_t cap, u32 written, u8 type, u16 tag);

/* A directory entry of Rreaddir at *AT in DATA of LEN bytes: moves *AT behind it. False: the end, or
 * nonsense. */
struct p9_dirent {
	struct p9_qid qid;
	u64 next; /* where to go on after it */
	u8 type;  /* DT_* */
	const char *name;
	size_t len;
};
bool p9_dirent_get(const u8 *data, size_t len, size_t *at, struct p9_dirent *out);
