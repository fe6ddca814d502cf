"""OTLP without protobuf: encoders of the three signals, and a sender over HTTP/1.1.

The exporters are imported at first use: ``from otel_injection.otlp import OTLPSpanExporter``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_injection.otlp.exporters import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter

__all__ = ["OTLPLogExporter", "OTLPMetricExporter", "OTLPSpanExporter"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from otel_injection.otlp import exporters

        return getattr(exporters, name)
    raise AttributeError(name)
