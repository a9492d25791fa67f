# SPDX-License-Identifier: BSD-2-Clause
"""Unpacks LZ4's legacy frame (the one that Linux kernels are packed in). Slow, but done once per kernel.
Source: doc/lz4_Block_format.md and lz4_Frame_format.md of LZ4."""

import struct

MAGIC = b"\x02\x21\x4c\x18"


def unpack_legacy(data):
    """The content of DATA; trailing bytes that are no block end it. Raises ValueError when a block is damaged."""
    if data[:4] != MAGIC:
        raise ValueError("no LZ4 legacy frame")
    parts, at = [], 4
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("<I", data, at)
        if not 0 < size <= len(data) - at - 4:
            break
        parts.append(_block(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return b"".join(parts)


def _block(data):
    out, at, end = bytearray(), 0, len(data)
    try:
        while at < end:
            token = data[at]
            at += 1
            length = token >> 4
            if length == 15:
                while True:
                    more = data[at]
                    at += 1
                    length += more
                    if more != 255:
                        break
            out += data[at : at + length]
            at += length
            if at >= end:
                break
            back = data[at] | data[at + 1] << 8
            at += 2
            length = token & 15
            if length == 15:
                while True:
                    more = data[at]
                    at += 1
                    length += more
                    if more != 255:
                        break
            length += 4
            start = len(out) - back
            if start < 0 or not back:
                raise ValueError("a match before the beginning")
            if back >= length:
                out += out[start : start + length]
            else:  # the match overlaps itself: a repeated pattern
                out += (bytes(out[start:]) * (length // back + 1))[:length]
    except IndexError:
        raise ValueError("a block ends too early")
    return bytes(out)
