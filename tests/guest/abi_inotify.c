// SPDX-License-Identifier: BSD-2-Clause
// inotify: which events an operation gives, to whom, in which order, and what the flags do. P is the watched
// folder, C what is watched in it, other letters further watches.
#include "abi.h"
#include <dirent.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int in = -1;
static char seen[4096];

static const struct {
	uint32_t bit;
	const char *name;
} bits[] = {{IN_ACCESS, "ACCESS"},	     {IN_MODIFY, "MODIFY"},
	    {IN_ATTRIB, "ATTRIB"},	     {IN_CLOSE_WRITE, "CLOSE_WRITE"},
	    {IN_CLOSE_NOWRITE, "CLOSE"},     {IN_OPEN, "OPEN"},
	    {IN_MOVED_FROM, "FROM"},	     {IN_MOVED_TO, "TO"},
	    {IN_CREATE, "CREATE"},	     {IN_DELETE, "DELETE"},
	    {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
	    {IN_UNMOUNT, "UNMOUNT"},	     {IN_Q_OVERFLOW, "OVERFLOW"},
	    {IN_IGNORED, "IGNORED"},	     {IN_ISDIR, "/"}};

// All that is queued, as "P:CREATE/ name, C:OPEN": the watch by its letter in NAMES.
static const char *events(const int *wds, const char *names)
{
	static char buf[65536] __attribute__((aligned(8)));
	ssize_t n;

	seen[0] = 0;
	while ((n = read(in, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;
			char who = '?';

			for (int i = 0; names[i]; i++)
				if (wds[i] == e->wd)
					who = names[i];
			if (e->wd == -1)
				who = '-';
			snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%c:", *seen ? ", " : "",
				 who);
			for (unsigned i = 0, any = 0; i < sizeof bits / sizeof *bits; i++)
				if (e->mask & bits[i].bit)
					snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%s",
						 any++ && bits[i].bit != IN_ISDIR ? "+" : "", bits[i].name);
			if (e->len)
				snprintf(seen + strlen(seen), sizeof seen - strlen(seen), " %s", e->name);
			p += sizeof *e + e->len;
		}
	}
	return seen;
}

#define NEED_EVENTS(want)                                                                              \
	do {                                                                                           \
		if (strcmp(events(wds, names), want)) {                                                \
			snprintf(child_why, 500, "line %d: %.200s, not %.200s", __LINE__, seen, want); \
			_exit(1);                                                                      \
		}                                                                                      \
	} while (0)

#define WATCH(letter, path, mask) \
	NEED((names[nwds] = letter, names[nwds + 1] = 0, wds[nwds++] = inotify_add_watch(in, path, mask)) > 0)

// A folder with a file f, a folder d and a link l, nothing watched yet.
#define SCENE                                                             \
	int wds[16], nwds = 0;                                            \
	char names[16] __attribute__((unused)) = "";                      \
	NEED(!scratch_enter() && (in = inotify_init1(IN_NONBLOCK)) >= 0); \
	NEED(!mkdir("p", 0755) && !touch("p/f", 0644) && !mkdir("p/d", 0755) && !symlink("f", "p/l"))

