"""Keeps what could not be delivered, until it can be or the process ends."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from typing import Any, NamedTuple

MAX_RECORDS = 8192
"""Spans or log records that are kept for one signal, four times the default length of the SDK's queue."""
_TOGETHER = 2048
"""Records that are sent in one request at the most."""
_LONGEST_PAUSE = 30.0
_LONGEST_ASKED = 300.0
"""Seconds: a server may ask for no longer a pause."""
_JITTER = 0.3


class Kept(NamedTuple):
    """A batch that waits: its items, how many records they are, and the bytes of the request that they make."""

    items: Any
    records: int
    size: int


class Undelivered:
    """The batches of one signal that wait for another attempt, the oldest first; any thread may use it.

    ``max_bytes`` bounds the requests that they make. What exceeds a bound is given up, the oldest first.
    """

    def __init__(self, max_bytes: float, max_records: int = MAX_RECORDS) -> None:
        self._bounds = (max_records, max_bytes)
        self._batches: deque[Kept] = deque()
        self._lock = threading.Lock()
        self._failures = 0
        self.due = 0.0
        """When the next attempt may be made, on the monotonic clock."""

    def __len__(self) -> int:
        return sum(each.records for each in tuple(self._batches))

    def keep(self, batch: Kept, *, first: bool = False) -> int:
        """Keep a batch, ``first`` if it was taken before; return how many items are given up for it."""
        with self._lock:
            (self._batches.appendleft if first else self._batches.append)(batch)
            lost = 0
            while self._batches and not self._fits():
                lost += self._batches.popleft().records
            return lost

    def _fits(self) -> bool:
        records, size = self._bounds
        return (
            sum(each.records for each in self._batches) <= records and sum(each.size for each in self._batches) <= size
        )

    def take(self) -> Kept | None:
        """Take the oldest batches as one, so that a slow server gets fewer requests; None if there is none."""
        with self._lock:
            if not self._batches:
                return None
            items, records, size = self._batches.popleft()
            while self._batches and records + self._batches[0].records <= _TOGETHER:
                more = self._batches.popleft()
                items, records, size = [*items, *more.items], records + more.records, size + more.size
            return Kept(items, records, size)

    def next_attempt(self) -> float:
        """Return when something is to be sent again, on the monotonic clock; infinity if nothing waits."""
        return self.due if self._batches else math.inf

    def postpone(self, wait: float | None) -> None:
        """Set the next attempt: in ``wait`` seconds if the server asked for that, else after ever longer pauses."""
        self._failures = min(self._failures + 1, 10)
        pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE) if wait is None else min(wait, _LONGEST_ASKED)
        self.due = time.monotonic() + pause * random.uniform(1, 1 + _JITTER)  # noqa: S311 - spreads load

    def recovered(self) -> None:
        """Note that the server takes requests."""
        self._failures = 0
        self.due = 0.0
