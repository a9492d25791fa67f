/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's fw_cfg device at I/O port 0x510: a selector and a data port, and DMA where the device offers it
 * (QEMU, docs/specs/fw_cfg.rst). The directory is read at the first use and kept. `mutex` guards the
 * directory and the device, whose selector and offset are state between accesses. All numbers of the device
 * are big-endian. */

#include "arch/asm.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/fwcfg.h"
#include "kernel/mutex.h"
#include "kernel/page.h"

enum {
	PORT_SELECTOR = 0x510,
	PORT_DATA = 0x511,
	PORT_DMA_HIGH = 0x514,
	PORT_DMA_LOW = 0x518,
};
enum {
	KEY_SIGNATURE = 0x0000,
	KEY_ID = 0x0001,
	KEY_DIRECTORY = 0x0019,
};
#define ID_DMA	    2
#define MAX_FILES   4096 /* a directory of more is taken for garbage */
#define NAME_SIZE   56
#define BOUNCE_SIZE PAGE_SIZE
#define DMA_WAIT_NS (5 * NSEC_PER_SEC)

enum {
	DMA_ERROR = 1 << 0,
	DMA_READ = 1 << 1,
	DMA_SKIP = 1 << 2,
	DMA_SELECT = 1 << 3,
};

struct dma_command { /* as the device reads it */
	u32 control, length;
	u64 address;
};

struct directory_entry { /* as the device gives it */
	u32 size;
	u16 select, reserved;
	char name[NAME_SIZE];
};

static DEFINE_MUTEX(mutex);
static enum { UNKNOWN, ABSENT, PRESENT } state;
static struct directory_entry *files; /* in host byte order once read; names terminated */
static unsigned nfiles;
static struct dma_command *dma; /* with BOUNCE_SIZE bytes behind it; NULL: port access only */

DEFINE_COUNTER(fwcfg_dma_errors, "fw_cfg transfers that the device refused or did not finish");

/* One DMA operation. The write to the low half of the address starts it; QEMU is done when that returns, but
 * the interface only promises that control becomes zero. */
static int dma_run(u32 control, u32 length)
{
	u64 pa = virt_to_phys(dma), start = clock_monotonic();

	dma->length = be32(length);
	dma->address = be64(pa + sizeof *dma);
	WRITE_ONCE(dma->control, be32(control));
	atomic_thread_fence(memory_order_seq_cst);
	outl(PORT_DMA_HIGH, be32((u32)(pa >> 32)));
	outl(PORT_DMA_LOW, be32((u32)pa));
	for (;;) {
		u32 done = be32(READ_ONCE(dma->control));

		atomic_thread_fence(memory_order_acquire);
		if (!done)
			return 0;
		if (done & DMA_ERROR || clock_monotonic() - start > DMA_WAIT_NS) {
			counter_inc(&fwcfg_dma_errors);
			return -EIO;
		}
		cpu_relax();
	}
}

static int dma_read(u16 key, u8 *buf, u32 size, u32 off)
{
	u32 select = (u32)key << 16 | DMA_SELECT;
	int err = dma_run(select | DMA_SKIP, off);

	while (!err && size) {
		u32 n = min(size, (u32)BOUNCE_SIZE);

		err = dma_run(DMA_READ, n);
		if (!err)
			memcpy(buf, dma + 1, n);
		buf += n;
		size -= n;
	}
	return err;
}

static void port_read(u16 key, u8 *buf, u32 size, u32 off)
{
	outw(PORT_SELECTOR, key);
	while (off--)
		(void)inb(PORT_DATA);
	while (size--)
		*buf++ = inb(PORT_DATA);
}

static int item_read(u16 key, void *buf, u32 size, u32 off)
{
	if (dma)
		return dma_read(key, buf, size, off);
	port_read(key, buf, size, off);
	return 0;
}

static int directory_read(void)
{
	u32 count;
	int err = item_read(KEY_DIRECTORY, &count, sizeof count, 0);

	count = be32(count);
	if (err || !count || count > MAX_FILES)
		return err;
	files = kcalloc(count, sizeof *files);
	if (!files)
		return -ENOMEM;
	err = item_read(KEY_DIRECTORY, files, (u32)(count * sizeof *files), sizeof count);
	if (err) {
		kfree(files);
		files = NULL;
		return err;
	}
	for (u32 i = 0; i < count; i++) {
		files[i].size = be32(files[i].size);
		files[i].select = be16(files[i].select);
		files[i].name[NAME_SIZE - 1] = 0;
	}
	nfiles = count;
	return 0;
}

/* With the mutex held: is there a device? Looks once; a lack of memory is looked at again. */
static bool present(void)
{
	char signature[4];
	u32 id;

	if (state != UNKNOWN)
		return state == PRESENT;
	port_read(KEY_SIGNATURE, (u8 *)signature, sizeof signature, 0);
	if (memcmp(signature, "QEMU", 4)) {
		state = ABSENT;
		return false;
	}
	port_read(KEY_ID, (u8 *)&id, sizeof id, 0); /* the one little-endian item */
	if (id & ID_DMA)
		dma = kmalloc(sizeof *dma + BOUNCE_SIZE);
	if (directory_read()) {
		kfree(dma);
		dma = NULL;
		return false;
	}
	state = PRESENT;
	return true;
}

static const struct directory_entry *find(const char *name)
{
	if (!present())
		return NULL;
	for (unsigned i = 0; i < nfiles; i++)
		if (!strcmp(files[i].name, name))
			return &files[i];
	return NULL;
}

ssize_t fwcfg_size(const char *name)
{
	const struct directory_entry *f;
	ssize_t size;

	mutex_lock(&mutex);
	f = find(name);
	size = f ? (ssize_t)f->size : -ENOENT;
	mutex_unlock(&mutex);
	return size;
}

ssize_t fwcfg_read(const char *name, void *buf, size_t size, size_t off)
{
	const struct directory_entry *f;
	ssize_t result = -ENOENT;

	mutex_lock(&mutex);
	f = find(name);
	if (f) {
		u32 n = off < f->size ? (u32)min(size, (size_t)f->size - off) : 0;
		int err = n ? item_read(f->select, buf, n, (u32)off) : 0;

		result = err ? err : (ssize_t)n;
	}
	mutex_unlock(&mutex);
	return result;
}

int fwcfg_name(unsigned index, char *name, size_t size)
{
	int result = -ENOENT;

	mutex_lock(&mutex);
	if (present() && index < nfiles)
		result = str_copy(name, files[index].name, size) < 0 ? -E2BIG : 0;
	mutex_unlock(&mutex);
	return result;
}
