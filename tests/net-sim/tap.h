/* SPDX-License-Identifier: BSD-2-Clause */
/* A TAP device, apart from what sees kernel headers: they and the C library both define some structures. */
#pragma once

int tap_open(const char *name); /* a non-blocking descriptor of frames; -1: it has said why */
