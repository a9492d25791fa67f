// SPDX-License-Identifier: BSD-2-Clause
/* The machine that seccomp's filters are written for: an accumulator, an index register, sixteen words of
 * scratch memory and forward jumps only, so that every program ends. A program is checked once, when it is
 * installed; running it needs no checks but that of a division by X. */
#include "seccomp.h"
#include "base/err.h"
#include "base/string.h"
#include "kernel/alloc.h"

static bool code_known(u16 code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS:
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
	if (code > 0xff)
		return false;
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

/* One instruction, of which LEFT follow. */
static bool instruction_good(const struct sock_filter *i, unsigned left)
{
	if (!code_known(i->code))
		return false;
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct seccomp_data) && !(i->k & 3);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K:
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

int seccomp_bpf_check(const struct sock_filter *insns, unsigned len)
{
	u16 *valid;
	int err;

	for (unsigned pc = 0; pc < len; pc++)
		if (!instruction_good(&insns[pc], len - pc - 1))
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

static u32 alu(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	default:
		return -a; /* BPF_NEG */
	}
}

static bool compare(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b; /* BPF_JSET */
	}
}

u32 seccomp_bpf_run(const struct sock_filter *i, const struct seccomp_data *data)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (;; i++) {
		u32 operand = i->code & BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_ABS)
				memcpy(&a, (const char *)data + i->k, sizeof(a));
			else
				a = BPF_MODE(i->code) == BPF_MEM   ? mem[i->k]
				    : BPF_MODE(i->code) == BPF_LEN ? sizeof(*data)
								   : i->k;
			break;
		case BPF_LDX:
			x = BPF_MODE(i->code) == BPF_MEM   ? mem[i->k]
			    : BPF_MODE(i->code) == BPF_LEN ? sizeof(*data)
							   : i->k;
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_STX:
			mem[i->k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) == BPF_DIV && !operand)
				return 0;
			a = alu(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				i += i->k;
			else
				i += compare(BPF_OP(i->code), a, operand) ? i->jt : i->jf;
			break;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}
