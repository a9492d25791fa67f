/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel command line (kernel/cmdline.h), cut into words once, in a copy of its own. */

#include "kernel/cmdline.h"
#include "base/string.h"
#include "kernel/main.h"

#define WORDS_MAX 128
#define LINE_MAX  4096

static const char *raw = "";
static char text[LINE_MAX];
static const char *words[WORDS_MAX]; /* before "--" */
static const char *args[WORDS_MAX];  /* after it */
static unsigned nwords, nargs;

/* Copy the next word of *LINE to *OUT, quotes removed. Returns NULL at the end. */
static const char *next_word(const char **line, char **out, char *limit)
{
	const char *p = *line, *word = *out;
	bool quoted = false;

	while (*p == ' ' || *p == '\t' || *p == '\n')
		p++;
	if (!*p)
		return NULL;
	for (; *p && (quoted || (*p != ' ' && *p != '\t' && *p != '\n')); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*out < limit)
			*(*out)++ = *p;
	}
	*(*out)++ = '\0';
	*line = p;
	return word;
}

void cmdline_init(const char *line)
{
	char *out = text, *limit = text + sizeof text - 2;
	const char *word;
	bool ours = true;

	raw = line;
	while (out < limit && (word = next_word(&line, &out, limit))) {
		if (ours && !strcmp(word, "--"))
			ours = false;
		else if (ours && nwords < WORDS_MAX)
			words[nwords++] = word;
		else if (!ours && nargs < WORDS_MAX - 1)
			args[nargs++] = word;
	}
}

static const char *match(const char *word, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n))
		return NULL;
	return word[n] == '=' ? word + n + 1 : word[n] ? NULL : "";
}

const char *cmdline_get(const char *key)
{
	const char *v = NULL;

	for (unsigned i = 0; i < nwords; i++) {
		const char *m = match(words[i], key);

		if (m)
			v = m;
	}
	return v;
}

const char *cmdline_get_nth(const char *key, unsigned index)
{
	for (unsigned i = 0; i < nwords; i++) {
		const char *m = match(words[i], key);

		if (m && index-- == 0)
			return m;
	}
	return NULL;
}

bool cmdline_flag(const char *key)
{
	const char *v = cmdline_get(key);

	return v && strcmp(v, "0") && strcmp(v, "n") && strcmp(v, "off");
}

u64 cmdline_u64(const char *key, u64 fallback)
{
	const char *v = cmdline_get(key), *end;

	if (!v || !*v)
		return fallback;
	u64 n = str_to_u64(v, &end);
	return end == v ? fallback : n;
}

const char *cmdline_raw(void)
{
	return raw;
}

/* Words that some part of the kernel reads; any other K=V is for init's environment. */
static const char *const kernel_words[] = {
	"BOOT_IMAGE", "bootchart", "console", "cwd", "debug", "hostname", "hugepages", "init", "ip", "loglevel", "maxcpus", "nokaslr",
	"norandmaps", "panic", "quiet", "reboot", "ro", "root", "rootflags", "rootfstype", "rootoverlay", "rw", "strace",
	"transparent_hugepage", "virtio_mmio.device", "volume", "net.ifnames",
};

const char *cmdline_env(unsigned index)
{
	for (unsigned i = 0; i < nwords; i++) {
		const char *eq = strchr(words[i], '='), *dot = strchr(words[i], '.');
		bool known = !eq || (dot && dot < eq); /* module.parameter words are not environment */

		for (size_t k = 0; k < ARRAY_SIZE(kernel_words) && !known; k++)
			known = match(words[i], kernel_words[k]);
		if (!known && index-- == 0)
			return words[i];
	}
	return NULL;
}

const char *cmdline_init_arg(unsigned index)
{
	return index < nargs ? args[index] : NULL;
}
