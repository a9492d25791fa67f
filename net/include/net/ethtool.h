/* SPDX-License-Identifier: BSD-2-Clause */
/* SIOCETHTOOL. Owner: net/socket/ethtool.c. */
#pragma once

#include "net/abi.h"
#include "net/netdev.h"

/* ARG: ifr_data, an application's structure that begins with its command. -EOPNOTSUPP for unknown ones. */
long ethtool_ioctl(struct netdev *dev, void __app *arg);
