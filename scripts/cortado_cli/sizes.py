# SPDX-License-Identifier: BSD-2-Clause
"""Sizes and durations as people write them, and back."""

import re

from .errors import UsageError

_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse(text, what):
    """Bytes of "256M", "1.5G", "524288K"; a bare number is MiB, as in QEMU. WHAT names the option in errors."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(text).strip(), re.I)
    if not found:
        raise UsageError("%s: `%s` is no size; write it like 256M or 1G" % (what, text))
    size = int(float(found.group(1)) * _UNITS[found.group(2).upper()])
    if size <= 0 or size >= 1 << 46:
        raise UsageError("%s: %s is out of range" % (what, text))
    return size


def show(size):
    """Short text of SIZE bytes: 1.5G, 256M, 12K."""
    for unit, scale in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= scale:
            value = size / scale
            return ("%d%s" if value == int(value) or value >= 100 else "%.1f%s") % (value, unit)
    return "%dB" % size


def show_duration(seconds):
    seconds = int(seconds)
    for unit, scale in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= scale:
            return "%d%s" % (seconds // scale, unit)
    return "%ds" % seconds
