/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptions of the CPUs, for /proc/cpuinfo and the auxiliary vector. */
#pragma once

#include "base/types.h"

/* The paragraph of /proc/cpuinfo for CPU. Returns the bytes written (as scnprintf). */
size_t arch_cpuinfo(unsigned cpu, char *buf, size_t size);
/* AT_HWCAP (CPUID 1 EDX) and AT_HWCAP2 (bit 1: FSGSBASE instructions work). */
u64 arch_hwcap(void);
u64 arch_hwcap2(void);
