// SPDX-License-Identifier: BSD-2-Clause
/* Names of flags and values, by call and argument position (the ABI fixes positions; names of parameters are
 * ours). Sources: the UAPI headers that define them. */
#include "base/err.h"
#include "trace_format.h"
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/wait.h>

#define N(x)                 \
	{                    \
		(u64)(x), #x \
	}
#define TABLE(name, mask_, ...)                                        \
	static const struct trace_name name##_names[] = {__VA_ARGS__}; \
	static const struct trace_table name = {mask_, ARRAY_SIZE(name##_names), name##_names}

/* Not in the UAPI headers (the C library has them). */
#define PF_(x, v)     \
	{             \
		v, #x \
	}

TABLE(open_flags, O_ACCMODE, N(O_RDONLY), N(O_WRONLY), N(O_RDWR), N(O_CREAT), N(O_EXCL), N(O_NOCTTY),
      N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK), {O_SYNC, "O_SYNC"}, N(O_DSYNC), N(O_DIRECT),
      {0100000, "O_LARGEFILE"}, {O_TMPFILE, "O_TMPFILE"}, N(O_DIRECTORY), N(O_NOFOLLOW), N(O_NOATIME),
      N(O_CLOEXEC), N(O_PATH));
TABLE(fd_flags, 0, N(O_CLOEXEC), N(O_NONBLOCK), N(O_DIRECT));
TABLE(prot, 0, N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN));
TABLE(map_flags, MAP_TYPE, N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_SHARED_VALIDATE), N(MAP_FIXED),
      N(MAP_ANONYMOUS), N(MAP_GROWSDOWN), N(MAP_DENYWRITE), N(MAP_EXECUTABLE), N(MAP_LOCKED),
      N(MAP_NORESERVE), N(MAP_POPULATE), N(MAP_NONBLOCK), N(MAP_STACK), N(MAP_HUGETLB), N(MAP_SYNC),
      N(MAP_FIXED_NOREPLACE));
TABLE(mremap_flags, 0, N(MREMAP_MAYMOVE), N(MREMAP_FIXED), N(MREMAP_DONTUNMAP));
TABLE(madvise_values, 0, N(MADV_NORMAL), N(MADV_RANDOM), N(MADV_SEQUENTIAL), N(MADV_WILLNEED),
      N(MADV_DONTNEED), N(MADV_FREE), N(MADV_REMOVE), N(MADV_DONTFORK), N(MADV_DOFORK), N(MADV_HUGEPAGE),
      N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP), N(MADV_DODUMP), N(MADV_WIPEONFORK), N(MADV_KEEPONFORK),
      N(MADV_COLD), N(MADV_PAGEOUT), N(MADV_POPULATE_READ), N(MADV_POPULATE_WRITE), N(MADV_COLLAPSE),
      N(MADV_MERGEABLE), N(MADV_UNMERGEABLE));
TABLE(msync_flags, 0, N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC));
TABLE(clone_flags, CSIGNAL, {17, "SIGCHLD"}, N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND),
      N(CLONE_PIDFD), N(CLONE_PTRACE), N(CLONE_VFORK), N(CLONE_PARENT), N(CLONE_THREAD), N(CLONE_NEWNS),
      N(CLONE_SYSVSEM), N(CLONE_SETTLS), N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID), N(CLONE_DETACHED),
      N(CLONE_UNTRACED), N(CLONE_CHILD_SETTID), N(CLONE_NEWCGROUP), N(CLONE_NEWUTS), N(CLONE_NEWIPC),
      N(CLONE_NEWUSER), N(CLONE_NEWPID), N(CLONE_NEWNET), N(CLONE_IO));
TABLE(futex_ops, FUTEX_CMD_MASK, N(FUTEX_WAIT), N(FUTEX_WAKE), N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE),
      N(FUTEX_WAKE_OP), N(FUTEX_LOCK_PI), N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI), N(FUTEX_WAIT_BITSET),
      N(FUTEX_WAKE_BITSET), N(FUTEX_WAIT_REQUEUE_PI), N(FUTEX_CMP_REQUEUE_PI), N(FUTEX_LOCK_PI2),
      N(FUTEX_PRIVATE_FLAG), N(FUTEX_CLOCK_REALTIME));
