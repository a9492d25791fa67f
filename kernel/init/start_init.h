/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Start pid 1 as the words and fw_cfg say, or panic with the reason. Thread context, root mounted. */
void start_init(void);
