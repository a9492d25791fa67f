/* SPDX-License-Identifier: BSD-2-Clause */
/* Access control lists, within fs/: see acl.c. */
#pragma once

#include "internal.h"

/* Does I's access list let C do MASK? -EAGAIN: it has none. */
int acl_permission(const struct creds *c, struct inode *i, u32 want);
void acl_chmod(struct posix_acl *a, u32 mode);
void acl_put(struct posix_acl *a);
/* I, just made in DIR (may be NULL), takes over its default list: the mode may lose bits. -ENOMEM */
int inode_init_acl(struct inode *i, const struct inode *dir);
/* Both lists of FROM are I's as well. */
void inode_share_acls(struct inode *i, const struct inode *from);
/* Make A (a reference is taken; NULL: none) I's list, and the mode what it says. I->lock is held. */
void inode_set_acl(struct inode *i, bool dflt, struct posix_acl *a);
/* I is being read from a file system that keeps lists as attributes. -EIO: they make no sense. */
int inode_load_acls(struct inode *i);
/* The attributes system.posix_acl_*. I->lock is held. */
ssize_t acl_xattr_get(struct inode *i, bool dflt, void *buf, size_t size);
int acl_xattr_set(struct inode *i, bool dflt, const void *buf, size_t size); /* SIZE 0: remove */
