"""Processors that keep or drop the part of a trace in this process by duration and errors; see ``trace_parts``."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import SpanKind

from otel_injection.processors.options import names, number
from otel_injection.processors.trace_parts import PartStep

_LIMIT = "OTEL_INJECTION_MAX_HELD_SPANS"
_SECOND = 1_000_000_000


class TailSampling(PartStep):
    """``tail_sampling``: keeps what failed or was slow, and of the rest the ratio ``OTEL_INJECTION_TAIL_RATIO``.

    Slow is what takes at least ``OTEL_INJECTION_TAIL_SLOW`` seconds. The ratio is decided by the trace's id, so that
    all processes of a trace decide alike.
    """

    def __init__(self, following: Any, ratio: Any = None, slow: Any = None, max_held_spans: Any = None) -> None:
        slow = number("OTEL_INJECTION_TAIL_SLOW", slow)
        super().__init__(following, int(slow * _SECOND), int(number(_LIMIT, max_held_spans)))
        self._bound = round(number("OTEL_INJECTION_TAIL_RATIO", ratio) * 2**64)

    def is_certain(self, root: Any) -> bool:
        """Return whether the ratio keeps the trace."""
        return bool(root.context.trace_id % 2**64 < self._bound)


class DropFast(PartStep):
    """``drop_fast``: drops requests that take less than ``OTEL_INJECTION_FAST`` seconds, unless something failed.

    Only requests whose path begins with one of ``OTEL_INJECTION_FAST_PATHS``; by default all of them.
    """

    def __init__(self, following: Any, fast: Any = None, paths: Any = None, max_held_spans: Any = None) -> None:
        fast = number("OTEL_INJECTION_FAST", fast)
        super().__init__(following, int(fast * _SECOND), int(number(_LIMIT, max_held_spans)))
        self._prefixes = tuple(names("OTEL_INJECTION_FAST_PATHS", paths))

    def is_certain(self, root: Any) -> bool:
        """Return whether the span is no such request, and is kept."""
        if root.kind is not SpanKind.SERVER:
            return True
        attributes = root.attributes
        path = attributes.get("url.path") or attributes.get("http.target")
        return not (isinstance(path, str) and path.startswith(self._prefixes))
