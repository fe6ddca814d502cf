"""Sends export requests over HTTP/1.1, with retries, until a deadline that can be pulled nearer.

See https://opentelemetry.io/docs/specs/otlp/#otlphttp. A look-up of a host name cannot be interrupted: export from a
daemon thread where the end of the process must not wait for it.
"""

from __future__ import annotations

import math
import random
import time
from typing import NamedTuple

from opentelemetry import context

from otel_injection.otlp import connection, problems
from otel_injection.otlp.connection import Answer, Connection
from otel_injection.otlp.deadline import Deadline, OutOfTimeError
from otel_injection.otlp.settings import Settings, UnusableError

_RETRYABLE = frozenset({429, 502, 503, 504})
_ATTEMPTS = 6
_JITTER = 0.2


class Outcome(NamedTuple):
    """How an export ended: whether it was accepted, how much of it was rejected all the same, and what to tell."""

    success: bool
    rejected: int
    problem: str


class Sender:
    """The transport of one signal over OTLP/HTTP. Any thread may use it; connections are shared between signals."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._close_at = math.inf
        self._headers = dict(settings.headers)
        if settings.compression != "none":
            self._headers.setdefault("content-encoding", settings.compression)

    def close_by(self, moment: float) -> None:
        """Let nothing run past a moment on the monotonic clock, not even what is under way in other threads."""
        self._close_at = min(self._close_at, moment)

    def shutdown(self) -> None:
        """End everything at once."""
        self.close_by(time.monotonic())
        idle = connection.take(self.settings)
        if idle is not None:
            idle.close()

    def send(self, body: bytes, timeout: float = math.inf) -> Outcome:
        """Send an export request, within ``timeout`` seconds if that is less than the setting.

        Never raises, except for what is not an ``Exception``.
        """
        token = context.attach(_suppressing())
        try:
            deadline = Deadline(min(timeout, self.settings.timeout), lambda: self._close_at)
            return self._send(_compressed(body, self.settings.compression), deadline)
        except Exception as error:
            return Outcome(False, 0, problems.of_error(error, self.settings))
        finally:
            context.detach(token)

    def _send(self, body: bytes, deadline: Deadline) -> Outcome:
        problem = ""
        for number in range(_ATTEMPTS):
            wait = 2**number * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- spreads load
            try:
                answer = self._attempt(body, deadline)
            except OutOfTimeError as error:
                return Outcome(False, 0, problem or problems.of_error(error, self.settings))
            except UnusableError as error:
                return Outcome(False, 0, str(error))
            except Exception as error:
                problem = problems.of_error(error, self.settings)
                if not isinstance(error, OSError) or problems.is_certificate(error):
                    return Outcome(False, 0, problem)
            else:
                if 200 <= answer.status < 300:
                    return Outcome(True, *problems.partial_success(answer.body))
                problem = problems.of_answer(answer)
                if answer.status not in _RETRYABLE:
                    return Outcome(False, 0, problem)
                wait = _retry_after(answer, wait)
            if not deadline.pause(wait):
                break
        return Outcome(False, 0, problem)

    def _attempt(self, body: bytes, deadline: Deadline) -> Answer:
        deadline.left()
        idle = connection.take(self.settings)
        if idle is not None:
            try:
                return self._post(idle, body, deadline)
            except OSError:
                # The server closed the idle connection just now, before it answered anything; more often than not it
                # has not read the request either. Where it has answered in part, it has.
                if idle.heard:
                    raise
        return self._post(Connection(self.settings, deadline), body, deadline)

    def _post(self, taken: Connection, body: bytes, deadline: Deadline) -> Answer:
        try:
            answer = taken.post(self.settings.endpoint.path, body, self._headers, deadline)
        except BaseException:
            taken.close()
            raise
        connection.give(self.settings, taken)
        return answer


def _suppressing() -> context.Context:
    """Return a context in which instrumentations do nothing; the keys are the API's, but not public."""
    current = context.get_current()
    for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        key = getattr(context, name, None)
        if key is not None:
            current = context.set_value(key, True, current)
    return current


def _compressed(body: bytes, compression: str) -> bytes:
    if compression == "none":
        return body
    import zlib

    if compression == "deflate":
        return zlib.compress(body)
    gzip = zlib.compressobj(wbits=31)
    return gzip.compress(body) + gzip.flush()


def _retry_after(answer: Answer, otherwise: float) -> float:
    """Return the seconds that the server wants to be left alone, given as a number or as a date."""
    value = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return otherwise
    return max(seconds, 0.0) if math.isfinite(seconds) else otherwise
