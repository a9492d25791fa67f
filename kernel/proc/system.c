// SPDX-License-Identifier: BSD-2-Clause
/* Calls about the machine as a whole: uname(2), sethostname(2), setdomainname(2), sysinfo(2), getrandom(2),
 * reboot(2), syslog(2), vhangup(2). */
#include "base/string.h"
#include "kernel/alloc.h"
#include "kernel/clock.h"
#include "kernel/cmdline.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/power.h"
#include "kernel/random.h"
#include "kernel/syscall.h"
#include "proc.h"
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#define RELEASE "6.1.0-cortado"
#define VERSION "#1 SMP Cortado"

static struct spinlock names_lock = SPINLOCK_INIT; /* guards the two names */
static char nodename[__NEW_UTS_LEN + 1] = "cortado";
static char domainname[__NEW_UTS_LEN + 1] = "(none)";

static int hostname_init(void)
{
	const char *word = cmdline_get("hostname");

	if (word && *word)
		str_copy(nodename, word, sizeof(nodename));
	return 0;
}
INITCALL(hostname_init, INIT_CORE);

static void set_name(char name[__NEW_UTS_LEN + 1], const char *from, size_t len)
{
	spin_lock(&names_lock);
	memset(name, 0, __NEW_UTS_LEN + 1);
	memcpy(name, from, len);
	spin_unlock(&names_lock);
}

void system_hostname(char *buf, size_t size)
{
	spin_lock(&names_lock);
	str_copy(buf, nodename, size);
	spin_unlock(&names_lock);
}

int system_set_hostname(const char *name, size_t len)
{
	if (len > __NEW_UTS_LEN)
		return -EINVAL;
	set_name(nodename, name, len);
	return 0;
}

void system_domainname(char *buf, size_t size)
{
	spin_lock(&names_lock);
	str_copy(buf, domainname, size);
	spin_unlock(&names_lock);
}

int system_set_domainname(const char *name, size_t len)
{
	if (len > __NEW_UTS_LEN)
		return -EINVAL;
	set_name(domainname, name, len);
	return 0;
}

SYSCALL_DEFINE1(uname, struct new_utsname __app *, buf)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	str_copy(u.sysname, "Linux", sizeof(u.sysname));
	str_copy(u.release, RELEASE, sizeof(u.release));
	str_copy(u.version, VERSION, sizeof(u.version));
	str_copy(u.machine, current->proc->personality == PER_LINUX32 ? "i686" : "x86_64", sizeof(u.machine));
	spin_lock(&names_lock);
	memcpy(u.nodename, nodename, sizeof(u.nodename));
	memcpy(u.domainname, domainname, sizeof(u.domainname));
	spin_unlock(&names_lock);
	return copy_to_app(buf, &u, sizeof(u));
}

static long set_name_from_app(char *name, const char __app *from, int len)
{
	char buf[__NEW_UTS_LEN];

	if (!process_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_app(buf, from, (size_t)len))
		return -EFAULT;
	set_name(name, buf, (size_t)len);
	return 0;
}

SYSCALL_DEFINE2(sethostname, const char __app *, name, int, len)
{
	return set_name_from_app(nodename, name, len);
}

SYSCALL_DEFINE2(setdomainname, const char __app *, name, int, len)
{
	return set_name_from_app(domainname, name, len);
}

SYSCALL_DEFINE1(sysinfo, struct sysinfo __app *, info)
{
	struct memory_stats mem;
	struct sysinfo s;
	u64 loads[3];

	memset(&s, 0, sizeof(s));
	memory_stats(&mem);
	load_average(loads);
	s.uptime = (long)(clock_boottime() / NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		s.loads[i] = loads[i] << (SI_LOAD_SHIFT - 11);
	s.totalram = mem.total * PAGE_SIZE;
	s.freeram = mem.free * PAGE_SIZE;
	s.sharedram = mem.shmem * PAGE_SIZE;
	s.procs = (u16)min(thread_count(), 0xffffu);
	s.mem_unit = 1;
	return copy_to_app(info, &s, sizeof(s));
}

SYSCALL_DEFINE3(getrandom, u8 __app *, buf, size_t, len, unsigned, flags)
{
	size_t done = 0;
	int err;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!(flags & GRND_INSECURE) && !random_ready()) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		err = random_wait_ready_interruptible();
		if (err)
			return err;
	}
	len = min(len, (size_t)INT32_MAX & PAGE_MASK);
	while (done < len) {
		u8 block[256];
		size_t n = min(len - done, sizeof(block));
		size_t left;

		random_bytes(block, n);
		left = copy_to_app_partial(buf + done, block, n);
		memset(block, 0, n);
		done += n - left;
		if (left)
			return done ? (long)done : -EFAULT;
		if (done < len && !(done & (PAGE_SIZE - 1))) {
			if (signal_pending(current))
				break;
			cond_resched();
		}
	}
	return (long)done;
}

