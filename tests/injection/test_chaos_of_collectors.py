"""What fits the bounds is lost to no collector that is away, busy, slow or picky: each span and record arrives once."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.injection.harness import free_port
from tests.injection.running import Runner

pytestmark = pytest.mark.newest_python

APP = """
import logging, sys, time
from opentelemetry import trace
tracer, log = trace.get_tracer("shop"), logging.getLogger("shop")
count, pause, size, rest = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
for number in range(count):
    with tracer.start_as_current_span(f"sale {number}") as span:
        span.set_attribute("note", "x" * size)
        log.warning("sold %d", number)
    time.sleep(pause)
time.sleep(rest)
"""

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}


@dataclass
class Answer:
    """How one request is answered; with ``taken`` its content counts as received."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @property
    def taken(self) -> bool:
        return self.status == 200


Judge = Callable[[str, int, int, float], Answer]
"""Gives the answer for a path, the number of the request, the length of its body, and the seconds since the start."""


class Collector:
    """A collector that answers by a rule, and knows what it has taken."""

    def __init__(self, judge: Judge, port: int = 0) -> None:
        self.spans: Counter[str] = Counter()
        self.logs: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        began = time.monotonic()
        lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                import gzip

                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    collector.requests[self.path] += 1
                    collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                    answer = judge(self.path, collector.requests[self.path], len(body), time.monotonic() - began)
                if answer.taken:
                    body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                    collector._take(self.path, body, lock)
                time.sleep(answer.delay)
                with suppress(OSError):
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # an app that has ended

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _take(self, path: str, body: bytes, lock: threading.Lock) -> None:
        with lock:
            if path.endswith("/traces"):
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        self.spans.update(span.name for span in scope.spans)
            elif path.endswith("/logs"):
                for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                    for scope in resource.scope_logs:
                        self.logs.update(record.body.string_value for record in scope.log_records)

    def __enter__(self) -> Collector:  # noqa: PYI034 - Self is not in Python 3.10
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def flapping(_path: str, _number: int, _length: int, since: float) -> Answer:
    return Answer(503 if since % 1.4 < 0.6 else 200)


def of_three(status: int, **headers: str) -> Judge:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _path, number, _length, _since: Answer(200) if number % 3 == 0 else Answer(status, named)


def a_date(_path: str, number: int, _length: int, _since: float) -> Answer:
    return Answer(429, {"Retry-After": formatdate(time.time() + 1, usegmt=True)}) if number % 2 else Answer()


def only_logs_are_busy(path: str, number: int, _length: int, _since: float) -> Answer:
    return Answer(429, {"Retry-After": "1"}) if path.endswith("/logs") and number % 2 else Answer()


def slow(_path: str, _number: int, _length: int, _since: float) -> Answer:
    return Answer(delay=0.8)


def picky(most: int) -> Judge:
    return lambda _path, _number, length, _since: Answer(413 if length > most else 200)


@dataclass
class Row:
    """A collector, and the app's pace: spans, seconds between them, bytes in each, seconds at its end."""

    judge: Judge
    count: int = 40
    pause: float = 0.1
    size: int = 10
    rest: float = 3.0
    env: dict[str, str] = field(default_factory=lambda: FAST)


ROWS = {
    "503 with Retry-After to two of three": Row(of_three(503, Retry_After="1"), rest=5),
    "502 to two of three": Row(of_three(502), rest=5),
    "429 with a date": Row(a_date, rest=4),
    "429 for log records alone": Row(only_logs_are_busy, rest=4),
    "down for some of the time": Row(flapping, rest=4),
    "slower than a request may take": Row(slow, rest=3),
    "413 above 20 kB": Row(
        picky(20_000), count=300, pause=0.001, size=1000, rest=2, env={**FAST, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_span_and_record_arrives_once(runner: Runner, row: Row) -> None:
    with Collector(row.judge) as collector:
        runner.write(APP, "shop.py")
        arguments = ["shop.py", str(row.count), str(row.pause), str(row.size), str(row.rest)]
        env = {**row.env, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRICS_EXPORTER": "none"}
        done = runner.run(arguments, env=env)
    assert done.status == 0
    assert collector.spans == Counter(f"sale {number}" for number in range(row.count))
    assert collector.logs == Counter(f"sold {number}" for number in range(row.count))


def test_one_that_comes_late_gets_everything_once(runner: Runner) -> None:
    """The requests before it was there were refused; 64 batches come after the queue could hold no more."""
    port = free_port()
    runner.write(APP, "shop.py")
    env = {
        **FAST,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_MAX_QUEUE_SIZE": "64",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16",
        "OTEL_BLRP_MAX_QUEUE_SIZE": "64",
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "16",
    }
    found: list[Collector] = []

    def come() -> None:
        time.sleep(13)  # longer than all attempts for one request took before
        found.append(Collector(lambda *_: Answer(), port).__enter__())

    threading.Thread(target=come, daemon=True).start()
    done = runner.run(["shop.py", "240", "0.05", "10", "16"], env=env)
    assert done.status == 0
    assert found[0].spans == Counter(f"sale {number}" for number in range(240))
    assert found[0].logs == Counter(f"sold {number}" for number in range(240))
    found[0].__exit__()


def test_a_span_that_is_too_large_costs_no_other(runner: Runner) -> None:
    source = f"""
    {APP.partition("count,")[0].replace(chr(10), chr(10) + "    ")}
    for number in range(20):
        with tracer.start_as_current_span(f"sale {{number}}") as span:
            span.set_attribute("note", "x" * (100_000 if number == 7 else 10))
    """
    with Collector(picky(50_000)) as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        done = runner.run(source, env=env)
    assert collector.spans == Counter(f"sale {number}" for number in range(20) if number != 7)
    (line,) = done.lines
    assert "413" in line
    assert " bytes" in line


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_redirects_are_followed_and_secrets_stay_where_they_belong(
    runner: Runner, status: int, elsewhere: bool
) -> None:
    with Collector(lambda *_: Answer()) as target, closing(socket.socket()):

        def judge(path: str, *_: object) -> Answer:
            place = f"{target.url}{path}" if elsewhere else f"/moved{path}"
            return Answer() if path.startswith("/moved") else Answer(status, {"Location": place})

        with Collector(judge) as first:
            env = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": first.url,
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret,tenant=tea",
            }
            runner.write(APP, "shop.py")
            done = runner.run(["shop.py", "3", "0", "1", "0"], env=env)
    assert done.lines == []
    taker = target if elsewhere else first
    assert sorted(taker.spans) == ["sale 0", "sale 1", "sale 2"]
    assert sorted(taker.logs) == ["sold 0", "sold 1", "sold 2"]
    assert all(("authorization" in headers) is not elsewhere for headers in taker.headers)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_are_said_with_their_place(runner: Runner, status: int) -> None:
    with Collector(lambda *_: Answer(status, {"Location": "http://elsewhere.invalid/"})) as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRICS_EXPORTER": "none"}
        runner.write(APP, "shop.py")
        done = runner.run(["shop.py", "1", "0", "1", "0"], env=env)
    assert all(f"{status}" in line and "http://elsewhere.invalid/" in line for line in done.lines)
    assert done.lines
