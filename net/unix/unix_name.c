/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of AF_UNIX sockets: in the file system (inode->special points at the socket), abstract (a hash
 * table), autobound. */
#include "base/err.h"
#include "base/format.h"
#include "base/siphash.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/random.h"
#include "net/unix.h"

#define NAME_OFF ((int)offsetof(struct sockaddr_un, sun_path))
#define BUCKETS	 256

static struct spinlock table_lock =
	SPINLOCK_INIT; /* guards buckets, the list of all, inode->special of sockets */
static struct hlist buckets[BUCKETS];
static LIST_HEAD(all);
static u32 next_autobind;

void unix_name_put(struct unix_name *n)
{
	if (n && refcount_put(&n->ref))
		kfree(n);
}

void unix_list_add(struct unix_sock *u)
{
	spin_lock(&table_lock);
	list_add_tail(&u->all_node, &all);
	spin_unlock(&table_lock);
}

void unix_list_del(struct unix_sock *u)
{
	spin_lock(&table_lock);
	list_del_init(&u->all_node);
	spin_unlock(&table_lock);
}

void unix_for_each(bool (*fn)(struct unix_sock *, void *), void *arg)
{
	struct unix_sock *u;

	spin_lock(&table_lock);
	list_for_each_entry (u, &all, all_node)
		if (!fn(u, arg))
			break;
	spin_unlock(&table_lock);
}

static struct hlist *bucket(const struct sockaddr_un *a, int len)
{
	struct siphash_key key = {
		{0x756e6978, 0}}; /* names are chosen by our own applications: no secret is needed */

	return &buckets[siphash(a->sun_path, (size_t)(len - NAME_OFF), &key) % BUCKETS];
}

static struct unix_sock *find_abstract(const struct sockaddr_un *a, int len)
{
	struct unix_sock *u;

	hlist_for_each_entry(u, bucket(a, len),
			     hash) if (u->name->len == len && memcmp(u->name->addr.sun_path, a->sun_path,
								     (size_t)(len - NAME_OFF)) == 0) return u;
	return NULL;
}

/* Copy and check ADDR. A path name is terminated; *LEN becomes its exact length. */
static int normalize(const struct sockaddr *addr, int *len, struct sockaddr_un *out)
{
	int n = *len;

	if (n <= NAME_OFF || n > (int)sizeof(*out) || addr->sa_family != AF_UNIX)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	memcpy(out, addr, (size_t)n);
	if (out->sun_path[0])
		*len = NAME_OFF + (int)strnlen(out->sun_path, (size_t)(n - NAME_OFF)) + 1;
	return 0;
}

static struct unix_name *name_new(const struct sockaddr_un *a, int len)
{
	struct unix_name *n = kzalloc(sizeof(*n) + 1); /* a path of 108 bytes is followed by a NUL */

	if (!n)
		return NULL;
	refcount_set(&n->ref, 1);
	n->len = len;
	memcpy(&n->addr, a, (size_t)min(len, (int)sizeof(*a)));
	n->addr.sun_family = AF_UNIX;
	return n;
}

/* Give U the name N unless it has one or the abstract name is taken. Takes N over on success. */
static int set_name(struct unix_sock *u, struct unix_name *n, bool abstract)
{
	int err = 0;

	spin_lock(&table_lock);
	if (u->name) {
		err = -EINVAL;
	} else if (abstract && find_abstract(&n->addr, n->len)) {
		err = -EADDRINUSE;
	} else {
		rcu_assign_pointer(u->name, n);
		if (abstract)
			hlist_add(bucket(&n->addr, n->len), &u->hash);
	}
	spin_unlock(&table_lock);
	return err;
}

int unix_autobind(struct unix_sock *u)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct unix_name *n;
	char digits[8];
	int err = -ENOSPC;

	if (u->name)
		return 0;
	n = name_new(&a, NAME_OFF + 6);
	if (!n)
		return -ENOMEM;
	for (unsigned i = 0; i < 0x100000 && err; i++) {
		snprintf(digits, sizeof(digits), "%05x", next_autobind++ & 0xfffff);
		memcpy(n->addr.sun_path + 1, digits, 5);
		err = set_name(u, n, true);
		if (err == -EINVAL) { /* another thread named it */
			kfree(n);
			return 0;
		}
	}
	if (err)
		kfree(n);
	return err;
}

