// SPDX-License-Identifier: BSD-2-Clause
// Files that several programs and threads use at once, on whatever file system holds /tmp: mappings beside
// read and write, writers side by side, appending, locks, names that move under open files, many small files.
#include "abi.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096
#define RW   (PROT_READ | PROT_WRITE)

static char top[64];

static void leave(void)
{
	if (*top && !chdir("/"))
		remove_tree(top);
	*top = 0;
}

static void enter(void)
{
	leave();
	strcpy(top, "/tmp/sharing-XXXXXX");
	if (!mkdtemp(top) || chdir(top))
		perror(top);
}

// For tests from outside. `file_sharing - FILE TEXT` stores TEXT through a mapping of FILE and ends without
// saying so; `file_sharing + FILE MIB` fills MIB MiB of it through a mapping, and looks at them again.
static int store_text(int fd, const char *text)
{
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return 1;
	memcpy(p, text, strlen(text));
	return 0;
}

static int fill(int fd, size_t pages)
{
	char *p = ftruncate(fd, (off_t)pages * PAGE) ? MAP_FAILED
						     : mmap(NULL, pages * PAGE, RW, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t k = 0; k < pages; k++)
		memset(p + k * PAGE, (int)(k % 251), PAGE);
	for (size_t k = 0; k < pages; k++)
		if ((unsigned char)p[k * PAGE + 77] != k % 251)
			return 2;
	return 0;
}

BEFORE_TESTS(int argc, char **argv)
{
	if (argc == 4 && strchr("-+", *argv[1])) {
		int fd = open(argv[2], O_RDWR | O_CREAT, 0644);

		_exit(*argv[1] == '-' ? store_text(fd, argv[3]) : fill(fd, (size_t)atoi(argv[3]) << 8));
	}
	atexit(leave);
}

TEST(mapping_beside_calls)
{
	char b[3 * PAGE];
	struct stat st;

	enter();
	int fd = open("m", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(ftruncate(fd, 2 * PAGE + 100), 0);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);

	EXPECT(p != MAP_FAILED);
	memset(p + PAGE, 'm', PAGE);
	EXPECT_EQ(pread(fd, b, sizeof b, 0), 2 * PAGE + 100);
	EXPECT(b[PAGE - 1] == 0 && b[PAGE] == 'm' && b[2 * PAGE - 1] == 'm' && b[2 * PAGE] == 0);
	EXPECT_EQ(pwrite(fd, "call", 4, PAGE - 2), 4);
	EXPECT(!memcmp(p + PAGE - 2, "callmm", 6));
	// What is mapped is what a call wrote, also where nobody had looked yet.
	EXPECT_EQ(pwrite(fd, "end", 3, 2 * PAGE + 97), 3);
	EXPECT(!memcmp(p + 2 * PAGE + 97, "end", 3));
	EXPECT_EQ(msync(p, 3 * PAGE, MS_SYNC), 0);
	p[2 * PAGE] = 'z';
	EXPECT_EQ(munmap(p, 3 * PAGE), 0);
	EXPECT_EQ(pread(fd, b, 1, 2 * PAGE), 1);
	EXPECT_EQ(b[0], 'z');
	EXPECT(!fstat(fd, &st) && st.st_size == 2 * PAGE + 100);
	close(fd);
}

TEST(mapping_outlives_descriptor_and_name)
{
	char b[8] = "";

	enter();
	int fd = open("m", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(write(fd, "abcdefgh", 8), 8);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	close(fd);
	EXPECT_EQ(rename("m", "n"), 0);
	p[0] = 'A';
	EXPECT_EQ(munmap(p, PAGE), 0);
	fd = open("n", O_RDWR);
	EXPECT_EQ(read(fd, b, 8), 8);
	EXPECT(!memcmp(b, "Abcdefgh", 8));
	p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	EXPECT_EQ(unlink("n"), 0);
	p[1] = 'B';
	EXPECT_EQ(munmap(p, PAGE), 0);
	EXPECT_EQ(pread(fd, b, 2, 0), 2);
	EXPECT(!memcmp(b, "AB", 2));
	close(fd);
}

TEST(child_maps_parent_reads)
{
	char b[4];

	enter();
	int fd = open("m", O_RDWR | O_CREAT, 0600), status;

	EXPECT_EQ(ftruncate(fd, 64 * PAGE), 0);
	pid_t child = fork();

	if (!child) {
		char *p = mmap(NULL, 64 * PAGE, RW, MAP_SHARED, fd, 0);

		for (int k = 0; k < 64; k++)
			memset(p + k * PAGE, k + 1, 4);
		_exit(p == MAP_FAILED);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	for (int k = 0; k < 64; k++)
		EXPECT(pread(fd, b, 4, k * PAGE) == 4 && b[0] == k + 1 && b[3] == k + 1);
	close(fd);
}

TEST(appending_through_a_mapped_file)
{
	char b[32] = "";

	enter();
	int fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);

	EXPECT_EQ(write(fd, "one ", 4), 4);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	EXPECT(p != MAP_FAILED);
	p[0] = 'O';
	EXPECT_EQ(write(fd, "two", 3), 3);
	EXPECT_EQ(msync(p, PAGE, MS_SYNC), 0);
	EXPECT_EQ(munmap(p, PAGE), 0);
	EXPECT_EQ(pread(fd, b, sizeof b, 0), 7);
	EXPECT(!memcmp(b, "One two", 7));
	close(fd);
}

#define WRITERS 4
#define BLOCKS	60
#define BLOCK	3000

static void *write_blocks(void *arg)
{
	int me = (int)(long)arg, fd = open("shared", O_RDWR);
	char b[BLOCK];

	memset(b, 'a' + me, BLOCK);
	for (int k = me; k < BLOCKS; k += WRITERS)
		if (pwrite(fd, b, BLOCK, (off_t)k * BLOCK) != BLOCK)
			return (void *)1;
	return (void *)(long)close(fd);
}

TEST(writers_side_by_side)
{
	pthread_t t[WRITERS];
	char b[BLOCK];
	void *bad;

	enter();
	close(open("shared", O_CREAT | O_WRONLY, 0600));
	for (long k = 0; k < WRITERS; k++)
		EXPECT_EQ(pthread_create(&t[k], NULL, write_blocks, (void *)k), 0);
	for (int k = 0; k < WRITERS; k++)
		EXPECT(!pthread_join(t[k], &bad) && !bad);
	int fd = open("shared", O_RDONLY);

	for (int k = 0; k < BLOCKS; k++) {
		EXPECT_EQ(read(fd, b, BLOCK), BLOCK);
		for (int i = 0; i < BLOCK; i++)
			EXPECT(b[i] == 'a' + k % WRITERS);
	}
	EXPECT_EQ(read(fd, b, 1), 0);
	close(fd);
}

TEST(appending_side_by_side)
{
	char line[16], b[16];
	int counts[2] = {0}, status;

	enter();
	for (int me = 0; me < 2; me++)
		if (!fork()) {
			int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);

			snprintf(line, sizeof line, "writer %d line\n", me);
			for (int k = 0; k < 50; k++)
				if (write(fd, line, 14) != 14)
					_exit(1);
			_exit(0);
		}
	for (int me = 0; me < 2; me++)
		EXPECT(wait(&status) > 0 && status == 0);
	int fd = open("log", O_RDONLY);

	while (read(fd, b, 14) == 14) {
		EXPECT(!memcmp(b, "writer ", 7) && !memcmp(b + 8, " line", 5));
		counts[b[7] - '0']++;
	}
	EXPECT(counts[0] == 50 && counts[1] == 50);
	close(fd);
}

