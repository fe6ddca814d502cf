"""Processors that keep, drop, enrich and mask telemetry; ``OTEL_INJECTION_SPAN_PROCESSORS`` chooses and orders them.

For processors of your own: derive from :class:`SpanStep`, :class:`LogStep` or :class:`MetricStep`; see
docs/processors.md. Nothing here is imported unless a processor is chosen.
"""

from otel_injection.processors.base import LogStep, MetricStep, SpanStep
from otel_injection.processors.ended_spans import changed

__all__ = ["LogStep", "MetricStep", "SpanStep", "changed"]
