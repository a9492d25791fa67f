/* SPDX-License-Identifier: BSD-2-Clause */
/* jvm-host: starts a Java program exactly as `java` does, and adds the agent's control connection
 * (runtime-glue/proto).
 *
 *	jvm-host LIBJVM WORD...		each WORD as `java` takes it
 *
 * The JDK keeps its launcher in libjli, of which `java` is a short caller and this is another: argument
 * files, JDK_JAVA_OPTIONS, modules, source files, messages and exit status are the JDK's own. The launcher is
 * told to take vm/libjvm.so beside this program for the virtual machine (-XXaltjvm); that one hands on to
 * LIBJVM and starts the control thread once the VM is there (vm.c). Without an agent (no CORTADO_GLUE) it is
 * not used. */
#include "jvm_host.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "libjvm.so"
/* What the control thread's classes need; an application that is a module resolves only what it requires. */
#define GLUE_MODULES "java.management,jdk.management"
#define OWN_WORDS    8

/* libjli's interface, which has been the same from 12 to 25 (11's JLI_PreprocessArg takes only the first
 * argument). */
typedef unsigned char jli_bool;
struct jli_list {
	char **elements;
	size_t size, capacity;
};
static struct jli {
	struct jli_list *(*list_new)(size_t capacity);
	void (*list_add)(struct jli_list *l, char *s);
	void (*init_arg_processing)(jli_bool java_args, jli_bool no_argfiles);
	jli_bool (*add_args_from_env_var)(struct jli_list *l, const char *name);
	struct jli_list *(*preprocess_arg)(const char *arg, jli_bool expand_source);
	int (*get_app_arg_index)(void);
	int (*launch)(int argc, char **argv, int jargc, const char **jargv, int appclassc,
		      const char **appclassv, const char *full_version, const char *dot_version,
		      const char *program, const char *launcher, jli_bool java_args, jli_bool wildcards,
		      jli_bool windowed, int ergonomics);
} jli;

/* The lines KEY="VALUE" of the JDK's release file. */
struct release {
	char runtime_version[128], version[64], modules[8192];
};

const char *jvm_host_libjvm;

static _Noreturn void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "jvm-host: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static char *format(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		fail("out of memory");
	va_end(ap);
	return s;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

/* PATH without its last component. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? format("%.*s", (int)(slash - path), path) : format(".");
}

static void load_jli(const char *libjvm)
{
	char *folder = folder_of(libjvm), *path = format("%s/../libjli.so", folder);
	void *lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	const struct {
		const char *name;
		void *at;
	} symbols[] = {
		{"JLI_List_new", &jli.list_new},
		{"JLI_List_add", &jli.list_add},
		{"JLI_InitArgProcessing", &jli.init_arg_processing},
		{"JLI_AddArgsFromEnvVar", &jli.add_args_from_env_var},
		{"JLI_PreprocessArg", &jli.preprocess_arg},
		{"JLI_GetAppArgIndex", &jli.get_app_arg_index},
		{"JLI_Launch", &jli.launch},
	};

	if (!lib)
		fail("%s", dlerror());
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *symbol = dlsym(lib, symbols[i].name);

		if (!symbol)
			fail("%s: no %s: not a JDK 11 or later", path, symbols[i].name);
		memcpy(symbols[i].at, &symbol, sizeof symbol);
	}
	free(path);
	free(folder);
}

static void read_release(struct release *r, const char *libjvm)
{
	char *folder = folder_of(libjvm), *path = format("%s/../../release", folder), line[sizeof r->modules];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f)) {
		sscanf(line, "JAVA_RUNTIME_VERSION=\"%127[^\"]", r->runtime_version);
		sscanf(line, "JAVA_VERSION=\"%63[^\"]", r->version);
		sscanf(line, "MODULES=\"%8191[^\"]", r->modules);
	}
	if (f)
		fclose(f);
	if (!*r->runtime_version) /* jlink leaves it out */
		strcpy(r->runtime_version, r->version);
	free(path);
	free(folder);
}

/* The command line with JDK_JAVA_OPTIONS in front and argument files expanded, as `java` does it. */
static struct jli_list *expand(char **words)
{
	struct jli_list *l = jli.list_new(16);

