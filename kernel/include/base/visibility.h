/* SPDX-License-Identifier: BSD-2-Clause */
/* Included ahead of every kernel source: all symbols, those of other files too, are the image's own. Otherwise each use of
 * another file's variable goes through its address in a register, as if a library could replace it. */
#pragma once
#pragma GCC visibility push(hidden)
