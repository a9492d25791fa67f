/* SPDX-License-Identifier: BSD-2-Clause */
/* The glue's Java classes, carried along in this library and defined to the boot loader. Not a jar on the
 * boot class path: that would make the VM refuse CDS archives which were made without it. */
#pragma once

#include <jni.h>

/* Define them all; cortado.Glue, or NULL with a Java exception pending. */
jclass classes_define(JNIEnv *env);
