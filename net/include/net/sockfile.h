/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as open files. Owner: net/socket/. */
#pragma once

#include "fs/file.h"
#include "net/socket.h"

extern const struct file_ops socket_file_ops;
/* An open file for S; takes over S's reference on success. ERR_PTR(-ENOMEM, -ENFILE). FLAGS: SOCK_NONBLOCK.
 */
struct file *socket_file_create(struct socket *s, u32 flags);
/* The socket of descriptor FD, with a reference on *FILE: ERR_PTR(-EBADF, -ENOTSOCK). */
struct socket *socket_from_fd(int fd, struct file **file);
static inline struct socket *file_socket(struct file *f)
{
	return f->ops == &socket_file_ops ? f->priv : NULL;
}
ssize_t socket_sendmsg(struct socket *s, struct net_msg *m); /* with SIGPIPE */
long socket_ioctl(struct file *f, unsigned cmd, unsigned long arg);
long if_ioctl(struct net_stack *net, unsigned cmd, void __app *arg); /* -ENOTTY: not an interface call */
