/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS on disk, little-endian (Linux Documentation/filesystems/erofs.rst and the format of erofs-utils 1.5).
 * Offsets of fields rather than structures: everything is read from bounds-checked bytes. */
#pragma once

#include "base/bits.h"

#define EROFS_MAGIC	   0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024
#define EROFS_SUPER_SIZE   128
#define EROFS_SLOT_BITS	   5 /* inodes live in 32-byte slots */

/* Superblock fields. */
enum {
	SB_MAGIC = 0,
	SB_CHECKSUM = 4,
	SB_COMPAT = 8,
	SB_BLKSZBITS = 12,
	SB_EXTSLOTS = 13,
	SB_ROOT_NID = 14,
	SB_INOS = 16,
	SB_BUILD_TIME = 24,
	SB_BUILD_NSEC = 32,
	SB_BLOCKS = 36,
	SB_META_BLKADDR = 40,
	SB_XATTR_BLKADDR = 44,
	SB_VOLUME = 64,
	SB_INCOMPAT = 80,
	SB_LZ4_DISTANCE = 84, /* or the bit map of compressors, with INCOMPAT_COMPR_CFGS */
	SB_EXTRA_DEVICES = 86,
};

#define COMPAT_CHECKSUM 1

#define INCOMPAT_ZERO_PADDING 0x01u /* compressed data sits at the end of its cluster */
#define INCOMPAT_COMPR_CFGS   0x02u /* and big physical clusters */
#define INCOMPAT_CHUNKED      0x04u
#define INCOMPAT_DEVICES      0x08u /* shares its bit with a second kind of head clusters */
#define INCOMPAT_ZTAILPACKING 0x10u
#define INCOMPAT_SUPPORTED                                                                   \
	(INCOMPAT_ZERO_PADDING | INCOMPAT_COMPR_CFGS | INCOMPAT_CHUNKED | INCOMPAT_DEVICES | \
	 INCOMPAT_ZTAILPACKING)

/* Inode fields: the compact form has 32 bytes, the extended one 64. */
enum {
	INO_FORMAT = 0,
	INO_XATTR_COUNT = 2,
	INO_MODE = 4,
	INO_NLINK = 6, /* compact */
	INO_SIZE = 8,  /* 32 bits compact, 64 extended */
	INO_U = 16,
	INO_INO = 20,
	INO_UID = 24,
	INO_GID_COMPACT = 26,
	INO_GID = 28,
	INO_MTIME = 32,
	INO_MTIME_NSEC = 40,
	INO_NLINK_EXT = 44,
};

enum erofs_layout {
	LAYOUT_PLAIN = 0,
	LAYOUT_COMPRESSED_FULL = 1, /* 8-byte indexes */
	LAYOUT_INLINE = 2,
	LAYOUT_COMPRESSED_COMPACT = 3,
	LAYOUT_CHUNKED = 4,
};

#define XATTR_HEADER_SIZE 12
#define XATTR_ENTRY_SIZE  4

#define CHUNK_BITS_MASK 0x1f
#define CHUNK_INDEXES	0x20
#define CHUNK_HOLE	0xffffffffu

#define DIRENT_SIZE 12 /* nid u64, nameoff u16, type u8, reserved u8 */

/* Compression map header: 8 bytes after inode and xattrs. */
enum { MAP_IDATA_SIZE = 2, MAP_ADVISE = 4, MAP_ALGORITHM = 6, MAP_CLUSTERBITS = 7 };
#define MAP_HEADER_SIZE 8

#define ADVISE_COMPACTED_2B    0x01
#define ADVISE_BIG_PCLUSTER_1  0x02
#define ADVISE_BIG_PCLUSTER_2  0x04
#define ADVISE_INLINE_PCLUSTER 0x08
#define ADVISE_INTERLACED      0x10
#define ADVISE_FRAGMENT	       0x20

enum lcluster_type { LCLUSTER_PLAIN, LCLUSTER_HEAD1, LCLUSTER_NONHEAD, LCLUSTER_HEAD2 };
#define LCLUSTER_D0_CBLKCNT 0x800 /* the first distance field holds the count of compressed blocks */

#define PCLUSTER_MAX (1u << 20)
#define EXTENT_MAX   (12u << 20) /* decompressed bytes that one cluster may stand for */
