/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS inodes: reading them, and the operations of files and links. An inode never changes once it is made.
 */
#include "erofs.h"
#include "../vfs/acl.h"
#include "base/string.h"
#include "kernel/clock.h"

#define MAX_SIZE 0x7fffffffffffffffull

static int parse_inode(struct erofs_sb *sb, struct inode *i, struct erofs_inode *ei, const u8 *p)
{
	u16 format = le16_get(p + INO_FORMAT), xattrs = le16_get(p + INO_XATTR_COUNT);
	bool extended = format & 1;

	ei->isize = extended ? 64 : 32;
	ei->layout = format >> 1 & 7;
	if (format >> 4 || ei->layout > LAYOUT_CHUNKED)
		return erofs_corrupt(&erofs_unsupported, sb, ei->nid, "unknown inode format");
	ei->xattr_size = xattrs ? XATTR_HEADER_SIZE + (xattrs - 1u) * XATTR_ENTRY_SIZE : 0;
	i->mode = le16_get(p + INO_MODE);
	ei->raw = le32_get(p + INO_U);
	if (extended) {
		i->size = le64_get(p + INO_SIZE);
		i->uid = le32_get(p + INO_UID);
		i->gid = le32_get(p + INO_GID);
		i->nlink = le32_get(p + INO_NLINK_EXT);
		i->mtime =
			le64_get(p + INO_MTIME) * NSEC_PER_SEC + le32_get(p + INO_MTIME_NSEC) % NSEC_PER_SEC;
	} else {
		i->size = le32_get(p + INO_SIZE);
		i->uid = le16_get(p + INO_UID);
		i->gid = le16_get(p + INO_GID_COMPACT);
		i->nlink = le16_get(p + INO_NLINK);
		i->mtime = sb->build_time;
	}
	i->atime = i->ctime = i->mtime;
	if (i->size > MAX_SIZE)
		return erofs_corrupt(&erofs_bad_inode, sb, ei->nid, "impossible size");
	i->blocks = DIV_ROUND_UP(i->size, 512);
	if (!erofs_range_ok(sb, ei->iloc, ei->isize + ei->xattr_size))
		return erofs_corrupt(&erofs_outside_image, sb, ei->nid,
				     "the inode's extended attributes leave the image");
	return 0;
}

/* Does the layout hold together? Offsets of contents are checked when they are used, those that are cheap to
 * check here. */
static int check_layout(struct erofs_sb *sb, struct inode *i, struct erofs_inode *ei)
{
	u32 tail = (u32)(i->size & (erofs_blksz(sb) - 1));

	switch (ei->layout) {
	case LAYOUT_PLAIN:
		break;
	case LAYOUT_INLINE:
		/* The tail lies behind the inode, in the same block. */
		if (((ei->iloc + ei->isize + ei->xattr_size) & (erofs_blksz(sb) - 1)) + tail >
		    erofs_blksz(sb))
			return erofs_corrupt(&erofs_bad_inode, sb, ei->nid, "inline data crosses a block");
		break;
	case LAYOUT_CHUNKED:
		if (!(sb->incompat & INCOMPAT_CHUNKED) || ei->raw & ~(u32)(CHUNK_BITS_MASK | CHUNK_INDEXES))
			return erofs_corrupt(&erofs_unsupported, sb, ei->nid, "unknown chunk format");
		ei->chunk_bits = sb->blkbits + (ei->raw & CHUNK_BITS_MASK);
		break;
	default:
		if (!S_ISREG(i->mode))
			return erofs_corrupt(&erofs_bad_inode, sb, ei->nid,
					     "compressed, but no regular file");
		/* An index takes a quarter of a byte per kilobyte at the least: larger claims than the image
		 * allows are lies. */
		if (i->size >> sb->blkbits > sb->image_size)
			return erofs_corrupt(&erofs_bad_inode, sb, ei->nid, "impossible size");
	}
	return 0;
}

static int set_kind(struct inode *i, struct erofs_inode *ei, struct erofs_sb *sb)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &erofs_file_inode_ops;
		i->fops = &erofs_file_ops;
		break;
	case S_IFDIR:
		i->ops = &erofs_dir_ops;
		i->fops = &erofs_dir_fops;
		break;
	case S_IFLNK:
		if (i->size == 0 || i->size >= PAGE_SIZE)
			return erofs_corrupt(&erofs_bad_inode, sb, ei->nid,
					     "symbolic link of impossible length");
		i->ops = &erofs_link_ops;
		break;
	case S_IFCHR:
	case S_IFBLK:
		i->rdev = ei->raw;
		__attribute__((fallthrough));
	case S_IFIFO:
	case S_IFSOCK:
		i->ops = &erofs_file_inode_ops;
		i->size = 0;
		return 0;
	default:
		return erofs_corrupt(&erofs_bad_inode, sb, ei->nid, "unknown file type");
	}
	pagecache_init(&ei->cache, i, &erofs_cache_ops);
	i->cache = &ei->cache;
	return check_layout(sb, i, ei);
}

static int read_inode(struct erofs_sb *sb, struct inode *i, struct erofs_inode *ei)
{
	u8 raw[64];
	int err;

	if (ei->nid > sb->image_size >> EROFS_SLOT_BITS)
		return erofs_corrupt(&erofs_outside_image, sb, ei->nid, "no such inode");
	ei->iloc = sb->meta_off + (ei->nid << EROFS_SLOT_BITS);
	err = erofs_read(sb, ei->iloc, raw, 32);
	if (!err && raw[INO_FORMAT] & 1)
		err = erofs_read(sb, ei->iloc + 32, raw + 32, 32);
	if (!err)
		err = parse_inode(sb, i, ei, raw);
	return err ? err : set_kind(i, ei, sb);
}

struct inode *erofs_iget(struct super *s, u64 nid)
{
	struct inode *i = inode_cache_find(s, nid);
	struct erofs_inode *ei;
	int err;

	if (i)
		return i;
	i = inode_alloc(s);
	if (!i)
		return ERR_PTR(-ENOMEM);
	ei = kzalloc(sizeof *ei);
	if (!ei) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	i->priv = ei;
	i->ino = nid;
	ei->nid = nid;
	ei->sb = s->priv;
	mutex_init(&ei->z_lock);
	err = read_inode(s->priv, i, ei);
	if (!err && ei->xattr_size && !S_ISLNK(i->mode)) {
		err = inode_load_acls(i);
		if (err == -EIO)
			err = erofs_corrupt(&erofs_bad_xattr, s->priv, nid,
					    "an access control list makes no sense");
	}
	if (err) {
		inode_put(i);
		return ERR_PTR(err);
	}
	return inode_cache_add(i);
}

static ssize_t erofs_readlink(struct inode *i, char *buf, size_t size)
{
	size_t len = min((size_t)i->size, size - 1);
	ssize_t n = erofs_file_read(i, 0, buf, len);

	if (n < 0)
		return n;
	buf[n] = 0;
	return memchr(buf, 0, (size_t)n)
		       ? erofs_corrupt(&erofs_bad_inode, i->super->priv, i->ino, "NUL in a link")
		       : n;
}

const struct inode_ops erofs_dir_ops = {
	.lookup = erofs_lookup,
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};

const struct inode_ops erofs_file_inode_ops = {
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};

const struct inode_ops erofs_link_ops = {
	.readlink = erofs_readlink,
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
};

const struct file_ops erofs_dir_fops = {
	.iterate = erofs_iterate,
	.seek = generic_dir_seek,
};

const struct file_ops erofs_file_ops = {
	.read = pagecache_file_read,
	.mmap = pagecache_file_mmap,
	.seek = generic_file_seek,
};
