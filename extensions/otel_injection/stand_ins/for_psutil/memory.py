"""Memory and swap space of the whole system, from ``/proc/meminfo``, in bytes."""
# ruff: noqa: PYI024 - typing.NamedTuple would import typing

from __future__ import annotations

from collections import namedtuple

svmem = namedtuple(
    "svmem",
    (
        "total",
        "available",
        "percent",
        "used",
        "free",
        "active",
        "inactive",
        "buffers",
        "cached",
        "shared",
        "slab",
    ),
)
sswap = namedtuple("sswap", ("total", "used", "free", "percent", "sin", "sout"))


def virtual_memory() -> svmem:
    """Return the system's memory; what a kernel does not tell is 0.

    As ``free`` does, ``cached`` includes what the kernel can reclaim, and ``used`` is what is not available.
    """
    memory = _meminfo()
    total, free = memory.get("MemTotal", 0), memory.get("MemFree", 0)
    cached = memory.get("Cached", 0) + memory.get("SReclaimable", 0)
    available = memory.get("MemAvailable", 0) or free + cached
    if available > total:  # some containers show their own total, but the host's cache
        available = free
    used = total - available
    return svmem(
        total=total,
        available=available,
        percent=_percent(used, total),
        used=used,
        free=free,
        active=memory.get("Active", 0),
        inactive=memory.get("Inactive", 0),
        buffers=memory.get("Buffers", 0),
        cached=cached,
        shared=memory.get("Shmem", 0),
        slab=memory.get("Slab", 0),
    )


def swap_memory() -> sswap:
    """Return the system's swap space, and the bytes swapped in and out since it started."""
    memory = _meminfo()
    total, free = memory.get("SwapTotal", 0), memory.get("SwapFree", 0)
    swapped = {b"pswpin": 0, b"pswpout": 0}
    try:
        with open("/proc/vmstat", "rb") as file:
            for line in file:
                if line.startswith(b"pswp"):
                    name, count = line.split()
                    swapped[name] = int(count) * 4096
    except OSError:  # hidden in some containers
        pass
    used = total - free
    return sswap(total, used, free, _percent(used, total), swapped[b"pswpin"], swapped[b"pswpout"])


def _meminfo() -> dict[str, int]:
    found = {}
    with open("/proc/meminfo", encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            found[name] = int(value.split()[0]) * 1024
    return found


def _percent(used: int, total: int) -> float:
    return round(100 * used / total, 1) if total else 0.0
