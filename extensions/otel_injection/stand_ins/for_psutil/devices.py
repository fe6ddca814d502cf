"""Counters of disks and network interfaces since the system started.

``/proc/net`` shows the network namespace of the process: in a container its own interfaces.
"""
# ruff: noqa: PYI024 - typing.NamedTuple would import typing

from __future__ import annotations

import os
from collections import namedtuple

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

SECTOR = 512
"""Bytes of a sector as the kernel counts them, whatever size the disk's own sectors have."""

sdiskio = namedtuple(
    "sdiskio",
    (
        "read_count",
        "write_count",
        "read_bytes",
        "write_bytes",
        "read_time",
        "write_time",
        "read_merged_count",
        "write_merged_count",
        "busy_time",
    ),
)
snetio = namedtuple(
    "snetio",
    ("bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "errin", "errout", "dropin", "dropout"),
)

_last: dict[tuple[type, str], tuple[tuple[int, ...], list[int]]] = {}


def disk_io_counters(perdisk: bool = False) -> Any:
    """Return the counters of all disks together (None without disks), or by the names of disks and partitions.

    Times are in milliseconds. Where neither ``/proc/diskstats`` nor ``/sys/block`` can be read, there are no disks.
    """
    found = {}
    for name, fields in _diskstats():
        if perdisk or os.path.exists("/sys/block/" + name.replace("/", "!")):  # a disk's include its partitions'
            found[name] = sdiskio(
                read_count=fields[0],
                read_merged_count=fields[1],
                read_bytes=fields[2] * SECTOR,
                read_time=fields[3],
                write_count=fields[4],
                write_merged_count=fields[5],
                write_bytes=fields[6] * SECTOR,
                write_time=fields[7],
                busy_time=fields[9],
            )
    _unwrap(sdiskio, found)
    if perdisk:
        return found
    return sdiskio(*map(sum, zip(*found.values(), strict=True))) if found else None


def net_io_counters(pernic: bool = False) -> Any:
    """Return the counters of all interfaces together (None without interfaces), or by name.

    Where ``/proc/net/dev`` cannot be read, there are no interfaces.
    """
    found = {}
    for line in _lines("/proc/net/dev")[2:]:
        name, _, counted = line.rpartition(":")
        numbers = [int(field) for field in counted.split()]
        received, sent = numbers[:8], numbers[8:]
        found[name.strip()] = snetio(
            bytes_sent=sent[0],
            bytes_recv=received[0],
            packets_sent=sent[1],
            packets_recv=received[1],
            errin=received[2],
            errout=sent[2],
            dropin=received[3],
            dropout=sent[3],
        )
    _unwrap(snetio, found)
    if pernic:
        return found
    return snetio(*map(sum, zip(*found.values(), strict=True))) if found else None


def _diskstats() -> list[tuple[str, list[int]]]:
    """Return names and the kernel's fields (its Documentation/admin-guide/iostats.rst) of disks and partitions."""
    rows = [line.split() for line in _lines("/proc/diskstats")]
    if not rows and os.path.isdir("/sys/block"):
        for disk in os.listdir("/sys/block"):
            folder = "/sys/block/" + disk
            for name in (disk, *(inner for inner in os.listdir(folder) if inner.startswith(disk))):
                stat = f"{folder}/stat" if name == disk else f"{folder}/{name}/stat"
                rows += [["", "", name, *line.split()] for line in _lines(stat)]
    return [(row[2], [int(field) for field in row[3:]]) for row in rows if len(row) >= 13]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []


def _unwrap(kind: type, found: dict[str, Any]) -> None:
    """Keep counters growing where the kernel's overflow to 0: a metric would take that for a restart."""
    for name, counters in found.items():
        before, added = _last.get((kind, name), (counters, [0] * len(counters)))
        for index, (old, new) in enumerate(zip(before, counters, strict=True)):
            if new < old:
                added[index] += old
        _last[kind, name] = counters, added
        found[name] = kind(*map(sum, zip(counters, added, strict=True)))
    for gone in [key for key in _last if key[0] is kind and key[1] not in found]:
        del _last[gone]
