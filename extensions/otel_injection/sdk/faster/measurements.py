"""Measurements that go straight to their aggregation, once the SDK has found it.

The first measurement of an instrument with certain attributes goes through upstream's code. Its aggregation is
remembered by the attributes, in their order and with their types; further ones with the same attributes go there
directly.
"""

from __future__ import annotations

from bisect import bisect_left
from time import time_ns
from typing import Any

from opentelemetry.sdk.metrics._internal import _view_instrument_match, instrument
from opentelemetry.sdk.metrics._internal.aggregation import _ExplicitBucketHistogramAggregation, _SumAggregation
from opentelemetry.sdk.metrics._internal.exemplar import (
    AlignedHistogramBucketExemplarReservoir,
    AlwaysOffExemplarFilter,
    SimpleFixedSizeExemplarReservoir,
    TraceBasedExemplarFilter,
    exemplar_reservoir,
)
from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from opentelemetry.trace import SpanContext

from otel_injection import ours
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.faster.attributes import is_plain

_NUMBERS = frozenset({int, float})
_HIGHEST = 1e300
"""Far below the largest float, so that sums cannot become infinite."""
_MOST = 2000
"""The most sets of attributes that are remembered for an instrument."""

_counter_add = instrument.Counter.add
_up_down_counter_add = instrument.UpDownCounter.add
_histogram_record = instrument.Histogram.record


def use() -> None:
    """Put the replacements in place, where the API's contexts are built as is known here."""
    if current_context.is_known():
        instrument._Synchronous._way = None  # type: ignore[attr-defined]
        instrument.Counter.add = _add  # type: ignore[method-assign]
        instrument.UpDownCounter.add = _change  # type: ignore[method-assign]
        instrument.Histogram.record = _record  # type: ignore[method-assign]


def _add(self: Any, amount: float, attributes: Any = None, context: Any = None) -> None:
    if type(amount) in _NUMBERS and 0 <= amount < _HIGHEST:
        _measure(self, amount, attributes, context, _counter_add)
    else:
        _counter_add(self, amount, attributes, context)


def _change(self: Any, amount: float, attributes: Any = None, context: Any = None) -> None:
    if type(amount) in _NUMBERS and -_HIGHEST < amount < _HIGHEST:
        _measure(self, amount, attributes, context, _up_down_counter_add)
    else:
        _up_down_counter_add(self, amount, attributes, context)


def _record(self: Any, amount: float, attributes: Any = None, context: Any = None) -> None:
    if type(amount) in _NUMBERS and 0 <= amount < _HIGHEST:
        _measure(self, amount, attributes, context, _histogram_record)
    else:
        _histogram_record(self, amount, attributes, context)


def look_anew(consumer: Any) -> None:
    """Have all instruments look again where their measurements go, since ``consumer`` takes them in another way now.

    An instrument's way holds as long as the consumer has the very dictionary of storages that the way was made from:
    that is one comparison for each measurement, and notices another SDK as well. So the dictionary is replaced by its
    like.
    """
    consumer._reader_storages = dict(consumer._reader_storages)


class _Way:
    """Where the measurements of an instrument go.

    ``points`` are pairs of a function and an aggregation, by attributes; None if all go through upstream's code.
    """

    def __init__(self, own: Any) -> None:
        consumer = own._measurement_consumer
        self.storages = consumer._reader_storages
        self.points: dict[Any, Any] | None = None
        if (
            type(consumer) is SynchronousMeasurementConsumer
            and "consume_measurement" not in vars(consumer)
            and all(type(each) is MetricReaderStorage for each in self.storages.values())
            and not any("consume_measurement" in vars(each) for each in self.storages.values())
            and type(consumer._sdk_config.exemplar_filter) in (TraceBasedExemplarFilter, AlwaysOffExemplarFilter)
        ):
            self.points = {}
        self.samples = type(consumer._sdk_config.exemplar_filter) is TraceBasedExemplarFilter

    def learn(self, own: Any, attributes: Any, key: Any) -> None:
        """Remember where a measurement with these attributes has just gone."""
        points = []
        hashed = _view_instrument_match._hash_attributes(attributes or {})
        for storage in self.storages.values():
            for match in storage._instrument_view_instrument_matches.get(own, ()):
                aggregation = match._attributes_aggregation.get(hashed)
                if aggregation is None:
                    return
                take = _TAKERS.get((type(aggregation), type(aggregation._reservoir)))
                if match._view._attribute_keys is not None or take is None:
                    self.points = None
                    return
                points.append((take, aggregation))
        if self.points is not None:
            if len(self.points) >= _MOST:
                self.points.clear()
            self.points[key] = tuple(points)


