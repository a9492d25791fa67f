// SPDX-License-Identifier: BSD-2-Clause
// Prints its arguments and environment count, and exits with the status that the first argument names.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	printf("hello");
	for (int i = 2; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	return argc > 1 ? atoi(argv[1]) : 0;
}
