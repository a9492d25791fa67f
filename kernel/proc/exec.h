/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a program: what the files exec*.c share. A new address space is built completely beside the old
 * one, so that every error up to the moment of the change leaves the caller as it was. */
#pragma once

#include "elf.h"
#include "proc.h"
#include "script.h"

#define EXEC_STRING_MAX	  (128u << 10) /* one argument or variable, with its NUL */
#define EXEC_SCRIPT_DEPTH 5	       /* interpreters that are scripts themselves */

/* Arguments and environment, as they will lie on the stack: argv strings, then envp strings, then the file's
 * name. */
struct exec_args {
	char *buf;
	size_t len, room;
	u32 argc, envc;
	size_t arg_bytes; /* of len: the argv strings */
	size_t limit;	  /* bytes that strings and pointers may take */
};

/* What a program's credentials will be: capabilities(7), "Transformation of capabilities during execve()". */
struct exec_cred {
	struct cred *new;
	bool secure;	 /* AT_SECURE: it gains something that its caller does not have */
	bool unreadable; /* the file may be run, but not read: neither may its memory */
};

struct exec {
	struct process *proc; /* whose program it will be */
	struct cred *old_cred; /* and what it has now */
	const char *filename; /* AT_EXECFN, comm */
	bool name_dies; /* FILENAME goes through a descriptor that closes on exec: no use to an interpreter */
	bool randomize;
	struct exec_args args;
	char head[SCRIPT_HEAD_SIZE]; /* of `file` */
	struct file *file;	     /* the program; writing it is denied */
	struct file *interp; /* its PT_INTERP, or NULL; writing it is denied while it is mapped here */
	struct elf64_hdr hdr, interp_hdr;
	struct elf64_phdr *ph, *interp_ph;
	struct elf_layout layout, interp_layout;
	u64 stack_limit; /* RLIMIT_STACK */
	struct exec_cred cred;

	struct vmspace *vm;
	u64 bias, interp_bias;
	u64 entry, sp, brk;
	u64 stack_top;
	u64 arg_start, arg_end, env_start, env_end;
	u64 auxv[64];
	u32 auxv_len; /* words */
};

/* exec_cred.c. What OLD becomes by PROGRAM. -EPERM: the file's capabilities cannot be had; -ENOMEM. */
int exec_cred_prepare(struct cred *old, const struct file *program, struct exec_cred *x);
void exec_cred_commit(struct thread *t, struct exec_cred *x);

/* exec_args.c */
int exec_args_init(struct exec_args *a, u64 stack_limit);
void exec_args_free(struct exec_args *a);
int exec_args_copy(struct exec_args *a, const char __app *const __app *argv,
		   const char __app *const __app *envp);
int exec_args_copy_kernel(struct exec_args *a, const char *const argv[], const char *const envp[]);
/* Put STRINGS in place of argv[0]: what a #! line does. */
int exec_args_replace_first(struct exec_args *a, const char *const strings[], unsigned n);
int exec_args_add_name(struct exec_args *a, const char *name);

/* exec_open.c */
/* Open PATH for execution: a regular file that may be run, protected against writers. ERR_PTR. */
struct file *exec_open(int dirfd, const char *path, u32 at_flags);
/* Find out what X->file is, following #! lines; validate the ELF file and its interpreter. */
int exec_identify(struct exec *x);

/* exec_load.c, exec_stack.c */
bool exec_randomize(const struct process *p);	  /* does P's program get random addresses? */
u64 exec_random(const struct exec *x, u64 range); /* a multiple of a page below RANGE, or 0 */
int exec_map(struct exec *x);			  /* fills x->vm, entry, brk */
int exec_build_stack(struct exec *x);
int exec_load(struct exec *x);	   /* identify, map, build the stack */
void exec_release(struct exec *x); /* whatever X still holds */
/* Hand what X holds over to P and T: names, auxv, exe. The vmspace is the caller's business. */
void exec_adopt(struct exec *x, struct process *p, struct thread *t);
