/* SPDX-License-Identifier: BSD-2-Clause */
/* Access control lists: POSIX 1003.1e draft 17 as Linux has it, acl(5).
 *
 * An inode points to its two lists; they are sorted as acl(5) says, read under RCU, replaced as a whole under
 * the inode's lock, and shared by reference (a directory's default list with what is made in it, an overlay's
 * inode with the real one). A chmod edits the permissions of an access list in place: a check that races
 * takes effect before or after. Applications see them as the attributes system.posix_acl_access and _default:
 * a version, then entries of eight bytes. */
#include "acl.h"
#include "base/string.h"
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

struct posix_acl {
	struct refcount ref;
	struct rcu_head rcu;
	u32 n;
	struct acl_entry {
		u16 tag, perm;
		u32 id;
	} e[];
};

static struct posix_acl *acl_alloc(u32 n)
{
	struct posix_acl *a = kzalloc(sizeof *a + n * sizeof a->e[0]);

	if (!a)
		return NULL;
	refcount_set(&a->ref, 1);
	a->n = n;
	return a;
}

static struct posix_acl *acl_copy(const struct posix_acl *from)
{
	struct posix_acl *a = acl_alloc(from->n);

	if (a)
		memcpy(a->e, from->e, from->n * sizeof a->e[0]);
	return a;
}

static void acl_free_rcu(struct rcu_head *head)
{
	kfree(container_of(head, struct posix_acl, rcu));
}

void acl_put(struct posix_acl *a)
{
	if (a && refcount_put(&a->ref))
		rcu_call(&a->rcu, acl_free_rcu);
}

static void replace(struct posix_acl **where, struct posix_acl *a)
{
	struct posix_acl *old = *where;

	if (a)
		refcount_get(&a->ref);
	rcu_assign_pointer(*where, a);
	acl_put(old);
}

void inode_share_acls(struct inode *i, const struct inode *from)
{
	if (unlikely(i->acl != from->acl))
		replace(&i->acl, from->acl);
	if (unlikely(i->default_acl != from->default_acl))
		replace(&i->default_acl, from->default_acl);
}

/* ---- what they mean ---- */

/* The first entry of TAG; NULL: none. */
static const struct acl_entry *entry_of(const struct posix_acl *a, u16 tag)
{
	for (u32 n = 0; n < a->n; n++)
		if (a->e[n].tag == tag)
			return &a->e[n];
	return NULL;
}

/* User owner, users, group owner, groups, mask, others, in this order; a mask when there are named ones. */
static bool valid(const struct posix_acl *a)
{
	static const u8 rank[] = {[ACL_USER_OBJ] = 1, [ACL_USER] = 2, [ACL_GROUP_OBJ] = 3,
				  [ACL_GROUP] = 4,    [ACL_MASK] = 5, [ACL_OTHER] = 6};
	bool named = false;
	u8 at = 0;

	for (u32 n = 0; n < a->n; n++) {
		const struct acl_entry *e = &a->e[n];
		bool many = e->tag == ACL_USER || e->tag == ACL_GROUP;
		u8 r = e->tag < ARRAY_SIZE(rank) ? rank[e->tag] : 0;

		if (!r || e->perm & ~7u || r < at || (r == at && !many))
			return false;
		if (many && e->id == (u32)ACL_UNDEFINED_ID)
			return false;
		named |= many;
		at = r;
	}
	return entry_of(a, ACL_USER_OBJ) && entry_of(a, ACL_GROUP_OBJ) && entry_of(a, ACL_OTHER) &&
	       (!named || entry_of(a, ACL_MASK));
}

/* The nine bits that stat shows of A; *MORE: it says more than they do. */
static u32 mode_of(const struct posix_acl *a, bool *more)
{
	const struct acl_entry *mask = entry_of(a, ACL_MASK);

	*more = a->n > 3;
	return (u32)(entry_of(a, ACL_USER_OBJ)->perm << 6 |
		     (mask ? mask : entry_of(a, ACL_GROUP_OBJ))->perm << 3 | entry_of(a, ACL_OTHER)->perm);
}

void acl_chmod(struct posix_acl *a, u32 mode)
{
	bool masked = entry_of(a, ACL_MASK);

	for (u32 n = 0; n < a->n; n++) {
		struct acl_entry *e = &a->e[n];

		if (e->tag == ACL_USER_OBJ)
			WRITE_ONCE(e->perm, (u16)(mode >> 6 & 7));
		else if (e->tag == (masked ? ACL_MASK : ACL_GROUP_OBJ))
			WRITE_ONCE(e->perm, (u16)(mode >> 3 & 7));
		else if (e->tag == ACL_OTHER)
			WRITE_ONCE(e->perm, (u16)(mode & 7));
	}
}

static int grants(const struct posix_acl *a, u32 perm, u32 want, bool masked)
{
	const struct acl_entry *mask = masked ? entry_of(a, ACL_MASK) : NULL;

	return want & ~(mask ? perm & mask->perm : perm) ? -EACCES : 0;
}

static int check(const struct posix_acl *a, const struct inode *i, const struct creds *c, u32 want)
{
	bool in_some_group = false;

	for (u32 n = 0; n < a->n; n++) {
		const struct acl_entry *e = &a->e[n];

		switch (e->tag) {
		case ACL_USER_OBJ:
			if (c->uid == i->uid)
				return grants(a, e->perm, want, false);
			break;
		case ACL_USER:
			if (c->uid == e->id)
				return grants(a, e->perm, want, true);
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!creds_in_group(c, e->tag == ACL_GROUP ? e->id : i->gid))
				break;
			in_some_group = true;
			if (!(want & ~(u32)e->perm))
				return grants(a, e->perm, want, true);
			break;
		case ACL_OTHER:
			return in_some_group ? -EACCES : grants(a, e->perm, want, false);
		}
	}
	return -EACCES;
}