def _measure(own: Any, amount: float, attributes: Any, context: Any, upstream: Any) -> None:
    way = own._way
    if way is None or way.storages is not own._measurement_consumer._reader_storages:
        way = own._way = _Way(own)
    enabled = own._meter_config is None or own._meter_config.is_enabled
    known = way.points
    if known is None or not enabled or (attributes is not None and type(attributes) is not dict):
        upstream(own, amount, attributes, context)
        return
    key = _key(attributes) if attributes else ()
    try:
        points = known.get(key)
    except ours(TypeError):  # a list among the values
        upstream(own, amount, attributes, context)
        return
    span = current_context.span_context(context or current_context.get_current()) if way.samples else None
    if points is None or (span is not None and type(span) is not SpanContext):
        upstream(own, amount, attributes, context)
        if not attributes or (is_plain(attributes) and key == _key(attributes)):
            way.learn(own, attributes, key)
        return
    if span is not None and not span[3] & 1:
        span = None
    for take, aggregation in points:
        take(aggregation, amount, span)


def _key(attributes: dict[str, Any]) -> tuple[Any, ...]:
    values = attributes.values()
    return (*attributes, *values, *map(type, values))


def _take_sum(aggregation: Any, amount: float, span: Any) -> None:
    with aggregation._lock:
        value = aggregation._value
        aggregation._value = (value or 0) + amount
    if span is not None:
        reservoir = aggregation._reservoir
        with reservoir._lock:
            seen = index = reservoir._measurements_seen
            reservoir._measurements_seen = seen + 1
            if seen >= reservoir._size:
                index = exemplar_reservoir.randrange(0, seen + 1)  # type: ignore[attr-defined]
            if index < reservoir._size:
                _keep(reservoir._reservoir_storage[index], amount, aggregation._attributes, span)


def _take_histogram(aggregation: Any, amount: float, span: Any) -> None:
    with aggregation._lock:
        counts = aggregation._value
        if counts is None:
            counts = aggregation._value = aggregation._get_empty_bucket_counts()
        aggregation._sum += amount
        if aggregation._record_min_max:
            if amount < aggregation._min:
                aggregation._min = amount
            if amount > aggregation._max:
                aggregation._max = amount
        index = bisect_left(aggregation._boundaries, amount)
        counts[index] += 1
    if span is not None:
        reservoir = aggregation._reservoir
        with reservoir._lock:
            _keep(reservoir._reservoir_storage[index], amount, aggregation._attributes, span)


def _keep(bucket: Any, amount: float, attributes: Any, span: Any) -> None:
    """Do what ``ExemplarBucket.offer`` does, with the equal attributes of the point in place of the measurement's."""
    bucket._ExemplarBucket__value = amount
    bucket._ExemplarBucket__time_unix_nano = time_ns()
    bucket._ExemplarBucket__attributes = attributes
    bucket._ExemplarBucket__span_id = span[1]
    bucket._ExemplarBucket__trace_id = span[0]
    bucket._ExemplarBucket__offered = True


_TAKERS: dict[Any, Any] = {
    (_SumAggregation, SimpleFixedSizeExemplarReservoir): _take_sum,
    (_ExplicitBucketHistogramAggregation, AlignedHistogramBucketExemplarReservoir): _take_histogram,
}
