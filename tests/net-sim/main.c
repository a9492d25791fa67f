/* SPDX-License-Identifier: BSD-2-Clause */
/* net-sim FIRST COUNT: the sessions of COUNT seeds. Prints "ok", or "not ok" with the seed and the reason. */
#include <stdio.h>
#include <stdlib.h>

#include "scenario.h"

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1,
	    count = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	const struct scenario_totals *t = &scenario_totals;

	for (u64 seed = first; seed < first + count; seed++)
		scenario_run(seed);
	printf("%llu sessions, %llu bytes in %llu segments (%llu repeated); %llu of %llu frames lost; %llu "
	       "given up, "
	       "%llu unfinished\n",
	       (unsigned long long)t->sessions, (unsigned long long)t->bytes, (unsigned long long)t->segments,
	       (unsigned long long)t->repeated, (unsigned long long)t->lost, (unsigned long long)t->frames,
	       (unsigned long long)t->given_up, (unsigned long long)t->unfinished);
	printf("ok   net-sim seeds %llu to %llu (%llu tests)\n", (unsigned long long)first,
	       (unsigned long long)(first + count - 1), (unsigned long long)count);
	return 0;
}
