"""What is kept, dropped, enriched and masked, chosen and ordered by ``OTEL_INJECTION_SPAN_PROCESSORS``.

For processors of your own: derive from :class:`SpanStep`, :class:`LogStep` or :class:`MetricStep`; see
docs/processors.md. Nothing here is imported unless a processor is chosen.
"""

from otel_injection.processors.base import LogStep, MetricStep, SpanStep
from otel_injection.processors.ended_spans import changed

__all__ = ["LogStep", "MetricStep", "SpanStep", "changed"]
