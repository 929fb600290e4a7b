"""Freed memory stays with the process: a gradient of a large panel asks for the same again.

glibc gives large arrays back to the system when they are freed, and the system clears each page
before it hands it out again.  That is up to 40% of a gradient's time (``upgraded``, a million
rows; ``benchmarks/size.py``), and makes time grow faster than rows do.
"""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_LARGEST = 2**30  # bytes that are still taken from the heap; older versions take less, hence:
_LARGEST_OF_OLD = 32 * 2**20
_NEVER = 2**31 - 1  # free bytes at the heap's end from which on they are given back


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, where it is glibc; whether it was and agreed."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, which has no such choice
        return False
    taken = mallopt(_MMAP_THRESHOLD, _LARGEST) or mallopt(_MMAP_THRESHOLD, _LARGEST_OF_OLD)
    return bool(taken and mallopt(_TRIM_THRESHOLD, _NEVER))
