// SPDX-License-Identifier: BSD-2-Clause
// Record locks, open-file locks and flock(2): who excludes whom, what is told, waiting, deadlock, letting go.
#include "abi.h"
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38
#endif

static int lk(int fd, int cmd, int type, int whence, off_t start, off_t len)
{
	struct flock l = {.l_type = (short)type, .l_whence = (short)whence, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &l);
}

// What a lock of TYPE over [START, LEN) would meet, asked by another process: "free" or "w 10+5 pid".
static const char *probe(int fd, int cmd, int type, off_t start, off_t len, pid_t *pid)
{
	static char *text;
	struct flock l = {.l_type = (short)type, .l_start = start, .l_len = len};

	if (!text)
		text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t p = fork();
	if (!p) {
		if (fcntl(fd, cmd, &l))
			sprintf(text, "errno %d", errno);
		else if (l.l_type == F_UNLCK)
			strcpy(text, "free");
		else
			sprintf(text, "%c %lld+%lld", l.l_type == F_WRLCK ? 'w' : 'r', (long long)l.l_start,
				(long long)l.l_len);
		*(pid_t *)(text + 100) = l.l_pid;
		_exit(l.l_whence);
	}
	int status;
	waitpid(p, &status, 0);
	if (pid)
		*pid = *(pid_t *)(text + 100);
	return status ? "no answer" : text;
}

#define NEED_PROBE(fd, type, start, len, want)                                                              \
	do {                                                                                                \
		const char *t_ = probe(fd, F_GETLK, type, start, len, NULL);                                \
		if (strcmp(t_, want)) {                                                                     \
			snprintf(child_why, 500, "child, line %d: \"%s\", not \"%s\"", __LINE__, t_, want); \
			_exit(1);                                                                           \
		}                                                                                           \
	} while (0)

TEST(record_ranges)
{
	pid_t pid;

	CHILD
		NEED(!scratch_enter());
		int fd = open("f", O_CREAT | O_RDWR, 0600);
		NEED(fd >= 0 && !ftruncate(fd, 1000) && lseek(fd, 100, SEEK_SET) == 100);
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 10, 20));
		NEED_PROBE(fd, F_RDLCK, 0, 0, "w 10+20");
		NEED(!strcmp(probe(fd, F_GETLK, F_RDLCK, 0, 0, &pid), "w 10+20") && pid == getpid());
		NEED_PROBE(fd, F_RDLCK, 30, 0, "free");
		NEED(!lk(fd, F_SETLK, F_RDLCK, SEEK_SET, 15, 5)); // a piece changes its kind
		NEED_PROBE(fd, F_RDLCK, 15, 5, "free");
		NEED_PROBE(fd, F_WRLCK, 15, 5, "r 15+5");
		NEED_PROBE(fd, F_WRLCK, 20, 1, "w 20+10");
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 12, 10));
		NEED_PROBE(fd, F_WRLCK, 12, 10, "free");
		NEED_PROBE(fd, F_WRLCK, 0, 12, "w 10+2");
		NEED_PROBE(fd, F_WRLCK, 21, 100, "w 22+8");
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_CUR, -10, 5)); // 90..94
		NEED_PROBE(fd, F_WRLCK, 0, 0, "w 90+5");
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_END, -10, 0)); // 990 to the end, however far that is
		NEED_PROBE(fd, F_WRLCK, 100, 0, "w 990+0");
		NEED_PROBE(fd, F_WRLCK, 1l << 40, 1, "w 990+0");
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 500, -10)); // 490..499
		NEED_PROBE(fd, F_WRLCK, 495, 10, "w 490+10");
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 480, 10)); // and its neighbour joins it
		NEED_PROBE(fd, F_WRLCK, 495, 10, "w 480+20");
		NEED_ERR(lk(fd, F_SETLK, F_WRLCK, SEEK_SET, -1, 1), EINVAL);
		NEED_ERR(lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 5, -6), EINVAL);
		NEED_ERR(lk(fd, F_SETLK, F_WRLCK, 9, 0, 0), EINVAL);
		NEED_ERR(lk(fd, F_SETLK, 9, SEEK_SET, 0, 0), EINVAL);
		NEED_ERR(lk(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 0), EINVAL);
		NEED_ERR(lk(fd, F_SETLK, F_WRLCK, SEEK_SET, INT64_MAX, 2), EOVERFLOW);
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, INT64_MAX, 1));
		NEED_ERR(fcntl(fd, F_SETLK, (void *)8), EFAULT);
		int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
		NEED_ERR(lk(ro, F_SETLK, F_WRLCK, SEEK_SET, 0, 1), EBADF);
		NEED_ERR(lk(wo, F_SETLK, F_RDLCK, SEEK_SET, 0, 1), EBADF);
		NEED(!lk(ro, F_GETLK, F_WRLCK, SEEK_SET, 0, 1));
	END_CHILD;
}

