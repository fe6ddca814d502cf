"""An OTLP/HTTP receiver for tests and for the demo: it takes what an app exports and answers questions about it.

Listens on loopback unless told otherwise, speaks ``/v1/traces``, ``/v1/metrics`` and ``/v1/logs`` with protobuf bodies,
plain or gzip, and can be told to misbehave as collectors do.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tests.telemetry import LogRecord, MetricPoint, Span, decode_logs, decode_metrics, decode_spans

_SIGNALS: dict[str, tuple[str, Any, Any, Callable[[Any], Any]]] = {
    "/v1/traces": (
        "spans",
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
        decode_spans,
    ),
    "/v1/metrics": (
        "points",
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
        decode_metrics,
    ),
    "/v1/logs": (
        "logs",
        logs_service_pb2.ExportLogsServiceRequest,
        logs_service_pb2.ExportLogsServiceResponse,
        decode_logs,
    ),
}


@dataclass(frozen=True)
class Request:
    """A request as it came; ``body`` is decompressed, ``status`` what it was answered with (None: never answered)."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    time: float
    status: int | None


@dataclass(frozen=True)
class Behaviour:
    """How requests are answered: after ``delay`` seconds, with ``status`` and ``headers``, or, ``silent``, never.

    With ``rejected``, a success says that all is rejected, with that reason. Only what is answered with 200 and not
    rejected counts as received.
    """

    status: int = 200
    delay: float = 0.0
    silent: bool = False
    rejected: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver:
    """The receiver; a context manager that listens from entering to leaving. All methods may be called by any thread.

    ``host`` and ``port`` are where it listens; port 0 takes a free one.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._received: dict[str, list[Any]] = {"spans": [], "points": [], "logs": []}
        self._behaviours: list[Behaviour] = []
        self._stopping = threading.Event()
        self._server: _Server | None = None

    def __enter__(self) -> Receiver:  # noqa: PYI034 - Self is not in Python 3.10
        self._server = _Server((self._host, self._port), self._handler())
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="receiver").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._stopping.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        if error is None and self._server.errors:
            raise self._server.errors[0]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The value for ``OTEL_EXPORTER_OTLP_ENDPOINT`` of an app on this host."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, accepted or not, in the order of their arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def spans(self) -> list[Span]:
        """The spans received so far."""
        return self._copy("spans")

    @property
    def points(self) -> list[MetricPoint]:
        """The metric data points received so far, in the order of their arrival."""
        return self._copy("points")

    @property
    def logs(self) -> list[LogRecord]:
        """The log records received so far."""
        return self._copy("logs")

    @property
    def instances(self) -> set[str]:
        """Every ``service.instance.id`` that sent anything."""
        items: list[Span | MetricPoint | LogRecord] = [*self.spans, *self.points, *self.logs]
        return {str(item.resource.get("service.instance.id")) for item in items}

    def clear(self) -> None:
        """Forget what was received."""
        with self._changed:
            self._requests.clear()
            for items in self._received.values():
                items.clear()

    def take(self) -> tuple[list[Span], list[MetricPoint], list[LogRecord]]:
        """Return what was received, and forget it: for runs of many minutes."""
        with self._changed:
            taken = self._received
            self._received = {"spans": [], "points": [], "logs": []}
            self._requests.clear()
        return taken["spans"], taken["points"], taken["logs"]

    def behave(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so, one behaviour for each; the last one stays. Without any: answer properly."""
        with self._changed:
            self._behaviours = list(behaviours)

    def wait_for(self, condition: Callable[[Receiver], object], timeout: float = 10.0) -> None:
        """Return as soon as the condition is true of what was received; TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                if condition(self):
                    return
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not received within {timeout} s; what came: {self.summary()}")
                self._changed.wait(left)

    def summary(self) -> str:
        """Say in one line what was received."""
        names = sorted({point.name for point in self.points})
        refused = [request.status for request in self.requests if request.status != 200]
        return (
            f"{len(self.spans)} spans, {len(self.logs)} log records, {len(self.points)} points of {names}, "
            f"{len(self.requests)} requests ({len(refused)} refused: {refused[:5]}), instances {sorted(self.instances)}"
        )

    def latest_points(self, name: str) -> list[MetricPoint]:
        """Return the last point of each time series of a metric.

        A time series is what a backend sees as one: resource identity, scope, attributes and start time. A process
        that takes over a dead one's ``service.instance.id`` begins a new one, as does each delta point, so that sums
        over the result are right in both cases.
        """
        latest: dict[str, MetricPoint] = {}
        for point in self.points:
            if point.name == name:
                identity = [point.resource.get(key) for key in ("service.name", "service.instance.id")]
                key = json.dumps([identity, point.scope, point.attributes, point.start], sort_keys=True, default=repr)
                if key not in latest or latest[key].time <= point.time:
                    latest[key] = point
        return list(latest.values())

    def sum_count(self, name: str) -> float:
        """Return a metric's total over all processes and attributes: counts of histograms, values of sums."""
        points = self.latest_points(name)
        return sum(point.count if point.count is not None else point.value or 0 for point in points)

    def _copy(self, kind: str) -> list[Any]:
        with self._changed:
            return list(self._received[kind])

    def _next_behaviour(self) -> Behaviour:
        with self._changed:
            if len(self._behaviours) > 1:
                return self._behaviours.pop(0)
            return self._behaviours[0] if self._behaviours else Behaviour()

    def _keep(self, request: Request, kind: str = "", items: list[Any] | None = None) -> None:
        with self._changed:
            self._requests.append(request)
            if items:
                self._received[kind].extend(items)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                came = time.time()
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                behaviour = receiver._next_behaviour()
                if behaviour.silent:
                    receiver._keep(Request(self.path, headers, body, came, None))
                    receiver._stopping.wait()
                    self.close_connection = True
                    return
                receiver._stopping.wait(behaviour.delay)
                status, answer, body, kind, items = _take(self.path, headers, body)
                if behaviour.status != 200:
                    status, answer, items = behaviour.status, b"", []
                elif behaviour.rejected and items:
                    answer, items = _partial_success(self.path, len(items), behaviour.rejected), []
                receiver._keep(Request(self.path, headers, body, came, status), kind, items)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf" if status == 200 else "text/plain")
                self.send_header("Content-Length", str(len(answer)))
                for name, value in behaviour.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent: tests read their own output."""

        return Handler


def _take(path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, bytes, str, list[Any]]:
    """Parse one request; returns status, answer, decompressed body, what it holds, and the parsed items."""
    if path not in _SIGNALS:
        return 404, b"no such signal", body, "", []
    if headers.get("content-type", "").partition(";")[0].strip() != "application/x-protobuf":
        return 415, b"only application/x-protobuf", body, "", []
    kind, request_class, response_class, decode = _SIGNALS[path]
    try:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        items = list(decode(request_class.FromString(body)))
    except (OSError, EOFError, zlib.error, DecodeError, ValueError) as error:
        return 400, str(error).encode(), body, "", []
    return 200, response_class().SerializeToString(), body, kind, items


def _partial_success(path: str, rejected: int, reason: str) -> bytes:
    """Write the answer that so many items were rejected; its field numbers are those of every signal."""
    answer = _SIGNALS[path][2]()
    (name,) = [each.name for each in answer.partial_success.DESCRIPTOR.fields if each.number == 1]
    setattr(answer.partial_success, name, rejected)
    answer.partial_success.error_message = reason
    return bytes(answer.SerializeToString())


class _Server(ThreadingHTTPServer):
    """A server that can end the connections that clients keep open."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.errors: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Keep an error of the receiver's own for whoever leaves its context; a client that went away is none."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.errors.append(error)
