/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: an address space, descriptors, signal actions and threads. Owner: kernel/proc/. */
#pragma once

#include "base/list.h"
#include "base/refcount.h"
#include "kernel/cred.h"
#include "kernel/mutex.h"
#include "kernel/signal_types.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include <linux/resource.h>

struct sighand; /* kernel/proc/: signal actions, shared by CLONE_SIGHAND */
struct file;

struct process {
	u32 pid;
	struct refcount ref; /* 1 until reaped, 1 for each thread not yet freed, 1 per look-up */
	struct rcu_head rcu;
	struct spinlock lock; /* guards threads, exit fields, vm/exe pointers and the threads' files and fs,
				 all signal queues.
				 Taken by interrupts */
	struct list_head threads; /* thread.proc_node: those that have not ended */
	u32 nthreads;
	struct thread *leader; /* tid == pid; may be a zombie while others run */

	struct vmspace *vm; /* NULL once it is exiting and for kernel_process */
	struct sighand *sighand;
	struct file *exe; /* for /proc/PID/exe */
	u64 arg_start, arg_end, env_start, env_end, start_stack,
		start_brk; /* /proc/PID/{cmdline,environ,stat} */
	u64 auxv[64];
	u32 auxv_len;

	struct process *parent; /* guarded by process_tree_lock */
	struct thread *parent_thread; /* the one of `parent` whose child it is, to compare; likewise */
	struct list_head children, sibling, all_node;
	u32 pgid, sid;
	int exit_signal;	    /* sent to the parent; SIGCHLD, 0 for none */
	bool zombie;		    /* all threads ended; waits for its parent's wait4 */
	int exit_code;		    /* wait status encoding */
	bool group_exit;	    /* exit_group or a fatal signal is under way; exit_code is set */
	struct core_state *core;    /* a thread dumps core; guarded by lock. kernel/proc/coredump.h */
	struct thread *exec_thread; /* execve ends the other threads */
	struct waitq exec_wait;	    /* it sleeps here */
	bool execed;		    /* has called execve since fork (setpgid's EACCES) */
	u8 stop_signal;		    /* job control: a stop is under way or done because of it; 0: running */
	u32 stop_serial;	    /* counts the stops that were begun */
	struct list_head tracees,
		dead_tracees; /* ptrace: threads, and records of those that ended; guarded by the tree lock */
	u32 nstopped;	      /* threads in THREAD_STOPPED for it */
	bool stop_report, cont_report; /* wait4 has not yet seen the stop, the continuation */
	bool cont_notify;	       /* the next thread to run tells the parent of the continuation */
	struct waitq wait_children;    /* parents sleep here in wait4 */
	struct waitq pidfd_wait;       /* pollers of this process's pidfds; woken when it becomes a zombie */
	struct sigqueue_list shared_pending; /* signals for the whole process */
	u32 nqueued;			     /* entries in all its signal queues, against RLIMIT_SIGPENDING */
	struct waitq signalfd_wait;

	struct rlimit64 rlim[RLIM_NLIMITS];
	struct cred *cred; /* the leader's, with a reference of its own; read under RCU */
	int nice;
	u32 personality;
	int ioprio;
	bool semundo; /* SEM_UNDO was used, or threads were made that would share it */
	u8 dumpable; /* 1: its memory may be dumped, and looked at by its user; 0, 2: it may not (prctl(2)) */
	bool child_subreaper, oom_killed, stopped;
	bool io_flusher;   /* PR_SET_IO_FLUSHER: kept */
	u8 mce_kill;	   /* PR_MCE_KILL: kept */
	bool thp_disabled; /* prctl(PR_SET_THP_DISABLE): for kernel/mm/ to look at */
	int oom_score_adj;
	u64 start_time;
	u64 dead_user_ns, dead_system_ns;     /* of threads that ended */
	u64 child_user_ns, child_system_ns;   /* of children waited for */
	struct usage dead_usage, child_usage; /* likewise */
	u64 max_rss, child_max_rss;	      /* pages: kept when the vmspace goes; largest of the children */
	struct posix_timers *timers;	      /* timer_create and setitimer; NULL until used */
};

