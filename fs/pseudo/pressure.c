/* SPDX-License-Identifier: BSD-2-Clause */
/* Pressure files, of /proc/pressure and of the control group: reading gives the averages, writing "some" or
 * "full" with a threshold and a window in us makes the descriptor a trigger, which poll waits for (EPOLLPRI).
 * One trigger a descriptor. */
#include "internal.h"
#include "base/format.h"
#include "kernel/clock.h"
#include "kernel/mutex.h"
#include "kernel/process.h"
#include "kernel/psi.h"
#include <linux/capability.h>

#define WINDOW_MIN_US 500000u
#define WINDOW_MAX_US 10000000u
#define TRIGGER_MAX   32u /* bytes looked at in /proc */

struct pressure_file {	   /* file->priv */
	struct mutex lock; /* guards text and the making of the trigger */
	enum psi_resource res;
	bool cgroup;
	size_t len;
	char text[256];
	struct psi_trigger *_Atomic trigger;
};

static size_t line_text(const struct psi_report *r, enum psi_degree d, char *buf, size_t size)
{
	static const unsigned seconds[PSI_AVERAGES] = {10, 60, 300};
	size_t n = (size_t)scnprintf(buf, size, "%s", d == PSI_SOME ? "some" : "full");

	for (unsigned i = 0; i < PSI_AVERAGES; i++) {
		u32 v = r->avg[d][i];

		n += (size_t)scnprintf(buf + n, size - n, " avg%u=%u.%02u", seconds[i], v >> PSI_SHIFT,
				       (v & ((1u << PSI_SHIFT) - 1)) * 100 >> PSI_SHIFT);
	}
	return n + (size_t)scnprintf(buf + n, size - n, " total=%llu\n",
				     (unsigned long long)(r->total[d] / NSEC_PER_USEC));
}

static ssize_t pressure_read(struct file *f, struct iter *to, u64 *pos)
{
	struct pressure_file *pf = f->priv;
	ssize_t ret = 0;

	mutex_lock(&pf->lock);
	if (!*pos) {
		struct psi_report r;

		psi_report(pf->res, &r);
		pf->len = line_text(&r, PSI_SOME, pf->text, sizeof pf->text);
		pf->len += line_text(&r, PSI_FULL, pf->text + pf->len, sizeof pf->text - pf->len);
	}
	if (*pos < pf->len && to->left) {
		ret = (ssize_t)iter_copy_out(to, pf->text + *pos, min(to->left, pf->len - (size_t)*pos));
		*pos += (u64)ret;
		if (!ret)
			ret = -EFAULT;
	}
	mutex_unlock(&pf->lock);
	return ret;
}

/* A decimal number after white space; NULL when there is none that fits. */
static const char *parse_number(const char *s, u32 *out)
{
	u64 v = 0;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (u64)(*s - '0');
		if (v > 0xffffffffu)
			return NULL;
	}
	*out = (u32)v;
	return s;
}

static struct psi_trigger *trigger_parse(enum psi_resource res, const char *text)
{
	enum psi_degree degree;
	u32 threshold, window;
	struct psi_trigger *t;

	if (!strncmp(text, "some", 4))
		degree = PSI_SOME;
	else if (!strncmp(text, "full", 4))
		degree = PSI_FULL;
	else
		return ERR_PTR(-EINVAL);
	text = parse_number(text + 4, &threshold);
	if (!text || !parse_number(text, &window) || window < WINDOW_MIN_US || window > WINDOW_MAX_US ||
	    !threshold || threshold > window)
		return ERR_PTR(-EINVAL);
	t = psi_trigger_create(res, degree, threshold * NSEC_PER_USEC, window * NSEC_PER_USEC);
	return t ? t : ERR_PTR(-ENOMEM);
}

static ssize_t pressure_write(struct file *f, struct iter *from, u64 *pos)
{
	struct pressure_file *pf = f->priv;
	size_t n = from->left,
	       used = pf->cgroup ? min(n, (size_t)TRIGGER_MAX * 2) : min(n, (size_t)TRIGGER_MAX);
	char text[TRIGGER_MAX * 2 + 1];
	struct psi_trigger *t;

	if (!n)
		return pf->cgroup ? 0 : -EINVAL;
	if (iter_copy_in(from, text, used) != used)
		return -EFAULT;
	/* In /proc the last byte stands for the end, whatever it is. */
	text[pf->cgroup ? used : used - 1] = '\0';
	mutex_lock(&pf->lock);
	t = pf->trigger ? ERR_PTR(-EBUSY) : trigger_parse(pf->res, text);
	if (!IS_ERR(t))
		pf->trigger = t;
	mutex_unlock(&pf->lock);
	if (IS_ERR(t))
		return PTR_ERR(t);
	*pos += n;
	return (ssize_t)n;
}

static u32 pressure_poll(struct file *f, struct poll_table *pt)
{
	struct pressure_file *pf = f->priv;
	struct psi_trigger *t = pf->trigger;
	u32 ready = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;

	if (!t)
		return ready | EPOLLERR | EPOLLPRI;
	return psi_trigger_poll(t, f, pt) ? ready | EPOLLPRI : ready;
}

static s64 pressure_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

static void pressure_release(struct file *f)
{
	struct pressure_file *pf = f->priv;

	if (pf->trigger)
		psi_trigger_destroy(pf->trigger);
	kfree(pf);
}

static const struct file_ops pressure_fops = {
	.read = pressure_read,
	.write = pressure_write,
	.poll = pressure_poll,
	.seek = pressure_seek,
	.release = pressure_release,
};

int pressure_open(const struct pseudo_ctx *ctx, struct file *f)
{
	const struct pseudo_fs *fs = f->inode->super->priv;
	struct pressure_file *pf;

	if (file_writable(f) && !process_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	pf = kzalloc(sizeof *pf);
	if (!pf)
		return -ENOMEM;
	mutex_init(&pf->lock);
	pf->res = *(const enum psi_resource *)ctx->arg;
	pf->cgroup = !fs->fixed_modes;
	f->priv = pf;
	f->ops = &pressure_fops;
	return 0;
}

const enum psi_resource pressure_io = PSI_IO, pressure_memory = PSI_MEMORY, pressure_cpu = PSI_CPU;
