// SPDX-License-Identifier: BSD-2-Clause
// Calls of fuzz_calls.c whose arguments are nearly right: random ones alone seldom come far in calls that
// take structures. Included there, behind rnd(), below(), number(), pointer(), fds and arena.
#pragma once

#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/ptrace.h>

// VALUE, or now and then something else.
static uint64_t mostly(uint64_t value)
{
	switch (below(12)) {
	case 0:
		return number();
	case 1:
		return pointer();
	default:
		return value;
	}
}

static int any_fd(void)
{
	return (int)mostly((uint64_t)fds[below(12)]);
}

// Room in the arena for SIZE bytes, at any alignment of 8.
static void *room(size_t size)
{
	return arena + (below(ARENA - size) & ~7ull);
}

static uint64_t shape_aio(void)
{
	static uint64_t contexts[4];
	uint64_t *c = &contexts[below(4)];
	struct iocb **list = room(4 * sizeof *list);

	switch (below(6)) {
	case 0:
		return (uint64_t)syscall(SYS_io_setup, mostly(below(100)), c);
	case 1:
		return (uint64_t)syscall(SYS_io_destroy, mostly(*c));
	case 2:
		return (uint64_t)syscall(
			SYS_io_getevents, mostly(*c), mostly(below(2)), mostly(below(8)), room(256),
			below(2) ? mostly(0) : (uint64_t) & (struct timespec){0, (long)number()});
	case 3:
		return (uint64_t)syscall(SYS_io_cancel, mostly(*c), mostly((uint64_t)room(64)), room(32));
	}
	for (int i = 0; i < 4; i++) {
		struct iocb *q = room(sizeof *q);

		*q = (struct iocb){.aio_lio_opcode = (uint16_t)mostly(below(9)),
				   .aio_fildes = (uint32_t)any_fd(),
				   .aio_buf = mostly((uint64_t)room(4096)),
				   .aio_nbytes = mostly(below(4096)),
				   .aio_offset = (int64_t)mostly(below(9999)),
				   .aio_flags = (uint32_t)mostly(below(3)),
				   .aio_resfd = (uint32_t)any_fd(),
				   .aio_rw_flags = (int)mostly(0)};
		list[i] = (struct iocb *)mostly((uint64_t)q);
	}
	return (uint64_t)syscall(SYS_io_submit, mostly(*c), mostly(4), list);
}

// Lets everything pass in the end, or the child would soon be deaf: RET ALLOW, and LOG for variety.
static uint64_t shape_seccomp(void)
{
	unsigned n = 1 + (unsigned)below(20);
	struct sock_filter *code = room(n * sizeof *code);
	struct sock_fprog prog = {(uint16_t)mostly(n), (void *)mostly((uint64_t)code)};

	for (unsigned i = 0; i < n; i++)
		code[i] =
			(struct sock_filter){(uint16_t)(below(4) ? below(0xb8) : number()), (uint8_t)below(n),
					     (uint8_t)below(n), (uint32_t)mostly(below(64))};
	for (unsigned i = 0; i < n; i++)
		if ((code[i].code & 7) == BPF_RET)
			code[i] = (struct sock_filter){BPF_RET | BPF_K, 0, 0,
						       below(2) ? SECCOMP_RET_ALLOW : SECCOMP_RET_LOG};
	code[n - 1] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (uint64_t)syscall(SYS_seccomp, below(8) ? SECCOMP_SET_MODE_FILTER : 2 + below(6),
				 mostly(below(32)), &prog);
}

static uint64_t shape_pipe(void)
{
	struct iovec *v = room(3 * sizeof *v);
	int64_t *at = room(2 * sizeof *at);
	unsigned flags = (unsigned)mostly(SPLICE_F_NONBLOCK | below(16));

	at[0] = (int64_t)mostly(below(9000)), at[1] = (int64_t)mostly(below(9000));
	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){(void *)mostly((uint64_t)room(4096)), mostly(below(9000))};
	switch (below(5)) {
	case 0:
		return (uint64_t)syscall(SYS_splice, any_fd(), below(2) ? &at[0] : NULL, any_fd(),
					 below(2) ? &at[1] : NULL, mostly(below(9000)), flags);
	case 1:
		return (uint64_t)syscall(SYS_tee, any_fd(), any_fd(), mostly(below(9000)), flags);
	case 2:
		return (uint64_t)syscall(SYS_vmsplice, any_fd(), v, mostly(below(4)), flags);
	case 3:
		return (uint64_t)syscall(SYS_sendfile, any_fd(), any_fd(), below(2) ? &at[0] : NULL,
					 mostly(below(9000)));
	default:
		return (uint64_t)syscall(SYS_fcntl, any_fd(), F_SETPIPE_SZ, mostly(1ull << below(21)));
	}
}

