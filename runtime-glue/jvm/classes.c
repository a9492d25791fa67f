/* SPDX-License-Identifier: BSD-2-Clause */
#include "classes.h"

/* A class file as javac made it. */
#define CLASS_FILE(symbol, file)                                                                       \
	asm(".pushsection .rodata\n" #symbol ": .incbin \"" file "\"\n" #symbol "_end:\n.popsection"); \
	extern const jbyte symbol[] __attribute__((visibility("hidden")));                             \
	extern const jbyte symbol##_end[] __attribute__((visibility("hidden")));

CLASS_FILE(malformed, "cortado/Json$Malformed.class")
CLASS_FILE(json, "cortado/Json.class")
CLASS_FILE(glue, "cortado/Glue.class")

static const struct {
	const char *name;
	const jbyte *start, *end;
} classes[] = {
	{"cortado/Json$Malformed", malformed, malformed_end},
	{"cortado/Json", json, json_end},
	{"cortado/Glue", glue, glue_end},
};

jclass classes_define(JNIEnv *env)
{
	jclass last = NULL;

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		last = (*env)->DefineClass(env, classes[i].name, NULL, classes[i].start,
					   (jsize)(classes[i].end - classes[i].start));
		if (!last)
			return NULL;
	}
	return last;
}