	jli.init_arg_processing(false, false);
	jli.list_add(l, format("%s", jvm_host_libjvm));
	jli.add_args_from_env_var(l, "JDK_JAVA_OPTIONS");
	for (; *words; words++) {
		struct jli_list *file = jli.preprocess_arg(*words, true);

		if (!file)
			jli.list_add(l, *words);
		for (size_t i = 0; file && i < file->size; i++)
			jli.list_add(l, file->elements[i]);
	}
	return l;
}

/* The application is a module: L's words before the first application argument are -m MODULE or
 * --module=MODULE. */
static bool runs_module(const struct jli_list *l, size_t app)
{
	return (app >= 3 &&
		(!strcmp(l->elements[app - 2], "-m") || !strcmp(l->elements[app - 2], "--module"))) ||
	       (app >= 2 && !strncmp(l->elements[app - 1], "--module=", 9));
}

static bool has_glue_modules(const struct release *r)
{
	/* java.management also begins other names, but none of those comes without it. */
	return strstr(r->modules, "java.management") && strstr(r->modules, "jdk.management");
}

/* An option of our own, unless JAVA_TOOL_OPTIONS, which the JVM reads before the command line, names it. */
static int add_default(char **argv, int argc, const char *option, const char *value)
{
	const char *before = getenv("JAVA_TOOL_OPTIONS");

	if (!before || !strstr(before, option))
		argv[argc++] = format("-XX:%s=%s", option, value);
	return argc;
}

static int own_words(char **argv, const struct release *r, bool module)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int argc = 0;

	argv[argc++] = format("%s", jvm_host_libjvm);
	/* The CDS archive is mapped where it was made for, so that its pages stay shared with the page cache;
	 * relocating it copies all of them (10 MB, and their faults), for an address that is harder to guess.
	 * The user's own options come later. */
	if (strtol(r->version, NULL, 10) >= 13) {
		argv[argc++] = format("-XX:+UnlockDiagnosticVMOptions");
		argv[argc++] = format("-XX:ArchiveRelocationMode=0");
	}
	if (!getenv("CORTADO_GLUE"))
		return argc;
	/* A crash is reported in the log, which outlives the VM's files. */
	argc = add_default(argv, argc, "ErrorFile", "/dev/stderr");
	/* What jstat shows is sampled once a second: each sample wakes an idle machine, 20 a second by default. */
	argc = add_default(argv, argc, "PerfDataSamplingInterval", "1000");
	if (n < 0 || (module && !has_glue_modules(r)))
		return argc;
	self[n] = '\0';
	char *folder = folder_of(self);
	argv[argc++] = format("-XXaltjvm=%s/vm", folder);
	free(folder);
	if (module)
		argv[argc++] = format("--add-modules=" GLUE_MODULES);
	return argc;
}

int main(int argc, char **argv)
{
	/* libjli executes this program again when LD_LIBRARY_PATH names a libjvm, with the words that it was
	 * given. */
	int first = ends_with(argv[0], "/" NAME) ? 1 : 2;
	static struct release release;

	jvm_host_libjvm = argc >= first ? argv[first - 1] : "";
	if (!ends_with(jvm_host_libjvm, "/" NAME))
		fail("usage: jvm-host .../" NAME " WORD..., the words as java takes them");
	load_jli(jvm_host_libjvm);
	read_release(&release, jvm_host_libjvm);

	struct jli_list *l = expand(argv + first);
	int app = jli.get_app_arg_index(); /* the main class is before it; -1: there is none */
	size_t end = app > 0 ? (size_t)app : l->size;
	char **words = calloc(l->size + OWN_WORDS, sizeof *words);
	if (!words)
		fail("out of memory");
	int n = own_words(words, &release, app > 0 && runs_module(l, end));
	for (size_t i = 1; i < l->size; i++) {
		char *w = l->elements[i];

		/* Kinds of VM. There is one, and naming it would turn -XXaltjvm off. */
		if (i + 1 >= end || (strcmp(w, "-server") && strcmp(w, "-client")))
			words[n++] = w;
	}
	return jli.launch(n, words, 0, NULL, 0, NULL, release.runtime_version, release.version, "java",
			  "openjdk", false, true, false, 0);
}
