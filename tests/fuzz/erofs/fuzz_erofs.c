// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer: any bytes as an EROFS image, mounted and read through the system calls. Nothing but errors may come of it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/erofs/erofs_fs.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/blockdev.h"
#include "kernel/log.h"
#include "tests/unit/fs/fs_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned budget;

static void read_some(const char *path, u64 size)
{
	static char buf[20000];
	long fd = SYS(open, path, O_RDONLY);

	if (fd < 0)
		return;
	for (u64 pos = 0; pos < size && pos < 400000 && budget; pos += 17000, budget--)
		SYS(pread64, fd, buf, sizeof buf, pos);
	SYS(pread64, fd, buf, 300, size / 2);
	SYS(pread64, fd, buf, 300, size > 100 ? size - 100 : 0);
	SYS(close, fd);
}

static void crawl(const char *dir, int depth)
{
	char buf[2048], path[700], text[256];
	long fd = SYS(open, dir, O_RDONLY), n;

	if (fd < 0)
		return;
	while (budget && (n = SYS(getdents64, fd, buf, sizeof buf)) > 0)
		for (long at = 0; at < n && budget; at += *(u16 *)(buf + at + 16)) {
			const char *name = buf + at + 19;
			struct statx x;

			budget--;
			if (!strcmp(name, ".") || !strcmp(name, "..") ||
			    snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
				continue;
			if (SYS(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &x))
				continue;
			SYS(readlink, path, text, sizeof text);
			SYS(llistxattr, path, text, sizeof text);
			SYS(lgetxattr, path, "user.a", text, sizeof text);
			if (S_ISDIR(x.stx_mode) && depth < 3)
				crawl(path, depth + 1);
			else if (S_ISREG(x.stx_mode))
				read_some(path, x.stx_size);
		}
	SYS(close, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct block_device *bd;
	static u8 *image;

	if (size < 2048 || size > 1 << 20)
		return 0;
	if (!bd) {
		u8 none[512] = {0};

		fs_host_start("tmpfs", "tmpfs");
		SYS(mkdir, "/mnt", 0755);
		bd = fs_host_disk(none, sizeof none);
		free(bd->priv);
		log_console_level = LOG_EMERG;
	}
	image = malloc(ALIGN_UP(size, 512ul));
	memset(image, 0, ALIGN_UP(size, 512ul));
	memcpy(image, data, size);
	/* The checksum would hide everything behind it. */
	image[EROFS_SUPER_OFFSET + SB_COMPAT] &= (u8)~COMPAT_CHECKSUM;
	bd->priv = image;
	bd->sectors = DIV_ROUND_UP(size, 512);
	budget = 400;
	if (!vfs_mount("/dev/vda", "/mnt", "erofs", 0, "")) {
		crawl("/mnt", 0);
		if (SYS(umount2, "/mnt", 0))
			abort();
	}
	host_rcu_quiesce();
	if (host_pages_live() > 8)
		abort(); /* the page cache of an image that is gone */
	free(image);
	return 0;
}
