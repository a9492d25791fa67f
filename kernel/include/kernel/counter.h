/* SPDX-License-Identifier: BSD-2-Clause */
/* Named event counters, one per failure cause and one per event worth watching. They are listed, by walking
 * their linker section, in /proc/cortado/counters ("name value" lines) and so reach /metrics. Any context;
 * relaxed. */
#pragma once

#include "base/types.h"

struct counter {
	const char *name; /* subsystem_what, lower case */
	const char *help;
	_Atomic u64 value;
	u64 (*sum)(void); /* counted per CPU: gives the value instead. NULL for most */
};

#define DEFINE_COUNTER(var, text) \
	struct counter var __section("counters") __used __aligned(8) = {.name = #var, .help = text}
/* For hot paths: counted by its owner, per CPU, and added up by FN. */
#define DEFINE_COUNTER_SUM(var, fn, text) \
	struct counter var __section("counters") __used __aligned(8) = {.name = #var, .help = text, .sum = fn}
#define DECLARE_COUNTER(var) extern struct counter var

static inline void counter_add(struct counter *c, u64 n)
{
	atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

#define counter_inc(c) counter_add(c, 1)

static inline u64 counter_read(const struct counter *c)
{
	return c->sum ? c->sum() : atomic_load_explicit(&((struct counter *)c)->value, memory_order_relaxed);
}

extern struct counter __start_counters[], __stop_counters[]; /* from the linker */
