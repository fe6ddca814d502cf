"""Metrics as OTLP's ExportMetricsServiceRequest (opentelemetry/proto/metrics/v1/metrics.proto)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_injection.otlp import encode_common
from otel_injection.otlp._wire import (
    FIXED64,
    LEN,
    VARINT,
    double,
    message,
    sfixed64,
    sint32,
    string,
    tag,
    time,
    uint,
    varint,
)

_NAME = tag(1, LEN)
_DESCRIPTION = tag(2, LEN)
_UNIT = tag(3, LEN)
_GAUGE = tag(5, LEN)
_SUM = tag(7, LEN)
_HISTOGRAM = tag(9, LEN)
_EXPONENTIAL_HISTOGRAM = tag(10, LEN)

_DATA_POINT = tag(1, LEN)
_TEMPORALITY = tag(2, VARINT)
_MONOTONIC = tag(3, VARINT) + b"\x01"

# The fields that data points of all kinds and exemplars have under the same numbers.
_START_TIME = tag(2, FIXED64)
_TIME = tag(3, FIXED64)
_COUNT = tag(4, FIXED64)
_HISTOGRAM_SUM = tag(5, FIXED64)

_NUMBER_DOUBLE = tag(4, FIXED64)
_NUMBER_EXEMPLARS = tag(5, LEN)
_NUMBER_INT = tag(6, FIXED64)
_NUMBER_ATTRIBUTES = tag(7, LEN)

_BUCKET_COUNTS = tag(6, LEN)
_EXPLICIT_BOUNDS = tag(7, LEN)
_HISTOGRAM_EXEMPLARS = tag(8, LEN)
_HISTOGRAM_ATTRIBUTES = tag(9, LEN)
_HISTOGRAM_MIN = tag(11, FIXED64)
_HISTOGRAM_MAX = tag(12, FIXED64)

_EXPONENTIAL_ATTRIBUTES = tag(1, LEN)
_SCALE = tag(6, VARINT)
_ZERO_COUNT = tag(7, FIXED64)
_POSITIVE = tag(8, LEN)
_NEGATIVE = tag(9, LEN)
_EXPONENTIAL_FLAGS = tag(10, VARINT)
_EXPONENTIAL_EXEMPLARS = tag(11, LEN)
_EXPONENTIAL_MIN = tag(12, FIXED64)
_EXPONENTIAL_MAX = tag(13, FIXED64)
_BUCKETS_OFFSET = tag(1, VARINT)
_BUCKETS_COUNTS = tag(2, LEN)

_EXEMPLAR_TIME = tag(2, FIXED64)
_EXEMPLAR_DOUBLE = tag(3, FIXED64)
_EXEMPLAR_SPAN_ID = tag(4, LEN) + b"\x08"
_EXEMPLAR_TRACE_ID = tag(5, LEN) + b"\x10"
_EXEMPLAR_INT = tag(6, FIXED64)
_EXEMPLAR_ATTRIBUTES = tag(7, LEN)


def encode_metrics(data: MetricsData, skip: Callable[[Exception], None] = lambda _: None) -> bytes:
    """Return an ExportMetricsServiceRequest.

    A metric that cannot be encoded is left out, and ``skip`` is called with the reason.
    """
    return encode_common.request(_metrics(data), _metric, skip)


def _metrics(data: MetricsData) -> Iterator[tuple[Resource, InstrumentationScope, Metric]]:
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield resource_metrics.resource, scope_metrics.scope, metric


def _metric(metric: Metric) -> bytes:
    head = string(_NAME, metric.name) + string(_DESCRIPTION, metric.description) + string(_UNIT, metric.unit)
    data = metric.data
    if isinstance(data, Sum):
        tail = uint(_TEMPORALITY, data.aggregation_temporality) + (_MONOTONIC if data.is_monotonic else b"")
        return head + _data(_SUM, _number, data.data_points, tail)
    if isinstance(data, Gauge):
        return head + _data(_GAUGE, _gauge, data.data_points, b"")
    tail = uint(_TEMPORALITY, data.aggregation_temporality)
    if isinstance(data, Histogram):
        return head + _data(_HISTOGRAM, _histogram, data.data_points, tail)
    if isinstance(data, ExponentialHistogram):
        return head + _data(_EXPONENTIAL_HISTOGRAM, _exponential, data.data_points, tail)
    raise TypeError(f"no form for {type(data).__name__}")


def _data(field_tag: bytes, encode: Callable[[Any], bytes], points: Sequence[Any], tail: bytes) -> bytes:
    if not points:
        return b""
    return message(field_tag, b"".join([message(_DATA_POINT, encode(point)) for point in points]) + tail)


def _gauge(point: NumberDataPoint) -> bytes:
    """Return a gauge's point; the official encoder writes no start time for it."""
    return time(_TIME, point.time_unix_nano) + _number_tail(point)


