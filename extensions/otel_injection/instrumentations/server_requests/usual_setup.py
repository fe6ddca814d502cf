"""Decides whether a process's settings allow the shorter ways, and reports their errors."""

from __future__ import annotations

from otel_injection import report
from otel_injection.settings import environment

_UNKNOWN = (
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
    "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS",
)
"""Settings that only upstream's longer way supports."""

_usual: bool | None = None


def is_usual() -> bool:
    """Return whether none of those is set; decided at the process's first request."""
    global _usual
    if _usual is None:
        _usual = not any(environment.ENVIRON.get(each) for each in _UNKNOWN)
    return _usual


def failed(error: BaseException) -> None:
    """Print one line: a part of a request's telemetry is missing."""
    reason = f"{type(error).__name__}: {error}"
    report.say(f"a request has not all of its telemetry: {reason}", kind=f"request {type(error).__name__}")
