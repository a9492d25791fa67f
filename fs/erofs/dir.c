/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS directories. A directory is a row of blocks; each starts with its entries (12 bytes), whose names
 * follow, in order of the names within the block and from block to block: look-up is a binary search, first
 * for the block, then in it. Positions for readdir are byte offsets of entries. */
#include "erofs.h"
#include "base/string.h"

/* One directory block in memory, with a reference on its page. */
struct dir_block {
	struct page *page;
	const u8 *p;
	u32 size;  /* bytes of it that belong to the directory */
	u32 count; /* entries */
};

static int bad(struct inode *dir, const char *what)
{
	return erofs_corrupt(&erofs_bad_dir, dir->super->priv, dir->ino, what);
}

static int block_get(struct inode *dir, u64 nr, struct dir_block *b)
{
	struct erofs_sb *sb = dir->super->priv;
	u64 pos = nr << sb->blkbits;
	u32 first;

	b->page = pagecache_get(dir->cache, pos >> PAGE_SHIFT);
	if (IS_ERR(b->page))
		return (int)PTR_ERR(b->page);
	b->p = (const u8 *)page_to_virt(b->page) + pos % PAGE_SIZE;
	b->size = (u32)min((u64)erofs_blksz(sb), dir->size - pos);
	first = b->size >= DIRENT_SIZE ? le16_get(b->p + 8) : 0;
	if (first < DIRENT_SIZE || first % DIRENT_SIZE || first >= b->size) {
		page_put(b->page);
		return bad(dir, "a directory block without entries");
	}
	b->count = first / DIRENT_SIZE;
	return 0;
}

/* Name of entry N. Its length, or -EUCLEAN. */
static int name_get(struct inode *dir, const struct dir_block *b, u32 n, const char **name)
{
	u32 start = le16_get(b->p + n * DIRENT_SIZE + 8), end;

	if (start < b->count * DIRENT_SIZE || start >= b->size)
		return bad(dir, "a name outside its block");
	if (n + 1 < b->count) {
		end = le16_get(b->p + (n + 1) * DIRENT_SIZE + 8);
		if (end <= start || end > b->size)
			return bad(dir, "names out of order");
	} else {
		end = start + (u32)strnlen((const char *)b->p + start, b->size - start);
	}
	if (end == start || end - start > 255)
		return bad(dir, "a name of impossible length");
	*name = (const char *)b->p + start;
	return (int)(end - start);
}

static int compare(const char *a, size_t alen, const char *b, size_t blen)
{
	int c = memcmp(a, b, min(alen, blen));

	return c ? c : alen < blen ? -1 : alen > blen;
}

/* Entry NAME in block B: its number in *N and 0; 1: NAME comes before the block's first entry; -ENOENT: it is
 * not here, nor before. */
static int search_block(struct inode *dir, const struct dir_block *b, const char *name, size_t len, u32 *n)
{
	u32 lo = 0, hi = b->count;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;
		const char *s;
		int slen = name_get(dir, b, mid, &s), c;

		if (slen < 0)
			return slen;
		c = compare(name, len, s, (size_t)slen);
		if (!c) {
			*n = mid;
			return 0;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo ? -ENOENT : 1;
}

struct inode *erofs_lookup(struct inode *dir, const char *name, size_t len)
{
	struct erofs_sb *sb = dir->super->priv;
	u64 lo = 0, hi = DIV_ROUND_UP(dir->size, erofs_blksz(sb)), found = ~0ull;
	struct dir_block b;
	u32 n;
	int err = -ENOENT;

	/* The last block whose first name is not behind NAME. */
	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;
		const char *s;
		int slen;

		err = block_get(dir, mid, &b);
		if (err)
			return ERR_PTR(err);
		slen = name_get(dir, &b, 0, &s);
		if (slen >= 0 && compare(name, len, s, (size_t)slen) >= 0) {
			found = mid;
			lo = mid + 1;
		} else {
			hi = mid;
		}
		page_put(b.page);
		if (slen < 0)
			return ERR_PTR(slen);
	}
	if (found == ~0ull)
		return ERR_PTR(-ENOENT);
	err = block_get(dir, found, &b);
	if (err)
		return ERR_PTR(err);
	err = search_block(dir, &b, name, len, &n);
	if (!err)
		found = le64_get(b.p + n * DIRENT_SIZE);
	page_put(b.page);
	if (err)
		return ERR_PTR(err > 0 ? -ENOENT : err);
	return erofs_iget(dir->super, found);
}

/* dirent types of the disk are those of linux/fs_types: 1 file, 2 directory, 3 character, 4 block, 5 FIFO, 6
 * socket, 7 link. */
static unsigned dtype_of(u8 t)
{
	static const u8 types[] = {0, 8, 4, 2, 6, 1, 12, 10};

	return t < ARRAY_SIZE(types) ? types[t] : 0;
}

int erofs_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct erofs_sb *sb = dir->super->priv;
	struct dir_block b;
	int err = 0;

	while (ctx->pos < dir->size) {
		u64 nr = ctx->pos >> sb->blkbits;
		u32 n = (u32)(ctx->pos & (erofs_blksz(sb) - 1)) / DIRENT_SIZE;

		err = block_get(dir, nr, &b);
		if (err)
			return err;
		for (; n < b.count; n++) {
			const u8 *e = b.p + n * DIRENT_SIZE;
			const char *name;
			int len = name_get(dir, &b, n, &name);
			u64 next = n + 1 < b.count ? (nr << sb->blkbits) + (n + 1) * DIRENT_SIZE
						   : (nr + 1) << sb->blkbits;

			if (len < 0) {
				page_put(b.page);
				return len;
			}
			if (!ctx->emit(ctx, name, (size_t)len, next, le64_get(e), dtype_of(e[10]))) {
				page_put(b.page);
				return 0;
			}
			ctx->pos = next;
		}
		page_put(b.page);
		ctx->pos = (nr + 1) << sb->blkbits;
	}
	return 0;
}
