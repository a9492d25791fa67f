// SPDX-License-Identifier: BSD-2-Clause
// Terminals: who gets one by opening it, and devices that can be waited for.
#include "abi.h"
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

static int open_pair(char name[64])
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n, zero = 0;

	if (m < 0 || ioctl(m, TIOCSPTLCK, &zero) || ioctl(m, TIOCGPTN, &n))
		return -1;
	snprintf(name, 64, "/dev/pts/%d", n);
	return m;
}

TEST(controlling_terminal)
{
	char name[64];
	int s;

	CHILD
	NEED(setsid() == getpid());
	NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
	NEED(open_pair(name) >= 0);
	NEED((s = open(name, O_RDWR | O_NOCTTY)) >= 0);
	NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
	NEED(open(name, O_WRONLY) >= 0); // only one that can be read
	NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
	NEED(open(name, O_RDWR) >= 0 && open("/dev/tty", O_RDWR) >= 0);
	NEED(tcgetsid(s) == getpid() && tcgetpgrp(s) == getpgrp());
	char other[64];
	int t;
	NEED(open_pair(other) >= 0 && (t = open(other, O_RDWR)) >= 0);
	NEED_ERR(tcgetsid(t), ENOTTY); // one is enough
	NEED_ERR(ioctl(t, TIOCSCTTY, 0), EPERM);
	pid_t p = fork();
	if (!p) { // a member of the session takes none
		NEED(!ioctl(s, TIOCNOTTY, 0));
		_exit(open(other, O_RDWR) >= 0 && open("/dev/tty", O_RDWR) < 0 ? 0 : 1);
	}
	int status;
	NEED(waitpid(p, &status, 0) == p);
	END_CHILD;
	CHILD // somebody else's
		NEED(setsid() == getpid());
	NEED(open_pair(name) >= 0 && open(name, O_RDWR) >= 0);
	pid_t p = fork();
	if (!p) {
		NEED(setsid() == getpid() && (s = open(name, O_RDWR)) >= 0);
		NEED_ERR(open("/dev/tty", O_RDWR), ENXIO);
		NEED(geteuid() || !ioctl(s, TIOCSCTTY, 1)); // root may steal it
		_exit(0);
	}
	int status;
	NEED(waitpid(p, &status, 0) == p);
	NEED(!status);
	END_CHILD;
}
