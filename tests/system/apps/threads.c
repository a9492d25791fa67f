// SPDX-License-Identifier: BSD-2-Clause
// threads N: N threads that are alive at the same time, each of which hands back its number.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t all;

static void *wait_for_all(void *arg)
{
	pthread_barrier_wait(&all);
	return arg;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1;
	pthread_t *t = calloc((size_t)n, sizeof(*t));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_barrier_init(&all, NULL, (unsigned)n + 1);
	for (long i = 0; i < n; i++) {
		int err = pthread_create(&t[i], &attr, wait_for_all, (void *)i);

		if (err) {
			printf("thread %ld: %s\n", i, strerror(err));
			return 1;
		}
	}
	pthread_barrier_wait(&all);
	puts("all run");
	for (long i = 0; i < n; i++) {
		void *number;

		if (pthread_join(t[i], &number) || (long)number != i)
			return 2;
	}
	puts("all ended");
	return 0;
}
