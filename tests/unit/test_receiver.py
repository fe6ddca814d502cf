"""The receiver that other tests rely on takes what the official exporters send."""

from __future__ import annotations

import gzip
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, NumberDataPoint
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from tests.normalise import normalised, trees
from tests.receiver import Behaviour, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def send(receiver: Receiver, path: str, body: bytes, **headers: str) -> int:
    """Post a body as an exporter does; returns the status."""
    request = urllib.request.Request(receiver.endpoint + path, data=body, method="POST")
    request.add_header("Content-Type", "application/x-protobuf")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def one_span(name: str = "work", *, start: int = 1, trace_id: bytes = b"\1" * 16, span_id: bytes = b"\1" * 8) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        name=name, kind=2, trace_id=trace_id, span_id=span_id, start_time_unix_nano=start
    )
    body: bytes = request.SerializeToString()
    return body


def counted(value: int, *, instance: str, start: int, time: int) -> bytes:
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.add(key="service.instance.id").value.string_value = instance
    metric = of_resource.scope_metrics.add().metrics.add(name="requests")
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    metric.sum.data_points.append(NumberDataPoint(as_int=value, start_time_unix_nano=start, time_unix_nano=time))
    body: bytes = request.SerializeToString()
    return body


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_spans_of_the_official_exporter_arrive_whole(receiver: Receiver, compression: Compression) -> None:
    """A span has its name, kind, status, parent, events, links, scope and resource as they were recorded."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(receiver.endpoint + "/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("scope", "1.2")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"n": 1, "list": ("a", "b")}) as outer:
        links = [trace.Link(outer.get_span_context(), {"why": "test"})]
        with tracer.start_as_current_span("inner", links=links) as inner:
            inner.add_event("happened", {"ok": True})
            inner.set_status(Status(StatusCode.ERROR))
    provider.shutdown()

    inside, outside = receiver.spans
    assert (outside.name, outside.kind, outside.status, outside.parent_id) == ("outer", "server", "unset", "")
    assert (inside.name, inside.kind, inside.status, inside.parent_id) == (
        "inner",
        "internal",
        "error",
        outside.span_id,
    )
    assert outside.trace_id == format(outer.get_span_context().trace_id, "032x")
    assert outside.attributes == {"n": 1, "list": ["a", "b"]}
    assert [(event.name, event.attributes) for event in inside.events] == [("happened", {"ok": True})]
    assert [(link.span_id, link.attributes) for link in inside.links] == [(outside.span_id, {"why": "test"})]
    assert (outside.scope, outside.scope_version, outside.resource) == ("scope", "1.2", {"service.name": "shop"})
    assert outside.start <= inside.start <= inside.end <= outside.end


def test_metrics_of_the_official_exporter_arrive_whole(receiver: Receiver) -> None:
    """A histogram has count, sum, bounds and buckets, a counter its value, both their temporality."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(receiver.endpoint + "/v1/metrics"))
    provider = MeterProvider([reader], resource=Resource({"service.instance.id": "a"}), shutdown_on_exit=False)
    meter = provider.get_meter("scope")
    meter.create_counter("jobs", "1").add(3, {"queue": "mail"})
    meter.create_histogram("duration", "ms", explicit_bucket_boundaries_advisory=[10.0, 20.0]).record(15)
    provider.shutdown()

    points = {point.name: point for point in receiver.points}
    jobs, duration = points["jobs"], points["duration"]
    assert (jobs.kind, jobs.value, jobs.attributes, jobs.unit) == ("sum", 3, {"queue": "mail"}, "1")
    assert (duration.kind, duration.count, duration.sum, duration.temporality) == ("histogram", 1, 15, "cumulative")
    assert (duration.bounds, duration.buckets) == ((10.0, 20.0), (0, 1, 0))
    assert receiver.sum_count("jobs") == 3
    assert receiver.sum_count("duration") == 1


def test_log_records_keep_structured_bodies(receiver: Receiver) -> None:
    """A body may be a text or a nested value; ids and severity are kept."""
    nested = AnyValue(
        kvlist_value=KeyValueList(
            values=[
                KeyValue(key="k", value=AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])))
            ]
        )
    )
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(body=nested, severity_text="WARN", trace_id=b"\1" * 16, span_id=b"\2" * 8)
    assert send(receiver, "/v1/logs", request.SerializeToString()) == 200
    (record,) = receiver.logs
    assert (record.body, record.severity, record.trace_id, record.span_id) == (
        {"k": [1, None]},
        "WARN",
        "01" * 16,
        "02" * 8,
    )