TABLE(fcntl_values, 0, N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK),
      N(F_SETLKW), N(F_SETOWN), N(F_GETOWN), N(F_SETSIG), N(F_GETSIG), N(F_OFD_GETLK), N(F_OFD_SETLK),
      N(F_OFD_SETLKW), N(F_SETLEASE), N(F_GETLEASE), N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ),
      N(F_ADD_SEALS), N(F_GET_SEALS));
TABLE(families, 0, PF_(AF_UNSPEC, 0), PF_(AF_UNIX, 1), PF_(AF_INET, 2), PF_(AF_INET6, 10),
      PF_(AF_NETLINK, 16), PF_(AF_PACKET, 17), PF_(AF_VSOCK, 40));
TABLE(socket_types, 0xf, PF_(SOCK_STREAM, 1), PF_(SOCK_DGRAM, 2), PF_(SOCK_RAW, 3), PF_(SOCK_SEQPACKET, 5),
      PF_(SOCK_NONBLOCK, O_NONBLOCK), PF_(SOCK_CLOEXEC, O_CLOEXEC));
TABLE(socket_flags, 0, PF_(SOCK_NONBLOCK, O_NONBLOCK), PF_(SOCK_CLOEXEC, O_CLOEXEC));
TABLE(sockopt_levels, 0, PF_(SOL_IP, 0), PF_(SOL_SOCKET, 1), PF_(SOL_TCP, 6), PF_(SOL_UDP, 17),
      PF_(SOL_IPV6, 41));
TABLE(shutdown_values, 0, PF_(SHUT_RD, 0), PF_(SHUT_WR, 1), PF_(SHUT_RDWR, 2));
TABLE(msg_flags, 0, PF_(MSG_OOB, 1), PF_(MSG_PEEK, 2), PF_(MSG_DONTROUTE, 4), PF_(MSG_CTRUNC, 8),
      PF_(MSG_TRUNC, 0x20), PF_(MSG_DONTWAIT, 0x40), PF_(MSG_EOR, 0x80), PF_(MSG_WAITALL, 0x100),
      PF_(MSG_ERRQUEUE, 0x2000), PF_(MSG_NOSIGNAL, 0x4000), PF_(MSG_MORE, 0x8000),
      PF_(MSG_WAITFORONE, 0x10000), PF_(MSG_CMSG_CLOEXEC, 0x40000000));
TABLE(at_flags, 0, N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR), N(AT_SYMLINK_FOLLOW), N(AT_NO_AUTOMOUNT),
      N(AT_EMPTY_PATH), N(AT_STATX_FORCE_SYNC), N(AT_STATX_DONT_SYNC));
TABLE(access_modes, 0, {0, "F_OK"}, PF_(R_OK, 4), PF_(W_OK, 2), PF_(X_OK, 1));
TABLE(statx_mask, 0, N(STATX_ALL), N(STATX_BASIC_STATS), N(STATX_TYPE), N(STATX_MODE), N(STATX_NLINK),
      N(STATX_UID), N(STATX_GID), N(STATX_ATIME), N(STATX_MTIME), N(STATX_CTIME), N(STATX_INO), N(STATX_SIZE),
      N(STATX_BLOCKS), N(STATX_BTIME));
TABLE(whence, 0, PF_(SEEK_SET, 0), PF_(SEEK_CUR, 1), PF_(SEEK_END, 2), PF_(SEEK_DATA, 3), PF_(SEEK_HOLE, 4));
TABLE(mask_how, 0, N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK));
TABLE(epoll_ops, 0, N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD));
TABLE(clocks, 0, N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID),
      N(CLOCK_THREAD_CPUTIME_ID), N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_MONOTONIC_COARSE),
      N(CLOCK_BOOTTIME), N(CLOCK_REALTIME_ALARM), N(CLOCK_BOOTTIME_ALARM), N(CLOCK_TAI));
TABLE(timer_flags, 0, N(TIMER_ABSTIME));
TABLE(arch_prctl_codes, 0, N(ARCH_SET_GS), N(ARCH_SET_FS), N(ARCH_GET_FS), N(ARCH_GET_GS), N(ARCH_GET_CPUID),
      N(ARCH_SET_CPUID), {0x3001, "ARCH_CET_STATUS"});
