"""OTLP over gRPC: one unary call per request. See https://opentelemetry.io/docs/specs/otlp/#otlpgrpc.

The framing is that of https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from urllib.parse import unquote

from otel_injection.otlp import connection, problems
from otel_injection.otlp._wire import fields
from otel_injection.otlp.compression import compressed
from otel_injection.otlp.deadline import Deadline
from otel_injection.otlp.errors import ResetError
from otel_injection.otlp.exporter_settings import Settings
from otel_injection.otlp.http2 import Http2Connection, Reply
from otel_injection.otlp.outcome import Outcome, Verdict

_SERVICES = {"traces": "trace.v1.Trace", "metrics": "metrics.v1.Metrics", "logs": "logs.v1.Logs"}
_CODES = """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED
    RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
    UNAUTHENTICATED
""".split()  # noqa: SIM905 -- their places are their numbers
_NUMBERS = frozenset(map(str, range(len(_CODES))))
_RETRYABLE = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_RETRYABLE_HTTP = frozenset({"429", "502", "503", "504"})
"""Answers of HTTP alone that gRPC takes for UNAVAILABLE."""
_CANCEL = 8
"""HTTP/2's code for a cancelled call, which servers send when they are stopped."""

_ADVICE = {
    "UNAUTHENTICATED": "check OTEL_EXPORTER_OTLP_HEADERS",
    "PERMISSION_DENIED": "check OTEL_EXPORTER_OTLP_HEADERS",
    "UNIMPLEMENTED": "check that OTEL_EXPORTER_OTLP_ENDPOINT takes OTLP/gRPC for this signal",
    "RESOURCE_EXHAUSTED": "export smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BLRP_MAX_EXPORT_BATCH_SIZE)",
}

_OF_SIZE = ("larger than", "too large", "too big", "exceeds", "size")
"""Words of servers for a message that is too large; RESOURCE_EXHAUSTED may mean anything else."""

_NOT_METADATA = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "host", "keep-alive", "proxy-connection"}
    | {"te", "transfer-encoding", "upgrade"}
)
"""Headers that belong to HTTP: what the settings say of them is meant for OTLP/HTTP."""


class Grpc:
    """Requests of one signal as calls of its collector service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._compressed = settings.compression != "none"
        self._headers = [
            (":method", b"POST"),
            (":scheme", settings.endpoint.scheme.encode()),
            (":authority", settings.endpoint.authority.encode()),
            (":path", f"/opentelemetry.proto.collector.{_SERVICES[settings.signal]}Service/Export".encode()),
            ("te", b"trailers"),
            ("content-type", b"application/grpc"),
        ]
        if self._compressed:
            self._headers.append(("grpc-encoding", b"gzip"))
        for name, value in settings.headers.items():
            if name not in _NOT_METADATA and not name.startswith("grpc-"):
                encoded = value.encode()
                self._headers.append((name, b64encode(encoded).rstrip(b"=") if name.endswith("-bin") else encoded))

    def attempt(self, body: bytes, deadline: Deadline) -> Verdict:
        """Send a request once and judge the answer; for what is raised see ``Http2Connection``."""
        message = _framed(body, self._compressed)

        def call(taken: Http2Connection) -> Reply:
            headers = [*self._headers, ("grpc-timeout", _timeout(deadline.left()))]
            return taken.call(headers, message, deadline)

        try:
            reply = connection.exchange(Http2Connection, self._settings, deadline, call)
        except ResetError as error:
            return Verdict(
                Outcome(False, 0, problems.of_error(error, self._settings)), error.code == _CANCEL, understood=False
            )
        return _judged(reply)

    def close(self) -> None:
        """Close the idle connection."""
        idle = connection.take(Http2Connection, self._settings)
        if idle is not None:
            idle.close()


def _judged(reply: Reply) -> Verdict:
    ends = reply.trailers or reply.headers
    status = ends.get("grpc-status", "")
    if not status:
        return _of_http(reply.headers.get(":status", ""))
    code = _CODES[int(status)] if status in _NUMBERS else f"status {status[:20]}"
    if code == "OK":
        return Verdict(Outcome(True, *problems.partial_success(_message(reply.body))))
    words = problems.line(unquote(ends.get("grpc-message", "")).encode())
    problem = f"the answer is {code}" + (f" ({words})" if words else "")
    if code in _ADVICE:
        problem += f"; {_ADVICE[code]}"
    wait = _retry_delay(ends.get("grpc-status-details-bin", ""))
    retryable = code in _RETRYABLE or (code == "RESOURCE_EXHAUSTED" and wait is not None)
    too_large = code == "RESOURCE_EXHAUSTED" and not retryable and any(each in words.lower() for each in _OF_SIZE)
    return Verdict(Outcome(False, 0, problem, too_large=too_large), retryable, wait or None)


def _of_http(status: str) -> Verdict:
    """Judge an answer that is none of gRPC's, by its HTTP status."""
    problem = f"the answer is HTTP {status} and none of gRPC; check OTEL_EXPORTER_OTLP_ENDPOINT"
    return Verdict(Outcome(False, 0, problem), status in _RETRYABLE_HTTP, understood=False)


def _framed(body: bytes, is_compressed: bool) -> bytes:
    """Return a message with its head: whether it is compressed, and its length."""
    content = compressed(body, "gzip") if is_compressed else body
    return bytes((is_compressed,)) + len(content).to_bytes(4, "big") + content


def _message(framed: bytes) -> bytes:
    """Return the message of an answer; nothing for one that is compressed, which was not asked for."""
    return framed[5 : 5 + int.from_bytes(framed[1:5], "big")] if framed[:1] == b"\0" else b""


def _timeout(seconds: float) -> bytes:
    milliseconds = math.ceil(seconds * 1000)
    return b"%dm" % milliseconds if milliseconds < 10**8 else b"%dS" % min(math.ceil(seconds), 10**8 - 1)


def _retry_delay(details: str) -> float | None:
    """Return the seconds that the RetryInfo in a google.rpc.Status asks for; None if there is none."""
    try:
        for field, detail in fields(b64decode(details + "=" * (-len(details) % 4))):
            if field == 3 and isinstance(detail, bytes):
                parts = dict(fields(detail))
                kind, value = parts.get(1, b""), parts.get(2, b"")
                if isinstance(kind, bytes) and kind.endswith(b"/google.rpc.RetryInfo") and isinstance(value, bytes):
                    return _seconds(dict(fields(value)).get(1, b""))
    except ValueError:
        pass
    return None


def _seconds(duration: int | bytes) -> float:
    """Return a google.protobuf.Duration in seconds; a negative one is none."""
    parts = dict(fields(duration)) if isinstance(duration, bytes) else {}
    whole, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(whole, int) or not isinstance(nanos, int) or whole >= 1 << 62 or nanos >= 10**9:
        return 0.0
    return whole + nanos / 1e9
