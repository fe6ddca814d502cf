"""The exporters as the SDK uses them, against a real server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as OfficialMetricExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanContext

from otel_injection.otlp import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter
from tests.unit.otlp.servers import Collector, Reply

EXTENSIONS = Path(__file__).parents[3] / "extensions"
SPAN = ReadableSpan("work", SpanContext(1, 2, is_remote=False))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as started:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.url)
        yield started


def counts(exporter: Any) -> tuple[int, int, int]:
    return exporter.exported, exporter.rejected, exporter.failed


def test_spans_arrive_through_the_sdk(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPSpanExporter(report=reports.append)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for number in range(3):
        provider.get_tracer("tests").start_span(f"span {number}").end()
    provider.shutdown()
    request = ExportTraceServiceRequest.FromString(collector.requests[0].body)
    assert [each.name for each in request.resource_spans[0].scope_spans[0].spans] == ["span 0", "span 1", "span 2"]
    assert (counts(exporter), reports) == ((3, 0, 0), [])


def test_metrics_arrive_through_the_sdk(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPMetricExporter(report=reports.append)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
    provider.get_meter("tests").create_counter("requests").add(3)
    provider.get_meter("tests").create_histogram("duration").record(1.5)
    provider.shutdown()
    request = ExportMetricsServiceRequest.FromString(collector.requests[0].body)
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    assert {each.name for each in metrics} == {"requests", "duration"}
    assert (counts(exporter), reports) == ((2, 0, 0), [])


def test_log_records_arrive_through_the_sdk(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPLogExporter(report=reports.append)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    provider.get_logger("tests").emit(LogRecord(body={"text": "hello"}))
    provider.shutdown()
    request = ExportLogsServiceRequest.FromString(collector.requests[0].body)
    body = request.resource_logs[0].scope_logs[0].log_records[0].body
    assert body.kvlist_value.values[0].value.string_value == "hello"
    assert (counts(exporter), reports) == ((1, 0, 0), [])


def test_a_failure_is_reported_in_one_line_and_counted(collector: Collector, reports: list[str]) -> None:
    collector.replies.append(Reply(401, body=b"who\nare you"))
    exporter = OTLPSpanExporter(reports.append)
    assert exporter.export([SPAN, SPAN]) is SpanExportResult.FAILURE
    problem = "the answer is 401 Unauthorized (who are you); check OTEL_EXPORTER_OTLP_HEADERS"
    assert reports == [f"traces do not reach {collector.url}/v1/traces: {problem}"]
    assert counts(exporter) == (0, 0, 2)
    exporter.shutdown()


def test_a_partial_success_is_reported_and_counted(collector: Collector, reports: list[str]) -> None:
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 1
    answer.partial_success.error_message = "too old"
    collector.replies.append(Reply(body=answer.SerializeToString()))
    exporter = OTLPMetricExporter(reports.append)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("requests")
    counter.add(1, {"key": "a"})
    counter.add(1, {"key": "b"})
    provider.shutdown()
    assert reports == [f"{collector.url}/v1/metrics rejects some metrics: too old"]
    assert counts(exporter) == (1, 1, 0)


def test_what_cannot_be_encoded_is_reported_and_counted(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPSpanExporter(reports.append)
    assert exporter.export([ReadableSpan("no context"), SPAN]) is SpanExportResult.SUCCESS
    assert len(reports) == 1
    assert counts(exporter) == (1, 0, 1)
    exporter.shutdown()


def test_nothing_is_raised_whatever_is_exported(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPSpanExporter(reports.append)
    assert exporter.export([None]) is SpanExportResult.FAILURE  # type: ignore[list-item]
    assert OTLPMetricExporter(reports.append).export(MetricsData(None)).name == "FAILURE"  # type: ignore[arg-type]
    assert len(reports) == 2
    assert not collector.requests


def test_after_its_end_an_exporter_takes_nothing(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPSpanExporter(reports.append)
    exporter.shutdown()
    exporter.shutdown()
    assert exporter.export([SPAN]) is SpanExportResult.FAILURE
    assert not collector.requests


def test_exporters_are_told_when_to_end(collector: Collector, reports: list[str]) -> None:
    exporter = OTLPSpanExporter(reports.append)
    exporter.close_by(time.monotonic())
    assert exporter.export([SPAN]) is SpanExportResult.FAILURE
    assert not collector.requests


@pytest.mark.parametrize("preference", ["", "cumulative", "DELTA", "lowmemory", "sometimes"])
@pytest.mark.parametrize("histogram", ["", "explicit_bucket_histogram", "base2_exponential_bucket_histogram", "none"])
def test_preferences_for_metrics_mean_what_they_mean_officially(
    monkeypatch: pytest.MonkeyPatch, reports: list[str], preference: str, histogram: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference or "cumulative")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", histogram)
    official = OfficialMetricExporter()
    if not preference:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
    ours = OTLPMetricExporter(reports.append)
    assert ours._preferred_temporality == official._preferred_temporality
    kinds = [
        {kind: type(each) for kind, each in (exporter._preferred_aggregation or {}).items()}
        for exporter in (ours, official)
    ]
    assert kinds[0] == kinds[1]
    assert len(reports) == (preference == "sometimes") + (histogram == "none")
    official.shutdown()


def test_nothing_heavy_is_imported_before_the_first_request() -> None:
    """Nor are the SDK's parts before the first exporter."""
    script = (
        "import sys, otel_injection.otlp as otlp\n"
        "assert 'opentelemetry.sdk' not in sys.modules\n"
        "before = set(sys.modules) | {'opentelemetry.sdk'}\n"
        "import opentelemetry.sdk._logs.export, opentelemetry.sdk.metrics.export, opentelemetry.sdk.trace.export\n"
        "heavy = {'ssl', 'http.client', 'urllib.request', 'email.parser', 'zlib', 'google.protobuf', 'requests'}\n"
        "known = set(sys.modules)\n"
        "otlp.OTLPSpanExporter(); otlp.OTLPMetricExporter(); otlp.OTLPLogExporter()\n"
        "print(sorted(heavy & (set(sys.modules) - known)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(EXTENSIONS)}, capture_output=True, text=True, timeout=60
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
