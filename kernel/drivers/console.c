/* SPDX-License-Identifier: BSD-2-Clause */
/* Where kernel messages go, and which device is /dev/console. console=DEV[,OPTIONS] words choose, as on
 * Linux: each names a device that gets the messages, the last one is /dev/console. Without words it is the
 * serial port, or, on a machine without one, hvc0. Until another device is up, only the serial port can
 * print. */

#include "base/string.h"
#include "kernel/cmdline.h"
#include "kernel/console.h"
#include "serial.h"

#define MAX_WORDS 8
/* Rounds of waiting for a device that is full before its share of a message is dropped. */
#define FULL_SPINS (1u << 20)

/* Does the console= word (up to its comma) name DEV? */
static bool word_is(const char *word, const char *dev)
{
	size_t n = strlen(dev);

	return !strncmp(word, dev, n) && (!word[n] || word[n] == ',');
}

static bool named(const char *dev)
{
	const char *word;

	for (unsigned i = 0; i < MAX_WORDS && (word = cmdline_get_nth("console", i)); i++)
		if (word_is(word, dev))
			return true;
	return false;
}

static bool any_named(void)
{
	const char *word = cmdline_get_nth("console", 0);

	return word && *word;
}

struct chardev *console_chardev(void)
{
	struct chardev *found = NULL, *cd;
	const char *word;

	for (unsigned i = 0; i < MAX_WORDS && (word = cmdline_get_nth("console", i)); i++)
		for (cd = chardev_next(NULL); cd; cd = chardev_next(cd))
			if (word_is(word, cd->name))
				found = cd;
	if (!found)
		found = chardev_find("ttyS0");
	return found ? found : chardev_find("hvc0");
}

/* All of S, line ends as CR LF, waiting for room as long as the host makes some. */
static void write_all(struct chardev *cd, const char *s, size_t n)
{
	unsigned spins = 0;

	while (n) {
		const char *nl = memchr(s, '\n', n);
		size_t chunk = nl == s ? 1 : nl ? (size_t)(nl - s) : n;
		size_t done = nl == s ? 2 * (cd->ops->write_room(cd) >= 2) : chunk;

		if (nl == s && done)
			done = cd->ops->write(cd, "\r\n", 2) ? 1 : 0;
		else if (nl != s)
			done = cd->ops->write(cd, s, chunk);
		if (!done) {
			if (++spins == FULL_SPINS)
				return;
			cpu_relax();
			continue;
		}
		s += done;
		n -= done;
	}
}

void console_write(const char *s, size_t n)
{
	bool words = any_named(), hvc = words ? named("hvc0") : !serial_present();
	struct chardev *cd = hvc ? chardev_find("hvc0") : NULL;

	if (!words || named("ttyS0"))
		serial_write_polled(s, n);
	if (cd)
		write_all(cd, s, n);
}