SYSCALL_DEFINE4(reboot, int, magic1, int, magic2, unsigned, cmd, void __app *, arg)
{
	if (!process_capable(CAP_SYS_BOOT))
		return -EPERM;
	if ((u32)magic1 != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		power_reset();
	case LINUX_REBOOT_CMD_POWER_OFF:
		power_off();
	case LINUX_REBOOT_CMD_HALT:
		power_halt();
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE0(vhangup)
{
	return process_capable(CAP_SYS_TTY_CONFIG) ? 0 : -EPERM;
}

/* ---- syslog(2): the actions of the C library's klogctl(3) ---- */

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER
};

#define LOG_BYTES KIB(64) /* what READ_ALL gives at most, and SIZE_BUFFER says */

static u64 syslog_read_seq;	     /* next for SYSLOG_READ */
static _Atomic u64 syslog_clear_seq; /* SYSLOG_CLEAR: READ_ALL starts here */
static DEFINE_MUTEX(syslog_lock);    /* guards syslog_read_seq */
u32 log_restricted;
static enum log_level saved_level = LOG_WARNING;

/* Copy lines from *SEQ on to the application, N bytes at most. */
static long copy_log(u64 *seq, char __app *buf, size_t n)
{
	size_t done = 0;
	char *page = kmalloc(PAGE_SIZE);

	if (!page)
		return -ENOMEM;
	while (done < n) {
		size_t got = log_read(seq, page, min(n - done, PAGE_SIZE));

		if (!got)
			break;
		if (copy_to_app(buf + done, page, got)) {
			kfree(page);
			return -EFAULT;
		}
		done += got;
	}
	kfree(page);
	return (long)done;
}

static long syslog_read(char __app *buf, int len)
{
	long ret;

	if (!buf || len < 0)
		return -EINVAL;
	if (!len)
		return 0;
	for (;;) {
		int err = wait_event_interruptible(&log_waitq, log_end() != READ_ONCE(syslog_read_seq));

		if (err)
			return err;
		mutex_lock(&syslog_lock);
		ret = copy_log(&syslog_read_seq, buf, (size_t)len);
		if (!ret)
			syslog_read_seq =
				log_end(); /* a line longer than the buffer: nothing else gets past it */
		mutex_unlock(&syslog_lock);
		if (ret)
			return ret;
	}
}

static long syslog_read_all(char __app *buf, int len, bool clear)
{
	u64 end = log_end(), seq = atomic_load(&syslog_clear_seq);
	u64 want = min((u64)(len < 0 ? 0 : len), LOG_BYTES);
	long ret;

	if (!buf || len < 0)
		return -EINVAL;
	if (end > want && seq < end - want)
		seq = end - want; /* the last LEN bytes */
	ret = copy_log(&seq, buf, want);
	if (clear && ret >= 0)
		atomic_store(&syslog_clear_seq, end);
	return ret;
}

SYSCALL_DEFINE3(syslog, int, type, char __app *, buf, int, len)
{
	if ((log_restricted || (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER)) &&
	    !process_capable(CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
		return syslog_read(buf, len);
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		return syslog_read_all(buf, len, type == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR:
		atomic_store(&syslog_clear_seq, log_end());
		return 0;
	case SYSLOG_CONSOLE_OFF:
		saved_level = log_console_level;
		log_console_level = LOG_EMERG;
		return 0;
	case SYSLOG_CONSOLE_ON:
		log_console_level = saved_level;
		return 0;
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		log_console_level = (enum log_level)(len - 1);
		return 0;
	case SYSLOG_SIZE_UNREAD:
		return (long)(log_end() - READ_ONCE(syslog_read_seq));
	case SYSLOG_SIZE_BUFFER:
		return (long)LOG_BYTES;
	default:
		return -EINVAL;
	}
}
