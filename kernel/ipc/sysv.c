// SPDX-License-Identifier: BSD-2-Clause
/* System V IPC objects: the table, keys, ids and permissions (svipc(7)). */
#include "sysv.h"
#include <linux/capability.h>

#define FIRST_SIZE 16

struct sysv_object *sysv_by_key(struct sysv_table *t, int key)
{
	for (unsigned i = 0; i < t->size; i++)
		if (t->slots[i] && t->slots[i]->key == key && key != IPC_PRIVATE)
			return t->slots[i];
	return NULL;
}

static int grow(struct sysv_table *t)
{
	unsigned size = t->size ? t->size * 2 : FIRST_SIZE;
	struct sysv_object **slots = krealloc(t->slots, size * sizeof *slots);

	if (!slots)
		return -ENOMEM;
	memset(slots + t->size, 0, (size - t->size) * sizeof *slots);
	t->slots = slots;
	t->size = size;
	return 0;
}

int sysv_insert(struct sysv_table *t, struct sysv_object *o, int key, u32 mode)
{
	unsigned i;

	if (t->used >= t->limit)
		return -ENOSPC;
	if (t->used == t->size && grow(t))
		return -ENOMEM;
	for (i = 0; t->slots[i]; i++)
		;
	refcount_set(&o->ref, 1);
	o->key = key;
	o->id = (int)((t->seq++ & 0xffff) << SYSV_INDEX_BITS | i);
	o->uid = o->cuid = current_cred()->euid;
	o->gid = o->cgid = current_cred()->egid;
	o->mode = mode & 0777;
	t->slots[i] = o;
	t->used++;
	return 0;
}

static unsigned index_of(int id)
{
	return (unsigned)id & ((1u << SYSV_INDEX_BITS) - 1);
}

void sysv_remove(struct sysv_table *t, struct sysv_object *o)
{
	t->slots[index_of(o->id)] = NULL;
	t->used--;
}

static struct sysv_object *get_slot(struct sysv_table *t, unsigned i)
{
	struct sysv_object *o = i < t->size ? t->slots[i] : NULL;

	if (o)
		refcount_get(&o->ref);
	return o;
}

struct sysv_object *sysv_get(struct sysv_table *t, int id)
{
	struct sysv_object *o = NULL;
	unsigned i = index_of(id);

	mutex_lock(&t->lock);
	if (id >= 0 && i < t->size && t->slots[i] && t->slots[i]->id == id)
		o = get_slot(t, i);
	mutex_unlock(&t->lock);
	return o;
}

struct sysv_object *sysv_get_index(struct sysv_table *t, int index)
{
	struct sysv_object *o = NULL;

	mutex_lock(&t->lock);
	if (index >= 0)
		o = get_slot(t, (unsigned)index);
	mutex_unlock(&t->lock);
	return o;
}

struct sysv_object *sysv_next(struct sysv_table *t, unsigned *index)
{
	struct sysv_object *o = NULL;

	mutex_lock(&t->lock);
	while (!o && *index < t->size)
		o = get_slot(t, (*index)++);
	mutex_unlock(&t->lock);
	return o;
}

int sysv_highest_index(struct sysv_table *t)
{
	int i;

	mutex_lock(&t->lock);
	for (i = (int)t->size - 1; i >= 0 && !t->slots[i]; i--)
		;
	mutex_unlock(&t->lock);
	return i;
}

int sysv_permission(const struct sysv_object *o, u32 mode)
{
	const struct cred *c = current_cred();
	u32 granted = o->mode;

	if (c->euid == o->uid || c->euid == o->cuid)
		granted >>= 6;
	else if (cred_in_group(c, o->gid) || cred_in_group(c, o->cgid))
		granted >>= 3;
	return (mode & ~granted & 7) && !process_capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

int sysv_owner(const struct sysv_object *o)
{
	u32 euid = current_cred()->euid;

	return euid == o->uid || euid == o->cuid || process_capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

struct ipc64_perm sysv_perm(const struct sysv_object *o)
{
	return (struct ipc64_perm){
		.key = o->key,
		.uid = o->uid,
		.gid = o->gid,
		.cuid = o->cuid,
		.cgid = o->cgid,
		.mode = (__kernel_mode_t)o->mode,
		.seq = (unsigned short)(o->id >> SYSV_INDEX_BITS),
	};
}

void sysv_set_perm(struct sysv_object *o, const struct ipc64_perm *in)
{
	o->uid = in->uid;
	o->gid = in->gid;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777);
}

struct sysv_object *sysv_open(struct sysv_table *t, int key, int flags)
{
	struct sysv_object *o = key == IPC_PRIVATE ? NULL : sysv_by_key(t, key);
	u32 want = (u32)(flags >> 6 | flags >> 3 | flags) & 7;
	int err;

	if (!o)
		return key == IPC_PRIVATE || flags & IPC_CREAT ? NULL : ERR_PTR(-ENOENT);
	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return ERR_PTR(-EEXIST);
	err = sysv_permission(o, want);
	if (err)
		return ERR_PTR(err);
	refcount_get(&o->ref);
	return o;
}
