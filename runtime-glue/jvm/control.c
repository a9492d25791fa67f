/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines in, lines out: the socket is read here; what a request means is Java code (cortado.Glue, classes.h),
 * reached by one static method: String handle(String line). */
#include "control.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "classes.h"

#define LINE_LIMIT (1u << 20)

static JavaVM *vm;
static jclass glue;
static jmethodID handle;

static int connect_agent(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof sa.sun_path)
		return -1;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int send_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t k = send(fd, s, n, MSG_NOSIGNAL);

		if (k <= 0)
			return -1;
		s += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Hand LINE (NULL: the greeting) to Java and send what comes back. */
static int answer(JNIEnv *env, int fd, const char *line)
{
	jstring in = line ? (*env)->NewStringUTF(env, line) : NULL;
	jstring out = (*env)->CallStaticObjectMethod(env, glue, handle, in);
	int err = -1;

	if ((*env)->ExceptionCheck(env)) {
		(*env)->ExceptionClear(env);
	} else if (out) {
		const char *text = (*env)->GetStringUTFChars(env, out, NULL);

		if (text) {
			err = send_all(fd, text, strlen(text)) || send_all(fd, "\n", 1);
			(*env)->ReleaseStringUTFChars(env, out, text);
		}
		(*env)->DeleteLocalRef(env, out);
	}
	if (in)
		(*env)->DeleteLocalRef(env, in);
	return err;
}

static void serve(JNIEnv *env, int fd)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	FILE *in = fdopen(dup(fd), "r");

	if (!in || answer(env, fd, NULL))
		goto out;
	while ((n = getline(&line, &room, in)) > 0 && n <= (ssize_t)LINE_LIMIT) {
		line[strcspn(line, "\n")] = '\0';
		if (answer(env, fd, line))
			break;
	}
out:
	free(line);
	if (in)
		fclose(in);
}

static void *control_thread(void *path)
{
	JavaVMAttachArgs args = {JNI_VERSION_1_8, "cortado-control", NULL};
	JNIEnv *env;
	int fd = connect_agent(path);

	if (fd < 0 || (*vm)->AttachCurrentThreadAsDaemon(vm, (void **)&env, &args) != JNI_OK)
		return NULL;
	serve(env, fd);
	close(fd);
	(*vm)->DetachCurrentThread(vm);
	return NULL;
}

void control_start(JavaVM *java, JNIEnv *env, char *path)
{
	jclass local = classes_define(env);
	pthread_t thread;

	vm = java;
	glue = local ? (*env)->NewGlobalRef(env, local) : NULL;
	handle = glue ? (*env)->GetStaticMethodID(env, glue, "handle",
						  "(Ljava/lang/String;)Ljava/lang/String;")
		      : NULL;
	if (!handle) {
		(*env)->ExceptionClear(env);
		fprintf(stderr, "jvm-host: the glue's classes do not load: no control connection\n");
		return;
	}
	(*env)->DeleteLocalRef(env, local);
	if (!pthread_create(&thread, NULL, control_thread, path))
		pthread_detach(thread);
}