TEST(files)
{
	char c;
	int fd;

	CHILD
		SCENE;
		WATCH('P', "p", IN_ALL_EVENTS);
		WATCH('C', "p/f", IN_ALL_EVENTS);
		NEED((fd = open("p/f", O_RDWR)) >= 0);
		NEED_EVENTS("P:OPEN f, C:OPEN");
		NEED(write(fd, "x", 1) == 1);
		NEED_EVENTS("P:MODIFY f, C:MODIFY");
		NEED(pread(fd, &c, 1, 0) == 1);
		NEED_EVENTS("P:ACCESS f, C:ACCESS");
		NEED(!ftruncate(fd, 0));
		NEED_EVENTS("P:MODIFY f, C:MODIFY");
		NEED(!fchmod(fd, 0600));
		NEED_EVENTS("P:ATTRIB f, C:ATTRIB");
		NEED(!futimens(fd, NULL));
		NEED_EVENTS("P:ATTRIB f, C:ATTRIB");
		close(fd);
		NEED_EVENTS("P:CLOSE_WRITE f, C:CLOSE_WRITE");
		NEED(!link("p/f", "p/g"));
		NEED_EVENTS("C:ATTRIB, P:CREATE g");
		NEED(!unlink("p/g"));
		NEED_EVENTS("C:ATTRIB, P:DELETE g");
		NEED(!rename("p/f", "p/g"));
		NEED_EVENTS("P:FROM f, P:TO g, C:MOVE_SELF");
		NEED(!unlink("p/g"));
		NEED_EVENTS("C:ATTRIB, C:DELETE_SELF, C:IGNORED, P:DELETE g");
		NEED(!touch("p/n", 0644));
		NEED_EVENTS("P:CREATE n, P:OPEN n, P:ATTRIB n, P:CLOSE_WRITE n");
		NEED((fd = open("p/n", O_RDONLY | O_CREAT)) >= 0 && !unlink("p/n"));
		NEED_EVENTS("P:OPEN n, P:DELETE n");
		close(fd);
		NEED_EVENTS("P:CLOSE n");
		NEED(!symlink("x", "p/s") && !mknod("p/q", S_IFIFO | 0600, 0));
		NEED_EVENTS("P:CREATE s, P:CREATE q");
	END_CHILD;
	CHILD // open files live on after their names
		SCENE;
		WATCH('C', "p/f", IN_ALL_EVENTS);
		NEED((fd = open("p/f", O_RDWR)) >= 0 && !unlink("p/f"));
		NEED_EVENTS("C:OPEN, C:ATTRIB");
		NEED(write(fd, "x", 1) == 1);
		NEED_EVENTS("C:MODIFY");
		close(fd);
		NEED_EVENTS("C:CLOSE_WRITE, C:DELETE_SELF, C:IGNORED");
	END_CHILD;
}

TEST(folders)
{
	DIR *d;

	CHILD
		SCENE;
		WATCH('P', "p", IN_ALL_EVENTS);
		WATCH('C', "p/d", IN_ALL_EVENTS);
		NEED((d = opendir("p/d")) && readdir(d));
		NEED_EVENTS("P:OPEN/ d, C:OPEN/, P:ACCESS/ d, C:ACCESS/");
		closedir(d);
		NEED_EVENTS("P:CLOSE/ d, C:CLOSE/");
		NEED(!chmod("p/d", 0700));
		NEED_EVENTS("P:ATTRIB/ d, C:ATTRIB/");
		NEED(!rename("p/d", "p/e"));
		NEED_EVENTS("P:FROM/ d, P:TO/ e, C:MOVE_SELF");
		NEED(!mkdir("p/e/x", 0700));
		NEED_EVENTS("C:CREATE/ x");
		NEED(!rmdir("p/e/x"));
		NEED_EVENTS("C:DELETE/ x");
		NEED(!rmdir("p/e"));
		NEED_EVENTS("C:DELETE_SELF, C:IGNORED, P:DELETE/ e");
		NEED(!rename("p/f", "f") && !rename("f", "p/f"));
		NEED_EVENTS("P:FROM f, P:TO f");
		NEED(!unlink("p/f") && !unlink("p/l"));
		NEED_EVENTS("P:DELETE f, P:DELETE l");
		NEED(!rmdir("p"));
		NEED_EVENTS("P:DELETE_SELF, P:IGNORED");
	END_CHILD;
	CHILD // a folder that is somebody's working directory goes when it is left
		SCENE;
		WATCH('C', "p/d", IN_ALL_EVENTS);
		NEED(!chdir("p/d") && !rmdir("../d"));
		NEED_EVENTS("");
		NEED(!chdir("/"));
		NEED_EVENTS("C:DELETE_SELF, C:IGNORED");
	END_CHILD;
}

