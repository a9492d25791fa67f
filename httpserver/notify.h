/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling the host, on the virtio port org.cortado.control, what it waits for. */
#pragma once

/* One line {"event":"EVENT"}. Does nothing where there is no such port. */
void notify_host(const char *event);
