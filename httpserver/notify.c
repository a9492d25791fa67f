/* SPDX-License-Identifier: BSD-2-Clause */
#include "notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util.h"

#define PORT "/dev/virtio-ports/org.cortado.control"

void notify_host(const char *event, int status)
{
	static int fd = -1; /* kept open: closing it would tell the host that nothing more comes */
	char more[32] = "", line[128];
	int n;

	if (status >= 0)
		snprintf(more, sizeof more, ",\"status\":%d", status);
	n = snprintf(line, sizeof line, "{\"event\":\"%s\"%s}\n", event, more);
	if (fd < 0)
		fd = open(PORT, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && write(fd, line, (size_t)n) != n)
		complain("%s: the host does not take the event \"%s\"", PORT, event);
}
