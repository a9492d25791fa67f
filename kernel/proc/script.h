/* SPDX-License-Identifier: BSD-2-Clause */
/* The #! line of a script: pure, also built for the host. execve(2), "Interpreter scripts". */
#pragma once

#include "base/types.h"

#define SCRIPT_HEAD_SIZE 256 /* bytes of a file that are looked at */

struct script_line {
	char interp[SCRIPT_HEAD_SIZE];
	char arg[SCRIPT_HEAD_SIZE]; /* "" when there is none: all the rest of the line is one argument */
};

/* HEAD holds the file's first SCRIPT_HEAD_SIZE bytes, with zeros behind a shorter file. 0, -ENOEXEC: not a
 * script, or a line without a (whole) interpreter name. */
int script_parse(const char head[SCRIPT_HEAD_SIZE], struct script_line *out);
