"""The encoders' messages equal those of the official encoder, field by field."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as official_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from otel_injection.otlp import encode_common
from otel_injection.otlp.encode_logs import encode_logs
from otel_injection.otlp.encode_metrics import encode_metrics
from otel_injection.otlp.encode_traces import encode_spans
from tests.unit.examples import examples
from tests.unit.otlp import strategies

pytestmark = pytest.mark.usefixtures("quiet")

CONTEXT = SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=TraceFlags(1))
SCOPE = InstrumentationScope("tests", "1")
RESOURCE = Resource({"service.name": "shop"})


@pytest.fixture(scope="module")
def quiet() -> Any:
    """Keep the official encoder's tracebacks for what it drops out of the tests' output."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def same(ours: bytes, official: Message) -> None:
    """Compare two messages by their canonical bytes, since NaN is not equal to itself; show them as text."""
    decoded = type(official)()
    decoded.ParseFromString(ours)
    if decoded.SerializeToString(deterministic=True) != official.SerializeToString(deterministic=True):
        assert str(decoded) == str(official)
        pytest.fail("the messages differ in their bytes")


def body_of(encoded: bytes) -> Any:
    request = ExportLogsServiceRequest.FromString(encoded)
    return request.resource_logs[0].scope_logs[0].log_records[0].body


def span(name: str = "work", context: SpanContext | None = CONTEXT, **changes: Any) -> ReadableSpan:
    return ReadableSpan(name, context, resource=RESOURCE, instrumentation_scope=SCOPE, **changes)


def sum_of(value: float, name: str = "requests") -> Metric:
    point = NumberDataPoint({}, 1, 2, value)
    return Metric(name, None, None, Sum([point], AggregationTemporality.CUMULATIVE, is_monotonic=True))


def data_of(*metrics: Metric) -> MetricsData:
    return MetricsData([ResourceMetrics(RESOURCE, [ScopeMetrics(SCOPE, metrics, "")], "")])


@settings(max_examples=examples(200), deadline=None, database=None)
@given(st.lists(strategies.SPANS, max_size=5))
def test_spans_are_encoded_as_officially(spans: list[ReadableSpan]) -> None:
    same(encode_spans(spans), official_spans(spans))


@settings(max_examples=examples(200), deadline=None, database=None)
@given(strategies.metrics_data())
def test_metrics_are_encoded_as_officially(data: MetricsData) -> None:
    same(encode_metrics(data), official_metrics(data))


@settings(max_examples=examples(200), deadline=None, database=None)
@given(st.lists(strategies.log_records(), max_size=5))
def test_log_records_are_encoded_as_officially(records: list[ReadableLogRecord]) -> None:
    same(encode_logs(records), official_logs(records))


@pytest.mark.parametrize(
    ("encode", "nothing"), [(encode_spans, []), (encode_logs, []), (encode_metrics, MetricsData([]))]
)
def test_nothing_to_send_is_an_empty_request(encode: Callable[[Any], bytes], nothing: Any) -> None:
    assert encode(nothing) == b""


def test_a_huge_batch_is_encoded_as_officially() -> None:
    spans = [span(f"span {number}", attributes={"n": number, "text": "x" * 5000}) for number in range(5000)]
    same(encode_spans(spans), official_spans(spans))


def test_a_lone_surrogate_becomes_a_question_mark_and_loses_nothing() -> None:
    """The official encoder raises for the whole batch."""
    spans = [span("a\ud800b", attributes={"k\udfff": "\ud800", "list": ["\udc80"]}), span("second")]
    with pytest.raises(UnicodeEncodeError):
        official_spans(spans)
    first, second = ExportTraceServiceRequest.FromString(encode_spans(spans)).resource_spans[0].scope_spans[0].spans
    assert (first.name, second.name) == ("a?b", "second")
    assert (first.attributes[0].key, first.attributes[0].value.string_value) == ("k?", "?")
    assert first.attributes[1].value.array_value.values[0].string_value == "?"


def test_a_span_that_cannot_be_encoded_costs_only_itself() -> None:
    reasons: list[Exception] = []
    spans = [span(context=None), span("kept"), span(start_time=2**64), span(start_time="now")]
    request = ExportTraceServiceRequest.FromString(encode_spans(spans, reasons.append))
    assert [each.name for each in request.resource_spans[0].scope_spans[0].spans] == ["kept"]
    assert len(reasons) == 3


