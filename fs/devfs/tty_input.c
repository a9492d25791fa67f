// SPDX-License-Identifier: BSD-2-Clause
/* The line discipline: what becomes of characters that arrive, and what a reader gets (POSIX.1-2017 11.1.5
 * to 11.1.9).
 *
 * Positions tail <= canon <= head count characters for ever and index the ring modulo its size. In canonical
 * mode only whole lines, [tail, canon), can be read; editing works on [canon, head). Otherwise canon follows
 * head. */
#include "base/string.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "tty.h"

#define DISABLED 0 /* a control character set to this does not exist */

static bool l_flag(const struct tty *t, u32 flag)
{
	return t->termios.c_lflag & flag;
}

static bool is_cc(const struct tty *t, int which, u8 c)
{
	return c != DISABLED && t->termios.c_cc[which] == c;
}

static bool eol_get(const struct tty *t, u32 pos)
{
	return t->eol[pos % TTY_BUFFER / 8] >> (pos % 8) & 1;
}

static void eol_put(struct tty *t, u32 pos, bool on)
{
	u8 *byte = &t->eol[pos % TTY_BUFFER / 8], bit = (u8)(1u << (pos % 8));

	*byte = on ? *byte | bit : *byte & (u8)~bit;
}

size_t tty_receive_room(struct tty *t)
{
	size_t used = t->head - t->tail;

	/* A full line of editing drops what follows instead of stopping the flow: its end must get through.
	 */
	if (l_flag(t, ICANON) && t->canon == t->tail)
		return TTY_BUFFER;
	return used < TTY_BUFFER - 1 ? TTY_BUFFER - 1 - used : 0;
}

/* The last place is kept for the character that ends a line. */
static bool put(struct tty *t, u8 c, bool ends_line)
{
	if (t->head - t->tail >= TTY_BUFFER - (ends_line ? 0 : 1))
		return false;
	t->buf[t->head % TTY_BUFFER] = c;
	eol_put(t, t->head, ends_line);
	t->head++;
	if (ends_line || !l_flag(t, ICANON))
		t->canon = t->head;
	return true;
}

static void wake_readers(struct tty *t)
{
	waitq_wake(&t->waitq, ~0u, EPOLLIN | EPOLLRDNORM);
}

static bool shows_as_caret(const struct tty *t, u8 c)
{
	return l_flag(t, ECHOCTL) && (c < 0x20 || c == 0x7f) && c != '\t' && c != '\n';
}

void tty_echo(struct tty *t, u8 c)
{
	if (shows_as_caret(t, c)) {
		tty_output(t, '^');
		tty_output(t, c ^ 0x40);
	} else {
		tty_output(t, c);
	}
}

