/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed-width types, annotations and the few macros that every file uses. No dependency beyond the compiler. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#ifndef __ssize_t_defined
typedef long ssize_t;
#define __ssize_t_defined
#endif

/* A pointer into the application's address space: never dereferenced, only handed to kernel/app.h. */
#ifdef __CHECKER__
#define __app	__attribute__((noderef, address_space(1)))
#define __force __attribute__((force))
#else
#define __app
#define __force
#endif

#define __packed	 __attribute__((packed))
#define __aligned(n)	 __attribute__((aligned(n)))
#define __section(s)	 __attribute__((section(s)))
#define __used		 __attribute__((used))
#define __maybe_unused	 __attribute__((unused))
#define __weak		 __attribute__((weak))
#define __noinline	 __attribute__((noinline))
#define __always_inline	 inline __attribute__((always_inline))
#define __cold		 __attribute__((cold))
#define __must_check	 __attribute__((warn_unused_result))
#define __noreturn	 __attribute__((noreturn))
#define __printf(f, a)	 __attribute__((format(printf, f, a)))
#define CACHE_LINE	 64
#define __cacheline	 __aligned(CACHE_LINE)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member)                                                                              \
	({                                                                                                           \
		const typeof(((type *)0)->member) *_m = (ptr);                                                       \
		(type *)((char *)(uintptr_t)_m - offsetof(type, member));                                            \
	})
#define min(a, b)                                                                                                    \
	({                                                                                                           \
		typeof(a) _a = (a);                                                                                  \
		typeof(b) _b = (b);                                                                                  \
		_a < _b ? _a : _b;                                                                                   \
	})
#define max(a, b)                                                                                                    \
	({                                                                                                           \
		typeof(a) _a = (a);                                                                                  \
		typeof(b) _b = (b);                                                                                  \
		_a > _b ? _a : _b;                                                                                   \
	})
#define clamp(v, lo, hi)    min(max(v, lo), hi)
#define ALIGN_UP(x, a)	    (((x) + ((typeof(x))(a)-1)) & ~((typeof(x))(a)-1))
#define ALIGN_DOWN(x, a)    ((x) & ~((typeof(x))(a)-1))
#define IS_ALIGNED(x, a)    (((x) & ((typeof(x))(a)-1)) == 0)
#define DIV_ROUND_UP(n, d)  (((n) + (d)-1) / (d))
#define BIT(n)		    (1ull << (n))
#define KIB(n)		    ((u64)(n) << 10)
#define MIB(n)		    ((u64)(n) << 20)
#define GIB(n)		    ((u64)(n) << 30)
#define STRINGIFY_(x)	    #x
#define STRINGIFY(x)	    STRINGIFY_(x)

/* A single access that the compiler neither tears, repeats nor drops. Orders nothing. */
#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE  (1ul << HUGE_SHIFT)
