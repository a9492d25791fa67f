// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer: any bytes as the answers of a 9p server, while programs use the file system. Nothing but errors
 * may come of it. Each answer takes the next bytes: a control byte (0-7 mostly: a well-formed header, so that
 * bodies are reached) and a body. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/9p/client.h"
#include "fs/vfs.h"
#include "host.h"
#include "kernel/log.h"
#include "tests/unit/fs/fs_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;

static uint8_t next(void)
{
	left -= left > 0;
	return left ? *input++ : 0;
}

/* Bytes that a getattr or walk may begin with, so that there is a tree to walk in. */
static size_t sensible(uint8_t type, uint8_t *body)
{
	size_t n = 0;

	memset(body, 0, 512);
	switch (type) {
	case P9_TVERSION:
		memcpy(body,
		       "\0\0\1\0\x08\0"
		       "9P2000.L",
		       14);
		return 14;
	case P9_TATTACH:
		body[0] = 0x80;
		body[5] = 1;
		return 13;
	case P9_TWALK:
		body[0] = 1;
		body[7] = next() % 8;
		return 15;
	case P9_TGETATTR:
		memcpy(body, "\xff\x07", 2);
		body[13] = next() % 8;
		n = next() % 4;
		body[22] = n == 0 ? 0x41 : n == 1 ? 0x81 : n == 2 ? 0xa1 : 0x11; /* S_IFMT */
		body[21] = 0xff;
		body[33] = 1;
		body[49] = next();
		body[50] = next();
		return 153;
	case P9_TREADDIR:
		body[0] = 26;
		body[17] = 1;
		body[26] = 2;
		memcpy(body + 28, "ab", 2);
		return 30;
	case P9_TREAD:
		body[0] = next();
		return 4u + body[0];
	case P9_TWRITE:
		body[0] = next();
		return 4;
	default:
		return 64;
	}
}

static int submit(struct p9_transport *t, struct p9_io *io, bool lazy)
{
	const uint8_t *message = phys_to_virt(io->segs[0].phys);
	uint8_t answer[600], how = next();
	uint32_t n;
	size_t body, room = 0, done = 0;

	for (unsigned k = io->nout; k < io->nout + io->nin; k++)
		room += io->segs[k].len;
	body = sensible(message[4], answer + 7);
	if (how >= 200) /* an error, or bytes of the input */
		for (body = how % 64; done < body; done++)
			answer[7 + done] = next();
	for (unsigned k = how & 3; k == 1 || k == 2; k = 0) {
		answer[7 + next() % 200] = next();
		answer[7 + next() % 32] = next();
	}
	n = (uint32_t)(7 + body);
	if (n > room)
		n = (uint32_t)room;
	memcpy(answer, &n, 4);
	answer[4] = how % 16 == 7 ? P9_RLERROR : (uint8_t)(message[4] + 1);
	memcpy(answer + 5, message + 5, 2);
	if (how == 199)
		answer[next() % 7] = next();
	done = 0;
	for (unsigned k = io->nout; k < io->nout + io->nin && done < n; k++) {
		size_t part = min(n - done, (size_t)io->segs[k].len);

		memcpy(phys_to_virt(io->segs[k].phys), answer + done, part);
		done += part;
	}
	io->done(io, 0, how == 198 ? next() : n);
	return 0;
}

static void kick(struct p9_transport *t)
{
}

static void use(void)
{
	char buf[300];
	struct statx x;
	long fd;

	SYS(statx, AT_FDCWD, "/mnt/ab", 0, STATX_ALL, &x);
	fd = SYS(open, "/mnt", O_RDONLY | O_DIRECTORY);
	SYS(getdents64, fd, buf, sizeof buf);
	SYS(getdents64, fd, buf, 40);
	SYS(close, fd);
	fd = SYS(open, "/mnt/ab", O_RDWR | O_CREAT, 0644);
	SYS(read, fd, buf, sizeof buf);
	SYS(write, fd, buf, sizeof buf);
	SYS(ftruncate, fd, 3);
	SYS(lseek, fd, 0, 2);
	SYS(unlink, "/mnt/ab");
	SYS(ftruncate, fd, 1);
	SYS(fsync, fd);
	SYS(close, fd);
	SYS(mkdir, "/mnt/d", 0755);
	SYS(rename, "/mnt/d", "/mnt/e");
	SYS(symlink, "x", "/mnt/l");
	SYS(readlink, "/mnt/l", buf, sizeof buf);
	SYS(link, "/mnt/ab", "/mnt/m");
	SYS(llistxattr, "/mnt/ab", buf, sizeof buf);
	SYS(lgetxattr, "/mnt/ab", "user.a", buf, sizeof buf);
	SYS(lsetxattr, "/mnt/ab", "user.a", "v", 1, 0);
	SYS(statfs, "/mnt", buf);
	SYS(rmdir, "/mnt/e");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct p9_transport device = {.tag = "vol", .max_segs = 128, .submit = submit, .kick = kick};
	static bool ready;

	if (!ready) {
		ready = true;
		fs_host_start("tmpfs", "tmpfs");
		SYS(mkdir, "/mnt", 0755);
		p9_transport_register(&device);
		log_console_level = LOG_EMERG;
	}
	input = data;
	left = size;
	if (!vfs_mount("vol", "/mnt", "9p", 0, size && *data & 1 ? "cache=loose" : "")) {
		use();
		use();
		if (SYS(umount2, "/mnt", 0))
			abort();
	}
	host_rcu_quiesce();
	if (host_pages_live() > 8)
		abort();
	return 0;
}
