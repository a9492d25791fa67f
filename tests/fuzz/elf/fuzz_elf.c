// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: ELF headers and #! lines, the two things that execve reads of a file that anybody made.
 * Build and run: make -C tests/fuzz/elf run SECONDS=60 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "kernel/app.h"
#include "kernel/proc/elf.h"
#include "kernel/proc/script.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_elf(const uint8_t *data, size_t size)
{
	struct elf_layout l;
	struct elf64_hdr h;
	struct elf64_phdr *ph;
	size_t bytes;

	if (elf_check_header(data, size, &h))
		return;
	bytes = h.e_phnum * sizeof(*ph);
	if (h.e_phoff > size || bytes > size - h.e_phoff)
		return; /* the loader reads them, or fails */
	ph = malloc(bytes);
	memcpy(ph, data + h.e_phoff, bytes);
	if (!elf_check_segments(&h, ph, APP_LIMIT, &l)) {
		check(l.low < l.high && l.high <= APP_LIMIT && !((l.low | l.high) & ~PAGE_MASK));
		check(l.brk > l.low && l.brk <= l.high);
		check(l.align >= PAGE_SIZE && !(l.align & (l.align - 1)) && l.align <= APP_LIMIT / 4);
		check(l.entry < APP_LIMIT && l.phdr < APP_LIMIT);
		check(l.interp_size <= 4096 && l.interp_offset <= INT64_MAX - l.interp_size);
	}
	free(ph);
}

static void fuzz_script(const uint8_t *data, size_t size)
{
	char *head = calloc(1, SCRIPT_HEAD_SIZE);
	struct script_line l;

	memcpy(head, data, size < SCRIPT_HEAD_SIZE ? size : SCRIPT_HEAD_SIZE);
	if (!script_parse(head, &l)) {
		check(strnlen(l.interp, sizeof(l.interp)) < sizeof(l.interp) && l.interp[0]);
		check(strnlen(l.arg, sizeof(l.arg)) < sizeof(l.arg));
		check(!strchr(l.interp, ' ') && !strchr(l.interp, '\t') && !strchr(l.interp, '\n'));
		check(!strchr(l.arg, '\n'));
	}
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_elf(data, size);
	fuzz_script(data, size);
	return 0;
}
