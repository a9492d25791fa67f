// SPDX-License-Identifier: BSD-2-Clause
/* kernel/cmdline.h over a line that the test sets. Words are split at blanks, without quotes. Weak. */
#include <stdlib.h>
#include <string.h>

#include "base/string.h"
#include "host.h"
#include "kernel/cmdline.h"

#define MAX_WORDS 64
static char raw[2048], words[2048], *word[MAX_WORDS];
static unsigned nwords;

void host_cmdline_set(const char *line)
{
	char *save;

	strncpy(raw, line, sizeof raw - 1);
	strncpy(words, line, sizeof words - 1);
	nwords = 0;
	for (char *w = strtok_r(words, " ", &save); w && nwords < MAX_WORDS; w = strtok_r(NULL, " ", &save))
		word[nwords++] = w;
}

static const char *value_of(const char *w, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(w, key, n) || (w[n] && w[n] != '='))
		return NULL;
	return w[n] ? w + n + 1 : w + n;
}

__weak const char *cmdline_get_nth(const char *key, unsigned index)
{
	for (unsigned i = 0; i < nwords; i++) {
		const char *v = value_of(word[i], key);

		if (v && !index--)
			return v;
	}
	return NULL;
}

__weak const char *cmdline_get(const char *key)
{
	const char *v = NULL;

	for (unsigned i = 0; i < nwords; i++)
		if (value_of(word[i], key))
			v = value_of(word[i], key);
	return v;
}

__weak bool cmdline_flag(const char *key)
{
	const char *v = cmdline_get(key);

	return v && strcmp(v, "0") && strcmp(v, "n") && strcmp(v, "off");
}

__weak u64 cmdline_u64(const char *key, u64 fallback)
{
	const char *v = cmdline_get(key), *end;

	return v && *v ? str_to_u64(v, &end) : fallback;
}

__weak const char *cmdline_raw(void)
{
	return raw;
}