static int bind_path(struct unix_sock *u, struct unix_name *n)
{
	struct path path;
	int err;

	if (u->name) { /* Linux looks at the path first */
		err = vfs_lookup(n->addr.sun_path, false, &path);
		if (!err)
			path_put(&path);
		return err ? -EINVAL : -EADDRINUSE;
	}
	err = vfs_mknod(n->addr.sun_path, S_IFSOCK | 0777, 0, &path);
	if (err)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = set_name(u, n, false);
	if (err) {
		path_put(&path);
		return err;
	}
	spin_lock(&table_lock);
	u->path = path;
	path.dentry->inode->special = u;
	spin_unlock(&table_lock);
	return 0;
}

int unix_bind(struct socket *s, const struct sockaddr *addr, int len)
{
	struct unix_sock *u = unix_sk(s);
	struct sockaddr_un a;
	struct unix_name *n;
	int err;

	if (len == NAME_OFF && addr->sa_family == AF_UNIX)
		return unix_autobind(u);
	err = normalize(addr, &len, &a);
	if (err)
		return err;
	n = name_new(&a, len);
	if (!n)
		return -ENOMEM;
	err = a.sun_path[0] ? bind_path(u, n) : set_name(u, n, true);
	if (err)
		kfree(n);
	return err;
}

void unix_unbind(struct unix_sock *u)
{
	struct path path;

	spin_lock(&table_lock);
	hlist_del(&u->hash);
	path = u->path;
	u->path = (struct path){};
	if (path.dentry && path.dentry->inode && path.dentry->inode->special == u)
		path.dentry->inode->special = NULL;
	spin_unlock(&table_lock);
	if (path.dentry)
		path_put(&path);
}

static struct unix_sock *find_path(const char *name)
{
	struct unix_sock *u = NULL;
	struct path path;
	int err = vfs_lookup(name, true, &path);

	if (err)
		return ERR_PTR(err);
	err = path.dentry->inode ? inode_permission(path.dentry->inode, MAY_WRITE) : 0;
	if (err) {
		path_put(&path);
		return ERR_PTR(err);
	}
	spin_lock(&table_lock);
	if (path.dentry->inode && (path.dentry->inode->mode & S_IFMT) == S_IFSOCK)
		u = path.dentry->inode->special;
	if (u && !refcount_get_unless_zero(&u->s.ref))
		u = NULL;
	spin_unlock(&table_lock);
	path_put(&path);
	return u ? u : ERR_PTR(-ECONNREFUSED);
}

struct unix_sock *unix_find(const struct sockaddr *addr, int len, int type)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct sockaddr_un a;
	struct unix_sock *u;
	int err = normalize(addr, &len, &a);

	if (err)
		return ERR_PTR(err);
	if (a.sun_path[0]) {
		memcpy(path, a.sun_path, sizeof(a.sun_path));
		path[sizeof(path) - 1] = 0;
		u = find_path(path);
		if (IS_ERR(u))
			return u;
	} else {
		spin_lock(&table_lock);
		u = find_abstract(&a, len);
		if (u && !refcount_get_unless_zero(&u->s.ref))
			u = NULL;
		spin_unlock(&table_lock);
		if (!u)
			return ERR_PTR(-ECONNREFUSED);
	}
	if (u->s.type != type) {
		unix_put(u);
		return ERR_PTR(-EPROTOTYPE);
	}
	return u;
}

int unix_getname(struct socket *s, struct sockaddr *addr, bool peer)
{
	struct unix_sock *u = unix_sk(s), *p = NULL;
	struct unix_name *n;
	int len = NAME_OFF;

	if (peer) {
		p = unix_peer_get(u);
		if (!p)
			return -ENOTCONN;
		u = p;
	}
	addr->sa_family = AF_UNIX;
	n = rcu_dereference(u->name);
	if (n) {
		len = n->len;
		memcpy(addr, &n->addr, (size_t)min(len, (int)sizeof(n->addr)));
		if (len > (int)sizeof(n->addr))
			((char *)addr)[sizeof(n->addr)] = 0;
	}
	if (p)
		unix_put(p);
	return len;
}
