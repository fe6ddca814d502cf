"""Gives files of ours high numbers, so that the app's own files get the numbers that they get without us."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOWEST = 200


def out_of_the_way(socket: Any) -> Any:
    """Return the same socket under a high number: apps count on low ones, or close them."""
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
