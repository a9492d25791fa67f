// SPDX-License-Identifier: BSD-2-Clause
// Failing allocations (alloc_sweep.h) in memory, socket, process and queue calls.
#include "alloc_sweep.h"
#include <arpa/inet.h>
#include <grp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

// ---- memory

OP(mmap)
{
	char *p = map(64 * PAGE); // a neighbour that it cannot extend
	long r;

	mprotect(p, 64 * PAGE, PROT_NONE);
	r = SYS(mmap, p + 16 * PAGE, 16 * PAGE, RW, ANON | MAP_FIXED | MAP_POPULATE, -1, 0);
	munmap(p, 64 * PAGE);
	return r;
}

OP(mmap_file)
{
	long r = SYS(mmap, NULL, 4 * PAGE, RW, MAP_SHARED, scratch, 0);

	if (r > 0)
		munmap((void *)r, 4 * PAGE);
	return r;
}

OP(mmap_shared)
{
	long r = SYS(mmap, NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (r > 0)
		munmap((void *)r, 4 * PAGE);
	return r;
}

OP(munmap_middle)
{
	char *p = map(9 * PAGE);
	long r;

	memset(p, 1, 9 * PAGE);
	r = SYS(munmap, p + 3 * PAGE, 3 * PAGE);
	munmap(p, 9 * PAGE);
	return r;
}

OP(mprotect_middle)
{
	char *p = map(9 * PAGE);
	long r;

	memset(p, 1, 9 * PAGE);
	r = SYS(mprotect, p + 3 * PAGE, 3 * PAGE, PROT_READ);
	munmap(p, 9 * PAGE);
	return r;
}

OP(mprotect_huge_part)
{
	char *p = map(6ul << 20), *a = (char *)(((uintptr_t)p + (2 << 20)) & ~((2ul << 20) - 1));
	long r;

	madvise(a, 2 << 20, MADV_HUGEPAGE);
	*a = 1;
	r = SYS(mprotect, a + PAGE, PAGE, PROT_READ);
	munmap(p, 6ul << 20);
	return r;
}

OP(mremap_move)
{
	char *p = map(8 * PAGE),
	     *wall = mmap(p + 8 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	long r;

	memset(p, 1, 8 * PAGE);
	r = SYS(mremap, p, 8 * PAGE, 700 * PAGE, MREMAP_MAYMOVE);
	if (r > 0)
		munmap((void *)r, 700 * PAGE);
	else
		munmap(p, 8 * PAGE);
	if (wall != MAP_FAILED)
		munmap(wall, PAGE);
	return r;
}

OP(madvise_split)
{
	char *p = map(9 * PAGE);
	long r = SYS(madvise, p + PAGE, PAGE, MADV_DONTFORK);

	munmap(p, 9 * PAGE);
	return r == -EAGAIN ? -ENOMEM : r;
}

OP(mlock)
{
	char *p = map(9 * PAGE);
	long r = SYS(mlock, p + PAGE, 4 * PAGE);

	munmap(p, 9 * PAGE);
	return r;
}

OP(mbind)
{
	char *p = map(9 * PAGE);
	unsigned long node = 1;
	long r = SYS(mbind, p + PAGE, PAGE, 2, &node, 8, 0);

	munmap(p, 9 * PAGE);
	return r;
}

OP(copy_to_untouched)
{
	char *p = map(4 * PAGE);
	long r = SYS(getrandom, p, 4 * PAGE, 0);

	munmap(p, 4 * PAGE);
	return r;
}

OP(brk)
{
	char *now = sbrk(0);
	long r;

	arm();
	r = syscall(SYS_brk, now + (1 << 20));
	syscall(SYS_brk, now);
	return r;
}

OP(process_vm_readv)
{
	char from[100], to[100];
	struct iovec a[40], b[40];

	for (int i = 0; i < 40; i++) {
		a[i] = (struct iovec){to, 100};
		b[i] = (struct iovec){from, 100};
	}
	return SYS(process_vm_readv, getpid(), a, 40, b, 40, 0);
}

// ---- sockets

OP(socketpair)
{
	int s[2] = {-1, -1};
	long r = SYS(socketpair, AF_UNIX, SOCK_STREAM, 0, s);

	close(s[0]), close(s[1]);
	return r;
}

OP(tcp_socket)
{
	return close_if(SYS(socket, AF_INET, SOCK_STREAM, 0));
}

OP(udp_socket)
{
	return close_if(SYS(socket, AF_INET, SOCK_DGRAM, 0));
}

OP(tcp6_socket)
{
	return close_if(SYS(socket, AF_INET6, SOCK_STREAM, 0));
}

OP(netlink_socket)
{
	return close_if(SYS(socket, AF_NETLINK, SOCK_RAW, 0));
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

OP(bind_unix)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/af/sock"};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	long r = SYS(bind, s, &a, sizeof a);

	close(s);
	unlink("/tmp/af/sock");
	return r;
}

OP(bind_tcp)
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	long r = SYS(bind, s, &a, sizeof a);

	close(s);
	return r;
}

// A connection that leaves nothing to wait for.
static int client(void)
{
	struct linger now = {1, 0};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	return s;
}

static int listener(struct sockaddr_in *a)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof *a;

	*a = loopback(0);
	if (s < 0 || bind(s, (void *)a, sizeof *a) || listen(s, 5) || getsockname(s, (void *)a, &len))
		abort();
	return s;
}

