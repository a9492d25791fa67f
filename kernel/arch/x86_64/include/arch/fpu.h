/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector and floating-point state. The kernel itself uses none of it (-mgeneral-regs-only), so the
 * application's state stays in the registers while the kernel runs, and is saved only on a context switch or
 * into a signal frame. */
#pragma once

#include "base/types.h"

struct thread;

/* Turns in a row with vector registers after which a thread is taken for a user of them; new programs start as one. */
#define FPU_LAZY_TURNS 3

/* Boot, then each CPU: choose XSAVEOPT, XSAVE or FXSAVE, enable the state components that the CPU offers. Early: what
 * is enabled is a part of what QEMU translates for. */
void fpu_init_boot(void);
void fpu_init_areas(void); /* once there are slabs */
void fpu_init_cpu(void);
/* Area for a new thread, in the initial state or as a copy of the live registers. NULL on no memory. */
void *fpu_area_create(bool inherit_live);
void fpu_area_free(void *area);
void fpu_switch(struct thread *prev, struct thread *next);
bool fpu_trap(void); /* #NM of an application, interrupts off: true when it may go on now */
int fpu_exception_code(bool simd); /* FPE_* of the pending x87 or SIMD exception */

/* Signal frames: standard-format XSAVE image (or a bare FXSAVE one), 64-byte aligned, with the
 * software-reserved words (FP_XSTATE_MAGIC1, extended size, features) and FP_XSTATE_MAGIC2 behind it. */
size_t fpu_frame_size(void);		      /* bytes, FP_XSTATE_MAGIC2 included */
int fpu_save_app(void __app *frame);	      /* writes the live state. 0 or -EFAULT */
int fpu_restore_app(const void __app *frame); /* loads it, sanitised; NULL: initial state. 0 or -EFAULT */
/* The state of a stopped (or, to read, the current) thread, for debuggers and core files; extended: in
 * XSAVE's format. */
size_t fpu_regset_size(void);
bool fpu_regset_extended(void);
void fpu_regset_get(struct thread *t, void *buf);
void fpu_regset_set(struct thread *t, const void *buf, bool legacy);
void fpu_reset(void); /* live registers to the initial state */
