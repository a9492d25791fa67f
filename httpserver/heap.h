/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop between balloon and heap: watches, asks the governor, tells the runtime. */
#pragma once

struct agent;

/* Start it; does nothing where there is no balloon. */
void heap_control_start(const struct agent *agent);
