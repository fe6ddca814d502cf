"""What is kept, dropped, enriched and masked, chosen and ordered by ``OTEL_INJECTION_SPAN_PROCESSORS``.

For processors of your own: derive from :class:`SpanStep` or :class:`LogStep`; see docs/processors.md. Nothing here is
imported unless a processor is chosen.
"""

from otel_injection.processors.base import LogStep, SpanStep
from otel_injection.processors.changing import changed

__all__ = ["LogStep", "SpanStep", "changed"]
