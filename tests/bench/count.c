// SPDX-License-Identifier: BSD-2-Clause
// A plugin for QEMU's TCG that counts guest instructions between marks: kernel.c says what a mark looks like.
// With entry=ADDRESS it also counts from the first instruction executed there, the kernel's entry. Writes to
// the file out= "boot N" (entry to mark 0) and "ROW N". With profile=PREFIX each row's counts by block go to
// PREFIX.ROW: "address instructions". A block that faults half-way counts as a whole.
//
// Source of the interface: QEMU's documentation, devel/tcg-plugins, version 1; declared here since no package
// has it.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_BASE 0xc0a7ad00u
#define MARK_SIZE 7
#define CPUS_MAX  64
#define SLOTS	  (1u << 18) // blocks that are profiled; more than that fall on one another

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef void (*tb_trans_cb)(plugin_id, struct qemu_plugin_tb *);
typedef void (*exec_cb)(unsigned vcpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, tb_trans_cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, exec_cb, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_cb, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

struct cpu {
	uint64_t count;
} __attribute__((aligned(64)));

// A translated block: one for each address and length.
struct block {
	uint64_t address, size;
	uint64_t executed; // while a row runs; CPUs may lose a few of each other's
};

static struct cpu cpus[CPUS_MAX];
static struct block blocks[SLOTS];
static uint64_t entry, at_entry, at_row;
static int running; // a row
static const char *profile;
static FILE *out;

static uint64_t total(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < CPUS_MAX; i++)
		sum += cpus[i].count;
	return sum;
}

static void block_executed(unsigned vcpu, void *data)
{
	struct block *b = data;

	cpus[vcpu % CPUS_MAX].count += b->size;
	if (running)
		b->executed++;
}

static void entered(unsigned vcpu, void *data)
{
	if (!at_entry)
		at_entry = total();
}

static void write_profile(unsigned row)
{
	char name[256];
	FILE *f;

	snprintf(name, sizeof(name), "%s.%u", profile, row);
	f = fopen(name, "w");
	for (unsigned i = 0; i < SLOTS; i++) {
		if (f && blocks[i].executed)
			fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", blocks[i].address, blocks[i].size,
				blocks[i].executed);
		blocks[i].executed = 0;
	}
	if (f)
		fclose(f);
}

static void marked(unsigned vcpu, void *data)
{
	unsigned n = (unsigned)(uintptr_t)data;

	if (!n) {
		if (at_entry)
			fprintf(out, "boot %" PRIu64 "\n", total() - at_entry);
	} else if (n % 2) {
		at_row = total();
		running = 1;
	} else {
		running = 0;
		fprintf(out, "%u %" PRIu64 "\n", n / 2 - 1, total() - at_row);
		if (profile)
			write_profile(n / 2 - 1);
	}
	fflush(out);
}

static struct block *find_block(uint64_t address, uint64_t size)
{
	uint32_t i = (uint32_t)((address ^ size << 48) * 0x9e3779b97f4a7c15ull >> 46);

	for (unsigned tries = 0; tries < 64; tries++, i = (i + 1) % SLOTS) {
		if (blocks[i].address == address && blocks[i].size == size)
			return &blocks[i];
		if (!blocks[i].size)
			break;
	}
	blocks[i] = (struct block){.address = address, .size = size};
	return &blocks[i];
}

// Translation is serialised by QEMU.
static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_executed, 0, find_block(qemu_plugin_tb_vaddr(tb), n));
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		uint32_t number;

		if (entry && qemu_plugin_insn_vaddr(insn) == entry)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, entered, 0, NULL);
		if (qemu_plugin_insn_size(insn) != MARK_SIZE || code[0] != 0x0f || code[1] != 0x1f ||
		    code[2] != 0x80)
			continue;
		memcpy(&number, code + 3, sizeof(number));
		if (number - MARK_BASE < 256)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, 0,
							       (void *)(uintptr_t)(number - MARK_BASE));
	}
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc,
							       char **argv)
{
	out = stderr;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "entry=", 6))
			entry = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "profile=", 8))
			profile = strdup(argv[i] + 8);
		else
			return -1;
	}
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
