/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS: what its files share. See super.c for the theory. */
#pragma once

#include "erofs_fs.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/blockdev.h"
#include "kernel/counter.h"

struct erofs_sb {
	struct block_device *bd;
	const u8 *mem;	/* the device is memory: its first byte; else NULL */
	u64 image_size; /* bytes that the superblock claims and the device has */
	u8 blkbits;
	u64 meta_off, xattr_off;
	u32 incompat;
	u64 build_time; /* ns */
	u64 inos, root_nid;
	struct inode *meta; /* pseudo inode whose page cache is the image itself, for metadata */
};

struct erofs_inode {
	struct rcu_head rcu; /* first: rcu_kfree. The cache must outlive reclaim's last look at its lock */
	struct page_cache cache;
	struct erofs_sb *sb;
	u64 nid;
	u64 iloc;	/* byte offset of the inode in the image */
	u32 isize;	/* of the inode itself: 32 or 64 */
	u32 xattr_size; /* bytes of inline xattrs after it */
	enum erofs_layout layout;
	u32 raw; /* i_u: first block, device number, chunk format */
	u32 chunk_bits;
	/* Compression; valid when z_ready, which is set once. */
	struct mutex z_lock;
	_Atomic bool z_ready;
	u16 z_advise, z_idata_size;
	u8 z_algorithm[2], z_lclusterbits;
	u64 z_idata_off;    /* inline tail cluster: byte offset */
	u64 z_tail_headlcn; /* its head; ~0: none */
};

static inline struct erofs_inode *erofs_inode(const struct inode *i)
{
	return i->priv;
}

static inline u32 erofs_blksz(const struct erofs_sb *sb)
{
	return 1u << sb->blkbits;
}

/* super.c. Something on the image is wrong: count it, name it in the log (not for ever), return -EUCLEAN. */
int erofs_corrupt(struct counter *c, const struct erofs_sb *sb, u64 nid, const char *what);
DECLARE_COUNTER(erofs_bad_inode);
DECLARE_COUNTER(erofs_bad_dir);
DECLARE_COUNTER(erofs_bad_map);
DECLARE_COUNTER(erofs_bad_lz4);
DECLARE_COUNTER(erofs_bad_xattr);
DECLARE_COUNTER(erofs_outside_image);
DECLARE_COUNTER(erofs_unsupported);

/* data.c. Copy LEN bytes of the image at OFF, through the metadata cache. -EUCLEAN outside the image, -EIO,
 * -ENOMEM. */
int erofs_read(struct erofs_sb *sb, u64 off, void *buf, size_t len);
/* Copy file contents by way of the inode's page cache: the bytes got, fewer at the end of the file. */
ssize_t erofs_file_read(struct inode *i, u64 pos, void *buf, size_t len);
/* Where byte POS of an uncompressed file lies: *OFF in the image with *RUN bytes from there on contiguous, or
 * a hole (*OFF = ~0). */
int erofs_map(struct inode *i, u64 pos, u64 *off, u64 *run);
bool erofs_range_ok(const struct erofs_sb *sb, u64 off, u64 len);
extern const struct page_cache_ops erofs_cache_ops, erofs_meta_cache_ops;

/* inode.c: the inode with number NID, with a reference. ERR_PTR. */
struct inode *erofs_iget(struct super *s, u64 nid);
extern const struct inode_ops erofs_dir_ops, erofs_file_inode_ops, erofs_link_ops;
extern const struct file_ops erofs_dir_fops, erofs_file_ops;

/* dir.c */
struct inode *erofs_lookup(struct inode *dir, const char *name, size_t len);
int erofs_iterate(struct file *f, struct dir_context *ctx);

/* xattr.c */
ssize_t erofs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t erofs_listxattr(struct inode *i, char *buf, size_t size);

/* zmap.c: the extent that holds byte POS of a compressed file. */
struct erofs_extent {
	u64 la, llen; /* bytes of the file */
	u64 pa;	      /* where the cluster starts in the image */
	u32 plen;
	bool plain;	 /* stored as it is */
	bool interlaced; /* plain, each byte at its own offset within the block */
	bool inlined;	 /* the cluster lies in the metadata */
};
int erofs_zmap(struct inode *i, u64 pos, struct erofs_extent *x);
int erofs_zmap_init(struct inode *i); /* the part of the inode that only compressed files have */

/* data_z.c */
int erofs_z_read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n);
/* lz4.c: decode a raw LZ4 block until DST is full. Returns the bytes written (less than DSTLEN when SRC
 * ended), or -EUCLEAN for input that would reach outside either buffer. Never touches anything else. */
ssize_t lz4_decode(const u8 *src, size_t srclen, u8 *dst, size_t dstlen);
/* crc32c.c: CRC-32C (Castagnoli), reflected, without final inversion. */
u32 crc32c(u32 crc, const void *data, size_t len);
