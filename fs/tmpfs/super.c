/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpfs: files in memory.
 *
 * Theory. A regular file's pages are its page cache, which nothing reclaims; holes have no page. A directory
 * keeps its entries in two trees, by name and by readdir position, and each entry holds its inode, so the
 * directory entry cache is a mere cache here too. Pages and inodes are counted against the instance's limits
 * when they come and go. The VFS calls in with the directory's lock held (and the lock of an inode that is
 * linked or removed), which guards all of it.
 *
 * Options: size=N[kmg%], nr_blocks=N, nr_inodes=N, mode=OCTAL, uid=, gid=; the defaults are half of RAM for
 * each limit. */
#include "base/format.h"
#include "base/string.h"
#include "../vfs/acl.h"
#include "tmpfs.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/init.h"
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/magic.h>

static DEFINE_COUNTER(tmpfs_full, "tmpfs pages or inodes refused by an instance's limit");

static void tmpfs_evict(struct inode *i)
{
	struct tmpfs_super *ts = tmpfs_super(i->super);
	struct tmpfs_inode *ti = tmpfs_inode(i);

	atomic_fetch_sub_explicit(&ts->used_inodes, 1, memory_order_relaxed);
	if (!ti)
		return;
	if (i->flags & INODE_HUGETLB)
		tmpfs_huge_evict(i);
	if (i->cache)
		pagecache_destroy(i->cache);
	if (S_ISDIR(i->mode))
		tmpfs_dir_doom(i);
	kfree(ti->target);
	tmpfs_xattrs_free(ti);
	rcu_kfree(&ti->rcu);
}

static int tmpfs_charge(struct page_cache *c, u64 n)
{
	struct tmpfs_super *ts = tmpfs_super(c->inode->super);
	u64 used = atomic_fetch_add_explicit(&ts->used_blocks, n, memory_order_relaxed);

	if (ts->max_blocks && used + n > ts->max_blocks) {
		atomic_fetch_sub_explicit(&ts->used_blocks, n, memory_order_relaxed);
		counter_inc(&tmpfs_full);
		return -ENOSPC;
	}
	return 0;
}

static void tmpfs_uncharge(struct page_cache *c, u64 n)
{
	atomic_fetch_sub_explicit(&tmpfs_super(c->inode->super)->used_blocks, n, memory_order_relaxed);
}

const struct page_cache_ops tmpfs_cache_ops = {.charge = tmpfs_charge, .uncharge = tmpfs_uncharge};

static int tmpfs_statfs(struct super *s, struct statfs *out)
{
	struct tmpfs_super *ts = tmpfs_super(s);
	u64 used = atomic_load_explicit(&ts->used_blocks, memory_order_relaxed);
	u64 inodes = atomic_load_explicit(&ts->used_inodes, memory_order_relaxed);

	if (ts->max_blocks) {
		out->f_blocks = (long)ts->max_blocks;
		out->f_bfree = out->f_bavail = (long)(ts->max_blocks > used ? ts->max_blocks - used : 0);
	}
	if (ts->max_inodes) {
		out->f_files = (long)ts->max_inodes;
		out->f_ffree = (long)(ts->max_inodes > inodes ? ts->max_inodes - inodes : 0);
	}
	return 0;
}

static void tmpfs_unmount(struct super *s)
{
	kfree(s->priv);
}

static size_t tmpfs_show_options(struct super *s, char *buf, size_t size)
{
	struct tmpfs_super *ts = tmpfs_super(s);
	size_t n = 0;

	if (size)
		*buf = 0;
	if (ts->max_blocks != ts->usual)
		n += (size_t)scnprintf(buf + n, size - n, ",size=%lluk",
				       (unsigned long long)ts->max_blocks * (PAGE_SIZE / 1024));
	if (ts->max_inodes != ts->usual)
		n += (size_t)scnprintf(buf + n, size - n, ",nr_inodes=%llu",
				       (unsigned long long)ts->max_inodes);
	if (ts->mode != 01777)
		n += (size_t)scnprintf(buf + n, size - n, ",mode=%03o", ts->mode);
	if (ts->uid)
		n += (size_t)scnprintf(buf + n, size - n, ",uid=%u", ts->uid);
	if (ts->gid)
		n += (size_t)scnprintf(buf + n, size - n, ",gid=%u", ts->gid);
	return n;
}