def _number(point: NumberDataPoint) -> bytes:
    return time(_START_TIME, point.start_time_unix_nano) + time(_TIME, point.time_unix_nano) + _number_tail(point)


def _number_tail(point: NumberDataPoint) -> bytes:
    return b"".join(
        (
            _value(_NUMBER_INT, _NUMBER_DOUBLE, point.value),
            _exemplars(_NUMBER_EXEMPLARS, point.exemplars),
            encode_common.attributes(_NUMBER_ATTRIBUTES, point.attributes),
        )
    )


def _histogram(point: HistogramDataPoint) -> bytes:
    return b"".join(
        (
            time(_START_TIME, point.start_time_unix_nano),
            time(_TIME, point.time_unix_nano),
            time(_COUNT, point.count),
            _optional(_HISTOGRAM_SUM, point.sum),
            _packed(_BUCKET_COUNTS, "Q", point.bucket_counts),
            _packed(_EXPLICIT_BOUNDS, "d", point.explicit_bounds),
            _exemplars(_HISTOGRAM_EXEMPLARS, point.exemplars),
            encode_common.attributes(_HISTOGRAM_ATTRIBUTES, point.attributes),
            _optional(_HISTOGRAM_MIN, point.min),
            _optional(_HISTOGRAM_MAX, point.max),
        )
    )


def _exponential(point: ExponentialHistogramDataPoint) -> bytes:
    return b"".join(
        (
            encode_common.attributes(_EXPONENTIAL_ATTRIBUTES, point.attributes),
            time(_START_TIME, point.start_time_unix_nano),
            time(_TIME, point.time_unix_nano),
            time(_COUNT, point.count),
            _optional(_HISTOGRAM_SUM, point.sum),
            _signed(_SCALE, point.scale),
            time(_ZERO_COUNT, point.zero_count),
            _buckets(_POSITIVE, point.positive),
            _buckets(_NEGATIVE, point.negative),
            uint(_EXPONENTIAL_FLAGS, point.flags),
            _exemplars(_EXPONENTIAL_EXEMPLARS, point.exemplars),
            _optional(_EXPONENTIAL_MIN, point.min),
            _optional(_EXPONENTIAL_MAX, point.max),
        )
    )


def _buckets(field_tag: bytes, buckets: Buckets) -> bytes:
    if not buckets.bucket_counts:
        return b""
    counts = b"".join([varint(count) for count in buckets.bucket_counts])
    return message(field_tag, _signed(_BUCKETS_OFFSET, buckets.offset) + message(_BUCKETS_COUNTS, counts))


def _exemplars(field_tag: bytes, exemplars: Sequence[Exemplar]) -> bytes:
    if not exemplars:
        return b""
    return b"".join([message(field_tag, _exemplar(exemplar)) for exemplar in exemplars])


def _exemplar(exemplar: Exemplar) -> bytes:
    out = [
        time(_EXEMPLAR_TIME, exemplar.time_unix_nano),
        _value(_EXEMPLAR_INT, _EXEMPLAR_DOUBLE, exemplar.value),
        encode_common.attributes(_EXEMPLAR_ATTRIBUTES, exemplar.filtered_attributes),
    ]
    if exemplar.span_id is not None and exemplar.trace_id is not None:
        out += (_EXEMPLAR_SPAN_ID, exemplar.span_id.to_bytes(8, "big"))
        out += (_EXEMPLAR_TRACE_ID, exemplar.trace_id.to_bytes(16, "big"))
    return b"".join(out)


def _value(int_tag: bytes, double_tag: bytes, value: float) -> bytes:
    """Return a measured value; an integer of more than 64 bits as a double rather than not at all."""
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return int_tag + sfixed64(value)
    return double_tag + double(value)


def _optional(field_tag: bytes, value: float | None) -> bytes:
    """Return a field with explicit presence (``optional``), which is written for 0 too."""
    return b"" if value is None else field_tag + double(value)


def _signed(field_tag: bytes, value: int) -> bytes:
    return field_tag + sint32(value) if value else b""


def _packed(field_tag: bytes, code: str, values: Sequence[float]) -> bytes:
    return message(field_tag, struct.pack(f"<{len(values)}{code}", *values)) if values else b""
