/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading compressed files: decode each extent that the wanted pages touch, once, and deal the bytes out to
 * the pages.
 *
 * Extents do not respect pages. The run of pages is filled from left to right; a page is finished once the
 * extent that holds its last byte is done. The cluster is read into a buffer of its own (from a RAM disk:
 * used in place); it is not cached, the decoded pages are. */
#include "erofs.h"
#include "base/string.h"

/* The pages to fill: consecutive, COUNT of them from INDEX. */
struct target {
	struct inode *inode;
	struct page **pages;
	u64 index;
	unsigned count;
	unsigned done; /* pages finished */
};

static u64 target_end(const struct target *t)
{
	return min((t->index + t->count) << PAGE_SHIFT, t->inode->size);
}

/* Copy LEN bytes at file offset POS into the pages they belong to. */
static void deal(struct target *t, u64 pos, const u8 *src, u64 len)
{
	while (len) {
		u64 n = min(len, PAGE_SIZE - pos % PAGE_SIZE);

		memcpy((u8 *)page_to_virt(t->pages[(pos >> PAGE_SHIFT) - t->index]) + pos % PAGE_SIZE, src,
		       n);
		pos += n;
		src += n;
		len -= n;
	}
}

/* All bytes below POS are in place: finish the pages that are complete. */
static void finish_below(struct target *t, u64 pos)
{
	while (t->done < t->count) {
		u64 start = (t->index + t->done) << PAGE_SHIFT;
		u64 end = min(start + PAGE_SIZE, t->inode->size);

		if (end > pos)
			return;
		memset((u8 *)page_to_virt(t->pages[t->done]) + (end - start), 0, PAGE_SIZE - (end - start));
		pagecache_page_done(t->pages[t->done++], 0);
	}
}

/* The cluster's bytes: *FREE is what to release afterwards. */
static const u8 *cluster_get(struct erofs_sb *sb, const struct erofs_extent *x, void **free, int *err)
{
	u8 *buf;

	*free = NULL;
	if (sb->mem)
		return sb->mem + x->pa;
	buf = kmalloc(x->plen);
	if (!buf) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = x->inlined || x->pa % 512 || x->plen % 512 ? erofs_read(sb, x->pa, buf, x->plen)
							  : block_read(sb->bd, x->pa, buf, x->plen);
	if (*err) {
		kfree(buf);
		return NULL;
	}
	*free = buf;
	return buf;
}

static int put_plain(struct target *t, const struct erofs_extent *x, const u8 *src, u64 from, u64 to)
{
	u32 block = erofs_blksz(t->inode->super->priv);

	if (!x->interlaced) {
		deal(t, from, src + (from - x->la), to - from);
		return 0;
	}
	/* Each byte lies at its own offset modulo the block. */
	for (u64 pos = from; pos < to;) {
		u64 at = pos & (block - 1), n = min(to - pos, block - at);

		if (at + n > x->plen)
			return -EUCLEAN;
		deal(t, pos, src + at, n);
		pos += n;
	}
	return 0;
}

/* Decode [x->la, TO) and deal out what lies at or behind FROM. */
static int put_lz4(struct target *t, const struct erofs_extent *x, const u8 *src, u64 from, u64 to)
{
	struct erofs_inode *ei = erofs_inode(t->inode);
	u64 len = to - x->la;
	u32 skip = 0;
	u8 *out;
	ssize_t n;

	if (ei->sb->incompat & INCOMPAT_ZERO_PADDING)
		while (skip < min(x->plen, erofs_blksz(ei->sb)) && !src[skip])
			skip++;
	if (skip == x->plen)
		return erofs_corrupt(&erofs_bad_lz4, ei->sb, ei->nid, "an empty cluster");
	out = len > KIB(64) ? vmalloc(len) : kmalloc(len);
	if (!out)
		return -ENOMEM;
	n = lz4_decode(src + skip, x->plen - skip, out, len);
	if (n == (ssize_t)len)
		deal(t, from, out + (from - x->la), to - from);
	if (len > KIB(64))
		vfree(out);
	else
		kfree(out);
	return n == (ssize_t)len
		       ? 0
		       : erofs_corrupt(&erofs_bad_lz4, ei->sb, ei->nid, "a cluster does not decompress");
}

/* Fill from POS to the end of its extent or of the pages. *POS moves on. */
static int fill_extent(struct target *t, u64 *pos)
{
	struct erofs_sb *sb = t->inode->super->priv;
	struct erofs_extent x;
	const u8 *src;
	void *buf;
	u64 to;
	int err = erofs_zmap(t->inode, *pos, &x);

	if (err)
		return err;
	to = min(x.la + x.llen, target_end(t));
	src = cluster_get(sb, &x, &buf, &err);
	if (!src)
		return err;
	err = x.plain ? put_plain(t, &x, src, *pos, to) : put_lz4(t, &x, src, *pos, to);
	kfree(buf);
	if (!err)
		*pos = to;
	return err;
}

int erofs_z_read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n)
{
	struct target t = {.inode = c->inode, .pages = pages, .index = index, .count = n};
	u64 pos = index << PAGE_SHIFT;
	int err = 0;

	while (!err && t.done < t.count) {
		err = fill_extent(&t, &pos);
		if (!err)
			finish_below(&t, pos);
	}
	while (t.done < t.count)
		pagecache_page_done(pages[t.done++], err);
	return err;
}
