/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS, read only, as mkfs.erofs of erofs-utils 1.5 writes it.
 *
 * Theory. The image is a row of blocks on a block device or in memory. Metadata (inodes, xattrs, maps) is
 * read through the page cache of a pseudo inode that stands for the whole image. File contents have page
 * caches of their own: uncompressed pages are read straight into place, contiguous ones by one request
 * (data.c); compressed ones are decoded extent by extent (zmap.c finds the extent, data_z.c decodes). Inodes
 * are cached by number, so that hard links share pages.
 *
 * Nothing on the image is trusted: each offset is checked against the image, each count against its
 * container. What does not hold gives EUCLEAN (EIO from read and faults), is counted by its kind and named in
 * the log. */
#include "erofs.h"
#include "base/string.h"
#include "../vfs/ramblock.h"
#include "kernel/clock.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include <asm/statfs.h>
#include <linux/mount.h>

DEFINE_COUNTER(erofs_bad_super, "EROFS superblocks refused");
DEFINE_COUNTER(erofs_bad_checksum, "EROFS superblocks with a wrong checksum");
DEFINE_COUNTER(erofs_bad_inode, "EROFS inodes that make no sense");
DEFINE_COUNTER(erofs_bad_dir, "EROFS directory blocks that make no sense");
DEFINE_COUNTER(erofs_bad_map, "EROFS compression indexes that make no sense");
DEFINE_COUNTER(erofs_bad_lz4, "EROFS clusters that do not decompress");
DEFINE_COUNTER(erofs_bad_xattr, "EROFS extended attributes that make no sense");
DEFINE_COUNTER(erofs_outside_image, "EROFS offsets beyond the end of the image");
DEFINE_COUNTER(erofs_unsupported, "EROFS features or layouts that this reader does not know");

int erofs_corrupt(struct counter *c, const struct erofs_sb *sb, u64 nid, const char *what)
{
	/* The log gets the first few of each kind; the counter has them all. */
	if (atomic_load_explicit(&c->value, memory_order_relaxed) < 8)
		log_err("erofs %s: inode %llu: %s", sb->bd->name, (unsigned long long)nid, what);
	counter_inc(c);
	return -EUCLEAN;
}

static int bad_super(const struct block_device *bd, const char *what)
{
	counter_inc(&erofs_bad_super);
	log_err("erofs %s: %s", bd->name, what);
	return -EUCLEAN;
}

/* The checksum covers the first block from the superblock on, with its own field zero. */
static int check_crc(struct erofs_sb *sb)
{
	size_t len = max(erofs_blksz(sb), (u32)EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE) - EROFS_SUPER_OFFSET;
	u8 *buf;
	u32 want;
	int err;

	if (erofs_blksz(sb) <= EROFS_SUPER_OFFSET)
		len = erofs_blksz(sb);
	buf = kmalloc(len);
	if (!buf)
		return -ENOMEM;
	err = erofs_read(sb, EROFS_SUPER_OFFSET, buf, len);
	if (!err) {
		want = le32_get(buf + SB_CHECKSUM);
		memset(buf + SB_CHECKSUM, 0, 4);
		if (crc32c(~0u, buf, len) != want) {
			counter_inc(&erofs_bad_checksum);
			err = bad_super(sb->bd, "the superblock's checksum is wrong");
		}
	}
	kfree(buf);
	return err;
}

static int parse_super(struct erofs_sb *sb, const u8 *p)
{
	u64 device = sb->bd->sectors * 512, unknown;

	if (le32_get(p + SB_MAGIC) != EROFS_MAGIC)
		return -EINVAL;
	sb->blkbits = p[SB_BLKSZBITS];
	if (sb->blkbits < 9 || sb->blkbits > PAGE_SHIFT)
		return bad_super(sb->bd, "unsupported block size");
	sb->incompat = le32_get(p + SB_INCOMPAT);
	unknown = sb->incompat & ~INCOMPAT_SUPPORTED;
	if (unknown || (sb->incompat & INCOMPAT_DEVICES && le16_get(p + SB_EXTRA_DEVICES))) {
		counter_inc(&erofs_unsupported);
		log_err("erofs %s: unsupported features %#x or extra devices", sb->bd->name,
			(unsigned)sb->incompat);
		return -EINVAL;
	}
	sb->image_size = (u64)le32_get(p + SB_BLOCKS) << sb->blkbits;
	if (sb->image_size > device)
		return bad_super(sb->bd, "the device is smaller than the file system: a truncated image?");
	if (sb->image_size < EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE)
		return bad_super(sb->bd, "the file system claims no blocks");
	sb->meta->size = sb->image_size;
	sb->meta_off = (u64)le32_get(p + SB_META_BLKADDR) << sb->blkbits;
	sb->xattr_off = (u64)le32_get(p + SB_XATTR_BLKADDR) << sb->blkbits;
	sb->build_time =
		le64_get(p + SB_BUILD_TIME) * NSEC_PER_SEC + le32_get(p + SB_BUILD_NSEC) % NSEC_PER_SEC;
	sb->inos = le64_get(p + SB_INOS);
	sb->root_nid = le16_get(p + SB_ROOT_NID);
	return le32_get(p + SB_COMPAT) & COMPAT_CHECKSUM ? check_crc(sb) : 0;
}

