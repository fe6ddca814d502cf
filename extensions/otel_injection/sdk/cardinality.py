"""The specification's limit to the sets of attributes that an instrument is measured with.

A client of an app chooses some of the attributes, such as the ``Host`` that it asks for. Upstream's SDK keeps a series
for each set of them, for ever, and exports all of them each time.
"""

from __future__ import annotations

from time import time_ns
from typing import Any

from opentelemetry.sdk.metrics._internal import _view_instrument_match as upstream
from opentelemetry.sdk.metrics._internal.aggregation import DefaultAggregation
from opentelemetry.sdk.metrics._internal.measurement import Measurement

LIMIT = 2000
"""The most sets of attributes of an instrument, the one of the overflow included."""
OVERFLOW = {"otel.metric.overflow": True}
"""The attributes under which measurements beyond the limit are aggregated."""

_Match: Any = upstream._ViewInstrumentMatch
_consume = _Match.consume_measurement


def use() -> None:
    """Put the limit in place."""
    _Match.consume_measurement = _consume_measurement


def _consume_measurement(self: Any, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
    """See ``_ViewInstrumentMatch.consume_measurement``."""
    known = self._attributes_aggregation
    if len(known) >= LIMIT - 1:
        attributes = dict(measurement.attributes or {})
        kept = self._view._attribute_keys
        if kept is not None:
            attributes = {key: value for key, value in attributes.items() if key in kept}
        if upstream._hash_attributes(attributes) not in known:
            _overflow(self, measurement, should_sample_exemplar)
            return
    _consume(self, measurement, should_sample_exemplar)


def _overflow(match: Any, measurement: Measurement, should_sample_exemplar: bool) -> None:
    """Aggregate a measurement beyond the limit; exemplars keep its own attributes."""
    key = upstream._hash_attributes(OVERFLOW)
    if key not in match._attributes_aggregation:
        with match._lock:
            match._attributes_aggregation.setdefault(key, _aggregation(match))
    match._attributes_aggregation[key].aggregate(measurement, should_sample_exemplar)


def _aggregation(match: Any) -> Any:
    view = match._view
    default = isinstance(view._aggregation, DefaultAggregation)
    chosen = match._instrument_class_aggregation[type(match._instrument)] if default else view._aggregation
    return chosen._create_aggregation(match._instrument, OVERFLOW, view._exemplar_reservoir_factory, time_ns())
