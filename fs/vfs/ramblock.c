/* SPDX-License-Identifier: BSD-2-Clause */
/* The initrd as block device "ram0". Requests are copies and complete before submit returns. Read only: the
 * boot loader's memory is the only copy. */
#include "ramblock.h"
#include "base/string.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/page.h"

static int ram_submit(struct block_device *bd, struct block_request *r)
{
	u64 off = r->sector * 512, size = bd->sectors * 512;
	int err = r->op == BLOCK_READ || r->op == BLOCK_FLUSH ? 0 : -EIO;

	for (unsigned n = 0; !err && r->op == BLOCK_READ && n < r->nsegs; n++) {
		u32 len = r->segs[n].len;

		if (off > size || len > size - off)
			err = -EIO;
		else
			memcpy(phys_to_virt(r->segs[n].phys), (const u8 *)bd->priv + off, len);
		off += len;
	}
	block_done(bd, r, err);
	return 0;
}

static const struct block_device_ops ram_ops = {.submit = ram_submit};

const u8 *ramblock_memory(const struct block_device *bd)
{
	return bd->ops == &ram_ops ? bd->priv : NULL;
}

static struct block_device *initrd;

int initrd_register(void *base, u64 size)
{
	struct block_device *bd;

	if (size < 512 || (uintptr_t)base % PAGE_SIZE || initrd)
		return -EINVAL;
	bd = kzalloc(sizeof *bd);
	if (!bd)
		return -ENOMEM;
	str_copy(bd->name, "ram0", sizeof bd->name);
	bd->sectors = size / 512;
	bd->sector_size = 512;
	bd->max_segs = 64;
	bd->read_only = true;
	bd->ops = &ram_ops;
	bd->priv = base;
	list_init(&bd->node);
	initrd = bd;
	return 0;
}

struct block_device *ramblock_or_disk(const char *source)
{
	const char *slash = strrchr(source, '/'), *name = slash ? slash + 1 : source;

	return initrd && !strcmp(name, initrd->name) ? initrd : block_find(name);
}
