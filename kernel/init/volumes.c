/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes: folders of the host that are mounted before the first program runs.
 *
 * Each is a text TAG:DST[:OPTION,...], from the fw_cfg file opt/org.cortado/volumes (NUL-terminated strings)
 * and from the kernel words volume=. TAG is the 9p device's mount tag, DST an absolute path, made if the
 * image lacks it. Options: ro; file: the device's folder holds one file, "file", which is what appears at
 * DST; all others are the file system's. A volume that cannot be mounted ends the boot: a program that ran
 * without it would write its data to memory and lose it. */
#include "volumes.h"
#include "base/err.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/cmdline.h"
#include "kernel/fwcfg.h"
#include "kernel/log.h"
#include <linux/mount.h>

#define TEXT_MAX    (256u << 10)
#define TAG_MAX	    64
#define OPTIONS_MAX 512
#define FILE_NAME   "file"
#define HIDDEN	    "/run/cortado-volumes"

struct volume {
	char *tag, *dst;
	bool read_only, file;
	char options[OPTIONS_MAX];
};

/* Cut TEXT into its parts, in place. */
static int parse(char *text, struct volume *v)
{
	char *options, *next;
	size_t n;

	v->tag = text;
	v->dst = strchr(text, ':');
	if (!v->dst || v->dst == text)
		return -EINVAL;
	*v->dst++ = 0;
	options = strchr(v->dst, ':');
	if (options)
		*options++ = 0;
	if (v->dst[0] != '/' || !v->dst[1])
		return -EINVAL;
	n = (size_t)scnprintf(v->options, sizeof v->options, "trans=virtio,version=9p2000.L");
	for (; options && *options; options = next) {
		next = strchr(options, ',');
		if (next)
			*next++ = 0;
		if (!strcmp(options, "ro"))
			v->read_only = true;
		else if (!strcmp(options, "file"))
			v->file = true;
		else
			n += (size_t)scnprintf(v->options + n, sizeof v->options - n, ",%s", options);
		if (n + 1 >= sizeof v->options)
			return -E2BIG;
		if (!next)
			break;
	}
	return 0;
}

static int mount_file(const struct volume *v, u32 flags)
{
	char hidden[64 + TAG_MAX], file[80 + TAG_MAX];
	int err;

	snprintf(hidden, sizeof hidden, HIDDEN "/%s", v->tag);
	snprintf(file, sizeof file, "%s/" FILE_NAME, hidden);
	err = vfs_make_path(hidden, true);
	if (!err)
		err = vfs_mount(v->tag, hidden, "9p", flags, v->options);
	if (!err)
		err = vfs_make_path(v->dst, false);
	return err ? err : vfs_bind(file, v->dst);
}

static void mount_volume(char *text)
{
	struct volume v = {0};
	u32 flags;
	int err;

	err = parse(text, &v);
	if (err || strlen(v.tag) > TAG_MAX)
		panic("volume %s: expected TAG:DST[:OPTION,...]", text);
	flags = MS_NODEV | MS_RELATIME | (v.read_only ? MS_RDONLY : 0);
	if (v.file) {
		err = mount_file(&v, flags);
	} else {
		err = vfs_make_path(v.dst, true);
		if (!err)
			err = vfs_mount(v.tag, v.dst, "9p", flags, v.options);
	}
	if (err)
		panic("volume %s: cannot be mounted on %s: error %d%s", v.tag, v.dst, -err,
		      err == -ENOENT  ? " (no such device?)"
		      : err == -EROFS ? " (the image is read-only and lacks it)"
				      : "");
	log_info("volume %s on %s%s", v.tag, v.dst, v.read_only ? ", read-only" : "");
}

static void from_fwcfg(const char *name)
{
	ssize_t size = fwcfg_size(name);
	char *text;

	if (size <= 0)
		return;
	text = size <= (ssize_t)TEXT_MAX ? kzalloc((size_t)size + 1) : NULL;
	if (!text || fwcfg_read(name, text, (size_t)size, 0) != size)
		panic("volumes: cannot read %s", name);
	for (ssize_t at = 0, len; at < size; at += len) {
		len = (ssize_t)strlen(text + at) + 1;
		mount_volume(text + at);
	}
	kfree(text);
}

void mount_volumes(void)
{
	const char *word;

	from_fwcfg("opt/org.cortado/volumes");
	for (unsigned n = 0; (word = cmdline_get_nth("volume", n)); n++) {
		char *text = kstrdup(word);

		if (!text)
			panic("volume %s: no memory", word);
		mount_volume(text);
		kfree(text);
	}
}
