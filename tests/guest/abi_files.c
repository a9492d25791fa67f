// SPDX-License-Identifier: BSD-2-Clause
// Moving data between descriptors, and the ends of what positions can say.
#include "abi.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/uio.h>

TEST(positions_at_the_end_of_all_files)
{
	const long long last = 0x7fffffffffffffffll;
	struct iovec vec = {"x", 1};
	off_t in, out;
	char c;

	EXPECT_EQ(scratch_enter(), 0);
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600), to = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);

	EXPECT(fd >= 0 && to >= 0);
	EXPECT_EQ(write(fd, "0123456789", 10), 10);
	EXPECT_ERR(pwrite(fd, "x", 1, last), EINVAL);
	EXPECT_ERR(pwrite(fd, "xy", 2, last - 1), EINVAL);
	EXPECT_ERR(pread(fd, &c, 1, last), EINVAL);
	EXPECT_ERR(pwritev(fd, &vec, 1, last), EINVAL);
	EXPECT_EQ(pread(fd, &c, 1, last - 1), 0);
	EXPECT_EQ(lseek(fd, 5, SEEK_SET), 5);
	EXPECT_ERR(lseek(fd, last, SEEK_CUR), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5);
	in = 0, out = last;
	EXPECT_ERR(copy_file_range(fd, &in, to, &out, 4, 0), EFBIG);
	in = 1, out = 0;
	EXPECT_ERR(copy_file_range(fd, &in, to, &out, ~0ul, 0), EOVERFLOW);
	in = 0;
	EXPECT_EQ(copy_file_range(fd, &in, to, &out, ~0ul, 0), 10);
	close(fd);
	close(to);
}

TEST(what_cannot_be_spliced)
{
	int pipe_[2], pair[2], event = eventfd(1, 0), watch = inotify_init(), zero = open("/dev/zero", O_RDONLY);

	EXPECT_EQ(pipe(pipe_), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_ERR(splice(event, NULL, pipe_[1], NULL, 8, 0), EINVAL);
	EXPECT_ERR(splice(watch, NULL, pipe_[1], NULL, 8, 0), EINVAL);
	EXPECT_EQ(splice(zero, NULL, pipe_[1], NULL, 8, 0), 8);
	EXPECT_ERR(splice(pipe_[0], NULL, event, NULL, 8, 0), EINVAL);
	EXPECT_EQ(splice(pipe_[0], NULL, pair[0], NULL, 8, 0), 8);
	EXPECT_ERR(splice(pair[0], NULL, pipe_[1], NULL, 8, SPLICE_F_NONBLOCK), EAGAIN);
	EXPECT_EQ(splice(pair[1], NULL, pipe_[1], NULL, 8, SPLICE_F_NONBLOCK), 8);
	for (int n = 0; n < 2; n++)
		close(pipe_[n]), close(pair[n]);
	close(event);
	close(watch);
	close(zero);
}
