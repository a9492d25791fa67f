/* SPDX-License-Identifier: BSD-2-Clause */
/* A host of the simulator under remote control: lines on standard input, for each of which a number comes
 *back on standard output. Sockets have small numbers.
 *
 *	set NAME V		the link: loss reorder dup corrupt (in 10,000), delay_ms, path_mtu, blackhole,
 *down, squeeze0 and squeeze1: the largest window that passes from our side and from the other (0: any); the
 *stack: syncookies, fastopen, sack, timestamps, window_scaling new			a TCP socket; its
 *number, or -errno opt S LEVEL NAME V	setsockopt with an int get S LEVEL NAME	getsockopt of an int linger S
 *SECONDS	SO_LINGER bind S PORT, listen S N, connect S PORT, accept S, shutdown S HOW, close S send S N
 *FLAGS		bytes of the flow (byte K is K * 7), as many as go now; with MSG_OOB: one byte, '!' tfo S PORT
 *N		MSG_FASTOPEN
 *	recv S N FLAGS		how many came; -EBADMSG when they are not the flow's next; with MSG_OOB: the
 *byte itself state S, poll S, mark S	TCP's state, what poll(2) says, SIOCATMARK cookies, sockets, memory,
 *timewait	the stack's figures */
#pragma once

#include "sim.h"

/* Carry out what has come. False: the input has ended. */
bool commands(struct sim_host *h, struct sim_link *l);
