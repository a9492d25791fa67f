// SPDX-License-Identifier: BSD-2-Clause
// Access control lists (acl(5)) by their attributes, and file handles.
#include "abi.h"
#include <dirent.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define USER	4711
#define GROUP	4712

// What setfacl would write of "u::rw-,u:4711:r--,...": entries as TAG, PERM, ID.
struct acl {
	struct posix_acl_xattr_header h;
	struct posix_acl_xattr_entry e[8];
};

#define ACL(...)                                                   \
	(&(struct acl){{POSIX_ACL_XATTR_VERSION}, {__VA_ARGS__}}), \
		sizeof(struct posix_acl_xattr_header) +            \
			sizeof((struct posix_acl_xattr_entry[]){__VA_ARGS__})
#define NO (uint32_t) - 1
#define U_(p)                       \
	{                           \
		ACL_USER_OBJ, p, NO \
	}
#define UN_(n, p)              \
	{                      \
		ACL_USER, p, n \
	}
#define G_(p)                        \
	{                            \
		ACL_GROUP_OBJ, p, NO \
	}
#define GN_(n, p)               \
	{                       \
		ACL_GROUP, p, n \
	}
#define M_(p)                   \
	{                       \
		ACL_MASK, p, NO \
	}
#define O_(p)                    \
	{                        \
		ACL_OTHER, p, NO \
	}

static int acl_set(const char *path, const char *name, const struct acl *a, size_t size)
{
	return setxattr(path, name, a, size, 0);
}

// The list of PATH as text: "u6 u4711:4 g4 m4 o0".
static const char *acl_text(const char *path, const char *name)
{
	static char text[200];
	struct acl a;
	ssize_t n = getxattr(path, name, &a, sizeof a);
	char *at = text;

	if (n < 0)
		return errno == ENODATA ? "none" : strerror(errno);
	*at = 0;
	for (unsigned i = 0; i < ((size_t)n - sizeof a.h) / sizeof a.e[0]; i++) {
		bool named = a.e[i].e_tag == ACL_USER || a.e[i].e_tag == ACL_GROUP;
		char letter = a.e[i].e_tag <= ACL_USER	  ? 'u'
			      : a.e[i].e_tag <= ACL_GROUP ? 'g'
			      : a.e[i].e_tag == ACL_MASK  ? 'm'
							  : 'o';

		if (named)
			at += sprintf(at, "%s%c%u:%u", i ? " " : "", letter, a.e[i].e_id, a.e[i].e_perm);
		else
			at += sprintf(at, "%s%c%u", i ? " " : "", letter, a.e[i].e_perm);
	}
	return text;
}

static int mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

// What user UID in group GID may do to PATH: an rwx number.
static int may(const char *path, uid_t uid, gid_t gid)
{
	int status;
	pid_t p = fork();

	if (!p) {
		if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, gid, gid, gid) ||
		    syscall(SYS_setresuid, uid, uid, uid))
			_exit(99);
		_exit((access(path, R_OK) ? 0 : 4) | (access(path, W_OK) ? 0 : 2) |
		      (access(path, X_OK) ? 0 : 1));
	}
	return waitpid(p, &status, 0) == p ? WEXITSTATUS(status) : -1;
}

#define NEED_TEXT(path, name, want)                                                                       \
	do {                                                                                              \
		const char *t_ = acl_text(path, name);                                                    \
		if (strcmp(t_, want)) {                                                                   \
			snprintf(child_why, 500, "child, line %d: %s %s is \"%s\", not \"%s\"", __LINE__, \
				 path, name, t_, want);                                                   \
			_exit(1);                                                                         \
		}                                                                                         \
	} while (0)

static bool supported(void)
{
	return touch("probe", 0600) == 0 && (getxattr("probe", ACCESS, NULL, 0) >= 0 || errno == ENODATA);
}

