/* SPDX-License-Identifier: BSD-2-Clause */
/* Block devices that are memory: an initrd. */
#pragma once

#include "kernel/blockdev.h"

/* First byte of a device that is memory, else NULL: readers may then look at it in place. */
const u8 *ramblock_memory(const struct block_device *bd);
/* The device that SOURCE names ("ram0", "/dev/vda"); NULL. */
struct block_device *ramblock_or_disk(const char *source);
