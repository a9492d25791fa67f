/* SPDX-License-Identifier: BSD-2-Clause */
/* Ending the VM: the application is stopped first, with its grace. */
#pragma once

enum shutdown_kind { SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT };

void shutdown_begin(enum shutdown_kind kind);
