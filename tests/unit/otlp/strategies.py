"""Hypothesis strategies for telemetry, built with the SDK's own classes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=30)
"""Without lone surrogates, which the official encoder rejects; they have tests of their own."""

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | INT64
    | st.floats()
    | TEXT
    | st.text(min_size=90, max_size=300)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(st.text(min_size=1, max_size=20), VALUES | st.integers(2**63, 2**70), max_size=6)
BOUNDED = st.builds(
    lambda values, limit: BoundedAttributes(limit, values),
    ATTRIBUTES,
    st.none() | st.integers(min_value=3, max_value=5),
)
TIMES = st.integers(0, 2**64 - 1)
TRACE_IDS = st.integers(1, 2**128 - 1)
SPAN_IDS = st.integers(1, 2**64 - 1)

RESOURCES = st.sampled_from(
    [
        Resource({}),
        Resource({"service.name": "shop", "process.pid": 7, "k8s.labels": ["a", "b"]}),
        Resource({"service.name": "shop", "process.pid": 7}, "https://opentelemetry.io/schemas/1.21.0"),
    ]
)
SCOPES = st.sampled_from(
    [
        InstrumentationScope("opentelemetry.instrumentation.flask", "0.66b1"),
        InstrumentationScope(
            "opentelemetry.instrumentation.flask", "0.66b1", "https://opentelemetry.io/schemas/1.21.0"
        ),
        InstrumentationScope("unversioned"),
        InstrumentationScope("with attributes", "1", None, {"short": "value", "n": 3}),
    ]
)

FLAGS = [TraceFlags(0), TraceFlags(1)]
TRACE_STATES = st.sampled_from([TraceState(), TraceState([("vendor", "a"), ("other", "b=c")])])
CONTEXTS = st.builds(SpanContext, TRACE_IDS, SPAN_IDS, st.booleans(), st.sampled_from(FLAGS), TRACE_STATES)
EVENTS = st.builds(Event, TEXT, BOUNDED, TIMES)
LINKS = st.builds(Link, CONTEXTS, BOUNDED)
STATUSES = st.sampled_from(
    [Status(), Status(StatusCode.OK), Status(StatusCode.ERROR), Status(StatusCode.ERROR, "Zürich")]
)


def _bounded_list(limit: int, items: list[Any]) -> BoundedList[Any]:
    bounded: BoundedList[Any] = BoundedList(limit)
    bounded.extend(items)
    return bounded


SPANS = st.builds(
    ReadableSpan,
    name=TEXT,
    context=CONTEXTS,
    parent=st.none() | CONTEXTS,
    resource=RESOURCES,
    attributes=st.none() | BOUNDED,
    events=st.lists(EVENTS, max_size=3) | st.builds(_bounded_list, st.just(2), st.lists(EVENTS, max_size=4)),
    links=st.lists(LINKS, max_size=3) | st.builds(_bounded_list, st.just(1), st.lists(LINKS, max_size=3)),
    kind=st.sampled_from(SpanKind),
    status=STATUSES,
    start_time=st.none() | TIMES,
    end_time=st.none() | TIMES,
    instrumentation_scope=st.none() | SCOPES,
)

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats()
EXEMPLARS = st.lists(
    st.builds(Exemplar, ATTRIBUTES, NUMBERS, TIMES, st.just(None), st.just(None))
    | st.builds(Exemplar, ATTRIBUTES, NUMBERS, TIMES, SPAN_IDS, TRACE_IDS),
    max_size=2,
)
TEMPORALITIES = st.sampled_from(AggregationTemporality)
COUNTS = st.integers(0, 2**63)
NUMBER_POINTS = st.lists(st.builds(NumberDataPoint, BOUNDED, TIMES, TIMES, NUMBERS, EXEMPLARS), max_size=3)
HISTOGRAM_POINTS = st.lists(
    st.builds(
        HistogramDataPoint,
        attributes=BOUNDED,
        start_time_unix_nano=TIMES,
        time_unix_nano=TIMES,
        count=COUNTS,
        sum=st.floats() | st.integers(-(2**50), 2**50),
        bucket_counts=st.lists(COUNTS, max_size=5),
        explicit_bounds=st.lists(st.floats() | st.integers(0, 1000), max_size=5),
        min=st.floats(),
        max=st.floats(),
        exemplars=EXEMPLARS,
    ),
    max_size=3,
)
BUCKETS = st.builds(Buckets, st.integers(-(2**31), 2**31 - 1), st.lists(COUNTS, max_size=5))
EXPONENTIAL_POINTS = st.lists(
    st.builds(
        ExponentialHistogramDataPoint,
        attributes=BOUNDED,
        start_time_unix_nano=TIMES,
        time_unix_nano=TIMES,
        count=COUNTS,
        sum=st.floats(),
        scale=st.integers(-(2**31), 2**31 - 1),
        zero_count=COUNTS,
        positive=BUCKETS,
        negative=BUCKETS,
        flags=st.integers(0, 2**32 - 1),
        min=st.floats(),
        max=st.floats(),
        exemplars=EXEMPLARS,
    ),
    max_size=3,
)
METRICS = st.builds(
    Metric,
    name=TEXT,
    description=st.none() | TEXT,
    unit=st.none() | TEXT,
    data=st.builds(Sum, NUMBER_POINTS, TEMPORALITIES, st.booleans())
    | st.builds(Gauge, NUMBER_POINTS)
    | st.builds(Histogram, HISTOGRAM_POINTS, TEMPORALITIES)
    | st.builds(ExponentialHistogram, EXPONENTIAL_POINTS, TEMPORALITIES),
)


@st.composite
def metrics_data(draw: st.DrawFn) -> MetricsData:
    """Draw what a reader collects: each resource once, in it each scope once, in it at least one metric."""
    groups = []
    for resource in draw(st.lists(RESOURCES, unique=True, max_size=2)):
        scopes = draw(st.lists(SCOPES, unique=True, min_size=1, max_size=2))
        metrics = [
            ScopeMetrics(each, draw(st.lists(METRICS, min_size=1, max_size=3)), each.schema_url or "")
            for each in scopes
        ]
        groups.append(ResourceMetrics(resource, metrics, resource.schema_url))
    return MetricsData(groups)


@st.composite
def log_records(draw: st.DrawFn) -> ReadableLogRecord:
    """Draw a log record as the SDK's logger hands it to processors."""
    record = LogRecord(
        timestamp=draw(st.none() | TIMES),
        observed_timestamp=draw(TIMES),
        severity_text=draw(st.none() | TEXT),
        severity_number=draw(st.none() | st.sampled_from(SeverityNumber)),
        body=draw(VALUES),
        attributes=draw(ATTRIBUTES),
        event_name=draw(st.none() | TEXT),
    )
    record.trace_id = draw(st.just(0) | TRACE_IDS)
    record.span_id = draw(st.just(0) | SPAN_IDS)
    record.trace_flags = draw(st.sampled_from(FLAGS))
    writable = ReadWriteLogRecord(record, draw(RESOURCES), draw(st.none() | SCOPES))
    return ReadableLogRecord(record, writable.resource or Resource({}), writable.instrumentation_scope, writable.limits)
