"""Prints what the injection tells people: single lines on stderr with a fixed prefix, as few as possible."""

from __future__ import annotations

import os
import sys
import time

from otel_injection import ours

PREFIX = "otel-injection: "
_INTERVAL = 3600.0
"""Seconds for which a message of the same kind is not repeated."""

_LONGEST = 600
"""Characters of a line: values that are named in one may be pages."""

_last: dict[str, float] = {}


def say(message: str, kind: str | None = None) -> None:
    """Print one line, at most once an hour for each ``kind`` (by default, the message itself)."""
    try:
        if _is_helper():
            return
        now = time.monotonic()
        key = kind or message
        if now - _last.get(key, -_INTERVAL) < _INTERVAL:
            return
        if len(_last) > 200:
            _last.clear()
        _last[key] = now
        _write(message)
    except ours():
        pass


class Refused(Exception):  # noqa: N818 - people read the name
    """A configuration file is unusable, or it disables telemetry, which is ``wanted``. The text is for people."""

    def __init__(self, text: str, *, wanted: bool = False) -> None:
        super().__init__(text)
        self.wanted = wanted

    def say(self) -> None:
        """Print one line; only a debug line if the file disables telemetry on purpose."""
        tell = debug if self.wanted else say
        tell(f"no telemetry from this process: {self}")


def _is_helper() -> bool:
    """Return whether a program reads what this process prints: ``python -c``, if it is no worker of multiprocessing."""
    from otel_injection import guard

    arguments = getattr(sys, "orig_argv", sys.argv)
    return guard.runs_text(arguments) and not any("multiprocessing" in each for each in arguments)


def debug(message: str) -> None:
    """Print one line if ``OTEL_INJECTION_DEBUG`` is set."""
    setting = os.environ.get("OTEL_INJECTION_DEBUG", "").strip().lower()
    if setting:
        try:
            from otel_injection import guard

            if setting not in guard.TRUE:
                return
            _write(f"[{os.getpid()}] {message}")
        except ours():
            pass


def _write(message: str) -> None:
    """Write past the stream's buffer: its lock, in a thread of ours while Python ends, would have Python abort."""
    stream = sys.__stderr__  # an app may replace sys.stderr by something that logs, captures or counts
    if stream is not None:
        line = " ".join(message.split())
        if len(line) > _LONGEST:
            line = f"{line[:_LONGEST]}..."
        os.write(stream.fileno(), f"{PREFIX}{line}\n".encode("utf-8", "backslashreplace"))
