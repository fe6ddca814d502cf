"""Holds back the spans of a trace in this process until it is decided whether to keep them.

A part of a trace is a local root (a span without a parent, or with one in another process) and all spans below it. It
is kept as soon as one of its spans has failed or it has lasted too long, and decided at the latest when its root ends.
Spans that end after their root follow the decision.

There is no lock: the app's threads end spans, and a child of a fork may end one of its parent's. Each step below is
atomic in Python.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any

from opentelemetry.trace import StatusCode

from otel_injection.processors.base import SpanStep

_REMEMBERED = 4096
"""Ended spans that are remembered, so that a child that starts after them finds its part."""


class Part:
    """A local root and the spans below it; ``wanted`` is None until it is decided."""

    __slots__ = ("held", "root", "start", "wanted")

    def __init__(self, root: int, start: int) -> None:
        self.root = root
        self.start = start
        self.wanted: bool | None = None
        self.held: deque[Any] = deque()


class PartStep(SpanStep):
    """Keeps parts that failed or were slow, and those that ``is_certain`` chooses by their root.

    ``slow`` is in nanoseconds; ``limit`` is the number of spans that may be held back: beyond it, the oldest part is
    kept as it is.
    """

    def __init__(self, following: Any, slow: int, limit: int) -> None:
        super().__init__(following)
        self._slow = slow
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._open: dict[int, Part] = {}
        self._ended: dict[int, Part] = {}
        self._undecided: dict[int, Part] = {}
        self._came, self._went, self._gone = count(1), count(1), 0

    def is_certain(self, root: Any) -> bool:
        """Return whether a part is kept whatever becomes of it, judged by its root as it starts."""
        raise NotImplementedError

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - the interface's
        """Find the span's part, or begin one."""
        identity, parent = span.context.span_id, span.parent
        part = None
        if parent is not None and not parent.is_remote:
            part = self._open.get(parent.span_id) or self._ended.get(parent.span_id)
        if part is None:
            part = Part(identity, span.start_time)
            if self.is_certain(span):
                part.wanted = True
            else:
                self._undecided[identity] = part
        self._open[identity] = part
        if len(self._open) > _REMEMBERED + self._limit:  # spans that an app never ends
            self._forget(self._open)

    def on_end(self, span: Any) -> None:
        """Hand the span on, hold it back or drop it."""
        identity = span.context.span_id
        part = self._open.pop(identity, None)
        if part is None:
            self.following.on_end(span)
            return
        self._ended[identity] = part
        if len(self._ended) > _REMEMBERED:
            self._forget(self._ended)
        if part.wanted is None:
            part.held.append(span)
            held = next(self._came) - self._gone
            if span.status.status_code is StatusCode.ERROR or span.end_time - part.start >= self._slow:
                self._decide(part, True)
            elif identity == part.root:
                self._decide(part, False)
            elif held > self._limit:
                self._release_oldest()
            self._settle(part)
        elif part.wanted:
            self.following.on_end(span)
        else:
            self.drop(1)

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's
        """Hand on what is undecided: the process may be about to end."""
        while self._undecided:
            self._release_oldest()
        return True

    def abandon(self) -> None:
        """Forget the parent's spans in a forked child: the parent still has them."""
        self._begin()

    def _release_oldest(self) -> None:
        try:
            part = self._undecided[next(iter(self._undecided))]
        except (KeyError, RuntimeError, StopIteration):  # another thread was faster
            return
        self._decide(part, True)

    def _settle(self, part: Part) -> None:
        """Act on the decision if another thread has made it while a span was added."""
        if part.wanted is not None:
            self._empty(part)

    def _decide(self, part: Part, wanted: bool) -> None:
        self._undecided.pop(part.root, None)
        part.wanted = wanted
        self._empty(part)

    def _empty(self, part: Part) -> None:
        """Hand on or drop what is held; several threads may do so at once, and each span is taken by one of them."""
        while True:
            try:
                span = part.held.popleft()
            except IndexError:
                return
            self._gone = next(self._went)
            if part.wanted:
                self.following.on_end(span)
            else:
                self.drop(1)

    def _forget(self, spans: dict[int, Part]) -> None:
        try:
            part = spans.pop(next(iter(spans)))
        except (KeyError, RuntimeError, StopIteration):
            return
        if spans is self._open and part.wanted is None:
            self._decide(part, True)