TEST(record_letting_go)
{
	CHILD
		NEED(!scratch_enter());
		int fd = open("f", O_CREAT | O_RDWR, 0600), other = open("f", O_RDONLY), status;
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
		NEED(!close(other)); // any descriptor of the file
		NEED_PROBE(fd, F_WRLCK, 0, 0, "free");
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10) && (other = dup(fd)) >= 0 && !close(other));
		NEED_PROBE(fd, F_WRLCK, 0, 0, "free");
		pid_t p = fork();
		if (!p)
			_exit(lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
		NEED(waitpid(p, &status, 0) == p && !status);
		NEED_PROBE(fd, F_WRLCK, 0, 0, "free"); // its end let go
		NEED(!lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
		p = fork();
		if (!p) { // not inherited, and not its to drop
			if (lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1) != -1 ||
			    (errno != EAGAIN && errno != EACCES))
				_exit(1);
			lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0);
			_exit(close(fd));
		}
		NEED(waitpid(p, &status, 0) == p && !status);
		NEED_PROBE(fd, F_WRLCK, 0, 0, "w 0+10");
	END_CHILD;
}

static void nothing(int sig)
{
}

// The lines of /proc/locks about file INO, less their numbers: "POSIX ADVISORY WRITE 0 9\n...".
static const char *listed(ino_t ino)
{
	static char out[1000];
	char line[300], kind[20], mode[20], type[20], id[60], start[30], end[30], *at = out;
	FILE *f = fopen("/proc/locks", "r");
	unsigned long long n;
	int pid;

	*out = 0;
	while (f && fgets(line, sizeof line, f)) {
		char *s = strchr(line, ':') + 1;
		bool waits = !strncmp(s += strspn(s, " "), "->", 2);

		if (sscanf(waits ? s + 2 : s, "%19s %19s %19s %d %59s %29s %29s", kind, mode, type, &pid, id,
			   start, end) != 7)
			return "unreadable";
		n = strtoull(strrchr(id, ':') + 1, NULL, 10);
		if (n == ino)
			at += sprintf(at, "%s%s %s %s %s %s|", waits ? "-> " : "", kind, mode, type, start,
				      end);
	}
	if (f)
		fclose(f);
	return out;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

// Wait until N lock requests for file INO are waiting.
static bool waiting(ino_t ino, int n)
{
	for (int i = 0; i < 500; i++, usleep(10000)) {
		int seen = 0;

		for (const char *at = listed(ino); (at = strstr(at, "->")); at++)
			seen++;
		if (seen == n)
			return true;
	}
	return false;
}

TEST(record_waiting)
{
	CHILD
		NEED(!scratch_enter());
		int fd = open("f", O_CREAT | O_RDWR, 0600), p[2], status;
		char c;
		NEED(!pipe(p) && !lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
		pid_t child = fork();
		if (!child) {
			struct sigaction a = {.sa_handler = nothing};
			sigaction(SIGALRM, &a, NULL);
			alarm(1);
			if (lk(fd, F_SETLKW, F_RDLCK, SEEK_SET, 5, 1) != -1 || errno != EINTR)
				_exit(1);
			write(p[1], "x", 1);
			_exit(lk(fd, F_SETLKW, F_RDLCK, SEEK_SET, 5, 1) ? 2 : 0);
		}
		NEED(read(p[0], &c, 1) == 1 && waiting(inode_of(fd), 1));
		NEED(waitpid(child, &status, WNOHANG) == 0);
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 5, 1)); // just that byte
		NEED(waitpid(child, &status, 0) == child);
		NEED_EQ(status, 0);
	END_CHILD;
}

