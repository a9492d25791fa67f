// SPDX-License-Identifier: BSD-2-Clause
// Files: the writable tmpfs on /tmp (names, links, sizes, holes, times, locks) and the read-only root image.
#include "abi.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static char top[64];
static struct stat st;

// Every test works in a folder of its own, which is the current one.
static void leave(void)
{
	if (!*top || chdir("/"))
		return;
	if (remove_tree(top))
		perror(top);
	*top = 0;
}

static void enter(void)
{
	static int registered;

	leave();
	if (!registered++)
		atexit(leave);
	strcpy(top, "/tmp/files-XXXXXX");
	if (!mkdtemp(top) || chdir(top))
		perror(top);
}

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return fd;
}

TEST(open_flags)
{
	enter();
	int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);

	EXPECT(fd >= 0);
	EXPECT_ERR(open("a", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	EXPECT_ERR(open("b", O_RDONLY), ENOENT);
	EXPECT_ERR(open("a/b", O_RDONLY), ENOTDIR);
	EXPECT_ERR(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_ERR(open(".", O_WRONLY), EISDIR);
	EXPECT_ERR(open("", O_RDONLY), ENOENT);
	char long_name[300];

	memset(long_name, 'n', 299);
	long_name[299] = 0;
	EXPECT_ERR(open(long_name, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
	EXPECT_EQ(write(fd, "hello", 5), 5);
	int fd2 = open("a", O_WRONLY | O_APPEND);

	EXPECT_EQ(write(fd2, " more", 5), 5);
	EXPECT_EQ(lseek(fd2, 0, SEEK_CUR), 10);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_size == 10 && (st.st_mode & 07777) == 0640 && S_ISREG(st.st_mode) && st.st_nlink == 1);
	char b;

	EXPECT_ERR(read(fd2, &b, 1), EBADF);
	int fd3 = open("a", O_WRONLY | O_TRUNC);

	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	int path = open("a", O_PATH);

	EXPECT(path >= 0);
	EXPECT_ERR(read(path, &b, 1), EBADF);
	close(fd), close(fd2), close(fd3), close(path);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	EXPECT(fd >= 0);
	EXPECT_EQ(write(fd, "x", 1), 1);
	close(fd);
}

TEST(positions)
{
	char b[16] = "";

	enter();
	int fd = make("a", "0123456789");

	EXPECT_EQ(lseek(fd, 3, SEEK_SET), 3);
	EXPECT_EQ(lseek(fd, 2, SEEK_CUR), 5);
	EXPECT_EQ(lseek(fd, -1, SEEK_END), 9);
	EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	EXPECT_ERR(lseek(fd, 0, 99), EINVAL);
	EXPECT_EQ(pread(fd, b, 4, 2), 4);
	EXPECT(!memcmp(b, "2345", 4));
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 9);
	EXPECT_EQ(pwrite(fd, "XY", 2, 1), 2);
	EXPECT_EQ(pread(fd, b, 16, 8), 2);
	EXPECT_EQ(pread(fd, b, 16, 100), 0);
	EXPECT_ERR(pread(fd, b, 1, -1), EINVAL);
	int copy = dup(fd);

	lseek(fd, 4, SEEK_SET);
	EXPECT_EQ(lseek(copy, 0, SEEK_CUR), 4); // one position for both
	close(copy), close(fd);
}

TEST(holes)
{
	char b[4096];

	enter();
	int fd = open("sparse", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(pwrite(fd, "end", 3, 1ll << 33), 3);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, (1ll << 33) + 3);
	EXPECT(st.st_blocks <= 64);
	EXPECT_EQ(pread(fd, b, 4096, 1 << 20), 4096);
	EXPECT(b[0] == 0 && b[4095] == 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_DATA), 1ll << 33);
	EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	EXPECT_ERR(lseek(fd, 1ll << 34, SEEK_DATA), ENXIO);
	EXPECT_EQ(ftruncate(fd, 5000), 0);
	EXPECT_EQ(pwrite(fd, "x", 1, 4999), 1);
	EXPECT_EQ(ftruncate(fd, 4097), 0);
	EXPECT_EQ(ftruncate(fd, 8192), 0);
	EXPECT_EQ(pread(fd, b, 10, 4995), 10);
	EXPECT_EQ(b[4], 0); // what was cut off does not come back
	EXPECT_ERR(ftruncate(fd, -1), EINVAL);
	EXPECT_EQ(fallocate(fd, 0, 0, 65536), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_size == 65536 && st.st_blocks >= 128);
	close(fd);
}

TEST(names)
{
	enter();
	close(make("a", "A"));
	close(make("b", "B"));
	EXPECT_EQ(link("a", "a2"), 0);
	EXPECT_EQ(stat("a", &st), 0);
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_ERR(link("a", "b"), EEXIST);
	EXPECT_EQ(rename("a", "a2"), 0); // the same file: nothing happens
	EXPECT_EQ(access("a", F_OK), 0);
	EXPECT_EQ(rename("a", "b"), 0);
	EXPECT_ERR(access("a", F_OK), ENOENT);
	EXPECT_EQ(mkdir("d", 0755), 0);
	EXPECT_ERR(mkdir("d", 0755), EEXIST);
	EXPECT_ERR(rename("b", "d"), EISDIR);
	EXPECT_ERR(rename("d", "b"), ENOTDIR);
	EXPECT_ERR(rename("d", "d/sub"), EINVAL);
	EXPECT_ERR(link("d", "d2"), EPERM);
	EXPECT_ERR(unlink("d"), EISDIR);
	EXPECT_ERR(rmdir("b"), ENOTDIR);
	close(make("d/x", ""));
	EXPECT_ERR(rmdir("d"), ENOTEMPTY);
	EXPECT_EQ(mkdir("e", 0755), 0);
	EXPECT_ERR(rename("e", "d"), ENOTEMPTY);
	EXPECT_EQ(rename("d", "e"), 0);
	EXPECT_EQ(access("e/x", F_OK), 0);
	EXPECT_EQ(syscall(SYS_renameat2, AT_FDCWD, "e/x", AT_FDCWD, "b", 2 /* exchange */), 0);
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e/x", 1 /* no replace */), EEXIST);
	EXPECT_ERR(rmdir("e/."), EINVAL);
	EXPECT_ERR(unlink("none"), ENOENT);
	unlink("e/x");
	EXPECT_EQ(rmdir("e"), 0);
}

TEST(symbolic_links)
{
	char b[64] = "";

	enter();
	close(make("target", "T"));
	EXPECT_EQ(symlink("target", "l"), 0);
	EXPECT_EQ(readlink("l", b, sizeof b), 6);
	EXPECT(!strcmp(b, "target"));
	EXPECT_EQ(readlink("l", b, 3), 3);
	EXPECT_ERR(readlink("target", b, 64), EINVAL);
	EXPECT_EQ(lstat("l", &st), 0);
	EXPECT(S_ISLNK(st.st_mode) && st.st_size == 6);
	EXPECT_EQ(stat("l", &st), 0);
	EXPECT(S_ISREG(st.st_mode));
	EXPECT_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	EXPECT_EQ(symlink("loop2", "loop1"), 0);
	EXPECT_EQ(symlink("loop1", "loop2"), 0);
	EXPECT_ERR(open("loop1", O_RDONLY), ELOOP);
	EXPECT_EQ(symlink("absent", "dangling"), 0);
	EXPECT_ERR(stat("dangling", &st), ENOENT);
	EXPECT_ERR(open("dangling", O_CREAT | O_EXCL, 0600), EEXIST);
	int fd = open("dangling", O_CREAT | O_WRONLY, 0600); // creates what the link names

	EXPECT(fd >= 0);
	close(fd);
	EXPECT_EQ(access("absent", F_OK), 0);
	EXPECT_ERR(symlink("", "x"), ENOENT);
	EXPECT_EQ(mkdir("dir", 0700), 0);
	EXPECT_EQ(symlink("dir", "to-dir"), 0);
	EXPECT_EQ(stat("to-dir/", &st), 0);
	EXPECT_EQ(stat("to-dir/../target", &st), 0);
	EXPECT_ERR(stat("target/", &st), ENOTDIR);
}

TEST(unlinked_but_open)
{
	char b[4] = "";

	enter();
	int fd = make("a", "abc");

	EXPECT_EQ(unlink("a"), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(pread(fd, b, 3, 0), 3);
	EXPECT(!strcmp(b, "abc"));
	close(fd);
}

TEST(listing)
{
	enter();
	for (int i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof name, "file-%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0600);

		EXPECT(fd >= 0);
		close(fd);
	}
	mkdir("sub", 0700);
	DIR *d = opendir(".");
	struct dirent *e;
	int files = 0, dots = 0, folders = 0;
	long sum = 0;

	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			dots++;
		else if (e->d_type == DT_DIR)
			folders++;
		else
			files += e->d_type == DT_REG, sum += atoi(e->d_name + 5);
	}
	EXPECT(files == 500 && dots == 2 && folders == 1 && sum == 500 * 499 / 2);
	rewinddir(d);
	for (files = 0; (e = readdir(d));) // removal while listing must not lose others
		if (!strncmp(e->d_name, "file-", 5))
			files += !unlink(e->d_name);
	EXPECT_EQ(files, 500);
	closedir(d);
	EXPECT_EQ(stat(".", &st), 0);
	EXPECT_EQ(st.st_nlink, 3);
}

TEST(relative_to_descriptors)
{
	enter();
	mkdir("d", 0700);
	int d = open("d", O_RDONLY | O_DIRECTORY);
	int fd = openat(d, "in", O_CREAT | O_WRONLY, 0600);

	EXPECT(fd >= 0);
	EXPECT_EQ(faccessat(d, "in", R_OK, 0), 0);
	EXPECT_EQ(fstatat(d, "", &st, AT_EMPTY_PATH), 0);
	EXPECT(S_ISDIR(st.st_mode));
	EXPECT_EQ(renameat(d, "in", AT_FDCWD, "out"), 0);
	EXPECT_EQ(unlinkat(AT_FDCWD, "out", 0), 0);
	EXPECT_EQ(mkdirat(d, "e", 0700), 0);
	EXPECT_EQ(unlinkat(d, "e", AT_REMOVEDIR), 0);
	EXPECT_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
	EXPECT_ERR(openat(999, "x", O_RDONLY), EBADF);
	EXPECT_EQ(fchdir(d), 0);
	char b[128];

	EXPECT(getcwd(b, sizeof b) && !strcmp(b + strlen(b) - 2, "/d"));
	EXPECT_ERR(syscall(SYS_getcwd, b, 2), ERANGE);
	uint16_t x[128] = {0}; // struct statx, which musl does not know: the mask first, the mode at byte 28

	EXPECT_EQ(syscall(SYS_statx, AT_FDCWD, ".", 0, 0x7ff, x), 0);
	EXPECT(S_ISDIR(x[14]) && x[0] & 0x200);
	close(fd), close(d);
}

TEST(modes_and_times)
{
	struct timespec t[2] = {{1000, 5}, {2000, 7}};

	enter();
	umask(027);
	int fd = open("m", O_CREAT | O_RDWR, 0666);

	umask(022);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0640);
	EXPECT_EQ(fchmod(fd, 0751), 0);
	EXPECT_EQ(chown("m", 5, 6), 0);
	EXPECT_EQ(futimens(fd, t), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT((st.st_mode & 07777) == 0751 && st.st_uid == 5 && st.st_gid == 6);
	EXPECT(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	EXPECT_EQ(utimensat(AT_FDCWD, "m", t, 0), 0);
	EXPECT_EQ(stat("m", &st), 0);
	EXPECT(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 1000000);
	struct timespec before = st.st_mtim;

	pause_ms(15);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT(st.st_mtim.tv_sec > before.tv_sec || st.st_mtim.tv_nsec > before.tv_nsec);
	close(fd);
}

TEST(record_locks)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
	int status;

	enter();
	int fd = make("lock", "some text that is long enough");

	EXPECT_EQ(fcntl(fd, F_SETLK, &l), 0);
	pid_t child = fork();

	if (!child) {
		struct flock m = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};

		if (fcntl(fd, F_SETLK, &m) != -1 || (errno != EAGAIN && errno != EACCES))
			_exit(1);
		if (fcntl(fd, F_GETLK, &m) || m.l_type != F_WRLCK || m.l_pid != getppid() || m.l_start != 10)
			_exit(2);
		m = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 5};
		_exit(fcntl(fd, F_SETLK, &m) ? 3 : 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 0);
	int other = open("lock", O_RDWR);

	EXPECT_EQ(flock(fd, LOCK_EX), 0);
	EXPECT_ERR(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	EXPECT_EQ(flock(fd, LOCK_UN), 0);
	EXPECT_EQ(flock(other, LOCK_SH | LOCK_NB), 0);
	close(fd), close(other);
}

TEST(descriptors)
{
	enter();
	int fd = make("a", ""), low = dup(fd);

	EXPECT(low > fd);
	close(fd);
	EXPECT_EQ(dup(low), fd); // the lowest free number
	EXPECT_EQ(fcntl(low, F_DUPFD, 50), 50);
	EXPECT_EQ(fcntl(low, F_DUPFD_CLOEXEC, 50), 51);
	EXPECT_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(50, F_GETFD), 0);
	EXPECT_EQ(dup2(low, low), low);
	EXPECT_ERR(dup3(low, low, 0), EINVAL);
	EXPECT_ERR(dup2(999, 5), EBADF);
	EXPECT_ERR(dup2(low, -1), EBADF);
	EXPECT_EQ(fcntl(low, F_GETFL) & O_ACCMODE, O_RDWR);
	EXPECT_EQ(fcntl(low, F_SETFL, O_NONBLOCK | O_APPEND), 0);
	EXPECT_EQ(fcntl(50, F_GETFL) & (O_NONBLOCK | O_APPEND), O_NONBLOCK | O_APPEND);
	EXPECT_ERR(close(999), EBADF);
	EXPECT_EQ(syscall(SYS_close_range, 50, 51, 0), 0);
	EXPECT_ERR(close(50), EBADF);
	close(low), close(fd);
}

