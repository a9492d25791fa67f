/* SPDX-License-Identifier: BSD-2-Clause */
/* The host keeps the kernel's register frame: signal and system call code under test sees the real layout. */
#pragma once

#include "../../../../../kernel/arch/x86_64/include/arch/thread.h"
