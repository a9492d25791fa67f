// SPDX-License-Identifier: BSD-2-Clause
/* Splitting a #! line: see script.h. */
#include "script.h"
#include "base/err.h"
#include "base/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	return s;
}

static void copy_part(char *dst, const char *from, const char *to)
{
	size_t n = (size_t)(to - from);

	memcpy(dst, from, n);
	dst[n] = 0;
}

int script_parse(const char head[SCRIPT_HEAD_SIZE], struct script_line *out)
{
	const char *limit = head + SCRIPT_HEAD_SIZE;
	const char *name, *name_end, *end;

	if (head[0] != '#' || head[1] != '!')
		return -ENOEXEC;
	for (end = head + 2; end < limit && *end && *end != '\n'; end++)
		;
	if (end == limit)
		end = --limit; /* the line goes on beyond what was read */
	name = skip_blanks(head + 2, end);
	for (name_end = name; name_end < end && !is_blank(*name_end); name_end++)
		;
	if (name == name_end || name_end == limit)
		return -ENOEXEC; /* none, or one that may be cut */
	while (is_blank(end[-1]))
		end--;
	copy_part(out->interp, name, name_end);
	copy_part(out->arg, skip_blanks(name_end, end), end);
	return 0;
}
