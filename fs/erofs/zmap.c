/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of a compressed file.
 *
 * A file is cut into logical clusters (4 KiB as a rule) and, across them, into extents, each stored as one
 * physical cluster of one or more blocks. Every logical cluster has an index. A HEAD index says at which
 * offset an extent starts within its logical cluster, and where its physical cluster is; a NONHEAD index says
 * how far away the heads before and behind are. PLAIN is a head whose data is stored as it is. The first
 * NONHEAD of a big physical cluster holds its size in blocks.
 *
 * Indexes take 8 bytes each (full), or are packed (compact): in packs of 2 (8 bytes) or 16 (32 bytes), whose
 * items have the type in 2 bits above 12 to 14 bits of offset or distance, and whose last 4 bytes are the
 * block where the pack starts; the position of a head follows by counting the blocks of the heads before it
 * in the pack. */
#include "erofs.h"
#include "base/string.h"

struct lcluster {
	u64 lcn;
	enum lcluster_type type;
	u32 clusterofs; /* head: offset of the extent in it; nonhead: the cluster's size */
	u32 delta[2];	/* distance to the head before, and to the next head */
	u32 pblk;	/* head: first block */
	u32 cblks;	/* nonhead: blocks of the physical cluster, if it is the one that says */
	u64 pack_end;	/* behind the index or its pack, where an inline tail follows */
};

static int bad(struct erofs_inode *ei, const char *what)
{
	return erofs_corrupt(&erofs_bad_map, ei->sb, ei->nid, what);
}

static u64 map_base(const struct erofs_inode *ei)
{
	return ALIGN_UP(ei->iloc + ei->isize + ei->xattr_size, 8ull) + MAP_HEADER_SIZE;
}

static bool big_pcluster(const struct erofs_inode *ei)
{
	return ei->z_advise & (ADVISE_BIG_PCLUSTER_1 | ADVISE_BIG_PCLUSTER_2);
}

static int load_full(struct erofs_inode *ei, struct lcluster *m)
{
	u64 pos = map_base(ei) + 8 + m->lcn * 8; /* the full form has 8 bytes of padding behind the header */
	u8 raw[8];
	int err = erofs_read(ei->sb, pos, raw, sizeof raw);

	if (err)
		return err;
	m->pack_end = pos + sizeof raw;
	m->type = le16_get(raw) & 3;
	if (m->type != LCLUSTER_NONHEAD) {
		m->clusterofs = le16_get(raw + 2);
		m->pblk = le32_get(raw + 4);
		return m->clusterofs >= 1u << ei->z_lclusterbits
			       ? bad(ei, "an extent starts behind its cluster")
			       : 0;
	}
	m->clusterofs = 1u << ei->z_lclusterbits;
	m->delta[0] = le16_get(raw + 4);
	m->delta[1] = le16_get(raw + 6);
	if (m->delta[0] & LCLUSTER_D0_CBLKCNT) {
		if (!big_pcluster(ei))
			return bad(ei, "a block count without big clusters");
		m->cblks = m->delta[0] & ~LCLUSTER_D0_CBLKCNT;
		m->delta[0] = 1;
	}
	return 0;
}

/* A pack of compact indexes. */
struct pack {
	u8 raw[32];
	u32 count, bits, lobits;
};

static u32 item(const struct pack *k, u32 n, enum lcluster_type *type)
{
	u32 bit = n * k->bits, v = le32_get(k->raw + bit / 8) >> (bit & 7);

	*type = v >> k->lobits & 3;
	return v & ((1u << k->lobits) - 1);
}

/* Distance from item N to the next head, as far as the pack tells. */
static u32 next_head(const struct pack *k, u32 n)
{
	enum lcluster_type type;
	u32 distance = 0, lo;

	do {
		lo = item(k, n, &type);
		if (type != LCLUSTER_NONHEAD)
			return distance;
		distance++;
	} while (++n < k->count);
	/* The last item of a pack holds the distance forwards. */
	return lo & LCLUSTER_D0_CBLKCNT ? distance : distance + lo - 1;
}

