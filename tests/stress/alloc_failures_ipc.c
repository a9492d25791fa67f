// SPDX-License-Identifier: BSD-2-Clause
// Failing allocations (alloc_sweep.h) in asynchronous I/O, filters, leases, splicing, diagnosis of sockets,
// UDP-Lite, debugging, message queues and futexes.
#include "alloc_sweep.h"
#include <arpa/inet.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

// ---- asynchronous I/O

OP(io_setup)
{
	aio_context_t c = 0;
	long r = SYS(io_setup, 20, &c);

	if (c)
		syscall(SYS_io_destroy, c);
	return r;
}

// Submit N requests and take what they gave.
static long submit(struct iocb **list, long n)
{
	struct io_event events[4];
	aio_context_t c = 0;
	long r;

	if (syscall(SYS_io_setup, 8, &c))
		return -ENOMEM;
	r = SYS(io_submit, c, n, list);
	if (r > 0)
		syscall(SYS_io_getevents, c, r, 4, events, NULL);
	syscall(SYS_io_destroy, c);
	return r;
}

OP(io_submit)
{
	char in[100], part[2][50];
	struct iovec v[2] = {{part[0], 50}, {part[1], 50}};
	struct iocb one = {.aio_lio_opcode = IOCB_CMD_PREAD,
			   .aio_fildes = (uint32_t)scratch,
			   .aio_buf = (uint64_t)in,
			   .aio_nbytes = sizeof in},
		    two = {.aio_lio_opcode = IOCB_CMD_PREADV,
			   .aio_fildes = (uint32_t)scratch,
			   .aio_buf = (uint64_t)v,
			   .aio_nbytes = 2};

	return submit((struct iocb *[]){&one, &two}, 2);
}

OP(io_submit_notify)
{
	int e = eventfd(0, 0);
	struct iocb q = {.aio_lio_opcode = IOCB_CMD_FSYNC,
			 .aio_fildes = (uint32_t)scratch,
			 .aio_flags = IOCB_FLAG_RESFD,
			 .aio_resfd = (uint32_t)e};
	long r = submit((struct iocb *[]){&q}, 1);

	close(e);
	return r;
}

OP(io_submit_poll)
{
	int e = eventfd(0, 0);
	struct iocb q = {
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)e, .aio_buf = 1 /* POLLIN */};
	aio_context_t c = 0;
	long r = -ENOMEM;

	if (!syscall(SYS_io_setup, 8, &c)) {
		r = SYS(io_submit, c, 1, (struct iocb *[]){&q});
		syscall(SYS_io_destroy, c); // cancels it
	}
	close(e);
	return r;
}

// ---- filters and debuggers

static long in_child(long (*run)(void))
{
	pid_t pid = fork();

	if (!pid) {
		long r = run();

		_exit(r == -ENOMEM ? 201 : r < 0 ? (int)-r : hit() ? 201 : 202);
	}
	return -reap(pid);
}