TEST(access_list)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter());
		if (!supported())
			_exit(0);
		NEED(!touch("f", 0640) && !chown("f", 1000, GROUP));
		NEED_TEXT("f", ACCESS, "none");
		NEED(!acl_set("f", ACCESS, ACL(U_(6), UN_(USER, 6), G_(4), GN_(GROUP + 1, 7), M_(5), O_(0))));
		NEED_TEXT("f", ACCESS, "u6 u4711:6 g4 g4713:7 m5 o0");
		NEED_EQ(mode_of("f"), 0650); // the mask shows as the group's bits
		NEED_EQ(may("f", 1000, 1), 6);
		NEED_EQ(may("f", USER, 1), 4);
		NEED_EQ(may("f", 5, GROUP), 4);
		NEED_EQ(may("f", 5, GROUP + 1), 5);
		NEED_EQ(may("f", 5, 5), 0);
		NEED(!chmod("f", 0676)); // changes the mask
		NEED_TEXT("f", ACCESS, "u6 u4711:6 g4 g4713:7 m7 o6");
		NEED_EQ(may("f", USER, 1), 6);
		NEED_EQ(may("f", 5, GROUP + 1), 7);
		NEED_EQ(may("f", 5, GROUP), 4);
		NEED_EQ(may("f", 5, 5), 6);
		NEED(!chmod("f", 0604));
		NEED_EQ(may("f", USER, 1), 4);			       // no group bit: no list
		NEED(!acl_set("f", ACCESS, ACL(U_(7), G_(5), O_(1)))); // nothing that the mode does not say
		NEED_TEXT("f", ACCESS, "none");
		NEED_EQ(mode_of("f"), 0751);
		NEED(!acl_set("f", ACCESS, ACL(U_(7), UN_(USER, 0), G_(5), M_(7), O_(7))));
		NEED_EQ(may("f", USER, GROUP), 0); // a user's entry comes first
		NEED(!removexattr("f", ACCESS) && !removexattr("f", ACCESS));
		NEED_EQ(mode_of("f"), 0777);
	END_CHILD;
}

TEST(default_list)
{
	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter());
		if (!supported())
			_exit(0);
		umask(077);
		NEED(!mkdir("d", 0755));
		NEED(!acl_set("d", DEFAULT, ACL(U_(7), UN_(USER, 6), G_(5), M_(7), O_(1))));
		NEED_TEXT("d", DEFAULT, "u7 u4711:6 g5 m7 o1");
		NEED_TEXT("d", ACCESS, "none");
		int fd = open("d/f", O_CREAT | O_WRONLY, 0664); // and no umask
		NEED(fd >= 0);
		NEED_TEXT("d/f", ACCESS, "u6 u4711:6 g5 m6 o0");
		NEED_EQ(mode_of("d/f"), 0660);
		NEED(!mkdir("d/sub", 0777));
		NEED_TEXT("d/sub", ACCESS, "u7 u4711:6 g5 m7 o1");
		NEED_TEXT("d/sub", DEFAULT, "u7 u4711:6 g5 m7 o1");
		NEED(!mkfifo("d/sub/fifo", 0600));
		NEED_TEXT("d/sub/fifo", ACCESS, "u6 u4711:6 g5 m0 o0");
		NEED(!symlink("x", "d/link"));
		NEED(lgetxattr("d/link", ACCESS, NULL, 0) == -1);
		NEED(!acl_set("d", DEFAULT, ACL(U_(7), G_(5), O_(0))));
		NEED_TEXT("d", DEFAULT, "u7 g5 o0"); // a plain one counts as well
		NEED(!touch("d/g", 0666) && !mkdir("d/h", 0777));
		NEED_TEXT("d/g", ACCESS, "none");
		NEED_EQ(mode_of("d/h"), 0750);
		NEED(!removexattr("d", DEFAULT) && !mkdir("d/i", 0777));
		NEED_EQ(mode_of("d/i"), 0700);
	END_CHILD;
}

TEST(list_errors)
{
	char names[200];
	struct acl a = {.h = {POSIX_ACL_XATTR_VERSION}};

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter());
		if (!supported())
			_exit(0);
		NEED(!touch("f", 0644) && !mkdir("d", 0755));
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(6), G_(4))), EINVAL);		     // nobody else
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(6), UN_(5, 6), G_(4), O_(0))), EINVAL); // no mask
		NEED_ERR(acl_set("f", ACCESS, ACL(G_(4), U_(6), O_(0))), EINVAL);
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(6), G_(4), O_(0), O_(0))), EINVAL);
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(8), G_(4), O_(0))), EINVAL);
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(6), G_(4), {0x40, 0, NO})), EINVAL);
		NEED_ERR(acl_set("f", DEFAULT, ACL(U_(6), G_(4), O_(0))), EACCES);
		NEED_ERR(setxattr("f", ACCESS, &a, 3, 0), EINVAL);
		NEED_ERR(setxattr("f", ACCESS, &a, 7, 0), EINVAL);
		a.h.a_version = 1;
		NEED_ERR(setxattr("f", ACCESS, &a, 12, 0), EOPNOTSUPP);
		NEED(!acl_set("f", ACCESS, ACL(U_(6), UN_(5, 6), G_(4), M_(4), O_(0))));
		NEED(!acl_set("d", DEFAULT, ACL(U_(6), G_(4), O_(0))));
		NEED_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 5 * 8);
		NEED_ERR(getxattr("f", ACCESS, names, 20), ERANGE);
		ssize_t n = listxattr("f", names, sizeof names);
		NEED(n == sizeof ACCESS && !strcmp(names, ACCESS));
		NEED_EQ(listxattr("d", NULL, 0), (long)sizeof DEFAULT);
		NEED_ERR(getxattr("f", "system.else", NULL, 0), EOPNOTSUPP);
		NEED(!chmod("d", 0777) && !become(NOBODY));
		NEED_ERR(acl_set("f", ACCESS, ACL(U_(7), G_(7), O_(7))), EPERM);
		NEED_ERR(removexattr("f", ACCESS), EPERM);
		NEED_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 5 * 8);
	END_CHILD;
}

