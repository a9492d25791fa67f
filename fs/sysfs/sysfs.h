/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fs/sysfs share: one directory table each, put together in root.c. Each attribute is one
 * short line. */
#pragma once

#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/alloc.h"

#define ATTR(n, s)                                           \
	{                                                    \
		.name = n, .mode = S_IFREG | 0444, .show = s \
	}
#define ATTR_RW(n, s, w)                                                 \
	{                                                                \
		.name = n, .mode = S_IFREG | 0644, .show = s, .store = w \
	}
#define DIR(n, d)                                           \
	{                                                   \
		.name = n, .mode = S_IFDIR | 0755, .dir = d \
	}

/* NAME is PREFIX and a number without leading zeros: true with the number in *N. */
bool sysfs_numbered(const char *name, size_t len, const char *prefix, u64 *n);

extern const struct pseudo_dir sysfs_empty;
extern const struct pseudo_dir sysfs_cpu, sysfs_node;	     /* cpu.c */
extern const struct pseudo_dir sysfs_kernel;		     /* kernel.c */
extern const struct pseudo_dir sysfs_net;		     /* net.c */
extern const struct pseudo_dir sysfs_block, sysfs_dev_block; /* block.c */
extern const struct pseudo_dir sysfs_fwcfg;		     /* fwcfg.c */
extern const struct pseudo_dir sysfs_bus;		     /* pci.c */
