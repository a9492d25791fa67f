/* SPDX-License-Identifier: BSD-2-Clause */
/* A 9P2000.L server over a folder of the host, for tests: one message in, its answer out. Fids are paths
 * until they are opened, as in QEMU's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void p9_server_start(const char *folder);
/* A client that uses fids it was not given ends the test; or, after 1, gets EBADF. */
void p9_server_lenient(int on);
/* The answer's length; 0 only for a message that is none. */
size_t p9_server(const uint8_t *message, size_t len, uint8_t *answer, size_t room);
unsigned p9_server_fids(void); /* known now */
