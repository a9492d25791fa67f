/* SPDX-License-Identifier: BSD-2-Clause */
/* Options as the java launcher takes them: two-word forms become the VM's -D properties, launcher-only ones
 * are dropped. */
#include "launch.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "jvm-host: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void add(struct launch *l, const char *fmt, const char *arg)
{
	char *text;

	l->options = realloc(l->options, ((size_t)l->noptions + 1) * sizeof *l->options);
	if (!l->options || asprintf(&text, fmt, arg) < 0)
		fail("out of memory");
	l->options[l->noptions++] = (JavaVMOption){.optionString = text};
}

static size_t parse_size(const char *s)
{
	char *end;
	size_t n = strtoul(s, &end, 10);

	switch (*end | 32) {
	case 'g':
		return n << 30;
	case 'm':
		return n << 20;
	case 'k':
		return n << 10;
	default:
		return n;
	}
}

/* Launcher options with the value in the next word, and the VM property that each stands for. */
static const struct two_word {
	const char *name, *format;
} two_words[] = {
	{"-cp", "-Djava.class.path=%s"},	  {"-classpath", "-Djava.class.path=%s"},
	{"--class-path", "-Djava.class.path=%s"}, {"-p", "--module-path=%s"},
	{"--module-path", "--module-path=%s"},	  {"--add-modules", "--add-modules=%s"},
	{"--add-exports", "--add-exports=%s"},	  {"--add-opens", "--add-opens=%s"},
	{"--add-reads", "--add-reads=%s"},	  {"--limit-modules", "--limit-modules=%s"},
	{"--patch-module", "--patch-module=%s"},  {"--upgrade-module-path", "--upgrade-module-path=%s"},
};

static const struct two_word *find_two_word(const char *arg)
{
	for (size_t i = 0; i < sizeof two_words / sizeof *two_words; i++)
		if (!strcmp(arg, two_words[i].name))
			return &two_words[i];
	return NULL;
}

static int parse_options(struct launch *l, int argc, char **argv, int i)
{
	for (; i < argc && argv[i][0] == '-'; i++) {
		const struct two_word *w = find_two_word(argv[i]);

		if (w) {
			if (++i >= argc)
				fail("%s needs a value", w->name);
			add(l, w->format, argv[i]);
		} else if (!strcmp(argv[i], "-jar")) {
			l->is_jar = 1;
			i++;
			break;
		} else if (!strncmp(argv[i], "--class-path=", 13)) {
			add(l, "-Djava.class.path=%s", argv[i] + 13);
		} else if (!strcmp(argv[i], "-server") || !strcmp(argv[i], "-client")) {
			continue;
		} else {
			if (!strncmp(argv[i], "-Xss", 4))
				l->stack_size = parse_size(argv[i] + 4);
			add(l, "%s", argv[i]);
		}
	}
	return i;
}

/* The major version in the JDK's `release` file, found from LIBJVM (lib/server/libjvm.so); 0: not known. */
static int java_version(const char *libjvm)
{
	char *path, line[256];
	int version = 0;
	FILE *f;

	const char *slash = strrchr(libjvm, '/');

	if (!slash)
		return 0;
	if (asprintf(&path, "%.*s/../../release", (int)(slash - libjvm), libjvm) < 0)
		fail("out of memory");
	f = fopen(path, "re");
	free(path);
	while (f && fgets(line, sizeof line, f) && !sscanf(line, "JAVA_VERSION=\"%d", &version))
		;
	if (f)
		fclose(f);
	return version;
}

/* The CDS archive is mapped where it was made for, so that its pages stay shared with the page cache;
 * relocating it copies all of them (10 MB, and their faults), for an address that is harder to guess. The
 * user's own options come later. */
static void add_defaults(struct launch *l, const char *libjvm)
{
	if (java_version(libjvm) < 13)
		return;
	add(l, "%s", "-XX:+UnlockDiagnosticVMOptions");
	add(l, "%s", "-XX:ArchiveRelocationMode=0");
}

void launch_parse(struct launch *l, int argc, char **argv)
{
	int i;

	if (argc < 3)
		fail("usage: jvm-host LIBJVM [VM OPTION...] (-jar FILE | MAIN-CLASS) [ARG...]");
	l->libjvm = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
	if (!l->libjvm)
		fail("%s", dlerror());
	add_defaults(l, argv[1]);
	i = parse_options(l, argc, argv, 2);
	if (i >= argc)
		fail(l->is_jar ? "-jar needs a file" : "no main class");
	l->main = argv[i];
	l->args = argv + i + 1;
	l->nargs = argc - i - 1;
	if (l->is_jar)
		add(l, "-Djava.class.path=%s", l->main);
	add(l, "-Dsun.java.command=%s", l->main);
	add(l, "-Dsun.java.launcher=%s", "cortado");
}