static long install_filter(void)
{
	struct sock_filter code[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
				     {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog prog = {2, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

OP(seccomp_filter)
{
	return in_child(install_filter);
}

static long install_listener(void)
{
	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog prog = {1, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
}

OP(seccomp_listener)
{
	long r = in_child(install_listener);

	return r == -EINVAL ? 0 : r; // no such flag here
}

// A stopped child, to be let go by end_of().
static pid_t tracee(void)
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return pid;
}

static void end_of(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

OP(ptrace_registers)
{
	pid_t pid = tracee();
	struct user_regs_struct regs;
	struct iovec v = {&regs, sizeof regs};
	long r = SYS(ptrace, PTRACE_GETREGSET, pid, 1 /* NT_PRSTATUS */, &v);

	end_of(pid);
	return r;
}

OP(ptrace_vectors)
{
	static char area[4096] __attribute__((aligned(64)));
	pid_t pid = tracee();
	struct iovec v = {area, sizeof area};
	long r = ptrace(PTRACE_GETREGSET, pid, 0x202 /* NT_X86_XSTATE */, &v) ? -ENODEV : 0;

	if (!r)
		r = SYS(ptrace, PTRACE_SETREGSET, pid, 0x202, &v);
	end_of(pid);
	return r == -EINVAL || r == -ENODEV ? 0 : r;
}

OP(ptrace_poke)
{
	static long word;
	pid_t pid = tracee();
	long r = SYS(ptrace, PTRACE_POKEDATA, pid, &word, 5);

	end_of(pid);
	return r == -EIO ? -ENOMEM : r;
}

OP(ptrace_seize)
{
	pid_t pid = fork();
	long r;

	if (!pid) {
		pause();
		_exit(0);
	}
	r = SYS(ptrace, PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT);
	end_of(pid);
	return r;
}

// ---- pipes and leases

OP(tee)
{
	int a[2], b[2];
	long r;

	pipe(a), pipe(b);
	write(a[1], "some text", 9);
	r = SYS(tee, a[0], b[1], 9, 0);
	close(a[0]), close(a[1]), close(b[0]), close(b[1]);
	return r;
}

OP(vmsplice)
{
	static char page[2 * PAGE] = {1};
	struct iovec v = {page, sizeof page};
	int p[2];
	long r;

	pipe(p);
	r = SYS(vmsplice, p[1], &v, 1, 0);
	close(p[0]), close(p[1]);
	return r;
}

OP(splice_to_file)
{
	loff_t at = 0;
	int p[2];
	long r;

	pipe(p);
	write(p[1], "some text", 9);
	r = SYS(splice, p[0], NULL, scratch, &at, 9, 0);
	close(p[0]), close(p[1]);
	return r;
}

OP(copy_file_range)
{
	loff_t from = 0, to = 4 * PAGE;

	return SYS(copy_file_range, scratch, &from, scratch, &to, PAGE, 0);
}

OP(lease)
{
	int fd = open("/tmp/af/file", O_RDONLY);
	long r;

	close(scratch); // a read lease wants no writer
	r = SYS(fcntl, fd, F_SETLEASE, F_RDLCK);
	close(fd);
	scratch = open("/tmp/af/file", O_RDWR);
	return r;
}

OP(dnotify)
{
	int fd = open("/tmp/af", O_RDONLY | O_DIRECTORY);
	long r = SYS(fcntl, fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT);

	close(fd);
	return r;
}

OP(sigio_owner)
{
	int p[2];
	long r;

	pipe(p);
	r = SYS(fcntl, p[0], F_SETOWN, getpid());
	if (!r)
		r = SYS(fcntl, p[0], F_SETFL, O_ASYNC);
	close(p[0]), close(p[1]);
	return r;
}

// ---- memory

static char *pages(size_t n)
{
	char *p = map(n * PAGE);

	memset(p, 1, n * PAGE);
	return p;
}

OP(mremap_dontunmap)
{
	char *p = pages(4);
	long r = SYS(mremap, p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | 4 /* DONTUNMAP */, NULL);

	if (r > 0)
		munmap((void *)r, 4 * PAGE);
	munmap(p, 4 * PAGE);
	return r;
}

OP(mremap_fixed)
{
	char *p = pages(4), *to = map(9 * PAGE);
	long r = SYS(mremap, p + PAGE, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE);

	munmap(p, 4 * PAGE);
	munmap(to, 9 * PAGE);
	return r;
}

OP(mremap_grow)
{
	char *p = map(9 * PAGE);
	long r;

	munmap(p + 4 * PAGE, 5 * PAGE);
	r = SYS(mremap, p, 4 * PAGE, 6 * PAGE, 0);
	munmap(p, 9 * PAGE);
	return r;
}

// ---- sockets

// Send a question and take the answer; the first or the second may fail.
static long ask_diag(int family, int protocol, bool fail_second)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 q;
	} m = {{sizeof m, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
	       {.sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol, .idiag_states = ~0u}};
	char answer[8192];
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	long r;

	if (fail_second) {
		send(s, &m, sizeof m, 0);
		r = SYS(recvfrom, s, answer, sizeof answer, MSG_DONTWAIT, NULL, NULL);
	} else {
		r = SYS(sendto, s, &m, sizeof m, 0, NULL, 0);
	}
	close(s);
	return r;
}

OP(sock_diag_ask)
{
	return ask_diag(AF_INET, IPPROTO_TCP, false);
}

OP(sock_diag_answer)
{
	return ask_diag(AF_INET, IPPROTO_TCP, true);
}

OP(sock_diag_unix)
{
	return ask_diag(AF_UNIX, 0, true);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

OP(udplite_socket)
{
	return close_if(SYS(socket, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
}

OP(udplite_send)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof a;
	int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	char text[300] = "x";
	long r;

	bind(s, (void *)&a, sizeof a);
	getsockname(s, (void *)&a, &len);
	r = SYS(sendto, s, text, sizeof text, 0, &a, sizeof a);
	if (r > 0)
		recv(s, text, sizeof text, MSG_DONTWAIT);
	close(s);
	return r;
}

// ---- queues and futexes

static int queue(void)
{
	struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 2000};
	int q = (int)syscall(SYS_mq_open, "afq", O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);

	syscall(SYS_mq_unlink, "afq");
	return q;
}

OP(mq_timedsend)
{
	char text[2000] = "x";
	int q = queue();
	long r = SYS(mq_timedsend, q, text, sizeof text, 3, NULL);

	close(q);
	return r;
}

OP(mq_notify)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	int q = queue();
	long r = SYS(mq_notify, q, &ev);

	close(q);
	return r;
}

OP(futex_waitv)
{
	static uint32_t words[2];
	struct futex_waitv v[2] = {{0, (uint64_t)&words[0], FUTEX_32 | FUTEX_PRIVATE_FLAG, 0},
				   {1, (uint64_t)&words[1], FUTEX_32 | FUTEX_PRIVATE_FLAG, 0}};

	return TRY(syscall(SYS_futex_waitv, v, 2, 0, NULL, 0));
}

OP(futex_requeue_pi)
{
	static uint32_t words[2];

	return SYS(futex, &words[0], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &words[1], 0);
}
