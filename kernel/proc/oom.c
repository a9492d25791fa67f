// SPDX-License-Identifier: BSD-2-Clause
/* The out-of-memory killer: when an application's page cannot be had by any other means, one process goes. It
 * is the one that holds most memory, shifted by oom_score_adj as proc(5) describes it (-1000: never; +1000:
 * as if it held all of the RAM). When init is the agent it is taken only if nobody else is left: it has to
 * report what happened. */
#include "kernel/cmdline.h"
#include "kernel/counter.h"
#include "kernel/log.h"
#include "proc.h"

DEFINE_COUNTER(oom_kills, "processes killed because memory ran out");
DEFINE_COUNTER(oom_no_victim, "out of memory with nobody to kill");

/* Pages that killing P would free, adjusted. 0: not to be killed. */
static u64 badness(struct process *p, u64 total)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	s64 points = 0;

	if (p->vm && p->oom_score_adj > -1000) {
		points = (s64)(vm_rss(p->vm) + atomic_load_explicit(&p->vm->pt_pages, memory_order_relaxed));
		points += p->oom_score_adj * (s64)(total / 1000);
		points = max(points, (s64)1);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return (u64)points;
}

static bool is_last_resort(struct process *p)
{
	return p == init_process && !cmdline_get("init");
}

/* Tree lock held. *DYING: one is on its way already. */
static struct process *choose_victim(u64 total, bool *dying)
{
	struct process *p, *best = NULL, *spare = NULL;
	u64 most = 0;

	*dying = false;
	list_for_each_entry (p, &all_processes, all_node) {
		u64 points;

		if (p->zombie)
			continue;
		if (p->oom_killed && p->vm) {
			*dying = true;
			return NULL;
		}
		points = badness(p, total);
		if (is_last_resort(p)) {
			spare = points ? p : NULL;
		} else if (points > most) {
			most = points;
			best = p;
		}
	}
	return best ? best : spare;
}

static struct oom_record last; /* guarded by process_tree_lock */

static u64 pages(const _Atomic s64 *n)
{
	return (u64)max(atomic_load_explicit((_Atomic s64 *)n, memory_order_relaxed), (s64)0);
}

static void tell(struct process *victim, const struct memory_stats *mem)
{
	const u64 kib = PAGE_SIZE / 1024;
	u64 flags = spin_lock_irqsave(&victim->lock);
	const struct vmspace *vm = victim->vm;

	last = (struct oom_record){
		.pid = victim->pid, .limit = mem->total - min(mem->ballooned, mem->total), .free = mem->free};
	if (vm) {
		last.total_vm = READ_ONCE(vm->total_vm);
		last.anon = pages(&vm->rss_anon);
		last.file = pages(&vm->rss_file);
		last.shmem = pages(&vm->rss_shmem);
		last.page_tables = pages(&vm->pt_pages);
	}
	victim->oom_killed = true;
	log_err("out of memory: killed process %u (%s), total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
		"shmem-rss:%lukB, pgtables:%lukB, limit:%lukB, free:%lukB",
		victim->pid, victim->leader->name, last.total_vm * kib, last.anon * kib, last.file * kib,
		last.shmem * kib, last.page_tables * kib, last.limit * kib, last.free * kib);
	process_kill_locked(victim, SIGKILL);
	spin_unlock_irqrestore(&victim->lock, flags);
}

void oom_kill(void)
{
	struct memory_stats mem;
	struct process *victim;
	bool dying;

	memory_stats(&mem);
	spin_lock(&process_tree_lock);
	victim = choose_victim(mem.total, &dying);
	if (victim)
		tell(victim, &mem);
	spin_unlock(&process_tree_lock);
	if (victim)
		counter_inc(&oom_kills);
	else if (!dying)
		counter_inc(&oom_no_victim);
}

void oom_last(struct oom_record *out)
{
	spin_lock(&process_tree_lock);
	*out = last;
	spin_unlock(&process_tree_lock);
}