int acl_permission(const struct creds *c, struct inode *i, u32 want)
{
	const struct posix_acl *a;
	int err;

	rcu_read_lock();
	a = rcu_dereference(i->acl);
	err = a ? check(a, i, c, want) : -EAGAIN;
	rcu_read_unlock();
	return err;
}

/* ---- new files ---- */

/* What is left of MODE under default list A, whose owner, mask and others entries lose what MODE lacks. */
static u32 restrict_to(struct posix_acl *a, u32 mode)
{
	bool more;

	acl_chmod(a, mode & mode_of(a, &more));
	return (mode & ~0777u) | mode_of(a, &more);
}

int inode_init_acl(struct inode *i, const struct inode *dir)
{
	struct posix_acl *a;
	bool more;

	if (likely(!dir || !dir->default_acl) || S_ISLNK(i->mode))
		return 0;
	a = acl_copy(dir->default_acl);
	if (!a)
		return -ENOMEM;
	i->mode = restrict_to(a, i->mode);
	mode_of(a, &more);
	if (more)
		i->acl = a;
	else
		acl_put(a);
	if (S_ISDIR(i->mode))
		replace(&i->default_acl, dir->default_acl);
	return 0;
}

/* ---- as attributes ---- */

ssize_t acl_xattr_get(struct inode *i, bool dflt, void *buf, size_t size)
{
	const struct posix_acl *a = dflt ? i->default_acl : i->acl;
	struct posix_acl_xattr_header *h = buf;
	struct posix_acl_xattr_entry *e = (struct posix_acl_xattr_entry *)(h + 1);
	size_t need;

	if (!i->super->acl || S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (!a)
		return -ENODATA;
	need = sizeof *h + a->n * sizeof *e;
	if (!size)
		return (ssize_t)need;
	if (size < need)
		return -ERANGE;
	h->a_version = POSIX_ACL_XATTR_VERSION;
	for (u32 n = 0; n < a->n; n++)
		e[n] = (struct posix_acl_xattr_entry){
			.e_tag = a->e[n].tag, .e_perm = a->e[n].perm, .e_id = a->e[n].id};
	return (ssize_t)need;
}

/* An attribute's value as a list; NULL when it has no entries. ERR_PTR. */
static struct posix_acl *parse(const void *buf, size_t size)
{
	const struct posix_acl_xattr_header *h = buf;
	const struct posix_acl_xattr_entry *e = (const struct posix_acl_xattr_entry *)(h + 1);
	struct posix_acl *a;
	u32 n;

	if (!size)
		return NULL;
	if (size < sizeof *h)
		return ERR_PTR(-EINVAL);
	if (h->a_version != POSIX_ACL_XATTR_VERSION)
		return ERR_PTR(-EOPNOTSUPP);
	if ((size - sizeof *h) % sizeof *e)
		return ERR_PTR(-EINVAL);
	n = (u32)((size - sizeof *h) / sizeof *e);
	if (!n)
		return NULL;
	a = acl_alloc(n);
	if (!a)
		return ERR_PTR(-ENOMEM);
	for (u32 k = 0; k < n; k++) {
		bool named = e[k].e_tag == ACL_USER || e[k].e_tag == ACL_GROUP;

		a->e[k] = (struct acl_entry){.tag = e[k].e_tag,
					     .perm = e[k].e_perm,
					     .id = named ? e[k].e_id : (u32)ACL_UNDEFINED_ID};
	}
	if (valid(a))
		return a;
	acl_put(a);
	return ERR_PTR(-EINVAL);
}

void inode_set_acl(struct inode *i, bool dflt, struct posix_acl *a)
{
	bool more = false;
	u32 mode;

	if (dflt) {
		replace(&i->default_acl, a);
		return;
	}
	if (a) {
		mode = (i->mode & ~0777u) | mode_of(a, &more);
		if (!cred_in_group(current_cred(), i->gid) && !process_capable(CAP_FSETID))
			mode &= ~(u32)S_ISGID;
		i->mode = mode;
	}
	replace(&i->acl, more ? a : NULL);
}

int acl_xattr_set(struct inode *i, bool dflt, const void *buf, size_t size)
{
	struct posix_acl *a;
	int err = 0;

	if (!i->super->acl || S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	a = parse(buf, size);
	if (IS_ERR(a))
		return (int)PTR_ERR(a);
	if (dflt && !S_ISDIR(i->mode))
		err = a ? -EACCES : 0;
	else if (!inode_owner_or_capable(i))
		err = -EPERM;
	else if (i->ops->set_acl)
		err = i->ops->set_acl(i, dflt, a);
	else
		inode_set_acl(i, dflt, a);
	acl_put(a);
	return err;
}

int inode_load_acls(struct inode *i)
{
	static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default"};
	char buf[sizeof(struct posix_acl_xattr_header) + 32 * sizeof(struct posix_acl_xattr_entry)];

	for (int dflt = 0; dflt < 2; dflt++) {
		ssize_t n = i->ops->getxattr(i, names[dflt], buf, sizeof buf);
		struct posix_acl *a = n > 0 ? parse(buf, (size_t)n) : NULL;

		if (n < 0 && n != -ENODATA)
			return n == -ERANGE ? -EIO : (int)n;
		if (IS_ERR(a))
			return PTR_ERR(a) == -ENOMEM ? -ENOMEM : -EIO;
		*(dflt ? &i->default_acl : &i->acl) = a;
	}
	return 0;
}