def test_what_is_no_export_request_is_refused_and_not_counted(receiver: Receiver) -> None:
    """A wrong path, content type, compression or message gets its status, and is kept as a raw request only."""
    twice = ExportTraceServiceRequest()
    span = twice.resource_spans.add().scope_spans.add().spans.add()
    for _ in range(2):
        span.attributes.add(key="same")
    assert send(receiver, "/v1/profiles", one_span()) == 404
    assert send(receiver, "/v1/traces", one_span(), Content_Type="application/json") == 415
    assert send(receiver, "/v1/traces", one_span(), Content_Encoding="gzip") == 400
    assert send(receiver, "/v1/traces", gzip.compress(one_span())[:-9], Content_Encoding="gzip") == 400
    assert send(receiver, "/v1/traces", b"\xff") == 400
    assert send(receiver, "/v1/traces", twice.SerializeToString()) == 400
    assert receiver.spans == []
    assert [request.status for request in receiver.requests] == [404, 415, 400, 400, 400, 400]


def test_behaviours_apply_in_order_and_the_last_one_stays(receiver: Receiver) -> None:
    """A collector that refuses twice and then recovers has received only what it accepted."""
    receiver.behave(Behaviour(status=503, headers={"Retry-After": "1"}), Behaviour(status=429), Behaviour())
    assert [send(receiver, "/v1/traces", one_span(str(n))) for n in range(4)] == [503, 429, 200, 200]
    assert [span.name for span in receiver.spans] == ["2", "3"]


def test_a_slow_receiver_answers_after_its_delay(receiver: Receiver) -> None:
    """A delay is served before the answer, not instead of it."""
    receiver.behave(Behaviour(delay=0.2))
    began = time.monotonic()
    assert send(receiver, "/v1/traces", one_span()) == 200
    assert time.monotonic() - began >= 0.2


def test_a_silent_receiver_never_answers_and_still_stops() -> None:
    """A client of a silent receiver waits until the receiver ends."""
    with Receiver() as receiver:
        receiver.behave(Behaviour(silent=True))
        outcome: list[BaseException] = []

        def client() -> None:
            try:
                send(receiver, "/v1/traces", one_span())
            except OSError as error:
                outcome.append(error)

        thread = threading.Thread(target=client)
        thread.start()
        receiver.wait_for(lambda r: r.requests)
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(5)
    assert len(outcome) == 1
    assert receiver.spans == []


def test_waiting_ends_with_what_came_instead(receiver: Receiver) -> None:
    """A condition that does not come true raises, and the message says what was received."""
    send(receiver, "/v1/traces", one_span())
    receiver.wait_for(lambda r: len(r.spans) == 1)
    with pytest.raises(TimeoutError, match="1 spans, 0 log records"):
        receiver.wait_for(lambda r: len(r.spans) == 2, timeout=0.1)


def test_the_total_of_a_metric_counts_each_time_series_once(receiver: Receiver) -> None:
    """Later points replace earlier ones; another process, or a new one under a dead one's identity, adds to them."""
    for body in (
        counted(5, instance="a", start=1, time=10),
        counted(7, instance="a", start=1, time=20),
        counted(4, instance="b", start=1, time=20),
        counted(1, instance="a", start=30, time=40),
    ):
        send(receiver, "/v1/metrics", body)
    assert sorted(point.value or 0 for point in receiver.latest_points("requests")) == [1, 4, 7]
    assert receiver.sum_count("requests") == 12
    assert receiver.instances == {"a", "b"}


def test_normalised_spans_do_not_depend_on_ids_times_or_order(receiver: Receiver) -> None:
    """Two runs of the same work are equal, whichever trace came first; different work is not."""

    def run(first: int, names: tuple[str, ...]) -> list[dict[str, object]]:
        receiver.clear()
        for n, name in enumerate(names):
            number = (first + n).to_bytes(8, "big")
            send(receiver, "/v1/traces", one_span(name, start=first + n, trace_id=number * 2, span_id=number))
        return normalised(receiver.spans)

    result = run(1, ("a", "b"))
    assert [(span["trace"], span["id"], span["parent"], span["name"]) for span in result] == [
        (1, 1, None, "a"),
        (2, 2, None, "b"),
    ]
    assert run(77, ("b", "a")) == result
    assert run(1, ("a", "c")) != result


def test_normalised_spans_hide_only_what_they_are_told_to_hide(receiver: Receiver) -> None:
    """A volatile attribute keeps its key, a port in a text is replaced, children stand below their parent."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    child = spans.add(name="child", trace_id=b"\1" * 16, span_id=b"\2" * 8, parent_span_id=b"\1" * 8)
    child.attributes.add(key="thread.id").value.int_value = 77
    child.attributes.add(key="url").value.string_value = "http://127.0.0.1:5555/x"
    spans.add(name="root", trace_id=b"\1" * 16, span_id=b"\1" * 8, parent_span_id=b"\7" * 8)
    send(receiver, "/v1/traces", request.SerializeToString())

    root, below = normalised(receiver.spans, volatile={"thread.id"}, replace={":5555": ":PORT"})
    assert (root["name"], root["parent"]) == ("root", "remote")
    assert (below["name"], below["parent"], below["trace"]) == ("child", root["id"], root["trace"])
    assert below["attributes"] == {"thread.id": "*", "url": "http://127.0.0.1:PORT/x"}
    (tree,) = trees(receiver.spans)
    assert [node.span.name for node in tree.children] == ["child"]
