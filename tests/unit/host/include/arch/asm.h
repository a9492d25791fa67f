/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports on the host: a test's own (host_ports in host.h). */
#pragma once

#include "host.h"

static inline void outb(u16 port, u8 v)
{
	host_ports.out(port, v, 1);
}

static inline u8 inb(u16 port)
{
	return (u8)host_ports.in(port, 1);
}

static inline void outw(u16 port, u16 v)
{
	host_ports.out(port, v, 2);
}

static inline u16 inw(u16 port)
{
	return (u16)host_ports.in(port, 2);
}

static inline void outl(u16 port, u32 v)
{
	host_ports.out(port, v, 4);
}

static inline u32 inl(u16 port)
{
	return host_ports.in(port, 4);
}
