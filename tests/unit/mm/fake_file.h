/* SPDX-License-Identifier: BSD-2-Clause */
/* A file with a page cache for tests of mappings: pages appear, zeroed, when they are asked for. */
#pragma once

#include "base/types.h"

struct file;

struct file *fake_file_create(u32 pages);
struct page *fake_file_page(u32 i); /* in the cache; NULL: none */
void fake_file_truncate(struct file *f, u32 pages); /* also grows it */
void fake_file_drop(struct file *f);		    /* all pages go; nothing maps them */