static uint64_t shape_fcntl(void)
{
	static const int commands[] = {F_SETLEASE,  F_GETLEASE,	 F_NOTIFY, F_SETOWN, F_SETSIG,
				       F_SETOWN_EX, F_OFD_SETLK, F_SETLK,  F_SETFL,  F_ADD_SEALS};
	struct flock *l = room(sizeof *l);
	int cmd = commands[below(sizeof commands / sizeof *commands)];

	*l = (struct flock){.l_type = (short)mostly(below(3)),
			    .l_start = (off_t)mostly(below(99)),
			    .l_len = (off_t)mostly(below(99)),
			    .l_whence = (short)below(3)};
	return (uint64_t)syscall(SYS_fcntl, any_fd(), cmd,
				 cmd == F_OFD_SETLK || cmd == F_SETLK || cmd == F_SETOWN_EX
					 ? mostly((uint64_t)l)
				 : cmd == F_SETOWN ? 0
				 : cmd == F_SETSIG ? below(2) * SIGALRM
						   : mostly(below(32)));
}

static uint64_t shape_diag(void)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 q;
		struct nlattr a;
		uint8_t code[64];
	} *m = room(sizeof *m);
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, below(4) ? NETLINK_SOCK_DIAG : NETLINK_ROUTE);
	uint64_t r;

	m->h = (struct nlmsghdr){(uint32_t)mostly(below(2) ? sizeof m->h + sizeof m->q : sizeof *m),
				 (uint16_t)mostly(below(3) ? SOCK_DIAG_BY_FAMILY : 16 + below(90)),
				 (uint16_t)mostly(NLM_F_REQUEST | (below(2) ? NLM_F_DUMP : 0)), 1, 0};
	m->q.sdiag_family = (uint8_t)mostly(below(2) ? AF_INET : below(2) ? AF_UNIX : AF_INET6);
	m->q.sdiag_protocol = (uint8_t)mostly(below(2) ? IPPROTO_TCP : IPPROTO_UDP);
	m->q.idiag_states = ~0u;
	m->a = (struct nlattr){(uint16_t)mostly(sizeof m->a + sizeof m->code), INET_DIAG_REQ_BYTECODE};
	for (int i = 0; i < 64; i += 4)
		m->code[i] = (uint8_t)below(14), m->code[i + 1] = (uint8_t)(4 * below(8));
	r = (uint64_t)send(s, m, mostly(sizeof *m), 0);
	while (recv(s, room(2048), 2048, 0) > 0)
		;
	close(s);
	return r;
}

