"""Received telemetry as plain, comparable Python values.

The messages of OTLP (official protobuf classes) become frozen dataclasses whose names are those of the OpenTelemetry
specification: ids as lower-case hexadecimal, times as nanoseconds since the epoch, enumerations as lower-case words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """A span's event, for example ``exception``."""

    name: str
    attributes: Attributes
    time: int


@dataclass(frozen=True)
class Link:
    """A span's link to another span."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """One span; ``parent_id`` is empty for the root of a trace, ``status`` is unset, ok or error."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    status: str
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    scope: str
    scope_version: str
    resource: Attributes
    start: int
    end: int


@dataclass(frozen=True)
class MetricPoint:
    """One data point; ``kind`` is gauge, sum, histogram, exponential_histogram or summary.

    ``value`` is set for gauges and sums, ``count`` and ``sum`` for the others, ``bounds`` and ``buckets`` for
    histograms. ``temporality`` is cumulative or delta, empty where there is none.
    """

    name: str
    kind: str
    unit: str
    attributes: Attributes
    value: float | None
    count: int | None
    sum: float | None
    bounds: tuple[float, ...]
    buckets: tuple[int, ...]
    temporality: str
    scope: str
    resource: Attributes
    start: int
    time: int


@dataclass(frozen=True)
class LogRecord:
    """One log record; ``severity`` is its text, for example ``WARN``, and ``trace_id`` is empty outside a trace."""

    body: Any
    severity: str
    trace_id: str
    span_id: str
    attributes: Attributes
    scope: str
    resource: Attributes


def decode_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """Yield the spans of one export request."""
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield Span(
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
                    attributes=_attributes(span.attributes),
                    events=tuple(Event(e.name, _attributes(e.attributes), e.time_unix_nano) for e in span.events),
                    links=tuple(
                        Link(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
                        for link in span.links
                    ),
                    scope=scope_spans.scope.name,
                    scope_version=scope_spans.scope.version,
                    resource=resource,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                )


def decode_metrics(request: ExportMetricsServiceRequest) -> Iterator[MetricPoint]:
    """Yield the data points of one export request."""
    for resource_metrics in request.resource_metrics:
        resource = _attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                temporality = metrics_pb2.AggregationTemporality.Name(getattr(data, "aggregation_temporality", 0))
                for point in data.data_points:
                    number = point.WhichOneof("value") if kind in {"gauge", "sum"} else None
                    yield MetricPoint(
                        name=metric.name,
                        kind=kind,
                        unit=metric.unit,
                        attributes=_attributes(point.attributes),
                        value=getattr(point, number) if number else None,
                        count=getattr(point, "count", None),
                        sum=getattr(point, "sum", None),
                        bounds=tuple(getattr(point, "explicit_bounds", ())),
                        buckets=tuple(getattr(point, "bucket_counts", ())),
                        temporality=temporality.removeprefix("AGGREGATION_TEMPORALITY_")
                        .lower()
                        .replace("unspecified", ""),
                        scope=scope_metrics.scope.name,
                        resource=resource,
                        start=point.start_time_unix_nano,
                        time=point.time_unix_nano,
                    )


def decode_logs(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    """Yield the log records of one export request."""
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield LogRecord(
                    body=_value(record.body),
                    severity=record.severity_text,
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    attributes=_attributes(record.attributes),
                    scope=scope_logs.scope.name,
                    resource=resource,
                )


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    """Return attributes as a dictionary; a key that comes twice is an error of the sender."""
    result: Attributes = {}
    for pair in pairs:
        if pair.key in result:
            raise ValueError(f"attribute {pair.key} comes twice")
        result[pair.key] = _value(pair.value)
    return result


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
