/* SPDX-License-Identifier: BSD-2-Clause */
/* See p9_server.h. Attributes of open files are asked of the descriptor, all else goes by path. Extended
 * attributes are kept here, one a file, since not every host folder has them. */
#include "p9_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FIDS 8192

enum kind { UNUSED, PATH, OPEN, DIRECTORY, XATTR_READ, XATTR_WRITE };

static struct fid {
	uint32_t num;
	enum kind kind;
	char path[4096];
	int fd;
	DIR *dir;
	char name[256];	     /* of the attribute */
	uint8_t value[4096]; /* being written */
	uint32_t size;
} * fids[FIDS];

static struct attribute {
	char path[4096], name[256];
	uint8_t value[4096];
	uint32_t size;
	int used;
} attributes[16];

static const char *root;
static const uint8_t *in, *in_end;
static uint8_t *out, *out_end;
static uint32_t msize;
static int lenient;
static jmp_buf back;

static uint64_t get(int n)
{
	uint64_t v = 0;

	if (in_end - in < n)
		abort(); /* the client packs its messages right */
	memcpy(&v, in, (size_t)n);
	in += n;
	return v;
}

static void put(uint64_t v, int n)
{
	if (out_end - out < n)
		abort();
	memcpy(out, &v, (size_t)n);
	out += n;
}

static void get_name(char *s, size_t room)
{
	size_t n = get(2);

	if (n >= room || (size_t)(in_end - in) < n)
		abort();
	memcpy(s, in, n);
	s[n] = 0;
	in += n;
}

static void put_str(const char *s)
{
	put(strlen(s), 2);
	memcpy(out, s, strlen(s));
	out += strlen(s);
}

/* The client uses a fid that it was not given, or asks for one twice. */
static void wrong(void)
{
	if (!lenient)
		abort();
	longjmp(back, 1);
}

static struct fid *find(void)
{
	uint32_t num = (uint32_t)get(4);

	for (int k = 0; k < FIDS; k++)
		if (fids[k] && fids[k]->num == num)
			return fids[k];
	wrong();
	return NULL;
}

static struct fid *make(uint32_t num)
{
	int at = -1;

	for (int k = 0; k < FIDS; k++) {
		if (fids[k] && fids[k]->num == num)
			wrong();
		if (!fids[k])
			at = k;
	}
	if (at < 0)
		abort();
	fids[at] = calloc(1, sizeof *fids[at]);
	fids[at]->num = num;
	fids[at]->kind = PATH;
	return fids[at];
}

static void drop(struct fid *f)
{
	if (f->kind == OPEN)
		close(f->fd);
	if (f->kind == DIRECTORY)
		closedir(f->dir);
	for (int k = 0; k < FIDS; k++)
		if (fids[k] == f)
			fids[k] = NULL;
	free(f);
}

unsigned p9_server_fids(void)
{
	unsigned n = 0;

	for (int k = 0; k < FIDS; k++)
		n += fids[k] != NULL;
	return n;
}

void p9_server_lenient(int on)
{
	lenient = on;
}

void p9_server_start(const char *folder)
{
	root = folder;
}

static void qid(const struct stat *st)
{
	put(S_ISDIR(st->st_mode) ? 0x80 : S_ISLNK(st->st_mode) ? 2 : 0, 1);
	put((uint64_t)st->st_mtime, 4);
	put(st->st_ino, 8);
}

static void child(char *path, const struct fid *dir, const char *name)
{
	if (snprintf(path, 4096, "%s/%s", dir->path, name) >= 4096)
		abort();
}

static int qid_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno;
	qid(&st);
	return 0;
}

static int do_walk(void)
{
	struct fid *from = find(), *to;
	uint32_t num = (uint32_t)get(4);
	char path[4096], name[256];
	int n = (int)get(2);
	struct stat st;

	strcpy(path, from->path);
	put((uint64_t)n, 2);
	for (int k = 0; k < n; k++) {
		get_name(name, sizeof name);
		child(path, from, name);
		if (lstat(path, &st))
			return errno;
		qid(&st);
	}
	if (from->kind != PATH)
		return EINVAL;
	to = make(num);
	strcpy(to->path, path);
	return 0;
}

