/* SPDX-License-Identifier: BSD-2-Clause */
/* The control thread: answers the agent's requests (runtime-glue/proto) from inside the VM. */
#pragma once

#include <jni.h>

/* Start it when CORTADO_GLUE names the agent's socket. Failing to is never fatal: the application comes first. */
void control_start(JavaVM *vm, JNIEnv *env);