TEST(locks_between_processes)
{
	struct flock l = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
	int status;

	enter();
	int fd = open("locked", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(fcntl(fd, F_SETLK, &l), 0);
	EXPECT_EQ(flock(fd, LOCK_EX), 0);
	if (!fork()) {
		struct flock mine = {.l_type = F_WRLCK, .l_start = 12, .l_len = 1};
		int other = open("locked", O_RDWR), bad = 0;

		bad |= fcntl(other, F_SETLK, &mine) != -1 || errno != EAGAIN;
		bad |= fcntl(other, F_GETLK, &mine) || mine.l_pid != getppid() || mine.l_start != 10;
		bad |= flock(other, LOCK_SH | LOCK_NB) != -1 || errno != EWOULDBLOCK;
		mine = (struct flock){.l_type = F_WRLCK, .l_start = 15, .l_len = 1};
		bad |= fcntl(other, F_SETLK, &mine) != 0;
		_exit(bad);
	}
	EXPECT(wait(&status) > 0 && status == 0);
	close(fd);
}

TEST(names_move_under_open_files)
{
	char b[8] = "";
	struct stat st;

	enter();
	EXPECT(!mkdir("d", 0755) && !mkdir("d/e", 0755));
	int fd = open("d/e/f", O_RDWR | O_CREAT, 0600), dir = open("d/e", O_RDONLY | O_DIRECTORY);

	EXPECT_EQ(write(fd, "content", 7), 7);
	EXPECT_EQ(rename("d", "moved"), 0);
	EXPECT_EQ(pread(fd, b, 7, 0), 7);
	EXPECT_EQ(fchmod(fd, 0640), 0);
	EXPECT(!stat("moved/e/f", &st) && (st.st_mode & 0777) == 0640);
	int again = openat(dir, "f", O_RDONLY);

	EXPECT(again >= 0);
	close(again);
	int over = open("moved/e/new", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(write(over, "new", 3), 3);
	EXPECT_EQ(rename("moved/e/new", "moved/e/f"), 0); // over an open file
	EXPECT_EQ(pread(fd, b, 7, 0), 7);
	EXPECT(!memcmp(b, "content", 7));
	EXPECT(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 7);
	EXPECT_EQ(ftruncate(fd, 3), 0);
	EXPECT(!stat("moved/e/f", &st) && st.st_size == 3 && st.st_nlink == 1);
	EXPECT_EQ(pread(over, b, 8, 0), 3);
	close(fd), close(dir), close(over);
}

TEST(many_small_files)
{
	char name[32], b[32];
	struct dirent *d;
	int n = 0;

	enter();
	for (int k = 0; k < 300; k++) {
		snprintf(name, sizeof name, "file-%d", k);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

		EXPECT(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name) && !close(fd));
	}
	DIR *dir = opendir(".");

	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		memset(b, 0, sizeof b);
		int fd = open(d->d_name, O_RDONLY);

		EXPECT(fd >= 0 && read(fd, b, sizeof b) > 0 && !strcmp(b, d->d_name) && !close(fd));
		n++;
	}
	EXPECT_EQ(n, 300);
	closedir(dir);
}

TEST(large_offsets)
{
	const off_t far = (5ll << 30) + 123;
	char b[8] = "";

	enter();
	int fd = open("far", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(pwrite(fd, "beyond", 6, far), 6);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), far + 6);
	EXPECT_EQ(pread(fd, b, 8, far), 6);
	EXPECT(!memcmp(b, "beyond", 6));
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, far & ~(off_t)(PAGE - 1));

	EXPECT(p != MAP_FAILED && !memcmp(p + far % PAGE, "beyond", 6));
	memcpy(p + far % PAGE, "BEYOND", 6);
	EXPECT_EQ(munmap(p, PAGE), 0);
	EXPECT(pread(fd, b, 6, far) == 6 && !memcmp(b, "BEYOND", 6));
	close(fd);
}
