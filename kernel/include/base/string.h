/* SPDX-License-Identifier: BSD-2-Clause */
/* The C library's memory and string routines that the kernel uses. Host builds take libc's. */
#pragma once

#include "base/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
/* -ffreestanding hides what these names mean from the compiler; with it, small constant sizes cost no call.
 */
#define memcpy(...)  __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...)  __builtin_memset(__VA_ARGS__)
#define memcmp(...)  __builtin_memcmp(__VA_ARGS__)
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/* Copy at most SIZE-1 bytes and always terminate. Returns the bytes copied, or -E2BIG when SRC did not fit.
 */
ssize_t str_copy(char *dst, const char *src, size_t size);
/* Parse an unsigned number (0x, 0 or decimal) with an optional k/K m/M g/G suffix; *END is the first byte not
 * used. */
u64 str_to_u64(const char *s, const char **end);
