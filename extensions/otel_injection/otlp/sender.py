"""Sends export requests, with retries, until a deadline that can be pulled nearer.

A look-up of a host name cannot be interrupted: export from a daemon thread where the end of the process must not wait
for it.
"""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

from opentelemetry import context

from otel_injection.otlp import problems
from otel_injection.otlp.deadline import Deadline, OutOfTimeError
from otel_injection.otlp.errors import Http2Error, NotHttp2Error
from otel_injection.otlp.exporter_settings import Report, Settings, UnusableError
from otel_injection.otlp.http import Http
from otel_injection.otlp.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from otel_injection.otlp.grpc import Grpc

_ATTEMPTS = 6
_JITTER = 0.2

_for_grpc: dict[tuple[str, str, int], object] = {}
"""Servers to which requests over HTTP/1.1 were addressed, and which speak gRPC; by whom each was found."""


class Sender:
    """The transport of one signal. Any thread may use it; connections are shared between signals.

    Where HTTP/1.1 meets a port for gRPC, this process uses gRPC for that server from then on, which ``report`` is told.
    """

    def __init__(self, settings: Settings, report: Report = lambda _: None) -> None:
        self.settings = settings
        self._report = report
        self._close_at = math.inf
        endpoint = settings.endpoint
        self._server = (endpoint.scheme, endpoint.host, endpoint.port)
        self._http = Http(settings)
        self._grpc: Grpc | None = None

    def close_by(self, moment: float) -> None:
        """Let nothing run past a moment on the monotonic clock, not even what is under way in other threads.

        The last moment that was given holds.
        """
        self._close_at = moment

    @property
    def closing(self) -> bool:
        """Whether a moment has been set by which everything must have ended."""
        return self._close_at != math.inf

    @property
    def expired(self) -> bool:
        """Whether that moment has come."""
        return time.monotonic() >= self._close_at

    def shutdown(self) -> None:
        """End everything at once."""
        self.close_by(time.monotonic())
        self._http.close()
        if self._grpc is not None:
            self._grpc.close()

    def send(self, body: bytes, timeout: float = math.inf) -> Outcome:
        """Send an export request, within ``timeout`` seconds if that is less than the setting.

        Never raises, except for what is not an ``Exception``.
        """
        token = context.attach(_suppressing())
        try:
            return self._send(body, Deadline(min(timeout, self.settings.timeout), lambda: self._close_at))
        except Exception as error:
            return Outcome(False, 0, problems.of_error(error, self.settings))
        finally:
            context.detach(token)

    def _send(self, body: bytes, deadline: Deadline) -> Outcome:
        problem = ""
        asked: float | None = None
        for number in range(_ATTEMPTS):
            wait = 2**number * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 -- spreads load
            try:
                verdict = self._attempt(body, deadline)
            except OutOfTimeError as error:
                return Outcome(False, 0, problem or problems.of_error(error, self.settings), True, asked)
            except UnusableError as error:
                return Outcome(False, 0, str(error))
            except Exception as error:
                problem = problems.of_error(error, self.settings)
                if not isinstance(error, OSError) or problems.is_certificate(error):
                    return Outcome(False, 0, problem)
                asked = None
            else:
                if not verdict.retryable:
                    return verdict.outcome
                problem = verdict.outcome.problem
                asked = verdict.wait
                wait = wait if asked is None else asked
            if not deadline.pause(wait):
                break
        return Outcome(False, 0, problem, True, asked)

    def _attempt(self, body: bytes, deadline: Deadline) -> Verdict:
        if self.settings.protocol == "grpc" or self._server in _for_grpc:
            return self._over_grpc().attempt(body, deadline)
        try:
            return self._http.attempt(body, deadline)
        except Http2Error as met:
            try:
                verdict = self._over_grpc().attempt(body, deadline)
            except (OSError, NotHttp2Error) as error:
                raise (met.__cause__ or error) from None
        if verdict.understood and _for_grpc.setdefault(self._server, self) is self:
            self._report(
                f"{self.settings.endpoint.scheme}://{self.settings.endpoint.authority} is a port for gRPC: gRPC is "
                "used there in place of http/protobuf; OTEL_EXPORTER_OTLP_PROTOCOL=grpc saves finding out"
            )
        return verdict

    def _over_grpc(self) -> Grpc:
        if self._grpc is None:
            from otel_injection.otlp.grpc import Grpc

            self._grpc = Grpc(self.settings)
        return self._grpc


def _suppressing() -> context.Context:
    """Return a context in which instrumentations do nothing; the keys are the API's, but not public."""
    current = context.get_current()
    for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        key = getattr(context, name, None)
        if key is not None:
            current = context.set_value(key, True, current)
    return current
