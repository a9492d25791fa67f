/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket dumps of AF_UNIX. */
#include "base/err.h"
#include "base/string.h"
#include "kernel/init.h"
#include "net/sock_diag.h"
#include "net/unix.h"

enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_LISTEN = 10 }; /* TCP's numbers */

struct unix_walk {
	struct nl_request *r;
	const struct unix_diag_req *q;
	struct nl_msg *m;
	u64 n, *cursor;
	bool full, found;
};

static u8 shown_state(const struct unix_sock *u)
{
	switch (READ_ONCE(u->state)) {
	case UNIX_LISTEN:
		return STATE_LISTEN;
	case UNIX_CONNECTED:
		return STATE_ESTABLISHED;
	}
	return STATE_CLOSE;
}

static void put_queues(struct nl_msg *m, struct unix_sock *u)
{
	bool listen = u->state == UNIX_LISTEN;
	struct unix_diag_rqlen q = {.udiag_rqueue = listen ? u->accept_count : (u32)u->rx_bytes,
				    .udiag_wqueue = listen ? u->backlog : atomic_load(&u->s.wmem)};

	nl_attr(m, UNIX_DIAG_RQLEN, &q, sizeof(q));
}

/* U's lock is held: its peer and name stay. */
static void put_attrs(struct unix_walk *w, struct unix_sock *u)
{
	u32 show = w->q->udiag_show, mem[9] = {0, u->s.rcvbuf, 0, u->s.sndbuf, 0, atomic_load(&u->s.wmem)};

	if ((show & UDIAG_SHOW_NAME) && u->name)
		nl_attr(w->m, UNIX_DIAG_NAME, u->name->addr.sun_path,
			(size_t)u->name->len - offsetof(struct sockaddr_un, sun_path));
	if ((show & UDIAG_SHOW_VFS) && u->path.dentry) {
		struct unix_diag_vfs v = {.udiag_vfs_ino = (u32)u->path.dentry->inode->ino};

		nl_attr(w->m, UNIX_DIAG_VFS, &v, sizeof(v));
	}
	if ((show & UDIAG_SHOW_PEER) && u->peer)
		nl_attr_u32(w->m, UNIX_DIAG_PEER, (u32)u->peer->s.id);
	if (show & UDIAG_SHOW_RQLEN)
		put_queues(w->m, u);
	if (show & UDIAG_SHOW_MEMINFO)
		nl_attr(w->m, UNIX_DIAG_MEMINFO, mem, sizeof(mem));
	if (show & UDIAG_SHOW_UID)
		nl_attr_u32(w->m, UNIX_DIAG_UID, u->cred.id.uid);
	nl_attr_u8(w->m, UNIX_DIAG_SHUTDOWN, u->s.shutdown);
}

static bool unix_entry(struct unix_sock *u, void *arg)
{
	struct unix_walk *w = arg;
	struct unix_diag_msg *d;
	u8 state = shown_state(u);

	if (w->r->dump) {
		if (!(w->q->udiag_states >> state & 1) || w->n++ < *w->cursor)
			return true;
	} else if (w->q->udiag_ino != (u32)u->s.id) {
		return true;
	}
	w->found = true;
	d = nl_begin(w->m, w->r->portid, w->r->nlh->nlmsg_seq, SOCK_DIAG_BY_FAMILY, w->r->answer_flags,
		     sizeof(*d));
	d->udiag_family = AF_UNIX;
	d->udiag_type = u->s.type;
	d->udiag_state = state;
	d->udiag_ino = (u32)u->s.id;
	d->udiag_cookie[0] = (u32)u->s.id;
	d->udiag_cookie[1] = (u32)(u->s.id >> 32);
	spin_lock(&u->lock);
	put_attrs(w, u);
	spin_unlock(&u->lock);
	w->full = !nl_end(w->m);
	if (!w->full)
		*w->cursor = w->n;
	return w->r->dump && !w->full;
}

static int unix_diag_request(struct nl_request *r, struct nl_msg *m, u64 *cursor)
{
	struct unix_walk w = {.r = r, .q = NLMSG_DATA((struct nlmsghdr *)r->nlh), .m = m, .cursor = cursor};

	if (r->nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*w.q)))
		return -EINVAL;
	if (!r->dump && !w.q->udiag_ino)
		return -EINVAL;
	unix_for_each(unix_entry, &w);
	if (r->dump)
		return w.full;
	return w.full ? -EMSGSIZE : w.found ? 0 : -ENOENT;
}

static int unix_diag_init(void)
{
	sock_diag_serve_unix(unix_diag_request);
	return 0;
}
INITCALL(unix_diag_init, INIT_NET);
