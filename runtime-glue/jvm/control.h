/* SPDX-License-Identifier: BSD-2-Clause */
/* The control thread: answers the agent's requests (runtime-glue/proto) from inside the VM. */
#pragma once

#include <jni.h>

/* Start it on the agent's socket PATH, which it keeps. Failing to is never fatal: the application comes
 * first. */
void control_start(JavaVM *vm, JNIEnv *env, char *path);
