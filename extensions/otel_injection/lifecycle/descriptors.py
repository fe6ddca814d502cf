"""Keeps files of ours out of the app's way: its own files have the numbers that they have without us."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOWEST = 200


def out_of_the_way(socket: Any) -> Any:
    """Return a socket under a high number in its place: the low ones are those that an app counts on, or closes."""
    try:
        import fcntl

        high = type(socket)(fileno=fcntl.fcntl(socket.fileno(), fcntl.F_DUPFD_CLOEXEC, _LOWEST))
    except (ImportError, OSError):
        return socket
    socket.close()
    return high


def opening_out_of_the_way(fd: int, action: Callable[[], Any]) -> Any:
    """Return what ``action`` returns; a file that it opens for good gets a high number. ``fd`` is any open file."""
    taken: list[int] = []
    try:
        while not taken or taken[-1] < _LOWEST:
            taken.append(os.dup(fd))
        return action()
    finally:
        for each in taken:
            os.close(each)
