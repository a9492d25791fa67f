/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of kernel/proc/ share with each other and with nobody else. Lock order, outermost first:
 *	process_tree_lock -> process.lock -> sighand.lock, wait queues' locks
 *	process_tree_lock -> pid table's lock
 * process.lock is taken by interrupt handlers (timers send signals): always with interrupts off. */
#pragma once

#include "base/err.h"
#include "kernel/app.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/signal_types.h"
#include "kernel/vm.h"
#include "kernel/poll.h"
#include "kernel/wait.h"
#include "signal_queue.h"

/* ---- process tree (process.c) ---- */

extern struct spinlock
	process_tree_lock; /* parent, children, sibling, all_node, pgid, sid of every process; zombie */
extern struct list_head all_processes; /* all_node; kernel_process is not on it */

struct process *process_alloc(void); /* zeroed, lists and queues ready, one reference; NULL on no memory */
/* Link NEW below PARENT and make it findable. Tree lock held. */
void process_link(struct process *new, struct process *parent);
/* A zombie leaves the tree, its ids go: the last act of its life. Tree lock held; drops the first reference.
 */
void process_release(struct process *p);
/* Add T to its process. Process lock held. */
void process_add_thread(struct process *p, struct thread *t);

/* ---- ids (pid.c) ---- */

/* A free id, with one use counted; -EAGAIN when all are in use, -ENOMEM. */
int pid_alloc(void);
int pid_alloc_this(u32 id);		       /* below PID_MAX; -EEXIST, -ENOMEM */
void pid_set_thread(u32 id, struct thread *t); /* NULL: gone from look-ups */
void pid_set_process(u32 id, struct process *p);
/* An id stays taken while it names a thread, a process group or a session: one use for each thread and
 * member. */
void pid_use(u32 id);
void pid_unuse(u32 id);

/* ---- threads' ends (exit.c, vfork.c) ---- */

struct vfork_wait; /* a parent waiting for its CLONE_VFORK child */
struct vfork_wait *vfork_begin(struct thread *child);
void vfork_sleep(struct vfork_wait *v); /* until the child let go, or a fatal signal */
void vfork_cancel(struct thread *child, struct vfork_wait *v);
void vfork_release(struct thread *t); /* the child execs or ends */

/* What exec and exit both do when the current thread leaves its address space: robust futexes, child_tid,
 * vfork. */
void thread_leave_vm(void);
/* T gives up its descriptors and its place in the tree: it ends, or never ran. */
void thread_drop_files(struct thread *t);
/* End the other threads of the current process and wait until they are gone; take over the leader's id.
 * -EAGAIN when the process is being killed meanwhile. */
int process_become_single(void);
/* Mark the whole process as ending with STATUS unless it is already. Process lock held. */
void process_kill_locked(struct process *p, int status);
/* Does a stopped, continued or ended CHILD's parent want SIGCHLD? Sends it. Tree lock held. */
void notify_parent(struct process *child, int code, int status);

/* Open files of running programs: writing them is refused meanwhile (ETXTBSY). */
int exe_deny_write(struct file *exe);
void exe_get(struct file *exe); /* one more process runs it */
void exe_put(struct file *exe);

/* The resources that P and the children it waited for used, for wait4. */
void usage_of_child(struct process *p, struct rusage *u);
/* clone.c: are the threads of the real user UID, and MORE, too many (RLIMIT_NPROC)? Never root's. */
bool process_limit_exceeded(u32 uid, u64 more);

/* ---- pidfd.c ---- */

/* Reserve a descriptor for a pidfd of P, store its number at WHERE; the file in *FILE for fd_install, or
 * fd_release and file_put. The descriptor or -errno. */
int pidfd_prepare(struct process *p, int __app *where, struct file **file);
/* The process behind descriptor FD with a reference; the file's flags in *FLAGS (may be NULL). -EBADF. */
struct process *pidfd_get(int fd, u32 *flags);

long prctl_set_seccomp(u64 mode, const void __app *args); /* seccomp.c */
long prctl_ambient(u64 op, u64 cap, u64 rest);		  /* capability.c */
long prctl_set_keep_caps(u64 on);
long prctl_set_securebits(u64 bits);
long prctl_bounding(bool drop, u64 cap);

/* ---- cred.c ---- */

struct cred *cred_copy(const struct cred *c); /* NULL: no memory */
/* Is NEW another effective identity, or more permitted, than OLD? */
bool cred_rights_differ(const struct cred *old, const struct cred *new);

/* ---- groups and sessions (session.c): tree lock held ---- */

/* Is P's group without a member whose parent is in the session but outside the group? Takes the tree lock
 * itself. */
bool session_orphaned_group(struct process *p);
/* P ends: groups that this leaves orphaned with stopped members get SIGHUP and SIGCONT. */
void session_process_ends(struct process *p);

/* ---- given by others ---- */

void futex_exit_robust(struct thread *t);		  /* kernel/sched/ */
int futex_wake_addr(struct vmspace *vm, u64 addr, int n); /* kernel/sched/ */
void posix_timers_exit(struct process *p);		  /* kernel/time/: process.timers goes */

void posix_timers_exec(struct process *p); /* execve: timer_create's go, setitimer's stay (alarm(2)) */
int fdtable_unshare(void);		   /* fs/vfs/: the current thread gets a table of its own */

struct path;
void fs_context_set_cwd(struct fs_context *c,
			const struct path *p); /* fs/vfs/: takes references of its own */

#define CAP_ALL ((2ull << 40) - 1) /* CAP_LAST_CAP is 40 */

/* ---- signals ---- */

struct sighand {
	struct refcount ref;
	struct spinlock lock; /* guards action; taken inside process.lock */
	struct signal_action action[64];
};

struct sighand *sighand_create(void);
struct sighand *sighand_copy(struct sighand *from);
void sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);
/* exec, CLONE_CLEAR_SIGHAND: caught signals go back to the default. */
void sighand_reset(struct sighand *s);
struct signal_action sighand_action(struct sighand *s, int sig);

/* Recompute THREAD_SIGPENDING of T. Process lock held. */
void signal_recalc(struct thread *t);
/* Set THREAD_SIGPENDING and get T to look at it: wake it from sleeps in MASK, or interrupt its CPU. */
void signal_kick(struct thread *t, u32 flag, u32 mask);
/* Pending signals in SET that T would no longer take: get other threads to take them. Process lock held. */
void signal_retarget(struct thread *t, sigset set);
/* May the current thread send SIG to P, or to its thread T (NULL: to the process)? 0 or -EPERM. */
int signal_check_permission(struct process *p, struct thread *t, int sig);
/* Drop SET from a queue of P. Process lock held. */
void signal_flush(struct process *p, struct sigqueue_list *l, sigset set);
/* Take the next deliverable signal of SET off T's or its process's queue. Process lock held. 0: none. */
int signal_take(struct thread *t, sigset set, siginfo_t *info);
/* Job control: stop the current thread if its process is stopping. True when it did. */
bool signal_do_stop(void);
void signal_stop_begin(struct process *p, int sig); /* process lock held */
bool signal_stop_thread_left(
	struct process *p); /* a thread ended: does that complete a stop? Process lock held */
void signal_stop_continue(struct process *p); /* SIGCONT. Process lock held */
void signal_stop_notify(struct process *p);   /* tell the parent of a completed stop */
/* End the current process for a fault: it is told, then on its way out. */
void signal_fault_fatal(int sig, int code, u64 addr);
/* Log and remember a fatal fault of the current thread. */
void fault_line(int sig, int code, u64 addr);
