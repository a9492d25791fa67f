/* SPDX-License-Identifier: BSD-2-Clause */
/* Where uncompressed bytes lie, and bringing them into the page cache.
 *
 * Pages that lie whole and in a row on the device travel in one request, straight into place; the driver's
 * completion finishes them. Pages made of pieces (holes, inline tails, small blocks scattered) are put
 * together by copying through the metadata cache. */
#include "erofs.h"
#include "base/string.h"

#define MAX_SEGS 64

bool erofs_range_ok(const struct erofs_sb *sb, u64 off, u64 len)
{
	return off <= sb->image_size && len <= sb->image_size - off;
}

int erofs_read(struct erofs_sb *sb, u64 off, void *buf, size_t len)
{
	u8 *out = buf;

	if (!erofs_range_ok(sb, off, len))
		return erofs_corrupt(&erofs_outside_image, sb, 0, "an offset leaves the image");
	if (sb->mem) {
		memcpy(buf, sb->mem + off, len);
		return 0;
	}
	while (len) {
		size_t at = off % PAGE_SIZE, n = min(len, PAGE_SIZE - at);
		struct page *p = pagecache_get(sb->meta->cache, off >> PAGE_SHIFT);

		if (IS_ERR(p))
			return (int)PTR_ERR(p);
		memcpy(out, (u8 *)page_to_virt(p) + at, n);
		page_put(p);
		out += n;
		off += n;
		len -= n;
	}
	return 0;
}

ssize_t erofs_file_read(struct inode *i, u64 pos, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len && pos < i->size) {
		size_t at = pos % PAGE_SIZE, n = min(min(len - done, PAGE_SIZE - at), i->size - pos);
		struct page *p = pagecache_get(i->cache, pos >> PAGE_SHIFT);

		if (IS_ERR(p))
			return PTR_ERR(p);
		memcpy((u8 *)buf + done, (u8 *)page_to_virt(p) + at, n);
		page_put(p);
		done += n;
		pos += n;
	}
	return (ssize_t)done;
}

static int map_chunk(struct inode *i, struct erofs_inode *ei, u64 pos, u64 *off, u64 *run)
{
	struct erofs_sb *sb = ei->sb;
	bool indexes = ei->raw & CHUNK_INDEXES;
	u32 unit = indexes ? 8 : 4, block;
	u64 chunk = pos >> ei->chunk_bits, in = pos & (BIT(ei->chunk_bits) - 1);
	u8 raw[8];
	int err;

	err = erofs_read(sb, ALIGN_UP(ei->iloc + ei->isize + ei->xattr_size, (u64)unit) + chunk * unit, raw,
			 unit);
	if (err)
		return err;
	if (indexes && le16_get(raw + 2))
		return erofs_corrupt(&erofs_unsupported, sb, ei->nid, "a chunk lies on another device");
	block = le32_get(raw + (indexes ? 4 : 0));
	*run = min(BIT(ei->chunk_bits) - in, i->size - pos);
	*off = block == CHUNK_HOLE ? ~0ull : ((u64)block << sb->blkbits) + in;
	return 0;
}

int erofs_map(struct inode *i, u64 pos, u64 *off, u64 *run)
{
	struct erofs_inode *ei = erofs_inode(i);
	struct erofs_sb *sb = ei->sb;
	u64 tail_at = ALIGN_DOWN(i->size, (u64)erofs_blksz(sb));
	int err = 0;

	if (ei->layout == LAYOUT_CHUNKED) {
		err = map_chunk(i, ei, pos, off, run);
	} else if (ei->layout == LAYOUT_INLINE && pos >= tail_at) {
		*off = ei->iloc + ei->isize + ei->xattr_size + (pos - tail_at);
		*run = i->size - pos;
	} else {
		*off = ((u64)ei->raw << sb->blkbits) + pos;
		*run = (ei->layout == LAYOUT_INLINE ? tail_at : i->size) - pos;
	}
	if (!err && *off != ~0ull && !erofs_range_ok(sb, *off, *run))
		err = erofs_corrupt(&erofs_outside_image, sb, ei->nid, "contents leave the image");
	return err;
}

/* Put page INDEX together from its pieces. */
static int assemble(struct inode *i, u64 index, struct page *p)
{
	struct erofs_inode *ei = erofs_inode(i);
	u8 *to = page_to_virt(p);
	u64 pos = index << PAGE_SHIFT, end = min(pos + PAGE_SIZE, i->size), off, run;
	int err;

	while (pos < end) {
		err = erofs_map(i, pos, &off, &run);
		if (err)
			return err;
		run = min(run, end - pos);
		if (!run)
			return erofs_corrupt(&erofs_bad_inode, ei->sb, ei->nid, "an empty extent");
		if (off == ~0ull)
			memset(to, 0, run);
		else if ((err = erofs_read(ei->sb, off, to, run)))
			return err;
		to += run;
		pos += run;
	}
	memset(to, 0, PAGE_SIZE - (size_t)(to - (u8 *)page_to_virt(p)));
	return 0;
}

