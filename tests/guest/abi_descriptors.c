// SPDX-License-Identifier: BSD-2-Clause
// What descriptors answer at the edges: ioctl of every file, lengths and positions out of range, things in no
// tree.
#include "abi.h"
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#ifndef FIOQSIZE
#define FIOQSIZE 0x5460
#endif

TEST(ioctl_of_every_file)
{
	int one = 1, size = 0, pair[2];
	long long bytes = -1;

	CHILD
		NEED(!scratch_enter());
		int f = open("f", O_CREAT | O_RDWR, 0600), d = open(".", O_RDONLY),
		    null = open("/dev/null", O_RDWR);
		NEED(!ftruncate(f, 1234) && !pipe(pair));
		NEED(!ioctl(f, FIOQSIZE, &bytes) && !bytes && write(f, "x", 1) == 1);
		NEED(!ioctl(f, FIOQSIZE, &bytes) && bytes >= 512); // what it takes up
		NEED(!ioctl(d, FIOQSIZE, &bytes));
		NEED_ERR(ioctl(null, FIOQSIZE, &bytes), ENOTTY);
		NEED(!ioctl(f, FIGETBSZ, &size) && size > 0 && !ioctl(d, FIGETBSZ, &size) &&
		     !ioctl(null, FIGETBSZ, &size));
		NEED_ERR(ioctl(f, FIOASYNC, &one), ENOTTY); // nobody would send the signal
		NEED_ERR(ioctl(f, FIOASYNC, NULL), EFAULT);
		NEED(!ioctl(pair[0], FIOASYNC, &one));
		one = 0;
		NEED(!ioctl(f, FIOASYNC, &one));
		NEED_ERR(ioctl(d, FIONREAD, &size), ENOTTY);
	END_CHILD;
}

TEST(out_of_range)
{
	char buf[8];

	CHILD
		NEED(!scratch_enter());
		int f = open("f", O_CREAT | O_RDWR, 0600);
		NEED_ERR(syscall(SYS_read, f, buf, -1L),
			 EFAULT); // reaches beyond what can be an application's
		NEED_ERR(syscall(SYS_write, f, buf, -1L), EFAULT);
		NEED(!posix_fadvise(f, -1, 0, POSIX_FADV_WILLNEED) &&
		     !posix_fadvise(f, -1, 10, POSIX_FADV_DONTNEED));
		NEED_EQ(posix_fadvise(f, 0, -1, POSIX_FADV_NORMAL), EINVAL);
		NEED(!syscall(SYS_readahead, f, -1L, 10L) && !syscall(SYS_readahead, f, 0L, 0L));
		NEED_ERR(syscall(SYS_readahead, f, 0L, -1L), EINVAL);
	END_CHILD;
}

TEST(in_no_tree)
{
	struct statfs st;
	char buf[8];

	CHILD
		int s = socket(AF_UNIX, SOCK_STREAM, 0);
		NEED(!fstatfs(s, &st) && st.f_type == 0x534f434b);
		NEED_ERR(fgetxattr(s, "user.a", buf, sizeof buf), ENODATA);
		NEED_ERR(fsetxattr(s, "user.a", "v", 1, 0), EPERM);
		NEED_ERR(fremovexattr(s, "user.a"), EPERM);
	END_CHILD;
}

TEST(whiteouts_are_nothing_special)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !chmod(".", 0777) && !become(NOBODY));
		NEED(!mknod("w", S_IFCHR | 0600, 0));
		NEED_ERR(mknod("n", S_IFCHR | 0600, 0x103), EPERM);
		NEED_ERR(mknod("b", S_IFBLK | 0600, 0), EPERM);
	END_CHILD;
}

TEST(what_statx_gives_unasked)
{
	struct statx x;

	CHILD
		NEED(!scratch_enter() && !touch("f", 0600));
		NEED(!syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
		NEED(!(x.stx_mask & STATX_BTIME) && (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
		NEED(x.stx_mask & STATX_MNT_ID && x.stx_mnt_id);
		NEED(!syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BTIME, &x));
		NEED(x.stx_mask & STATX_BTIME && x.stx_btime.tv_sec > 0);
		NEED(x.stx_attributes_mask & STATX_ATTR_AUTOMOUNT &&
		     x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
	END_CHILD;
}

TEST(machine_of_32_bits)
{
	struct utsname u;

	CHILD
		NEED(personality(PER_LINUX32) >= 0 && !syscall(SYS_uname, &u));
		NEED(!strcmp(u.machine, "i686") && personality(PER_LINUX) == PER_LINUX32);
		NEED(!syscall(SYS_uname, &u) && !strcmp(u.machine, "x86_64"));
	END_CHILD;
}
