/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic BPF: an accumulator, an index register, sixteen words of scratch memory and forward jumps only, so
 * that every program ends. A program is checked once, when it is installed (kernel/lib/bpf.c); running it
 * needs no checks but those of its data and of a division by X. What the data are is the user's business:
 * seccomp's call (kernel/proc/seccomp_bpf.c), a packet (net/core/filter.c). */
#pragma once

#include "base/types.h"
#include <linux/filter.h>

/* Is this a program that ends, uses scratch memory only after setting it, and never divides by a constant
 * zero? ALLOWED decides about what not every machine has: loads from the data (ABS, IND, MSH) and remainders.
 * 0, -EINVAL, -ENOMEM. LEN is 1 to BPF_MAXINSNS. */
int bpf_check(const struct sock_filter *insns, unsigned len, bool (*allowed)(const struct sock_filter *));

static inline u32 bpf_alu(u16 op, u32 a, u32 b)
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
	case BPF_MOD:
		return a % b;
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

static inline bool bpf_compare(u16 op, u32 a, u32 b)
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

/* What a checked program returns for DATA, of LEN bytes. LOAD, known where this is expanded, does the loads
 * from the data; false ends the program with 0. */
static __always_inline u32 bpf_run(const struct sock_filter *i, const void *data, u32 len,
				   bool (*load)(const void *data, const struct sock_filter *i, u32 *a,
						u32 *x))
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (;; i++) {
		u32 operand = i->code & BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		case BPF_LD:
		case BPF_LDX: {
			u32 *to = BPF_CLASS(i->code) == BPF_LD ? &a : &x;

			if (BPF_MODE(i->code) == BPF_IMM)
				*to = i->k;
			else if (BPF_MODE(i->code) == BPF_MEM)
				*to = mem[i->k];
			else if (BPF_MODE(i->code) == BPF_LEN)
				*to = len;
			else if (!load(data, i, &a, &x))
				return 0;
			break;
		}
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_STX:
			mem[i->k] = x;
			break;
		case BPF_ALU:
			if ((BPF_OP(i->code) == BPF_DIV || BPF_OP(i->code) == BPF_MOD) && !operand)
				return 0;
			a = bpf_alu(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				i += i->k;
			else
				i += bpf_compare(BPF_OP(i->code), a, operand) ? i->jt : i->jf;
			break;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}
