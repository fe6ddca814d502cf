"""Replaces the SDK's slowest code by faster code with the same results, each with upstream's own as its fall-back.

What is known here is one release of the SDK, and what most often comes: attributes that are a dictionary of texts and
numbers, the samplers and exemplars of the specification. For all else, and for another release, upstream's code runs.

What does the work of which function of ``opentelemetry-sdk`` 1.45, to be compared when that is renewed:

- ``attributes.SpanAttributes``: ``opentelemetry.attributes.BoundedAttributes`` (of the API)
- ``attributes.QuickMeasurement``: ``opentelemetry.sdk.metrics._internal.measurement.Measurement``
- ``measurements._measure`` and what it calls: of ``opentelemetry.sdk.metrics._internal`` ``consume_measurement`` of
  ``SynchronousMeasurementConsumer``, ``MetricReaderStorage`` and ``_ViewInstrumentMatch``, ``aggregate`` of
  ``_SumAggregation`` and ``_ExplicitBucketHistogramAggregation``, and ``ExemplarBucket.offer``
- ``sampling``: ``TraceIdRatioBased``, ``StaticSampler`` and ``ParentBased`` of ``opentelemetry.sdk.trace.sampling``
- ``spans.Processors``: ``opentelemetry.sdk.trace.SynchronousMultiSpanProcessor``
- ``spans.start_span``: ``opentelemetry.sdk.trace.Tracer.start_span``, and ``Span.__init__`` and ``Span.start`` there
- ``spans._Span``: ``opentelemetry.sdk.trace.Span``
- ``spans._Current``: ``opentelemetry.trace.use_span`` (of the API)
"""

from __future__ import annotations

from opentelemetry.sdk.version import __version__

from otel_injection.sdk.faster import attributes, measurements, spans

_KNOWN = ("1.45.",)
"""Releases of the SDK that the replacements were written for."""


def use() -> None:
    """Put the replacements in place, unless the SDK or the API is built otherwise than is known here."""
    attributes.use()
    if __version__.startswith(_KNOWN):
        spans.use()
        measurements.use()
