"""Limits how long an export may take: everything that blocks does so in short slices, and checks the clock in between.

So another thread can shorten the deadline while a request or a pause is under way, without touching a socket that this
thread uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_SLICE = 0.1
"""Seconds: how late, at most, a deadline is noticed. Nothing wakes up while no request is under way."""


class OutOfTimeError(Exception):
    """The deadline has come. The text says what was being done."""


class Deadline:
    """The moment by which something must have ended: ``seconds`` from now, or at ``limit()`` if that is earlier.

    ``limit`` returns a time on the monotonic clock and is asked again and again. ``doing`` is for people.
    """

    def __init__(self, seconds: float, limit: Callable[[], float]) -> None:
        self._at = time.monotonic() + seconds
        self._limit = limit
        self.doing = "waiting"

    def left(self) -> float:
        """Return the seconds that are left, more than 0.

        :raises OutOfTimeError: none are.
        """
        left = min(self._at, self._limit()) - time.monotonic()
        if left <= 0:
            raise OutOfTimeError(self.doing)
        return left

    def slice(self) -> float:
        """Return the seconds to block for before asking again.

        :raises OutOfTimeError: none are left.
        """
        return min(_SLICE, self.left())

    def share(self, count: int) -> Deadline:
        """Return a deadline for the first of ``count`` steps that share the time left."""
        share = Deadline(self.left() / count, self._limit)
        share.doing = self.doing
        return share

    def pause(self, seconds: float) -> bool:
        """Sleep; return False, and at once, if no time would be left afterwards."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if now >= until:
                return True
            if until >= min(self._at, self._limit()):
                return False
            time.sleep(min(_SLICE, until - now))
