"""The faster replacements for attributes, contexts and samplers give the same results as upstream's code."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal import _view_instrument_match, instrument
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from otel_injection.sdk.faster import measurements, replacing, spans
from otel_injection.sdk.faster.attributes import QuickMeasurement, SpanAttributes, _hash_attributes, attributes_key
from tests.unit.examples import examples

KEYS = st.sampled_from(["a", "b", "c", "d", "e", ""]) | st.sampled_from([None, 1])
PLAIN = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, "", "1", "text", "longer text", b"1"])
)
VALUES: Any = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(KEYS, PLAIN, max_size=2) | st.just(object())
ATTRIBUTES: Any = st.dictionaries(KEYS, VALUES, max_size=6) | st.dictionaries(st.sampled_from("abcde"), PLAIN)
STEPS = st.lists(st.tuples(KEYS, VALUES) | ATTRIBUTES, max_size=8)


def _typed(value: Any) -> Any:
    """Tell 1, 1.0 and True apart."""
    if isinstance(value, dict):
        return [(key, _typed(each)) for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [_typed(each) for each in value]
    return type(value), value


def _play(kind: type[BoundedAttributes], first: Any, steps: Any, limit: int | None, length: int | None) -> Any:
    attributes = kind(limit, first, immutable=False, max_value_len=length)
    for step in steps:
        if isinstance(step, tuple):
            attributes[step[0]] = step[1]
        else:
            attributes._set_items(step)
    return _typed(dict(attributes._dict)), attributes.dropped


@settings(max_examples=examples(400))
@given(ATTRIBUTES, STEPS, st.none() | st.integers(0, 5), st.none() | st.integers(0, 5))
def test_span_attributes_end_up_the_same(first: Any, steps: Any, limit: int | None, length: int | None) -> None:
    """Values, their order and what was dropped, whatever is set and whatever the limits are."""
    assert _play(SpanAttributes, first, steps, limit, length) == _play(BoundedAttributes, first, steps, limit, length)


def test_ended_attributes_cannot_be_changed() -> None:
    attributes = SpanAttributes(None, {"a": 1})
    with pytest.raises(TypeError):
        attributes["b"] = 2
    with pytest.raises(TypeError):
        attributes._set_items({"b": 2})
    assert isinstance(BoundedAttributes(), SpanAttributes)


@settings(max_examples=examples(400))
@given(ATTRIBUTES, ATTRIBUTES)
def test_attributes_have_one_key_exactly_where_upstreams_are_one(left: Any, right: Any) -> None:
    left, right = (Measurement(1, 0, None, None, each).attributes for each in (left, right))  # type: ignore[arg-type]
    same = _hash_attributes(left) == _hash_attributes(right)
    assert (attributes_key(left) == attributes_key(right)) is same
    hash(attributes_key(left))


@given(ATTRIBUTES | st.none() | st.just(5) | st.just(OrderedDict(a=1)))
def test_a_measurement_is_the_same(attributes: Any) -> None:
    theirs = Measurement(2, 3, None, None, attributes)  # type: ignore[arg-type]
    ours = QuickMeasurement(2, 3, None, None, attributes)
    assert _typed(vars(ours)) == _typed(vars(theirs))
    assert not attributes or ours.attributes is not attributes


@pytest.fixture
def _used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replacements, in place until the test ends."""
    monkeypatch.setattr(trace, "BoundedAttributes", BoundedAttributes)
    monkeypatch.setattr(_view_instrument_match, "_hash_attributes", _hash_attributes)
    monkeypatch.setattr(instrument, "Measurement", Measurement)
    for name in ("start_span", "start_as_current_span"):
        monkeypatch.setattr(trace.Tracer, name, getattr(trace.Tracer, name))
    for kind, name in (
        (instrument.Counter, "add"),
        (instrument.UpDownCounter, "add"),
        (instrument.Histogram, "record"),
    ):
        monkeypatch.setattr(kind, name, getattr(kind, name))
    replacing.use()


@pytest.mark.usefixtures("_used")
def test_the_sdk_uses_them() -> None:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("name", attributes={"a": 1})
    assert type(span) is spans._Span
    assert type(span._attributes) is SpanAttributes
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test").create_counter("count")
    for attributes in ({"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": 1.0, "b": "x"}, {"a": [1]}):
        counter.add(1, attributes)  # type: ignore[arg-type]
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert sorted(point.value for point in points) == [1, 1, 2]  # type: ignore[union-attr]
    assert len(counter._way.points) == 3  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_used")
def test_of_another_release_only_what_is_looked_at_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "__version__", "1.99.0")
    for module in (spans, measurements):
        monkeypatch.setattr(module, "use", lambda: pytest.fail("replaced"))
    replacing.use()
