"""Metric series: an instrument with fixed attributes, which are checked only once."""

from __future__ import annotations

from typing import Any

from opentelemetry.metrics import _internal as api
from opentelemetry.trace import SpanContext

from otel_injection.providers import metering
from otel_injection.sdk.faster import current_context
from otel_injection.sdk.pipeline import PIPELINE


class Series:
    """An instrument with attributes that never change; the argument ``measure`` is its method to measure with."""

    __slots__ = ("_attributes", "_instrument", "_known", "_upstream")

    def __init__(self, instrument: Any, measure: Any, attributes: dict[str, Any]) -> None:
        self._instrument = instrument
        self._upstream = measure
        self._attributes = attributes
        self._known: Any = None

    def measure(self, amount: float, span: Any = None) -> None:
        """Measure: with a span for an exemplar, the current one if none is given.

        Whoever calls this has asked for ``PIPELINE.current()`` since the process may have been forked.
        """
        known = self._known
        if known is not None:
            state, provider, own, way, points, config = known
            if (
                state is PIPELINE.state
                and provider is api._METER_PROVIDER
                and way.storages is own._measurement_consumer._reader_storages
                and way is own._way
                and (config is None or config._config.is_enabled)
            ):
                if type(span) in current_context.KNOWN:
                    told = span._context
                else:
                    told = current_context.span_context(
                        current_context.get_current() if span is None else current_context.with_current(span)
                    )
                if type(told) is SpanContext:
                    if not (way.samples and told[3] & 1):
                        told = None
                    for take, aggregation in points:
                        take(aggregation, amount, told)
                    return
        self._upstream(amount, self._attributes, None if span is None else current_context.with_current(span))
        self._learn()

    def _learn(self) -> None:
        """Remember the aggregation to which the SDK has taken the measurement."""
        self._known = None
        if isinstance(self._instrument, metering._Instrument):
            # These import the SDK, which is there by now.
            from opentelemetry.sdk.metrics._internal import _ProxyMeterConfig

            from otel_injection.sdk.faster import measurements

            state, provider, own = self._instrument._resolved
            way = getattr(own, "_way", None)
            config = getattr(own, "_meter_config", None)
            if way is not None and way.points and (config is None or type(config) is _ProxyMeterConfig):
                points = way.points.get(measurements._key(self._attributes))
                if points is not None:
                    self._known = (state, provider, own, way, points, config)
