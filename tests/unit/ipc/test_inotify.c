// SPDX-License-Identifier: BSD-2-Clause
/* inotify: masks, coalescing, names and padding, limits and overflow, one-shot and removed watches, churn under threads. */
// sources: kernel/ipc/inotify.c kernel/ipc/inotify_watch.c kernel/lib/rbtree.c kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "host/ipc_shim.h"
#include "kernel/ipc.h"
#include <linux/inotify.h>

SYS(inotify_init1);
SYS(inotify_add_watch);
SYS(inotify_rm_watch);

static struct inode *nodes[3]; /* what "0", "1" and "2" name; 0 and 1 are directories */

/* The VFS: a path is one digit. */
int vfs_lookup_at(int dirfd, const char *path, u32 flags, struct path *out)
{
	if (path[0] < '0' || path[0] > '2' || path[1])
		return -ENOENT;
	*out = (struct path){.dentry = ipc_dentry_make(nodes[path[0] - '0'])};
	inode_get(out->dentry->inode);
	return 0;
}

static void setup(void)
{
	for (int i = 0; i < 3; i++) {
		nodes[i] = inode_alloc(NULL);
		nodes[i]->mode = i < 2 ? 0040755 : 0100644;
	}
}

static void teardown(void)
{
	for (int i = 0; i < 3; i++) {
		assert_true(list_empty(&nodes[i]->watches));
		assert_int_equal(refcount_read(&nodes[i]->ref), 1);
		inode_put(nodes[i]);
	}
	assert_int_equal(ipc_files_live, 0);
	assert_int_equal(host_heap_live(), 0);
}

