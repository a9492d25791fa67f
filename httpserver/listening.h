/* SPDX-License-Identifier: BSD-2-Clause */
/* Which TCP ports of this machine listen (sock_diag(7); else /proc/net/tcp and tcp6). */
#pragma once

#include <stdbool.h>

/* Do all N PORTS listen? True for N = 0. */
bool listening_all(const int *ports, int n);
