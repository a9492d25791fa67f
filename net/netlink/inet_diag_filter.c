/* SPDX-License-Identifier: BSD-2-Clause */
/* Filter programs of socket dumps (INET_DIAG_REQ_BYTECODE): conditional jumps, forward only. Each operation
 * goes on `yes` bytes ahead when it holds and `no` bytes ahead when not; the entry passes when the end is
 * reached exactly, and fails beyond it (ss(8) compiles "no" to the end plus 4). An operand lies in the
 * operation behind: a port in its `no`, a host condition or a number as its bytes. */
#include "base/err.h"
#include "base/string.h"
#include "net/sock_diag.h"

#define OP sizeof(struct inet_diag_bc_op)

/* Bytes of the operation at OP with its operand, at most LEN; 0: unknown or cut off. */
static size_t op_size(const struct inet_diag_bc_op *op, size_t len)
{
	const struct inet_diag_hostcond *h = (const void *)(op + 1);
	size_t n = OP, addr;

	switch (op->code) {
	case INET_DIAG_BC_NOP:
	case INET_DIAG_BC_JMP:
	case INET_DIAG_BC_AUTO:
		break;
	case INET_DIAG_BC_S_GE:
	case INET_DIAG_BC_S_LE:
	case INET_DIAG_BC_S_EQ:
	case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE:
	case INET_DIAG_BC_D_EQ:
		n += OP;
		break;
	case INET_DIAG_BC_DEV_COND:
		n += sizeof(u32);
		break;
	case INET_DIAG_BC_MARK_COND:
		n += sizeof(struct inet_diag_markcond);
		break;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		n += sizeof(*h);
		if (len < n)
			return 0;
		if (h->family != AF_UNSPEC && h->family != AF_INET && h->family != AF_INET6)
			return 0;
		addr = h->family == AF_UNSPEC ? 0 : h->family == AF_INET ? 4 : 16;
		if (h->prefix_len > addr * 8)
			return 0;
		n += addr;
		break;
	default:
		return 0;
	}
	return n <= len ? n : 0;
}

/* Is there an operation at OFF, or is that the end? Programs are short: a walk each time will do. */
static bool is_target(const u8 *code, size_t len, size_t off)
{
	size_t at = 0;

	while (at < off && at < len)
		at += ((const struct inet_diag_bc_op *)(code + at))->yes;
	return at == off;
}

int inet_diag_filter_check(const void *code, size_t len)
{
	if (len < OP || len % 4)
		return -EINVAL;
	for (size_t at = 0, n; at < len; at += n) {
		const struct inet_diag_bc_op *op = (const void *)((const u8 *)code + at);

		if (len - at < OP || op->yes < OP || op->yes % 4 || op->yes > len - at ||
		    !op_size(op, len - at) || op_size(op, len - at) > op->yes)
			return -EINVAL;
		n = op->yes;
	}
	for (size_t at = 0; at < len;) {
		const struct inet_diag_bc_op *op = (const void *)((const u8 *)code + at);

		if (op->code != INET_DIAG_BC_NOP &&
		    (op->no < OP || op->no % 4 || op->no > len - at + 4 ||
		     (op->no <= len - at && !is_target(code, len, at + op->no))))
			return -EINVAL;
		at += op->yes;
	}
	return 0;
}

static bool prefix_equal(const u8 *a, const u8 *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return !(bits % 8) || !((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8));
}

static bool host_matches(const struct inet_diag_hostcond *h, const struct inet_diag_entry *e, bool source)
{
	const struct net_addr *a = source ? e->laddr : e->faddr;

	if (h->port != -1 && h->port != (source ? e->lport : e->fport))
		return false;
	if (!h->prefix_len)
		return h->family == AF_UNSPEC || h->family == e->family ||
		       (h->family == AF_INET && addr_is_v4(a));
	if (h->family == AF_INET) /* a v4-mapped address too */
		return addr_is_v4(a) &&
		       prefix_equal((const u8 *)&a->w[3], (const u8 *)h->addr, h->prefix_len);
	return e->family == AF_INET6 && prefix_equal(a->b, (const u8 *)h->addr, h->prefix_len);
}

static u16 operand(const struct inet_diag_bc_op *op)
{
	return op[1].no;
}

static bool op_holds(const struct inet_diag_bc_op *op, const struct inet_diag_entry *e)
{
	const struct inet_diag_markcond *mark = (const void *)(op + 1);

	switch (op->code) {
	case INET_DIAG_BC_JMP:
		return false;
	case INET_DIAG_BC_S_EQ:
		return e->lport == operand(op);
	case INET_DIAG_BC_S_GE:
		return e->lport >= operand(op);
	case INET_DIAG_BC_S_LE:
		return e->lport <= operand(op);
	case INET_DIAG_BC_D_EQ:
		return e->fport == operand(op);
	case INET_DIAG_BC_D_GE:
		return e->fport >= operand(op);
	case INET_DIAG_BC_D_LE:
		return e->fport <= operand(op);
	case INET_DIAG_BC_AUTO:
		return !e->bound_port;
	case INET_DIAG_BC_S_COND:
	case INET_DIAG_BC_D_COND:
		return host_matches((const void *)(op + 1), e, op->code == INET_DIAG_BC_S_COND);
	case INET_DIAG_BC_DEV_COND:
		return e->bound_if == *(const u32 *)(op + 1);
	case INET_DIAG_BC_MARK_COND:
		return (e->mark & mark->mask) == mark->mark;
	}
	return true;
}

bool inet_diag_filter_run(const void *code, size_t len, const struct inet_diag_entry *e)
{
	size_t at = 0;

	while (at < len) {
		const struct inet_diag_bc_op *op = (const void *)((const u8 *)code + at);

		at += op_holds(op, e) ? op->yes : op->no;
	}
	return at == len;
}
