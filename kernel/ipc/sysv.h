/* SPDX-License-Identifier: BSD-2-Clause */
/* System V IPC: what shared memory, semaphores and message queues have in common. An object has an id, made
 * of a table index and a sequence number, so that the id of a removed object is not soon mistaken for a new
 * one. svipc(7). */
#pragma once

#include "ipc.h"
#include "kernel/mutex.h"
#include "kernel/process.h"
#include <linux/ipc.h>

#define SYSV_INDEX_BITS 15 /* at most 32,768 objects of a kind */

struct sysv_object {
	struct refcount ref; /* the table's and each user's */
	int key, id;
	u32 uid, gid, cuid, cgid, mode;
	bool removed; /* no longer in the table; guarded by the object's own lock */
};

struct sysv_table {
	struct mutex lock; /* guards the rest */
	struct sysv_object **slots;
	unsigned size, used, limit;
	u32 seq;
};

#define SYSV_TABLE(name, max) struct sysv_table name = {.lock = MUTEX_INIT(name.lock), .limit = max}

/* All with the table's lock held. */
/* The object of KEY, no reference; NULL. */
struct sysv_object *sysv_by_key(struct sysv_table *t, int key);
/* Enter O, made for KEY with MODE, with the table's reference; gives it an id. 0, -ENOSPC, -ENOMEM. */
int sysv_insert(struct sysv_table *t, struct sysv_object *o, int key, u32 mode);
/* Take O out. The caller drops the table's reference. */
void sysv_remove(struct sysv_table *t, struct sysv_object *o);

/* Take the lock themselves. With a reference; NULL. INDEX: by table index (SHM_STAT and the like). */
struct sysv_object *sysv_get(struct sysv_table *t, int id);
struct sysv_object *sysv_get_index(struct sysv_table *t, int index);
/* The object with the smallest index >= *INDEX, which moves beyond it; for /proc/sysvipc. */
struct sysv_object *sysv_next(struct sysv_table *t, unsigned *index);
int sysv_highest_index(struct sysv_table *t); /* -1: none */

/* May the caller access O for MODE (bits 4 read, 2 write)? 0, -EACCES. */
int sysv_permission(const struct sysv_object *o, u32 mode);
/* May it remove or change O? 0, -EPERM. */
int sysv_owner(const struct sysv_object *o);
struct ipc64_perm sysv_perm(const struct sysv_object *o);
void sysv_set_perm(struct sysv_object *o, const struct ipc64_perm *in);
/* The rules of xxxget for KEY: the object with a reference, NULL when one is to be made, or ERR_PTR(-ENOENT,
 * -EEXIST, -EACCES). Lock held. */
struct sysv_object *sysv_open(struct sysv_table *t, int key, int flags);

/* Times in the ABI's structures. */
static inline u64 seconds_now(void)
{
	return clock_realtime() / NSEC_PER_SEC;
}