def test_an_integer_measurement_of_more_than_64_bits_is_sent_as_a_double() -> None:
    """The official encoder raises for the whole batch."""
    request = ExportMetricsServiceRequest.FromString(encode_metrics(data_of(sum_of(2**63), sum_of(-(2**63)))))
    big, small = (each.sum.data_points[0] for each in request.resource_metrics[0].scope_metrics[0].metrics)
    assert (big.as_double, small.as_int) == (float(2**63), -(2**63))


def test_a_metric_that_cannot_be_encoded_costs_only_itself() -> None:
    reasons: list[Exception] = []
    broken = Metric("broken", None, None, "no data")  # type: ignore[arg-type]
    request = ExportMetricsServiceRequest.FromString(encode_metrics(data_of(broken, sum_of(1)), reasons.append))
    assert [each.name for each in request.resource_metrics[0].scope_metrics[0].metrics] == ["requests"]
    assert len(reasons) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (2**70, str(2**70)),
        (
            {
                1,
            },
            "{1}",
        ),
        ([object], str([object])),
    ],
)
def test_a_body_that_otlp_has_no_form_for_is_sent_as_text(body: Any, text: str) -> None:
    record = ReadableLogRecord(LogRecord(timestamp=1, observed_timestamp=1, body=body), RESOURCE, SCOPE)
    assert body_of(encode_logs([record])).string_value == text


def test_a_record_that_cannot_be_encoded_costs_only_itself() -> None:
    reasons: list[Exception] = []
    records = [
        ReadableLogRecord(LogRecord(timestamp=when, observed_timestamp=1, body="kept"), RESOURCE, SCOPE)
        for when in (2**64, 1)
    ]
    assert body_of(encode_logs(records, reasons.append)).string_value == "kept"
    assert len(reasons) == 1


def test_endless_nesting_costs_only_the_attribute_it_is_in() -> None:
    endless: list[Any] = []
    endless.append(endless)
    request = ExportLogsServiceRequest.FromString(
        encode_logs(
            [
                ReadableLogRecord(
                    LogRecord(observed_timestamp=1, body="kept", attributes={"endless": endless, "n": 1}),
                    RESOURCE,
                    SCOPE,
                )
            ]
        )
    )
    assert [each.key for each in request.resource_logs[0].scope_logs[0].log_records[0].attributes] == ["n"]


def test_equal_values_of_different_types_are_not_mistaken_for_each_other() -> None:
    """1, True and 1.0 are equal in Python; what is kept of encoded values must not confuse them."""
    values: Sequence[Any] = (1, True, 1.0, "1", 0, False, 0.0, -0.0, "")
    spans = [span(attributes={"key": value}) for value in values]
    same(encode_spans(spans), official_spans(spans))


def test_what_is_kept_between_batches_is_bounded() -> None:
    encode_common._fields.clear()  # other tests may have left fields whose attributes had no text to keep
    for number in range(3000):
        scope = InstrumentationScope(f"scope {number}")
        encode_spans(
            [
                ReadableSpan(
                    "a",
                    CONTEXT,
                    resource=RESOURCE,
                    attributes={f"k{number}": f"v{number}"},
                    instrumentation_scope=scope,
                )
            ]
        )
    assert len(encode_common._keys) <= 1024
    assert all(0 < len(each) <= 1024 for each in encode_common._fields.values())
    assert len(encode_common._met) <= 1024
    assert len(encode_common._objects) <= 64


def test_values_that_differ_each_time_do_not_drive_out_the_others() -> None:
    for number in range(300):
        same(
            *(
                encode([span(attributes={"path": f"/items/{number}", "m": "GET"})])
                for encode in (encode_spans, official_spans)
            )
        )
    kept = [key for each in encode_common._fields.values() for key, _ in each if key in ("path", "m")]
    assert kept.count("path") <= 50
    assert kept.count("m") == 1


@pytest.mark.parametrize(
    "value", [1, True, 1.0, "1", b"1", 0, False, 0.0, -1, 127, 128, 16383, 16384, 2097151, 2097152]
)
def test_equal_values_of_different_types_are_told_apart(value: object) -> None:
    for other in ("1", 1, True, 1.0, value):
        spans = [span(attributes={"a": other}), span(attributes={"a": value})]
        same(encode_spans(spans), official_spans(spans))


def test_equal_scopes_of_separate_tracers_share_a_group() -> None:
    spans = [
        ReadableSpan("a", CONTEXT, resource=Resource({"a": 1}), instrumentation_scope=InstrumentationScope("s", "1"))
        for _ in range(3)
    ]
    same(encode_spans(spans), official_spans(spans))
