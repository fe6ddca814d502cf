"""Measures the encoder of this project beside the official one: microseconds a span, data point and log record.

Both encoders get the same objects, in turns, in one process, whose Python is the session's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as official_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from benchmarks.figures import Figure
from otel_injection.otlp.encode_logs import encode_logs
from otel_injection.otlp.encode_metrics import encode_metrics
from otel_injection.otlp.encode_traces import encode_spans

ROUNDS = 40
ITEMS = 512
RESOURCE = Resource({f"k8s.attribute.{number}": f"a value of number {number}" for number in range(20)})
SCOPE = InstrumentationScope("opentelemetry.instrumentation.flask", "0.66b1")


def spans() -> list[ReadableSpan]:
    """Return server spans as the Flask instrumentation makes them, some values different in each."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("opentelemetry.instrumentation.flask", "0.66b1")
    for number in range(ITEMS):
        common: dict[str, Any] = {
            "http.method": "GET",
            "http.server_name": "0.0.0.0",  # noqa: S104 -- a value of an attribute
            "http.scheme": "http",
            "net.host.name": "shop.example.com",
            "http.host": "shop.example.com",
            "net.host.port": 8080,
            "http.target": f"/items/{number}?page={number % 7}",
            "net.peer.ip": f"10.0.{number % 256}.{number % 200}",
            "net.peer.port": 30000 + number,
            "http.user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            "http.flavor": "1.1",
            "http.route": "/items/<int:item>",
            "http.status_code": 200,
        }
        tracer.start_span("GET /items/<int:item>", kind=SpanKind.SERVER, attributes=common).end()
    return list(exporter.get_finished_spans())


def metrics() -> tuple[Any, int]:
    """Return histograms and counters as HTTP servers have them, and the number of their data points."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("opentelemetry.instrumentation.flask", "0.66b1")
    duration = meter.create_histogram("http.server.duration", "ms", "Measures the duration of requests.")
    requests = meter.create_counter("requests", "1", "Requests.")
    for number in range(ITEMS // 2):
        about: dict[str, Any] = {"http.method": "GET", "http.status_code": 200, "http.target": f"/items/{number}"}
        duration.record(number * 1.5, about)
        requests.add(1, about)
    data = reader.get_metrics_data()
    provider.shutdown()
    return data, ITEMS // 2 * 2


def records() -> list[ReadableLogRecord]:
    """Return log records as the handler of the logging instrumentation makes them."""
    return [
        ReadableLogRecord(
            LogRecord(
                timestamp=1_700_000_000_000_000_000 + number,
                observed_timestamp=1_700_000_000_000_001_000 + number,
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                body=f"item {number} is out of stock",
                attributes={
                    "code.file.path": "/srv/shop/views.py",
                    "code.function.name": "show",
                    "code.line.number": 117,
                },
            ),
            RESOURCE,
            SCOPE,
        )
        for number in range(ITEMS)
    ]


def measure() -> Iterator[Figure]:
    """Yield the microseconds that encoding one item takes, for each kind of item."""
    batch, (data, points), log = spans(), metrics(), records()
    yield _compare(
        "span", lambda: encode_spans(batch), lambda: official_spans(batch).SerializePartialToString(), len(batch)
    )
    yield _compare(
        "data point", lambda: encode_metrics(data), lambda: official_metrics(data).SerializeToString(), points
    )
    yield _compare("log record", lambda: encode_logs(log), lambda: official_logs(log).SerializeToString(), len(log))


def _compare(what: str, ours: Callable[[], bytes], official: Callable[[], bytes], items: int) -> Figure:
    figure = Figure(f"encoding a {what}", "us", added=False)
    for _ in range(ROUNDS):
        for variant, encode in (("upstream", official), ("ours", ours)):
            began = time.perf_counter()
            encode()
            figure.samples[variant].append((time.perf_counter() - began) / items * 1e6)
    return figure