static void erofs_evict(struct inode *i)
{
	struct erofs_inode *ei = erofs_inode(i);

	if (!ei)
		return;
	if (i->cache)
		pagecache_destroy(i->cache);
	rcu_kfree(&ei->rcu);
}

/* The pseudo inode belongs to the super that it helps to make, but must not keep it alive. */
static void meta_free(struct erofs_sb *sb)
{
	if (sb->meta) {
		pagecache_destroy(sb->meta->cache);
		rcu_kfree(&container_of(sb->meta->cache, struct erofs_inode, cache)->rcu);
		kfree(sb->meta);
	}
}

static int meta_create(struct erofs_sb *sb)
{
	struct erofs_inode *ei = kzalloc(sizeof *ei);
	struct inode *i = kzalloc(sizeof *i);

	if (!ei || !i) {
		kfree(ei);
		kfree(i);
		return -ENOMEM;
	}
	ei->sb = sb;
	i->priv = ei;
	i->size = sb->bd->sectors * 512; /* until the superblock says how large the image is */
	pagecache_init(&ei->cache, i, &erofs_meta_cache_ops);
	i->cache = &ei->cache;
	sb->meta = i;
	sb->image_size = i->size;
	return 0;
}

static void erofs_unmount(struct super *s)
{
	struct erofs_sb *sb = s->priv;

	if (sb) {
		meta_free(sb);
		kfree(sb);
	}
}

static int erofs_statfs(struct super *s, struct statfs *out)
{
	struct erofs_sb *sb = s->priv;

	out->f_blocks = (long)(sb->image_size >> sb->blkbits);
	out->f_files = (long)sb->inos;
	return 0;
}

static size_t erofs_show_options(struct super *s, char *buf, size_t size)
{
	return (size_t)max(str_copy(buf, ",user_xattr", size), (ssize_t)0);
}

static const struct super_ops erofs_super_ops = {
	.inode_get = erofs_iget,
	.evict = erofs_evict,
	.statfs = erofs_statfs,
	.unmount = erofs_unmount,
	.show_options = erofs_show_options,
};

static struct super *erofs_mount(const struct fs_type *t, const char *source, u32 flags, const char *options)
{
	struct block_device *bd = ramblock_or_disk(source);
	u8 raw[EROFS_SUPER_SIZE];
	struct erofs_sb *sb;
	struct super *s;
	int err;

	if (!bd)
		return ERR_PTR(-ENXIO);
	s = super_create(t, &erofs_super_ops, EROFS_MAGIC, PAGE_SIZE);
	if (!s)
		return ERR_PTR(-ENOMEM);
	sb = kzalloc(sizeof *sb);
	err = -ENOMEM;
	if (!sb)
		goto fail;
	s->priv = sb;
	s->read_only = true;
	s->cache_negative = true;
	s->acl = true;
	sb->bd = bd;
	sb->mem = ramblock_memory(bd);
	err = meta_create(sb);
	if (!err)
		err = erofs_read(sb, EROFS_SUPER_OFFSET, raw, sizeof raw);
	if (!err)
		err = parse_super(sb, raw);
	if (err)
		goto fail;
	s->block_size = erofs_blksz(sb);
	err = super_set_root(s, erofs_iget(s, sb->root_nid));
	if (!err && !S_ISDIR(s->root->inode->mode))
		err = erofs_corrupt(&erofs_bad_inode, sb, sb->root_nid, "the root is not a directory");
	if (!err)
		return s;
fail:
	super_put(s);
	return ERR_PTR(err);
}

static struct fs_type erofs_type = {.name = "erofs", .mount = erofs_mount};

static int erofs_init(void)
{
	return fs_register(&erofs_type);
}
INITCALL(erofs_init, INIT_FS);