static bool is_utf8_tail(const struct tty *t, u8 c)
{
	return (t->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* Columns that the line being edited takes up to position END. */
static u32 line_columns(const struct tty *t, u32 end)
{
	u32 col = t->canon_column;

	for (u32 p = t->canon; p != end; p++) {
		u8 c = t->buf[p % TTY_BUFFER];

		if (c == '\t')
			col = (col | 7) + 1;
		else if (shows_as_caret(t, c))
			col += 2;
		else if (c >= 0x20 && !is_utf8_tail(t, c))
			col++;
	}
	return col;
}

/* Take the last character of the line being edited off the line and, with ECHOE, off the screen. */
static void erase_one(struct tty *t, u8 key)
{
	u32 before, after;

	if (t->head == t->canon)
		return;
	before = line_columns(t, t->head);
	do
		t->head--;
	while (t->head != t->canon && is_utf8_tail(t, t->buf[t->head % TTY_BUFFER]));
	if (!l_flag(t, ECHO))
		return;
	if (!l_flag(t, ECHOE)) {
		tty_echo(t, key);
		return;
	}
	after = line_columns(t, t->head);
	if (t->buf[t->head % TTY_BUFFER] == '\t') {
		for (; before > after; before--)
			tty_output(t, '\b');
		return;
	}
	for (; before > after; before--) {
		tty_output(t, '\b');
		tty_output(t, ' ');
		tty_output(t, '\b');
	}
}

static bool is_word(u8 c)
{
	return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static void erase_word(struct tty *t, u8 key)
{
	while (t->head != t->canon && !is_word(t->buf[(t->head - 1) % TTY_BUFFER]))
		erase_one(t, key);
	while (t->head != t->canon && is_word(t->buf[(t->head - 1) % TTY_BUFFER]))
		erase_one(t, key);
}

static void erase_line(struct tty *t, u8 key)
{
	if (l_flag(t, ECHOKE) && l_flag(t, ECHOE)) {
		while (t->head != t->canon)
			erase_one(t, key);
		return;
	}
	t->head = t->canon;
	if (l_flag(t, ECHO)) {
		tty_echo(t, key);
		if (l_flag(t, ECHOK))
			tty_output(t, '\n');
	}
}

static void reprint(struct tty *t, u8 key)
{
	tty_echo(t, key);
	tty_output(t, '\n');
	for (u32 p = t->canon; p != t->head; p++)
		tty_echo(t, t->buf[p % TTY_BUFFER]);
}

/* Start-stop control and signals. True when C is used up. */
static bool receive_control(struct tty *t, u8 c)
{
	static const struct {
		int cc, sig;
	} signals[] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};

	if (t->termios.c_iflag & IXON) {
		if (is_cc(t, VSTART, c) || is_cc(t, VSTOP, c)) {
			t->stopped = !is_cc(t, VSTART, c);
			if (!t->stopped)
				waitq_wake(&t->waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
			return true;
		}
		if (t->stopped && (t->termios.c_iflag & IXANY)) {
			t->stopped = false;
			waitq_wake(&t->waitq, ~0u, EPOLLOUT | EPOLLWRNORM);
		}
	}
	for (size_t i = 0; l_flag(t, ISIG) && i < ARRAY_SIZE(signals); i++) {
		if (!is_cc(t, signals[i].cc, c))
			continue;
		if (!l_flag(t, NOFLSH)) {
			tty_flush_input(t);
			if (t->ops->flush)
				t->ops->flush(t);
		}
		if (l_flag(t, ECHO))
			tty_echo(t, c);
		tty_signal_group(t, signals[i].sig);
		return true;
	}
	return false;
}

/* Editing keys of canonical mode. True when C is used up. */
static bool receive_editing(struct tty *t, u8 c)
{
	bool extended = l_flag(t, IEXTEN);

	if (is_cc(t, VERASE, c)) {
		erase_one(t, c);
	} else if (is_cc(t, VKILL, c)) {
		erase_line(t, c);
	} else if (extended && is_cc(t, VWERASE, c)) {
		erase_word(t, c);
	} else if (extended && is_cc(t, VREPRINT, c) && l_flag(t, ECHO)) {
		reprint(t, c);
	} else if (extended && is_cc(t, VLNEXT, c)) {
		t->literal = true;
		if (l_flag(t, ECHO) && l_flag(t, ECHOCTL)) {
			tty_output(t, '^');
			tty_output(t, '\b');
		}
	} else {
		return false;
	}
	return true;
}

/* Characters that end a line. True when C is used up. */
static bool receive_line_end(struct tty *t, u8 c)
{
	if (c == '\n') {
		if (l_flag(t, ECHO) || l_flag(t, ECHONL))
			tty_output(t, '\n');
		put(t, '\n', true);
	} else if (is_cc(t, VEOF, c)) {
		put(t, 0, true);
	} else if (is_cc(t, VEOL, c) || (l_flag(t, IEXTEN) && is_cc(t, VEOL2, c))) {
		if (l_flag(t, ECHO))
			tty_echo(t, c);
		put(t, c, true);
	} else {
		return false;
	}
	wake_readers(t);
	return true;
}

static void receive_one(struct tty *t, u8 c)
{
	u32 iflag = t->termios.c_iflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (iflag & IUCLC && l_flag(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c |= 0x20;
	if (t->literal) {
		t->literal = false;
	} else {
		if (receive_control(t, c))
			return;
		if (c == '\r' && (iflag & IGNCR))
			return;
		if (c == '\r' && (iflag & ICRNL))
			c = '\n';
		else if (c == '\n' && (iflag & INLCR))
			c = '\r';
		if (l_flag(t, ICANON) && (receive_editing(t, c) || receive_line_end(t, c)))
			return;
	}
	if (t->head == t->canon)
		t->canon_column = t->column;
	if (c == 0xff && iflag & PARMRK)
		put(t, c, false); /* one alone would mark an error */
	if (!put(t, c, false)) {
		if (iflag & IMAXBEL)
			tty_output(t, '\a');
		return;
	}
	if (l_flag(t, ECHO))
		tty_echo(t, c);
	if (!l_flag(t, ICANON))
		wake_readers(t);
}

void tty_receive(struct tty *t, const u8 *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		receive_one(t, buf[i]);
}

bool tty_can_read(struct tty *t)
{
	return READ_ONCE(t->canon) != READ_ONCE(t->tail);
}

size_t tty_take(struct tty *t, u8 *buf, size_t n, bool *eof)
{
	size_t got = 0;

	*eof = false;
	while (got < n && t->tail != t->canon) {
		u8 c = t->buf[t->tail % TTY_BUFFER];
		bool end = l_flag(t, ICANON) && eol_get(t, t->tail);

		t->tail++;
		if (end && c == DISABLED) {
			*eof = !got;
			break;
		}
		buf[got++] = c;
		if (end)
			break;
	}
	if (t->ops->unthrottle)
		t->ops->unthrottle(t);
	return got;
}

size_t tty_input_available(struct tty *t)
{
	size_t n = t->canon - t->tail;

	if (l_flag(t, ICANON))
		for (u32 p = t->tail; p != t->canon; p++)
			if (eol_get(t, p) && t->buf[p % TTY_BUFFER] == DISABLED)
				n--;
	return n;
}

void tty_flush_input(struct tty *t)
{
	t->tail = t->canon = t->head;
	t->literal = false;
	if (t->ops->unthrottle)
		t->ops->unthrottle(t);
}

/* ICANON changed: what was typed becomes readable, or what there is becomes one line. */
void tty_canon_changed(struct tty *t, bool was_canonical)
{
	if (was_canonical == l_flag(t, ICANON))
		return;
	if (!was_canonical && t->head != t->tail)
		eol_put(t, t->head - 1, true);
	t->canon = t->head;
	t->canon_column = t->column;
	if (t->canon != t->tail)
		wake_readers(t);
}
