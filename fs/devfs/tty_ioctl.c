// SPDX-License-Identifier: BSD-2-Clause
/* Terminals: settings, window size, and job control (ioctl_tty(2), POSIX.1-2017 11.1.4). */
#include "base/err.h"
#include "base/string.h"
#include "kernel/app.h"
#include "kernel/process.h"
#include <linux/capability.h>
#include "kernel/signal.h"
#include "tty.h"
#include <asm/ioctls.h>

void tty_signal_group(struct tty *t, int sig)
{
	struct process *p;

	if (!t->pgid)
		return;
	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		if (p->pgid == t->pgid)
			signal_send_process(p, sig, NULL);
	}
}

int tty_job_control(struct tty *t, int sig)
{
	struct process *me = current_process();
	struct signal_summary s;
	struct process *p;

	if (!t->sid || t->sid != me->sid || !t->pgid || t->pgid == me->pgid)
		return 0;
	signal_summary(current, &s);
	if ((s.blocked | s.ignored) >> (sig - 1) & 1)
		return sig == SIGTTIN ? -EIO : 0;
	if (session_orphaned_group(me))
		return -EIO;
	for (u32 pid = 1; (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		if (p->pgid == me->pgid)
			signal_send_process(p, sig, NULL);
	}
	return -ERESTARTSYS;
}

static int set_controlling(struct tty *t, bool steal)
{
	struct process *me = current_process();

	if (me->sid != me->pid)
		return -EPERM;
	if (t->sid == me->sid)
		return 0;
	if (tty_of_session(me->sid))
		return -EPERM;
	if (t->sid && !(steal && process_capable(CAP_SYS_ADMIN)))
		return -EPERM;
	t->sid = me->sid;
	t->pgid = me->pgid;
	return 0;
}

void tty_opened(struct file *f, struct tty *t)
{
	struct process *me = current_process();

	if (f->flags & O_NOCTTY || !file_readable(f) || !me->sid)
		return;
	mutex_lock(&t->lock);
	if (!t->sid)
		(void)set_controlling(t, false);
	mutex_unlock(&t->lock);
}

static int give_up_controlling(struct tty *t)
{
	struct process *me = current_process();

	if (t->sid != me->sid)
		return -ENOTTY;
	if (me->sid == me->pid) {
		tty_signal_group(t, SIGHUP);
		tty_signal_group(t, SIGCONT);
		t->sid = t->pgid = 0;
	}
	return 0;
}

static bool group_in_session(u32 pgid, u32 sid)
{
	struct process *p;
	bool found = false;

	for (u32 pid = 1; !found && (p = process_next(pid)); process_put(p)) {
		pid = p->pid + 1;
		found = p->pgid == pgid && p->sid == sid;
	}
	return found;
}

static int set_group(struct tty *t, int pgid)
{
	struct process *me = current_process();
	int err;

	if (!t->sid || t->sid != me->sid)
		return -ENOTTY;
	if (pgid < 0)
		return -EINVAL;
	err = tty_job_control(t, SIGTTOU);
	if (err)
		return err;
	if (!group_in_session((u32)pgid, me->sid))
		return -EPERM;
	t->pgid = (u32)pgid;
	return 0;
}

/* Settings as the application sees them: struct termios (TCGETS) is a prefix of struct termios2. */
static int put_settings(const struct ktermios *k, unsigned long arg, bool two)
{
	struct termios2 out = {
		.c_iflag = k->c_iflag,
		.c_oflag = k->c_oflag,
		.c_cflag = k->c_cflag,
		.c_lflag = k->c_lflag,
		.c_line = k->c_line,
		.c_ispeed = k->c_ispeed,
		.c_ospeed = k->c_ospeed,
	};

	memcpy(out.c_cc, k->c_cc, sizeof out.c_cc);
	return copy_to_app((void __app *)arg, &out, two ? sizeof out : sizeof(struct termios));
}

/* TCGETA: the older structure has the lower halves of the flags and eight characters. */
static int put_settings_short(const struct ktermios *k, unsigned long arg)
{
	struct termio out = {
		.c_iflag = (u16)k->c_iflag,
		.c_oflag = (u16)k->c_oflag,
		.c_cflag = (u16)k->c_cflag,
		.c_lflag = (u16)k->c_lflag,
		.c_line = k->c_line,
	};

	memcpy(out.c_cc, k->c_cc, sizeof out.c_cc);
	return put_app(out, (struct termio __app *)arg);
}

/* What the older structure leaves out stays as it is. */
static void widen_settings(struct termios2 *out, const struct ktermios *now, const struct termio *in)
{
	out->c_iflag = (now->c_iflag & ~0xffffu) | in->c_iflag;
	out->c_oflag = (now->c_oflag & ~0xffffu) | in->c_oflag;
	out->c_cflag = (now->c_cflag & ~0xffffu) | in->c_cflag;
	out->c_lflag = (now->c_lflag & ~0xffffu) | in->c_lflag;
	out->c_line = in->c_line;
	memcpy(out->c_cc, now->c_cc, sizeof out->c_cc);
	memcpy(out->c_cc, in->c_cc, sizeof in->c_cc);
}

static u32 unlocked(u32 now, u32 wanted, u32 locked)
{
	return (now & locked) | (wanted & ~locked);
}

static int lock_settings(struct tty *t, const struct termios2 *in)
{
	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	t->locked.c_iflag = in->c_iflag;
	t->locked.c_oflag = in->c_oflag;
	t->locked.c_cflag = in->c_cflag;
	t->locked.c_lflag = in->c_lflag;
	t->locked.c_line = in->c_line;
	memcpy(t->locked.c_cc, in->c_cc, sizeof in->c_cc);
	return 0;
}

enum when { NOW, DRAIN, FLUSH };

static int set_settings(struct tty *t, const struct termios2 *in, bool two, enum when when)
{
	bool was_canonical = t->termios.c_lflag & ICANON;
	int err = tty_job_control(t, SIGTTOU);

	if (err)
		return err;
	if (when != NOW && t->ops->drain)
		t->ops->drain(t);
	if (when == FLUSH)
		tty_flush_input(t);
	t->termios.c_iflag = unlocked(t->termios.c_iflag, in->c_iflag, t->locked.c_iflag);
	t->termios.c_oflag = unlocked(t->termios.c_oflag, in->c_oflag, t->locked.c_oflag);
	t->termios.c_cflag = unlocked(t->termios.c_cflag, in->c_cflag, t->locked.c_cflag);
	t->termios.c_lflag = unlocked(t->termios.c_lflag, in->c_lflag, t->locked.c_lflag);
	if (!t->locked.c_line)
		t->termios.c_line = in->c_line;
	for (size_t i = 0; i < sizeof in->c_cc; i++)
		if (!t->locked.c_cc[i])
			t->termios.c_cc[i] = in->c_cc[i];
	if (two) {
		t->termios.c_ispeed = in->c_ispeed;
		t->termios.c_ospeed = in->c_ospeed;
	}
	if (!(t->termios.c_iflag & IXON) && t->stopped) {
		t->stopped = false;
		waitq_wake(&t->waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
	}
	tty_canon_changed(t, was_canonical);
	return 0;
}

static int set_window(struct tty *t, const struct winsize *w)
{
	if (!memcmp(&t->winsize, w, sizeof *w))
		return 0;
	t->winsize = *w;
	tty_signal_group(t, SIGWINCH);
	return 0;
}

static int flush(struct tty *t, unsigned long what)
{
	int err = tty_job_control(t, SIGTTOU);

	if (err)
		return err;
	if (what > TCIOFLUSH)
		return -EINVAL;
	if (what != TCOFLUSH)
		tty_flush_input(t);
	if (what != TCIFLUSH && t->ops->flush)
		t->ops->flush(t);
	return 0;
}

static int flow(struct tty *t, unsigned long what)
{
	u8 c;

	switch (what) {
	case TCOOFF:
		t->stopped = true;
		return 0;
	case TCOON:
		t->stopped = false;
		waitq_wake(&t->waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
		return 0;
	case TCIOFF:
	case TCION:
		c = t->termios.c_cc[what == TCIOFF ? VSTOP : VSTART];
		if (c)
			t->ops->write(t, &c, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Commands that need the lock; -ENOTTY for others. IN is what the application gave. */
static long locked_ioctl(struct tty *t, unsigned cmd, unsigned long arg, const void *in)
{
	struct termios2 wide;
	bool ours = t->sid && t->sid == current_process()->sid;

	switch (cmd) {
	case TCGETS:
		return put_settings(&t->termios, arg, false);
	case TCGETS2:
		return put_settings(&t->termios, arg, true);
	case TCGETA:
		return put_settings_short(&t->termios, arg);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		widen_settings(&wide, &t->termios, in);
		return set_settings(t, &wide, false, (enum when)(cmd - TCSETA));
	case TIOCGLCKTRMIOS:
		return put_settings(&t->locked, arg, false);
	case TIOCSLCKTRMIOS:
		return lock_settings(t, in);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, in, false, (enum when)(cmd - TCSETS));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_settings(t, in, true, (enum when)(cmd - TCSETS2));
	case TIOCGWINSZ:
		return copy_to_app((void __app *)arg, &t->winsize, sizeof t->winsize);
	case TIOCSWINSZ:
		return set_window(t, in);
	case FIONREAD:
		return put_app((int)tty_input_available(t), (int __app *)arg);
	case TIOCOUTQ:
		return put_app(t->ops->pending ? (int)t->ops->pending(t) : 0, (int __app *)arg);
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK:
	case TCSBRKP:
		if (t->ops->drain)
			t->ops->drain(t);
		return 0;
	case TIOCGPGRP:
		return ours ? put_app((int)t->pgid, (int __app *)arg) : -ENOTTY;
	case TIOCSPGRP:
		return set_group(t, *(const int *)in);
	case TIOCGSID:
		return ours ? put_app((int)t->sid, (int __app *)arg) : -ENOTTY;
	case TIOCSCTTY:
		return set_controlling(t, arg == 1);
	case TIOCNOTTY:
		return give_up_controlling(t);
	case TIOCGETD:
		return put_app((int)t->termios.c_line, (int __app *)arg);
	case TIOCSETD:
		return *(const int *)in ? -EINVAL : 0; /* only N_TTY */
	case TIOCEXCL:
	case TIOCNXCL:
		t->exclusive = cmd == TIOCEXCL;
		return 0;
	case TIOCGEXCL:
		return put_app((int)t->exclusive, (int __app *)arg);
	case TIOCGSOFTCAR:
		return put_app((int)!!(t->termios.c_cflag & CLOCAL), (int __app *)arg);
	case TIOCSSOFTCAR:
		t->termios.c_cflag = (t->termios.c_cflag & ~(u32)CLOCAL) | (*(const int *)in ? CLOCAL : 0);
		return 0;
	case TIOCGDEV:
		return put_app((u32)t->rdev, (u32 __app *)arg);
	case TIOCSBRK:
	case TIOCCBRK:
		return 0; /* no line that could be broken */
	case TIOCSTI:
		if (!ours && !process_capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_receive(t, in, 1);
		return 0;
	default:
		return -ENOTTY;
	}
}

static size_t input_size(unsigned cmd)
{
	switch (cmd) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TIOCSLCKTRMIOS:
		return sizeof(struct termios);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return sizeof(struct termio);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return sizeof(struct termios2);
	case TIOCSWINSZ:
		return sizeof(struct winsize);
	case TIOCSTI:
		return 1;
	case TIOCSPGRP:
	case TIOCSETD:
	case TIOCSSOFTCAR:
		return sizeof(int);
	default:
		return 0;
	}
}

long tty_ioctl(struct file *f __maybe_unused, struct tty *t, unsigned cmd, unsigned long arg)
{
	union {
		struct termios2 termios;
		struct termio termio;
		struct winsize winsize;
		int number;
	} in;
	size_t size = input_size(cmd);
	long ret;

	if (size && copy_from_app(&in, (const void __app *)arg, size))
		return -EFAULT;
	if (tty_is_hung_up(t))
		return -EIO;
	mutex_lock(&t->lock);
	ret = locked_ioctl(t, cmd, arg, &in);
	mutex_unlock(&t->lock);
	return ret;
}