TEST(copying)
{
	char b[16] = "";
	off_t at = 2;

	enter();
	int a = make("a", "0123456789"), c = open("c", O_RDWR | O_CREAT, 0600);

	EXPECT_EQ(sendfile(c, a, &at, 5), 5);
	EXPECT_EQ(at, 7);
	EXPECT_EQ(pread(c, b, 16, 0), 5);
	EXPECT(!strcmp(b, "23456"));
	loff_t from = 0, to = 5;

	EXPECT_EQ(syscall(SYS_copy_file_range, a, &from, c, &to, 100, 0), 10);
	EXPECT_EQ(fstat(c, &st), 0);
	EXPECT_EQ(st.st_size, 15);
	EXPECT_EQ(fsync(c), 0);
	EXPECT_EQ(fdatasync(c), 0);
	close(a), close(c);
}

TEST(read_only_root)
{
	struct statfs f;

	if (statfs("/usr", &f) || f.f_type != 0xe0f5e1e2)
		SKIP("the root is no EROFS image here");
	EXPECT_ERR(open("/usr/new", O_CREAT | O_WRONLY, 0600), EROFS);
	EXPECT_ERR(mkdir("/new", 0700), EROFS);
	EXPECT_ERR(unlink("/etc/passwd"), EROFS);
	EXPECT_ERR(chmod("/etc/passwd", 0600), EROFS);
	EXPECT_ERR(open("/etc/passwd", O_RDWR), EROFS);
	EXPECT_ERR(rename("/etc/passwd", "/etc/other"), EROFS);
	EXPECT_ERR(access("/etc/passwd", W_OK), EROFS);
	EXPECT_ERR(rename("/etc/passwd", "/tmp/other"), EXDEV);
}

