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
	const char *last = head + SCRIPT_HEAD_SIZE - 1;
	const char *name, *name_end, *end;
	bool whole;

	if (head[0] != '#' || head[1] != '!')
		return -ENOEXEC;
	for (end = head + 2; end < last && *end && *end != '\n'; end++)
		;
	whole = end < last; /* else the line goes on beyond what was read: its last word may be cut */
	while (end > head + 2 && is_blank(end[-1]))
		end--;
	name = skip_blanks(head + 2, end);
	if (name == end)
		return -ENOEXEC;
	for (name_end = name; name_end < end && !is_blank(*name_end); name_end++)
		;
	if (name_end == end && !whole)
		return -ENOEXEC;
	copy_part(out->interp, name, name_end);
	copy_part(out->arg, skip_blanks(name_end, end), end);
	return 0;
}
