/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of fs/pseudo. */
#pragma once

#include "base/err.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "kernel/alloc.h"

struct pseudo_inode { /* inode->priv */
	const struct pseudo_entry *entry;
	struct pseudo_ctx ctx;
};

static inline struct pseudo_inode *pseudo_inode(const struct inode *i)
{
	return i->priv;
}

extern const struct file_ops pseudo_dir_fops;
/* dir.c: what NAME is in directory ENTRY with context CTX: 0 or -errno. *DYNAMIC: it may vanish or change. */
int pseudo_lookup(const struct pseudo_entry *entry, const struct pseudo_ctx *ctx, const char *name,
		  size_t len, struct pseudo_found *out, bool *dynamic);
/* text.c: set F up for ENTRY's show and store. */
int pseudo_open_text(struct file *f, const struct pseudo_entry *entry, const struct pseudo_ctx *ctx);
u64 pseudo_ino(const struct pseudo_entry *entry, const struct pseudo_ctx *ctx);
