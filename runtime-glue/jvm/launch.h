/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of jvm-host, as JNI_CreateJavaVM wants it. */
#pragma once

#include <jni.h>
#include <stddef.h>

struct launch {
	void *libjvm;		/* dlopen handle */
	JavaVMOption *options;
	jint noptions;
	size_t stack_size;	/* -Xss in bytes, 0 when not given */
	const char *main;	/* class name or jar path */
	int is_jar;
	int nargs;
	char **args;
};

/* Fills L from jvm-host's own argv; exits with status 2 and a message when it is wrong. */
void launch_parse(struct launch *l, int argc, char **argv);
