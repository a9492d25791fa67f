/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket ABI constants and structures that the Linux UAPI headers leave to the C library (socket(7),
 * netdevice(7)). */
#pragma once

#include "base/types.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <linux/sockios.h>

enum {
	AF_UNSPEC = 0,
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	AF_NETLINK = 16,
	AF_PACKET = 17,
	AF_MAX_ = 46,
};

enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_RDM = 4, SOCK_SEQPACKET = 5, SOCK_PACKET = 10 };
#define SOCK_TYPE_MASK_	 0xf
#define SOCK_CLOEXEC	 02000000
#define SOCK_NONBLOCK	 04000
#define SOCK_MAX_BACKLOG 4096

enum { SHUT_RD, SHUT_WR, SHUT_RDWR };

enum {
	MSG_OOB = 1,
	MSG_PEEK = 2,
	MSG_DONTROUTE = 4,
	MSG_CTRUNC = 8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_EOR = 0x80,
	MSG_WAITALL = 0x100,
	MSG_FIN = 0x200,
	MSG_SYN = 0x400,
	MSG_CONFIRM = 0x800,
	MSG_RST = 0x1000,
	MSG_ERRQUEUE = 0x2000,
	MSG_NOSIGNAL = 0x4000,
	MSG_MORE = 0x8000,
	MSG_WAITFORONE = 0x10000,
	MSG_ZEROCOPY = 0x4000000,
	MSG_FASTOPEN = 0x20000000,
	MSG_CMSG_CLOEXEC = 0x40000000,
};

#define SOL_IP	    0
#define SOL_TCP	    6
#define SOL_UDP	    17
#define SOL_IPV6    41
#define SOL_ICMPV6  58
#define SOL_RAW	    255
#define SOL_PACKET  263
#define SOL_NETLINK 270

#define SCM_RIGHTS	0x01
#define SCM_CREDENTIALS 0x02
#define SCM_MAX_FD	253

struct sockaddr {
	u16 sa_family;
	char sa_data[14];
};

struct app_msghdr {
	void __app *msg_name;
	int msg_namelen;
	void __app *msg_iov;
	size_t msg_iovlen;
	void __app *msg_control;
	size_t msg_controllen;
	u32 msg_flags;
};

struct app_mmsghdr {
	struct app_msghdr hdr;
	u32 len;
};

struct cmsghdr {
	size_t cmsg_len;
	int cmsg_level;
	int cmsg_type;
};
#define CMSG_ALIGN_(n) ALIGN_UP((size_t)(n), sizeof(size_t))
#define CMSG_LEN_(n)   (sizeof(struct cmsghdr) + (n))
#define CMSG_SPACE_(n) (sizeof(struct cmsghdr) + CMSG_ALIGN_(n))

struct ucred {
	u32 pid, uid, gid;
};

struct linger {
	int l_onoff, l_linger;
};

/* netdevice(7) */
#define IFNAMSIZ 16
enum {
	IFF_UP = 1 << 0,
	IFF_BROADCAST = 1 << 1,
	IFF_DEBUG = 1 << 2,
	IFF_LOOPBACK = 1 << 3,
	IFF_POINTOPOINT = 1 << 4,
	IFF_RUNNING = 1 << 6,
	IFF_NOARP = 1 << 7,
	IFF_PROMISC = 1 << 8,
	IFF_ALLMULTI = 1 << 9,
	IFF_MULTICAST = 1 << 12,
	IFF_LOWER_UP = 1 << 16,
};

struct ifmap {
	unsigned long mem_start, mem_end;
	u16 base_addr;
	u8 irq, dma, port;
};

struct ifreq {
	char ifr_name[IFNAMSIZ];
	union {
		struct sockaddr ifr_addr;
		short ifr_flags;
		int ifr_ivalue; /* index, metric, mtu, queue length */
		struct ifmap ifr_map;
		char ifr_newname[IFNAMSIZ];
		char __app *ifr_data;
	};
};

struct ifconf {
	int ifc_len;
	void __app *ifc_buf;
};

struct rtentry { /* SIOCADDRT, SIOCDELRT */
	unsigned long rt_pad1;
	struct sockaddr rt_dst, rt_gateway, rt_genmask;
	u16 rt_flags;
	s16 rt_pad2;
	unsigned long rt_pad3;
	void *rt_pad4;
	s16 rt_metric; /* plus one */
	char __app *rt_dev;
	unsigned long rt_mtu, rt_window;
	u16 rt_irtt;
};
enum { RTF_UP = 1, RTF_GATEWAY = 2, RTF_HOST = 4, RTF_REJECT = 0x200 };

#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK 772
