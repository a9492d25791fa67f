/* SPDX-License-Identifier: BSD-2-Clause */
/* Mounting in steps: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2),
 * mount_setattr(2).
 *
 * A context (the descriptor that fsopen and fspick give) collects options as the text that a file system
 * takes at once; creating the instance checks them. A tree that is mounted nowhere belongs to the descriptor
 * that fsmount or open_tree gave, and goes with it unless move_mount hung it up before. */
#include "syscalls.h"
#include "base/format.h"
#include "base/string.h"
#include <linux/mount.h>

#define KEY_MAX	   256
#define OPTION_MAX PATH_SIZE
#define BLOB_MAX   MIB(1)
#define TREE_FLAGS                                                                              \
	(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | \
	 AT_SYMLINK_NOFOLLOW)
#define MOUNT_ATTRS                                                                                         \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | \
	 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)
#define ATIME_FLAGS (MS_NOATIME | MS_STRICTATIME | MS_RELATIME)
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum phase { FC_CREATE, FC_MOUNT, FC_RECONFIGURE, FC_FAILED };

struct fs_builder {
	struct mutex lock; /* guards the rest */
	enum phase phase;
	const char *type;
	char *source, *options; /* options: "a=b,c", a page */
	u32 flags;		/* MS_RDONLY ... that were given by name */
	struct super *super;	/* FC_MOUNT, FC_RECONFIGURE: reference held */
};

static void builder_free(struct fs_builder *b)
{
	if (b->super)
		super_put(b->super);
	kfree(b->source);
	kfree(b->options);
	kfree(b);
}

static void builder_release(struct file *f)
{
	builder_free(f->priv);
}

/* The log of messages, which nobody writes. */
static ssize_t builder_read(struct file *f, struct iter *to, u64 *pos)
{
	return -ENODATA;
}

static const struct file_ops builder_ops = {.read = builder_read, .release = builder_release};

static struct fs_builder *builder_alloc(const char *type, enum phase phase)
{
	struct fs_builder *b = kzalloc(sizeof *b);

	if (!b)
		return NULL;
	b->options = kmalloc(OPTION_MAX);
	if (!b->options) {
		kfree(b);
		return NULL;
	}
	*b->options = 0;
	mutex_init(&b->lock);
	b->type = type;
	b->phase = phase;
	return b;
}

