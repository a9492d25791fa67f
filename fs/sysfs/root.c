// SPDX-License-Identifier: BSD-2-Clause
/* sysfs: the top of the tree. Devices that Linux reaches through class links are directories in their class
 * here. */
#include "kernel/init.h"
#include "sysfs.h"

#define SYSFS_MAGIC 0x62656572

bool sysfs_numbered(const char *name, size_t len, const char *prefix, u64 *n)
{
	size_t skip = strlen(prefix);

	if (len <= skip || len > skip + 9 || strncmp(name, prefix, skip) ||
	    (name[skip] == '0' && len > skip + 1))
		return false;
	*n = 0;
	for (size_t i = skip; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		*n = *n * 10 + (u64)(name[i] - '0');
	}
	return true;
}

const struct pseudo_dir sysfs_empty;

static const struct pseudo_entry class_entries[] = {
	DIR("net", &sysfs_net),	      DIR("block", &sysfs_block),
	DIR("hwmon", &sysfs_empty),   DIR("power_supply", &sysfs_empty),
	DIR("thermal", &sysfs_empty), {0}};
static const struct pseudo_dir class_dir = {.entries = class_entries};

static const struct pseudo_entry system_entries[] = {DIR("cpu", &sysfs_cpu), DIR("node", &sysfs_node), {0}};
static const struct pseudo_dir system_dir = {.entries = system_entries};
static const struct pseudo_entry virtual_entries[] = {DIR("net", &sysfs_net), {0}};
static const struct pseudo_dir virtual_dir = {.entries = virtual_entries};
static const struct pseudo_entry devices_entries[] = {
	DIR("system", &system_dir), DIR("virtual", &virtual_dir), {0}};
static const struct pseudo_dir devices_dir = {.entries = devices_entries};

static const struct pseudo_entry firmware_entries[] = {DIR("qemu_fw_cfg", &sysfs_fwcfg), {0}};
static const struct pseudo_dir firmware_dir = {.entries = firmware_entries};

static const struct pseudo_entry fs_entries[] = {DIR("cgroup", &sysfs_empty), {0}};
static const struct pseudo_dir fs_dir = {.entries = fs_entries};

static const struct pseudo_entry dev_entries[] = {
	DIR("block", &sysfs_dev_block), DIR("char", &sysfs_empty), {0}};
static const struct pseudo_dir dev_dir = {.entries = dev_entries};

static const struct pseudo_entry root_entries[] = {
	DIR("block", &sysfs_block),   DIR("bus", &sysfs_bus),
	DIR("class", &class_dir),     DIR("dev", &dev_dir),
	DIR("devices", &devices_dir), DIR("firmware", &firmware_dir),
	DIR("fs", &fs_dir),	      DIR("kernel", &sysfs_kernel),
	DIR("module", &sysfs_empty),  {0},
};
static const struct pseudo_dir root_dir = {.entries = root_entries};
static const struct pseudo_entry root = {.mode = S_IFDIR | 0555, .dir = &root_dir};

static int sysfs_init(void)
{
	static struct pseudo_fs sysfs = {
		.type.name = "sysfs",
		.magic = SYSFS_MAGIC,
		.file_size = PAGE_SIZE,
		.root = &root,
	};

	return pseudo_register(&sysfs);
}
INITCALL(sysfs_init, INIT_FS);
