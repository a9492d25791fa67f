/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

void mount_volumes(void); /* after the root and the kernel's own file systems. Panics when one cannot be mounted */
