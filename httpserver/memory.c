/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <fcntl.h>
#include <stdlib.h>

#include "util.h"

#define FILE_LIMIT   65536
#define BALLOON_FILE "/proc/cortado/balloon"

bool memory_read(struct memory *m)
{
	char *text = read_file("/proc/meminfo", FILE_LIMIT, NULL);
	struct balloon b;

	if (!text)
		return false;
	*m = (struct memory){
		.total = field(text, "MemTotal", 0) << 10,
		.free = field(text, "MemFree", 0) << 10,
		.available = field(text, "MemAvailable", 0) << 10,
		.cached = field(text, "Cached", 0) << 10,
		.shared = field(text, "Shmem", 0) << 10,
	};
	free(text);
	if (balloon_read(&b))
		m->ballooned = b.boot - b.actual;
	return true;
}

bool balloon_read(struct balloon *b)
{
	char *text = read_file(BALLOON_FILE, FILE_LIMIT, NULL);

	if (!text)
		return false;
	*b = (struct balloon){
		.boot = field(text, "boot_bytes", 0),
		.target = field(text, "target_bytes", 0),
		.actual = field(text, "actual_bytes", 0),
	};
	bool present = field(text, "present", 0);

	free(text);
	return present;
}

int balloon_watch_fd(void)
{
	return open(BALLOON_FILE, O_RDONLY | O_CLOEXEC);
}