static int opened(struct fid *f, int flags)
{
	struct stat st;

	f->fd = open(f->path, flags, 0);
	if (f->fd < 0 || fstat(f->fd, &st))
		return errno;
	f->kind = OPEN;
	if (S_ISDIR(st.st_mode)) {
		f->dir = fdopendir(f->fd);
		f->kind = DIRECTORY;
	}
	qid(&st);
	put(0, 4);
	return 0;
}

static int do_create(struct fid *f)
{
	char name[256], path[4096];
	uint32_t flags, mode;

	get_name(name, sizeof name);
	flags = (uint32_t)get(4);
	mode = (uint32_t)get(4);
	child(path, f, name);
	f->fd = open(path, (int)flags, mode);
	if (f->fd < 0)
		return errno;
	fchmod(f->fd, mode & 07777);
	strcpy(f->path, path);
	f->kind = OPEN;
	if (qid_of(path))
		abort();
	put(0, 4);
	return 0;
}

/* mkdir, mknod, symlink: qid of what was made. */
static int made(const char *path, int result, int mode)
{
	if (result)
		return errno;
	if (mode >= 0)
		chmod(path, (mode_t)mode);
	return qid_of(path);
}

static int do_rename(struct fid *from)
{
	char a[4096], b[4096], name[256], rest[4096];
	size_t len;
	struct fid *to;

	get_name(name, sizeof name);
	child(a, from, name);
	to = find();
	get_name(name, sizeof name);
	child(b, to, name);
	if (rename(a, b))
		return errno;
	len = strlen(a);
	for (int k = 0; k < FIDS; k++)
		if (fids[k] && !strncmp(fids[k]->path, a, len) && strchr("/", fids[k]->path[len])) {
			strcpy(rest, fids[k]->path + len);
			if (snprintf(fids[k]->path, 4096, "%s%s", b, rest) >= 4096)
				abort();
		}
	return 0;
}

static int do_getattr(struct fid *f)
{
	struct stat st;

	if (f->kind == OPEN ? fstat(f->fd, &st) : lstat(f->path, &st))
		return errno;
	put(0x7ff, 8);
	qid(&st);
	put(st.st_mode, 4);
	put(st.st_uid, 4);
	put(st.st_gid, 4);
	put(st.st_nlink, 8);
	put(st.st_rdev, 8);
	put((uint64_t)st.st_size, 8);
	put((uint64_t)st.st_blksize, 8);
	put((uint64_t)st.st_blocks, 8);
	put((uint64_t)st.st_atim.tv_sec, 8), put((uint64_t)st.st_atim.tv_nsec, 8);
	put((uint64_t)st.st_mtim.tv_sec, 8), put((uint64_t)st.st_mtim.tv_nsec, 8);
	put((uint64_t)st.st_ctim.tv_sec, 8), put((uint64_t)st.st_ctim.tv_nsec, 8);
	put(0, 8), put(0, 8), put(0, 8), put(0, 8);
	return 0;
}

static int do_setattr(struct fid *f)
{
	uint32_t valid = (uint32_t)get(4), mode = (uint32_t)get(4), uid = (uint32_t)get(4),
		 gid = (uint32_t)get(4);
	uint64_t size = get(8);
	struct timespec t[2];

	for (int k = 0; k < 2; k++) {
		t[k].tv_sec = (time_t)get(8);
		t[k].tv_nsec = (long)get(8);
		if (!(valid & (k ? 32u : 16u)))
			t[k].tv_nsec = UTIME_OMIT;
		else if (!(valid & (k ? 256u : 128u)))
			t[k].tv_nsec = UTIME_NOW;
	}
	if (valid & 1 && chmod(f->path, mode))
		return errno;
	if (valid & 6 && lchown(f->path, valid & 2 ? uid : ~0u, valid & 4 ? gid : ~0u))
		return errno;
	if (valid & 8 && truncate(f->path, (off_t)size))
		return errno;
	return valid & 48 && utimensat(AT_FDCWD, f->path, t, AT_SYMLINK_NOFOLLOW) ? errno : 0;
}

