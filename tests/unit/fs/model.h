/* SPDX-License-Identifier: BSD-2-Clause */
/* Random operations on the tree below /model, checked against a model of what they should do. */
#pragma once

#include "base/types.h"

void model_reset(u64 seed); /* /model is empty */
void model_step(void);	    /* one operation */
void model_check(void);	    /* compare everything */
/* What is there so far is now the lower part of an overlay mounted on /model: directories of it are not
 * renamed, and their sizes and link counts are not compared. */
void model_now_overlay(void);
/* /model is another system's: renames without flags, no punching of holes, directories' sizes and links are its own. */
void model_is_remote(void);
