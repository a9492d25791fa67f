// SPDX-License-Identifier: BSD-2-Clause
/* Terminals: the object, reading, writing and polling, and terminals on character devices.
 *
 * A terminal on a chardev is made when it is first opened and stays. Input is processed when it arrives (a
 * wake-up of the chardev queues work for a thread), not when it is read, so that an interrupt character works
 * while nobody reads. */
#include "tty.h"
#include "base/string.h"
#include "devfs.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/signal.h"

#define CHUNK 256

static DEFINE_MUTEX(ttys_lock); /* guards the list; inside tty.lock */
static LIST_HEAD(ttys);

void tty_reset(struct tty *t)
{
	static const u8 cc[NCCS] = {
		[VINTR] = 3,	 [VQUIT] = 28,	 [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
		[VMIN] = 1,	 [VSTART] = 17,	 [VSTOP] = 19,	 [VSUSP] = 26, [VREPRINT] = 18,
		[VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
	};

	t->termios = (struct ktermios){
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_ispeed = 38400,
		.c_ospeed = 38400,
	};
	memcpy(t->termios.c_cc, cc, sizeof cc);
	t->winsize = (struct winsize){0};
	t->tail = t->canon = t->head = 0;
	t->column = t->canon_column = 0;
	t->literal = t->stopped = t->exclusive = false;
	t->sid = t->pgid = 0;
}

void tty_init(struct tty *t, const struct tty_ops *ops, void *priv, u64 rdev)
{
	mutex_init(&t->lock);
	waitq_init(&t->waitq);
	t->ops = ops;
	t->priv = priv;
	t->rdev = rdev;
	tty_reset(t);
}

void tty_register(struct tty *t)
{
	mutex_lock(&ttys_lock);
	list_add_tail(&t->node, &ttys);
	mutex_unlock(&ttys_lock);
}

bool tty_is_hung_up(struct tty *t)
{
	return t->ops->hung_up && t->ops->hung_up(t);
}

struct tty *tty_of_session(u32 sid)
{
	struct tty *t, *found = NULL;

	mutex_lock(&ttys_lock);
	list_for_each_entry (t, &ttys, node)
		if (sid && t->sid == sid)
			found = t;
	mutex_unlock(&ttys_lock);
	return found;
}

/* Reading */

/* When a read that has GOT characters gives up waiting. WAIT_FOREVER, or a deadline; 0: at once (MIN and TIME
 * zero). */
static u64 read_deadline(struct tty *t, size_t got, u64 started)
{
	u64 time = t->termios.c_cc[VTIME] * (NSEC_PER_SEC / 10);

	if (t->termios.c_lflag & ICANON)
		return WAIT_FOREVER;
	if (!t->termios.c_cc[VMIN])
		return time ? started + time : 0;
	return time && got ? clock_monotonic() + time : WAIT_FOREVER;
}

/* Has a read of up to N characters got enough? */
static bool read_done(struct tty *t, size_t got, size_t n)
{
	if (!got)
		return false;
	return (t->termios.c_lflag & ICANON) || got >= n || got >= t->termios.c_cc[VMIN];
}

/* One step with the lock held: characters moved, or -errno. *EOF ends the read. */
static ssize_t read_step(struct tty *t, struct iter *to, bool *eof)
{
	u8 chunk[CHUNK];
	int err = tty_job_control(t, SIGTTIN);
	ssize_t total = 0;

	if (err)
		return err;
	while (to->left && tty_can_read(t)) {
		bool canonical = t->termios.c_lflag & ICANON;
		size_t n = tty_take(t, chunk, min(to->left, sizeof chunk), eof);

		if (iter_copy_out(to, chunk, n) != n)
			return total ? total : -EFAULT;
		total += (ssize_t)n;
		/* A line may be longer than the chunk; it ends where a take stopped short, or with its
		 * newline. */
		if (*eof || (canonical && (n < sizeof chunk || chunk[n - 1] == '\n')))
			break;
	}
	return total;
}

ssize_t tty_file_read(struct file *f, struct iter *to, u64 *pos __maybe_unused)
{
	struct tty *t = f->priv;
	u64 started = clock_monotonic();
	size_t got = 0, want = to->left;
	bool eof = false;

	while (to->left) {
		u64 deadline;
		ssize_t n;
		int err;

		mutex_lock(&t->lock);
		n = read_step(t, to, &eof);
		if (n > 0)
			got += (size_t)n;
		deadline = read_deadline(t, got, started);
		mutex_unlock(&t->lock);
		if (n < 0)
			return got ? (ssize_t)got : n;
		if (eof || read_done(t, got, want) || tty_is_hung_up(t))
			break;
		if (!deadline)
			break;
		if (file_nonblock(f))
			return got ? (ssize_t)got : -EAGAIN;
		err = wait_event_interruptible_until(&t->waitq, tty_can_read(t) || tty_is_hung_up(t),
						     deadline);
		if (err == -ETIMEDOUT)
			break;
		if (err)
			return got ? (ssize_t)got : err;
	}
	return (ssize_t)got;
}

/* Writing */

static size_t put_raw(struct tty *t, const void *buf, size_t n)
{
	return t->ops->write(t, buf, min(n, t->ops->room(t)));
}

static void track_column(struct tty *t, u8 c)
{
	if (c == '\n' || c == '\r')
		t->column = 0;
	else if (c == '\b')
		t->column -= t->column > 0;
	else if (c == '\t')
		t->column = (t->column | 7) + 1;
	else if (c >= 0x20 && c != 0x7f && (c & 0xc0) != 0x80)
		t->column++;
}

bool tty_output(struct tty *t, u8 c)
{
	u32 oflag = t->termios.c_oflag;
	u8 out[8] = {c};
	size_t n = 1;

	if (oflag & OPOST) {
		if (c == '\n' && (oflag & ONLCR)) {
			out[0] = '\r';
			out[1] = '\n';
			n = 2;
		} else if (c == '\r' && (oflag & ONOCR) && !t->column) {
			return true;
		} else if (c == '\r' && (oflag & OCRNL)) {
			out[0] = '\n';
		} else if (c == '\t' && (oflag & TABDLY) == XTABS) {
			n = 8 - (t->column & 7);
			memset(out, ' ', n);
		} else if ((oflag & OLCUC) && c >= 'a' && c <= 'z') {
			out[0] = c - ('a' - 'A');
		}
	}
	if (t->ops->room(t) < n)
		return false;
	t->ops->write(t, out, n);
	track_column(t, c);
	return true;
}

/* Characters taken of N. Runs that need no processing go out as a whole. */
static size_t write_chunk(struct tty *t, const u8 *buf, size_t n)
{
	size_t done = 0;

	if (!(t->termios.c_oflag & OPOST))
		return put_raw(t, buf, n);
	while (done < n) {
		size_t run = done, sent;

		while (run < n && buf[run] >= 0x20 && !(t->termios.c_oflag & OLCUC))
			run++;
		if (run == done) {
			if (!tty_output(t, buf[done]))
				break;
			done++;
			continue;
		}
		sent = put_raw(t, buf + done, run - done);
		for (size_t i = 0; i < sent; i++)
			track_column(t, buf[done + i]);
		done += sent;
		if (done < run)
			break;
	}
	return done;
}

static bool can_write(struct tty *t)
{
	return (!READ_ONCE(t->stopped) && t->ops->room(t) >= 8) || tty_is_hung_up(t);
}

static ssize_t write_step(struct tty *t, struct iter *from)
{
	u8 chunk[CHUNK];
	size_t n, sent = 0;
	int err = t->termios.c_lflag & TOSTOP ? tty_job_control(t, SIGTTOU) : 0;

	if (err)
		return err;
	n = iter_copy_in(from, chunk, min(from->left, sizeof chunk));
	if (!n)
		return -EFAULT;
	if (!t->stopped)
		sent = write_chunk(t, chunk, n);
	iter_revert(from, n - sent);
	return (ssize_t)sent;
}

ssize_t tty_file_write(struct file *f, struct iter *from, u64 *pos __maybe_unused)
{
	struct tty *t = f->priv;
	ssize_t total = 0;

	while (from->left) {
		ssize_t n;
		int err;

		if (tty_is_hung_up(t))
			return total ? total : -EIO;
		mutex_lock(&t->lock);
		n = write_step(t, from);
		mutex_unlock(&t->lock);
		if (n < 0)
			return total ? total : n;
		total += n;
		if (n)
			continue;
		if (file_nonblock(f))
			return total ? total : -EAGAIN;
		err = wait_event_interruptible(&t->waitq, can_write(t));
		if (err)
			return total ? total : err;
	}
	return total;
}

/* Would a read that waits for MIN characters have them? */
static bool poll_can_read(struct tty *t)
{
	const u8 *cc = t->termios.c_cc;
	u32 least = t->termios.c_lflag & ICANON || cc[VTIME] ? 1 : max(cc[VMIN], (u8)1);

	return READ_ONCE(t->canon) - READ_ONCE(t->tail) >= least;
}

u32 tty_file_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->priv;
	u32 mask = 0;

	poll_wait(f, &t->waitq, pt);
	if (poll_can_read(t))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (can_write(t))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (tty_is_hung_up(t))
		mask |= EPOLLHUP | EPOLLERR | EPOLLIN | EPOLLRDNORM;
	return mask;
}

static long tty_file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	return tty_ioctl(f, f->priv, cmd, arg);
}

static int tty_file_fsync(struct file *f, bool data_only __maybe_unused)
{
	struct tty *t = f->priv;

	if (t->ops->drain)
		t->ops->drain(t);
	return 0;
}

const struct file_ops tty_file_ops = {
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_file_ioctl,
	.fsync = tty_file_fsync,
};

int tty_open_controlling(struct file *f)
{
	struct tty *t = tty_of_session(current_process()->sid);

	if (!t)
		return -ENXIO;
	f->priv = t;
	f->ops = &tty_file_ops;
	return 0;
}

u64 tty_session_terminal(u32 sid, int *pgid)
{
	struct tty *t = tty_of_session(sid);

	*pgid = t ? (int)t->pgid : -1;
	return t ? t->rdev : 0;
}

void tty_session_ended(u32 sid)
{
	struct tty *t = tty_of_session(sid);

	if (!t)
		return;
	mutex_lock(&t->lock);
	if (t->sid == sid) {
		tty_signal_group(t, SIGHUP);
		tty_signal_group(t, SIGCONT);
		t->sid = t->pgid = 0;
	}
	mutex_unlock(&t->lock);
}