/* A request for pages in a row. */
struct batch {
	struct block_request req;
	u64 file_size; /* to zero what lies behind it in the last page */
	unsigned npages;
	struct page *pages[MAX_SEGS];
	struct block_segment segs[MAX_SEGS];
};

static void finish_page(struct page *p, u64 file_size, int err)
{
	u64 start = p->index << PAGE_SHIFT;

	if (!err && file_size - start < PAGE_SIZE)
		memset((u8 *)page_to_virt(p) + (file_size - start), 0, PAGE_SIZE - (file_size - start));
	pagecache_page_done(p, err);
}

static void batch_done(struct block_request *r, int err)
{
	struct batch *b = container_of(r, struct batch, req);

	for (unsigned n = 0; n < b->npages; n++)
		finish_page(b->pages[n], b->file_size, err);
	kfree(b);
}

/* Read N pages that lie at OFF in the image, in a row. The image holds all of them, the last one's rest
 * perhaps not. */
static void read_row(struct inode *i, struct erofs_sb *sb, u64 off, struct page **pages, unsigned n)
{
	u64 end = min(sb->bd->sectors * 512, off + (u64)n * PAGE_SIZE);
	struct batch *b;
	unsigned k;

	if (sb->mem) {
		for (k = 0; k < n; k++, off += PAGE_SIZE) {
			memcpy(page_to_virt(pages[k]), sb->mem + off, min(PAGE_SIZE, end - off));
			finish_page(pages[k], i->size, 0);
		}
		return;
	}
	b = kmalloc(sizeof *b);
	if (!b) {
		for (k = 0; k < n; k++)
			pagecache_page_done(pages[k], -ENOMEM);
		return;
	}
	b->file_size = i->size;
	b->npages = n;
	for (k = 0; k < n; k++, off += PAGE_SIZE) {
		b->pages[k] = pages[k];
		b->segs[k].phys = page_to_phys(pages[k]);
		b->segs[k].len = (u32)min(PAGE_SIZE, end - off);
	}
	b->req = (struct block_request){.op = BLOCK_READ,
					.sector = (off - (u64)n * PAGE_SIZE) / 512,
					.nsegs = n,
					.segs = b->segs,
					.done = batch_done};
	if (block_submit(sb->bd, &b->req))
		batch_done(&b->req, -EIO);
}

/* Does page INDEX lie in one piece, sector-aligned? Then *OFF. */
static int whole_page(struct inode *i, u64 index, u64 *off, bool *whole)
{
	u64 pos = index << PAGE_SHIFT, run;
	int err = erofs_map(i, pos, off, &run);

	*whole = !err && *off != ~0ull && !(*off % 512) && run >= min(PAGE_SIZE, i->size - pos);
	return err;
}

static int erofs_read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n)
{
	struct inode *i = c->inode;
	struct erofs_inode *ei = erofs_inode(i);
	struct erofs_sb *sb = ei->sb;
	unsigned limit = clamp(sb->bd->max_segs, 1u, (u32)MAX_SEGS);
	unsigned k = 0, row;
	u64 off, next;
	bool whole;
	int err = 0;

	if (ei->layout == LAYOUT_COMPRESSED_FULL || ei->layout == LAYOUT_COMPRESSED_COMPACT)
		return erofs_z_read_pages(c, index, pages, n);
	while (k < n) {
		err = whole_page(i, index + k, &off, &whole);
		if (err || !whole) {
			if (!err)
				err = assemble(i, index + k, pages[k]);
			pagecache_page_done(pages[k++], err);
			continue;
		}
		for (row = 1; k + row < n && row < limit; row++)
			if (whole_page(i, index + k + row, &next, &whole) || !whole ||
			    next != off + row * PAGE_SIZE)
				break;
		read_row(i, sb, off, pages + k, row);
		k += row;
	}
	return err;
}

static int erofs_meta_read_pages(struct page_cache *c, u64 index, struct page **pages, unsigned n)
{
	struct erofs_sb *sb = erofs_inode(c->inode)->sb;
	unsigned limit = clamp(sb->bd->max_segs, 1u, (u32)MAX_SEGS), k, row;

	for (k = 0; k < n; k += row) {
		row = min(n - k, limit);
		read_row(c->inode, sb, (index + k) << PAGE_SHIFT, pages + k, row);
	}
	return 0;
}

const struct page_cache_ops erofs_cache_ops = {.read_pages = erofs_read_pages};
const struct page_cache_ops erofs_meta_cache_ops = {.read_pages = erofs_meta_read_pages};
