/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC (Intel 82093AA): redirection entries of two 32-bit words behind an index and a data register. */

#include "ioapic.h"
#include "arch/memory.h"
#include "base/err.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"

#define IOAPIC_MAX     8 /* q35 has 1, microvm up to 2 */
#define REG_VERSION    1
#define REG_REDIR(n)   (0x10 + 2 * (n))
#define REDIR_MASKED   BIT(16)
#define REDIR_LEVEL    BIT(15)
#define REDIR_LOW      BIT(13)

static struct ioapic {
	volatile u32 *regs; /* [0] index, [4] data */
	unsigned base, count;
} ioapics[IOAPIC_MAX];
static unsigned nioapics;
static struct spinlock lock = SPINLOCK_INIT; /* index and data are a pair */

static u32 reg_read(struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void reg_write(struct ioapic *io, u32 reg, u32 v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

int ioapic_register(u64 phys, unsigned gsi_base)
{
	struct ioapic *io = &ioapics[nioapics];

	if (nioapics == IOAPIC_MAX)
		return -ENOSPC;
	io->regs = mmio_map(phys, PAGE_SIZE);
	if (!io->regs)
		return -ENOMEM;
	io->base = gsi_base;
	io->count = (reg_read(io, REG_VERSION) >> 16 & 0xff) + 1;
	for (unsigned i = 0; i < io->count; i++)
		reg_write(io, REG_REDIR(i), REDIR_MASKED);
	nioapics++;
	return 0;
}

static struct ioapic *find(unsigned gsi)
{
	for (unsigned i = 0; i < nioapics; i++)
		if (gsi >= ioapics[i].base && gsi < ioapics[i].base + ioapics[i].count)
			return &ioapics[i];
	return NULL;
}

int ioapic_route(unsigned gsi, u8 vector, u32 apic_id, bool level, bool active_low)
{
	struct ioapic *io = find(gsi);

	if (!io)
		return -ENOENT;
	u64 flags = spin_lock_irqsave(&lock);
	reg_write(io, REG_REDIR(gsi - io->base) + 1, apic_id << 24);
	reg_write(io, REG_REDIR(gsi - io->base), vector | (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_LOW : 0));
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

void ioapic_mask(unsigned gsi)
{
	struct ioapic *io = find(gsi);

	if (!io)
		return;
	u64 flags = spin_lock_irqsave(&lock);
	reg_write(io, REG_REDIR(gsi - io->base), REDIR_MASKED);
	spin_unlock_irqrestore(&lock, flags);
}