// ---- handles ----

struct handle {
	struct file_handle h;
	char data[128];
};

static int handle_get(int dir, const char *path, struct handle *h, int *mount, int flags)
{
	h->h.handle_bytes = 128;
	return name_to_handle_at(dir, path, &h->h, mount, flags);
}

TEST(handles)
{
	struct handle h, h2;
	struct stat a, b;
	int mount, mount2;

	NEEDS_ROOT;
	CHILD
		NEED(!scratch_enter() && !touch("f", 0600) && !mkdir("d", 0700) && !touch("d/in", 0600));
		NEED(!symlink("f", "l"));
		if (handle_get(AT_FDCWD, "f", &h, &mount, 0) && errno == EOPNOTSUPP)
			_exit(0);
		h.h.handle_bytes = 0;
		NEED_ERR(name_to_handle_at(AT_FDCWD, "f", &h.h, &mount, 0), EOVERFLOW);
		NEED(h.h.handle_bytes > 0 && h.h.handle_bytes <= 128);
		h.h.handle_bytes = 129;
		NEED_ERR(name_to_handle_at(AT_FDCWD, "f", &h.h, &mount, 0), EINVAL);
		NEED_ERR(handle_get(AT_FDCWD, "f", &h, &mount, 0x40000000), EINVAL);
		NEED_ERR(handle_get(AT_FDCWD, "none", &h, &mount, 0), ENOENT);
		NEED_ERR(handle_get(AT_FDCWD, "", &h, &mount, 0), ENOENT);
		NEED_ERR(name_to_handle_at(AT_FDCWD, "f", (void *)8, &mount, 0), EFAULT);
		NEED(!handle_get(AT_FDCWD, "f", &h, &mount, 0) &&
		     !handle_get(AT_FDCWD, "d", &h2, &mount2, 0));
		NEED(mount == mount2);
		int at = open(".", O_RDONLY | O_DIRECTORY), fd = open_by_handle_at(at, &h.h, O_RDWR);
		NEED(at >= 0 && fd >= 0 && !fstat(fd, &a) && !stat("f", &b) && a.st_ino == b.st_ino);
		NEED(write(fd, "x", 1) == 1 && !stat("f", &b) && b.st_size == 1);
		close(fd);
		NEED(!rename("f", "d/moved"));
		NEED((fd = open_by_handle_at(at, &h.h, O_RDONLY)) >= 0 && !fstat(fd, &a) &&
		     a.st_ino == b.st_ino);
		NEED(!unlink("d/moved") && !close(fd));
		NEED_ERR(open_by_handle_at(at, &h.h, O_RDONLY), ESTALE);
		NEED((fd = open_by_handle_at(at, &h2.h, O_RDONLY | O_DIRECTORY)) >= 0);
		NEED(!faccessat(fd, "in", F_OK, 0) && !faccessat(fd, "../d/in", F_OK, 0));
		NEED(!handle_get(fd, "", &h, &mount2, AT_EMPTY_PATH) && mount == mount2);
		NEED(!handle_get(AT_FDCWD, "l", &h, &mount, 0));
		NEED_ERR(open_by_handle_at(at, &h.h, O_RDONLY), ELOOP);
		NEED((fd = open_by_handle_at(at, &h.h, O_PATH)) >= 0 && !fstat(fd, &a) && S_ISLNK(a.st_mode));
		h.h.handle_bytes = 0;
		NEED_ERR(open_by_handle_at(at, &h.h, O_RDONLY), EINVAL);
		NEED_ERR(open_by_handle_at(999, &h2.h, O_RDONLY), EBADF);
		NEED_ERR(open_by_handle_at(at, (void *)8, O_RDONLY), EFAULT);
		NEED(!become(NOBODY));
		NEED_ERR(open_by_handle_at(at, &h2.h, O_RDONLY), EPERM);
	END_CHILD;
}
