// SPDX-License-Identifier: BSD-2-Clause
/* The contents of a core file: an ELF image with the notes that debuggers know and the memory that cannot be
 * had from files. System V gABI chapter 5; core(5); Linux's uapi linux/elfcore.h for the notes' layout. */
#include "arch/fpu.h"
#include "base/string.h"
#include "coredump.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include <linux/elf.h>

#define CHUNK	  KIB(4)
#define FILE_NOTE KIB(256) /* the most that NT_FILE takes */

struct segment {
	u64 start, end, size; /* SIZE bytes of it are in the file */
	u64 offset;	      /* in the mapped file */
	u32 flags;
	struct file *file; /* reference held; NULL: anonymous */
};

struct note_time {
	s64 sec, usec;
};

struct note_status { /* struct elf_prstatus */
	int signo, code, err;
	short cursig;
	u64 pending, held;
	int pid, ppid, pgrp, sid;
	struct note_time user, system, child_user, child_system;
	u64 regs[ARCH_USER_REGS];
	int fpvalid;
};

struct note_info { /* struct elf_prpsinfo */
	char state, sname, zombie, nice;
	u64 flag;
	u32 uid, gid;
	int pid, ppid, pgrp, sid;
	char fname[16], args[80];
};

/* ---- notes, gathered in one buffer ---- */

struct notes {
	u8 *buf;
	size_t len, room;
	bool failed;
};

static void note_raw(struct notes *n, const void *data, size_t size)
{
	size_t need = n->len + ALIGN_UP(size, 4ul);

	if (need > n->room) {
		size_t room = ALIGN_UP(need * 2, PAGE_SIZE);
		u8 *buf = vmalloc(room);

		if (!buf) {
			n->failed = true;
			return;
		}
		if (n->buf) {
			memcpy(buf, n->buf, n->len);
			vfree(n->buf);
		}
		n->buf = buf;
		n->room = room;
	}
	memcpy(n->buf + n->len, data, size);
	memset(n->buf + n->len + size, 0, ALIGN_UP(size, 4ul) - size);
	n->len = need;
}

static void note(struct notes *n, const char *owner, u32 type, const void *data, size_t size)
{
	struct elf64_note h = {.n_namesz = (u32)strlen(owner) + 1, .n_descsz = (u32)size, .n_type = type};

	note_raw(n, &h, sizeof(h));
	note_raw(n, owner, h.n_namesz);
	note_raw(n, data, size);
}

