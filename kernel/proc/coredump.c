// SPDX-License-Identifier: BSD-2-Clause
/* Core files: who gets one, under which name, and how the other threads are held meanwhile. core(5).
 *
 * The dying thread ends its process first, so that nothing starts any more; the others come to
 * coredump_park() on their way out and wait there. A pattern that names a program to pipe the core to is not
 * served: no core then. */
#include "coredump.h"
#include "base/format.h"
#include "base/string.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/counter.h"
#include "kernel/log.h"

#define NAME_SIZE      256
#define SUID_DUMP_ROOT 2

DEFINE_COUNTER(cores_dumped, "core files written");
DEFINE_COUNTER(core_dump_failed, "core files that could not be written");

char core_pattern[128] = "core";
u32 core_uses_pid;

/* ---- the name ---- */

struct name {
	char text[NAME_SIZE];
	size_t len;
	bool has_pid;
};

static void add(struct name *n, const char *s)
{
	while (*s && n->len < sizeof(n->text) - 1)
		n->text[n->len++] = *s++;
	n->text[n->len] = 0;
}

static void add_number(struct name *n, u64 v)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	add(n, buf);
}

/* Text from outside must not lead elsewhere. */
static void add_safe(struct name *n, const char *s, char slash)
{
	size_t from = n->len;

	add(n, s);
	for (; from < n->len; from++)
		if (n->text[from] == '/')
			n->text[from] = slash;
}

static void add_exe(struct name *n, bool whole)
{
	struct file *exe = process_get_exe(current->proc);
	char *page = kmalloc(PAGE_SIZE), *text = exe && page ? path_text(&exe->path, page, PAGE_SIZE) : NULL;
	const char *base = text && !IS_ERR(text) ? text : current->name;

	if (!whole && strrchr(base, '/'))
		base = strrchr(base, '/') + 1;
	add_safe(n, base, '!');
	kfree(page);
	if (exe)
		file_put(exe);
}

static void expand(struct name *n, char c, int sig)
{
	struct process *p = current->proc;
	char host[80];

	switch (c) {
	case '%':
		add(n, "%");
		break;
	case 'p':
	case 'P':
		n->has_pid = true;
		add_number(n, p->pid);
		break;
	case 'i':
	case 'I':
		add_number(n, current->tid);
		break;
	case 'u':
		add_number(n, current_cred()->uid);
		break;
	case 'g':
		add_number(n, current_cred()->gid);
		break;
	case 'd':
		add_number(n, p->dumpable);
		break;
	case 's':
		add_number(n, (u64)sig);
		break;
	case 't':
		add_number(n, clock_realtime() / NSEC_PER_SEC);
		break;
	case 'c':
		add_number(n, process_rlimit(RLIMIT_CORE));
		break;
	case 'h':
		system_hostname(host, sizeof(host));
		add_safe(n, host, '!');
		break;
	case 'e':
		add_safe(n, current->name, '!');
		break;
	case 'f':
		add_exe(n, false);
		break;
	case 'E':
		add_exe(n, true);
		break;
	}
}

static void make_name(struct name *n, int sig)
{
	*n = (struct name){.len = 0};
	for (const char *s = core_pattern; *s; s++) {
		char one[2] = {*s};

		if (*s != '%')
			add(n, one);
		else if (s[1])
			expand(n, *++s, sig);
	}
	if (core_uses_pid && !n->has_pid) {
		add(n, ".");
		add_number(n, current->proc->pid);
	}
}

/* ---- writing ---- */

void core_write(struct core_writer *w, const void *data, size_t n)
{
	size_t room = (size_t)min((u64)n, w->limit - min(w->pos, w->limit)), done = 0;

	while (!w->failed && done < room) {
		ssize_t put = file_write(w->file, (const char *)data + done, room - done, &w->pos);

		if (put <= 0)
			w->failed = true;
		else
			done += (size_t)put;
	}
	w->failed |= room < n;
}

void core_skip(struct core_writer *w, u64 n)
{
	w->pos += n;
}

/* fs.suid_dumpable=2: the core is root's, and where it goes is not up to whoever started the program. */
static int become_root(const char *name)
{
	struct cred *c = *name == '/' ? cred_prepare() : NULL;

	if (!c)
		return *name == '/' ? -ENOMEM : -EPERM;
	c->fsuid = 0;
	cred_install(current, c);
	return 0;
}

