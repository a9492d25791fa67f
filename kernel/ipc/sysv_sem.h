/* SPDX-License-Identifier: BSD-2-Clause */
/* System V semaphores. sysv_sem.c: sets, operations and SEM_UNDO; sysv_semctl.c: semctl and the listing. */
#pragma once

#include "sysv.h"
#include <linux/sem.h>

#define SETS_MAX  32000
#define SET_SIZE  32000 /* semaphores in one set */
#define OPS_MAX	  500	/* operations in one call */
#define VALUE_MAX 32767

struct sem {
	int value;
	u32 pid; /* of the last operation */
};

struct sem_undo {	       /* what a process's exit gives back */
	struct list_head node; /* set->undos */
	struct process *proc;  /* only compared */
	s16 adjust[];
};

struct sem_waiter {
	struct list_head node;
	struct waitq waitq;
	struct process *proc;
	const struct sembuf *ops;
	unsigned nops;
	struct sem_undo *undo; /* made before the sleep, when an operation asks for it */
	const struct sembuf *blocking;
	int result; /* 1 while it waits */
};

struct sem_set {
	struct sysv_object object;
	struct mutex lock; /* guards all below and the object's fields */
	struct list_head waiters, undos;
	u64 otime, ctime; /* seconds */
	unsigned n;
	struct sem sems[];
};

extern struct sysv_table sem_sets;

static inline struct sem_set *set_of(struct sysv_object *o)
{
	return container_of(o, struct sem_set, object);
}

void set_put(struct sem_set *s);
/* With the lock held. The set changed: carry out what sleepers wait for, until nobody can go on. */
void set_update(struct sem_set *s);
void set_free_undos(struct sem_set *s);
/* W's call ends with RESULT. */
void waiter_finish(struct sem_waiter *w, int result);
