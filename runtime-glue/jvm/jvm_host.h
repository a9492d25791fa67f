/* SPDX-License-Identifier: BSD-2-Clause */
/* What jvm-host (the program) and its vm/libjvm.so (vm.c) share. */
#pragma once

/* The JDK's own libjvm.so. */
extern const char *jvm_host_libjvm;
