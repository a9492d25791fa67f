/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the host, on the virtio port org.cortado.control, what it waits for. */
#pragma once

/* One line {"event":"EVENT"}, with "status": STATUS (as a shell would say it) unless it is negative: "ready", "backoff" (ended, and
 * will be started again), "failed" and "exited" (will not). Does nothing where there is no such port. */
void notify_host(const char *event, int status);
