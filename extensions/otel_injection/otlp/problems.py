"""Says in one line why an export failed and what to do; the same failure always gives the same line."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from otel_injection.otlp._wire import fields
from otel_injection.otlp.deadline import OutOfTimeError
from otel_injection.otlp.errors import BrokenHttp2Error, Http2Error, NotHttp2Error, ResetError
from otel_injection.otlp.exporter_settings import Settings

if TYPE_CHECKING:
    from otel_injection.otlp.http import Answer

_USUAL_PORTS = {"grpc": 4317, "http/protobuf": 4318}
_LONGEST = 200
"""Characters of a server's own words."""

_ADVICE = {
    401: "check OTEL_EXPORTER_OTLP_HEADERS",
    403: "check OTEL_EXPORTER_OTLP_HEADERS",
    404: "check the path in OTEL_EXPORTER_OTLP_ENDPOINT, to which /v1/<signal> is added",
    405: "check the path in OTEL_EXPORTER_OTLP_ENDPOINT, to which /v1/<signal> is added",
    413: "export smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BLRP_MAX_EXPORT_BATCH_SIZE)",
    415: "check that the endpoint takes OTLP/HTTP with protobuf",
}


def of_error(error: Exception, settings: Settings) -> str:
    """Describe why there is no answer."""
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be looked up ({error.strerror}); check OTEL_EXPORTER_OTLP_ENDPOINT"
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused; check that a collector listens there"
    if is_certificate(error):
        reason = getattr(error, "verify_message", "")
        return (
            f"the server's certificate is not trusted ({reason}); set OTEL_EXPORTER_OTLP_CERTIFICATE to its CA's file"
        )
    if _is(error, "ssl", "SSLError"):
        return f"TLS failed ({getattr(error, 'reason', None) or error}); check that the port speaks TLS"
    if isinstance(error, (Http2Error, NotHttp2Error, ResetError)):
        return _of_http2(error)
    if isinstance(error, OutOfTimeError):
        return f"the time ran out while {error}; check that the collector can be reached and keeps up"
    if isinstance(error, ConnectionError) or _is(error, "http.client", "IncompleteRead"):
        return _of_end(error, settings)
    if _is(error, "http.client", "HTTPException"):
        return f"the answer is not HTTP ({type(error).__name__}); check OTEL_EXPORTER_OTLP_ENDPOINT"
    return f"{type(error).__name__}: {error}"


def _of_end(error: Exception, settings: Settings) -> str:
    for protocol, port in _USUAL_PORTS.items():
        if settings.endpoint.port == port and settings.protocol != protocol:
            return f"the connection was closed without an answer; port {port} is usually for {protocol}"
    return f"the connection was closed without an answer ({error})"


def _of_http2(error: Http2Error | NotHttp2Error | ResetError) -> str:
    if isinstance(error, Http2Error):
        return "the port speaks HTTP/2 only; set OTEL_EXPORTER_OTLP_ENDPOINT to that for HTTP, usually 4318"
    if isinstance(error, BrokenHttp2Error):
        return f"the answer breaks the rules of HTTP/2 ({error})"
    if isinstance(error, NotHttp2Error):
        return (
            f"the port does not speak gRPC ({error}); set OTEL_EXPORTER_OTLP_ENDPOINT to that for gRPC, usually 4317, "
            "or OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf"
        )
    return f"the collector broke the call off ({error})"


def is_certificate(error: Exception) -> bool:
    """Return whether the server's certificate was rejected, which another attempt does not change."""
    return _is(error, "ssl", "SSLCertVerificationError")


def of_answer(answer: Answer) -> str:
    """Describe an answer that is no success."""
    text = f"the answer is {answer.status} {answer.reason}".rstrip()
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"{text} to {answer.headers['location'][:_LONGEST]}; set OTEL_EXPORTER_OTLP_ENDPOINT"
    words = _words(answer)
    advice = _ADVICE.get(answer.status)
    return text + (f" ({words})" if words else "") + (f"; {advice}" if advice else "")


def partial_success(body: bytes) -> tuple[int, str]:
    """Return how many items of a successful request the server rejected, and why; (0, "") where it says nothing.

    The field numbers of ExportTraceServiceResponse and of those of the other signals are the same.
    """
    rejected, message = 0, ""
    try:
        for field, value in fields(body):
            if field == 1 and isinstance(value, bytes):
                for inner, content in fields(value):
                    if inner == 1 and isinstance(content, int):
                        rejected = content if content < 1 << 63 else 0
                    elif inner == 2 and isinstance(content, bytes):
                        message = line(content)
    except ValueError:
        pass  # the status said that it is a success
    return rejected, message


def _words(answer: Answer) -> str:
    """Return the message of the google.rpc.Status that an answer holds, or its text."""
    if "protobuf" in answer.headers.get("content-type", ""):
        try:
            return "".join(
                line(value) for field, value in fields(answer.body) if field == 2 and isinstance(value, bytes)
            )
        except ValueError:
            return ""
    return line(answer.body)


def line(text: bytes) -> str:
    """Return a server's own words as one short line."""
    return " ".join(text[: 4 * _LONGEST].decode("utf-8", "replace").split())[:_LONGEST]


def _is(error: Exception, module: str, name: str) -> bool:
    """Return whether an error is of a class, without importing the module that has it."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)