static uint64_t shape_socket(void)
{
	static const int protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_ICMP};
	int s = any_fd(), family = below(2) ? AF_INET : AF_INET6;
	struct sockaddr_in6 *a = room(sizeof *a);
	struct msghdr *m = room(sizeof *m);
	struct iovec *v = room(sizeof *v);

	memset(a, 0, sizeof *a);
	a->sin6_family = (sa_family_t)mostly((uint64_t)family);
	a->sin6_port = htons((uint16_t)below(70000));
	if (family == AF_INET)
		((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a->sin6_addr = in6addr_loopback;
	*v = (struct iovec){(void *)mostly((uint64_t)room(4096)), mostly(below(3000))};
	*m = (struct msghdr){a, (socklen_t)mostly(sizeof *a), v, mostly(1), room(128), mostly(below(128)), 0};
	switch (below(6)) {
	case 0:
		return (uint64_t)syscall(SYS_socket, family, mostly(1 + below(3)) | SOCK_NONBLOCK,
					 protocols[below(sizeof protocols / sizeof *protocols)]);
	case 1:
		return (uint64_t)syscall(SYS_bind, s, a, mostly(sizeof *a));
	case 2:
		return (uint64_t)syscall(SYS_connect, s, a, mostly(sizeof *a));
	case 3:
		return (uint64_t)syscall(SYS_sendmsg, s, m, mostly(MSG_DONTWAIT));
	case 4:
		return (uint64_t)syscall(SYS_recvmsg, s, m, mostly(MSG_DONTWAIT));
	default:
		return (uint64_t)syscall(SYS_setsockopt, s, mostly(below(2) ? IPPROTO_UDPLITE : below(60)),
					 mostly(below(60)), room(64), mostly(4));
	}
}

static uint64_t shape_mremap(void)
{
	size_t n = (1 + below(16)) * 4096;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, (below(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS,
		       -1, 0);
	char *to = mmap(NULL, 4 * n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t r;

	if (p == MAP_FAILED || to == MAP_FAILED)
		return 0;
	p[below(n)] = 1;
	r = (uint64_t)syscall(SYS_mremap, mostly((uint64_t)p + below(2) * 4096), mostly(n),
			      mostly((below(32) + 1) * 4096), mostly(below(8)),
			      mostly((uint64_t)to + below(4) * 4096));
	if (r < ~4095ull && r != (uint64_t)p)
		munmap((void *)(r & ~4095ull), n);
	munmap(to, 4 * n);
	munmap(p, n);
	return r;
}

static uint64_t shape_mq(void)
{
	static int q = -1;
	struct mq_attr *a = room(sizeof *a);
	struct sigevent *e = room(sizeof *e);
	struct timespec now = {0, 0};

	*a = (struct mq_attr){.mq_flags = (long)mostly(O_NONBLOCK),
			      .mq_maxmsg = (long)mostly(below(12)),
			      .mq_msgsize = (long)mostly(below(9000))};
	*e = (struct sigevent){.sigev_notify = (int)mostly(below(3)), .sigev_signo = SIGALRM};
	switch (below(6)) {
	case 0:
		if (q >= 0)
			close(q);
		q = (int)syscall(SYS_mq_open, "fuzz", mostly(O_CREAT | O_RDWR | O_NONBLOCK), 0600, a);
		return (uint64_t)q;
	case 1:
		return (uint64_t)syscall(SYS_mq_timedsend, mostly((uint64_t)q), room(4096),
					 mostly(below(4096)), mostly(below(40000)), &now);
	case 2:
		return (uint64_t)syscall(SYS_mq_timedreceive, mostly((uint64_t)q), room(8192), mostly(8192),
					 room(8), &now);
	case 3:
		return (uint64_t)syscall(SYS_mq_notify, mostly((uint64_t)q), below(3) ? e : NULL);
	case 4:
		return (uint64_t)syscall(SYS_mq_getsetattr, mostly((uint64_t)q), a, room(64));
	default:
		return (uint64_t)syscall(SYS_mq_unlink, "fuzz");
	}
}

static uint64_t shape_futex(void)
{
	uint32_t *a = room(4), *b = room(4), tid = (uint32_t)syscall(SYS_gettid);
	struct futex_waitv *v = room(3 * sizeof *v);
	struct timespec soon = {0, 1000};

	*a = (uint32_t)mostly(below(3) ? 0 : tid | (uint32_t)below(4) << 30);
	*b = (uint32_t)mostly(below(3) ? 0 : tid);
	if (!below(5)) {
		for (int i = 0; i < 3; i++)
			v[i] = (struct futex_waitv){mostly(*a), mostly((uint64_t)(below(2) ? a : b)),
						    (uint32_t)mostly(2 | below(2) * 128), 0};
		return (uint64_t)syscall(449, v, mostly(1 + below(3)), 0, &soon, below(2));
	}
	return (uint64_t)syscall(SYS_futex, a, mostly(below(14) | below(2) * 128 | below(2) * 256),
				 mostly(*a), below(2) ? (uint64_t)&soon : below(4), b, mostly(*a));
}

static int fuzz_status;

// The alarm interrupts: not for ever, since what was done before may keep the child from stopping.
static pid_t wait_for(pid_t pid)
{
	pid_t got;

	for (int i = 0; i < 50; i++) {
		got = waitpid(pid, &fuzz_status, WUNTRACED);
		if (got >= 0 || errno != EINTR)
			return got;
	}
	return 0;
}

static uint64_t shape_ptrace(void)
{
	struct iovec v = {room(4096), mostly(below(4096))};
	pid_t pid = (pid_t)syscall(SYS_fork);
	uint64_t r = 0;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		syscall(SYS_getppid);
		_exit(0);
	}
	if (pid < 0)
		return 0;
	if (wait_for(pid) == pid && WIFSTOPPED(fuzz_status))
		for (int i = 0; i < 6; i++) {
			uint64_t request = below(4) ? 1 + below(33) : 0x4200 + below(0x10);

			if (request == PTRACE_CONT || request == PTRACE_SYSCALL || request == PTRACE_DETACH ||
			    request == 32 || request == PTRACE_SINGLESTEP)
				break; // it runs: no more to ask
			r = (uint64_t)syscall(SYS_ptrace, request, pid,
					      mostly(below(2) ? below(0x203) : (uint64_t)arena),
					      below(2) ? (uint64_t)&v : mostly((uint64_t)room(2048)));
		}
	kill(pid, SIGKILL);
	wait_for(pid);
	return r;
}

static uint64_t (*const shapes[])(void) = {shape_aio,	shape_seccomp, shape_pipe,   shape_fcntl,
					   shape_diag,	shape_socket,  shape_mremap, shape_mq,
					   shape_futex, shape_ptrace};