static int nonhead_item(struct erofs_inode *ei, const struct pack *k, u32 n, u32 lo, struct lcluster *m)
{
	enum lcluster_type type;

	m->clusterofs = 1u << ei->z_lclusterbits;
	m->delta[1] = next_head(k, n);
	if (lo & LCLUSTER_D0_CBLKCNT) {
		if (!big_pcluster(ei))
			return bad(ei, "a block count without big clusters");
		m->cblks = lo & ~LCLUSTER_D0_CBLKCNT;
		m->delta[0] = 1;
		return 0;
	}
	m->delta[0] = lo;
	if (n + 1 != k->count)
		return 0;
	/* The last item has no distance backwards of its own: it is one more than its neighbour's. */
	lo = item(k, n - 1, &type);
	if (type != LCLUSTER_NONHEAD)
		lo = 0;
	else if (lo & LCLUSTER_D0_CBLKCNT)
		lo = 1;
	m->delta[0] = lo + 1;
	return 0;
}

/* Blocks of the physical clusters that start in the pack before item N. */
static int blocks_before(struct erofs_inode *ei, const struct pack *k, u32 n, u32 *blocks)
{
	bool big = big_pcluster(ei);
	s32 i = (s32)n;
	enum lcluster_type type;
	u32 lo;

	*blocks = big ? 0 : 1;
	while (i > 0) {
		lo = item(k, (u32)--i, &type);
		if (!big) {
			if (type == LCLUSTER_NONHEAD)
				i -= (s32)lo;
			if (i >= 0)
				++*blocks;
			continue;
		}
		if (type != LCLUSTER_NONHEAD) {
			++*blocks;
		} else if (lo & LCLUSTER_D0_CBLKCNT) {
			i--;
			*blocks += lo & ~LCLUSTER_D0_CBLKCNT;
		} else {
			if (lo <= 1)
				return bad(ei, "a big cluster without a block count");
			i -= (s32)lo - 2;
		}
	}
	return 0;
}

static int load_compact(struct inode *i, struct erofs_inode *ei, struct lcluster *m)
{
	u64 base = map_base(ei), pos = base, lcn = m->lcn, total = DIV_ROUND_UP(i->size, erofs_blksz(ei->sb)),
	    two = 0;
	u32 initial = (u32)(32 - base % 32) / 4 % 8, shift = 2, n, packed;
	struct pack k;
	int err;

	/* Indexes of 4 bytes up to a 32-byte boundary, then of 2 bytes in packs of 16, the rest of 4 bytes
	 * again. */
	if (ei->z_advise & ADVISE_COMPACTED_2B && initial < total)
		two = ALIGN_DOWN(total - initial, 16ull);
	if (lcn >= initial) {
		pos += initial * 4;
		lcn -= initial;
		if (lcn < two) {
			shift = 1;
		} else {
			pos += two * 2;
			lcn -= two;
		}
	}
	pos += lcn << shift;
	k.count = shift == 2 ? 2 : 16;
	packed = k.count << shift;
	if (ei->z_lclusterbits > (shift == 2 ? 14 : 12))
		return bad(ei, "clusters too large for packed indexes");
	k.lobits = max((u32)ei->z_lclusterbits, 12u);
	k.bits = (packed - 4) * 8 / k.count;
	memset(k.raw, 0, sizeof k.raw);
	err = erofs_read(ei->sb, ALIGN_DOWN(pos, (u64)packed), k.raw, packed);
	if (err)
		return err;
	m->pack_end = ALIGN_DOWN(pos, (u64)packed) + packed;
	n = (u32)(pos & (packed - 1)) >> shift;
	lcn = item(&k, n, &m->type);
	if (m->type == LCLUSTER_NONHEAD)
		return nonhead_item(ei, &k, n, (u32)lcn, m);
	m->clusterofs = (u32)lcn;
	if (m->clusterofs >= 1u << ei->z_lclusterbits)
		return bad(ei, "an extent starts behind its cluster");
	err = blocks_before(ei, &k, n, &m->pblk);
	m->pblk += le32_get(k.raw + packed - 4);
	return err;
}

