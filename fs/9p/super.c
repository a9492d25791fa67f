/* SPDX-License-Identifier: BSD-2-Clause */
/* 9p: a folder of the host as a file system, over 9P2000.L. README.md tells how it works. */
#include "p9.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/init.h"
#include <asm/statfs.h>
#include <linux/magic.h>
#include <linux/mount.h>

#define BLOCK_MOST (64u << 10) /* st_blksize: what C libraries take for buffers of */

static int super_statfs(struct super *s, struct statfs *out)
{
	struct p9_fid *f = p9_path_fid(s->root->inode);
	struct p9_statfs st;
	int err = p9_statfs(f, &st);

	p9_fid_put(f);
	if (err)
		return err;
	out->f_bsize = out->f_frsize = st.bsize;
	out->f_blocks = (long)st.blocks;
	out->f_bfree = (long)st.bfree;
	out->f_bavail = (long)st.bavail;
	out->f_files = (long)st.files;
	out->f_ffree = (long)st.ffree;
	out->f_namelen = st.namelen;
	out->f_fsid.val[0] = (int)st.fsid;
	out->f_fsid.val[1] = (int)(st.fsid >> 32);
	return 0;
}

static void super_unmount(struct super *s)
{
	struct p9_super *ps = p9_super(s);
	struct p9_transport *t;

	if (!ps)
		return;
	p9_flusher_remove(ps);
	t = ps->client->transport;
	p9_client_destroy(ps->client);
	p9_transport_give(t);
	kfree(ps);
}

static int super_remount(struct super *s, u32 flags, const char *options)
{
	int err = flags & MS_RDONLY ? p9_sync(s) : 0;

	s->read_only = flags & MS_RDONLY;
	return err;
}

static const struct super_ops super_ops = {
	.evict = p9_evict,
	.statfs = super_statfs,
	.sync = p9_sync,
	.writeback = p9_writeback_some,
	.unmount = super_unmount,
	.show_options = p9_show_options,
	.remount = super_remount,
};

static struct p9_super *super_priv(struct p9_client *c, const struct p9_options *o)
{
	struct p9_super *ps = kzalloc(sizeof *ps);

	if (!ps)
		return NULL;
	ps->client = c;
	ps->cache = o->cache;
	ps->access_uid = o->access_uid;
	ps->access_client = o->access_client;
	ps->attach_uid = o->access_uid != P9_NONUNAME ? o->access_uid : o->default_uid;
	str_copy(ps->aname, o->aname, sizeof ps->aname);
	mutex_init(&ps->sync_lock);
	spin_init(&ps->lock);
	list_init(&ps->mapped);
	return ps;
}

static struct super *super_mount(const struct fs_type *t, const char *source, u32 flags, const char *options)
{
	struct p9_transport *transport;
	struct p9_client *c;
	struct p9_options o;
	struct p9_fid *root;
	struct super *s;
	int err = p9_options_parse(options, &o);

	if (err)
		return ERR_PTR(err);
	transport = p9_transport_take(source);
	if (IS_ERR(transport))
		return (struct super *)transport;
	c = p9_client_create(transport, o.msize);
	if (IS_ERR(c)) {
		p9_transport_give(transport);
		return (struct super *)c;
	}
	s = super_create(t, &super_ops, V9FS_MAGIC, min(c->payload, BLOCK_MOST));
	if (s)
		s->priv = super_priv(c, &o);
	if (!s || !s->priv) {
		if (s)
			super_put(s);
		p9_client_destroy(c);
		p9_transport_give(transport);
		return ERR_PTR(-ENOMEM);
	}
	p9_flusher_add(s);
	s->read_only = flags & MS_RDONLY;
	err = p9_attach(c, o.uname, o.aname, p9_super(s)->attach_uid, &root);
	if (!err)
		err = super_set_root(s, p9_iget(s, root));
	if (!err && !S_ISDIR(s->root->inode->mode))
		err = -ENOTDIR;
	if (err) {
		super_put(s);
		return ERR_PTR(err);
	}
	return s;
}

static struct fs_type p9_type = {.name = "9p", .nodev = true, .mount = super_mount};

static int p9_init(void)
{
	return fs_register(&p9_type);
}
INITCALL(p9_init, INIT_FS);
