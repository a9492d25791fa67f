// SPDX-License-Identifier: BSD-2-Clause
/* System V semaphores and message queues, and POSIX queues: atomic operations, order of service, limits, removal, undo. */
// sources: kernel/ipc/sysv.c kernel/ipc/sysv_sem.c kernel/ipc/sysv_semctl.c kernel/ipc/sysv_msg.c kernel/ipc/time.c
// sources: kernel/ipc/mqueue.c kernel/ipc/mqueue_open.c kernel/lib/iter.c
#include "unit.h"

#include "base/err.h"
#include "fs/file.h"
#include "host/ipc_shim.h"
#include "kernel/ipc.h"
#include "kernel/process.h"
#include "kernel/sched.h"

SYS(semget);
SYS(semop);
SYS(semctl);
SYS(msgget);
SYS(msgsnd);
SYS(msgrcv);
SYS(msgctl);
SYS(mq_open);
SYS(mq_unlink);
SYS(mq_timedsend);
SYS(mq_timedreceive);

#define CREAT	01000
#define NOWAIT	04000
#define UNDO	0x1000
#define RMID	0
#define GETVAL	12
#define GETNCNT 14
#define SETVAL	16

struct sembuf {
	unsigned short num;
	short op, flags;
};

u32 fs_context_umask(struct fs_context *c)
{
	return 0;
}

int signal_send_process(struct process *p, int sig, const void *info)
{
	return 0;
}

void process_get(struct process *p)
{
}

void process_put(struct process *p)
{
}

static long op2(int id, int a, int da, int b, int db, int flags)
{
	struct sembuf ops[] = {{(unsigned short)a, (short)da, (short)flags}, {(unsigned short)b, (short)db, (short)flags}};

	return CALL(semop, id, ops, 2);
}

static long op1(int id, int num, int d, int flags)
{
	struct sembuf o = {(unsigned short)num, (short)d, (short)flags};

	return CALL(semop, id, &o, 1);
}

static long value(int id, int num)
{
	return CALL(semctl, id, num, GETVAL);
}

static void test_sem_atomic(void **state)
{
	int id = (int)CALL(semget, 0, 3, CREAT | 0600);

	assert_true(id >= 0);
	assert_int_equal(CALL(semctl, id, 0, SETVAL, 5), 0);
	assert_int_equal(op2(id, 0, -2, 1, -1, NOWAIT), -EAGAIN);
	assert_int_equal(value(id, 0), 5); /* all or nothing */
	assert_int_equal(op2(id, 0, -2, 1, 3, 0), 0);
	assert_int_equal(value(id, 0), 3);
	assert_int_equal(value(id, 1), 3);
	assert_int_equal(op1(id, 1, 32767, 0), -ERANGE);
	assert_int_equal(op1(id, 3, 1, 0), -EFBIG);
	assert_int_equal(CALL(semctl, id, 0, RMID), 0);
	assert_int_equal(value(id, 0), -EINVAL);
}

static int sem_id;
static long results[3];

static void taker(void *arg)
{
	int n = (int)(uintptr_t)arg;

	results[n] = op1(sem_id, 0, -(n + 1), 0);
}

static void test_sem_waiters(void **state)
{
	struct thread *t[3];

	sem_id = (int)CALL(semget, 0, 1, CREAT | 0600);
	for (uintptr_t i = 0; i < 3; i++) {
		t[i] = host_thread_start(taker, (void *)i);
		assert_true(host_thread_wait_asleep(t[i]));
	}
	assert_int_equal(CALL(semctl, sem_id, 0, GETNCNT), 3);
	assert_int_equal(op1(sem_id, 0, 3, 0), 0); /* serves the first two at once, on their behalf */
	assert_int_equal(value(sem_id, 0), 0);
	host_thread_join(t[0]);
	host_thread_join(t[1]);
	assert_int_equal(CALL(semctl, sem_id, 0, GETNCNT), 1);
	assert_int_equal(CALL(semctl, sem_id, 0, RMID), 0);
	host_thread_join(t[2]);
	assert_int_equal(results[2], -EIDRM);
}

static void test_sem_undo(void **state)
{
	int id = (int)CALL(semget, 0, 2, CREAT | 0600);

	assert_int_equal(op1(id, 0, 7, UNDO), 0);
	assert_int_equal(op1(id, 0, -2, UNDO), 0);
	assert_int_equal(op1(id, 1, 4, 0), 0);
	sysv_sem_exit(current_process());
	assert_int_equal(value(id, 0), 0);
	assert_int_equal(value(id, 1), 4);
	assert_int_equal(CALL(semctl, id, 0, RMID), 0);
}

static void test_messages(void **state)
{
	struct {
		long type;
		char text[16];
	} m = {2, "two"}, got;
	int id = (int)CALL(msgget, 0, CREAT | 0600), n = 0;

	assert_int_equal(CALL(msgsnd, id, &m, 4, 0), 0);
	m.type = 1;
	assert_int_equal(CALL(msgsnd, id, &m, 4, 0), 0);
	assert_int_equal(CALL(msgrcv, id, &got, 16, -2, 0), 4);
	assert_int_equal(got.type, 1);
	assert_int_equal(CALL(msgrcv, id, &got, 2, 0, 0), -E2BIG);
	assert_int_equal(CALL(msgrcv, id, &got, 16, 0, 0), 4);
	assert_int_equal(CALL(msgrcv, id, &got, 16, 0, NOWAIT), -ENOMSG);
	while (!CALL(msgsnd, id, &m, 16, NOWAIT))
		n++;
	assert_int_equal(n, 16384 / 16);
	assert_int_equal(CALL(msgctl, id, RMID, NULL), 0);
	assert_int_equal(CALL(msgsnd, id, &m, 16, NOWAIT), -EINVAL);
}

static void test_posix_queue(void **state)
{
	struct {
		long flags, maxmsg, msgsize, curmsgs, reserved[4];
	} attr = {0, 2, 8, 0, {0}};
	char buf[8];
	unsigned priority;
	int fd = (int)CALL(mq_open, "q", 0100 | 2 | O_NONBLOCK, 0600, &attr);

	assert_true(fd >= 0);
	assert_int_equal(CALL(mq_open, "q", 0300 | 2, 0600, &attr), -EEXIST);
	assert_int_equal(CALL(mq_timedsend, fd, "low", 3, 1, NULL), 0);
	assert_int_equal(CALL(mq_timedsend, fd, "high", 4, 7, NULL), 0);
	assert_int_equal(CALL(mq_timedsend, fd, "x", 1, 7, NULL), -EAGAIN);
	assert_int_equal(CALL(mq_timedsend, fd, buf, 9, 7, NULL), -EMSGSIZE);
	assert_int_equal(CALL(mq_timedreceive, fd, buf, 7, &priority, NULL), -EMSGSIZE);
	assert_int_equal(CALL(mq_timedreceive, fd, buf, 8, &priority, NULL), 4);
	assert_int_equal(priority, 7);
	assert_int_equal(CALL(mq_unlink, "q"), 0);
	assert_int_equal(CALL(mq_unlink, "q"), -ENOENT);
	assert_int_equal(CALL(mq_timedreceive, fd, buf, 8, &priority, NULL), 3); /* the descriptor still works */
	fd_close(fd);
	assert_int_equal(ipc_files_live, 0);
}

UNIT_TESTS(test_sem_atomic, test_sem_waiters, test_sem_undo, test_messages, test_posix_queue)