static int do_read(struct fid *f)
{
	uint64_t off = get(8);
	uint32_t n = (uint32_t)get(4);
	uint8_t *count = out;
	ssize_t got;

	put(0, 4);
	if (n > (size_t)(out_end - out))
		abort(); /* the client has room for what it asks for */
	if (f->kind == XATTR_READ) {
		got = off < f->size ? (ssize_t)(n < f->size - off ? n : f->size - off) : 0;
		memcpy(out, f->value + off, (size_t)got);
	} else {
		got = f->kind == OPEN ? pread(f->fd, out, n, (off_t)off) : (errno = EINVAL, -1);
	}
	if (got < 0)
		return errno;
	memcpy(count, &got, 4);
	out += got;
	return 0;
}

static int do_write(struct fid *f)
{
	uint64_t off = get(8);
	uint32_t n = (uint32_t)get(4);
	ssize_t got = n;

	if (n > (size_t)(in_end - in))
		abort();
	if (f->kind == XATTR_WRITE && off + n <= f->size)
		memcpy(f->value + off, in, n);
	else if (f->kind != OPEN || (got = pwrite(f->fd, in, n, (off_t)off)) < 0)
		return f->kind == OPEN ? errno : EINVAL;
	put((uint64_t)got, 4);
	return 0;
}

static int do_readdir(struct fid *f)
{
	uint64_t off = get(8);
	uint32_t n = (uint32_t)get(4);
	uint8_t *count = out, *limit = out + 4 + n;
	struct dirent *d;

	if (f->kind != DIRECTORY)
		return EINVAL;
	put(0, 4);
	if (off)
		seekdir(f->dir, (long)off);
	else
		rewinddir(f->dir);
	while ((d = readdir(f->dir)) && limit - out >= (long)(24 + strlen(d->d_name))) {
		put(d->d_type == DT_DIR ? 0x80 : 0, 1), put(0, 4), put(d->d_ino, 8);
		put((uint64_t)d->d_off, 8);
		put(d->d_type, 1);
		put_str(d->d_name);
	}
	n = (uint32_t)(out - count - 4);
	memcpy(count, &n, 4);
	return 0;
}

static struct attribute *attribute(const char *path, const char *name)
{
	for (int k = 0; k < 16; k++)
		if (attributes[k].used && !strcmp(attributes[k].path, path) &&
		    !strcmp(attributes[k].name, name))
			return &attributes[k];
	return NULL;
}

static int do_xattr_walk(struct fid *f)
{
	struct fid *new = make((uint32_t)get(4));
	struct attribute *a;

	new->kind = XATTR_READ;
	get_name(new->name, sizeof new->name);
	if (*new->name) {
		a = attribute(f->path, new->name);
		if (!a) {
			drop(new);
			return ENODATA;
		}
		new->size = a->size;
		memcpy(new->value, a->value, a->size);
	} else {
		for (int k = 0; k < 16; k++)
			if (attributes[k].used && !strcmp(attributes[k].path, f->path)) {
				strcpy((char *)new->value + new->size, attributes[k].name);
				new->size += (uint32_t)strlen(attributes[k].name) + 1;
			}
	}
	put(new->size, 8);
	return 0;
}

static int set_attribute(struct fid *f)
{
	struct attribute *a = attribute(f->path, f->name);

	if (!f->size && !a)
		return ENODATA;
	for (int k = 0; !a && k < 16; k++)
		if (!attributes[k].used)
			a = &attributes[k];
	if (!a)
		return ENOSPC;
	a->used = f->size != 0;
	a->size = f->size;
	strcpy(a->path, f->path);
	strcpy(a->name, f->name);
	memcpy(a->value, f->value, f->size);
	return 0;
}

static int do_clunk(struct fid *f)
{
	int err = f->kind == XATTR_WRITE ? set_attribute(f) : 0;

	drop(f);
	return err;
}