TEST(file_system_figures)
{
	struct statfs f;
	struct statvfs v;

	EXPECT_EQ(statfs("/tmp", &f), 0);
	EXPECT(f.f_bsize >= 512 && f.f_blocks > 0 && f.f_namelen >= 255);
	EXPECT_EQ(statvfs("/", &v), 0);
	EXPECT_EQ(statfs("/proc", &f), 0);
	EXPECT_EQ(f.f_type, 0x9fa0);
	EXPECT_ERR(statfs("/no/such", &f), ENOENT);
}

// Appends from several threads are whole and none is lost.
static int append_fd;

static void *append(void *arg)
{
	char line[33];

	for (int i = 0; i < 500; i++) {
		snprintf(line, sizeof line, "%c-%029d\n", (int)(long)arg, i);
		if (write(append_fd, line, 32) != 32)
			return (void *)1;
	}
	return NULL;
}

TEST(appending_threads)
{
	pthread_t t[4];
	char line[33] = "";
	int counts[4] = {0};

	enter();
	append_fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0600);
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, append, (void *)('a' + i));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 2000; i++) {
		EXPECT_EQ(pread(append_fd, line, 32, i * 32l), 32);
		EXPECT(line[1] == '-' && line[31] == '\n' && line[0] >= 'a' && line[0] <= 'd');
		EXPECT_EQ(atoi(line + 2), counts[line[0] - 'a']++);
	}
	close(append_fd);
}

TEST(big_file)
{
	static char block[65536];

	enter();
	int fd = open("big", O_CREAT | O_RDWR, 0600);

	for (int i = 0; i < 160; i++) {
		memset(block, i, sizeof block);
		EXPECT_EQ(write(fd, block, sizeof block), sizeof block);
	}
	unsigned char *p = mmap(NULL, 160 * 65536, PROT_READ, MAP_SHARED, fd, 0);

	for (int i = 0; i < 160; i++)
		EXPECT_EQ(p[i * 65536 + 777], i);
	munmap(p, 160 * 65536);
	close(fd);
	unlink("big");
}
