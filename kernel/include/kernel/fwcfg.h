/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's fw_cfg: named blobs from the host (opt/org.cortado/...). docs/specs/fw_cfg in QEMU. Thread context or boot. */
#pragma once

#include "base/types.h"

/* Size of file NAME, or -ENOENT (also when there is no fw_cfg device). */
ssize_t fwcfg_size(const char *name);
/* Read up to SIZE bytes from OFF. Returns the bytes read or -errno. */
ssize_t fwcfg_read(const char *name, void *buf, size_t size, size_t off);
/* Names of all files in turn: INDEX 0.. until -ENOENT. For /sys/firmware/qemu_fw_cfg. */
int fwcfg_name(unsigned index, char *name, size_t size);
