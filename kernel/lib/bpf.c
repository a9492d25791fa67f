// SPDX-License-Identifier: BSD-2-Clause
/* Checking classic BPF programs: see base/bpf.h. */
#include "base/bpf.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"

static bool code_known(u16 code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_NEG:
	case BPF_JMP | BPF_JA:
		return true;
	}
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JSET:
		return true;
	}
	return false;
}

/* Something that only some machines have? */
static bool code_special(u16 code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_ALU | BPF_MOD | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_X:
		return true;
	}
	return false;
}

/* One instruction, of which LEFT follow. */
static bool instruction_good(const struct sock_filter *i, unsigned left,
			     bool (*allowed)(const struct sock_filter *))
{
	if (i->code > 0xff || !(code_special(i->code) ? allowed(i) : code_known(i->code)))
		return false;
	switch (i->code) {
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return i->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	case BPF_JMP | BPF_JA:
		return i->k < left;
	}
	return BPF_CLASS(i->code) != BPF_JMP || (i->jt < left && i->jf < left);
}

/* Is scratch memory stored to, on every way that leads there, before it is loaded? VALID: for each
 * instruction, the words known to be set. */
static bool memory_set_first(const struct sock_filter *insns, unsigned len, u16 *valid)
{
	u16 now = 0;

	memset(valid, 0xff, len * sizeof(*valid));
	for (unsigned pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &insns[pc];

		now &= valid[pc];
		switch (i->code) {
		case BPF_ST:
		case BPF_STX:
			now |= (u16)(1u << i->k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(now & 1u << i->k))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			valid[pc + 1 + i->k] &= now;
			now = 0xffff;
			break;
		default:
			if (BPF_CLASS(i->code) != BPF_JMP)
				break;
			valid[pc + 1 + i->jt] &= now;
			valid[pc + 1 + i->jf] &= now;
			now = 0xffff;
		}
	}
	return true;
}

int bpf_check(const struct sock_filter *insns, unsigned len, bool (*allowed)(const struct sock_filter *))
{
	u16 *valid;
	int err;

	for (unsigned pc = 0; pc < len; pc++)
		if (!instruction_good(&insns[pc], len - pc - 1, allowed))
			return -EINVAL;
	if (BPF_CLASS(insns[len - 1].code) != BPF_RET)
		return -EINVAL;
	valid = kmalloc(len * sizeof(*valid));
	if (!valid)
		return -ENOMEM;
	err = memory_set_first(insns, len, valid) ? 0 : -EINVAL;
	kfree(valid);
	return err;
}
