// SPDX-License-Identifier: BSD-2-Clause
/* Processes: their life as objects, and what others may ask of them.
 *
 * THEORY. A process owns an address space and signal actions; its threads share them, and have credentials
 * (cred.c), descriptors and a working directory that they share or do not, as clone(2) was told. The tree of
 * parents and children, groups and sessions is guarded by one spin lock, process_tree_lock: fork, exit and
 * wait are rare next to what runs inside a process, and each holds it for a bounded walk. Everything inside
 * one process is guarded by its own process.lock, which interrupt handlers take too (timers send signals).
 *
 * Life: process_alloc -> process_link (findable, child of its parent) -> threads come and go -> the last
 * thread gives up the vm (exit.c) -> zombie -> the parent waits (wait.c), or nobody cares ->
 * process_release: out of the tree, ids free -> the last reference goes -> freed after an RCU grace period.
 * Each thread holds a reference until it is itself freed, so thread->proc is valid whenever the thread is. */
#include "base/string.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "proc.h"

struct spinlock process_tree_lock = SPINLOCK_INIT;
struct list_head all_processes = LIST_HEAD_INIT(all_processes);
struct process *init_process;

struct process kernel_process = {
	.ref = {1},
	.threads = LIST_HEAD_INIT(kernel_process.threads),
	.children = LIST_HEAD_INIT(kernel_process.children),
	.sibling = LIST_HEAD_INIT(kernel_process.sibling),
	.all_node = LIST_HEAD_INIT(kernel_process.all_node),
	.tracees = LIST_HEAD_INIT(kernel_process.tracees),
	.dead_tracees = LIST_HEAD_INIT(kernel_process.dead_tracees),
	.exec_wait = WAITQ_INIT(kernel_process.exec_wait),
	.wait_children = WAITQ_INIT(kernel_process.wait_children),
	.pidfd_wait = WAITQ_INIT(kernel_process.pidfd_wait),
	.signalfd_wait = WAITQ_INIT(kernel_process.signalfd_wait),
	.shared_pending = {.queue = LIST_HEAD_INIT(kernel_process.shared_pending.queue)},
	.cred = &kernel_cred,
	.rlim = {[0 ... RLIM_NLIMITS - 1] = {RLIM64_INFINITY, RLIM64_INFINITY}},
};

static _Atomic u32 nprocesses;

struct process *process_alloc(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	refcount_set(&p->ref, 1);
	spin_init(&p->lock);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_node);
	list_init(&p->tracees);
	list_init(&p->dead_tracees);
	waitq_init(&p->exec_wait);
	waitq_init(&p->wait_children);
	waitq_init(&p->pidfd_wait);
	waitq_init(&p->signalfd_wait);
	sigqueue_init(&p->shared_pending);
	p->start_time = clock_monotonic();
	atomic_fetch_add_explicit(&nprocesses, 1, memory_order_relaxed);
	return p;
}

void process_link(struct process *new, struct process *parent)
{
	new->parent = parent;
	list_add_tail(&new->sibling, &parent->children);
	list_add_tail(&new->all_node, &all_processes);
	pid_use(new->pgid);
	pid_use(new->sid);
	pid_set_process(new->pid, new);
}

void process_add_thread(struct process *p, struct thread *t)
{
	list_add_tail(&t->proc_node, &p->threads);
	p->nthreads++;
	pid_set_thread(t->tid, t);
}

void process_release(struct process *p)
{
	struct thread *leader = p->leader;

	list_del_init(&p->sibling);
	list_del_init(&p->all_node);
	p->parent = NULL;
	pid_unuse(p->pgid);
	pid_unuse(p->sid);
	pid_set_process(p->pid, NULL);
	pid_set_thread(p->pid, NULL);
	pid_unuse(p->pid);
	p->leader = NULL;
	thread_put(leader);
	process_put(p);
}

void process_get(struct process *p)
{
	refcount_get(&p->ref);
}

static void process_free(struct rcu_head *head)
{
	struct process *p = container_of(head, struct process, rcu);

	cred_put(p->cred);
	kfree(p);
}

void process_put(struct process *p)
{
	if (!refcount_put(&p->ref))
		return;
	atomic_fetch_sub_explicit(&nprocesses, 1, memory_order_relaxed);
	rcu_call(&p->rcu, process_free);
}

u32 process_count(void)
{
	return atomic_load_explicit(&nprocesses, memory_order_relaxed);
}

u32 thread_count(void)
{
	struct process *p;
	u32 n = 0;

	spin_lock(&process_tree_lock);
	list_for_each_entry (p, &all_processes, all_node)
		n += READ_ONCE(p->nthreads);
	spin_unlock(&process_tree_lock);
	return n;
}

struct vmspace *process_get_vm(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	struct vmspace *vm = p->vm;

	if (vm)
		vmspace_get(vm);
	spin_unlock_irqrestore(&p->lock, flags);
	return vm;
}

struct fdtable *thread_get_files(struct thread *t)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);
	struct fdtable *files = t->files;

	if (files)
		fdtable_get(files);
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return files;
}

struct fs_context *thread_get_fs(struct thread *t)
{
	u64 flags = spin_lock_irqsave(&t->proc->lock);
	struct fs_context *fs = t->fs;

	if (fs)
		fs_context_get(fs);
	spin_unlock_irqrestore(&t->proc->lock, flags);
	return fs;
}

struct fdtable *process_get_files(struct process *p)
{
	struct fdtable *files = NULL;
	struct thread *t;

	rcu_read_lock();
	t = rcu_dereference(p->leader); /* NULL once the process is reaped */
	if (t)
		files = thread_get_files(t);
	rcu_read_unlock();
	return files;
}

struct file *process_get_exe(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	struct file *exe = p->exe;

	if (exe)
		file_get(exe);
	spin_unlock_irqrestore(&p->lock, flags);
	return exe;
}

char thread_state_letter(struct thread *t)
{
	if (READ_ONCE(t->ptrace.stopped))
		return 't';
	switch (atomic_load_explicit(&t->state, memory_order_relaxed)) {
	case THREAD_RUNNING:
		return 'R';
	case THREAD_INTERRUPTIBLE:
		return 'S';
	case THREAD_STOPPED:
		return 'T';
	case THREAD_DEAD:
		return 'Z';
	default:
		return 'D';
	}
}

void process_times(struct process *p, u64 *user_ns, u64 *system_ns)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	u64 user = p->dead_user_ns, system = p->dead_system_ns;
	struct thread *t;

	list_for_each_entry (t, &p->threads, proc_node) {
		u64 u, s;

		thread_times(t, &u, &s);
		user += u;
		system += s;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	*user_ns = user;
	*system_ns = system;
}

u64 process_rlimit(int resource)
{
	return READ_ONCE(current->proc->rlim[resource].rlim_cur);
}