TEST(replaced_by_rename)
{
	CHILD
		SCENE;
		NEED(!touch("p/g", 0600) && !mkdir("p/e", 0700));
		WATCH('C', "p/f", IN_ALL_EVENTS);
		WATCH('G', "p/g", IN_ALL_EVENTS);
		NEED(!rename("p/f", "p/g"));
		NEED_EVENTS("G:ATTRIB, C:MOVE_SELF, G:DELETE_SELF, G:IGNORED");
		WATCH('D', "p/d", IN_ALL_EVENTS);
		WATCH('E', "p/e", IN_ALL_EVENTS);
		NEED(!rename("p/d", "p/e"));
		NEED_EVENTS("E:ATTRIB/, D:MOVE_SELF, E:DELETE_SELF, E:IGNORED");
		NEED(!syscall(SYS_renameat2, AT_FDCWD, "p/e", AT_FDCWD, "p/g", 2));
		NEED_EVENTS("D:MOVE_SELF, C:MOVE_SELF");
	END_CHILD;
}

TEST(cookies)
{
	char buf[512] __attribute__((aligned(8)));
	struct inotify_event *a = (void *)buf, *b;

	CHILD
		SCENE;
		WATCH('P', "p", IN_MOVE);
		NEED(!rename("p/f", "p/g") && read(in, buf, sizeof buf) == 64);
		b = (void *)(buf + 32);
		NEED(a->cookie && a->cookie == b->cookie && a->len == 16 && b->len == 16);
		uint32_t old = a->cookie;
		NEED(!rename("p/g", "p/f") && read(in, buf, sizeof buf) == 64 && a->cookie != old);
	END_CHILD;
}