static struct note_time time_of(u64 ns)
{
	return (struct note_time){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static void note_thread(struct notes *n, struct thread *t, const siginfo_t *info)
{
	struct process *p = t->proc;
	struct note_status s = {.cursig = (short)info->si_signo,
				.signo = info->si_signo,
				.code = info->si_code,
				.pending = t->sig.pending.pending,
				.held = t->sig.blocked,
				.pid = (int)t->tid,
				.ppid = (int)process_ppid(p),
				.pgrp = (int)p->pgid,
				.sid = (int)p->sid,
				.fpvalid = 1};
	u64 user, system;

	thread_times(t, &user, &system);
	s.user = time_of(user);
	s.system = time_of(system);
	s.child_user = time_of(p->child_user_ns);
	s.child_system = time_of(p->child_system_ns);
	arch_ptrace_get_regs(t, s.regs);
	note(n, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void note_fpu(struct notes *n, struct thread *t)
{
	void *fpu = kmalloc(fpu_regset_size());

	if (!fpu) {
		n->failed = true;
		return;
	}
	fpu_regset_get(t, fpu);
	note(n, "CORE", NT_PRFPREG, fpu, 512);
	if (fpu_regset_extended())
		note(n, "LINUX", NT_X86_XSTATE, fpu, fpu_regset_size());
	kfree(fpu);
}

static void note_process(struct notes *n)
{
	struct process *p = current->proc;
	struct note_info i = {.sname = 'R',
			      .nice = (char)p->nice,
			      .uid = current_cred()->uid,
			      .gid = current_cred()->gid,
			      .pid = (int)p->pid,
			      .ppid = (int)process_ppid(p),
			      .pgrp = (int)p->pgid,
			      .sid = (int)p->sid};
	size_t len = min((size_t)(p->arg_end - p->arg_start), sizeof(i.args) - 1);

	memcpy(i.fname, current->name, min(sizeof(i.fname), sizeof(current->name)));
	len = vm_access(p->vm, p->arg_start, i.args, len, false);
	for (size_t k = 0; k < len; k++)
		if (!i.args[k])
			i.args[k] = ' ';
	note(n, "CORE", NT_PRPSINFO, &i, sizeof(i));
}

/* NT_FILE: count, page size, {start, end, page offset} of each file mapping, then their names. */
static void note_files(struct notes *n, const struct segment *seg, unsigned count)
{
	char *text = vmalloc(FILE_NOTE), *page = kmalloc(PAGE_SIZE);
	u64 *head = (u64 *)text, files = 0;
	size_t at;

	if (!text || !page)
		goto out;
	for (unsigned i = 0; i < count; i++)
		files += seg[i].file != NULL;
	at = (2 + 3 * files) * sizeof(u64);
	if (at >= FILE_NOTE)
		goto out;
	*head++ = files;
	*head++ = PAGE_SIZE;
	for (unsigned i = 0; i < count; i++) {
		char *name;
		size_t len;

		if (!seg[i].file)
			continue;
		*head++ = seg[i].start;
		*head++ = seg[i].end;
		*head++ = seg[i].offset >> PAGE_SHIFT;
		name = path_text(&seg[i].file->path, page, PAGE_SIZE);
		if (IS_ERR(name))
			name = "?";
		len = strlen(name) + 1;
		if (len > FILE_NOTE - at)
			goto out;
		memcpy(text + at, name, len);
		at += len;
	}
	note(n, "CORE", NT_FILE, text, at);
out:
	kfree(page);
	vfree(text);
}

static void gather_notes(struct notes *n, const siginfo_t *info, const struct segment *seg, unsigned count)
{
	struct process *p = current->proc;
	struct thread *t;

	note_thread(n, current, info);
	note_process(n);
	note(n, "CORE", NT_SIGINFO, info, sizeof(*info));
	note(n, "CORE", NT_AUXV, p->auxv, p->auxv_len * sizeof(u64));
	note_files(n, seg, count);
	note_fpu(n, current);
	/* Parked threads stay until the dump is done. */
	for (u32 tid = 1; (t = process_thread_next(p, tid)); tid = t->tid + 1, thread_put(t)) {
		if (t == current || t->sig.leaving)
			continue;
		note_thread(n, t, info);
		note_fpu(n, t);
	}
}

/* ---- memory ---- */

/* How much of V goes into the file: all that differs from files, and the first page of a mapped ELF file, by
 * which debuggers know which build it is. */
static u64 dumped_size(struct vma *v)
{
	struct vma_usage u;

	if (v->flags & (VMA_DONTDUMP | VMA_IO))
		return 0;
	if (v->flags & VMA_SPECIAL)
		return v->flags & VMA_EXEC ? v->end - v->start : 0; /* the vDSO, not its data */
	vma_usage(v, &u);
	if (u.anonymous ||
	    (v->flags & VMA_SHARED && v->file && v->file->path.dentry && path_unlinked(&v->file->path)))
		return v->end - v->start;
	return v->file && !v->pgoff && v->flags & VMA_READ ? PAGE_SIZE : 0;
}

static unsigned collect(struct vmspace *vm, struct segment *seg, unsigned room)
{
	unsigned n = 0;

	rwlock_read_lock(&vm->lock);
	for (struct vma *v = vma_find(vm, 0); v && n < room; v = vma_next(v)) {
		seg[n] = (struct segment){.start = v->start,
					  .end = v->end,
					  .size = dumped_size(v),
					  .offset = v->pgoff << PAGE_SHIFT,
					  .flags = v->flags};
		if (v->file && !(v->flags & VMA_SPECIAL)) {
			file_get(v->file);
			seg[n].file = v->file;
		}
		n++;
	}
	rwlock_read_unlock(&vm->lock);
	return n;
}

static void write_segment(struct core_writer *w, struct vmspace *vm, const struct segment *s, u8 *page)
{
	for (u64 at = 0; at < s->size && !w->failed; at += CHUNK) {
		size_t n = (size_t)min(s->size - at, (u64)CHUNK);
		size_t got = vm_read_present(vm, s->start + at, page, n);

		/* What is not there is zero in anonymous memory, and in the file elsewhere. */
		if (got < n && s->file)
			got = ptrace_access(vm, s->start + at, page, n, false);
		if (got == n)
			core_write(w, page, n);
		else
			core_skip(w, n);
		cond_resched();
	}
}

static struct elf64_phdr segment_header(const struct segment *s, u64 offset)
{
	return (struct elf64_phdr){
		.p_type = PT_LOAD,
		.p_flags = (s->flags & VMA_READ ? PF_R : 0) | (s->flags & VMA_WRITE ? PF_W : 0) |
			   (s->flags & VMA_EXEC ? PF_X : 0),
		.p_offset = offset,
		.p_vaddr = s->start,
		.p_filesz = s->size,
		.p_memsz = s->end - s->start,
		.p_align = PAGE_SIZE,
	};
}

static void write_headers(struct core_writer *w, const struct notes *notes, const struct segment *seg,
			  unsigned count, u64 data)
{
	struct elf64_hdr h = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(struct elf64_phdr),
		.e_phnum = (u16)(count + 1)};
	struct elf64_phdr note = {.p_type = PT_NOTE,
				  .p_offset = sizeof(h) + (count + 1) * sizeof(note),
				  .p_filesz = notes->len,
				  .p_align = 4};

	core_write(w, &h, sizeof(h));
	core_write(w, &note, sizeof(note));
	for (unsigned i = 0; i < count; i++) {
		struct elf64_phdr p = segment_header(&seg[i], data);

		core_write(w, &p, sizeof(p));
		data += seg[i].size;
	}
	core_write(w, notes->buf, notes->len);
}

void coredump_write_elf(struct core_writer *w, const siginfo_t *info)
{
	struct vmspace *vm = current->vm;
	unsigned room = min(vm->nvmas + 16u, 65000u), count;
	struct segment *seg = vmalloc(room * sizeof(*seg));
	struct notes notes = {0};
	u8 *page = kmalloc(CHUNK);
	u64 data;

	if (!seg || !page) {
		w->failed = true;
		goto out;
	}
	count = collect(vm, seg, room);
	gather_notes(&notes, info, seg, count);
	w->failed |= notes.failed;
	if (!w->failed) {
		data = ALIGN_UP(sizeof(struct elf64_hdr) + (count + 1) * sizeof(struct elf64_phdr) +
					notes.len,
				PAGE_SIZE);
		write_headers(w, &notes, seg, count, data);
		w->pos = data;
		for (unsigned i = 0; i < count && !w->failed; i++)
			write_segment(w, vm, &seg[i], page);
		/* A hole at the end belongs to the file too. */
		if (!w->failed && w->pos > w->file->inode->size && w->pos <= w->limit)
			(void)!file_truncate(w->file, w->pos);
	}
	for (unsigned i = 0; i < count; i++)
		if (seg[i].file)
			file_put(seg[i].file);
out:
	if (notes.buf)
		vfree(notes.buf);
	kfree(page);
	if (seg)
		vfree(seg);
}