TEST(deadlock)
{
	CHILD
		NEED(!scratch_enter());
		int fd = open("f", O_CREAT | O_RDWR, 0600), p[2], status;
		struct stat st;
		char c;
		NEED(!pipe(p) && !fstat(fd, &st) && !lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
		// Three in a ring: each holds one byte and waits for the next one's.
		pid_t a = fork();
		if (!a) {
			lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 1, 1);
			write(p[1], "a", 1);
			_exit(lk(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1) ? 1 : 0);
		}
		NEED(read(p[0], &c, 1) == 1);
		pid_t b = fork();
		if (!b) {
			lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 2, 1);
			write(p[1], "b", 1);
			_exit(lk(fd, F_SETLKW, F_WRLCK, SEEK_SET, 1, 1) ? 1 : 0);
		}
		NEED(read(p[0], &c, 1) == 1 && waiting(st.st_ino, 2));
		NEED_ERR(lk(fd, F_SETLKW, F_WRLCK, SEEK_SET, 2, 1), EDEADLK);
		NEED_ERR(lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 2, 1), EAGAIN);
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 1));
		NEED(waitpid(a, &status, 0) == a && !status && waitpid(b, &status, 0) == b && !status);
	END_CHILD;
}

TEST(open_file_locks)
{
	pid_t pid;

	CHILD
		NEED(!scratch_enter());
		int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDWR), status;
		NEED(!lk(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
		NEED_ERR(lk(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 5, 1), EAGAIN); // in one process
		NEED_ERR(lk(a, F_SETLK, F_WRLCK, SEEK_SET, 5, 1), EAGAIN);     // of another kind
		NEED(!strcmp(probe(b, F_GETLK, F_RDLCK, 0, 0, &pid), "w 0+10") && pid == -1);
		NEED(!strcmp(probe(b, F_OFD_GETLK, F_RDLCK, 0, 0, &pid), "w 0+10") && pid == -1);
		NEED(!strcmp(probe(a, F_OFD_GETLK, F_RDLCK, 0, 0, &pid), "free"));
		struct flock l = {.l_type = F_WRLCK, .l_len = 1, .l_pid = 1};
		NEED_ERR(fcntl(a, F_OFD_SETLK, &l), EINVAL);
		NEED_ERR(fcntl(a, F_OFD_GETLK, &l), EINVAL);
		int c = open("f", O_RDONLY);
		NEED(!close(c)); // does not let go
		NEED_ERR(lk(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1), EAGAIN);
		pid_t p = fork();
		if (!p) // the child shares the open file, and so the lock
			_exit(lk(a, F_OFD_SETLK, F_RDLCK, SEEK_SET, 0, 10) ? 1 : 0);
		NEED(waitpid(p, &status, 0) == p && !status);
		NEED(!lk(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 0, 1));
		int d = dup(a);
		NEED(!close(a));
		NEED_ERR(lk(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1), EAGAIN);
		NEED(!close(d) && !lk(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1));
	END_CHILD;
}

static int flock_fd, flock_result = -1;

static void *flock_waits(void *arg)
{
	flock_result = flock(flock_fd, LOCK_EX);
	return NULL;
}

TEST(whole_files)
{
	CHILD
		NEED(!scratch_enter());
		int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDONLY), c = open("f", O_WRONLY),
		    status;
		NEED(!flock(a, LOCK_EX));
		NEED_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
		NEED(!lk(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 0)); // another world
		NEED(!flock(a, LOCK_SH) && !flock(b, LOCK_SH | LOCK_NB) && !flock(c, LOCK_SH | LOCK_NB));
		NEED_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		NEED(!flock(b, LOCK_UN) && !flock(c, LOCK_UN) && !flock(c, LOCK_UN));
		NEED(!flock(c, LOCK_EX | LOCK_NB) &&
		     !flock(c, LOCK_UN)); // the failed change let go of what it had
		NEED_ERR(flock(a, 0), EINVAL);
		NEED_ERR(flock(a, LOCK_SH | LOCK_EX), EINVAL);
		NEED_ERR(flock(-1, LOCK_SH), EBADF);
		int path = open("f", O_PATH);
		NEED_ERR(flock(path, LOCK_SH), EBADF);
		NEED(!flock(a, LOCK_EX));
		pid_t p = fork();
		if (!p) // the open file's, so the child's as well, to give up, too
			_exit(flock(a, LOCK_EX | LOCK_NB) || flock(a, LOCK_UN) ? 1 : 0);
		NEED(waitpid(p, &status, 0) == p && !status && !flock(b, LOCK_EX | LOCK_NB) &&
		     !flock(b, LOCK_UN));
		NEED(!flock(a, LOCK_EX));
		flock_fd = b;
		pthread_t t;
		NEED(!pthread_create(&t, NULL, flock_waits, NULL));
		NEED(waiting(inode_of(a), 1) && flock_result == -1 && !close(a)); // the last descriptor of it
		NEED(!pthread_join(t, NULL) && !flock_result);
		NEED_ERR(flock(c, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	END_CHILD;
}

TEST(proc_locks)
{
	struct stat st;

	CHILD
		NEED(!scratch_enter());
		int fd = open("f", O_CREAT | O_RDWR, 0600), p[2];
		char c;
		NEED(!fstat(fd, &st) && !pipe(p) && !lk(fd, F_SETLK, F_WRLCK, SEEK_SET, 5, 10));
		NEED(!strcmp(listed(st.st_ino), "POSIX ADVISORY WRITE 5 14|"));
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0) && !lk(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 0));
		NEED(!strcmp(listed(st.st_ino), "POSIX ADVISORY READ 0 EOF|"));
		pid_t child = fork();
		if (!child) {
			write(p[1], "x", 1);
			_exit(lk(fd, F_SETLKW, F_WRLCK, SEEK_SET, 3, 1) ? 1 : 0);
		}
		NEED(read(p[0], &c, 1) == 1);
		NEED(waiting(st.st_ino, 1));
		NEED(!strcmp(listed(st.st_ino), "POSIX ADVISORY READ 0 EOF|-> POSIX ADVISORY WRITE 3 3|"));
		NEED(!lk(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
		NEED(waitpid(child, NULL, 0) == child);
		NEED(!flock(fd, LOCK_SH) && !strcmp(listed(st.st_ino), "FLOCK ADVISORY READ 0 EOF|") &&
		     !flock(fd, LOCK_UN));
		NEED(!lk(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1) &&
		     !strcmp(listed(st.st_ino), "OFDLCK ADVISORY WRITE 0 0|"));
		NEED(!lk(fd, F_OFD_SETLK, F_UNLCK, SEEK_SET, 0, 1) && !*listed(st.st_ino));
		NEED(!fcntl(fd, F_SETLEASE, F_WRLCK) &&
		     !strcmp(listed(st.st_ino), "LEASE ACTIVE WRITE 0 EOF|"));
		NEED(!fcntl(fd, F_SETLEASE, F_UNLCK) && !*listed(st.st_ino));
	END_CHILD;
}

// On whatever the root is, an overlay for one: a lease stands in the way of cutting the file by its name.
TEST(lease_and_truncate)
{
	char dir[] = "/lease-XXXXXX", name[40];

	NEEDS_ROOT;
	if (!mkdtemp(dir))
		SKIP("cannot write to /");
	snprintf(name, sizeof name, "%s/f", dir);
	CHILD
		int fd = open(name, O_CREAT | O_RDWR, 0600), status;
		NEED(fd >= 0 && write(fd, "abc", 3) == 3 && !close(fd));
		fd = open(name, O_RDONLY);
		signal(SIGIO, nothing);
		if (fcntl(fd, F_SETLEASE, F_RDLCK))
			_exit(errno == EINVAL ? 0 : 1); // a file system that has none
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGIO);
		sigprocmask(SIG_BLOCK, &set, NULL);
		pid_t p = fork();
		if (!p)
			_exit(truncate(name, 1) ? 1 : 0);
		NEED(sigwaitinfo(&set, NULL) == SIGIO);
		NEED(waitpid(p, &status, WNOHANG) == 0 && fcntl(fd, F_GETLEASE) == F_UNLCK);
		NEED(!fcntl(fd, F_SETLEASE, F_UNLCK));
		NEED(waitpid(p, &status, 0) == p && !status);
		NEED(lseek(fd, 0, SEEK_END) == 1);
	END_CHILD;
	unlink(name);
	rmdir(dir);
}