OP(listen_tcp)
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	long r;

	bind(s, (void *)&a, sizeof a);
	r = SYS(listen, s, 10);
	close(s);
	return r;
}

OP(connect_tcp)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long r = SYS(connect, s, &a, sizeof a);

	close(s), close(l);
	return r == -EINPROGRESS ? 0 : r;
}

OP(accept_tcp)
{
	struct sockaddr_in a;
	int l = listener(&a), s = client();
	long r = connect(s, (void *)&a, sizeof a) ? -ENOMEM
						  : close_if(SYS(accept4, l, NULL, NULL, SOCK_NONBLOCK));

	close(s), close(l);
	return r;
}

OP(send_tcp)
{
	char block[3000];
	struct sockaddr_in a;
	int l = listener(&a), s = client(), c;
	long r = -ENOMEM;

	memset(block, 1, sizeof block);
	connect(s, (void *)&a, sizeof a);
	c = accept(l, NULL, NULL);
	if (c >= 0)
		r = SYS(sendto, s, block, sizeof block, MSG_DONTWAIT, NULL, 0);
	close(s), close(c), close(l);
	return r;
}

OP(send_udp)
{
	struct sockaddr_in a = loopback(9);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	long r = SYS(sendto, s, "x", 1, 0, &a, sizeof a);

	close(s);
	return r;
}

OP(send_descriptor)
{
	char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 1;
	struct iovec v = {&byte, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2];
	long r;

	c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &scratch, sizeof scratch);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	r = SYS(sendmsg, s[0], &m, 0);
	close(s[0]), close(s[1]);
	return r;
}

// ---- processes

OP(fork)
{
	arm();
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (!pid)
		_exit(0);
	return reap(pid);
}

OP(vfork)
{
	arm();
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return reap(pid);
}

// In a child: exec may fail, or kill the child when it is too late to fail.
OP(exec)
{
	pid_t pid = fork();

	if (!pid) {
		char *argv[] = {"alloc_failures", "--child", NULL}, *envp[] = {NULL};

		arm();
		execve("/proc/self/exe", argv, envp);
		_exit(errno == ENOMEM ? 201 : errno);
	}
	child_hit = true; // killed: it was hit
	return -reap(pid);
}

OP(unshare_files)
{
	return SYS(unshare, CLONE_FILES);
}

OP(setgroups)
{
	gid_t list[40] = {0};
	long r = SYS(setgroups, 40, list);

	setgroups(0, NULL);
	return r;
}

OP(sigqueue)
{
	siginfo_t si = {.si_code = SI_QUEUE, .si_signo = SIGRTMIN};
	sigset_t set;
	long r;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = SYS(rt_sigqueueinfo, getpid(), SIGRTMIN, &si);
	sigtimedwait(&set, NULL, &(struct timespec){0});
	return r;
}

OP(timer_create)
{
	struct sigevent ev = {.sigev_notify = SIGEV_NONE};
	int id = -1;
	long r = SYS(timer_create, CLOCK_MONOTONIC, &ev, &id);

	if (r == 0)
		syscall(SYS_timer_delete, id);
	return r;
}

OP(affinity)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof set, &set);
	return SYS(sched_setaffinity, 0, sizeof set, &set);
}

OP(nanosleep)
{
	struct timespec t = {0, 1000};

	return SYS(nanosleep, &t, NULL);
}

OP(pidfd)
{
	return close_if(SYS(pidfd_open, getpid(), 0));
}

OP(futex_pi)
{
	static uint32_t word;

	word = 0;
	return SYS(futex, &word, 6 /* LOCK_PI */, 0, NULL, NULL, 0) ?: (word = 0);
}

// ---- System V and POSIX queues

OP(semget)
{
	long id = SYS(semget, IPC_PRIVATE, 40, 0600);

	if (id >= 0)
		semctl((int)id, 0, IPC_RMID);
	return id;
}

OP(semop_undo)
{
	int id = semget(IPC_PRIVATE, 4, 0600);
	struct sembuf b[8];
	long r;

	for (int i = 0; i < 8; i++)
		b[i] = (struct sembuf){(unsigned short)(i % 4), 1, SEM_UNDO};
	r = SYS(semop, id, b, 8);
	semctl(id, 0, IPC_RMID);
	return r;
}

OP(shmget)
{
	long id = SYS(shmget, IPC_PRIVATE, 3 * PAGE, 0600);

	if (id >= 0)
		shmctl((int)id, IPC_RMID, NULL);
	return id;
}

OP(shmat)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE, 0600);
	long r = SYS(shmat, id, NULL, 0);

	if (r > 0)
		shmdt((void *)r);
	shmctl(id, IPC_RMID, NULL);
	return r;
}

OP(msgsnd)
{
	struct {
		long type;
		char text[900];
	} m = {.type = 1};
	int id = msgget(IPC_PRIVATE, 0600);
	long r = SYS(msgsnd, id, &m, sizeof m.text, IPC_NOWAIT);

	msgctl(id, IPC_RMID, NULL);
	return r;
}

OP(mq_open)
{
	struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 100};
	long fd = SYS(mq_open, "af", O_CREAT | O_RDWR, 0600, &a);

	syscall(SYS_mq_unlink, "af");
	return close_if(fd);
}
