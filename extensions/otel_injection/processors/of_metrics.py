"""Processors of metrics: they change the attributes of measurements before these are aggregated.

So they apply to all exporters and readers, and series that they merge have the right sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.metrics._internal.measurement import Measurement

from otel_injection.processors.base import MetricStep
from otel_injection.processors.options import names, number

_OVERFLOW = {"otel.metric.overflow": True}
"""What the specification has a measurement carry whose attributes are over the limit."""


class DropMetricAttributes(MetricStep):
    """``drop_attributes``: leaves out the attributes that ``OTEL_INJECTION_METRIC_DROP_ATTRIBUTES`` names."""

    def __init__(self, keys: Any = None) -> None:
        super().__init__()
        self._unwanted = frozenset(names("OTEL_INJECTION_METRIC_DROP_ATTRIBUTES", keys))

    def attributes(self, instrument: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the others."""
        if self._unwanted.isdisjoint(attributes):
            return attributes
        return {key: value for key, value in attributes.items() if key not in self._unwanted}


class LimitCardinality(MetricStep):
    """``limit_cardinality``: lets an instrument have ``OTEL_INJECTION_METRIC_CARDINALITY_LIMIT`` sets of attributes.

    Those that come later are measured together, with ``otel.metric.overflow=true``.
    """

    def __init__(self, limit: Any = None) -> None:
        super().__init__()
        self._limit = int(number("OTEL_INJECTION_METRIC_CARDINALITY_LIMIT", limit))
        self._seen: dict[str, set[Any]] = {}

    def attributes(self, instrument: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the attributes, or those of the overflow."""
        seen = self._seen.get(instrument)
        if seen is None:
            seen = self._seen.setdefault(instrument, set())
        try:
            key: Any = frozenset(attributes.items())
            known = key in seen
        except TypeError:  # a list among the values
            key = repr(sorted(attributes.items(), key=lambda item: item[0]))
            known = key in seen
        if known:
            return attributes
        if len(seen) >= self._limit - 1:  # the overflow is one of them
            self.drop(1)
            return _OVERFLOW
        seen.add(key)
        return attributes


def install(meter_provider: Any, links: Sequence[Any]) -> None:
    """Have each measurement that reaches a reader's storage go through the steps."""
    for storage in meter_provider._measurement_consumer._reader_storages.values():
        storage.consume_measurement = _consuming(storage.consume_measurement, links)


def _consuming(consume: Callable[..., None], links: Sequence[Any]) -> Callable[..., None]:
    def consume_measurement(measurement: Any, *arguments: Any, **keywords: Any) -> None:
        before = attributes = measurement.attributes or {}
        for link in links:
            try:
                attributes = link.step.attributes(measurement.instrument.name, attributes)
            except Exception as error:  # noqa: PERF203 - each gets its chance
                link.report(error)
        if attributes is not before:
            measurement = Measurement(
                measurement.value,
                measurement.time_unix_nano,
                measurement.instrument,
                measurement.context,
                attributes,
            )
        consume(measurement, *arguments, **keywords)

    return consume_measurement