static struct file *open_core(int sig)
{
	struct name *n = kmalloc(sizeof(*n));
	struct file *f = ERR_PTR(-ENOMEM);
	u32 flags = O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK;
	int err;

	if (!n)
		return f;
	make_name(n, sig);
	err = *n->text ? 0 : -ENOENT;
	if (!err && current->proc->dumpable == SUID_DUMP_ROOT) {
		flags |= O_EXCL;
		err = become_root(n->text);
	}
	f = err ? ERR_PTR(err) : vfs_open(n->text, flags, 0600);
	kfree(n);
	if (IS_ERR(f))
		return f;
	/* Nobody is made to read our memory by a file that he put there. */
	if (!S_ISREG(f->inode->mode) || f->inode->nlink != 1 || f->inode->uid != current_cred()->fsuid) {
		file_put(f);
		return ERR_PTR(-EPERM);
	}
	return f;
}

/* ---- the other threads ---- */

void coredump_park(void)
{
	struct thread *t = current;
	struct process *p = t->proc;
	struct core_state *c;
	u64 flags;

	if (likely(!READ_ONCE(p->core)))
		return;
	flags = spin_lock_irqsave(&p->lock);
	c = p->core;
	if (c && c->dumper != t)
		c->parked++;
	else
		c = NULL;
	spin_unlock_irqrestore(&p->lock, flags);
	if (!c)
		return;
	waitq_wake_all(&c->waitq);
	wait_event(&c->waitq, READ_ONCE(c->done));
	flags = spin_lock_irqsave(&p->lock);
	c->parked--;
	spin_unlock_irqrestore(&p->lock, flags);
	waitq_wake_all(&c->waitq);
}

/* End the process with status SIG, and have the others parked. False: somebody else ends it already. */
static bool hold_others(struct core_state *c, int sig)
{
	struct process *p = current->proc;
	u64 flags = spin_lock_irqsave(&p->lock);
	bool mine = !p->group_exit && !p->exec_thread;

	if (mine) {
		p->core = c;
		process_kill_locked(p, sig);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (!mine)
		return false;
	/* What is to be done yet may sleep. */
	thread_clear_flag(current, THREAD_EXITING | THREAD_SIGPENDING);
	wait_event(&c->waitq, READ_ONCE(c->parked) + 1 >= READ_ONCE(p->nthreads));
	return true;
}

static void release_others(struct core_state *c, int status)
{
	struct process *p = current->proc;
	u64 flags = spin_lock_irqsave(&p->lock);

	p->exit_code = status;
	p->core = NULL;
	spin_unlock_irqrestore(&p->lock, flags);
	WRITE_ONCE(c->done, true);
	waitq_wake_all(&c->waitq);
	wait_event(&c->waitq, !READ_ONCE(c->parked));
	/* The last of them may still be in its wake-up. */
	spin_lock(&c->waitq.lock);
	spin_unlock(&c->waitq.lock);
}

static bool dump(int sig, const siginfo_t *info, u64 limit)
{
	struct core_writer w = {.limit = limit};

	w.file = open_core(sig);
	if (IS_ERR(w.file)) {
		log_info("%s[%u]: no core file: error %ld", current->name, current->proc->pid,
			 -PTR_ERR(w.file));
		return false;
	}
	if (file_truncate(w.file, 0))
		w.failed = true;
	else
		coredump_write_elf(&w, info);
	file_put(w.file);
	return w.pos > 0;
}

bool coredump(int sig, const siginfo_t *info)
{
	u64 limit = process_rlimit(RLIMIT_CORE);
	struct core_state c = {.dumper = current};
	bool done;

	if (limit < PAGE_SIZE || !current->proc->dumpable || core_pattern[0] == '|' || !core_pattern[0])
		return false;
	waitq_init(&c.waitq);
	if (!hold_others(&c, sig))
		return false;
	done = dump(sig, info, limit);
	counter_inc(done ? &cores_dumped : &core_dump_failed);
	release_others(&c, sig | (done ? 0x80 : 0));
	return true;
}
