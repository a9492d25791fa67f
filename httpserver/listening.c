/* SPDX-License-Identifier: BSD-2-Clause */
#include "listening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define TABLE_LIMIT  (16u << 20)
#define STATE_LISTEN 0x0a

/* Each line: "  sl  local_address rem_address   st ...", addresses as HEX:PORT. */
static bool in_table(const char *text, int port)
{
	unsigned local, state;

	for (const char *p = text; p && (p = strchr(p, '\n')); ) {
		p++;
		if (sscanf(p, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
		    state == STATE_LISTEN && (int)local == port)
			return true;
	}
	return false;
}

bool listening_all(const int *ports, int n)
{
	bool all = true;
	char *v4, *v6;

	if (!n)
		return true;
	v4 = read_file("/proc/net/tcp", TABLE_LIMIT, NULL);
	v6 = read_file("/proc/net/tcp6", TABLE_LIMIT, NULL);
	for (int i = 0; i < n && all; i++)
		all = in_table(v4, ports[i]) || in_table(v6, ports[i]);
	free(v4);
	free(v6);
	return all;
}
