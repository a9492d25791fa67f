/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials: who a thread is and what it may do (credentials(7), capabilities(7)). Owner:
 * kernel/proc/cred.c.
 *
 * A struct cred is constant once a thread has it. Threads share one; who changes something makes a copy,
 * edits that and puts it in place of his own (cred_prepare, cred_commit). The current thread reads its own
 * without lock or reference, for as long as it does not change it; others' are read under RCU, or with a
 * reference. process.cred is the leader's: what others judge the process by. */
#pragma once

#include "base/bits.h"
#include "base/refcount.h"
#include "kernel/rcu.h"
#include "kernel/thread.h"

/* Supplementary groups: sorted, constant, shared by reference. */
struct group_list {
	struct refcount ref;
	u32 n;
	u32 gid[];
};

struct cred {
	struct refcount ref;
	u32 uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	u32 securebits;
	u64 cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	struct group_list *groups; /* NULL: none */
	struct rcu_head rcu;
};

extern struct cred kernel_cred; /* of kernel threads: root, with all capabilities */

#define current_cred() ((const struct cred *)current->cred)

/* A copy of the current thread's to edit, or NULL; then one of: */
struct cred *cred_prepare(void);
void cred_commit(
	struct cred *new); /* make it the current thread's, with what follows from a change of rights */
void cred_abort(struct cred *new);
/* The same for T, which is the current thread or does not run yet, without what follows. */
void cred_install(struct thread *t, struct cred *new);

static inline struct cred *cred_get(struct cred *c)
{
	refcount_get(&c->ref);
	return c;
}
void cred_put(struct cred *c);

/* Others' credentials, with a reference. */
struct cred *thread_cred_get(struct thread *t);
struct cred *process_cred_get(struct process *p);
u32 process_uid(struct process *p); /* its real user */

static inline bool cred_capable(const struct cred *c, int cap)
{
	return c->cap_effective >> cap & 1;
}

/* CAP_*: of the current thread. */
static inline bool process_capable(int cap)
{
	return cred_capable(current_cred(), cap);
}

bool group_list_has(const struct group_list *g, u32 gid);

/* Is GID the file system group or one of the supplementary ones? */
static inline bool cred_in_group(const struct cred *c, u32 gid)
{
	return c->fsgid == gid || (c->groups && group_list_has(c->groups, gid));
}

void groups_put(struct group_list *g);

/* May the current thread signal, inspect or change P, or thread T, as kill(2) decides it (SIGCONT's exception
 * aside)? */
bool process_may_signal(struct process *p);
bool thread_may_signal(struct thread *t);

/* /proc/sys/fs/suid_dumpable: what a change of rights makes of process.dumpable. */
extern u32 suid_dumpable;