TEST(flags)
{
	int fd, wd;

	CHILD // one event, then no more
		SCENE;
		WATCH('P', "p", IN_CREATE | IN_DELETE | IN_ONESHOT);
		NEED(!touch("p/a", 0600) && !touch("p/b", 0600));
		NEED_EVENTS("P:CREATE a, P:IGNORED");
		NEED_ERR(inotify_rm_watch(in, wds[0]), EINVAL);
	END_CHILD;
	CHILD // adding to a mask
		SCENE;
		WATCH('P', "p", IN_CREATE);
		NEED(inotify_add_watch(in, "p", IN_DELETE | IN_MASK_ADD) == wds[0]);
		NEED(!touch("p/a", 0600) && !unlink("p/a"));
		NEED_EVENTS("P:CREATE a, P:DELETE a");
		NEED(inotify_add_watch(in, "p", IN_DELETE) == wds[0] && !touch("p/a", 0600) &&
		     !unlink("p/a"));
		NEED_EVENTS("P:DELETE a");
		NEED_ERR(inotify_add_watch(in, "p", IN_DELETE | IN_MASK_CREATE), EEXIST);
		NEED_ERR(inotify_add_watch(in, "p", IN_DELETE | IN_MASK_CREATE | IN_MASK_ADD), EINVAL);
		NEED((wd = inotify_add_watch(in, "p/d", IN_DELETE | IN_MASK_CREATE)) > 0);
		NEED(!inotify_rm_watch(in, wd));
		NEED(strstr(events(wds, names), "IGNORED"));
	END_CHILD;
	CHILD // children whose name is gone
		SCENE;
		WATCH('P', "p", IN_ALL_EVENTS | IN_EXCL_UNLINK);
		NEED((fd = open("p/f", O_RDWR)) >= 0 && write(fd, "x", 1) == 1 && !unlink("p/f"));
		NEED_EVENTS("P:OPEN f, P:MODIFY f, P:DELETE f");
		NEED(write(fd, "x", 1) == 1 && !close(fd));
		NEED_EVENTS("");
	END_CHILD;
	CHILD // links, and what is no folder
		SCENE;
		NEED_ERR(inotify_add_watch(in, "p/f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
		WATCH('L', "p/l", IN_ALL_EVENTS | IN_DONT_FOLLOW);
		WATCH('C', "p/f", IN_ALL_EVENTS);
		NEED(inotify_add_watch(in, "p/l", IN_ALL_EVENTS) == wds[1]);
		NEED(!unlink("p/l"));
		NEED_EVENTS("L:ATTRIB, L:DELETE_SELF, L:IGNORED");
	END_CHILD;
	CHILD
		SCENE;
		NEED_ERR(inotify_init1(4), EINVAL);
		NEED_ERR(inotify_add_watch(in, "p", 0), EINVAL);
		NEED_ERR(inotify_add_watch(in, "none", IN_OPEN), ENOENT);
		NEED_ERR(inotify_add_watch(in, (char *)8, IN_OPEN), EFAULT);
		NEED_ERR(inotify_add_watch(0, "p", IN_OPEN), EINVAL);
		NEED_ERR(inotify_add_watch(-1, "p", IN_OPEN), EBADF);
		NEED_ERR(inotify_rm_watch(in, 99), EINVAL);
		NEED_ERR(inotify_rm_watch(0, 1), EINVAL);
		NEED_ERR(inotify_rm_watch(-1, 1), EBADF);
		char small[8];
		NEED_ERR(read(in, small, sizeof small), EAGAIN);
		WATCH('P', "p", IN_CREATE);
		NEED(!touch("p/a", 0600));
		NEED_ERR(read(in, small, sizeof small), EINVAL);
		int n = 0;
		NEED(!ioctl(in, FIONREAD, &n) && n == 32);
		if (!geteuid()) {
			NEED(!chmod("p/f", 0200) && !become(NOBODY));
			NEED_ERR(inotify_add_watch(in, "p/f", IN_OPEN), EACCES);
		}
	END_CHILD;
}

TEST(merged_and_lost)
{
	char path[] = "/proc/sys/fs/inotify/max_queued_events", text[16] = "";
	int fd, max;

	CHILD // a repetition of the last event is no new one
		SCENE;
		WATCH('P', "p", IN_MODIFY | IN_ATTRIB);
		NEED((fd = open("p/f", O_RDWR)) >= 0 && write(fd, "x", 1) == 1 && write(fd, "x", 1) == 1);
		NEED(!fchmod(fd, 0600) && write(fd, "x", 1) == 1);
		NEED_EVENTS("P:MODIFY f, P:ATTRIB f, P:MODIFY f");
	END_CHILD;
	CHILD
		SCENE;
		NEED((fd = open(path, O_RDONLY)) >= 0 && read(fd, text, 15) > 0);
		max = atoi(text);
		WATCH('C', "p/f", IN_MODIFY | IN_ATTRIB);
		NEED((fd = open("p/f", O_RDWR)) >= 0);
		for (int i = 0; i < max; i++)
			NEED(i % 2 ? !fchmod(fd, 0600) : write(fd, "x", 1) == 1);
		NEED(!fchmod(fd, 0600) && write(fd, "x", 1) == 1 && !fchmod(fd, 0600));
		struct inotify_event e, last;
		int n = 0;
		for (; read(in, &e, sizeof e) == sizeof e; n++)
			last = e;
		NEED_EQ(n, max + 1);
		NEED(last.wd == -1 && last.mask == IN_Q_OVERFLOW && !last.cookie && !last.len);
	END_CHILD;
}

TEST(unmounted)
{
	NEEDS_ROOT;
	CHILD
		SCENE;
		NEED(!mkdir("m", 0755) && !mount("x", "m", "tmpfs", 0, NULL) && !touch("m/f", 0600));
		WATCH('M', "m", IN_ALL_EVENTS);
		WATCH('F', "m/f", IN_ALL_EVENTS);
		NEED(!umount("m"));
		NEED_EVENTS("F:UNMOUNT, F:IGNORED, M:UNMOUNT/, M:IGNORED");
	END_CHILD;
}
