/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct vmspace;
/* Map the vDSO into VM. Returns the address of its ELF header (AT_SYSINFO_EHDR) or -errno. Thread context. */
long vdso_map(struct vmspace *vm);