TABLE(prctl_options, 0, N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG), N(PR_GET_DUMPABLE), N(PR_SET_DUMPABLE),
      N(PR_GET_KEEPCAPS), N(PR_SET_KEEPCAPS), N(PR_SET_NAME), N(PR_GET_NAME), N(PR_GET_SECCOMP),
      N(PR_SET_SECCOMP), N(PR_CAPBSET_READ), N(PR_CAPBSET_DROP), N(PR_GET_TSC), N(PR_SET_TSC),
      N(PR_SET_TIMERSLACK), N(PR_GET_TIMERSLACK), N(PR_SET_CHILD_SUBREAPER), N(PR_GET_CHILD_SUBREAPER),
      N(PR_SET_NO_NEW_PRIVS), N(PR_GET_NO_NEW_PRIVS), N(PR_SET_VMA), N(PR_SET_PTRACER), N(PR_SET_THP_DISABLE),
      N(PR_GET_THP_DISABLE), N(PR_CAP_AMBIENT), N(PR_SET_MM));
TABLE(limits, 0, N(RLIMIT_CPU), N(RLIMIT_FSIZE), N(RLIMIT_DATA), N(RLIMIT_STACK), N(RLIMIT_CORE),
      N(RLIMIT_RSS), N(RLIMIT_NPROC), N(RLIMIT_NOFILE), N(RLIMIT_MEMLOCK), N(RLIMIT_AS), N(RLIMIT_LOCKS),
      N(RLIMIT_SIGPENDING), N(RLIMIT_MSGQUEUE), N(RLIMIT_NICE), N(RLIMIT_RTPRIO), N(RLIMIT_RTTIME));
TABLE(usages, 0, N(RUSAGE_SELF), {(u64)-1, "RUSAGE_CHILDREN"}, N(RUSAGE_THREAD));
TABLE(wait_options, 0, N(WNOHANG), N(WUNTRACED), N(WEXITED), N(WCONTINUED), N(WNOWAIT), N(__WALL),
      N(__WCLONE), N(__WNOTHREAD));
TABLE(wait_kinds, 0, N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD));
TABLE(memfd_flags, 0, N(MFD_CLOEXEC), N(MFD_ALLOW_SEALING), N(MFD_HUGETLB));
TABLE(random_flags, 0, N(GRND_NONBLOCK), N(GRND_RANDOM), N(GRND_INSECURE));
TABLE(lock_flags, 0, PF_(LOCK_SH, 1), PF_(LOCK_EX, 2), PF_(LOCK_NB, 4), PF_(LOCK_UN, 8));
TABLE(fallocate_flags, 0, {1, "FALLOC_FL_KEEP_SIZE"}, {2, "FALLOC_FL_PUNCH_HOLE"},
      {8, "FALLOC_FL_COLLAPSE_RANGE"}, {16, "FALLOC_FL_ZERO_RANGE"});
TABLE(advice, 0, {0, "POSIX_FADV_NORMAL"}, {1, "POSIX_FADV_RANDOM"}, {2, "POSIX_FADV_SEQUENTIAL"},
      {3, "POSIX_FADV_WILLNEED"}, {4, "POSIX_FADV_DONTNEED"}, {5, "POSIX_FADV_NOREUSE"});
TABLE(ioctls, 0, {0x5401, "TCGETS"}, {0x5402, "TCSETS"}, {0x540f, "TIOCGPGRP"}, {0x5410, "TIOCSPGRP"},
      {0x5413, "TIOCGWINSZ"}, {0x5414, "TIOCSWINSZ"}, {0x541b, "FIONREAD"}, {0x5421, "FIONBIO"},
      {0x5450, "FIONCLEX"}, {0x5451, "FIOCLEX"}, {0x8912, "SIOCGIFCONF"}, {0x8913, "SIOCGIFFLAGS"},
      {0x8915, "SIOCGIFADDR"}, {0x8919, "SIOCGIFBRDADDR"}, {0x891b, "SIOCGIFNETMASK"}, {0x8921, "SIOCGIFMTU"},
      {0x8927, "SIOCGIFHWADDR"}, {0x8933, "SIOCGIFINDEX"});

#define FLAGS(call, i, t)                         \
	{                                         \
		__NR_##call, i, TRACE_FLAGS, &(t) \
	}
#define VALUE(call, i, t)                         \
	{                                         \
		__NR_##call, i, TRACE_VALUE, &(t) \
	}
#define LOW(call, i, t)                               \
	{                                             \
		__NR_##call, i, TRACE_FLAGS_LOW, &(t) \
	}
#define KIND(call, i, kind)                \
	{                                  \
		__NR_##call, i, kind, NULL \
	}