extern struct process kernel_process; /* pid 0: kernel threads */
extern struct process *init_process;  /* pid 1 */
#define current_process() (current->proc)

/* Look-ups run under RCU: any thread context. A zombie is found until it is reaped. */
struct process *process_find(u32 pid); /* with a reference, or NULL */
struct thread *
thread_find(u32 tid); /* with a reference, or NULL; its proc stays valid as long as the thread */
void process_get(struct process *p);
void process_put(struct process *p);
/* Iterate for /proc: the process with the smallest pid >= PID, with a reference; NULL at the end. */
struct process *process_next(u32 pid);
/* The thread of P with the smallest tid >= TID, with a reference; NULL at the end. */
struct thread *process_thread_next(struct process *p, u32 tid);

/* What another process may look at: each with a reference, or NULL once it was given up. A process's files
 * are its leader's. */
struct vmspace *process_get_vm(struct process *p);
struct fdtable *process_get_files(struct process *p);
struct fdtable *thread_get_files(struct thread *t);
struct fs_context *thread_get_fs(struct thread *t);
struct file *process_get_exe(struct process *p);
static inline u32 process_ppid(struct process *p)
{
	struct process *parent;
	u32 ppid;

	rcu_read_lock();
	parent = rcu_dereference(p->parent); /* changes under the tree lock; freed after a grace period */
	ppid = parent ? parent->pid : 0;
	rcu_read_unlock();
	return ppid;
}
/* The letter of /proc/PID/stat: R S D T Z. */
char thread_state_letter(struct thread *t);
/* User and system time of all threads, ended ones included, ns. */
void process_times(struct process *p, u64 *user_ns, u64 *system_ns);
void process_usage(struct process *p, struct usage *sum); /* likewise */
int ioprio_check(int ioprio);	  /* may the current process ask for this priority? -EINVAL, -EPERM */
u64 process_rlimit(int resource); /* soft limit of the current process */
u32 process_count(void);	  /* zombies included */
u32 thread_count(void);		  /* of applications, alive */
#define PID_MAX 32768

/* /proc/sys/kernel/core_pattern and core_uses_pid: kernel/proc/coredump.c */
extern char core_pattern[128];
extern u32 core_uses_pid;
/* "comm[pid]: SIGSEGV at address ..." of the fault that ends the current process; "" when it ends for another
 * reason. */
const char *process_last_fault(void);
/* uname's node name (a copy); set by sethostname and the `hostname=` word. */
void system_hostname(char *buf, size_t size);
int system_set_hostname(const char *name, size_t len);
void system_domainname(char *buf, size_t size);
int system_set_domainname(const char *name, size_t len);
u64 forks_total(void); /* processes and threads that applications made so far */

/* Start pid 1 from PATH (looked up in the mounted root) with ARGV and ENVP (kernel strings, NULL-terminated)
 * and FILES as its descriptors 0-2 (references are taken). Boot's last step. */
int process_start_init(const char *path, const char *const argv[], const char *const envp[],
		       struct file *stdio[3]);
/* Called once, in thread context, when init has ended; STATUS in wait encoding. Provided by kernel/init/. */
void init_exited(int status);

/* End the current thread as exit(2) does; CODE in wait encoding. The last one ends the process. */
void thread_exit(int code) __noreturn;
/* The first thing a new application thread does, in its own context: CLONE_CHILD_SETTID. */
void process_thread_begin(void);
/* End the current process (all threads) with STATUS in wait encoding. */
void process_exit_group(int status) __noreturn;
/* Pick and kill a victim (never init when init is the agent and another process exists). Thread context. */
void oom_kill(void);
/* What the last victim held when it was chosen, in pages. */
struct oom_record {
	u32 pid; /* 0: nobody was killed yet */
	u64 total_vm, anon, file, shmem, page_tables;
	u64 limit, free; /* what the guest may use (RAM less the balloon), and what of it was free */
};
void oom_last(struct oom_record *out);
