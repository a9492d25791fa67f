/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory balloon, as the agent and /proc see it. All figures are of what the guest keeps: boot_bytes is
 * the VM's RAM, target_bytes what the host asks us to shrink to, actual_bytes where we are. Without a balloon
 * device all three are equal. Owner: kernel/drivers/virtio/balloon.c. */
#pragma once

#include "base/types.h"

struct waitq;

struct balloon_state {
	u64 boot_bytes, target_bytes, actual_bytes;
	u64 reported_bytes; /* free memory told to the host so far, for ever growing */
	u32 sequence;	    /* changes with each change of the target and of the actual size */
	bool present;	    /* there is a balloon device */
};

void balloon_state(struct balloon_state *out); /* any context */
extern struct waitq balloon_waitq; /* woken (EPOLLIN | EPOLLPRI) when target or actual size changed */