static int load(struct inode *i, u64 lcn, struct lcluster *m)
{
	struct erofs_inode *ei = erofs_inode(i);

	*m = (struct lcluster){.lcn = lcn};
	if (lcn >= DIV_ROUND_UP(i->size, BIT(ei->z_lclusterbits)))
		return bad(ei, "an index beyond the end of the file");
	return ei->layout == LAYOUT_COMPRESSED_FULL ? load_full(ei, m) : load_compact(i, ei, m);
}

/* From M, a NONHEAD DISTANCE clusters behind its head (or a head whose extent begins later), to that head. */
static int look_back(struct inode *i, struct lcluster *m, u32 distance)
{
	struct erofs_inode *ei = erofs_inode(i);
	u64 start = m->lcn;
	int err;

	for (;;) {
		if (!distance || distance > m->lcn || start - m->lcn > EXTENT_MAX >> ei->z_lclusterbits)
			return bad(ei, "an extent without a head");
		err = load(i, m->lcn - distance, m);
		if (err || m->type != LCLUSTER_NONHEAD)
			return err;
		distance = m->delta[0];
	}
}

/* Where the extent with head HEAD, which also covers lcn FROM, ends: *END as an offset in the file. */
static int find_end(struct inode *i, u64 head, u64 from, u64 *end)
{
	struct erofs_inode *ei = erofs_inode(i);
	u64 lcn = from;
	struct lcluster m;
	int err;

	for (;;) {
		if (lcn << ei->z_lclusterbits >= i->size) {
			*end = i->size;
			return 0;
		}
		if (lcn - head > EXTENT_MAX >> ei->z_lclusterbits)
			return bad(ei, "an extent without an end");
		err = load(i, lcn, &m);
		if (err)
			return err;
		if (m.type != LCLUSTER_NONHEAD && lcn != head) {
			*end = (lcn << ei->z_lclusterbits) + m.clusterofs;
			return 0;
		}
		lcn += m.type == LCLUSTER_NONHEAD ? max(m.delta[1], 1u) : 1;
	}
}

/* Bytes of the physical cluster of HEAD. */
static int cluster_size(struct inode *i, const struct lcluster *head, u32 *plen)
{
	struct erofs_inode *ei = erofs_inode(i);
	u32 one = 1u << ei->z_lclusterbits;
	struct lcluster m;
	int err;

	*plen = one;
	if (head->type == LCLUSTER_PLAIN ||
	    !(ei->z_advise & (head->type == LCLUSTER_HEAD2 ? ADVISE_BIG_PCLUSTER_2 : ADVISE_BIG_PCLUSTER_1)))
		return 0;
	if ((head->lcn + 1) << ei->z_lclusterbits >= i->size)
		return 0;
	err = load(i, head->lcn + 1, &m);
	if (err || m.type != LCLUSTER_NONHEAD)
		return err;
	if (m.delta[0] != 1 || !m.cblks || m.cblks > PCLUSTER_MAX >> ei->sb->blkbits)
		return bad(ei, "a big cluster of impossible size");
	*plen = m.cblks << ei->sb->blkbits;
	return 0;
}

/* The head whose extent holds POS. FIRST_END: behind the index of POS's own cluster. */
static int find_head(struct inode *i, u64 pos, struct lcluster *m, u64 *first_end)
{
	struct erofs_inode *ei = erofs_inode(i);
	u32 in = (u32)(pos & (BIT(ei->z_lclusterbits) - 1));
	int err = load(i, pos >> ei->z_lclusterbits, m);

	if (err)
		return err;
	*first_end = m->pack_end;
	if (m->type == LCLUSTER_NONHEAD)
		return look_back(i, m, m->delta[0]);
	return in >= m->clusterofs ? 0 : look_back(i, m, 1);
}

