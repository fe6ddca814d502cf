"""Sockets of the process's network namespace, from ``/proc/net``."""
# ruff: noqa: PYI024 - typing.NamedTuple would import typing

from __future__ import annotations

import sys
from collections import namedtuple
from types import ModuleType

sconn = namedtuple("sconn", ("fd", "family", "type", "laddr", "raddr", "status", "pid"))
addr = namedtuple("addr", ("ip", "port"))

STATES = {  # the kernel's include/net/tcp_states.h
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "07": "CLOSE",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
}


def net_connections() -> list[sconn]:
    """Return all TCP and UDP sockets.

    The process that a socket belongs to is never looked up, as psutil leaves it out for processes of other users: it
    would mean reading every descriptor of every process, and the metric is a count by protocol and state.
    """
    import socket  # here, so that importing this package brings no sockets into an app

    found = []
    for table, family, kind in (
        ("tcp", socket.AF_INET, socket.SOCK_STREAM),
        ("tcp6", socket.AF_INET6, socket.SOCK_STREAM),
        ("udp", socket.AF_INET, socket.SOCK_DGRAM),
        ("udp6", socket.AF_INET6, socket.SOCK_DGRAM),
    ):
        try:
            with open("/proc/net/" + table, encoding="ascii", errors="replace") as file:
                lines = file.readlines()[1:]
        except OSError:  # IPv6 is off, or a sandbox has no such file
            continue
        for line in lines:
            _, local, remote, state = line.split()[:4]
            status = STATES.get(state, "NONE") if kind == socket.SOCK_STREAM else "NONE"
            here, there = _address(socket, local, family), _address(socket, remote, family)
            found.append(sconn(-1, family, kind, here, there, status, None))
    return found


def _address(socket: ModuleType, written: str, family: int) -> addr | tuple[()]:
    """Return the address and port that the kernel wrote as hexadecimal words in its own byte order; () for none."""
    number, _, port = written.partition(":")
    if not int(port, 16):
        return ()
    packed = bytes.fromhex(number)
    if sys.byteorder == "little":
        packed = b"".join(packed[index : index + 4][::-1] for index in range(0, len(packed), 4))
    return addr(socket.inet_ntop(family, packed), int(port, 16))
