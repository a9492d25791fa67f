/* SPDX-License-Identifier: BSD-2-Clause */
#include "notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util.h"

#define PORT "/dev/virtio-ports/org.cortado.control"

void notify_host(const char *event)
{
	static int fd = -1; /* kept open: closing it would tell the host that nothing more comes */
	char line[128];
	int n = snprintf(line, sizeof line, "{\"event\":\"%s\"}\n", event);

	if (fd < 0)
		fd = open(PORT, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && write(fd, line, (size_t)n) != n)
		complain("%s: the host does not take the event \"%s\"", PORT, event);
}
