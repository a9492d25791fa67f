/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/libjvm.so: what the JDK's launcher takes for the virtual machine. It hands every call of the Invocation
 * API on to the JDK's libjvm, and starts the control thread in a VM that was created. */
#include <dlfcn.h>
#include <jni.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "jvm_host.h"

static void *real(const char *name)
{
	/* Global, as the launcher itself would open it: it looks for more symbols in it. */
	void *lib = dlopen(jvm_host_libjvm, RTLD_NOW | RTLD_GLOBAL);
	void *symbol = lib ? dlsym(lib, name) : NULL;

	if (!symbol)
		fprintf(stderr, "jvm-host: %s\n", dlerror());
	return symbol;
}

JNIEXPORT jint JNICALL JNI_GetDefaultJavaVMInitArgs(void *args)
{
	jint(JNICALL * f)(void *) = (jint(JNICALL *)(void *))real("JNI_GetDefaultJavaVMInitArgs");

	return f ? f(args) : JNI_ERR;
}

JNIEXPORT jint JNICALL JNI_GetCreatedJavaVMs(JavaVM **vms, jsize room, jsize *n)
{
	jint(JNICALL * f)(JavaVM **, jsize, jsize *) =
		(jint(JNICALL *)(JavaVM **, jsize, jsize *))real("JNI_GetCreatedJavaVMs");

	return f ? f(vms, room, n) : JNI_ERR;
}

JNIEXPORT jint JNICALL JNI_CreateJavaVM(JavaVM **vm, void **env, void *args)
{
	jint(JNICALL * f)(JavaVM **, void **, void *) =
		(jint(JNICALL *)(JavaVM **, void **, void *))real("JNI_CreateJavaVM");
	const char *glue = getenv("CORTADO_GLUE");
	char *path = glue ? strdup(glue) : NULL;
	jint err;

	/* Ours alone: neither the application nor the programs that it starts. */
	unsetenv("CORTADO_GLUE");
	err = f ? f(vm, env, args) : JNI_ERR;
	if (err == JNI_OK && path)
		control_start(*vm, *env, path);
	return err;
}
