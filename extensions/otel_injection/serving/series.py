"""What is measured over and over with the same attributes, without these being looked at again."""

from __future__ import annotations

from typing import Any

from opentelemetry.metrics import _internal as api
from opentelemetry.trace import SpanContext

from otel_injection import contexts, metering
from otel_injection.pipeline import PIPELINE


class Series:
    """An instrument, ``measure`` as its method to measure with, and attributes that nobody changes."""

    __slots__ = ("_attributes", "_instrument", "_known", "_upstream")

    def __init__(self, instrument: Any, measure: Any, attributes: dict[str, Any]) -> None:
        self._instrument = instrument
        self._upstream = measure
        self._attributes = attributes
        self._known: Any = None

    def measure(self, amount: float, context: Any = None) -> None:
        """Measure; in the current context if none is given."""
        known = self._known
        if known is not None:
            state, provider, own, way, points = known
            config = own._meter_config
            if (
                state is PIPELINE.current()
                and provider is api._METER_PROVIDER
                and way.storages is own._measurement_consumer._reader_storages
                and way is own._way
                and (config is None or config.is_enabled)
            ):
                span = contexts.span_context(contexts.get_current() if context is None else context)
                if type(span) is SpanContext:
                    if not (way.samples and span[3] & 1):
                        span = None
                    for take, aggregation in points:
                        take(aggregation, amount, span)
                    return
        self._upstream(amount, self._attributes, context)
        self._learn()

    def _learn(self) -> None:
        """Remember where the SDK has taken the measurement, where that is known."""
        self._known = None
        if isinstance(self._instrument, metering._Instrument):
            state, provider, own = self._instrument._resolved
            way = getattr(own, "_way", None)
            if way is not None and way.points:
                from otel_injection.faster import measurements  # imports the SDK, which is there by now

                points = way.points.get(measurements._key(self._attributes))
                if points is not None:
                    self._known = (state, provider, own, way, points)
