"""Measurements that go straight to their aggregation give the same metrics as the SDK's own way."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics._internal import _MeterConfig, instrument
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_injection.sdk.faster import measurements
from tests.unit.examples import examples

PLAIN = st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([0.0, 1.0, "", "1", b"1"])
VALUES: Any = PLAIN | st.lists(PLAIN, max_size=1) | st.just((1,)) | st.just((1.0,)) | st.just(object())
ATTRIBUTES: Any = (
    st.none()
    | st.dictionaries(st.sampled_from(["a", "b", "", 1]), VALUES, max_size=3)
    | st.dictionaries(st.sampled_from("ab"), PLAIN)
)
AMOUNTS = st.sampled_from([0, 1, 3, 5, 7, 250, 10**6, 0.5, 5.0, -1, -0.5, float("nan"), float("inf"), 1e301, True])
SPANS = st.sampled_from(
    [
        None,
        NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1))),
        NonRecordingSpan(SpanContext(3, 4, True, TraceFlags(3))),
        NonRecordingSpan(SpanContext(5, 6, False, TraceFlags(0))),
        NonRecordingSpan(SpanContext(0, 6, False, TraceFlags(1))),
        api.INVALID_SPAN,
    ]
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["counter", "change", "histogram"]), AMOUNTS, ATTRIBUTES, SPANS, st.booleans())
    | st.just("collect"),
    min_size=1,
    max_size=12,
)
VIEWS: Any = st.sampled_from(
    [
        [],
        [View(instrument_name="*", attribute_keys={"a"})],
        [View(instrument_name="c*", aggregation=DropAggregation()), View(instrument_name="histogram", name="two")],
        [
            View(instrument_name="histogram", name="exponential", aggregation=ExponentialBucketHistogramAggregation()),
            View(instrument_name="histogram"),
        ],
    ]
)
FILTERS = st.sampled_from([TraceBasedExemplarFilter(), AlwaysOffExemplarFilter(), AlwaysOnExemplarFilter()])

THEIRS = {
    "counter": measurements._counter_add,
    "change": measurements._up_down_counter_add,
    "histogram": measurements._histogram_record,
}
OURS: Any = {"counter": measurements._add, "change": measurements._change, "histogram": measurements._record}


@pytest.fixture(scope="module", autouse=True)
def _field() -> Iterator[None]:
    instrument._Synchronous._way = None  # type: ignore[attr-defined]
    yield
    del instrument._Synchronous._way  # type: ignore[attr-defined]


def _points(reader: InMemoryMetricReader) -> Any:
    """Return all that is collected, but for the times."""
    data = reader.get_metrics_data()
    found = []
    for metric in data.resource_metrics[0].scope_metrics[0].metrics if data is not None else ():
        for point in metric.data.data_points:
            values = {key: value for key, value in vars(point).items() if "time" not in key and key != "exemplars"}
            exemplars = []
            for each in point.exemplars:
                assert each.time_unix_nano > 0
                ids = each.span_id, each.trace_id
                exemplars.append((each.filtered_attributes, each.value, type(each.value), ids))
            found.append((metric.name, repr(values), exemplars))
    return found


def _instruments(provider: MeterProvider) -> dict[str, Any]:
    meter = provider.get_meter("test")
    return {
        "counter": meter.create_counter("counter"),
        "change": meter.create_up_down_counter("change"),
        "histogram": meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=[1, 5, 10]),
    }


def _play(functions: Any, case: Any, caplog: Any) -> Any:
    views, chosen, temporality, steps = case
    random.seed(7)
    readers = [InMemoryMetricReader(temporality), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False, views=views, exemplar_filter=chosen)
    own = _instruments(provider)
    caplog.clear()
    collected = []
    for step in steps:
        if step == "collect":
            collected.append(_points(readers[0]))
            continue
        name, amount, attributes, span, explicit = step
        context = Context() if span is None else api.set_span_in_context(span, Context())
        token = None if explicit else attach(context)
        given = dict(attributes) if attributes is not None else None
        try:
            functions[name](own[name], amount, given, context if explicit else None)
        finally:
            if token is not None:
                detach(token)
        if given is not None:
            given.clear()  # the app's own affair from now on
    collected += [_points(each) for each in readers]
    return collected, [(each.name, each.getMessage()) for each in caplog.records]


TEMPORALITIES: Any = st.sampled_from(
    [{}, dict.fromkeys((instrument.Counter, instrument.Histogram), AggregationTemporality.DELTA)]
)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.tuples(VIEWS, FILTERS, TEMPORALITIES, STEPS))
def test_what_is_collected_is_the_same(caplog: pytest.LogCaptureFixture, case: Any) -> None:
    caplog.set_level(logging.DEBUG)
    assert _play(OURS, case, caplog) == _play(THEIRS, case, caplog)


def test_the_second_measurement_goes_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    own = _instruments(MeterProvider([reader], shutdown_on_exit=False))
    for name in own:
        OURS[name](own[name], 1, {"a": 1})
    for name in ("_counter_add", "_up_down_counter_add", "_histogram_record"):
        monkeypatch.setattr(measurements, name, lambda *_: pytest.fail("took upstream's way"))
    for name in own:
        OURS[name](own[name], 1, {"a": 1})
    assert "'value': 2" in _points(reader)[0][1]


def test_a_reader_that_comes_later_is_given_what_comes_later() -> None:
    first: Any = InMemoryMetricReader()
    second: Any = InMemoryMetricReader()
    provider = MeterProvider([first], shutdown_on_exit=False)
    counter = _instruments(provider)["counter"]
    for _ in range(2):
        OURS["counter"](counter, 1, {"a": 1})
    provider._measurement_consumer.add_metric_reader(second)
    for _ in range(2):
        OURS["counter"](counter, 1, {"a": 1})
    assert "'value': 4" in _points(first)[0][1]
    second._set_collect_callback(provider._measurement_consumer.collect)
    assert "'value': 2" in _points(second)[0][1]


def test_what_stands_in_the_consumers_way_is_not_gone_past() -> None:
    """The processors of metrics, and the threads that rest, put functions of their own there."""
    provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    consumer: Any = provider._measurement_consumer
    storage = next(iter(consumer._reader_storages.values()))
    seen: list[Any] = []
    storage.consume_measurement = lambda measurement, *_: seen.append(measurement.value)
    counter = _instruments(provider)["counter"]
    for amount in (1, 2, 3):
        OURS["counter"](counter, amount, {"a": 1})
    assert seen == [1, 2, 3]


def test_a_disabled_instrument_measures_nothing() -> None:
    reader = InMemoryMetricReader()
    counter = _instruments(MeterProvider([reader], shutdown_on_exit=False))["counter"]
    for _ in range(2):
        OURS["counter"](counter, 1)
    counter._meter_config.update(_MeterConfig(is_enabled=False))
    OURS["counter"](counter, 1)
    assert "'value': 2" in _points(reader)[0][1]


def test_what_is_remembered_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "_MOST", 10)
    reader = InMemoryMetricReader()
    counter = _instruments(MeterProvider([reader], shutdown_on_exit=False))["counter"]
    for number in range(45):
        OURS["counter"](counter, 1, {"a": number % 15})
    assert len(counter._way.points) <= 10
    assert ["'value': 3" in values for _, values, _ in _points(reader)] == [True] * 15


def test_threads_lose_nothing() -> None:
    reader = InMemoryMetricReader()
    own = _instruments(MeterProvider([reader], shutdown_on_exit=False))

    def work() -> None:
        for _ in range(500):
            OURS["counter"](own["counter"], 1, {"a": 1})
            OURS["histogram"](own["histogram"], 3, {"a": 1})

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted, recorded = (values for _, values, _ in _points(reader))
    assert "'value': 3000" in counted
    assert "'count': 3000" in recorded
    assert "'bucket_counts': (0, 3000, 0, 0)" in recorded