struct tmpfs_options {
	u64 blocks, inodes;
	u32 mode, uid, gid;
};

/* One "key=value" of LEN bytes. */
static int parse_option(const char *word, size_t len, u64 ram_pages, struct tmpfs_options *o)
{
	const char *value = memchr(word, '=', len), *end;
	size_t klen = value ? (size_t)(value - word) : len;
	u64 v;

	if (!value)
		return klen == 0 || (klen == 6 && !memcmp(word, "noswap", 6)) ||
				       (klen == 7 &&
					(!memcmp(word, "inode32", 7) || !memcmp(word, "inode64", 7)))
			       ? 0
			       : -EINVAL;
	value++;
	if (klen == 4 && !memcmp(word, "mode", 4)) {
		o->mode = 0;
		for (; value < word + len; value++) {
			if (*value < '0' || *value > '7')
				return -EINVAL;
			o->mode = (o->mode << 3 | (u32)(*value - '0')) & 07777;
		}
		return 0;
	}
	if (klen == 4 && (!memcmp(word, "huge", 4) || !memcmp(word, "mpol", 4)))
		return 0;
	v = str_to_u64(value, &end);
	if (end == value)
		return -EINVAL;
	if (klen == 4 && !memcmp(word, "size", 4)) {
		if (end < word + len && *end == '%') {
			o->blocks = v > 1000 ? ram_pages * 10 : ram_pages * v / 100;
			end++;
		} else {
			o->blocks = v / PAGE_SIZE + (v % PAGE_SIZE != 0);
		}
	} else if (klen == 9 && !memcmp(word, "nr_blocks", 9)) {
		o->blocks = v;
	} else if (klen == 9 && !memcmp(word, "nr_inodes", 9)) {
		o->inodes = v;
	} else if (klen == 3 && !memcmp(word, "uid", 3)) {
		o->uid = (u32)v;
	} else if (klen == 3 && !memcmp(word, "gid", 3)) {
		o->gid = (u32)v;
	} else if (klen == 8 && (!memcmp(word, "pagesize", 8) || !memcmp(word, "min_size", 8))) {
		if (word[0] == 'p' && v != HUGE_SIZE)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	return end == word + len ? 0 : -EINVAL;
}

static int parse_options(const char *s, u64 ram_pages, struct tmpfs_options *o)
{
	while (s && *s) {
		const char *comma = strchr(s, ',');
		size_t len = comma ? (size_t)(comma - s) : strlen(s);
		int err = parse_option(s, len, ram_pages, o);

		if (err)
			return err;
		s += len + (comma != NULL);
	}
	return 0;
}

static int tmpfs_remount(struct super *s, u32 flags, const char *options)
{
	struct tmpfs_super *ts = tmpfs_super(s);
	struct tmpfs_options o = {.blocks = ts->max_blocks, .inodes = ts->max_inodes};
	struct memory_stats m;
	int err;

	memory_stats(&m);
	err = parse_options(options, m.total, &o);
	if (err)
		return err;
	if (o.blocks && o.blocks < ts->used_blocks)
		return -EINVAL;
	ts->max_blocks = o.blocks;
	ts->max_inodes = o.inodes;
	return 0;
}

/* Numbers are not used again, and whatever has a handle is in the inode cache. */
static struct inode *tmpfs_inode_get(struct super *s, u64 ino)
{
	struct inode *i = inode_cache_find(s, ino);

	return i ? i : ERR_PTR(-ESTALE);
}

static const struct super_ops tmpfs_super_ops = {
	.inode_get = tmpfs_inode_get,
	.evict = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.unmount = tmpfs_unmount,
	.show_options = tmpfs_show_options,
	.remount = tmpfs_remount,
};

struct inode *tmpfs_inode_new(struct super *s, const struct inode *dir, u32 mode, u64 rdev)
{
	struct tmpfs_super *ts = tmpfs_super(s);
	struct tmpfs_inode *ti;
	struct inode *i;
	u64 used = atomic_fetch_add_explicit(&ts->used_inodes, 1, memory_order_relaxed);

	if (ts->max_inodes && used >= ts->max_inodes) {
		atomic_fetch_sub_explicit(&ts->used_inodes, 1, memory_order_relaxed);
		counter_inc(&tmpfs_full);
		return ERR_PTR(-ENOSPC);
	}
	i = inode_alloc(s);
	if (!i) {
		atomic_fetch_sub_explicit(&ts->used_inodes, 1, memory_order_relaxed);
		return ERR_PTR(-ENOMEM);
	}
	ti = kzalloc(sizeof *ti);
	if (!ti) {
		inode_put(i); /* evict gives the count back */
		return ERR_PTR(-ENOMEM);
	}
	i->priv = ti;
	list_init(&ti->xattrs);
	inode_init_owner(i, dir, mode);
	if (inode_init_acl(i, dir)) {
		i->mode = 0; /* nothing of a directory's to let go of yet */
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	i->ino = atomic_fetch_add_explicit(&ts->next_ino, 1, memory_order_relaxed);
	i->atime = i->mtime = i->ctime = i->btime = clock_realtime();
	i->rdev = rdev;
	switch (mode & S_IFMT) {
	case S_IFREG:
		i->ops = &tmpfs_file_inode_ops;
		i->fops = &tmpfs_file_ops;
		pagecache_init(&ti->cache, i, &tmpfs_cache_ops);
		ti->cache.seals = F_SEAL_SEAL;
		i->cache = &ti->cache;
		if (ts->huge)
			tmpfs_huge_init(i);
		break;
	case S_IFDIR:
		i->ops = &tmpfs_dir_ops;
		i->fops = &tmpfs_dir_fops;
		i->nlink = 2;
		i->size = 2 * TMPFS_DIRENT_SIZE;
		ti->names = ti->positions = RB_ROOT;
		ti->next_pos = 2;
		break;
	case S_IFLNK:
		i->ops = &tmpfs_link_ops;
		break;
	default:
		i->ops = &tmpfs_special_ops;
	}
	return i;
}

struct super *tmpfs_super_make(const struct fs_type *t, const char *options, bool memfd)
{
	struct tmpfs_options o = {.mode = 01777};
	struct memory_stats m;
	struct tmpfs_super *ts;
	struct super *s;
	struct inode *root;
	u64 usual = 0;
	int err;

	memory_stats(&m);
	if (!memfd && t != &hugetlbfs_type)
		o.blocks = o.inodes = usual = max(m.total / 2, 16ull);
	err = parse_options(options, m.total, &o);
	if (err)
		return ERR_PTR(err);
	ts = kzalloc(sizeof *ts);
	if (!ts)
		return ERR_PTR(-ENOMEM);
	ts->max_blocks = o.blocks;
	ts->max_inodes = o.inodes;
	ts->usual = usual;
	ts->mode = o.mode;
	ts->uid = o.uid;
	ts->gid = o.gid;
	ts->memfd = memfd;
	ts->huge = t == &hugetlbfs_type;
	ts->next_ino = 1;
	spin_init(&ts->doomed_lock);
	list_init(&ts->doomed);
	s = super_create(t, &tmpfs_super_ops, ts->huge ? HUGETLBFS_MAGIC : TMPFS_MAGIC,
			 ts->huge ? HUGE_SIZE : PAGE_SIZE);
	if (!s) {
		kfree(ts);
		return ERR_PTR(-ENOMEM);
	}
	s->priv = ts;
	s->cache_negative = true;
	s->acl = !ts->huge;
	root = tmpfs_inode_new(s, NULL, S_IFDIR | o.mode, 0);
	if (!IS_ERR(root)) {
		root->uid = o.uid;
		root->gid = o.gid;
	}
	err = super_set_root(s, root);
	if (err) {
		super_put(s);
		return ERR_PTR(err);
	}
	return s;
}

static struct super *tmpfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *options)
{
	return tmpfs_super_make(t, options, false);
}

struct fs_type tmpfs_type = {.name = "tmpfs", .nodev = true, .mount = tmpfs_mount};
struct fs_type hugetlbfs_type = {.name = "hugetlbfs", .nodev = true, .mount = tmpfs_mount};

static int tmpfs_init(void)
{
	int err = fs_register(&tmpfs_type);

	return err ? err : fs_register(&hugetlbfs_type);
}
INITCALL(tmpfs_init, INIT_FS);