static int do_statfs(struct fid *f)
{
	struct statfs st;

	if (statfs(f->path, &st))
		return errno;
	put((uint64_t)st.f_type, 4), put((uint64_t)st.f_bsize, 4);
	put(st.f_blocks, 8), put(st.f_bfree, 8), put(st.f_bavail, 8), put(st.f_files, 8), put(st.f_ffree, 8);
	put(7, 8);
	put(255, 4);
	return 0;
}

static int do_version(void)
{
	char text[32];

	msize = (uint32_t)get(4);
	get_name(text, sizeof text);
	for (int k = 0; k < FIDS; k++)
		if (fids[k])
			drop(fids[k]);
	put(msize, 4);
	put_str(strcmp(text, "9P2000.L") ? "unknown" : text);
	return 0;
}

static int serve(int type)
{
	char a[4096], b[4096], name[256];
	uint32_t x, y, z;
	struct fid *f;

	switch (type) {
	case 100:
		return do_version();
	case 104:
		f = make((uint32_t)get(4));
		strcpy(f->path, root);
		return qid_of(root);
	case 108:
		return 0; /* nothing is ever under way */
	case 110:
		return do_walk();
	}
	f = find();
	switch (type) {
	case 8:
		return do_statfs(f);
	case 12:
		return opened(f, (int)get(4));
	case 14:
		return do_create(f);
	case 16:
		get_name(name, sizeof name);
		get_name(b, sizeof b);
		child(a, f, name);
		return made(a, symlink(b, a), -1);
	case 18:
		get_name(name, sizeof name);
		child(a, f, name);
		x = (uint32_t)get(4), y = (uint32_t)get(4), z = (uint32_t)get(4);
		return made(a, mknod(a, x, makedev(y, z)), (int)(x & 07777));
	case 22: {
		ssize_t n = readlink(f->path, a, sizeof a - 1);

		if (n < 0)
			return errno;
		a[n] = 0;
		put_str(a);
		return 0;
	}
	case 24:
		return do_getattr(f);
	case 26:
		return do_setattr(f);
	case 30:
		return do_xattr_walk(f);
	case 32:
		get_name(f->name, sizeof f->name);
		f->size = (uint32_t)get(8);
		f->kind = XATTR_WRITE;
		return f->size > sizeof f->value ? ENOSPC : 0;
	case 40:
		return do_readdir(f);
	case 50:
		return 0;
	case 52:
		put(0, 1);
		return 0;
	case 70: {
		struct fid *target = find();

		get_name(name, sizeof name);
		child(a, f, name);
		return link(target->path, a) ? errno : 0;
	}
	case 72:
		get_name(name, sizeof name);
		child(a, f, name);
		x = (uint32_t)get(4);
		return made(a, mkdir(a, x & 07777), (int)(x & 07777));
	case 74:
		return do_rename(f);
	case 76:
		get_name(name, sizeof name);
		child(a, f, name);
		return (get(4) ? rmdir(a) : unlink(a)) ? errno : 0;
	case 116:
		return do_read(f);
	case 118:
		return do_write(f);
	case 120:
		return do_clunk(f);
	default:
		return EOPNOTSUPP;
	}
}

size_t p9_server(const uint8_t *message, size_t len, uint8_t *answer, size_t room)
{
	uint32_t size;
	volatile int type;
	int err;

	if (len < 7)
		return 0;
	memcpy(&size, message, 4);
	if (size != len || (msize && message[4] != 100 && len > msize))
		abort();
	type = message[4];
	in = message + 7;
	in_end = message + len;
	out = answer + 7;
	out_end = answer + room;
	err = setjmp(back) ? EBADF : serve(type);
	if (err) {
		type = 6;
		out = answer + 7;
		put((uint64_t)err, 4);
	}
	size = (uint32_t)(out - answer);
	memcpy(answer, &size, 4);
	answer[4] = (uint8_t)(type + 1);
	memcpy(answer + 5, message + 5, 2);
	return size;
}