static const struct trace_arg trace_args[] = {
	KIND(openat, 0, TRACE_FD_AT),
	LOW(openat, 2, open_flags),
	KIND(openat, 3, TRACE_OCTAL),
	LOW(open, 1, open_flags),
	KIND(open, 2, TRACE_OCTAL),
	KIND(creat, 1, TRACE_OCTAL),
	KIND(newfstatat, 0, TRACE_FD_AT),
	FLAGS(newfstatat, 3, at_flags),
	KIND(statx, 0, TRACE_FD_AT),
	FLAGS(statx, 2, at_flags),
	FLAGS(statx, 3, statx_mask),
	KIND(faccessat, 0, TRACE_FD_AT),
	FLAGS(faccessat, 2, access_modes),
	KIND(faccessat2, 0, TRACE_FD_AT),
	FLAGS(faccessat2, 2, access_modes),
	FLAGS(faccessat2, 3, at_flags),
	FLAGS(access, 1, access_modes),
	KIND(readlinkat, 0, TRACE_FD_AT),
	KIND(readlinkat, 2, TRACE_BUF_OUT),
	KIND(readlink, 1, TRACE_BUF_OUT),
	KIND(getcwd, 0, TRACE_BUF_OUT),
	KIND(mkdir, 1, TRACE_OCTAL),
	KIND(mkdirat, 0, TRACE_FD_AT),
	KIND(mkdirat, 2, TRACE_OCTAL),
	KIND(unlinkat, 0, TRACE_FD_AT),
	FLAGS(unlinkat, 2, at_flags),
	KIND(renameat, 0, TRACE_FD_AT),
	KIND(renameat, 2, TRACE_FD_AT),
	KIND(renameat2, 0, TRACE_FD_AT),
	KIND(renameat2, 2, TRACE_FD_AT),
	KIND(linkat, 0, TRACE_FD_AT),
	KIND(linkat, 2, TRACE_FD_AT),
	FLAGS(linkat, 4, at_flags),
	KIND(symlinkat, 1, TRACE_FD_AT),
	KIND(utimensat, 0, TRACE_FD_AT),
	FLAGS(utimensat, 3, at_flags),
	KIND(fchmodat, 0, TRACE_FD_AT),
	KIND(fchmodat, 2, TRACE_OCTAL),
	KIND(chmod, 1, TRACE_OCTAL),
	KIND(fchmod, 1, TRACE_OCTAL),
	KIND(fchownat, 0, TRACE_FD_AT),
	FLAGS(fchownat, 4, at_flags),
	KIND(umask, 0, TRACE_OCTAL),
	KIND(execve, 1, TRACE_STRINGS),
	KIND(execveat, 0, TRACE_FD_AT),
	KIND(execveat, 2, TRACE_STRINGS),
	FLAGS(execveat, 4, at_flags),
	KIND(read, 1, TRACE_BUF_OUT),
	KIND(pread64, 1, TRACE_BUF_OUT),
	KIND(recvfrom, 1, TRACE_BUF_OUT),
	KIND(write, 1, TRACE_BUF_IN),
	KIND(pwrite64, 1, TRACE_BUF_IN),
	KIND(sendto, 1, TRACE_BUF_IN),
	KIND(getrandom, 0, TRACE_BUF_OUT),
	FLAGS(getrandom, 2, random_flags),
	VALUE(lseek, 2, whence),
	VALUE(fcntl, 1, fcntl_values),
	VALUE(ioctl, 1, ioctls),
	FLAGS(flock, 1, lock_flags),
	FLAGS(fallocate, 1, fallocate_flags),
	VALUE(fadvise64, 3, advice),
	KIND(pipe, 0, TRACE_INTS_OUT),
	KIND(pipe2, 0, TRACE_INTS_OUT),
	FLAGS(pipe2, 1, fd_flags),
	FLAGS(dup3, 2, fd_flags),
	FLAGS(eventfd2, 1, fd_flags),
	FLAGS(epoll_create1, 0, fd_flags),
	FLAGS(inotify_init1, 0, fd_flags),
	FLAGS(timerfd_create, 1, fd_flags),
	VALUE(timerfd_create, 0, clocks),
	FLAGS(memfd_create, 1, memfd_flags),
	FLAGS(mmap, 2, prot),
	LOW(mmap, 3, map_flags),
	KIND(mmap, 5, TRACE_HEX),
	FLAGS(mprotect, 2, prot),
	FLAGS(mremap, 3, mremap_flags),
	VALUE(madvise, 2, madvise_values),
	FLAGS(msync, 2, msync_flags),
	LOW(clone, 0, clone_flags),
	LOW(unshare, 0, clone_flags),
	LOW(futex, 1, futex_ops),
	KIND(futex, 3, TRACE_FUTEX),
	VALUE(socket, 0, families),
	LOW(socket, 1, socket_types),
	VALUE(socketpair, 0, families),
	LOW(socketpair, 1, socket_types),
	KIND(socketpair, 3, TRACE_INTS_OUT),
	FLAGS(accept4, 3, socket_flags),
	VALUE(setsockopt, 1, sockopt_levels),
	VALUE(getsockopt, 1, sockopt_levels),
	VALUE(shutdown, 1, shutdown_values),
	FLAGS(sendto, 3, msg_flags),
	FLAGS(recvfrom, 3, msg_flags),
	FLAGS(sendmsg, 2, msg_flags),
	FLAGS(recvmsg, 2, msg_flags),
	FLAGS(sendmmsg, 3, msg_flags),
	FLAGS(recvmmsg, 3, msg_flags),
	VALUE(epoll_ctl, 1, epoll_ops),
	KIND(rt_sigaction, 0, TRACE_SIGNAL),
	VALUE(rt_sigprocmask, 0, mask_how),
	KIND(rt_sigprocmask, 1, TRACE_SIGSET),
	KIND(rt_sigsuspend, 0, TRACE_SIGSET),
	KIND(rt_sigtimedwait, 0, TRACE_SIGSET),
	KIND(rt_sigtimedwait, 2, TRACE_TIMESPEC),
	KIND(kill, 1, TRACE_SIGNAL),
	KIND(tkill, 1, TRACE_SIGNAL),
	KIND(tgkill, 2, TRACE_SIGNAL),
	KIND(rt_sigqueueinfo, 1, TRACE_SIGNAL),
	KIND(pidfd_send_signal, 1, TRACE_SIGNAL),
	VALUE(clock_gettime, 0, clocks),
	VALUE(clock_getres, 0, clocks),
	VALUE(clock_settime, 0, clocks),
	VALUE(clock_nanosleep, 0, clocks),
	FLAGS(clock_nanosleep, 1, timer_flags),
	KIND(clock_nanosleep, 2, TRACE_TIMESPEC),
	KIND(nanosleep, 0, TRACE_TIMESPEC),
	VALUE(timer_create, 0, clocks),
	FLAGS(timer_settime, 1, timer_flags),
	KIND(ppoll, 2, TRACE_TIMESPEC),
	VALUE(arch_prctl, 0, arch_prctl_codes),
	KIND(arch_prctl, 1, TRACE_HEX),
	VALUE(prctl, 0, prctl_options),
	VALUE(prlimit64, 1, limits),
	VALUE(getrlimit, 0, limits),
	VALUE(setrlimit, 0, limits),
	VALUE(getrusage, 0, usages),
	FLAGS(wait4, 2, wait_options),
	VALUE(waitid, 0, wait_kinds),
	FLAGS(waitid, 3, wait_options),
	KIND(brk, 0, TRACE_ADDRESS),
	KIND(mmap, 0, TRACE_ADDRESS),
	KIND(munmap, 0, TRACE_ADDRESS),
	KIND(mprotect, 0, TRACE_ADDRESS),
	KIND(madvise, 0, TRACE_ADDRESS),
	KIND(mremap, 0, TRACE_ADDRESS),
	KIND(mremap, 4, TRACE_ADDRESS),
	KIND(msync, 0, TRACE_ADDRESS),
	KIND(mincore, 0, TRACE_ADDRESS),
	KIND(mlock, 0, TRACE_ADDRESS),
	KIND(munlock, 0, TRACE_ADDRESS),
};

