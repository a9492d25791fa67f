/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests and the shim see libc's struct timeval; the UAPI header would define it a second time. */
#pragma once

#include <sys/time.h>
#include <time.h>
#define timeval	   host_uapi_timeval
#define timezone   host_uapi_timezone
#define itimerval  host_uapi_itimerval
#define itimerspec host_uapi_itimerspec
#include_next <linux/time.h>
#undef timeval
#undef timezone
#undef itimerval
#undef itimerspec
