// SPDX-License-Identifier: BSD-2-Clause
// System V IPC and POSIX message queues: limits, permissions and what each call refuses.
#include "abi.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define BAD ((void *)8)
#ifndef MSG_COPY // musl
#define MSG_COPY 040000
#endif

static void on_signal(int sig)
{
}

static void interrupt_after(int ms)
{
	struct sigaction a = {.sa_handler = on_signal};
	struct itimerspec t = {.it_value = milliseconds(ms)};
	timer_t id;

	sigaction(SIGALRM, &a, NULL);
	timer_create(CLOCK_MONOTONIC, NULL, &id);
	timer_settime(id, 0, &t, NULL);
}

TEST(message_queues)
{
	struct {
		long type;
		char text[100];
	} m = {1, "one"}, r;
	struct msqid_ds ds;
	int id;

	CHILD
		NEED_ERR(msgget(0x4711aa, 0), ENOENT);
		NEED((id = msgget(0x4711aa, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
		NEED_ERR(msgget(0x4711aa, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
		NEED(msgget(0x4711aa, 0) == id);
		NEED_ERR(msgsnd(id, &m, 100000, 0), EINVAL);
		NEED_ERR(msgsnd(id, &m, (size_t)-1, 0), EINVAL);
		NEED_ERR(syscall(SYS_msgsnd, id, BAD, 4, 0), EFAULT);
		m.type = 0;
		NEED_ERR(msgsnd(id, &m, 4, 0), EINVAL);
		m.type = -5;
		NEED_ERR(msgsnd(id, &m, 4, 0), EINVAL);
		NEED_ERR(msgsnd(-1, &m, 4, 0), EINVAL);
		NEED_ERR(msgrcv(id, &r, 100, 0, IPC_NOWAIT), ENOMSG);
		NEED_ERR(msgrcv(id, &r, (size_t)-1, 0, IPC_NOWAIT), EINVAL);
		for (m.type = 3; m.type > 0; m.type--)
			NEED(!msgsnd(id, &m, (size_t)m.type * 10, 0));
		NEED_ERR(msgrcv(id, &r, 5, 3, IPC_NOWAIT), E2BIG);
		NEED(msgrcv(id, &r, 5, 3, IPC_NOWAIT | MSG_NOERROR) == 5 && r.type == 3);
		NEED(msgrcv(id, &r, 100, -9, 0) == 10 && r.type == 1);
		NEED_ERR(msgrcv(id, &r, 100, 2, MSG_EXCEPT | IPC_NOWAIT), ENOMSG);
		NEED(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 1 && ds.msg_lspid == getpid() &&
		     ds.msg_lrpid == getpid());
		NEED(ds.msg_perm.mode == 0600 && ds.msg_stime && ds.msg_rtime && ds.msg_ctime &&
		     ds.msg_cbytes == 20);
		NEED(msgrcv(id, &r, 100, 0, MSG_COPY | IPC_NOWAIT) == 20 || errno == ENOSYS);
		NEED_ERR(msgrcv(id, &r, 100, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
		NEED_ERR(msgrcv(id, &r, 100, 0, MSG_COPY), EINVAL);
		NEED(msgrcv(id, &r, 100, 0, 0) == 20);
		ds.msg_qbytes = 20;
		NEED(!msgctl(id, IPC_SET, &ds));
		m.type = 1;
		NEED(!msgsnd(id, &m, 15, 0));
		NEED_ERR(msgsnd(id, &m, 15, IPC_NOWAIT), EAGAIN);
		interrupt_after(20);
		NEED_ERR(msgsnd(id, &m, 15, 0), EINTR);
		interrupt_after(20);
		NEED_ERR(msgrcv(id, &r, 100, 9, 0), EINTR);
		NEED_ERR(msgctl(id, 999, &ds), EINVAL);
		NEED_ERR(syscall(SYS_msgctl, id, IPC_STAT, BAD), EFAULT);
		if (!geteuid()) {
			pid_t p = fork();
			int status;
			if (!p) {
				NEED(!become(NOBODY));
				NEED_ERR(msgsnd(id, &m, 4, IPC_NOWAIT), EACCES);
				NEED_ERR(msgrcv(id, &r, 4, 0, IPC_NOWAIT), EACCES);
				NEED_ERR(msgctl(id, IPC_STAT, &ds), EACCES);
				NEED_ERR(msgctl(id, IPC_RMID, NULL), EPERM);
				NEED_ERR(msgctl(id, IPC_SET, &ds), EPERM);
				NEED_ERR(msgget(0x4711aa, 0400), EACCES);
				_exit(0);
			}
			NEED(waitpid(p, &status, 0) == p && !status);
		}
		pid_t p = fork(); // a sleeper hears of the end
		if (!p)
			_exit(msgrcv(id, &r, 100, 9, 0) == -1 && errno == EIDRM ? 0 : 1);
		pause_ms(50);
		int status;
		NEED(!msgctl(id, IPC_RMID, NULL) && waitpid(p, &status, 0) == p && !status);
		NEED_ERR(msgctl(id, IPC_STAT, &ds), EINVAL);
	END_CHILD;
}

TEST(semaphores)
{
	union {
		int val;
		struct semid_ds *buf;
		unsigned short *array;
	} u;
	struct semid_ds ds;
	unsigned short values[3] = {1, 2, 3};
	struct timespec ts = milliseconds(30);
	int id;

	CHILD
		NEED_ERR(semget(0x4711ab, 0, IPC_CREAT | 0600), EINVAL);
		NEED_ERR(semget(0x4711ab, -1, IPC_CREAT | 0600), EINVAL);
		NEED_ERR(semget(0x4711ab, 1 << 20, IPC_CREAT | 0600), EINVAL);
		NEED((id = semget(0x4711ab, 3, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
		NEED_ERR(semget(0x4711ab, 4, 0), EINVAL);
		NEED(semget(0x4711ab, 0, 0) == id);
		u.array = values;
		NEED(!semctl(id, 0, SETALL, u) && semctl(id, 1, GETVAL) == 2 &&
		     semctl(id, 2, GETPID) == getpid());
		u.val = 40000;
		NEED_ERR(semctl(id, 0, SETVAL, u), ERANGE);
		u.val = -1;
		NEED_ERR(semctl(id, 0, SETVAL, u), ERANGE);
		NEED_ERR(semctl(id, 3, GETVAL), EINVAL);
		NEED_ERR(semctl(id, -1, GETVAL), EINVAL);
		NEED_ERR(semctl(id, 0, 999), EINVAL);
		NEED_ERR(semctl(-1, 0, GETVAL), EINVAL);
		struct sembuf ops[3] = {{0, -1, 0}, {1, -1, 0}, {2, -4, IPC_NOWAIT}};
		NEED_ERR(semop(id, ops, 3), EAGAIN); // all or nothing
		NEED(semctl(id, 0, GETVAL) == 1 && semctl(id, 1, GETVAL) == 2);
		NEED_ERR(semop(id, ops, 0), EINVAL);
		NEED_ERR(semop(id, ops, 100000), E2BIG);
		NEED_ERR(syscall(SYS_semop, id, BAD, 1), EFAULT);
		ops[0].sem_num = 7;
		NEED_ERR(semop(id, ops, 1), EFBIG);
		ops[0] = (struct sembuf){0, 32767, 0};
		NEED_ERR(semop(id, ops, 1), ERANGE);
		ops[0] = (struct sembuf){2, -5, 0};
		NEED_ERR(semtimedop(id, ops, 1, &ts), EAGAIN);
		ts.tv_nsec = 2000000000;
		NEED_ERR(semtimedop(id, ops, 1, &ts), EINVAL);
		interrupt_after(20);
		NEED_ERR(semop(id, ops, 1), EINTR);
		ops[0] = (struct sembuf){2, 0, IPC_NOWAIT};
		NEED_ERR(semop(id, ops, 1), EAGAIN);
		pid_t p = fork(); // undone at its end
		if (!p) {
			ops[0] = (struct sembuf){2, -3, SEM_UNDO};
			_exit(semop(id, ops, 1) || semctl(id, 2, GETVAL) != 0);
		}
		int status;
		NEED(waitpid(p, &status, 0) == p && !status && semctl(id, 2, GETVAL) == 3);
		p = fork();
		if (!p) {
			ops[0] = (struct sembuf){2, -9, 0};
			_exit(semop(id, ops, 1) == -1 && errno == EIDRM ? 0 : 1);
		}
		while (semctl(id, 2, GETNCNT) != 1)
			pause_ms(1);
		u.buf = &ds;
		NEED(!semctl(id, 0, IPC_STAT, u) && ds.sem_nsems == 3 && ds.sem_otime && ds.sem_ctime &&
		     ds.sem_perm.mode == 0600);
		NEED(!semctl(id, 0, IPC_RMID) && waitpid(p, &status, 0) == p && !status);
	END_CHILD;
}

TEST(shared_memory)
{
	struct shmid_ds ds;
	char *a, *b;
	int id;

	CHILD
		NEED_ERR(shmget(0x4711ac, 0, IPC_CREAT | 0600), EINVAL);
		NEED_ERR(shmget(0x4711ac, 4096, 0), ENOENT);
		NEED((id = shmget(0x4711ac, 5000, IPC_CREAT | IPC_EXCL | 0600)) >= 0);
		NEED_ERR(shmget(0x4711ac, 5001, 0), EINVAL);
		NEED_ERR(shmget(0x4711ac, 1, IPC_CREAT | IPC_EXCL), EEXIST);
		NEED_ERR(shmat(-1, NULL, 0) == (void *)-1 ? -1 : 0, EINVAL);
		NEED((a = shmat(id, NULL, 0)) != (void *)-1 &&
		     (b = shmat(id, NULL, SHM_RDONLY)) != (void *)-1 && a != b);
		strcpy(a + 4998, "x");
		NEED(!strcmp(b + 4998, "x"));
		NEED_ERR(shmat(id, a + 1, 0) == (void *)-1 ? -1 : 0, EINVAL);
		NEED_ERR(shmat(id, a, 0) == (void *)-1 ? -1 : 0, EINVAL);
		NEED(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 2 && ds.shm_segsz == 5000 &&
		     ds.shm_cpid == getpid() && ds.shm_lpid == getpid());
		pid_t p = fork();
		if (!p)
			_exit(shmctl(id, IPC_STAT, &ds) || ds.shm_nattch != 4);
		int status;
		NEED(waitpid(p, &status, 0) == p && !status && !shmctl(id, IPC_STAT, &ds) &&
		     ds.shm_nattch == 2);
		NEED_ERR(shmdt(a + 4096), EINVAL);
		NEED(!shmdt(b));
		NEED_ERR(shmdt(b), EINVAL);
		NEED(!shmctl(id, IPC_RMID, NULL) && !shmctl(id, IPC_STAT, &ds) &&
		     ds.shm_perm.mode & SHM_DEST);
		NEED_ERR(shmget(0x4711ac, 0, 0), ENOENT);
		NEED(!strcmp(a + 4998, "x") && !shmdt(a));
		NEED_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
		NEED_ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
	END_CHILD;
}

TEST(posix_queues)
{
	struct mq_attr at = {.mq_maxmsg = 2, .mq_msgsize = 16}, now;
	struct timespec past = {1, 0}, bad = {1, -1};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	char buf[32];
	unsigned prio;
	mqd_t q, w;

	CHILD
		mq_unlink("/abi-queue");
		NEED_ERR(mq_open("/abi-queue", O_RDWR), ENOENT);
		NEED_ERR(mq_open("/", O_RDWR), ENOENT);
		at.mq_maxmsg = -1;
		NEED_ERR(mq_open("/abi-queue", O_RDWR | O_CREAT, 0600, &at), EINVAL);
		at.mq_maxmsg = 2;
		NEED((q = mq_open("/abi-queue", O_RDWR | O_CREAT | O_EXCL, 0600, &at)) >= 0);
		NEED_ERR(mq_open("/abi-queue", O_RDWR | O_CREAT | O_EXCL, 0600, &at), EEXIST);
		NEED((w = mq_open("/abi-queue", O_WRONLY | O_NONBLOCK)) >= 0);
		NEED_ERR(mq_receive(w, buf, 32, NULL), EBADF);
		NEED_ERR(mq_receive(q, buf, 8, NULL), EMSGSIZE);
		NEED_ERR(mq_send(q, buf, 17, 0), EMSGSIZE);
		NEED_ERR(mq_send(q, buf, 1, 32768), EINVAL);
		NEED(!mq_send(w, "low", 3, 1) && !mq_send(w, "high", 4, 9));
		NEED_ERR(mq_send(w, "x", 1, 0), EAGAIN);
		NEED_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
		NEED_ERR(mq_timedsend(q, "x", 1, 0, &bad), EINVAL);
		interrupt_after(20);
		NEED_ERR(mq_send(q, "x", 1, 0), EINTR);
		NEED(!mq_getattr(q, &now) && now.mq_curmsgs == 2 && now.mq_maxmsg == 2 &&
		     now.mq_msgsize == 16 && !now.mq_flags);
		NEED(mq_receive(q, buf, 32, &prio) == 4 && prio == 9 && mq_receive(q, buf, 32, &prio) == 3 &&
		     prio == 1);
		NEED_ERR(mq_timedreceive(q, buf, 32, NULL, &past), ETIMEDOUT);
		signal(SIGUSR1, on_signal);
		NEED(!mq_notify(q, &ev));
		NEED_ERR(mq_notify(q, &ev), EBUSY);
		ev.sigev_notify = 77;
		NEED_ERR(mq_notify(q, &ev), EINVAL);
		NEED(!mq_notify(q, NULL) && !mq_close(w));
		NEED_ERR(mq_close(w), EBADF);
		NEED_ERR(mq_getattr(w, &now), EBADF);
		struct pollfd pf = {q, POLLIN | POLLOUT, 0};
		NEED(poll(&pf, 1, 0) == 1 && pf.revents == POLLOUT);
		if (!geteuid()) {
			pid_t p = fork();
			int status;
			if (!p) {
				NEED(!become(NOBODY));
				NEED_ERR(mq_open("/abi-queue", O_RDONLY), EACCES);
				NEED_ERR(mq_unlink("/abi-queue"), EACCES);
				_exit(0);
			}
			NEED(waitpid(p, &status, 0) == p && !status);
		}
		NEED(!mq_unlink("/abi-queue"));
		NEED_ERR(mq_unlink("/abi-queue"), ENOENT);
		NEED(!mq_send(q, "still", 5, 0)); // open files live on
	END_CHILD;
}

static int notified[2];

static void notify_thread(union sigval v)
{
	write(notified[1], &v.sival_int, sizeof(int));
}

TEST(queue_notifies_thread)
{
	struct mq_attr at = {.mq_maxmsg = 2, .mq_msgsize = 16};
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 4711};
	int v = 0;

	CHILD
		mq_unlink("/abi-thread");
		mqd_t q = mq_open("/abi-thread", O_RDWR | O_CREAT, 0600, &at);
		NEED(q >= 0 && !pipe(notified) && !mq_unlink("/abi-thread"));
		ev.sigev_notify_function = notify_thread;
		NEED(!mq_notify(q, &ev));
		NEED(!mq_send(q, "x", 1, 0));
		struct pollfd pf = {notified[0], POLLIN, 0};
		NEED(poll(&pf, 1, 5000) == 1 && read(notified[0], &v, sizeof v) == sizeof v && v == 4711);
		NEED(!mq_notify(q, &ev) && !mq_notify(q, NULL));
	END_CHILD;
}
