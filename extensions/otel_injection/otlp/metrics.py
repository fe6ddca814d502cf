"""Metrics as OTLP's ExportMetricsServiceRequest (opentelemetry/proto/metrics/v1/metrics.proto)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
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
from opentelemetry.sdk.metrics.export import (
    Buckets as BucketsType,
)

from otel_injection.otlp import common
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
