/* SPDX-License-Identifier: BSD-2-Clause */
/* The transports that drivers have registered, by mount tag. */
#include "base/err.h"
#include "base/string.h"
#include "fs/p9_transport.h"
#include "kernel/mutex.h"

static DEFINE_MUTEX(transports_lock);
static LIST_HEAD(transports); /* guarded by transports_lock, as is `taken`; entries are never removed */

void p9_transport_register(struct p9_transport *t)
{
	mutex_lock(&transports_lock);
	list_add_tail(&t->node, &transports);
	mutex_unlock(&transports_lock);
}

struct p9_transport *p9_transport_take(const char *tag)
{
	struct p9_transport *t, *found = ERR_PTR(-ENOENT);

	mutex_lock(&transports_lock);
	list_for_each_entry (t, &transports, node) {
		if (strcmp(t->tag, tag))
			continue;
		found = t->taken ? ERR_PTR(-EBUSY) : t;
		if (!t->taken)
			break;
	}
	if (!IS_ERR(found))
		found->taken = true;
	mutex_unlock(&transports_lock);
	return found;
}

void p9_transport_give(struct p9_transport *t)
{
	mutex_lock(&transports_lock);
	t->taken = false;
	mutex_unlock(&transports_lock);
}