int erofs_zmap_init(struct inode *i)
{
	struct erofs_inode *ei = erofs_inode(i);
	struct lcluster m;
	u64 end;
	u8 raw[MAP_HEADER_SIZE];
	int err = 0;

	mutex_lock(&ei->z_lock);
	if (ei->z_ready)
		goto out;
	ei->z_lclusterbits = ei->sb->blkbits;
	ei->z_tail_headlcn = ~0ull;
	/* Without any of these features the header holds nothing. */
	if (ei->layout != LAYOUT_COMPRESSED_FULL ||
	    ei->sb->incompat & (INCOMPAT_COMPR_CFGS | INCOMPAT_ZTAILPACKING)) {
		err = erofs_read(ei->sb, map_base(ei) - MAP_HEADER_SIZE, raw, sizeof raw);
		if (err)
			goto out;
		ei->z_advise = le16_get(raw + MAP_ADVISE);
		ei->z_algorithm[0] = raw[MAP_ALGORITHM] & 15;
		ei->z_algorithm[1] = raw[MAP_ALGORITHM] >> 4;
		ei->z_lclusterbits = (u8)(ei->sb->blkbits + (raw[MAP_CLUSTERBITS] & 7));
		if (raw[MAP_CLUSTERBITS] & 0x80 || ei->z_advise & ADVISE_FRAGMENT || ei->z_algorithm[0] ||
		    ei->z_algorithm[1]) {
			err = erofs_corrupt(&erofs_unsupported, ei->sb, ei->nid, "unknown compression");
			goto out;
		}
	}
	if (ei->z_advise & ADVISE_INLINE_PCLUSTER && i->size) {
		err = find_head(i, i->size - 1, &m, &end);
		if (err)
			goto out;
		ei->z_idata_size = le16_get(raw + MAP_IDATA_SIZE);
		ei->z_idata_off = end;
		ei->z_tail_headlcn = m.lcn;
		if (!ei->z_idata_size ||
		    (end & (erofs_blksz(ei->sb) - 1)) + ei->z_idata_size > erofs_blksz(ei->sb)) {
			err = bad(ei, "an inline cluster crosses a block");
			goto out;
		}
	}
	atomic_store_explicit(&ei->z_ready, true, memory_order_release);
out:
	mutex_unlock(&ei->z_lock);
	return err;
}

int erofs_zmap(struct inode *i, u64 pos, struct erofs_extent *x)
{
	struct erofs_inode *ei = erofs_inode(i);
	struct lcluster m;
	u64 end = 0, unused;
	int err;

	if (!atomic_load_explicit(&ei->z_ready, memory_order_acquire)) {
		err = erofs_zmap_init(i);
		if (err)
			return err;
	}
	err = find_head(i, pos, &m, &unused);
	if (err)
		return err;
	*x = (struct erofs_extent){.la = (m.lcn << ei->z_lclusterbits) + m.clusterofs,
				   .plain = m.type == LCLUSTER_PLAIN};
	err = find_end(i, m.lcn, pos >> ei->z_lclusterbits, &end);
	if (err)
		return err;
	/* The heads around POS must agree that it lies between them. */
	if (x->la > pos || end <= pos || end - x->la > EXTENT_MAX)
		return bad(ei, "indexes contradict each other");
	x->llen = end - x->la;
	x->interlaced = x->plain && ei->z_advise & ADVISE_INTERLACED;
	if (m.lcn == ei->z_tail_headlcn) {
		x->inlined = true;
		x->pa = ei->z_idata_off;
		x->plen = ei->z_idata_size;
	} else {
		x->pa = (u64)m.pblk << ei->sb->blkbits;
		err = cluster_size(i, &m, &x->plen);
		if (err)
			return err;
	}
	if (!erofs_range_ok(ei->sb, x->pa, x->plen))
		return erofs_corrupt(&erofs_outside_image, ei->sb, ei->nid, "a cluster leaves the image");
	if (x->plain && x->llen > x->plen)
		return bad(ei, "a stored extent larger than its cluster");
	return 0;
}