static int make(void)
{
	int fd = (int)CALL(inotify_init1, O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static int watch(int fd, const char *path, u32 mask)
{
	return (int)CALL(inotify_add_watch, fd, path, mask);
}

/* The next event is this one. */
static void next(int fd, int wd, u32 mask, const char *name)
{
	char buf[sizeof(struct inotify_event) + 256];
	struct inotify_event *e = (struct inotify_event *)buf;
	size_t len = name ? ALIGN_UP(strlen(name) + 1, sizeof *e) : 0;

	assert_int_equal(ipc_read(fd, buf, sizeof *e + len), sizeof *e + len);
	assert_int_equal(e->wd, wd);
	assert_int_equal(e->mask, mask);
	assert_int_equal(e->len, len);
	if (name)
		assert_string_equal(e->name, name);
}

static void none(int fd)
{
	char buf[300];

	assert_int_equal(ipc_read(fd, buf, sizeof buf), -EAGAIN);
}

static void test_events(void **state)
{
	char buf[20];
	int fd;

	setup();
	fd = make();
	assert_int_equal(watch(fd, "0", IN_CREATE | IN_MODIFY), 1);
	inotify_event(nodes[0], IN_DELETE, 0, "x");
	inotify_event(nodes[1], IN_CREATE, 0, "x");
	none(fd);
	inotify_event(nodes[0], IN_CREATE | IN_ISDIR, 0, "a-long-name-of-17");
	assert_int_equal(ipc_read(fd, buf, sizeof buf), -EINVAL);
	next(fd, 1, IN_CREATE | IN_ISDIR, "a-long-name-of-17");
	for (int i = 0; i < 3; i++)
		inotify_event(nodes[0], IN_MODIFY, 0, "f");
	inotify_event(nodes[0], IN_MODIFY, 0, "g");
	inotify_event(nodes[0], IN_MODIFY, 0, "f");
	next(fd, 1, IN_MODIFY, "f"); /* repeats are one event, but only when nothing lies between */
	next(fd, 1, IN_MODIFY, "g");
	next(fd, 1, IN_MODIFY, "f");
	none(fd);
	fd_close(fd);
	teardown();
}

static void test_watches(void **state)
{
	int fd;

	setup();
	fd = make();
	assert_int_equal(watch(fd, "9", IN_CREATE), -ENOENT);
	assert_int_equal(watch(fd, "0", 0), -EINVAL);
	assert_int_equal(watch(fd, "2", IN_MODIFY | IN_ONLYDIR), -ENOTDIR);
	assert_int_equal(watch(fd, "0", IN_CREATE), 1);
	assert_int_equal(watch(fd, "0", IN_DELETE | IN_MASK_ADD), 1);
	assert_int_equal(watch(fd, "0", IN_DELETE | IN_MASK_CREATE), -EEXIST);
	assert_int_equal(watch(fd, "0", IN_MASK_ADD | IN_MASK_CREATE), -EINVAL);
	inotify_event(nodes[0], IN_CREATE, 0, "a");
	next(fd, 1, IN_CREATE, "a");
	assert_int_equal(watch(fd, "0", IN_OPEN), 1); /* replaces */
	inotify_event(nodes[0], IN_CREATE, 0, "a");
	none(fd);
	assert_int_equal(watch(fd, "2", IN_MODIFY | IN_ONESHOT), 2);
	inotify_event(nodes[2], IN_MODIFY, 0, NULL);
	inotify_event(nodes[2], IN_MODIFY, 0, NULL);
	next(fd, 2, IN_MODIFY, NULL);
	next(fd, 2, IN_IGNORED, NULL);
	none(fd);
	assert_int_equal(watch(fd, "2", IN_MODIFY), 3); /* numbers are not used again */
	inotify_event(nodes[2], IN_DELETE_SELF, 0, NULL);
	next(fd, 3, IN_IGNORED, NULL); /* not asked for DELETE_SELF, but the watch has ended */
	assert_int_equal(CALL(inotify_rm_watch, fd, 3), -EINVAL);
	assert_int_equal(CALL(inotify_rm_watch, fd, 1), 0);
	next(fd, 1, IN_IGNORED, NULL);
	assert_int_equal(watch(fd, "1", IN_CREATE | IN_EXCL_UNLINK), 4);
	inotify_event(nodes[1], IN_CREATE | IN_EXCL_UNLINK, 0, "unlinked");
	none(fd);
	fd_close(fd);
	teardown();
}

static void test_limits(void **state)
{
	char name[16];
	int fd, other;

	setup();
	inotify_max_queued = 4;
	inotify_max_watches = 1;
	inotify_max_instances = 2;
	fd = make();
	other = make();
	assert_int_equal(CALL(inotify_init1, 0), -EMFILE);
	assert_int_equal(watch(fd, "0", IN_CREATE), 1);
	assert_int_equal(watch(fd, "1", IN_CREATE), -ENOSPC);
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "%d", i);
		inotify_event(nodes[0], IN_CREATE, 0, name);
	}
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "%d", i);
		next(fd, 1, IN_CREATE, name);
	}
	next(fd, -1, IN_Q_OVERFLOW, NULL); /* once, whatever was lost */
	none(fd);
	host_alloc_fail_after(0);
	inotify_event(nodes[0], IN_CREATE, 0, "lost");
	host_alloc_fail_never();
	next(fd, -1, IN_Q_OVERFLOW, NULL);
	fd_close(fd);
	fd_close(other);
	inotify_max_queued = 16384;
	inotify_max_watches = 8192;
	inotify_max_instances = 128;
	teardown();
}

static int churn_fds[3];

static void churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	static const char *const paths[] = {"0", "1", "2"};
	char buf[400];

	for (int i = 0; i < 4000; i++) {
		int fd = churn_fds[rand_r(&seed) % 3], n = rand_r(&seed) % 3;

		switch (rand_r(&seed) % 6) {
		case 0:
			watch(fd, paths[n], IN_ALL_EVENTS | (i % 3 ? 0 : IN_ONESHOT));
			break;
		case 1:
			CALL(inotify_rm_watch, fd, 1 + rand_r(&seed) % 600);
			break;
		case 2:
			ipc_read(fd, buf, sizeof buf);
			break;
		case 3:
			inotify_event(nodes[n], IN_DELETE_SELF, 0, NULL);
			break;
		default:
			inotify_event(nodes[n], IN_MODIFY, 0, i % 2 ? "m" : NULL);
		}
	}
}

static void test_churn(void **state)
{
	struct thread *t[3];

	setup();
	for (int i = 0; i < 3; i++)
		churn_fds[i] = make();
	for (int i = 0; i < 3; i++)
		t[i] = host_thread_start(churn, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < 3; i++)
		host_thread_join(t[i]);
	for (int i = 0; i < 3; i++)
		fd_close(churn_fds[i]);
	teardown();
}

UNIT_TESTS(test_events, test_watches, test_limits, test_churn)
