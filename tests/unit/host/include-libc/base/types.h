/* SPDX-License-Identifier: BSD-2-Clause */
/* libc defines one of our annotations as well, to the same effect. */
#pragma once

#include <features.h>
#include <sys/types.h>
#undef __always_inline
#include_next "base/types.h"
