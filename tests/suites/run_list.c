// SPDX-License-Identifier: BSD-2-Clause
// Runs the programs that a list names, one after the other, each in a scratch folder and a session of its
// own:
//   run_list LIST FIRST SECONDS
// A line of LIST is a program and its arguments. For each from the FIRST on (from 0) it says "begin N", then
// what the program wrote, indented, then "end N exit S" or "end N signal S" or "end N timeout". After a hang
// or a crash of the machine the caller starts again with the next number.
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH "/tmp/run_list"
#define OUTPUT	"/tmp/run_list.out"
#define SHOWN	3000

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static void run(char *line)
{
	char *words[32];
	int n = 0;

	for (char *w = strtok(line, " "); w && n < 31; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
	int in = open("/dev/null", O_RDONLY),
	    out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	close(in);
	close(out);
	if (chdir(SCRATCH) || n == 0)
		_exit(127);
	execv(words[0], words);
	_exit(127);
}

static void show_output(void)
{
	FILE *f = fopen(OUTPUT, "r");
	int c, last = '\n', shown = 0;

	while (f && (c = getc(f)) != EOF && shown++ < SHOWN) {
		if (last == '\n')
			fputs("  ", stdout);
		putchar(isprint(c) || c == '\n' || c == '\t' ? c : '?');
		last = c;
	}
	if (last != '\n')
		putchar('\n');
	if (f)
		fclose(f);
}

// Ends what is left of the program's session; its orphans come to us, a subreaper.
static void sweep(pid_t session)
{
	kill(-session, SIGKILL);
	for (int tries = 0; tries < 100 && waitpid(-1, NULL, WNOHANG) >= 0; tries++)
		usleep(2000);
}

static void one(int number, char *line, int seconds)
{
	struct timespec limit = {.tv_sec = seconds};
	sigset_t child;
	int status = 0;

	printf("begin %d\n", number);
	fflush(stdout);
	nftw(SCRATCH, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mkdir(SCRATCH, 01777);
	chmod(SCRATCH, 01777);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pid_t pid = fork();

	if (!pid) {
		setsid();
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		run(line);
	}
	pid_t got = 0;

	while (!(got = waitpid(pid, &status, WNOHANG)) && sigtimedwait(&child, NULL, &limit) > 0)
		;
	if (!got)
		got = waitpid(pid, &status, WNOHANG);
	sweep(pid);
	show_output();
	if (!got)
		printf("end %d timeout\n", number);
	else if (WIFSIGNALED(status))
		printf("end %d signal %d\n", number, WTERMSIG(status));
	else
		printf("end %d exit %d\n", number, WEXITSTATUS(status));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	FILE *list = argc == 4 ? fopen(argv[1], "r") : NULL;
	char line[4096];
	sigset_t child;

	if (!list)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (int number = 0; fgets(line, sizeof(line), list); number++) {
		line[strcspn(line, "\n")] = 0;
		if (number >= atoi(argv[2]))
			one(number, line, atoi(argv[3]));
	}
	puts("done");
	return 0;
}
