// SPDX-License-Identifier: BSD-2-Clause
// Ends by the fault that the argument names, so that exit statuses and fault texts can be checked from
// outside.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static volatile int zero;

static long deeper(long n)
{
	volatile char room[4096];

	room[n & 4095] = 1;
	return n ? deeper(n + 1) + room[0] : 0; // ends only by the fault
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "null";

	printf("before %s\n", how);
	fflush(stdout);
	if (!strcmp(how, "null")) {
		int value = *(volatile int *)(uintptr_t)zero;
		return value;
	} else if (!strcmp(how, "write")) {
		*(volatile int *)0x1000 = 1;
	} else if (!strcmp(how, "readonly")) {
		*(volatile char *)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
	} else if (!strcmp(how, "kernel")) {
		*(volatile uint64_t *)0xffffffff80000000ull = 1;
	} else if (!strcmp(how, "noncanonical")) {
		*(volatile uint64_t *)0x8000000000000000ull = 1;
	} else if (!strcmp(how, "execute")) {
		((void (*)(void))mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				      0))();
	} else if (!strcmp(how, "divide")) {
		__asm__ volatile("xor %%eax, %%eax\n cltd\n idivl %0" : : "m"(zero) : "eax", "edx");
	} else if (!strcmp(how, "illegal")) {
		__asm__ volatile("ud2");
	} else if (!strcmp(how, "trap")) {
		__asm__ volatile("int3");
	} else if (!strcmp(how, "abort")) {
		abort();
	} else if (!strcmp(how, "stack")) {
		return (int)deeper(1);
	} else if (!strcmp(how, "term")) {
		raise(SIGTERM);
	} else if (!strcmp(how, "kill")) {
		raise(SIGKILL);
	}
	return 99;
}
