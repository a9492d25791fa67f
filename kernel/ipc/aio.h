/* SPDX-License-Identifier: BSD-2-Clause */
/* Native asynchronous I/O. aio.c: contexts, completions and waiting for them; aio_submit.c: requests.
 * io_setup(2), io_submit(2).
 *
 * A transfer is made within io_submit, as Linux makes those that go through the page cache; only waiting for
 * a descriptor (IOCB_CMD_POLL) goes on beside the program. Everything completes through the context's ring.
 *
 * Locks: reader (mutex) > lock; table lock alone. A context is referred to by its table, by calls at work on
 * it and by its polls. */
#pragma once

#include "fs/file.h"
#include "kernel/app.h"
#include "kernel/wait.h"
#include <linux/aio_abi.h>

struct aio_context {
	struct refcount ref;
	struct list_head node; /* its table's; guarded by the table's lock */
	u64 id;		     /* an address of the application: libaio looks there for a ring to read itself */
	unsigned size;	     /* of the ring */
	struct mutex reader; /* who takes completions */
	struct waitq waitq;
	struct spinlock lock; /* guards the rest; interrupts off */
	unsigned used;	      /* slots taken: requests under way and completions not yet read */
	unsigned head, count; /* completions in the ring */
	bool dead;
	struct list_head polls;
	struct io_event *ring;
};

/* The current address space's context ID, with a reference, or NULL. */
struct aio_context *aio_context_get(u64 id);
void aio_context_put(struct aio_context *c);
/* A slot for one more request: false when the ring has none. */
bool aio_slot_take(struct aio_context *c);
void aio_slot_give_back(struct aio_context *c);
/* The request in a slot has RESULT. Any context. */
void aio_complete(struct aio_context *c, const struct iocb *request, u64 address, s64 result);
/* End the polls of a context that is dead. Thread context. */
void aio_polls_end(struct aio_context *c);
