/* SPDX-License-Identifier: BSD-2-Clause */
/* jvm-host: starts a Java program as `java` does, through the JNI Invocation API on the image's libjvm, and serves the agent's
 * control protocol (runtime-glue/proto) from an attached daemon thread.
 *
 *	jvm-host LIBJVM [VM OPTION...] (-jar FILE | [-cp PATH] MAIN-CLASS) [ARG...]
 *
 * The VM is created on a fresh pthread with the -Xss stack, as the java launcher does: on the primordial thread HotSpot would
 * read /proc/self/maps to find the stack's end. Exit status is java's: 0, 1 for an uncaught exception or a VM that cannot
 * start, System.exit's otherwise. */
#include "launch.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

#define DEFAULT_STACK (1u << 20)

static struct launch launch;

static void die(JNIEnv *env)
{
	if (env && (*env)->ExceptionCheck(env))
		(*env)->ExceptionDescribe(env);
	exit(1);
}

/* The application's main class through the system class loader, as sun.launcher.LauncherHelper finds and checks it. */
static jclass load_main(JNIEnv *env)
{
	jclass helper = (*env)->FindClass(env, "sun/launcher/LauncherHelper");
	if (!helper)
		die(env);
	jmethodID check = (*env)->GetStaticMethodID(env, helper, "checkAndLoadMain",
						    "(ZILjava/lang/String;)Ljava/lang/Class;");
	jstring what = (*env)->NewStringUTF(env, launch.main);
	if (!check || !what)
		die(env);
	jclass main_class =
		(*env)->CallStaticObjectMethod(env, helper, check, JNI_TRUE, launch.is_jar ? 2 : 1, what);
	if (!main_class || (*env)->ExceptionCheck(env))
		die(env);
	return main_class;
}

/* Platform bytes to java.lang.String[]: the VM's own decoding of the launcher's arguments. */
static jobjectArray make_args(JNIEnv *env)
{
	jclass string = (*env)->FindClass(env, "java/lang/String");
	jobjectArray array = string ? (*env)->NewObjectArray(env, launch.nargs, string, NULL) : NULL;
	jclass helper = (*env)->FindClass(env, "sun/launcher/LauncherHelper");
	jmethodID make = helper ? (*env)->GetStaticMethodID(env, helper, "makePlatformString",
							    "(Z[B)Ljava/lang/String;")
				: NULL;
	if (!array || !make)
		die(env);
	for (int i = 0; i < launch.nargs; i++) {
		jsize len = (jsize)strlen(launch.args[i]);
		jbyteArray bytes = (*env)->NewByteArray(env, len);
		if (!bytes)
			die(env);
		(*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)launch.args[i]);
		jobject s = (*env)->CallStaticObjectMethod(env, helper, make, JNI_TRUE, bytes);
		if (!s || (*env)->ExceptionCheck(env))
			die(env);
		(*env)->SetObjectArrayElement(env, array, i, s);
		(*env)->DeleteLocalRef(env, s);
		(*env)->DeleteLocalRef(env, bytes);
	}
	return array;
}

static void *run(void *unused)
{
	JavaVM *vm;
	JNIEnv *env;
	JavaVMInitArgs init = {
		.version = JNI_VERSION_1_8,
		.nOptions = launch.noptions,
		.options = launch.options,
		.ignoreUnrecognized = JNI_FALSE,
	};
	jint (*create)(JavaVM **, void **, void *) =
		(jint(*)(JavaVM **, void **, void *))dlsym(launch.libjvm, "JNI_CreateJavaVM");

	(void)unused;
	if (!create || create(&vm, (void **)&env, &init) != JNI_OK) {
		fprintf(stderr, "jvm-host: the Java virtual machine could not be created\n");
		exit(1);
	}
	control_start(vm, env);
	jclass main_class = load_main(env);
	jmethodID main_method = (*env)->GetStaticMethodID(env, main_class, "main", "([Ljava/lang/String;)V");
	if (!main_method)
		die(env);
	(*env)->CallStaticVoidMethod(env, main_class, main_method, make_args(env));
	int status = (*env)->ExceptionCheck(env) ? 1 : 0;
	/* Detaching runs the thread's uncaught-exception handler, as it would for any Java thread. */
	if ((*vm)->DetachCurrentThread(vm) != JNI_OK)
		status = 1;
	/* Waits for the last non-daemon thread. */
	if ((*vm)->AttachCurrentThread(vm, (void **)&env, &(JavaVMAttachArgs){JNI_VERSION_1_8, "DestroyJavaVM", NULL}) ==
	    JNI_OK)
		(*vm)->DestroyJavaVM(vm);
	exit(status);
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t thread;

	launch_parse(&launch, argc, argv);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, launch.stack_size ? launch.stack_size : DEFAULT_STACK);
	if (pthread_create(&thread, &attr, run, NULL)) {
		perror("jvm-host: cannot create the main thread");
		return 1;
	}
	pthread_join(thread, NULL);
	return 1;
}