const struct trace_arg *trace_arg_find(u32 nr, unsigned index)
{
	for (unsigned i = 0; i < ARRAY_SIZE(trace_args); i++)
		if (trace_args[i].nr == nr && trace_args[i].index == index)
			return &trace_args[i];
	return NULL;
}

bool trace_returns_address(u32 nr)
{
	return nr == __NR_mmap || nr == __NR_brk || nr == __NR_mremap || nr == __NR_shmat;
}

#define E(x, text)                  \
	{                           \
		x, #x " (" text ")" \
	}
static const struct {
	int err;
	const char *text;
} errnos[] = {
	E(EPERM, "Operation not permitted"),
	E(ENOENT, "No such file or directory"),
	E(ESRCH, "No such process"),
	E(EINTR, "Interrupted system call"),
	E(EIO, "Input/output error"),
	E(ENXIO, "No such device or address"),
	E(E2BIG, "Argument list too long"),
	E(ENOEXEC, "Exec format error"),
	E(EBADF, "Bad file descriptor"),
	E(ECHILD, "No child processes"),
	E(EAGAIN, "Resource temporarily unavailable"),
	E(ENOMEM, "Cannot allocate memory"),
	E(EACCES, "Permission denied"),
	E(EFAULT, "Bad address"),
	E(ENOTBLK, "Block device required"),
	E(EBUSY, "Device or resource busy"),
	E(EEXIST, "File exists"),
	E(EXDEV, "Invalid cross-device link"),
	E(ENODEV, "No such device"),
	E(ENOTDIR, "Not a directory"),
	E(EISDIR, "Is a directory"),
	E(EINVAL, "Invalid argument"),
	E(ENFILE, "Too many open files in system"),
	E(EMFILE, "Too many open files"),
	E(ENOTTY, "Inappropriate ioctl for device"),
	E(ETXTBSY, "Text file busy"),
	E(EFBIG, "File too large"),
	E(ENOSPC, "No space left on device"),
	E(ESPIPE, "Illegal seek"),
	E(EROFS, "Read-only file system"),
	E(EMLINK, "Too many links"),
	E(EPIPE, "Broken pipe"),
	E(EDOM, "Numerical argument out of domain"),
	E(ERANGE, "Numerical result out of range"),
	E(EDEADLK, "Resource deadlock avoided"),
	E(ENAMETOOLONG, "File name too long"),
	E(ENOLCK, "No locks available"),
	E(ENOSYS, "Function not implemented"),
	E(ENOTEMPTY, "Directory not empty"),
	E(ELOOP, "Too many levels of symbolic links"),
	E(ENOMSG, "No message of desired type"),
	E(EIDRM, "Identifier removed"),
	E(ENODATA, "No data available"),
	E(ETIME, "Timer expired"),
	E(EPROTO, "Protocol error"),
	E(EBADMSG, "Bad message"),
	E(EOVERFLOW, "Value too large for defined data type"),
	E(ELIBBAD, "Accessing a corrupted shared library"),
	E(EILSEQ, "Invalid or incomplete multibyte or wide character"),
	E(ENOTSOCK, "Socket operation on non-socket"),
	E(EDESTADDRREQ, "Destination address required"),
	E(EMSGSIZE, "Message too long"),
	E(EPROTOTYPE, "Protocol wrong type for socket"),
	E(ENOPROTOOPT, "Protocol not available"),
	E(EPROTONOSUPPORT, "Protocol not supported"),
	E(ESOCKTNOSUPPORT, "Socket type not supported"),
	E(EOPNOTSUPP, "Operation not supported"),
	E(EPFNOSUPPORT, "Protocol family not supported"),
	E(EAFNOSUPPORT, "Address family not supported by protocol"),
	E(EADDRINUSE, "Address already in use"),
	E(EADDRNOTAVAIL, "Cannot assign requested address"),
	E(ENETDOWN, "Network is down"),
	E(ENETUNREACH, "Network is unreachable"),
	E(ECONNABORTED, "Software caused connection abort"),
	E(ECONNRESET, "Connection reset by peer"),
	E(ENOBUFS, "No buffer space available"),
	E(EISCONN, "Transport endpoint is already connected"),
	E(ENOTCONN, "Transport endpoint is not connected"),
	E(ETIMEDOUT, "Connection timed out"),
	E(ECONNREFUSED, "Connection refused"),
	E(EHOSTDOWN, "Host is down"),
	E(EHOSTUNREACH, "No route to host"),
	E(EALREADY, "Operation already in progress"),
	E(EINPROGRESS, "Operation now in progress"),
	E(ESTALE, "Stale file handle"),
	E(EDQUOT, "Disk quota exceeded"),
	E(ECANCELED, "Operation canceled"),
	E(EOWNERDEAD, "Owner died"),
	E(ENOTRECOVERABLE, "State not recoverable"),
	E(ERESTARTSYS, "To be restarted if SA_RESTART is set"),
	E(ERESTARTNOINTR, "To be restarted"),
	E(ERESTARTNOHAND, "To be restarted if no handler"),
	E(ERESTART_RESTARTBLOCK, "Interrupted by signal"),
};

const char *trace_errno(int err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(errnos); i++)
		if (errnos[i].err == err)
			return errnos[i].text;
	return NULL;
}