/* A descriptor for B, which is freed on failure. */
static long builder_install(struct fs_builder *b, bool cloexec)
{
	struct file *f = file_create_anon("anon_inode:[fscontext]", &builder_ops, b, O_RDWR);
	int fd;

	if (IS_ERR(f)) {
		builder_free(b);
		return PTR_ERR(f);
	}
	fd = fd_install_new(f, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE2(fsopen, const char __app *, name, u32, flags)
{
	char type[KEY_MAX];
	struct fs_builder *b;
	struct fs_type *t;
	ssize_t n;

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(u32)FSOPEN_CLOEXEC)
		return -EINVAL;
	n = string_from_app(type, name, sizeof type);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	t = fs_find(type, (size_t)n);
	if (!t)
		return -ENODEV;
	b = builder_alloc(t->name, FC_CREATE);
	return b ? builder_install(b, flags & FSOPEN_CLOEXEC) : -ENOMEM;
}

SYSCALL_DEFINE3(fspick, int, dirfd, const char __app *, name, u32, flags)
{
	u32 walk = (flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		   (flags & FSPICK_EMPTY_PATH ? WALK_EMPTY : 0);
	struct fs_builder *b;
	struct path p;
	int err;

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags &
	    ~(u32)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
		return -EINVAL;
	err = walk_app_path(dirfd, name, walk, &p);
	if (err)
		return err;
	b = p.dentry == p.mnt->root ? builder_alloc(p.mnt->super->type->name, FC_RECONFIGURE)
				    : ERR_PTR(-EINVAL);
	if (b && !IS_ERR(b)) {
		b->super = p.mnt->super;
		super_get(b->super);
		b->flags = b->super->read_only ? MS_RDONLY : 0;
	}
	path_put(&p);
	if (!b || IS_ERR(b))
		return b ? PTR_ERR(b) : -ENOMEM;
	return builder_install(b, flags & FSPICK_CLOEXEC);
}

/* ---- fsconfig ---- */

/* Words that every file system knows. */
static bool common_word(struct fs_builder *b, const char *key)
{
	static const struct {
		const char *word;
		u32 set, clear;
	} words[] = {{"ro", MS_RDONLY, 0},	   {"rw", 0, MS_RDONLY}, {"sync", MS_SYNCHRONOUS, 0},
		     {"async", 0, MS_SYNCHRONOUS}, {"dirsync", 0, 0},	 {"lazytime", 0, 0},
		     {"nolazytime", 0, 0},	   {"mand", 0, 0},	 {"nomand", 0, 0}};

	for (unsigned n = 0; n < ARRAY_SIZE(words); n++)
		if (!strcmp(key, words[n].word)) {
			b->flags = (b->flags & ~words[n].clear) | words[n].set;
			return true;
		}
	return false;
}

static int add_option(struct fs_builder *b, const char *key, const char *value)
{
	size_t have = strlen(b->options), need = strlen(key) + (value ? strlen(value) + 1 : 0) + 1;

	if (strchr(key, ',') || strchr(key, '=') || (value && strchr(value, ',')))
		return -EINVAL;
	if (have + need >= OPTION_MAX)
		return -EINVAL;
	snprintf(b->options + have, OPTION_MAX - have, "%s%s%s%s", have ? "," : "", key, value ? "=" : "",
		 value ? value : "");
	return 0;
}

static int set_flag(struct fs_builder *b, const char *key)
{
	return common_word(b, key) ? 0 : add_option(b, key, NULL);
}

static int set_string(struct fs_builder *b, const char *key, const char *value)
{
	if (strcmp(key, "source"))
		return common_word(b, key) ? 0 : add_option(b, key, value);
	if (b->source)
		return -EINVAL;
	b->source = kstrdup(value);
	return b->source ? 0 : -ENOMEM;
}

static int create_super(struct fs_builder *b)
{
	struct super *s;

	if (b->phase != FC_CREATE)
		return -EBUSY;
	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	s = type_mount(b->type, b->source ? b->source : "", b->flags, b->options);
	b->phase = IS_ERR(s) ? FC_FAILED : FC_MOUNT;
	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	b->super = s;
	*b->options = 0;
	return 0;
}

static int reconfigure(struct fs_builder *b)
{
	int err;

	if (b->phase != FC_RECONFIGURE)
		return -EBUSY;
	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = super_reconfigure(b->super, b->flags, b->options);
	*b->options = 0;
	return err;
}

/* What each command takes. */
static int check_arguments(unsigned cmd, const void __app *key, const void __app *value, int aux)
{
	switch (cmd) {
	case FSCONFIG_SET_FLAG:
		return !key || value || aux ? -EINVAL : 0;
	case FSCONFIG_SET_STRING:
		return !key || !value || aux ? -EINVAL : 0;
	case FSCONFIG_SET_BINARY:
		return !key || !value || aux <= 0 || aux > (int)BLOB_MAX ? -EINVAL : 0;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		return !key || !value || (aux != AT_FDCWD && aux < 0) ? -EINVAL : 0;
	case FSCONFIG_SET_FD:
		return !key || value || aux < 0 ? -EINVAL : 0;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		return key || value || aux ? -EINVAL : 0;
	default:
		return -EOPNOTSUPP;
	}
}

static long configure(struct fs_builder *b, unsigned cmd, const char *key, const char *value)
{
	long err;

	mutex_lock(&b->lock);
	if (cmd == FSCONFIG_CMD_CREATE)
		err = create_super(b);
	else if (cmd == FSCONFIG_CMD_RECONFIGURE)
		err = reconfigure(b);
	else if (b->phase != FC_CREATE && b->phase != FC_RECONFIGURE)
		err = -EBUSY;
	else if (cmd == FSCONFIG_SET_FLAG)
		err = set_flag(b, key);
	else if (cmd == FSCONFIG_SET_STRING)
		err = set_string(b, key, value);
	else
		err = -EINVAL; /* no file system here has options that are blobs, paths or files */
	mutex_unlock(&b->lock);
	return err;
}

static struct file *builder_file(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops == &builder_ops)
		return f;
	file_put(f);
	return ERR_PTR(-EINVAL);
}

SYSCALL_DEFINE5(fsconfig, int, fd, unsigned, cmd, const char __app *, ukey, const void __app *, uvalue, int,
		aux)
{
	char key[KEY_MAX] = "", value[KEY_MAX] = "";
	struct file *f;
	ssize_t n = 0;
	long err;

	if (fd < 0)
		return -EINVAL;
	err = check_arguments(cmd, ukey, uvalue, aux);
	if (err)
		return err;
	f = builder_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (ukey)
		n = string_from_app(key, ukey, sizeof key);
	if (n >= 0 && cmd == FSCONFIG_SET_STRING)
		n = string_from_app(value, uvalue, sizeof value);
	err = n < 0 ? n == -ENAMETOOLONG ? -EINVAL : n : configure(f->priv, cmd, key, value);
	file_put(f);
	return err;
}

/* ---- trees ---- */

static void tree_release(struct file *f)
{
	mount_tree_drop(f->path.mnt);
}

static const struct file_ops tree_ops = {.release = tree_release};

/* An O_PATH descriptor that owns M, a tree that hangs nowhere; M is dropped on failure. */
static long tree_install(struct mount *m, bool cloexec)
{
	struct path p = {m, m->root};
	struct file *f = vfs_open_path(&p, O_PATH);
	int fd;

	if (IS_ERR(f)) {
		mount_tree_drop(m);
		return PTR_ERR(f);
	}
	f->ops = &tree_ops;
	fd = fd_install_new(f, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* MOUNT_ATTR_* as MS_*; -EINVAL in *ERR for two words about access times at once. */
static u32 mount_flags(u64 attrs, int *err)
{
	u32 f = (attrs & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0) | (attrs & MOUNT_ATTR_NOSUID ? MS_NOSUID : 0) |
		(attrs & MOUNT_ATTR_NODEV ? MS_NODEV : 0) | (attrs & MOUNT_ATTR_NOEXEC ? MS_NOEXEC : 0) |
		(attrs & MOUNT_ATTR_NODIRATIME ? MS_NODIRATIME : 0) |
		(attrs & MOUNT_ATTR_NOSYMFOLLOW ? MS_NOSYMFOLLOW : 0);

	switch (attrs & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME:
		return f | MS_RELATIME;
	case MOUNT_ATTR_NOATIME:
		return f | MS_NOATIME;
	case MOUNT_ATTR_STRICTATIME:
		return f | MS_STRICTATIME;
	default:
		*err = -EINVAL;
		return f;
	}
}

static long mount_built(struct fs_builder *b, u32 flags, bool cloexec)
{
	struct mount *m;
	long fd;

	mutex_lock(&b->lock);
	fd = !b->super ? -EINVAL : b->phase != FC_MOUNT ? -EBUSY : 0;
	m = fd ? NULL : mount_detached(b->super, b->source, flags | (b->flags & MS_RDONLY));
	if (!fd)
		fd = m ? tree_install(m, cloexec) : -ENOMEM;
	if (fd >= 0)
		b->phase = FC_RECONFIGURE; /* from here on the context changes what was mounted */
	mutex_unlock(&b->lock);
	return fd;
}

SYSCALL_DEFINE3(fsmount, int, fs_fd, u32, flags, u32, attrs)
{
	struct file *f;
	u32 ms;
	int err = 0;
	long fd;

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(u32)FSMOUNT_CLOEXEC || attrs & ~(u32)MOUNT_ATTRS)
		return -EINVAL;
	ms = mount_flags(attrs, &err);
	if (err)
		return err;
	f = builder_file(fs_fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = mount_built(f->priv, ms, flags & FSMOUNT_CLOEXEC);
	file_put(f);
	return fd;
}

SYSCALL_DEFINE3(open_tree, int, dirfd, const char __app *, name, u32, flags)
{
	u32 walk = walk_flags_at(flags);
	struct mount *m;
	struct file *f;
	struct path p;
	long fd;

	if (flags & ~(u32)TREE_FLAGS || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if (flags & OPEN_TREE_CLONE && !process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	fd = walk_app_path(dirfd, name, walk, &p);
	if (fd)
		return fd;
	if (flags & OPEN_TREE_CLONE) {
		m = mount_tree_copy(&p, flags & AT_RECURSIVE);
		fd = IS_ERR(m) ? PTR_ERR(m) : tree_install(m, flags & OPEN_TREE_CLOEXEC);
	} else {
		f = vfs_open_path(&p, O_PATH);
		fd = IS_ERR(f) ? PTR_ERR(f) : fd_install_new(f, flags & OPEN_TREE_CLOEXEC);
		if (fd < 0 && !IS_ERR(f))
			file_put(f);
	}
	path_put(&p);
	return fd;
}

SYSCALL_DEFINE5(move_mount, int, from_fd, const char __app *, from_name, int, to_fd, const char __app *,
		to_name, u32, flags)
{
	struct path from, to;
	long err;

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~(u32)MOVE_MOUNT__MASK)
		return -EINVAL;
	err = walk_app_path(from_fd, from_name,
			    (flags & MOVE_MOUNT_F_SYMLINKS ? WALK_FOLLOW : 0) |
				    (flags & MOVE_MOUNT_F_EMPTY_PATH ? WALK_EMPTY : 0),
			    &from);
	if (err)
		return err;
	err = walk_app_path(to_fd, to_name,
			    (flags & MOVE_MOUNT_T_SYMLINKS ? WALK_FOLLOW : 0) |
				    (flags & MOVE_MOUNT_T_EMPTY_PATH ? WALK_EMPTY : 0),
			    &to);
	if (!err) {
		/* Groups of mounts that share do not exist. */
		err = flags & MOVE_MOUNT_SET_GROUP ? -EINVAL : mount_move(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return err;
}

/* ---- mount_setattr ---- */

static int attributes_from_app(struct mount_attr *a, const struct mount_attr __app *uattr, size_t size)
{
	const u8 __app *tail = (const u8 __app *)uattr + sizeof(*a);

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_app(*a, uattr))
		return -EFAULT;
	for (size_t n = sizeof(*a); n < size; n++) {
		u8 byte;

		if (get_app(byte, tail++))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

static int attributes_flags(const struct mount_attr *a, u32 *set, u32 *clear)
{
	u64 atime_set = a->attr_set & MOUNT_ATTR__ATIME, atime_clear = a->attr_clr & MOUNT_ATTR__ATIME;
	int err = 0;

	if (a->propagation & ~(u64)PROPAGATION || __builtin_popcountll(a->propagation) > 1)
		return -EINVAL;
	if ((a->attr_set | a->attr_clr) & ~(u64)MOUNT_ATTRS)
		return -EINVAL; /* no mapping of ids either */
	if (atime_clear ? atime_clear != MOUNT_ATTR__ATIME : atime_set != 0)
		return -EINVAL;
	*set = mount_flags(a->attr_set, &err);
	*clear = mount_flags(a->attr_clr & ~(u64)MOUNT_ATTR__ATIME, &err);
	if (atime_clear)
		*clear |= ATIME_FLAGS;
	else
		*set &= ~(u32)ATIME_FLAGS, *clear &= ~(u32)ATIME_FLAGS;
	return err;
}

SYSCALL_DEFINE5(mount_setattr, int, dirfd, const char __app *, name, u32, flags, struct mount_attr __app *,
		uattr, size_t, size)
{
	u32 walk = walk_flags_at(flags);
	struct mount_attr a;
	struct path p;
	u32 set, clear;
	int err;

	if (flags & ~(u32)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = attributes_from_app(&a, uattr, size);
	if (err || !(a.attr_set | a.attr_clr | a.propagation))
		return err;
	err = attributes_flags(&a, &set, &clear);
	if (!err)
		err = walk_app_path(dirfd, name, walk, &p);
	if (err)
		return err;
	err = mount_set_flags(&p, set, clear, flags & AT_RECURSIVE);
	path_put(&p);
	return err;
}
